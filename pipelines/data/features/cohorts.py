"""From customer-days to what the models read: one definition of every summary and actual.

Every function takes the purchases of :class:`pipelines.data.customer_days.Dataset` and a day, looks
at nothing after that day, and is evaluated in the engine; the same table serves training, every
origin of a backtest and the forecast.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import DateColumn, NumericValue, StringValue, Table

from clvmodels.core.arguments import column_names
from clvmodels.core.errors import InvalidValueError
from pipelines.data.features.churn import churn_features, with_gaps
from pipelines.data.features.rfm import (
    VALUE_DIGITS,
    SpendFrom,
    counts_at,
    history,
    spend_evidence,
    summary,
)
from pipelines.sources.dialect import md5, month_start, quarter_start

__all__ = [
    "VALUE_DIGITS",
    "churn_features",
    "cohort_actuals",
    "cohort_buyers",
    "cohort_months",
    "compress",
    "compress_spend",
    "counts_at",
    "customer_months",
    "customer_outcomes",
    "customer_totals",
    "digest",
    "history",
    "sample_customers",
    "summary",
    "with_gaps",
]

Cohort = Literal["month", "quarter"]

SPEND_CUSTOMERS = 1_000_000
"""Mean values of so many customers are kept apart to the last digit."""

PARTS_OF_VALUE = 1000
"""Beyond, those share a row whose logarithms share a part of 1 / 1000. The log-likelihood errs by a
term of second order in that: about p / 24,000,000 a purchase, p the Gamma-Gamma shape."""


def compress(table: Table, by: Sequence[str] = ()) -> pd.DataFrame:
    """Group a summary to its distinct (frequency, recency, T), in the engine.

    Parameters
    ----------
    table : ibis Table
        Of :func:`summary` or :func:`history`.
    by : sequence of str
        Further columns to tell customers apart by.

    Returns
    -------
    DataFrame
        ``schema.COMPRESSED_SUMMARY``, sorted; ``weight`` counts the customers that share a row.
    """
    return _sorted_frame(table, ["frequency", "recency", "T", *column_names(by, "by")])


def compress_spend(table: Table, spend_from: SpendFrom = "repeat") -> pd.DataFrame:
    """Group a summary to its distinct numbers of purchases and mean values.

    Customers without such a purchase, or whose purchases net to nothing, say nothing about the
    mean value of a purchase and are left out (Gamma-Gamma is defined on positive values).

    Parameters
    ----------
    table : ibis Table
        Of :func:`summary`.
    spend_from : {'repeat', 'all'}
        Whether the first purchase counts.

    Returns
    -------
    DataFrame
        frequency, monetary_value, weight, sorted. Of more than :data:`SPEND_CUSTOMERS` customers,
        those with as many purchases and nearly the same mean value share a row and their mean.
    """
    count, mean = spend_evidence(table, spend_from)
    known = table.select(frequency=count, monetary_value=mean)
    known = known.filter((known.frequency > 0) & (known.monetary_value > 0))
    if int(known.count().execute()) <= SPEND_CUSTOMERS:
        return _sorted_frame(known, ["frequency", "monetary_value"])
    parts = known.mutate(part=(known.monetary_value.ln() * PARTS_OF_VALUE).floor())
    grouped = parts.group_by("frequency", "part").agg(
        monetary_value=_.monetary_value.mean().round(VALUE_DIGITS),
        weight=_.count().cast("float64"),
    )
    keys = ["frequency", "monetary_value"]
    return grouped.drop("part").execute().sort_values(keys, ignore_index=True)


def sample_customers(table: Table, share: float) -> Table:
    """Keep about a share of the customers: the same ones on every engine, in every run.

    Parameters
    ----------
    table : ibis Table
        With a column customer_id; all rows of a customer are kept, or none. A column ``digest``
        (:func:`digest`) saves computing it.
    share : float
        In (0, 1]; 1 keeps everyone.
    """
    if not 0 < share <= 1:
        raise InvalidValueError(f"share must be in (0, 1]; found {share}")
    if share == 1:
        return table
    drawn = table.digest if "digest" in table.columns else digest(table.customer_id)
    return table.filter(drawn < f"{int(share * 16**8):08x}")


def digest(customer_id: StringValue) -> StringValue:
    """Return eight hexadecimal digits that spread customers evenly, alike on every engine."""
    return md5(customer_id).substr(0, 8)


def customer_months(purchases: Table, origin: dt.date, until: dt.date) -> Table:
    """Return what customers known at the origin bought after it, by calendar month.

    Returns
    -------
    ibis Table
        customer_id, period (first day of the month), purchases, revenue (net of refunds, but for
        those of first purchases, as in :func:`cohort_months`); rows exist only where something
        happened in (origin, until].
    """
    known = _first_purchases(purchases, origin)
    later = _between(purchases, origin, until).join(known, "customer_id")
    return later.group_by("customer_id", period=month_start(later.date)).agg(
        purchases=_.purchase.sum(), revenue=_repeat_revenue(later)
    )


def customer_totals(purchases: Table, origin: dt.date, until: dt.date) -> Table:
    """Return customer_id, purchases and revenue over all of (origin, until].

    As :func:`customer_months`: rows exist only where something happened.
    """
    months = customer_months(purchases, origin, until)
    return months.group_by("customer_id").agg(
        purchases=_.purchases.sum(), revenue=_.revenue.sum().round(VALUE_DIGITS)
    )


def customer_outcomes(purchases: Table, after: dt.date, until: dt.date) -> Table:
    """Return customer_id, purchases and revenue in (after, until], of new customers as well."""
    later = _between(purchases, after, until)
    return later.group_by("customer_id").agg(
        purchases=_.purchase.sum(), revenue=_repeat_revenue(later)
    )


def cohort_actuals(
    purchases: Table, origin: dt.date, until: dt.date, cohort: Cohort = "quarter"
) -> pd.DataFrame:
    """Return what customers known at the origin bought after it, by cohort and calendar month.

    Returns
    -------
    DataFrame
        cohort, period, customers (of the cohort known at the origin), purchases, revenue (as in
        :func:`customer_months`), sorted; every cohort known at the origin has a row in every month
        that (origin, until] touches, zero where nothing happened.
    """
    known = _first_purchases(purchases, origin)
    later = _between(purchases, origin, until).join(known, "customer_id")
    cells = (
        later.group_by(
            cohort=_truncate(later.first_purchase, cohort), period=month_start(later.date)
        )
        .agg(purchases=_.purchase.sum(), revenue=_repeat_revenue(later))
        .execute()
    )
    sizes = known.group_by(cohort=_truncate(known.first_purchase, cohort)).agg(customers=_.count())
    months = pd.DataFrame({"period": _months(origin + dt.timedelta(days=1), until)})
    grid = sizes.execute().sort_values("cohort").merge(months, how="cross")
    grid = grid[["cohort", "period", "customers"]]
    return _fill(grid, cells, {"purchases": "int64", "revenue": "float64"})


def cohort_months(
    purchases: Table, until: dt.date, cohort: Cohort = "month", summary: Table | None = None
) -> pd.DataFrame:
    """Return purchases, revenue and exposure of every cohort in every month of its life.

    Parameters
    ----------
    purchases : ibis Table
    until : date
        The last day that is known, inclusive; a month that it cuts is counted up to it.
    cohort : {'month', 'quarter'}
    summary : ibis Table, optional
        The summary of everybody at ``until`` where it is at hand: first purchases are read off
        it.

    Returns
    -------
    DataFrame
        ``schema.COHORT_MONTHS``, sorted, with the margins that the log records. Cells without a
        purchase are present. customer_days is exact: for every customer, the days of the period
        after the day of first purchase. Refunds of a first purchase reduce first_revenue in the
        month of the refund, all other refunds reduce revenue.
    """
    known = purchases.filter(purchases.date <= ibis.literal(until))
    first = _first_purchases(purchases, until) if summary is None else summary
    first = first.select(
        "customer_id", "first_purchase", cohort=_truncate(first.first_purchase, cohort)
    )
    rows = known.join(first, "customer_id")
    is_first = (rows.date == rows.first_purchase) & (rows.purchase == 1)
    of_first = is_first | rows.refund_of_first
    margins = {}
    if "margin" in rows.columns:
        margins = {
            "margin": rows.margin.sum(where=~of_first).round(VALUE_DIGITS),
            "first_margin": rows.margin.sum(where=of_first).round(VALUE_DIGITS),
        }
    cells = (
        rows.group_by("cohort", period=month_start(rows.date))
        .agg(
            **margins,
            purchases=rows.purchase.sum(where=~is_first),
            revenue=rows.amount.sum(where=~of_first).round(VALUE_DIGITS),
            first_purchases=rows.purchase.sum(where=is_first),
            first_revenue=rows.amount.sum(where=of_first).round(VALUE_DIGITS),
        )
        .execute()
    )
    starts = first.group_by("first_purchase").agg(customers=_.count()).execute()
    grid = _exposure(starts, until, cohort)
    kinds = {"purchases": "int64", "revenue": "float64"}
    kinds |= {"first_purchases": "int64", "first_revenue": "float64"}
    kinds |= dict.fromkeys(margins, "float64")
    return _fill(grid, cells, kinds)


def cohort_buyers(purchases: Table, until: dt.date, summary: Table) -> pd.DataFrame:
    """Count the customers behind the cells of :func:`cohort_months`.

    Returns
    -------
    DataFrame
        cohort, period, buyers: customers with a repeat purchase or a refund of one; cells without
        any are left out.
    """
    known = purchases.filter(purchases.date <= ibis.literal(until))
    first = summary.select("customer_id", "first_purchase")
    rows = known.join(first, "customer_id")
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


def _first_purchases(purchases: Table, until: dt.date) -> Table:
    """Return customer_id and first_purchase of everyone who has bought by a day."""
    known = purchases.filter(purchases.date <= ibis.literal(until), purchases.purchase == 1)
    return known.group_by("customer_id").agg(first_purchase=_.date.min())


def _between(purchases: Table, after: dt.date, until: dt.date) -> Table:
    return purchases.filter(
        purchases.date > ibis.literal(after), purchases.date <= ibis.literal(until)
    )


def _repeat_revenue(later: Table) -> NumericValue:
    """Sum what repeat purchases brought, net of their refunds.

    A first purchase that is sent back after an origin takes back what was known there.
    """
    ours = later.amount.sum(where=~later.refund_of_first)
    return ours.fill_null(0.0).round(VALUE_DIGITS)


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


def _sorted_frame(table: Table, keys: list[str]) -> pd.DataFrame:
    grouped = table.group_by(keys).agg(weight=_.count()).execute()
    grouped["weight"] = grouped["weight"].astype("float64")
    return grouped.sort_values(keys, ignore_index=True)
