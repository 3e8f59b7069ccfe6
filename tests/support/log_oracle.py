"""The data plane, slowly: plain Python over plain rows, one customer at a time.

Written from the definitions of docs/data.md, not from the code it checks.
"""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass


@dataclass
class Day:
    """One customer's calendar day."""

    date: dt.date
    amount: float
    purchase: bool
    refund_of_first: bool = False


def customer_days(
    rows: list[tuple[str, dt.date, float]], refunds: str = "net"
) -> dict[str, list[Day]]:
    """Return each customer's days, oldest first, from (customer_id, date, amount) rows."""
    by_customer: dict[str, dict[dt.date, list[float]]] = defaultdict(lambda: defaultdict(list))
    for customer, date, amount in rows:
        if refunds == "drop" and amount < 0:
            continue
        by_customer[customer][date].append(amount)
    out: dict[str, list[Day]] = {}
    for customer, dates in by_customer.items():
        days: list[Day] = []
        for date in sorted(dates):
            net = round(math.fsum(dates[date]), 8)
            bought_before = sum(day.purchase for day in days)
            has_refund = any(amount < 0 for amount in dates[date])
            if net > 0 or not has_refund:
                days.append(Day(date, net, True))
            elif bought_before > 0:
                days.append(Day(date, net, False, refund_of_first=bought_before == 1))
        if days:
            out[customer] = days
    return out


def known_days(days: dict[str, list[Day]], as_of: dt.date) -> dict[str, list[Day]]:
    """Return the days up to and including ``as_of``, of customers who have any."""
    known = {
        customer: [day for day in some if day.date <= as_of] for customer, some in days.items()
    }
    return {customer: some for customer, some in known.items() if some}


def summary(days: dict[str, list[Day]], as_of: dt.date) -> dict[str, dict[str, object]]:
    """Return frequency, recency, T, monetary_value and first_purchase of each customer."""
    out: dict[str, dict[str, object]] = {}
    for customer, some in known_days(days, as_of).items():
        bought = [day for day in some if day.purchase]
        frequency = len(bought) - 1
        value = math.fsum(day.amount for day in bought[1:])
        value += math.fsum(d.amount for d in some if not d.purchase and not d.refund_of_first)
        out[customer] = {
            "frequency": frequency,
            "recency": float((bought[-1].date - bought[0].date).days),
            "T": float((as_of - bought[0].date).days),
            "monetary_value": value / frequency if frequency else 0.0,
            "first_purchase": bought[0].date,
        }
    return out


def first_of_month(date: dt.date) -> dt.date:
    return date.replace(day=1)


