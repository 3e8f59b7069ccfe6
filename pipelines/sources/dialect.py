"""What Ibis has no word for: functions by their names in an engine, and expressions of several.

Functions are named by expressions only, so that no text of a configuration reaches SQL unquoted.
"""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dtypes
import ibis.expr.operations as ops
from ibis.expr.types import (
    DateValue,
    NumericColumn,
    NumericValue,
    StringColumn,
    StringValue,
    Table,
    TimestampValue,
)

UTC = dtypes.Timestamp("UTC")


@ibis.udf.scalar.builtin(signature=(("string", "string"), dtypes.timestamp))
def try_strptime(text, pattern):  # type: ignore[no-untyped-def]
    """Read a time by a format; null where it does not match (DuckDB)."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), UTC))
def try_strptime_zoned(text, pattern):  # type: ignore[no-untyped-def]
    """Read a time by a format with an offset or a zone in it (DuckDB)."""


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp"), UTC))
def _in_zone(zone, timestamp):  # type: ignore[no-untyped-def]
    """Place a time that has no zone in a zone (DuckDB, PostgreSQL)."""


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", UTC), dtypes.timestamp))
def _wall_clock(zone, timestamp):  # type: ignore[no-untyped-def]
    """Show a time that has a zone as the clock of another zone (DuckDB, PostgreSQL)."""


@ibis.udf.scalar.builtin(signature=(("string", "string", "timestamp"), dtypes.timestamp))
def convert_timezone(source, target, timestamp):  # type: ignore[no-untyped-def]
    """Move a time from the clock of one zone to that of another (Spark)."""


@ibis.udf.scalar.builtin(signature=(("string", "date", "float64"), dtypes.uint64), name="hash")
def hash_of(customer_id, date, amount):  # type: ignore[no-untyped-def]
    """Hash three values (DuckDB)."""


@ibis.udf.scalar.builtin(signature=(("int32",) * 5 + ("float64",), dtypes.timestamp))
def make_timestamp_ntz(year, month, day, hour, minute, second):  # type: ignore[no-untyped-def]
    """Put a time without a zone together (Spark)."""


@ibis.udf.scalar.builtin(signature=(("string",), dtypes.string))
def md5(text):  # type: ignore[no-untyped-def]
    """Digest a text to 32 hexadecimal digits (every engine)."""


@ibis.udf.agg.builtin(signature=(("float64", "date"), dtypes.float64))
def arg_min(value, day):  # type: ignore[no-untyped-def]
    """Take the value of the earliest day (DuckDB)."""


@ibis.udf.agg.builtin(signature=(("float64", "date"), dtypes.float64))
def arg_max(value, day):  # type: ignore[no-untyped-def]
    """Take the value of the latest day (DuckDB)."""


def of_largest(label: StringColumn, amount: NumericColumn) -> StringValue:
    """Aggregate to the label of the largest amount; among equal amounts always to the same one."""
    digest = md5(label.fill_null(""))  # sorts alike whatever the engine's collation
    return label.argmax(ibis.struct({"amount": amount, "label": digest}))


def wall_clock(instant: TimestampValue, zone: str) -> TimestampValue:
    """Return the clock of a zone at an instant that knows its own zone."""
    return _wall_clock(zone, instant)


def shift(clock: TimestampValue, source: str, target: str) -> TimestampValue:
    """Move a time without a zone from the clock of one zone to that of another."""
    return _wall_clock(target, _in_zone(source, clock))


def double(value: float) -> NumericValue:
    """Return a constant in double precision (PostgreSQL takes a plain one for an exact decimal)."""
    return ibis.literal(repr(value)).cast("float64")


def constant(table: Table, name: str) -> Any:
    """Return the value that all rows of a column have by its expression; None where none is told.

    Engines evaluate a constant for every row and sum it up; who asks can leave that out.
    """
    op = table.op()
    while True:
        if isinstance(op, ops.Filter):
            op = op.parent
        elif isinstance(op, ops.Project):
            value = op.values[name]
            if isinstance(value, ops.Literal):
                return value.value
            if not isinstance(value, ops.Field):
                return None
            op, name = value.rel, value.name
        else:
            return None


def month_start(day: DateValue) -> DateValue:
    """Return the first day of the calendar month (a date on every engine)."""
    return ibis.date(day.year(), day.month(), 1)


def quarter_start(day: DateValue) -> DateValue:
    """Return the first day of the calendar quarter (a date on every engine)."""
    return ibis.date(day.year(), (day.month() - 1) // 3 * 3 + 1, 1)
