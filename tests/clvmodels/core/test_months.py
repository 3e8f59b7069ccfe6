"""Calendar months as forecast periods."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.errors import InvalidValueError
from clvmodels.core.months import add_months, last_month_end, month_end, month_grid, quarter_start

days = st.dates(dt.date(1996, 1, 1), dt.date(2032, 12, 31))


@given(days, st.integers(1, 800))
def test_every_forecast_day_falls_in_its_month_once(as_of: dt.date, length: int) -> None:
    grid = month_grid(as_of, as_of + dt.timedelta(days=length))
    slow: dict[dt.date, int] = {}
    for offset in range(1, length + 1):
        day = as_of + dt.timedelta(days=offset)
        slow[day.replace(day=1)] = slow.get(day.replace(day=1), 0) + 1
    assert dict(zip(grid.periods, grid.days, strict=True)) == slow
    assert grid.until == as_of + dt.timedelta(days=length)
    assert np.all((grid.edges - grid.days < grid.midpoints) & (grid.midpoints < grid.edges))


@given(days)
def test_the_last_month_end_is_the_latest_that_has_come(day: dt.date) -> None:
    slow = next(
        earlier
        for earlier in (day - dt.timedelta(days=back) for back in range(32))
        if earlier == month_end(earlier)
    )
    assert last_month_end(day) == slow


@given(days, st.integers(-40, 40))
def test_months_later_keeps_the_end_of_the_month(day: dt.date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    if (day + dt.timedelta(days=1)).day == 1:
        assert (later + dt.timedelta(days=1)).day == 1


def test_known_dates() -> None:
    assert add_months(dt.date(1998, 6, 30), 12) == dt.date(1999, 6, 30)
    assert add_months(dt.date(2011, 1, 31), 1) == dt.date(2011, 2, 28)
    assert quarter_start(dt.date(2011, 6, 30)) == dt.date(2011, 4, 1)
    with pytest.raises(InvalidValueError, match="must end after"):
        month_grid(dt.date(2011, 1, 31), dt.date(2011, 1, 31))
