"""The few functions that Ibis has no name for, and how each engine spells them."""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dtypes

UTC = dtypes.Timestamp("UTC")


@ibis.udf.scalar.builtin(signature=(("string", "string"), dtypes.timestamp))
def try_strptime(text, pattern):  # type: ignore[no-untyped-def]
    """Read a time by a format; null where it does not match (DuckDB)."""


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp"), UTC))
def in_zone(zone, timestamp):  # type: ignore[no-untyped-def]
    """Place a time that has no zone in a zone."""


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", UTC), dtypes.timestamp))
def local_time(zone, timestamp):  # type: ignore[no-untyped-def]
    """Show a time that has a zone as the clock of another zone."""
