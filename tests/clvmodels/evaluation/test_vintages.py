"""Matured forecasts against hand-made actuals, and alarms against chance."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.evaluation.vintages import (
    Alarm,
    VintageLevel,
    by_horizon,
    matured,
    standardised,
    tracking_signals,
)

JAN, FEB, MAR, APR = pd.date_range("2020-01-01", periods=4, freq="MS")


def entry(origin, level, period, value, cohort=pd.NaT, quantity="purchases", reach=1.2):
    return {
        "origin": pd.Timestamp(origin), "level": level, "cohort": cohort, "period": period,
        "quantity": quantity, "value": value, "low": value / reach, "high": value * reach,
    }  # fmt: skip


ACTUALS = pd.DataFrame(
    [
        (JAN, JAN, 1.0, 10.0, 7.0, 70.0), (JAN, FEB, 2.0, 20.0, 0.0, 0.0),
        (JAN, MAR, 3.0, 30.0, 0.0, 0.0), (FEB, FEB, 4.0, 40.0, 8.0, 80.0),
        (FEB, MAR, 5.0, 50.0, 0.0, 0.0), (MAR, MAR, 6.0, 60.0, 9.0, 90.0),
    ],
    columns=["cohort", "period", "purchases", "revenue", "first_purchases", "first_revenue"],
)  # fmt: skip


def test_each_level_is_judged_by_its_own_customers():
    made = pd.DataFrame(
        [
            entry("2020-01-31", VintageLevel.COHORT, MAR, 2.5, cohort=JAN),
            entry("2020-01-31", VintageLevel.KNOWN, MAR, 2.5),
            entry("2020-02-29", VintageLevel.KNOWN, MAR, 9.0),
            entry("2020-01-31", VintageLevel.COMPANY, MAR, 20.0),
            entry("2020-01-31", VintageLevel.COMPANY, MAR, 200.0, quantity="revenue"),
            entry("2020-01-31", VintageLevel.COMPANY, APR, 20.0),
            entry("2020-01-31", VintageLevel.KNOWN, MAR, 1.0, quantity="margin"),
        ]
    )
    found = matured(made, ACTUALS, dt.date(2020, 4, 29)).set_index(["level", "origin", "quantity"])
    first, second = pd.Timestamp("2020-01-31"), pd.Timestamp("2020-02-29")
    assert len(found) == 5
    assert found.loc[(VintageLevel.COHORT, first, "purchases"), "actual"] == 3.0
    assert found.loc[(VintageLevel.KNOWN, first, "purchases"), "actual"] == 3.0
    assert found.loc[(VintageLevel.KNOWN, second, "purchases"), "actual"] == 8.0
    assert found.loc[(VintageLevel.COMPANY, first, "purchases"), "actual"] == 23.0
    assert found.loc[(VintageLevel.COMPANY, first, "revenue"), "actual"] == 230.0
    assert found.loc[(VintageLevel.KNOWN, second, "purchases"), "horizon"] == 1
    assert found.loc[(VintageLevel.KNOWN, first, "purchases"), "horizon"] == 2


def test_a_month_known_in_part_is_not_judged():
    made = pd.DataFrame(
        [
            entry("2020-02-10", VintageLevel.COMPANY, FEB, 1.0),
            entry("2020-02-10", VintageLevel.COMPANY, MAR, 1.0),
            entry("2020-02-10", VintageLevel.KNOWN, MAR, 1.0),
            entry("2020-02-10", VintageLevel.COHORT, MAR, 1.0, cohort=FEB),
            entry("2020-02-10", VintageLevel.COHORT, MAR, 1.0, cohort=JAN),
            entry("2020-02-10", VintageLevel.COMPANY, APR, 1.0),
        ]
    )
    found = matured(made, ACTUALS, dt.date(2020, 3, 31))
    assert list(zip(found["level"], found["period"], strict=True)) == [
        (VintageLevel.COHORT, MAR), (VintageLevel.COMPANY, MAR),
    ]  # fmt: skip
    assert matured(made, ACTUALS, dt.date(2020, 3, 30)).empty


@pytest.mark.parametrize(
    ("origin", "judged"),
    [("2020-01-15", [FEB]), ("2020-01-31", [FEB, MAR]), ("2020-01-29", [FEB])],
)
def test_a_month_forecast_in_part_is_not_judged(origin, judged):
    """Two months from the 15th of January end on the 15th of March."""
    touched = [FEB, MAR] if origin == "2020-01-31" else [JAN, FEB, MAR]
    made = pd.DataFrame([entry(origin, VintageLevel.COMPANY, month, 9.0) for month in touched])
    assert matured(made, ACTUALS, dt.date(2020, 4, 30))["period"].tolist() == judged


def test_a_forecast_that_ends_with_february_has_it_whole():
    made = pd.DataFrame([entry("2020-01-30", VintageLevel.COMPANY, m, 9.0) for m in (JAN, FEB)])
    assert matured(made, ACTUALS, dt.date(2020, 4, 30))["period"].tolist() == [FEB]


def test_errors_by_horizon_are_those_of_the_cells():
    made = pd.DataFrame(
        [
            entry("2020-01-31", VintageLevel.COMPANY, FEB, 21.0),
            entry("2020-01-31", VintageLevel.COMPANY, MAR, 30.0),
            entry("2020-02-29", VintageLevel.COMPANY, MAR, 20.0),
        ]
    )
    table = by_horizon(matured(made, ACTUALS, dt.date(2020, 3, 31)))
    assert table["from_month"].tolist() == [1, 2]
    assert table["forecasts"].tolist() == [2, 1]
    # February: 14 in all; March: 23
    assert table["wape"].tolist() == pytest.approx([(7 + 3) / 37, 7 / 23])
    assert table["bias"].tolist() == pytest.approx([(7 - 3) / 37, 7 / 23])
    assert table["coverage_90"].tolist() == pytest.approx([0.5, 0.0])


def series(ratios, reach=1.1, level=VintageLevel.COMPANY):
    """One forecast of 100 a month, each made the month before, and actuals by ratio."""
    periods = pd.date_range("2020-02-01", periods=len(ratios), freq="MS")
    rows = [entry(p - pd.Timedelta(days=1), level, p, 100.0, reach=reach) for p in periods]
    return pd.DataFrame(rows).assign(actual=100.0 * np.asarray(ratios), horizon=1)


def raised(table, months=6):
    return {alarm for signal in tracking_signals(table, months) for alarm in signal.alarms}


def test_a_bias_of_15_percent_is_found_in_the_second_month():
    """Intervals of a tenth either side, and forecasts 15 % too high."""
    assert Alarm.BIAS in raised(series([1 / 1.15, 1 / 1.15]))
    (signal,) = tracking_signals(series([1 / 1.15] * 3))
    assert signal.bias == pytest.approx(0.15)
    assert signal.months == 3
    assert signal.outside == 3
    assert signal.signal < -2.5


def test_one_month_outside_is_no_alarm_and_two_on_one_side_are():
    assert not raised(series([1.0, 1.0, 1.0, 1.0, 1.11]))
    assert not raised(series([1.0, 1.0, 1.0, 1 / 1.11, 1.11]))
    assert raised(series([1.0, 1.0, 1.0, 0.97, 1.11, 1.11])) == {Alarm.OUTSIDE}
    assert Alarm.OUTSIDE in raised(series([1.0] * 5 + [1.1**2]))


def test_calm_years_raise_less_than_one_alarm_in_two():
    """Honest intervals: errors are normal, 90 % of them inside."""
    rng = np.random.default_rng(5)
    sd = np.log(1.1) / 1.6448536269514722
    begun = []
    for _ in range(50):  # a hundred years
        table = series(np.exp(sd * rng.standard_normal(24)))
        alarmed = [bool(raised(table.head(seen))) for seen in range(1, 25)]
        begun.append(np.sum(np.diff([0, *alarmed]) > 0))
    assert np.mean(begun) < 1.0


def test_the_latest_forecast_of_a_month_counts():
    old = series([1.0, 1.0]).assign(horizon=2, value=10.0, low=9.0, high=11.0)
    assert not raised(pd.concat([old, series([1.0, 1.0])]))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.2, 5.0), min_size=2, max_size=8), st.floats(1e-3, 1e6))
def test_the_currency_does_not_matter(ratios, unit):
    table = series(ratios)
    other = table.assign(**{c: table[c] * unit for c in ("value", "low", "high", "actual")})
    np.testing.assert_allclose(standardised(table), standardised(other), rtol=1e-6, atol=1e-9)


def test_without_intervals_nothing_is_said():
    table = series([2.0, 2.0]).assign(low=np.nan, high=np.nan)
    assert tracking_signals(table) == []
    made = matured(pd.DataFrame([entry("2020-01-31", VintageLevel.COMPANY, FEB, 14.0)]),
                   ACTUALS, dt.date(2020, 2, 29))  # fmt: skip
    assert np.isnan(by_horizon(made.assign(low=np.nan))["coverage_90"]).all()
