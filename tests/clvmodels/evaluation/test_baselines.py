"""Baselines on tables so regular that their answers are known."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodels.core.errors import DataError
from clvmodels.core.months import month_grid
from clvmodels.evaluation.baselines import (
    TABLE_BASELINES,
    arpu_over_churn,
    chain_ladder,
    gradient_boosting,
    last_months_average,
    same_month_last_year,
)

AS_OF, UNTIL = dt.date(2021, 6, 30), dt.date(2021, 9, 15)


def table(rate, months=30, size=100):
    """Cohorts of ``size`` customers a month who buy ``rate(age, month)`` times a day, exactly."""
    periods = pd.date_range("2020-01-01", periods=months, freq="MS")
    rows = []
    for c, cohort in enumerate(periods):
        for p in range(c, months):
            days = size * periods[p].days_in_month * (0.5 if p == c else 1.0)
            bought = days * rate(p - c, periods[p].month)
            first = size if p == c else 0
            rows.append((cohort, periods[p], size, days, bought, 20 * bought, first, 30 * first))
    return pd.DataFrame(
        rows,
        columns=[
            "cohort", "period", "customers", "customer_days", "purchases", "revenue",
            "first_purchases", "first_revenue",
        ],
    )  # fmt: skip


def truth(rate):
    frame = table(rate)
    frame = frame[(frame["cohort"] <= "2021-06-01") & (frame["period"] > "2021-06-01")]
    frame = frame[frame["period"] <= "2021-09-01"]
    share = np.where(frame["period"] == pd.Timestamp("2021-09-01"), 15 / 30, 1.0)
    out = frame.assign(purchases=frame["purchases"] * share, revenue=frame["revenue"] * share)
    return out.set_index(["cohort", "period"])[["purchases", "revenue"]].sort_index()


def made_by(baseline, rate):
    made = baseline(table(rate), AS_OF, UNTIL)
    return made.set_index(["cohort", "period"])[["purchases", "revenue"]].sort_index()


@pytest.mark.parametrize("baseline", TABLE_BASELINES.values())
def test_every_baseline_is_exact_where_nothing_changes(baseline):
    expected, made = truth(lambda age, month: 0.01), made_by(baseline, lambda age, month: 0.01)
    if baseline is chain_ladder:  # its ages are months of unlike length
        np.testing.assert_allclose(made.sum(), expected.sum(), rtol=0.05)
    else:
        np.testing.assert_allclose(made, expected)


@pytest.mark.parametrize("baseline", TABLE_BASELINES.values())
def test_the_future_changes_nothing(baseline):
    frame = table(lambda age, month: 0.01)
    altered = frame.copy()
    later = altered["period"] > pd.Timestamp(AS_OF)
    altered.loc[later, ["purchases", "revenue", "customer_days"]] *= 5
    pd.testing.assert_frame_equal(baseline(altered, AS_OF, UNTIL), baseline(frame, AS_OF, UNTIL))


def test_same_month_last_year_knows_the_season_of_old_cohorts():
    def seasonal(age, month):
        return 0.01 * month

    made, expected = made_by(same_month_last_year, seasonal), truth(seasonal)
    old = made.index.get_level_values("cohort") < pd.Timestamp("2020-07-01")
    np.testing.assert_allclose(made[old], expected[old])
    assert not np.allclose(made[~old], expected[~old])


def test_arpu_over_churn_carries_a_steady_fall_on():
    def falling(age, month):
        return 0.05 * 0.9**age

    made = made_by(arpu_over_churn, falling)["purchases"].groupby("period").sum()
    per_day = made / [31, 31, 15]
    np.testing.assert_allclose(per_day / per_day.shift(), [np.nan, 0.9, 0.9], rtol=0.03)


def test_chain_ladder_follows_a_curve_of_age_that_averages_miss():
    def falling(age, month):
        return 0.03 / (1 + age)

    expected = truth(falling).sum()
    ladder, average = (made_by(b, falling).sum() for b in (chain_ladder, last_months_average))
    assert abs(ladder["purchases"] / expected["purchases"] - 1) < 0.1
    assert abs(average["purchases"] / expected["purchases"] - 1) > 0.15


@pytest.mark.parametrize("day", [1, 5, 15, 29])
@pytest.mark.parametrize("baseline", [chain_ladder, arpu_over_churn])
def test_a_month_under_way_is_no_whole_month(baseline, day):
    """As of any day of July the forecast of August is near that made at the end of June."""
    frame = table(lambda age, month: 0.01)
    as_of = dt.date(2021, 7, day)
    known = frame[frame["period"] <= pd.Timestamp(as_of)].copy()
    begun = known["period"] == pd.Timestamp("2021-07-01")
    known.loc[begun, ["customer_days", "purchases", "revenue"]] *= day / 31
    known = known[known["cohort"] < pd.Timestamp("2021-07-01")]
    (july, *later), (_, *expected) = (
        made.groupby("period")["purchases"].sum()
        for made in (baseline(known, as_of, UNTIL), baseline(frame, AS_OF, UNTIL))
    )
    np.testing.assert_allclose(later, expected)
    np.testing.assert_allclose(july, 0.01 * 100 * (31 - day) * 18, rtol=0.05)


def test_gradient_boosting_learns_from_earlier_origins():
    rng = np.random.default_rng(0)

    def origin():
        features = pd.DataFrame({"frequency": rng.integers(0, 10, 1000), "gap_sd": np.nan})
        bought = rng.poisson(features["frequency"] * 0.01 * 90)
        return features, pd.DataFrame({"purchases": bought, "revenue": 25.0 * bought}), 90.0

    grid = month_grid(AS_OF, dt.date(2021, 7, 31))
    now = pd.DataFrame({"frequency": [0, 3, 8], "gap_sd": [np.nan, 1.0, 2.0]})
    purchases, revenue = gradient_boosting([origin(), origin()], now, grid)
    np.testing.assert_allclose(purchases[:, 0], np.array([0, 3, 8]) * 0.31, atol=0.3)
    np.testing.assert_allclose(revenue, 25 * purchases, rtol=0.1, atol=2.0)
    with pytest.raises(DataError, match="earlier origins"):
        gradient_boosting([], now, grid)
