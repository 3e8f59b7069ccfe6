"""Segments of a backtest: forecasts and actuals that add up, and what of them is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvmodels.core import metrics
from clvmodels.segments.values import OTHERS
from pipelines.backtesting import run as backtest
from pipelines.backtesting.run import BacktestResult
from pipelines.backtesting.segment_scores import segment_cells
from pipelines.config import load as configuration
from pipelines.report.sections.customers.segments import told_cells
from tests.support.at_a_day import observe
from tests.support.segment_shop import AS_OF, DIMENSIONS, TOML, TRIAL, known_at, shop
from tests.support.shop import dataset_of

SOURCE = """
name = "segments"

[source]
kind = "csv"
path = "log.csv"
"""

SETTINGS = """
[train]
transaction_model = "bgnbd"
churn_from = "purchase_model"
"""
KEYS = ["dimension", "value"]


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    table = shop(4, 2500)
    return table[table["date"] <= AS_OF]


@pytest.fixture(scope="module")
def result(log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> BacktestResult:
    folder: Path = tmp_path_factory.mktemp("segment_scores")
    (folder / "segments.toml").write_text(SOURCE + TOML + SETTINGS, encoding="utf-8")
    columns = ["customer_id", "timestamp", "amount", *DIMENSIONS]
    config = configuration.load(_with_log(folder, log[columns]))
    with dataset_of(log[columns], config, folder) as data:
        known, truth = observe(TRIAL.date(), data, config)
    return backtest.judge(known, truth, config.train, explain=False)


def _with_log(folder: Path, log: pd.DataFrame) -> Path:
    log.to_csv(folder / "log.csv", index=False)
    return folder / "segments.toml"


def test_segments_add_up_to_the_cohorts(result: BacktestResult) -> None:
    for model in ("clv", "bgnbd", "lifetimes"):
        cells = result.cells[result.cells["model"] == model]
        whole = cells.groupby("period")[["purchases", "revenue", "actual_purchases"]].sum()
        own = result.segments[result.segments["model"] == model]
        for _, part in own.groupby("dimension"):
            sums = part.groupby("period")[["purchases", "revenue", "actual_purchases"]].sum()
            np.testing.assert_allclose(sums.to_numpy(), whole.to_numpy(), rtol=1e-6)


def test_actuals_are_what_the_customers_of_the_segment_did(
    result: BacktestResult, log: pd.DataFrame
) -> None:
    truth = known_at(log, TRIAL, AS_OF)
    own = result.segments[result.segments["model"] == "clv"]
    for name in DIMENSIONS:
        found = own[own["dimension"] == name].groupby("value")
        expected = truth.groupby(name)
        bought = expected["purchases"].sum()
        pd.testing.assert_series_equal(
            found["actual_purchases"].sum(), bought, check_names=False, check_dtype=False
        )
        spent = found["actual_revenue"].sum()
        np.testing.assert_allclose(spent, expected["revenue"].sum(), rtol=1e-9)
        assert found["customers"].first().to_dict() == expected.size().to_dict()


def test_the_metrics_are_those_of_the_segments_months(result: BacktestResult) -> None:
    rows = result.metrics[result.metrics["level"] == "segment_month"]
    assert set(rows["model"]) >= {"clv", "bgnbd", "lifetimes", "customers"}
    for row in rows.itertuples():
        own = result.segments[result.segments["model"] == row.model]
        own = own[own["value"] != OTHERS]
        score = getattr(metrics, str(row.metric))
        expected = score(own[f"actual_{row.quantity}"], own[str(row.quantity)])
        assert row.value == pytest.approx(expected)


def test_a_log_without_dimensions_has_no_segments() -> None:
    assert segment_cells({}, None).empty


def segments_of(customers: dict[str, int]) -> pd.DataFrame:
    rows = [
        {"origin": TRIAL, "model": "clv", "dimension": "channel", "value": value, "period": AS_OF}
        | {"customers": size, "purchases": 1.0, "revenue": 1.0}
        | {"actual_purchases": 1.0, "actual_revenue": 1.0}
        for value, size in customers.items()
    ]
    return pd.DataFrame(rows)


class Inputs:
    """What the page reads of a report's inputs."""

    def __init__(self, cells: pd.DataFrame, told: set[pd.Timestamp]) -> None:
        self.cells, self.told = cells, frozenset(told)

    def dated(self, name: str, *columns: str) -> pd.DataFrame:
        return self.cells.copy()


def test_few_others_are_hidden_among_the_smallest_segment() -> None:
    cells = segments_of({"a": 500, "b": 300, "c": 120, OTHERS: 9})
    assert set(told_cells(Inputs(cells, {TRIAL}))["value"]) == {"a", "b"}  # type: ignore[arg-type]
    cells = segments_of({"a": 500, "b": 300, "c": 120, OTHERS: 10})
    assert set(told_cells(Inputs(cells, {TRIAL}))["value"]) == {"a", "b", "c"}  # type: ignore[arg-type]


def test_past_dates_that_may_not_be_told_are_not() -> None:
    cells = segments_of({"a": 500, "b": 300})
    assert told_cells(Inputs(cells, set())).empty  # type: ignore[arg-type]
