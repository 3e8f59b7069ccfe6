"""Customers are scored where they live: on Spark none of them comes to the driver."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvmodels.finance.clv import value_tiers
from pipelines.backtesting import run as backtest
from pipelines.config import load as config
from pipelines.data import privacy
from pipelines.training import training_data

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CUSTOMERS = 6_000
SAMPLE = 300
"""Customers that the driver may see at once, without their ids: to learn churn, and to judge."""

MOST_ROWS = 1_500
"""Of any table that comes to the driver: a sample, or histories that many customers share."""

TOML = """
[train]
transaction_model = "bgnbd"
churn_horizon_days = 90
[governance]
pseudonym_key_env = "CLV_TEST_KEY"
[backtest]
origins = [2022-09-30]
jobs = 1
"""

FORECASTS: dict[str, pd.DataFrame] = {}


def busy_log() -> pd.DataFrame:
    """Many customers who share few histories, and so their CLV: tiers end among ties."""
    rng = np.random.default_rng(8)
    joined = rng.integers(0, 6, CUSTOMERS)
    loyal = rng.random(CUSTOMERS) < 0.3
    rows = []
    for month in range(12):
        comes = joined == month
        comes |= (joined < month) & (rng.random(CUSTOMERS) < np.where(loyal, 0.35, 0.04))
        who = np.flatnonzero(comes)
        day = pd.Timestamp(2022, month + 1, 15)
        rows.append(pd.DataFrame({"customer": who, "day": day, "value": 10.0 + 10 * (who % 2)}))
    log = pd.concat(rows, ignore_index=True)
    return log.assign(customer=log["customer"].map("{:05d}".format))


def record(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the rows of everything that a Spark session gives to the driver."""
    from pyspark.sql.classic.dataframe import DataFrame

    counts: list[int] = []

    def counted(method):
        @functools.wraps(method)
        def run(self, *given, **named):
            made = method(self, *given, **named)
            counts.append(made.num_rows if hasattr(made, "num_rows") else len(made))
            return made

        return run

    for name in ("toPandas", "toArrow", "collect"):
        monkeypatch.setattr(DataFrame, name, counted(getattr(DataFrame, name)))
    # one row at a time, or without counting
    for name in ("toLocalIterator", "rdd"):
        monkeypatch.setattr(DataFrame, name, property(lambda _: pytest.fail("not on the driver")))
    return counts


def test_customers_stay_where_they_are(train, tmp_path, monkeypatch, request):
    engine = request.node.callspec.id
    monkeypatch.setenv("CLV_TEST_KEY", "a key of sufficient length")
    monkeypatch.setattr(training_data, "CHURN_CUSTOMERS", SAMPLE)
    monkeypatch.setattr(backtest, "CUSTOMERS", SAMPLE)
    returned = record(monkeypatch) if engine == "spark" else []
    folder = train(busy_log(), "2022-12-31", TOML)
    if engine == "spark":
        assert SAMPLE / 2 < max(returned) < MOST_ROWS < CUSTOMERS / 3
    file = folder / "customers.parquet"
    assert file.is_dir() == (engine == "spark")
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == set()

    customers = pd.read_parquet(file)
    if engine != "spark":
        assert customers["customer_id"].is_monotonic_increasing
    customers = customers.sort_values("customer_id", ignore_index=True)
    assert len(customers) == CUSTOMERS
    assert customers["customer_id"].str.fullmatch("[0-9a-f]{32}").all()
    assert customers["clv"].nunique() < MOST_ROWS
    assert customers["tier"].tolist() == list(value_tiers(customers["clv"]))
    FORECASTS[engine] = customers
    pd.testing.assert_frame_equal(customers, next(iter(FORECASTS.values())), rtol=1e-6)

    erased = privacy.erase(config.load(tmp_path / "shop.toml"), ["00042"])
    assert [(e.rows, e.file.is_relative_to(file)) for e in erased.removed] == [(1, True)]
    assert left(file, engine) == CUSTOMERS - 1


def left(file: Path, engine: str) -> int:
    """Count the customers that remain, by the engine that wrote them."""
    if engine != "spark":
        return len(pd.read_parquet(file))
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession().read.parquet(file.as_uri()).count()
