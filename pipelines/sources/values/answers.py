"""Yes and no, as people write them."""

from __future__ import annotations

from typing import Protocol

from ibis.expr.types import BooleanValue, Column, StringValue

GRANTS = ("true", "t", "yes", "y", "1", "granted", "grant", "opt-in", "in")
"""Texts that are a grant, case ignored; every other text is none."""


class Strips(Protocol):
    """An engine that takes white space off a text."""

    def stripped(self, text: StringValue) -> StringValue:
        """Take spaces, tabs and line breaks off both ends of a text."""


def is_granted(column: Column, engine: Strips) -> BooleanValue:
    """Return whether a value is a grant; nothing is not."""
    if column.type().is_boolean():
        return column.fill_null(False)
    if column.type().is_numeric():
        return (column == 1).fill_null(False)
    return engine.stripped(column.cast("string")).lower().isin(GRANTS).fill_null(False)
