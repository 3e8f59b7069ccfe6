"""The cohort-month table as arrays: checked cells of the past, and the cells to be forecast."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.month_shares import MonthShares
from clvmodels.core.arguments import LARGEST, day, numbers
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import DataError, InvalidValueError
from clvmodels.core.months import month_dates, month_end, month_grid, month_number
from clvmodels.core.schema import COHORT_MONTHS

Months = Integers

MEAN_AGE_IN_FIRST_MONTH = 1.0 / 3.0
"""Months since first purchase of an average customer-day in the month of first purchase."""


@dataclass(frozen=True)
class Cells:
    """Cohort-months in vectors of one length.

    Attributes
    ----------
    cohort, period : ndarray of int
        Calendar months, counted as 12 x year + month - 1.
    exposure : ndarray
        Customer-days.
    """

    cohort: Months
    period: Months
    exposure: Array

    @property
    def age(self) -> Array:
        """Months since first purchase, on average."""
        months = (self.period - self.cohort).astype(np.float64)
        return np.asarray(np.maximum(months, MEAN_AGE_IN_FIRST_MONTH))

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.cohort.size


@dataclass(frozen=True)
class CohortTable:
    """The known cohort-months, checked.

    Attributes
    ----------
    cells : Cells
        Those with exposure.
    purchases, revenue : ndarray
        Repeat purchases and their value net of refunds, by cell.
    months : ndarray of int
        Every calendar month of the log, in order.
    month_days : ndarray
        Days of each month that are observed, those of a part of a month by its share.
    first_purchases, first_revenue, total_purchases, total_revenue : ndarray
        By month, all cohorts together; totals are of first and repeat purchases.
    cohorts : ndarray of int
    customers : ndarray
        Customers of each cohort known at the as-of date.
    as_of : datetime.date
    shares : MonthShares
        Of a month's purchases by day.
    """

    cells: Cells
    purchases: Array
    revenue: Array
    months: Months
    month_days: Array
    first_purchases: Array
    first_revenue: Array
    total_purchases: Array
    total_revenue: Array
    cohorts: Months
    customers: Array
    as_of: dt.date
    shares: MonthShares

    @property
    def begun(self) -> float:
        """Share of the last month's purchases that is usually seen by the as-of date; 1: whole."""
        return _seen(self.as_of, self.shares)

    @property
    def whole_months(self) -> Months:
        """The months but for one that has only begun (all there is of a shorter log)."""
        return self.months[:-1] if self.begun < 1.0 and self.months.size > 1 else self.months


def read_cohort_months(
    table: pd.DataFrame,
    as_of: dt.date,
    log_start: dt.date | None = None,
    shares: MonthShares | None = None,
) -> CohortTable:
    """Read and check a table of :data:`clvmodels.core.schema.COHORT_MONTHS`.

    Rows after ``as_of`` are left out. The last month may be known in part.

    Parameters
    ----------
    table : DataFrame
    as_of : date
        Last day known.
    log_start : date, optional
        First day of the log, where that is not the first day of its month.
    shares : MonthShares, optional
        By which the days of a month that is known in part count; alike without.

    Raises
    ------
    MissingColumnError, DataError, InvalidValueError
        If a column is missing, no row is left, a cohort-month appears twice, a period comes
        before its cohort, or a number is negative or missing.
    """
    COHORT_MONTHS.require([str(name) for name in table.columns])
    as_of = day(as_of, "as_of")
    log_start = None if log_start is None else day(log_start, "log_start")
    last = as_of.year * 12 + as_of.month - 1
    table, cohort, period = _up_to(table, last, as_of)
    columns = _numbers(table)
    _require_cells(cohort, period)
    months = np.arange(period.min(), last + 1)
    _require_days(columns, period, months, as_of, log_start)
    exposed = columns["customer_days"] > 0
    shares = shares or MonthShares.even()
    counted = _counted(months, as_of, log_start, shares)
    alike = _month_days(months, as_of, log_start)
    exposure = columns["customer_days"] * (counted / alike)[period - months[0]]
    first, first_revenue, repeat, revenue = (
        np.bincount(period - months[0], columns[name], months.size).astype(np.float64)
        for name in ("first_purchases", "first_revenue", "purchases", "revenue")
    )
    cohorts, customers = _sizes(cohort, columns["customers"])
    return CohortTable(
        Cells(cohort[exposed], period[exposed], exposure[exposed]),
        columns["purchases"][exposed],
        columns["revenue"][exposed],
        months,
        counted,
        first,
        first_revenue,
        first + repeat,
        first_revenue + revenue,
        cohorts,
        customers,
        as_of,
        shares,
    )


