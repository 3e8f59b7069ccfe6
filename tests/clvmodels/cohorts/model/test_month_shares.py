"""What share of a month its days hold, and what a month that has only begun tells of others."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import kinds
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.model.month_shares import MonthShares
from clvmodels.core.errors import InvalidValueError, MissingColumnError
from clvmodels.core.months import month_end, month_grid

AS_OF = dt.date(2021, 12, 31)


def daily(weight, months=24, a_day=200.0, seed=0):
    days = pd.date_range("2020-01-01", periods=months * 31, freq="D")
    days = days[days <= pd.Timestamp("2020-01-01") + pd.DateOffset(months=months, days=-1)]
    mean = a_day * np.array([weight(day) for day in days])
    return pd.DataFrame({"date": days, "purchases": np.random.default_rng(seed).poisson(mean)})


def test_weekdays_are_learned():
    learned = MonthShares.learn(daily(lambda day: 0.2 if day.weekday() == 6 else 1.0), AS_OF)
    # February 2021 starts on a Monday: six working days and a Sunday hold a fourth of it.
    assert learned.share(dt.date(2021, 2, 1), dt.date(2021, 2, 6)) == pytest.approx(
        6 / (4 * 6.2), rel=0.02
    )
    assert learned.months == 24


def test_the_weeks_before_christmas_are_learned_in_part():
    def rush(day):
        return 3.0 if day.month == 12 and day.day <= 8 else 1.0

    learned = MonthShares.learn(daily(rush), AS_OF)
    first = learned.share(dt.date(2022, 12, 1), dt.date(2022, 12, 8))
    assert 8 / 31 < 0.36 < first < 24 / 47
    assert learned.share(dt.date(2022, 11, 1), dt.date(2022, 11, 8)) == pytest.approx(
        8 / 30, abs=0.03
    )


def test_even_days_have_next_to_no_error_and_uneven_ones_have():
    rng = np.random.default_rng(1)
    even = MonthShares.learn(daily(lambda day: 1.0), AS_OF)
    uneven = MonthShares.learn(daily(lambda day: rng.lognormal(0, 0.8)), AS_OF)
    assert even.error < 0.1 < uneven.error


def test_a_log_without_a_whole_month_counts_days_alike():
    some = daily(lambda day: 1.0).iloc[3:20]
    assert MonthShares.learn(some, dt.date(2020, 1, 20)).months == 0
    assert MonthShares.learn(None, AS_OF).share(dt.date(2021, 2, 1), dt.date(2021, 2, 7)) == (
        pytest.approx(0.25)
    )


def test_later_days_are_not_read():
    table = daily(lambda day: 1.0)
    later = table.assign(purchases=table["purchases"].where(table["date"] < "2021-06-01", 9_999))
    as_of = dt.date(2021, 5, 31)
    assert_close(MonthShares.learn(later, as_of).day, MonthShares.learn(table, as_of).day)


@given(st.integers(2019, 2024), st.integers(1, 12), st.integers(1, 27), st.integers(0, 2**31 - 1))
def test_shares_of_a_month_add_up_to_one_and_rise(year, month, day, seed):
    rng = np.random.default_rng(seed)
    shares = MonthShares(rng.normal(size=7), rng.normal(size=31), rng.normal(size=(12, 4)))
    first, cut = dt.date(year, month, 1), dt.date(year, month, day)
    end = month_end(first)
    begun, left = shares.share(first, cut), shares.share(cut + dt.timedelta(days=1), end)
    assert begun + left == pytest.approx(1.0)
    assert 0 < begun < shares.share(first, cut + dt.timedelta(days=1)) <= 1 + 1e-12
    grid = month_grid(cut, end)
    assert_close(shares.days(grid), np.array([left * end.day]))
    whole = month_grid(first - dt.timedelta(days=1), end)
    assert_close(shares.days(whole), whole.days)


@pytest.mark.parametrize(
    ("table", "error", "said"),
    [
        (pd.DataFrame({"date": ["2020-01-01"]}), MissingColumnError, "purchases"),
        (
            pd.DataFrame({"date": ["2020-01-01"] * 2, "purchases": [1, 2]}),
            InvalidValueError,
            "one row a day",
        ),
        (
            pd.DataFrame({"date": ["2020-01-01"], "purchases": [-1]}),
            InvalidValueError,
            "none negative",
        ),
    ],
)
def test_daily_tables_that_cannot_be_used_are_refused(table, error, said):
    with pytest.raises(error, match=said):
        MonthShares.learn(table, AS_OF)


def test_the_state_is_kept():
    made = MonthShares.learn(daily(lambda day: 1 + day.weekday()), AS_OF)
    assert_close(MonthShares.from_dict(made.to_dict()), made)
    with pytest.raises(InvalidValueError, match="log effects"):
        MonthShares.from_dict(made.to_dict() | {"weekday": [0.0]})


def fitted(log, as_of):
    totals = log.days.groupby("date").size().rename("purchases").reset_index()
    return CohortForecaster(draws=2).fit(
        log.cohort_months(as_of), as_of, log_start=log.first, daily_purchases=totals
    )


@pytest.mark.parametrize("kind", [kinds.steady, kinds.seasonal])
@pytest.mark.parametrize("days", [1, 5])
def test_a_month_barely_begun_hardly_moves_the_year_ahead(kind, days):
    log = kinds.simulated(kind, seed=2)
    end = log.origins(3)[-1]
    until = dt.date(end.year + 1, end.month, 28)
    later = pd.Timestamp(end) + pd.DateOffset(months=1)
    totals = []
    for as_of in (end, end + dt.timedelta(days=days)):
        cells = fitted(log, as_of).forecast(until)
        whole = (cells["period"] > later) & (cells["cohort"] <= pd.Timestamp(end))
        totals.append(cells.loc[whole, "purchases"].sum())
    assert totals[1] == pytest.approx(totals[0], rel=0.03)


def test_a_day_loaded_in_part_does_not_take_a_year_down():
    log = kinds.simulated(kinds.steady, seed=2)
    end = log.origins(3)[-1]
    until = dt.date(end.year + 1, end.month, 28)
    day = pd.Timestamp(end) + pd.Timedelta(days=1)
    some = (log.days["date"] != day) | (np.arange(len(log.days)) % 7 == 0)
    partly = kinds.KindOfLog(log.name, log.days[some], log.first, log.last)
    before, after = (
        fitted(partly, as_of).forecast(until, level="total")["purchases"].iloc[0]
        for as_of in (end, day.date())
    )
    assert after == pytest.approx(before, rel=0.03)
