"""Diagnostics of a fit, from the tables that training leaves."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clvmodels import BGNBD, GammaGamma
from clvmodels.simulation.simulate import BGNBDProcess, simulate_log
from pipelines.data.features import CohortHistory
from pipelines.training import diagnostics as fit_quality
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData


@pytest.fixture(scope="module")
def known():
    log = simulate_log(
        BGNBDProcess(0.8, 25.0, 0.8, 3.0), 3_000, start=dt.date(2023, 1, 1), days=365,
        acquisition=181, random_state=2,
    )  # fmt: skip
    summary = log.summary()
    month = pd.DatetimeIndex(np.datetime64("2023-01-01") + log.day.astype("timedelta64[D]"))
    repeat = np.append(False, log.customer[1:] == log.customer[:-1])
    counts = pd.Series(repeat).groupby(month.to_period("M").start_time).sum()
    spend = summary.query("frequency > 0")[["frequency", "monetary_value"]].assign(weight=1.0)
    return TrainingData(
        history=CohortHistory(
            pd.DataFrame(
                {
                    "cohort": pd.Timestamp("2023-01-01"),
                    "period": counts.index,
                    "purchases": counts.to_numpy(),
                }
            ),
            first_date=dt.date(2023, 1, 1),
            as_of=dt.date(2023, 12, 31),
        ),
        summary=summary[["frequency", "recency", "T"]].assign(weight=1.0),
        spend=spend,
        repeat_spend=spend,
    )


@pytest.fixture(scope="module")
def fitted(known):
    return Fitted(known.as_of, BGNBD().fit(known.summary), GammaGamma().fit(known.spend))


def test_tables_are_complete(fitted, known):
    made = fit_quality.tables(fitted, known)
    assert set(made) == {
        "tracking",
        "spend_distribution",
        "spend_by_frequency",
        "model_comparison",
    }
    assert set(made["model_comparison"]["model"]) == {"BGNBD", "MBGNBD", "ParetoNBD", "NBD"}
    assert made["model_comparison"]["model"].iloc[0] == "BGNBD"
    assert abs(made["spend_by_frequency"].attrs["pearson"]) < 0.1


def test_tracking_is_by_calendar_month(fitted, known):
    table = fit_quality.tables(fitted, known)["tracking"]
    assert table["period"].tolist() == list(pd.date_range("2023-01-01", "2023-12-01", freq="MS"))
    assert table["cumulative_observed"].iloc[-1] == known.summary["frequency"].sum()
    # A maximum likelihood fit of a true model is close to the total, and months follow.
    assert table["cumulative_expected"].iloc[-1] == pytest.approx(
        table["cumulative_observed"].iloc[-1], rel=0.03
    )
    late = table.tail(6)
    np.testing.assert_allclose(late["expected"], late["observed"], rtol=0.12)


def test_large_tables_compare_only_what_was_fitted(fitted, known, monkeypatch):
    monkeypatch.setattr(fit_quality, "MOST_ROWS", 10)
    assert len(fit_quality.tables(fitted, known)["model_comparison"]) == 1


@pytest.mark.parametrize("rows", [1, 2])
def test_families_are_compared_on_the_customers_of_today(fitted, known, rows):
    """A model of the same day that learned from others is fitted anew, if they are as many too."""
    moved = known.summary.assign(weight=1.0)
    moved.loc[moved.index[:2], "weight"] = [2.0, 0.0] if rows == 2 else [2.0, 1.0]
    today = replace(known, summary=moved)
    table = fit_quality.tables(fitted, today)["model_comparison"].set_index("model")
    assert set(table.index) == {"BGNBD", "MBGNBD", "ParetoNBD", "NBD"}
    likelihood = BGNBD().fit(moved).log_likelihood_
    assert table.loc["BGNBD", "log_likelihood"] == pytest.approx(likelihood, rel=1e-9)
    assert abs(likelihood - fitted.transactions.log_likelihood_) > 1e-6 * abs(likelihood)


def test_histogram_counts_everyone(fitted, known):
    table = fit_quality.frequency_histogram(fitted, known)
    assert table["observed"].sum() == pytest.approx(3_000)
    assert table["expected"].sum() == pytest.approx(3_000)


def test_holdout_of_the_longest_horizon_is_shown():
    table = pd.DataFrame(
        {
            "origin": pd.to_datetime(["2023-09-30", "2022-12-31", "2022-12-31"]),
            "horizon_days": [90, 365, 365],
            "by": ["frequency", "frequency", "recency"],
            "group": ["0", "0", "none"],
            "customers": [9, 8, 8],
            "expected": [1.0, 2.0, 3.0],
            "actual": [1.0, 2.0, 3.0],
        }
    )
    found = fit_quality.conditional(table)
    assert set(found) == {"conditional_frequency", "conditional_recency"}
    assert found["conditional_frequency"]["customers"].tolist() == [8]
    assert fit_quality.conditional(table.head(0)) == {}
    latest = table["origin"].max()
    for part in fit_quality.conditional(table, latest).values():
        assert set(part["origin"]) == {latest}
