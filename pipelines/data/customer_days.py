"""The transaction log as customer-days: read once, accounted for to the last row.

One scan of the source groups the lines by customer and calendar day, those that are set aside by
customer and reason; the account is read off the result. The larger the log, the more this one
grouping costs of all: it has no key and no aggregate more than it needs.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table, Value

from clvmodels.core.errors import DataError
from clvmodels.core.rfm import DIGITS
from pipelines.config.load import Log, Source
from pipelines.data import consent, lines
from pipelines.data.features import rfm as summaries
from pipelines.data.features.sales_months import sales_months
from pipelines.data.features.snapshot import Snapshot
from pipelines.data.first_look.sales import sales_of
from pipelines.data.quality import account as quality
from pipelines.data.quality.account import DataQualityAccount
from pipelines.data.quality.plausibility import Plausibility, look
from pipelines.data.quality.set_aside import rows_and_money, with_bad_rows
from pipelines.data.sales import orders
from pipelines.data.sales.found import Sales
from pipelines.data.sales.refunds import is_purchase, with_refunds
from pipelines.sources.connect import connect
from pipelines.sources.dialect import of_largest
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe, reading

logger = logging.getLogger(__package__)


@dataclass(frozen=True)
class Dataset:
    """Customer-days in the engine and the account of the rows they came from.

    Attributes
    ----------
    purchases : ibis Table
        One row per customer and day, ``schema.PURCHASES``. ``purchase`` is 1 on a day that nets
        to more than zero or holds no refund; other days carry only a negative or zero amount.
    summary : ibis Table
        The RFM summary of all of them as of ``as_of``
        (:func:`pipelines.data.features.rfm.summary`); the purchases are grouped once.
    account : DataQualityAccount
    days : ibis Table
        Customer-days of all rows kept, and how many ``rows`` are behind each; with refunds before
        any purchase, which ``purchases`` leaves out.
    first_date, last_date : date
        Of the rows kept.
    as_of : date
        Everything up to and including it is known.
    engine : Engine
        Open while the context of :func:`load` lasts.
    lines : ibis Table
        Lines that are kept, typed: what customer-days are made of.
    dimensions : tuple of str
        Of the lines.
    sales : Sales
        How lines became sales.
    """

    purchases: Table
    summary: Table
    account: DataQualityAccount
    days: Table
    first_date: dt.date
    last_date: dt.date
    as_of: dt.date
    engine: Engine
    lines: Table
    dimensions: tuple[str, ...]
    sales: Sales

    @property
    def snapshot(self) -> Snapshot:
        """What is known at the as-of date."""
        return Snapshot(self.purchases, self.first_date, self.as_of, self.summary)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the customer-days, whatever their order; read when it is first asked for."""
        return _fingerprint(self.engine, self.purchases)

    @cached_property
    def plausibility(self) -> Plausibility:
        """What looks implausible; read when it is first asked for."""
        return look(self.engine, self.days)

    @cached_property
    def sales_months(self) -> pd.DataFrame:
        """What was sold by month and dimension; the lines are read when it is first asked for."""
        return sales_months(self.lines, self.purchases, self.dimensions)

    def described(self) -> dict[str, Any]:
        """Return the account without single rows, and the fingerprint: for saved files."""
        return {**self.account.without_rows(), "fingerprint": self.fingerprint}


@contextmanager
def load(log: Log, as_of: dt.date | None = None, *, enforce: bool = True) -> Iterator[Dataset]:
    """Read the source as customer-days.

    Parameters
    ----------
    log : Log
    as_of : date, optional
        The last day that is known; by default the last day in the data.
    enforce : bool
        Raise when the data break a limit of ``governance``; ``clv check`` asks for the
        account first and enforces afterwards.

    Yields
    ------
    Dataset
        Valid inside the ``with`` block.

    Raises
    ------
    ConfigError
        If the source is not where the configuration says.
    DataError
        If the source cannot be read, lacks a column, or no row of it can be used.
    CheckFailedError
        If a limit is broken and ``enforce`` is set.
    """
    with connect(log) as engine:
        raw, log = lines.read(engine, log)
        with reading(log.source):
            sales = sales_of(engine, raw, log)
            days = _days(engine, raw, log, as_of, sales)
            kept = days.filter(lines.kept(days))
            counts, facts = _totals(kept)
            of_kept = facts["revenue"]
        purchases, orphans = with_refunds(engine, kept, counts)
        if counts["refund_days"]:
            _, facts = _totals(purchases)
        last = as_of or facts["last_date"] or dt.date.today()
        customer_facts = engine.materialise(summaries.customer_facts(purchases, last, people="all"))
        account = _account(engine, days, of_kept, counts, orphans, facts, log.source, as_of, sales)
        account = replace(account, customers=int(customer_facts.count().execute()))
        account = with_bad_rows(account, engine, raw, log, as_of, kept, sales)
        _record(account)
        if enforce:
            account.enforce(log.governance, sales)
        first_date, last_date = _span(account)
        yield Dataset(
            purchases=purchases,
            summary=summaries.measures(customer_facts, last),
            account=account,
            days=kept,
            first_date=first_date,
            last_date=last_date,
            as_of=as_of or last_date,
            engine=engine,
            lines=_lines(raw, log, as_of, sales),
            dimensions=log.dimensions,
            sales=sales,
        )


