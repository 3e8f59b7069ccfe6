"""What was set aside, in rows and in money, read off the customer-days."""

from __future__ import annotations

import datetime as dt
import math

import ibis
from ibis.expr.types import Table

from pipelines.data import lines

_KEPT = dt.date(1, 2, 1)
"""The day that stands for all that are kept; those of lines set aside lie in the month before."""


def rows_and_money(days: Table) -> tuple[dict[str, int], dict[str, float | None]]:
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
    """
    several = "copies" in days.columns
    sums = days.group_by(reason=ibis.ifelse(lines.kept(days), ibis.literal(_KEPT), days.date)).agg(
        copies=(days.copies if several else days.rows).sum(),
        amount=days.amount.sum(),
        copied=(days.copied if several else days.amount).sum(),
    )
    rows: dict[str, int] = {}
    money: dict[str, float | None] = {"kept": 0.0, "copied": 0.0}
    for row in sums.execute().itertuples():
        day = row.reason.date() if isinstance(row.reason, dt.datetime) else row.reason
        if day == _KEPT:
            money |= {"kept": float(row.amount), "copied": float(row.copied)}
            continue
        reason = lines.REASONS[day.day]
        rows[reason] = int(row.copies)
        readable = reason != "bad_amount" and row.copied is not None and math.isfinite(row.copied)
        money[reason] = float(row.copied) if readable else None
    return rows, money