def _require_cells(cohort: Months, period: Months) -> None:
    if np.any(period < cohort):
        raise InvalidValueError("cohort months: a period comes before its cohort's first purchase")
    if np.unique(cohort * 100_000 + period).size != cohort.size:
        raise InvalidValueError("cohort months: a cohort-month appears twice; sum the rows first")


def _sizes(cohort: Months, customers: Array) -> tuple[Months, Array]:
    """Cohorts, and how many customers each had at the last."""
    cohorts = np.unique(cohort)
    sizes = np.zeros(cohorts.size)
    np.maximum.at(sizes, np.searchsorted(cohorts, cohort), customers)
    return cohorts, sizes


def _up_to(table: pd.DataFrame, last: int, as_of: dt.date) -> tuple[pd.DataFrame, Months, Months]:
    """Rows up to a month, in the order of period and cohort, with these as numbers."""
    if table[["cohort", "period"]].isna().any(axis=None):
        raise InvalidValueError("cohort months: every row needs a cohort and a period")
    cohort, period = month_number(table["cohort"]), month_number(table["period"])
    early = period <= last
    if not early.any():
        raise DataError(
            f"expected cohort-months up to {as_of}; found {len(table)} rows, none of them so early"
        )
    order = np.flatnonzero(early)[np.lexsort((cohort[early], period[early]))]
    return table.iloc[order], cohort[order], period[order]


def _numbers(table: pd.DataFrame) -> dict[str, Array]:
    """Columns of numbers, each within its range."""
    columns = {
        name: numbers(table[name], f"cohort months: {name}")
        for name in COHORT_MONTHS.required
        if name not in COHORT_MONTHS.key
    }
    for name, values in columns.items():
        if not np.all(np.abs(values) <= LARGEST) or (values.min() < 0 and "revenue" not in name):
            raise InvalidValueError(
                f"cohort months: {name} must be finite and not negative, {LARGEST:g} at most; "
                f"found values from {values.min():g} to {values.max():g}"
            )
    return columns


def _require_days(
    columns: dict[str, Array],
    period: Months,
    months: Months,
    as_of: dt.date,
    log_start: dt.date | None,
) -> None:
    """Check that customers have no more days than their months hold, and none before the log."""
    whole = _month_days(months, as_of, None)[period - months[0]]
    beyond = columns["customer_days"] > columns["customers"] * whole * (1 + 1e-9)
    if beyond.any():
        raise InvalidValueError(
            f"cohort months: {int(beyond.sum())} rows have more customer_days than their customers "
            f"can have had up to {as_of}; count them up to that day"
        )
    begin = month_dates(months)[0].date()
    if log_start is not None and log_start > month_end(begin):
        raise InvalidValueError(
            f"cohort months: they begin in {begin:%Y-%m}, before log_start, {log_start}"
        )


def future_cells(
    cohorts: Months,
    customers: Array,
    as_of: dt.date,
    until: dt.date,
    shares: MonthShares | None = None,
) -> Cells:
    """Cells of the known customers in each calendar month of (``as_of``, ``until``]."""
    grid = month_grid(as_of, until)
    period = month_number(grid.periods)
    days = (shares or MonthShares.even()).days(grid)
    return Cells(
        np.tile(cohorts, period.size),
        np.repeat(period, cohorts.size),
        (days[:, None] * customers[None, :]).ravel(),
    )


def _seen(as_of: dt.date, shares: MonthShares) -> float:
    return 1.0 if as_of == month_end(as_of) else shares.share(as_of.replace(day=1), as_of)


def _counted(
    months: Months, as_of: dt.date, log_start: dt.date | None, shares: MonthShares
) -> Array:
    """Days of each month by what they usually hold: a part of a month by its share."""
    days = _month_days(months, as_of, log_start)
    begin = month_dates(months[:1])[0].date()
    for at, first, last in (
        (0, max(log_start or begin, begin), min(month_end(begin), as_of)),
        (-1, max(log_start or begin, as_of.replace(day=1)), as_of),
    ):
        length = month_end(first).day
        if (last - first).days + 1 < length:
            days[at] = shares.share(first, last) * length
    return days


def _month_days(months: Months, as_of: dt.date, log_start: dt.date | None) -> Array:
    first = [dt.date(n // 12, n % 12 + 1, 1) for n in months.tolist()]
    if log_start is not None:
        first[0] = max(first[0], log_start)
    last = [min(month_end(day), as_of) for day in first]
    return np.array([(b - a).days + 1.0 for a, b in zip(first, last, strict=True)])
