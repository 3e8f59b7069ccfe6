"""Calendar months as forecast periods: their edges in days after an as-of date."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.core.arguments import day
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError

MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True)
class MonthGrid:
    """The calendar months that a forecast covers, the first and last possibly in part.

    Attributes
    ----------
    as_of : datetime.date
        Last day known; the first forecast day is the next one.
    periods : tuple of datetime.date, length k
        First day of each calendar month.
    edges : ndarray, shape (k,)
        Days from ``as_of`` to the last forecast day of each month (cumulative horizons).
    """

    as_of: dt.date
    periods: tuple[dt.date, ...]
    edges: Array

    @property
    def days(self) -> Array:
        """Forecast days in each month, shape (k,)."""
        return np.diff(self.edges, prepend=0.0)

    @property
    def midpoints(self) -> Array:
        """Days from ``as_of`` to the middle of each month's forecast days, shape (k,)."""
        return self.edges - self.days / 2

    @property
    def until(self) -> dt.date:
        """Last forecast day."""
        return self.as_of + dt.timedelta(days=int(self.edges[-1]))

    def whole(self) -> pd.DatetimeIndex:
        """Return the months that are forecast from their first day to their last."""
        return pd.DatetimeIndex(
            [p for p in self.periods if p > self.as_of and month_end(p) <= self.until],
            name="period",
        )

    def index(self) -> pd.DatetimeIndex:
        """The periods as a pandas index."""
        return pd.DatetimeIndex(self.periods, name="period")


def month_grid(as_of: dt.date, until: dt.date) -> MonthGrid:
    """Cut (``as_of``, ``until``] at the ends of calendar months.

    Raises
    ------
    InvalidValueError
        If ``until`` is not after ``as_of``.
    """
    as_of, until = day(as_of, "as_of"), day(until, "until")
    if until <= as_of:
        raise InvalidValueError(
            f"a forecast must end after its as-of date; as of {as_of}, it was asked until {until}"
        )
    first = as_of + dt.timedelta(days=1)
    periods, edges = [], []
    while first <= until:
        last = min(month_end(first), until)
        periods.append(first.replace(day=1))
        edges.append(float((last - as_of).days))
        first = last + dt.timedelta(days=1)
    return MonthGrid(as_of, tuple(periods), np.array(edges))


def month_end(day: dt.date) -> dt.date:
    """Last day of the calendar month that holds ``day``."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def last_month_end(day: dt.date) -> dt.date:
    """Last month end on or before a day."""
    following = day + dt.timedelta(days=1)
    return following.replace(day=1) - dt.timedelta(days=1)


def add_months(day: dt.date, months: int) -> dt.date:
    """The date ``months`` calendar months later; a month's last day stays a last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    length = calendar.monthrange(year, month + 1)[1]
    is_last = day == month_end(day)
    return dt.date(year, month + 1, length if is_last else min(day.day, length))


def quarter_start(day: dt.date) -> dt.date:
    """First day of the quarter that holds ``day``."""
    return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)


def month_number(days: object) -> Integers:
    """Calendar months of dates, as 12 x year + month - 1."""
    try:
        index = pd.DatetimeIndex(pd.to_datetime(days))  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"months must be dates; {error}") from None
    if index.hasnans:
        missing = np.count_nonzero(index.isna())
        raise InvalidValueError(f"months must be dates; {missing} of {index.size} are missing")
    return np.asarray(index.year * 12 + index.month - 1, dtype=np.int64)


def month_dates(numbers: Integers) -> pd.DatetimeIndex:
    """First days of months counted as in :func:`month_number`."""
    return pd.DatetimeIndex([dt.date(n // 12, n % 12 + 1, 1) for n in numbers.tolist()])
