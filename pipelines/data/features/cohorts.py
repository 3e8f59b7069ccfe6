"""The cohorts' history, and what became of them after a day, by calendar month."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, Self

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import DateColumn, Table

from clvmodels.core.errors import InvalidValueError
from clvmodels.core.months import month_dates
from clvmodels.core.rfm import DIGITS
from pipelines.data.features.outcomes import (
    between,
    first_purchases,
    repeat_margin,
    repeat_revenue,
)
from pipelines.data.features.snapshot import Snapshot
from pipelines.sources.dialect import month_start, quarter_start

Cohort = Literal["month", "quarter"]


@dataclass(frozen=True)
class CohortHistory:
    """The cohorts' months as known at a day: all that a cohort forecast learns from.

    Attributes
    ----------
    months : DataFrame
        Of :func:`cohort_months`, schema.COHORT_MONTHS.
    first_date, as_of : date
        First day of the log, and last day known.
    daily : DataFrame, optional
        Of :func:`daily_purchases`: how purchases are spread over a month.
    """

    months: pd.DataFrame
    first_date: dt.date
    as_of: dt.date
    daily: pd.DataFrame | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Read it from the engine."""
        return cls(
            cohort_months(snapshot),
            snapshot.first_date,
            snapshot.as_of,
            daily_purchases(snapshot.purchases),
        )


def cohort_actuals(
    purchases: Table, origin: dt.date, until: dt.date, cohort: Cohort = "quarter"
) -> pd.DataFrame:
    """Return what customers known at the origin bought after it, by cohort and calendar month.

    Returns
    -------
    DataFrame
        cohort, period, customers (of the cohort known at the origin), purchases, revenue (as in
        :func:`pipelines.data.features.outcomes.customer_months`), sorted; every cohort known at
        the origin has a row in every month that (origin, until] touches, zero where nothing
        happened. Of a log that records margins also margin, and without_margin: the revenue of
        purchases that record none.
    """
    customers = first_purchases(purchases, origin)
    later = between(purchases, origin, until).join(customers, "customer_id")
    margins = {}
    if "margin" in later.columns:
        margins["margin"], margins["without_margin"] = repeat_margin(later)
    cells = (
        later.group_by(
            cohort=_truncate(later.first_purchase, cohort), period=month_start(later.date)
        )
        .agg(purchases=_.purchase.sum(), revenue=repeat_revenue(later), **margins)
        .execute()
    )
    cohorts = _truncate(customers.first_purchase, cohort)
    sizes = customers.group_by(cohort=cohorts).agg(customers=_.count())
    months = pd.DataFrame({"period": _months(origin + dt.timedelta(days=1), until)})
    grid = sizes.execute().sort_values("cohort").merge(months, how="cross")
    grid = grid[["cohort", "period", "customers"]]
    kinds = {"purchases": "int64", "revenue": "float64"} | dict.fromkeys(margins, "float64")
    return _fill(grid, cells, kinds)


def cohort_months(snapshot: Snapshot, cohort: Cohort = "month") -> pd.DataFrame:
    """Return purchases, revenue and exposure of every cohort in every month of its life.

    Parameters
    ----------
    snapshot : Snapshot
        A month that its as-of date cuts is counted up to it.
    cohort : {'month', 'quarter'}

    Returns
    -------
    DataFrame
        ``schema.COHORT_MONTHS``, sorted, with the margins that the log records. Cells without a
        purchase are present. customer_days is exact: for every customer, the days of the period
        after the day of first purchase. Refunds of a first purchase reduce first_revenue in the
        month of the refund, all other refunds reduce revenue.
    """
    first = snapshot.summary.select(
        "customer_id",
        "first_purchase",
        cohort=_truncate(snapshot.summary.first_purchase, cohort),
    )
    rows = snapshot.purchases.join(first, "customer_id")
    is_first = (rows.date == rows.first_purchase) & (rows.purchase == 1)
    of_first = is_first | rows.refund_of_first
    margins = {}
    if "margin" in rows.columns:
        margins = {
            "margin": rows.margin.sum(where=~of_first).round(DIGITS),
            "first_margin": rows.margin.sum(where=of_first).round(DIGITS),
        }
    cells = (
        rows.group_by("cohort", period=month_start(rows.date))
        .agg(
            **margins,
            purchases=rows.purchase.sum(where=~is_first),
            revenue=rows.amount.sum(where=~of_first).round(DIGITS),
            first_purchases=rows.purchase.sum(where=is_first),
            first_revenue=rows.amount.sum(where=of_first).round(DIGITS),
        )
        .execute()
    )
    starts = first.group_by("first_purchase").agg(customers=_.count()).execute()
    grid = _exposure(starts, snapshot.as_of, cohort)
    kinds = {"purchases": "int64", "revenue": "float64"}
    kinds |= {"first_purchases": "int64", "first_revenue": "float64"}
    kinds |= dict.fromkeys(margins, "float64")
    return _fill(grid, cells, kinds)


