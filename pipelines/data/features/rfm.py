"""The RFM summary: one definition for training, every origin of a backtest, and the forecast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Literal

import ibis
from ibis import _
from ibis.expr.types import DateValue, FloatingValue, Table, Value

from clvmodels.core.rfm import DIGITS
from pipelines.sources.dialect import constant, month_start
from pipelines.sources.engines.lookup import engine_of

People = Literal["individual", "aggregate", "all"]
SpendFrom = Literal["all", "repeat"]


def of_people(purchases: Table, people: People) -> Table:
    """Return the purchases of customers who may be profiled, who may not, or of all."""
    if "individual" not in purchases.columns:
        return purchases if people != "aggregate" else purchases.filter(ibis.literal(False))
    if people == "all":
        return purchases
    return purchases.filter(purchases.individual == (people == "individual"))


OWN_TEXT = ("customer_id", "tier", "rfm_segment", "digest")
"""Text that is no dimension, in tables of customers and of their days."""


def summary(purchases: Table, as_of: dt.date, people: People = "individual") -> Table:
    """Return the RFM summary of every customer who has bought by ``as_of``.

    Parameters
    ----------
    purchases : ibis Table
        Customer-days, ``schema.PURCHASES``.
    as_of : date
        The last day that is known, inclusive.
    people : {'individual', 'aggregate', 'all'}
        Customers who may be profiled one by one; those who count in totals only
        (``governance.consent = 'aggregate_only'``); or both.

    Returns
    -------
    ibis Table
        ``schema.SUMMARY`` and ``cohort`` (first day of the month of first purchase), where the
        log records margins ``margin_total`` (of all days up to ``as_of``), then the dimensions
        (channel, product_category, country) of the first purchase, where mapped.
        frequency counts repeat purchase days; recency and T are days; monetary_value is the
        value of the repeat purchases, refunds of them taken off, divided by frequency, and 0
        for customers without a repeat purchase. first_value is the value of the first.

    Notes
    -----
    Fader, Hardie and Lee (2005), "RFM and CLV", Journal of Marketing Research 42(4), section
    "Data": the first purchase is left out of frequency and of the mean value.
    """
    return measures(customer_facts(purchases, as_of, people), as_of)


def customer_facts(purchases: Table, as_of: dt.date, people: People = "individual") -> Table:
    """Group the purchases known at ``as_of`` by customer: all that :func:`summary` is made of.

    Returns
    -------
    ibis Table
        customer_id, first_purchase, last_purchase, bought (purchase days), first_amount,
        not_first (value of all days but refunds of the first), where recorded margin_total,
        dimensions.
    """
    days = of_people(purchases, people).filter(_.date <= ibis.literal(as_of))
    # A customer's first day is a purchase: refunds before it are left out of the table.
    sums: dict[str, Value] = {"bought": days.count(), "last_purchase": days.date.max()}
    sums["not_first"] = days.amount.sum()
    if "margin" in days.columns:
        sums["margin_total"] = days.margin.sum()
    if constant(purchases, "purchase") != 1:  # refunds, which cost the largest logs a tenth more
        bought = days.purchase == 1
        sums["bought"] = days.purchase.sum()
        sums["last_purchase"] = ibis.ifelse(bought, days.date, ibis.null("date")).max()
        sums["not_first"] = ibis.ifelse(days.refund_of_first, 0.0, days.amount).sum()
    return days.group_by("customer_id").agg(
        first_purchase=_.date.min(),
        first_amount=engine_of(days).earliest(days.amount, days.date),
        **sums,
        **{name: days[name].argmin(days.date) for name in dimensions(days)},
    )


def measures(facts: Table, as_of: dt.date) -> Table:
    """Return the summary that customers' facts make, row by row: evaluated where it is read."""
    repeat_value = facts.not_first - facts.first_amount
    frequency = (facts.bought - 1).cast("int64")
    return facts.select(
        "customer_id",
        frequency=frequency,
        recency=days_between(facts.first_purchase, facts.last_purchase),
        T=days_between(facts.first_purchase, ibis.literal(as_of)),
        monetary_value=ibis.ifelse(
            frequency > 0, (repeat_value / frequency.nullif(0)).round(DIGITS), 0.0
        ),
        first_purchase=facts.first_purchase,
        first_value=facts.first_amount,
        cohort=month_start(facts.first_purchase),
        **(
            {"margin_total": facts.margin_total.fill_null(0.0).round(DIGITS)}
            if "margin_total" in facts.columns
            else {}
        ),
        **{name: facts[name] for name in dimensions(facts)},
    )


def counts_at(purchases: Table, days: Iterable[dt.date]) -> Table:
    """Return what :func:`history` needs of everybody at each of several days, in one pass.

    Parameters
    ----------
    purchases : ibis Table
        Customer-days, ``schema.PURCHASES``; of all people.
    days : iterable of date
        Last days that are known, inclusive.

    Returns
    -------
    ibis Table
        customer_id, first_purchase, and for every day the purchases and the last purchase up to
        it; one row for every customer known at the latest of them.
    """
    days = sorted(set(days))
    bought = purchases.filter(_.date <= ibis.literal(days[-1]), _.purchase == 1)
    upto: dict[str, Value] = {}
    for day in days:
        seen = bought.date <= ibis.literal(day)
        upto[_bought(day)] = bought.count(where=seen)
        upto[_last(day)] = bought.date.max(where=seen)
    return bought.group_by("customer_id").agg(first_purchase=_.date.min(), **upto)


def history(counts: Table, day: dt.date, until: dt.date | None = None) -> Table:
    """Return the histories of everybody known at a day.

    Parameters
    ----------
    counts : ibis Table
        Of :func:`counts_at`.
    day : date
        One of its days.
    until : date, optional
        A later one of its days.

    Returns
    -------
    ibis Table
        customer_id, frequency, recency, T, as in :func:`summary`; with ``until`` also purchases
        in (day, until].
    """
    counts = counts.filter(counts[_bought(day)] > 0)
    bought = counts[_bought(day)]
    later = {} if until is None else {"purchases": counts[_bought(until)] - bought}
    return counts.select(
        "customer_id",
        frequency=bought - 1,
        recency=days_between(counts.first_purchase, counts[_last(day)]),
        T=days_between(counts.first_purchase, ibis.literal(day)),
        **later,
    )


def _bought(day: dt.date) -> str:
    return f"bought_{day:%Y%m%d}"


def _last(day: dt.date) -> str:
    return f"last_{day:%Y%m%d}"


def spend_evidence(table: Any, spend_from: SpendFrom) -> tuple[Any, Any]:
    """Return the number of purchases and their mean value that a spend model reads.

    Parameters
    ----------
    table : ibis Table or DataFrame
        frequency, monetary_value, first_value.
    spend_from : {'all', 'repeat'}
        With the first purchase, or without it as in Fader and Hardie (2013), note 025.
    """
    if spend_from == "repeat":
        return table["frequency"], table["monetary_value"]
    count = table["frequency"] + 1
    total = table["monetary_value"] * table["frequency"] + table["first_value"]
    return count, (total / count).round(DIGITS)


def dimensions(table: Table) -> list[str]:
    """Return the dimensions that a table of customers or their days holds: what is text in it."""
    names = table.schema().items()
    return [name for name, kind in names if kind.is_string() and name not in OWN_TEXT]


def days_between(start: DateValue, end: DateValue) -> FloatingValue:
    """Return the days from one day to another."""
    return end.delta(start, unit="day").cast("float64")
