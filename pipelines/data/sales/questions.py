"""Columns that are not mapped and look as if they said something of what a sale is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ibis import _
from ibis.expr.types import Column, Table

from pipelines.data.sales.selection import NOTHING, word

ORDER = re.compile(
    r"(order|transaction|invoice|receipt|sales?order|basket|bill)[ _-]?(id|no|nr|num|number|name)"
    r"|order|invoice|transaction",
    re.IGNORECASE,
)
CURRENCY = re.compile(
    r"(.*[ _-])?currency([ _-](code|iso))?|iso[ _-]?currency|waehrung|währung|devise", re.IGNORECASE
)
STATUS = re.compile(
    r"(.*[ _-])?(status|state)|(is[ _-]?)?(test|live[ _-]?mode|sandbox|cancell?ed|void(ed)?"
    r"|paid|captured)|(transaction|payment|order|entry)[ _-]?type|type|kind|test[ _-]?order",
    re.IGNORECASE,
)
PLACES = re.compile(r"(ship|bill|address|customer|delivery|region|billing|shipping)", re.IGNORECASE)
"""A state that is a part of a country."""

MOST = 12
"""Values that a status has at most."""

SALE = re.compile(
    r"paid|complete[d]?|processing|shipped|fulfilled|delivered|succeeded|success|captured|closed"
    r"|partially[ _]refunded|sale|order|charge|payment|done|ok|true|yes|live",
    re.IGNORECASE,
)


def named(raw: Table, pattern: re.Pattern[str], mapped: Iterable[str]) -> list[str]:
    """Return the columns that are not mapped and bear such a name."""
    taken = set(mapped)
    return [name for name in raw.columns if name not in taken and pattern.fullmatch(name.strip())]


def of_statuses(raw: Table, amount: Column, mapped: Iterable[str]) -> list[str]:
    """Ask of every column that looks like a status, test flag or payment state.

    Parameters
    ----------
    raw : ibis Table
    amount : ibis column
        Of its lines.
    mapped : iterable of str
        Columns that the configuration names.
    """
    names = [
        name
        for name in named(raw, STATUS, mapped)
        if not PLACES.search(name) and not raw[name].type().is_floating()
    ]
    return [said for name in names if (said := _of_status(raw, name, amount)) is not None]


def _of_status(raw: Table, name: str, amount: Column) -> str | None:
    told = raw.select(value=word(raw[name]), amount=amount)
    sums = told.group_by("value").agg(rows=_.count(), amount=_.amount.sum().fill_null(0.0))
    frame = sums.limit(MOST + 1).execute()
    if not 1 < len(frame) <= MOST:
        return None
    frame = frame.sort_values(["rows", "value"], ascending=[False, True])
    values = "; ".join(
        f"{row.value or NOTHING} {row.rows:,} rows, {row.amount:,.2f}" for row in frame.itertuples()
    )
    sales = [value for value in frame["value"] if value and SALE.fullmatch(value)]
    example = ", ".join(f'"{value}"' for value in sales[:3]) or '"..."'
    return (
        f"column '{name}' looks like a status, and all of its values count as sales ({values}). "
        f'Where some are none, name those that are: [governance.keep] "{name}" = [{example}]; '
        f"where all are, list them all"
    )
