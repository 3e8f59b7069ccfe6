"""What customers did after a day: the actuals that forecasts and labels are held against."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import NumericValue, Table

from clvmodels.core.rfm import DIGITS
from pipelines.sources.dialect import month_start


def customer_months(purchases: Table, origin: dt.date, until: dt.date) -> Table:
    """Return what customers known at the origin bought after it, by calendar month.

    Returns
    -------
    ibis Table
        customer_id, period (first day of the month), purchases, revenue (net of refunds, but for
        those of first purchases, as in ``cohort_months``); rows exist only where something
        happened in (origin, until].
    """
    customers = first_purchases(purchases, origin)
    later = between(purchases, origin, until).join(customers, "customer_id")
    return later.group_by("customer_id", period=month_start(later.date)).agg(
        purchases=_.purchase.sum(), revenue=repeat_revenue(later)
    )


def customer_totals(purchases: Table, origin: dt.date, until: dt.date) -> Table:
    """Return customer_id, purchases and revenue over all of (origin, until].

    As :func:`customer_months`: rows exist only where something happened.
    """
    months = customer_months(purchases, origin, until)
    return months.group_by("customer_id").agg(
        purchases=_.purchases.sum(), revenue=_.revenue.sum().round(DIGITS)
    )


def customer_outcomes(purchases: Table, after: dt.date, until: dt.date) -> Table:
    """Return customer_id, purchases and revenue in (after, until], of new customers as well."""
    later = between(purchases, after, until)
    return later.group_by("customer_id").agg(
        purchases=_.purchase.sum(), revenue=repeat_revenue(later)
    )


def segment_actuals(
    purchases: Table, known: Table, dimensions: Sequence[str], origin: dt.date, until: dt.date
) -> pd.DataFrame:
    """Return what customers known at the origin bought after it, by segment and calendar month.

    Parameters
    ----------
    purchases : ibis Table
        ``schema.PURCHASES``.
    known : ibis Table
        customer_id and the dimensions of everybody known at the origin.
    dimensions : sequence of str

    Returns
    -------
    DataFrame
        dimension, value, period, customers (of the segment, known at the origin), purchases,
        revenue (as in :func:`customer_months`); sorted, zeros where nothing happened.
    """
    # The days' own values of a dimension are those of later purchases: the customer's count.
    days = between(purchases, origin, until).drop(*dimensions)
    later = days.join(known.select("customer_id", *dimensions), "customer_id")
    start = (origin + dt.timedelta(days=1)).replace(day=1)
    months = pd.DataFrame({"period": pd.date_range(start, until, freq="MS", unit="s")})
    keys, parts = ["value", "period"], []
    for name in dimensions:
        sizes = known.group_by(value=known[name]).agg(customers=_.count()).execute()
        cells = (
            later.group_by(value=later[name], period=month_start(later.date))
            .agg(purchases=_.purchase.sum(), revenue=repeat_revenue(later))
            .execute()
        )
        cells["period"] = pd.to_datetime(cells["period"]).astype("datetime64[s]")
        grid = sizes.merge(months, how="cross").merge(cells, on=keys, how="left", validate="1:1")
        parts.append(grid.fillna({"purchases": 0.0, "revenue": 0.0}).assign(dimension=name))
    table = pd.concat(parts).sort_values(["dimension", *keys], ignore_index=True)
    return table[["dimension", *keys, "customers", "purchases", "revenue"]]


def first_purchases(purchases: Table, until: dt.date) -> Table:
    """Return customer_id and first_purchase of everyone who has bought by a day."""
    bought = purchases.filter(purchases.date <= ibis.literal(until), purchases.purchase == 1)
    return bought.group_by("customer_id").agg(first_purchase=_.date.min())


def between(purchases: Table, after: dt.date, until: dt.date) -> Table:
    """Return the customer-days in (after, until]."""
    return purchases.filter(
        purchases.date > ibis.literal(after), purchases.date <= ibis.literal(until)
    )


def repeat_revenue(later: Table) -> NumericValue:
    """Sum what repeat purchases brought, net of their refunds.

    A first purchase that is sent back after an origin takes back what was known there.
    """
    ours = later.amount.sum(where=~later.refund_of_first)
    return ours.fill_null(0.0).round(DIGITS)


def repeat_margin(later: Table) -> tuple[NumericValue, NumericValue]:
    """Sum the margins recorded of repeat purchases, and the revenue of those that record none."""
    ours = ~later.refund_of_first
    recorded = later.margin.sum(where=ours)
    without = later.amount.sum(where=ours & later.margin.isnull())  # noqa: PD003 (an ibis column)
    return recorded.fill_null(0.0).round(DIGITS), without.fill_null(0.0).round(DIGITS)