def daily_purchases(purchases: Table) -> pd.DataFrame:
    """Count the purchases of all customers together on every day that has one.

    Returns
    -------
    DataFrame
        date, purchases; sorted.
    """
    table = purchases.group_by("date").agg(purchases=_.purchase.sum()).order_by("date").execute()
    return table.assign(date=pd.to_datetime(table["date"]).astype("datetime64[s]"))


def cohort_buyers(snapshot: Snapshot) -> pd.DataFrame:
    """Count the customers behind the cells of :func:`cohort_months`.

    Returns
    -------
    DataFrame
        cohort, period, buyers: customers with a repeat purchase or a refund of one; cells without
        any are left out.
    """
    first = snapshot.summary.select("customer_id", "first_purchase")
    rows = snapshot.purchases.join(first, "customer_id")
    is_first = (rows.date == rows.first_purchase) & (rows.purchase == 1)
    later = rows.filter(~(is_first | rows.refund_of_first))
    table = (
        later.group_by(cohort=month_start(later.first_purchase), period=month_start(later.date))
        .agg(buyers=_.customer_id.nunique())
        .execute()
    )
    for key in ("cohort", "period"):
        table[key] = pd.to_datetime(table[key]).astype("datetime64[s]")
    return table


def cycle_buyers(snapshot: Snapshot, months: int) -> pd.DataFrame:
    """Count who bought in a calendar cycle of so many months, and who of them did in the next.

    Parameters
    ----------
    snapshot : Snapshot
    months : int
        1, 3 or 12; cycles begin in January.

    Returns
    -------
    DataFrame
        period (first day of the cycle), buyers, kept (buyers who bought in the next cycle too);
        sorted; cycles without a buyer are left out. The last may have only begun.
    """
    bought = snapshot.purchases.filter(_.purchase == 1)
    number = (bought.date.year() * 12 + bought.date.month() - 1).cast("int64") // months
    cycles = bought.select("customer_id", cycle=number.cast("int64")).distinct()
    after = cycles.cycle.lead().over(group_by=cycles.customer_id, order_by=cycles.cycle)
    table = (
        cycles.mutate(kept=ibis.ifelse(after == cycles.cycle + 1, 1, 0))
        .group_by("cycle")
        .agg(buyers=_.count(), kept=_.kept.sum())
        .order_by("cycle")
        .execute()
    )
    periods = month_dates(table["cycle"].to_numpy("int64") * months).astype("datetime64[s]")
    counts = table[["buyers", "kept"]].astype("int64")
    return pd.concat([pd.Series(periods, name="period"), counts], axis=1)


def _exposure(starts: pd.DataFrame, until: dt.date, cohort: Cohort) -> pd.DataFrame:
    """Count customers and customer-days of every cohort and month from first-purchase days."""
    days = pd.to_datetime(starts["first_purchase"]).to_numpy("datetime64[D]")
    counts = starts["customers"].to_numpy("int64")
    if len(days) == 0:
        raise InvalidValueError(f"no customer has bought by {until}; choose a later day")
    unit = "M" if cohort == "month" else "Q"
    cohorts = pd.PeriodIndex(days, freq=unit).start_time.to_numpy("datetime64[D]")
    months = _months(days.min().item(), until).to_numpy("datetime64[D]")
    ends = (months.astype("datetime64[M]") + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    ends = np.minimum(ends, np.datetime64(until))
    # (first-purchase days, months): the days of the month after the first purchase
    from_day = np.maximum(days[:, None] + np.timedelta64(1, "D"), months[None, :])
    exposed = np.maximum((ends[None, :] - from_day).astype("int64") + 1, 0) * counts[:, None]
    arrived = (days[:, None] <= ends[None, :]) * counts[:, None]
    labels, place = np.unique(cohorts, return_inverse=True)
    shape = (len(labels), len(months))
    customer_days, customers = np.zeros(shape, "int64"), np.zeros(shape, "int64")
    np.add.at(customer_days, place, exposed)
    np.add.at(customers, place, arrived)
    row, column = np.nonzero(customers)
    return pd.DataFrame(
        {
            "cohort": labels[row].astype("datetime64[s]"),
            "period": months[column].astype("datetime64[s]"),
            "customers": customers[row, column],
            "customer_days": customer_days[row, column],
        }
    )


def _truncate(day: DateColumn, cohort: Cohort) -> DateColumn:
    return month_start(day) if cohort == "month" else quarter_start(day)


def _months(start: dt.date, until: dt.date) -> pd.DatetimeIndex:
    return pd.date_range(start.replace(day=1), until, freq="MS", unit="s")


def _fill(grid: pd.DataFrame, cells: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    """Place cells in the grid, zeros where there are none, days as ``datetime64[s]``."""
    keys = ["cohort", "period"]
    for frame in (grid, cells):
        for key in keys:
            frame[key] = pd.to_datetime(frame[key]).astype("datetime64[s]")
    full = grid.merge(cells, on=keys, how="left", validate="one_to_one")
    full[list(kinds)] = full[list(kinds)].fillna(0)
    return full.astype(kinds).sort_values(keys, ignore_index=True)
