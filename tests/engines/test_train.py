"""`clv train` writes the same forecast whatever engine holds the log."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from pipelines import cli
from pipelines.config import Config

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


def toml(config: Config, folder: Path) -> str:
    source = config.source.model_dump(exclude_none=True, exclude_defaults=True)
    lines = "\n".join(f'{key} = "{value}"' for key, value in source.items())
    return f"""
name = "shop"
[source]
{lines}
[columns]
customer_id = "customer"
timestamp = "day"
amount = "value"
[train]
transaction_model = "bgnbd"
churn_horizon_days = 90
[backtest]
origins = [1998-03-31]
jobs = 1
[output]
models = "{folder / "models"}"
reports = "{folder / "reports"}"
"""


def test_the_forecast_does_not_depend_on_the_engine(place, tmp_path):
    config = place(cdnow_sample())
    (tmp_path / "shop.toml").write_text(toml(config, tmp_path))
    command = ["train", "--config", str(tmp_path / "shop.toml"), "--quiet"]
    cli.app([*command, "--as-of", "1998-06-30"], standalone_mode=False)
    folder = tmp_path / "reports" / "shop" / "1998-06-30"
    customers = pd.read_parquet(folder / "customers.parquet").sort_values("customer_id")
    cohorts = pd.read_parquet(folder / "cohorts.parquet")
    FORECASTS[config.source.kind] = customers.reset_index(drop=True)
    first = next(iter(FORECASTS.values()))
    pd.testing.assert_frame_equal(FORECASTS[config.source.kind], first, rtol=1e-6)
    assert len(customers) == 2357
    assert cohorts["revenue"].sum() > 0
