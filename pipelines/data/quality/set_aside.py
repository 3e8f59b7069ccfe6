"""What was set aside, in rows and in money, read off the customer-days."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import ibis
from ibis import _
from ibis.expr.types import Table

from pipelines.config.load import Log
from pipelines.data import lines
from pipelines.data.first_look.hints import hints
from pipelines.data.quality import unread
from pipelines.data.quality.account import DataQualityAccount
from pipelines.data.quality.preview import examples
from pipelines.data.sales.found import Sales
from pipelines.sources.engines.base import Engine

UNREADABLE = ("bad_amount", "no_rate")
"""Reasons for which an amount is not known in the report's currency."""
_KEPT = dt.date(1, 2, 1)
"""The day that stands for all that are kept; those of lines set aside lie in the month before."""


def rows_and_money(days: Table) -> tuple[dict[str, int], dict[str, float | None], float]:
    """Return the rows set aside by reason, and the money of each and of the rows ``kept``.

    Parameters
    ----------
    days : ibis Table
        Customer-days, and of lines set aside customers and reasons (``lines.STAND_IN``).

    Returns
    -------
    rows : dict of str to int
        By reason, without those kept.
    money : dict of str to float or None
        By reason and of those ``kept``, in currency; None where it cannot be read: bad amounts, and
        those that are not finite. ``copied`` is what the rows kept hold with the copies of them
        that are dropped.
    paid_back : float
        Of the rows kept by ``columns.refunded``, negative; in none of the others.
    """
    paid = days.paid_back.fill_null(0.0) if "paid_back" in days.columns else ibis.literal(0.0)
    copied = days.copied if "copied" in days.columns else days.amount
    summed = days.mutate(
        reason=ibis.ifelse(lines.kept(days), ibis.literal(_KEPT), days.date),
        counted=days.copies if "copies" in days.columns else days.rows,
        own=days.amount - paid,
        own_copied=copied - paid,
        paid=paid,
    )
    sums = summed.group_by("reason").agg(
        copies=_.counted.sum(),
        amount=_.own.sum(),
        copied=_.own_copied.sum(),
        paid_back=_.paid.sum(),
    )
    rows: dict[str, int] = {}
    money: dict[str, float | None] = {"kept": 0.0, "copied": 0.0}
    paid_back = 0.0
    for row in sums.execute().itertuples():
        day = row.reason.date() if isinstance(row.reason, dt.datetime) else row.reason
        if day == _KEPT:
            money |= {"kept": float(row.amount), "copied": float(row.copied)}
            paid_back = float(row.paid_back)
        elif row.copies:  # what was paid back is no row of its own
            reason = lines.REASONS[day.day]
            rows[reason] = int(row.copies)
            unknown = reason in UNREADABLE or row.copied is None or not math.isfinite(row.copied)
            money[reason] = None if unknown else float(row.copied)
    return rows, money, paid_back


def with_bad_rows(
    account: DataQualityAccount,
    engine: Engine,
    raw: Table,
    log: Log,
    as_of: dt.date | None,
    days: Table,
    sales: Sales,
) -> DataQualityAccount:
    """Add the first rows set aside, and what those that cannot be read may hold.

    The log is read again, where there are any.

    Parameters
    ----------
    days : ibis Table
        Customer-days of the rows kept.
    """
    shown = examples(engine, raw, log, as_of, account.set_aside, sales)
    return replace(
        account,
        examples=account.examples | shown,
        hints=hints(raw, log, account.set_aside),
        unread=unread.look(engine, raw, log, as_of, days, account.set_aside, sales),
    )