def _lines(raw: Table, log: Log, as_of: dt.date | None, sales: Sales) -> Table:
    """Lines that are kept, those past retention and without consent too; not evaluated."""
    staged = lines.stage(raw, log, as_of, None, sales)
    return staged.filter(lines.kept(staged))


def _record(account: DataQualityAccount) -> None:
    """Counts alone: examples of rows are the console's."""
    aside = ", ".join(f"{count} {reason}" for reason, count in account.set_aside.items())
    logger.info(
        "rows read %d, kept %d (set aside: %s); customers %d, purchases %d, %s to %s",
        account.read,
        account.kept,
        aside or "none",
        account.customers,
        account.purchases,
        account.first_date,
        account.last_date,
    )


def _days(engine: Engine, raw: Table, log: Log, as_of: dt.date | None, sales: Sales) -> Table:
    """Customer-days, those past retention or without consent among what is set aside."""
    horizon = _retention_horizon(raw, log, as_of, sales)
    days = _customer_days(engine, raw, log, as_of, horizon, sales)
    if log.governance.consent == "ignore":
        return days
    return engine.materialise(consent.apply(engine, days, log, as_of))


def _retention_horizon(raw: Table, log: Log, as_of: dt.date | None, sales: Sales) -> dt.date | None:
    """Return the last day that is past retention, counted from as-of or else from the last day."""
    days = log.governance.retention_days
    if days is None:
        return None
    if as_of is None:
        staged = lines.stage(raw, log, None, None, sales)
        as_of = _as_date(staged.filter(lines.kept(staged)).date.max().execute())
    return None if as_of is None else as_of - dt.timedelta(days=days)


def _customer_days(
    engine: Engine,
    raw: Table,
    log: Log,
    as_of: dt.date | None,
    horizon: dt.date | None,
    sales: Sales,
) -> Table:
    """Materialise one row per customer-day and, of lines set aside, per customer and reason."""
    staged = lines.stage(raw, log, as_of, horizon, sales)
    several = staged.count() > 1  # one line has no order to sum in, and most days have one
    aggregates: dict[str, Any] = {
        "amount": ibis.ifelse(several, _.amount.sum().round(DIGITS), _.amount.sum()),
        "refunded": (_.amount < 0).any(),
        "rows": (_.lines.sum() if "lines" in staged.columns else _.count()).cast("int32"),
    }
    if "transaction_id" in staged.columns:
        aggregates["orders"] = orders.count(staged)
    if "copies" in staged.columns:
        aggregates["copies"] = _.copies.sum()
        if not sales.per_order:  # whose totals are counted once anyway
            aggregates["copied"] = (_.amount * ibis.greatest(_.copies, 1)).sum()
    if log.columns.refunded is not None:
        aggregates["paid_back"] = _.amount.sum(where=_.lines == 0)
    if "margin" in staged.columns:
        aggregates["margin"] = _.margin.sum().round(DIGITS)
    for name in log.dimensions:
        aggregates[name] = of_largest(staged[name], staged.amount)
    if "consent" in staged.columns:
        words = consent.words(staged.consent, staged.said_on, as_of)
        aggregates |= {name: word.max() for name, word in words.items()}
    return engine.materialise(staged.group_by("customer_id", "date").agg(**aggregates))


