"""What customers did after a day: the actuals that forecasts and labels are held against."""

from __future__ import annotations

import datetime as dt

import ibis
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
    without = later.amount.sum(where=ours & later.margin.isnull())
    return recorded.fill_null(0.0).round(DIGITS), without.fill_null(0.0).round(DIGITS)
