"""Start-up: a new process that imports and fits the 2,357 customers of CDNOW."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.steps.common import Work

_START = """
import importlib.util, pathlib, warnings
warnings.simplefilter("ignore")
import pandas
home = pathlib.Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0])
table = pandas.read_csv(home / "datasets" / "cdnow_customers_summary.csv")
{fit}
"""
_OWN_FIT = "from clvmodels import BGNBD; BGNBD().fit(table)"
_LIFETIMES_FIT = (
    "from lifetimes import BetaGeoFitter; "
    "BetaGeoFitter().fit(table['frequency'], table['recency'], table['T'])"
)


def _start(fit: str) -> Work:
    def work() -> dict[str, Any]:
        subprocess.run([sys.executable, "-c", _START.format(fit=fit)], check=True)
        return {}

    return work


def start_own(folder: Path) -> Work:
    return _start(_OWN_FIT)


def start_lifetimes(folder: Path) -> Work:
    return _start(_LIFETIMES_FIT)