def first_of_quarter(date: dt.date) -> dt.date:
    return date.replace(month=(date.month - 1) // 3 * 3 + 1, day=1)


def cohort_months(
    days: dict[str, list[Day]], until: dt.date, start=first_of_month
) -> dict[tuple[dt.date, dt.date], dict[str, float]]:
    """Return the cells of every cohort and month, one customer and one day at a time."""
    cells: dict[tuple[dt.date, dt.date], dict[str, float]] = {}
    for some in known_days(days, until).values():
        first = next(day.date for day in some if day.purchase)
        period = first_of_month(first)
        while period <= until:
            cell = cells.setdefault((start(first), period), defaultdict(float))
            last = period.replace(day=calendar.monthrange(period.year, period.month)[1])
            end = min(last, until)
            cell["customers"] += 1
            cell["customer_days"] += (end - max(first, period - dt.timedelta(days=1))).days
            inside = [day for day in some if period <= day.date <= end]
            cell["buyers"] += any(
                not (day.refund_of_first or (day.purchase and day.date == first)) for day in inside
            )
            for day in inside:
                is_first = day.purchase and day.date == first
                if is_first or day.refund_of_first:
                    cell["first_revenue"] += day.amount
                else:
                    cell["revenue"] += day.amount
                cell["first_purchases"] += is_first
                cell["purchases"] += day.purchase and not is_first
            period = end + dt.timedelta(days=1) if end == last else until + dt.timedelta(days=1)
    # the cells of a quarter start with its first customer: fill earlier months of the cohort
    return cells


def after(
    days: dict[str, list[Day]], origin: dt.date, until: dt.date
) -> dict[tuple[str, dt.date], list[float]]:
    """Return repeat purchases and their revenue of known customers in (origin, until], by month."""
    known = known_days(days, origin)
    out: dict[tuple[str, dt.date], list[float]] = {}
    for customer, some in days.items():
        if customer not in known:
            continue
        for day in some:
            if origin < day.date <= until:
                cell = out.setdefault((customer, first_of_month(day.date)), [0, 0.0])
                cell[0] += day.purchase
                cell[1] += 0.0 if day.refund_of_first else day.amount
    return out


def churn_row(some: list[Day], origin: dt.date) -> dict[str, float | None]:
    """Return the features of one customer whose days are all up to the origin."""
    bought = [day for day in some if day.purchase]
    gaps = [(b.date - a.date).days for a, b in itertools.pairwise(bought)]
    since = (origin - bought[-1].date).days
    total = math.fsum(day.amount for day in some)
    row: dict[str, float | None] = {
        "frequency": len(bought) - 1,
        "recency": (bought[-1].date - bought[0].date).days,
        "T": (origin - bought[0].date).days,
        "time_since_last": since,
        "spend_total": total,
        "spend_mean": total / len(bought),
        "spend_first": bought[0].amount,
        "spend_last": bought[-1].amount,
        "spend_largest": max(day.amount for day in bought),
        "refund_days": len(some) - len(bought),
        "gap_mean": statistics.fmean(gaps) if gaps else None,
        "gap_sd": statistics.stdev(gaps) if len(gaps) > 1 else None,
        "gap_last": gaps[-1] if gaps else None,
        "gap_ratio": since / statistics.fmean(gaps) if gaps else None,
        "first_purchase_month": bought[0].date.month,
        "origin_month_sin": math.sin(2 * math.pi * (origin.month - 1) / 12),
        "origin_month_cos": math.cos(2 * math.pi * (origin.month - 1) / 12),
    }

    def recent(length: int, before: int = 0) -> tuple[int, float]:
        window = [d for d in some if before <= (origin - d.date).days < before + length]
        return sum(d.purchase for d in window), math.fsum(d.amount for d in window)

    for length in (30, 90, 180, 365):
        row[f"purchases_{length}"], row[f"spend_{length}"] = recent(length)
    last, earlier = recent(90), recent(90, before=90)
    row["trend_purchases"], row["trend_spend"] = last[0] - earlier[0], last[1] - earlier[1]
    return row


def bridge(
    rows: list[tuple[str | None, str | None, str | None]],
    as_of: dt.date,
    *,
    refunds: str,
    zero_value: str,
    duplicates: str,
    retention_days: int | None,
) -> dict[str, tuple[int, int | None]]:
    """Return rows and cents of the source, by reason in which they are set aside, and of revenue.

    Rows are texts. Each is looked at alone, in its order; what is left is netted by customer.
    """
    out: dict[str, list[int | None]] = {}

    def add(reason: str, cents: int | None) -> None:
        count, money = out.get(reason, [0, 0])
        out[reason] = [count + 1, None if cents is None or money is None else money + cents]

    kept: list[tuple[str, dt.date, int]] = []
    seen: set[tuple[str | None, str | None, str | None]] = set()
    for row in rows:
        who, day, value = row
        cents = None if value in (None, "ten") else round(float(value) * 100)
        if cents is not None:
            add("source", cents)
        date = None if day in (None, "soon") else dt.date.fromisoformat(day)
        reason = "duplicate" if duplicates == "drop" and row in seen else None
        if zero_value == "drop" and cents == 0:
            reason = "zero_value"
        if refunds == "drop" and cents is not None and cents < 0:
            reason = "refund"
        if date is not None and retention_days and (as_of - date).days >= retention_days:
            reason = "past_retention"
        if date is not None and date > as_of:
            reason = "after_as_of"
        if cents is None:
            reason = "bad_amount"
        if date is None:
            reason = "bad_date"
        if who is None:
            reason = "no_id"
        seen.add(row)
        if reason is None:
            kept.append((who, date, cents))
        else:
            add(reason, cents)
    by_day: dict[tuple[str, dt.date], list[int]] = defaultdict(list)
    for who, date, cents in kept:
        by_day[who, date].append(cents)
    bought: set[str] = set()
    for (who, _date), amounts in sorted(by_day.items(), key=lambda item: item[0][1]):
        is_purchase = sum(amounts) > 0 or min(amounts) >= 0
        if is_purchase:
            bought.add(who)
        for cents in amounts:
            add("revenue" if who in bought else "refund_without_purchase", cents)
    return {why: (count, money) for why, (count, money) in out.items()}
