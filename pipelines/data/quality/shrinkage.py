"""A source that holds far less than the model in use learned from: a file cut off, a lost shop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ibis.expr.types import Table

from pipelines.config.load import Calendar, Columns, Governance
from pipelines.config.sections import Section
from pipelines.data.quality.account import DataQualityAccount


def shrunk(
    account: DataQualityAccount,
    purchases: Table,
    then: Mapping[str, Any],
    same_rules: bool,
    governance: Governance,
) -> list[str]:
    """Return one sentence for rows and for customers, where there are far fewer than there were.

    Like is compared with like. Rows are all that were read, whatever became of them. Customers are
    those known on the day of the model: on a later day the same are in the log still, but for
    retention, under which as long a time is compared. On an earlier day they are not compared, nor
    are rows of a log that itself ends there.

    Parameters
    ----------
    account : DataQualityAccount
        Of this run.
    purchases : ibis Table
        Customer-days, ``schema.PURCHASES``.
    then : mapping
        The account of the model, as its manifest holds it.
    same_rules : bool
        Whether the log is read by the same rules (:func:`read_alike`).
    governance : Governance
        ``max_shrink_share``.
    """
    day, as_of = _day(then.get("as_of")), account.as_of
    if day is None or as_of is None:
        return []
    earlier = as_of < day
    found = []
    if not earlier or "after_as_of" in account.set_aside:
        found.append(("rows", "read", account.read, then.get("read")))
    if not earlier and same_rules:
        known = purchases.filter(purchases.date <= day)
        if governance.retention_days is not None:
            known = purchases
        customers = int(known.customer_id.nunique().execute())
        found.append(("customers", f"known up to {day}", customers, then.get("customers")))
    limit = governance.max_shrink_share
    return [
        f"{now:,} {what} {which}, where there were {before:,} when the model in use was trained: "
        f"{1 - now / before:.0%} fewer, limit {limit:.0%} (governance.max_shrink_share)"
        for what, which, now, before in found
        if isinstance(before, int) and before > 0 and now < before * (1 - limit)
    ]


def read_alike(now: Mapping[str, Section], then: Mapping[str, Any]) -> bool:
    """Whether two configurations read a log by the same rules, limits aside.

    Parameters
    ----------
    now : mapping of str to Section
        The sections of today that say what a customer and a row kept is, by name.
    then : mapping
        The configuration of the model, as its manifest holds it; keys that it lacks, of an earlier
        release, had the default.
    """
    for name, section in now.items():
        before = then.get(name) or {}
        for key, value in section.model_dump(mode="json").items():
            default = type(section).model_fields[key].get_default()
            if not key.startswith("max_") and before.get(key, default) != value:
                return False
    return True


def rules(columns: Columns, calendar: Calendar, governance: Governance) -> dict[str, Section]:
    """Return the sections that :func:`read_alike` compares."""
    return {"columns": columns, "calendar": calendar, "governance": governance}


def _day(text: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError:
        return None
