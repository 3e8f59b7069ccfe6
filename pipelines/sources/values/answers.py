"""Yes and no, as people write them."""

from __future__ import annotations

from ibis.expr.types import BooleanValue, Column

from pipelines.sources.values.days import Strips

GRANTS = ("true", "t", "yes", "y", "1", "granted", "grant", "opt-in", "in")
"""Texts that are a grant, case ignored; every other text is none."""


def is_granted(column: Column, engine: Strips) -> BooleanValue:
    """Return whether a value is a grant; nothing is not."""
    if column.type().is_boolean():
        return column.fill_null(False)
    if column.type().is_numeric():
        return (column == 1).fill_null(False)
    return engine.stripped(column.cast("string")).lower().isin(GRANTS).fill_null(False)
