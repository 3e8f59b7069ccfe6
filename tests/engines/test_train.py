"""`clv train` writes the same forecast whatever engine holds the log."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FORECASTS: dict[str, pd.DataFrame] = {}


def cdnow_sample() -> pd.DataFrame:
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0])
    frame = pd.read_csv(
        folder / "datasets" / "CDNOW_sample.txt",
        sep=r"\s+",
        names=["customer", "sample", "day", "cds", "value"],
        dtype={"customer": str, "day": str},
    )
    return frame.assign(day=pd.to_datetime(frame["day"], format="%Y%m%d"))


TOML = """
[train]
transaction_model = "bgnbd"
churn_horizon_days = 90
[backtest]
origins = [1998-03-31]
jobs = 1
"""


def test_the_forecast_does_not_depend_on_the_engine(train, request):
    folder = train(cdnow_sample(), "1998-06-30", TOML)
    customers = pd.read_parquet(folder / "customers.parquet").sort_values("customer_id")
    cohorts = pd.read_parquet(folder / "cohorts.parquet")
    FORECASTS[request.node.callspec.id] = customers.reset_index(drop=True)
    first = next(iter(FORECASTS.values()))
    pd.testing.assert_frame_equal(customers.reset_index(drop=True), first, rtol=1e-6)
    assert len(customers) == 2357
    assert cohorts["revenue"].sum() > 0
