"""Simulated customers with a known season, cohort effects and order values: found again."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.simulation.simulate import GammaGammaSpend, NBDProcess, simulate_log

START, AS_OF, UNTIL = dt.date(2020, 1, 1), dt.date(2021, 12, 31), dt.date(2022, 6, 30)
SEASON = np.array([0.7, 0.8, 0.9, 0.95, 1.0, 1.0, 0.9, 0.9, 1.1, 1.2, 1.5, 1.05])
COHORTS = np.tile([0.6, 1.0, 1.5], 10)[:30]


def cohort_months(log):
    """Slow and obvious: customer by customer, month by month."""
    frame = log.to_pandas()[["customer_id", "timestamp", "amount"]]
    frame["day"] = pd.to_datetime(frame["timestamp"]).dt.normalize()
    daily = frame.groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    daily["first"] = daily.groupby("customer_id")["day"].transform("min")
    month = {c: daily[c].dt.to_period("M").dt.start_time for c in ("first", "day")}
    daily["cohort"], daily["period"] = month["first"], month["day"]
    daily["is_first"] = daily["day"] == daily["first"]
    customers = daily[daily["is_first"]]
    rows = []
    for period in pd.date_range(START, UNTIL, freq="MS"):
        end = period + pd.offsets.MonthEnd(0)
        for cohort, members in customers[customers["first"] <= end].groupby("cohort"):
            begin = np.maximum(members["first"], period - pd.Timedelta(days=1))
            cell = daily[(daily["cohort"] == cohort) & (daily["period"] == period)]
            first, repeat = cell[cell["is_first"]], cell[~cell["is_first"]]
            rows.append(
                (
                    cohort, period, len(members), (end - begin).dt.days.sum(), len(repeat),
                    repeat["amount"].sum(), len(first), first["amount"].sum(),
                )
            )  # fmt: skip
    columns = ["cohort", "period", "customers", "customer_days", "purchases", "revenue"]
    return pd.DataFrame(rows, columns=[*columns, "first_purchases", "first_revenue"])


@pytest.fixture(scope="module")
def table():
    log = simulate_log(
        NBDProcess(r=1.5, alpha=75.0),
        6000,
        spend=GammaGammaSpend(p=6.0, q=4.0, v=15.0),
        start=START,
        days=912,
        acquisition=730.0,
        season=SEASON,
        cohort_effects=COHORTS,
        random_state=7,
    )
    return cohort_months(log)


@pytest.fixture(scope="module")
def fitted(table):
    return CohortForecaster(select=False).fit(table, AS_OF)


def test_season_is_found(fitted):
    truth = np.log(SEASON) - np.log(SEASON).mean()
    found = np.array(fitted.evidence_["season"])
    np.testing.assert_allclose(found - found.mean(), truth, atol=0.15)


def test_cohort_effects_are_found(fitted):
    effect = fitted.model_.rates.fit.block("cohort")[:18]
    truth = np.log(COHORTS[:18])
    assert np.corrcoef(effect, truth)[0, 1] > 0.95
    slope = np.polyfit(truth, effect, 1)[0]
    assert slope == pytest.approx(1.0, abs=0.2)


def test_value_of_a_purchase_is_found(fitted):
    cells = fitted.forecast(UNTIL)
    value = cells["revenue"].sum() / cells["purchases"].sum()
    assert value == pytest.approx(6.0 * 15.0 / 3.0, rel=0.06)


def test_the_months_to_come_are_forecast(table, fitted):
    later = table[(table["period"] > "2021-12-01") & (table["cohort"] <= "2021-12-01")]
    truth = later.groupby("period")[["purchases", "revenue"]].sum()
    made = fitted.forecast(UNTIL, level="month").set_index("period")
    np.testing.assert_allclose(made["purchases"], truth["purchases"], rtol=0.12)
    assert made["purchases"].sum() == pytest.approx(truth["purchases"].sum(), rel=0.06)
    assert made["revenue"].sum() == pytest.approx(truth["revenue"].sum(), rel=0.08)
