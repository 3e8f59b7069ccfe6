"""The transaction log as customer-days: read once, accounted for to the last row.

One scan of the source groups the lines by customer and calendar day, those that are set aside by
customer and reason; the account is read off the result. The larger the log, the more this one
grouping costs of all: it has no key and no aggregate more than it needs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis
from ibis import BaseBackend, _
from ibis.expr.types import BooleanColumn, Table, Value

from clvmodels.core.errors import DataError
from pipelines.config.load import Config
from pipelines.data import account as quality
from pipelines.data import consent, lines
from pipelines.data.account import DataQualityAccount
from pipelines.data.features import rfm as summaries
from pipelines.data.features.snapshot import Snapshot
from pipelines.data.preview import examples
from pipelines.sources import read as sources
from pipelines.sources.dialect import fingerprint, materialise, of_largest

AMOUNT_DIGITS = 8
"""Sums of a day are rounded to this many decimals: the order of summation leaves no trace."""


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
    first_date, last_date : date
        Of the rows kept.
    as_of : date
        Everything up to and including it is known.
    connection : ibis backend
        The engine; open while the context of :func:`load` lasts.
    """

    purchases: Table
    summary: Table
    account: DataQualityAccount
    first_date: dt.date
    last_date: dt.date
    as_of: dt.date
    connection: BaseBackend

    @property
    def snapshot(self) -> Snapshot:
        """What is known at the as-of date."""
        return Snapshot(self.purchases, self.first_date, self.as_of, self.summary)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the customer-days, whatever their order; read when it is first asked for."""
        return fingerprint(self.purchases, self.connection.name)

    def described(self) -> dict[str, Any]:
        """Return the account without single rows, and the fingerprint: for saved files."""
        return {**self.account.without_rows(), "fingerprint": self.fingerprint}


@contextmanager
def load(
    config: Config, as_of: dt.date | None = None, *, enforce: bool = True
) -> Iterator[Dataset]:
    """Read the source as customer-days.

    Parameters
    ----------
    config : Config
    as_of : date, optional
        The last day that is known; by default the last day in the data.
    enforce : bool
        Raise when the data break a limit of ``config.governance``; ``clv check`` asks for the
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
    with sources.connect(config) as connection:
        raw = sources.read(connection, config)
        with sources.reading(config.source):
            horizon = _retention_horizon(connection, raw, config, as_of)
            days = _customer_days(connection, raw, config, as_of, horizon)
            if config.governance.consent != "ignore":
                days = materialise(connection, consent.apply(connection, days, config, as_of))
            known = days.filter(lines.kept(days))
            counts, facts = _totals(known)  # where Spark begins to read
        purchases, orphans = _with_refunds(connection, known, counts["refunds"])
        if counts["refunds"]:
            _, facts = _totals(purchases)
        last = as_of or facts["last_date"] or dt.date.today()
        customer_facts = materialise(
            connection, summaries.customer_facts(purchases, last, people="all")
        )
        summary = summaries.measures(customer_facts, last)
        account = _account(connection, days, counts, orphans, facts, config, as_of)
        account = replace(
            account,
            customers=int(customer_facts.count().execute()),
            examples=account.examples | examples(connection, raw, config, as_of, account.set_aside),
        )
        if enforce:
            account.enforce(config.governance)
        if account.first_date is None or account.last_date is None or account.purchases == 0:
            raise DataError(_nothing_left(account))
        yield Dataset(
            purchases=purchases,
            summary=summary,
            account=account,
            first_date=account.first_date,
            last_date=account.last_date,
            as_of=as_of or account.last_date,
            connection=connection,
        )


def _retention_horizon(
    connection: BaseBackend, raw: Table, config: Config, as_of: dt.date | None
) -> dt.date | None:
    """Return the last day that is past retention, counted from as-of or else from the last day."""
    if config.governance.retention_days is None:
        return None
    if as_of is None:
        staged = lines.stage(raw, config, None, None, connection.name)
        as_of = _as_date(staged.filter(lines.kept(staged)).date.max().execute())
    return None if as_of is None else as_of - dt.timedelta(days=config.governance.retention_days)


def _customer_days(
    connection: BaseBackend,
    raw: Table,
    config: Config,
    as_of: dt.date | None,
    horizon: dt.date | None,
) -> Table:
    """Materialise one row per customer-day and, of lines set aside, per customer and reason."""
    staged = lines.stage(raw, config, as_of, horizon, connection.name)
    several = staged.count() > 1  # one line has no order to sum in, and most days have one
    aggregates: dict[str, Any] = {
        "amount": ibis.ifelse(several, _.amount.sum().round(AMOUNT_DIGITS), _.amount.sum()),
        "refunded": (_.amount < 0).any(),
        "rows": _.count().cast("int32"),
    }
    if "copies" in staged.columns:
        aggregates["copies"] = _.copies.sum()
    if "margin" in staged.columns:
        aggregates["margin"] = _.margin.sum().round(AMOUNT_DIGITS)
    for name in lines.DIMENSIONS:
        if name in staged.columns:
            aggregates[name] = of_largest(staged[name], staged.amount)
    if "consent" in staged.columns:
        words = consent.words(staged.consent, staged.said_on, as_of)
        aggregates |= {name: word.max() for name, word in words.items()}
    return materialise(connection, staged.group_by("customer_id", "date").agg(**aggregates))