def _totals(table: Table) -> tuple[dict[str, int], dict[str, Any]]:
    """Count the lines behind customer-days, where they still tell, and state what all days hold.

    One scan for both. Before refunds are tied to purchases, every day without one is a purchase.
    """
    days = table.count()
    wanted: dict[str, Value] = {
        "days": days,
        "purchases": table.purchase.sum().fill_null(0) if "purchase" in table.columns else days,
        "revenue": table.amount.sum().fill_null(0.0),
        "first_date": table.date.min(),
        "last_date": table.date.max(),
    }
    if "orders" in table.columns:
        bought = table.purchase == 1 if "purchase" in table.columns else None
        wanted["orders"] = table.orders.sum(where=bought).fill_null(0)
    counts: dict[str, Value] = {}
    if "rows" in table.columns:
        copies = table.copies if "copies" in table.columns else table.rows
        counts["lines"] = table.rows.sum().fill_null(0)
        counts["copies"] = copies.sum().fill_null(0)
        counts["refunds"] = table.rows.sum(where=~is_purchase(table)).fill_null(0)
        counts["refund_days"] = (~is_purchase(table)).sum().fill_null(0)
    row = table.agg(**wanted, **counts).execute().iloc[0].to_dict()
    return {name: int(row[name]) for name in counts}, {
        "purchases": int(row["purchases"]),
        "refund_days": int(row["days"]) - int(row["purchases"]),
        "revenue": float(row["revenue"]),
        "first_date": _as_date(row["first_date"]),
        "last_date": _as_date(row["last_date"]),
        "orders": int(row["orders"]) if "orders" in row else None,
    }


def _account(
    engine: Engine,
    days: Table,
    of_kept: float,
    counts: dict[str, int],
    orphans: int,
    facts: dict[str, Any],
    source: Source,
    as_of: dt.date | None,
    sales: Sales,
) -> DataQualityAccount:
    aside, money, paid_back = rows_and_money(days, of_kept)
    of_kept, copied = (money.pop(name) or 0.0 for name in ("kept", "copied"))
    kept = counts["lines"] - orphans
    if counts["copies"] > counts["lines"]:
        aside["duplicate"] = counts["copies"] - counts["lines"]
        money["duplicate"] = copied - of_kept
    if orphans:
        aside["refund_without_purchase"] = orphans
        money["refund_without_purchase"] = of_kept + paid_back - facts["revenue"]
    total = math.fsum([copied, *(money[why] or 0.0 for why in money if why in lines.REASONS)])
    unreadable, shown = engine.rejected(source, kept + sum(aside.values()))
    if unreadable:
        aside["unreadable"] = unreadable
    cents = {why: None if some is None else round(some, 2) for why, some in money.items()}
    return DataQualityAccount(
        source=describe(source),
        read=kept + sum(aside.values()),
        kept=kept,
        set_aside={reason: aside[reason] for reason in quality.MEANING if reason in aside},
        customers=0,
        as_of=as_of or facts["last_date"],
        sales=sales.to_dict(),
        examples={"unreadable": shown} if shown else {},
        source_total=round(total, 2),
        paid_back=round(-paid_back, 2),
        money={reason: cents.get(reason) for reason in quality.MEANING if reason in aside},
        **(facts | {"revenue": round(facts["revenue"], 2)}),
    )


def _fingerprint(engine: Engine, purchases: Table) -> str:
    """Return a digest of a set of customer-days with their labels, whatever their order.

    Equal for equal data on one version of one engine, whose name it begins with.
    """
    usual = ("customer_id", "date", "amount", "purchase", "refund_of_first")
    labels = [purchases[name] for name in purchases.columns if name not in usual]
    who = ibis.literal("|").join(
        [purchases.customer_id, *(label.cast("string").fill_null("") for label in labels)]
    )
    mixed = engine.digest(
        [who if labels else purchases.customer_id, purchases.date, purchases.amount]
    )
    found = purchases.agg(days=purchases.count(), mixed=mixed.fill_null(0)).execute().iloc[0]
    content = f"{int(found['days'])} {int(found['mixed'])}"
    return f"{engine.name}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _span(account: DataQualityAccount) -> tuple[dt.date, dt.date]:
    """First and last day of what is kept; an error where no purchase is."""
    if account.first_date is None or account.last_date is None or account.purchases == 0:
        raise DataError(quality.nothing_left(account))
    return account.first_date, account.last_date


def _as_date(value: Any) -> dt.date | None:
    if value is None or value != value:
        return None
    return value.date() if isinstance(value, dt.datetime) else value
