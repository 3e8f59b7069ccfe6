"""Names, files and helpers that the steps share."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

OWN, LIFETIMES, DUCKDB = "this project", "lifetimes", "DuckDB SQL"

HORIZON_DAYS = 365
CLV_MONTHS = 12
MONTH_DAYS = 30
"""lifetimes counts a month as 30 days."""
MONTHLY_DISCOUNT = 0.01

LOG, SUMMARY, PARAMETERS = "log.parquet", "summary.parquet", "parameters.json"

Work = Callable[[], dict[str, Any]]
Step = Callable[[Path], Work]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what lifetimes warns about; its errors still show."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def config(folder: Path) -> Any:
    """Configuration that reads the log as any business's would be."""
    from pipelines.config.load import parse

    return parse(
        {
            "name": "benchmark",
            "source": {"kind": "parquet", "path": str(folder / LOG)},
            "columns": {
                "customer_id": "customer_id",
                "timestamp": "timestamp",
                "amount": "amount",
            },
        }
    )


FEW = 1_000


def histories(folder: Path) -> Any:
    import pandas as pd

    columns = ["frequency", "recency", "T", "monetary_value"]
    return pd.read_parquet(folder / SUMMARY, columns=columns)


def buyers_of(folder: Path) -> Any:
    table = histories(folder)
    return table[(table["frequency"] > 0) & (table["monetary_value"] > 0)]