def _is_purchase(days: Table) -> BooleanColumn:
    """A day that nets to more than zero, or holds no refund."""
    return (days.amount > 0) | ~days.refunded


def _totals(table: Table) -> tuple[dict[str, int], dict[str, Any]]:
    """Count the lines behind customer-days, where they still tell, and state what all days hold.

    One scan for both. Before refunds are tied to purchases, every day without one is a purchase.
    """
    days = table.count()
    wanted: dict[str, Value] = {
        "days": days,
        "purchases": table.purchase.sum().fill_null(0) if "purchase" in table.columns else days,
        "revenue": table.amount.sum().fill_null(0.0).round(2),
        "first_date": table.date.min(),
        "last_date": table.date.max(),
    }
    counts: dict[str, Value] = {}
    if "rows" in table.columns:
        copies = table.copies if "copies" in table.columns else table.rows
        counts["lines"] = table.rows.sum().fill_null(0)
        counts["copies"] = copies.sum().fill_null(0)
        counts["refunds"] = table.rows.sum(where=~_is_purchase(table)).fill_null(0)
    row = table.agg(**wanted, **counts).execute().iloc[0].to_dict()
    return {name: int(row[name]) for name in counts}, {
        "purchases": int(row["purchases"]),
        "refund_days": int(row["days"]) - int(row["purchases"]),
        "revenue": float(row["revenue"]),
        "first_date": _as_date(row["first_date"]),
        "last_date": _as_date(row["last_date"]),
    }


def _with_refunds(connection: BaseBackend, known: Table, refund_rows: int) -> tuple[Table, int]:
    """Mark purchase days, and tie every refund day to the purchases before it.

    A refund before the second purchase can only be of the first. A refund before the first
    purchase in the log has nothing to reduce and is left out; the number of such rows is
    returned. Both look back in time only, so the table serves every earlier origin.
    """
    optional = ("individual", "margin", *lines.DIMENSIONS)
    extra = [name for name in optional if name in known.columns]
    names = ["customer_id", "date", "amount", "purchase", "refund_of_first", *extra]
    bought = known if refund_rows == 0 else known.filter(_is_purchase(known))
    bought = bought.mutate(purchase=ibis.literal(1, "int64"), refund_of_first=ibis.literal(False))
    if refund_rows == 0:
        return bought.select(names), 0
    refunds = known.filter(~_is_purchase(known))
    earlier = bought.select("customer_id", bought_on=bought.date)
    before = (
        refunds.join(earlier, "customer_id")
        .filter(_.bought_on < _.date)
        .group_by("customer_id", "date")
        .agg(purchases_before=_.count())
    )
    tied = refunds.join(before, ["customer_id", "date"]).mutate(
        purchase=ibis.literal(0, "int64"), refund_of_first=_.purchases_before == 1
    )
    tied = materialise(connection, tied.select("rows", *names))
    tied = tied.mutate(purchase=tied.purchase.cast("int64"))  # Spark types literals by size
    orphans = refund_rows - int(tied.rows.sum().fill_null(0).execute())
    return bought.select(names).union(tied.select(names)), orphans


def _account(
    connection: BaseBackend,
    days: Table,
    counts: dict[str, int],
    orphans: int,
    facts: dict[str, Any],
    config: Config,
    as_of: dt.date | None,
) -> DataQualityAccount:
    copies = days.copies if "copies" in days.columns else days.rows
    by_reason = days.filter(~lines.kept(days)).group_by("date").agg(copies=copies.sum())
    aside = {
        lines.REASONS[row.date.day]: int(row.copies) for row in by_reason.execute().itertuples()
    }
    kept = counts["lines"] - orphans
    if counts["copies"] > counts["lines"]:
        aside["duplicate"] = counts["copies"] - counts["lines"]
    if orphans:
        aside["refund_without_purchase"] = orphans
    unreadable, shown = sources.rejected(connection, config.source, kept + sum(aside.values()))
    if unreadable:
        aside["unreadable"] = unreadable
    return DataQualityAccount(
        source=sources.describe(config.source),
        read=kept + sum(aside.values()),
        kept=kept,
        set_aside={reason: aside[reason] for reason in quality.MEANING if reason in aside},
        customers=0,
        as_of=as_of or facts["last_date"],
        examples={"unreadable": shown} if shown else {},
        **facts,
    )


def _nothing_left(account: DataQualityAccount) -> str:
    if account.read == 0:
        return f"{account.source} holds no rows; expected one row a transaction"
    reasons = "; ".join(
        f"{count} x {quality.MEANING[reason]}" for reason, count in account.set_aside.items()
    )
    shown = "; ".join(example for some in account.examples.values() for example in some)
    return (
        f"no purchase is left of the {account.read} rows of {account.source}: {reasons}."
        + (f" First of them: {shown}." if shown else "")
        + " Check [columns], [calendar] and [governance] against the file."
    )


def _as_date(value: Any) -> dt.date | None:
    if value is None or value != value:
        return None
    return value.date() if isinstance(value, dt.datetime) else value
