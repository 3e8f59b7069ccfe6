"""The columns of a source as a bounded look at its first rows shows them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import ibis
from ibis import _
from ibis.expr.types import Table

from pipelines.data.sales.selection import word
from pipelines.draft import values
from pipelines.draft.names import plain

LOOKED_AT = 20_000
"""Rows whose values are looked at; statuses are counted over all."""

Kind = Literal["text", "number", "date", "other"]


@dataclass(frozen=True)
class Field:
    """A column.

    Attributes
    ----------
    name : str
        As the source has it.
    cells : tuple
        Of the rows looked at, as text; None where there is none.
    kind : {'text', 'number', 'date', 'other'}
        As the source keeps it; files keep all as text.
    """

    name: str
    cells: tuple[str | None, ...]
    kind: Kind = "text"

    @cached_property
    def words(self) -> str:
        """The name in small letters, words parted by ``_``."""
        return plain(self.name)

    @cached_property
    def filled(self) -> list[str]:
        """Values that there are."""
        return [cell for cell in self.cells if cell is not None]

    @property
    def share(self) -> float:
        """Share of the rows that have a value."""
        return len(self.filled) / len(self.cells) if self.cells else 0.0

    @cached_property
    def distinct(self) -> int:
        """Number of different values."""
        return len(set(self.filled))

    @property
    def unique(self) -> float:
        """Different values of those that there are, as a share."""
        return self.distinct / len(self.filled) if self.filled else 0.0

    @cached_property
    def numbers(self) -> values.Numbers:
        """What the values are as numbers."""
        return values.numbers(self.filled) if self.kind in ("text", "number") else values.NO_NUMBERS

    @cached_property
    def dates(self) -> values.Dates | None:
        """What the values are as days; None where they are none."""
        if self.kind == "date":
            return values.Dates()
        return values.dates(self.filled) if self.kind in ("text", "number") else None


def fields(raw: Table) -> list[Field]:
    """Look at the first rows of a table."""
    sample = raw.limit(LOOKED_AT).to_pyarrow()
    return [
        Field(name, tuple(map(_text, sample[name].to_pylist())), _kind(raw, name))
        for name in raw.columns
    ]


def _kind(raw: Table, name: str) -> Kind:
    kind = raw[name].type()
    if kind.is_string():
        return "text"
    if kind.is_numeric():
        return "number"
    return "date" if kind.is_date() or kind.is_timestamp() else "other"


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return f"{value:.1f}"
    return str(value).strip() or None


def counts(raw: Table, names: Iterable[str], most: int) -> dict[str, dict[str, int]]:
    """Count all rows by what each column says; columns with more than ``most`` values are none."""
    told = {}
    for name in names:
        table = raw.select(value=word(raw[name])).group_by("value").agg(rows=_.count())
        frame = table.order_by(ibis.desc("rows"), "value").limit(most + 1).execute()
        if 1 < len(frame) <= most:
            told[name] = {str(row.value): int(row.rows) for row in frame.itertuples(index=False)}
    return told


def without_id(who: Field, value: Field) -> float:
    """Return the share of the rows with a value that name no customer."""
    ids = [one for one, amount in zip(who.cells, value.cells, strict=True) if amount is not None]
    return ids.count(None) / len(ids) if ids else 0.0


def by_order(orders: Field, amounts: Field) -> Literal["lines", "every", "first"] | None:
    """Say how amounts of the lines of one order stand to each other.

    Returns
    -------
    {'lines', 'every', 'first'} or None
        Each line has its own, all lines carry one, one line has it; None: orders have one line.
    """
    groups: dict[str, list[str | None]] = {}
    for order, amount in zip(orders.cells, amounts.cells, strict=True):
        if order is not None:
            groups.setdefault(order, []).append(amount)
    several = [found for found in groups.values() if len(found) > 1]
    if len(several) < LEAST_SEVERAL:
        return None
    forms = Counter(
        "first"
        if sum(one is not None for one in found) == 1
        else ("every" if None not in found and len(set(found)) == 1 else "lines")
        for found in several
    )
    form, count = forms.most_common(1)[0]
    if form == "lines" or count < USUAL * len(several):
        return "lines"
    return "first" if form == "first" else "every"


LEAST_SEVERAL = 3
USUAL = 0.9
