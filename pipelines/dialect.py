"""What Ibis has no portable word for: reading text safely, and keeping a result in the engine.

A text that is no number or no date gives null on every engine; none of them raises. Functions
are named by expressions only, so that no text of a configuration reaches SQL unquoted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ibis
import ibis.expr.datatypes as dtypes
import ibis.expr.operations as ops
from ibis import BaseBackend
from ibis.expr.types import (
    BooleanValue,
    Column,
    DateValue,
    IntegerValue,
    NumericValue,
    StringValue,
    Table,
    TimestampValue,
)

from clvmodels.exceptions import ConfigError

UTC = dtypes.Timestamp("UTC")
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"
COMMA_NUMBER = (
    r"^[+-]?([0-9]+,?[0-9]*|[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]{1,2})?$"
)
"""With a decimal comma; dots stand between thousands or nowhere."""
_ISO = r"^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
_CLOCK = (
    r"([T ]([0-9]{1,2}):([0-9]{1,2})(:([0-9]{1,2})(\.[0-9]+)?)?"
    r" *(Z|UTC|([+-])([0-9]{2}):?([0-9]{2})?)?)?$"
)
_DIRECTIVES = {
    "Y": "([0-9]{4})",
    "y": "([0-9]{2})",
    "m": "([0-9]{1,2})",
    "d": "([0-9]{1,2})",
    "H": "([0-9]{1,2})",
    "M": "([0-9]{1,2})",
    "S": "([0-9]{1,2})",
    "b": "([A-Za-z]{3})",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@ibis.udf.scalar.builtin(signature=(("string", "string"), dtypes.timestamp))
def try_strptime(text, pattern):  # type: ignore[no-untyped-def]
    """Read a time by a format; null where it does not match (DuckDB)."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), UTC))
def _try_strptime_zoned(text, pattern):  # type: ignore[no-untyped-def]
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
def _hash(customer_id, date, amount):  # type: ignore[no-untyped-def]
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


def earliest(value: Column, day: Column, where: BooleanValue | None = None) -> NumericValue:
    """Aggregate to the number of the earliest day.

    As Ibis's ``argmin``, which on DuckDB orders by keys of bytes made for the purpose; DuckDB's
    own function compares the days and takes half the time.
    """
    if value.get_backend().name == "duckdb":
        return arg_min(value, day, where=where)
    return value.argmin(day, where=where)


def latest(value: Column, day: Column, where: BooleanValue | None = None) -> NumericValue:
    """Aggregate to the number of the latest day; the other end of :func:`earliest`."""
    if value.get_backend().name == "duckdb":
        return arg_max(value, day, where=where)
    return value.argmax(day, where=where)


def wall_clock(instant: TimestampValue, zone: str) -> TimestampValue:
    """Return the clock of a zone at an instant that knows its own zone."""
    return _wall_clock(zone, instant)


def shift(clock: TimestampValue, source: str, target: str, engine: str) -> TimestampValue:
    """Move a time without a zone from the clock of one zone to that of another."""
    if source == target:
        return clock
    if engine == "pyspark":
        return convert_timezone(source, target, clock)
    return _wall_clock(target, _in_zone(source, clock))


def number_of(text: StringValue, decimal: str = ".") -> NumericValue:
    """Return the number that a text is, null where it is none (or infinite).

    With a decimal comma, dots may stand between groups of three digits and nowhere else.
    """
    plain = text.strip()
    known = COMMA_NUMBER if decimal == "," else NUMBER
    safe = ibis.ifelse(plain.re_search(known), plain, ibis.null("string"))
    if decimal == ",":
        safe = safe.replace(".", "").replace(",", ".")
    return safe.cast("float64")


def day_of(
    text: StringValue, pattern: str | None, source: str, target: str, engine: str
) -> DateValue:
    """Return the calendar day in the target zone of a time kept as text; null where unreadable.

    Parameters
    ----------
    text : ibis string column
    pattern : str or None
        A strptime format; None reads ISO 8601, with or without a clock and an offset.
    source : str
        The zone of times without an offset.
    target : str
        The zone whose day is wanted.
    engine : str
        ``BaseBackend.name``.
    """
    text = text.strip()
    if engine == "duckdb":
        if pattern is not None and re.search("[zZ]", "".join(re.findall("%(.)", pattern))):
            return wall_clock(_try_strptime_zoned(text, pattern), target).date()
        if pattern is not None:
            return shift(try_strptime(text, pattern), source, target, engine).date()
        # The session's zone, which DuckDB gives to times without an offset, is the source's.
        usual = ibis.ifelse(text.re_search(_ISO), text, ibis.null("string")).try_cast(UTC)
        # Asked only where that failed: it wants an offset to follow seconds, at once. The days are
        # what is put together, since times cost more to copy.
        close = text.re_replace(" +(Z|UTC|[+-])", r"\1").replace("UTC", "Z")
        whole = close.re_replace("([T ][0-9]{1,2}:[0-9]{1,2})(Z|[+-])", r"\1:00\2")
        zoned = text.re_search(_ISO + ".*(Z|UTC|[+-])")
        again = ibis.ifelse(zoned, whole, ibis.null("string")).try_cast(UTC)
        return ibis.coalesce(wall_clock(usual, target).date(), wall_clock(again, target).date())
    if pattern is not None:
        return _day_by_pattern(text, pattern, source, target, engine)
    iso = _ISO + _CLOCK
    year, month, day, hour, minute, second = (_part(text, iso, at) for at in (1, 2, 3, 5, 6, 8))
    clock = _timestamp(engine, text.re_search(iso), year, month, day, hour, minute, second)
    offset = _part(text, iso, 12) * 60 + _part(text, iso, 13)
    signed = ibis.ifelse(text.re_extract(iso, 11) == "-", -offset, offset)
    utc = clock - signed.as_interval("m")
    has_offset = text.re_extract(iso, 10).length() > 0
    return ibis.ifelse(
        has_offset,
        shift(utc, "UTC", target, engine).date(),
        shift(clock, source, target, engine).date(),
    )


def _day_by_pattern(
    text: StringValue, pattern: str, source: str, target: str, engine: str
) -> DateValue:
    regex, order = "^", []
    for directive, literal in re.findall(r"%(.)|([^%]+)", pattern):
        if not directive:
            regex += re.escape(literal)
        elif directive in _DIRECTIVES:
            regex += _DIRECTIVES[directive]
            order.append(directive)
        else:
            raise ConfigError(
                f"columns.date_format: %{directive} can be read from files only; on {engine} use "
                f"{', '.join('%' + known for known in _DIRECTIVES)}"
            )
    regex += "$"
    parts = {name: at + 1 for at, name in enumerate(order)}

    def part(name: str) -> IntegerValue:
        return _part(text, regex, parts[name]) if name in parts else ibis.literal(0, "int32")

    year = part("Y")
    if "y" in parts:  # as POSIX reads them: 69 to 99 are 19xx
        short = part("y")
        year = short + ibis.ifelse(short >= 69, 1900, 2000)
    month = part("m")
    if "b" in parts:
        name = text.re_extract(regex, parts["b"]).lower()
        month = ibis.cases(*((name == known, at + 1) for at, known in enumerate(_MONTHS)), else_=0)
    clock = _timestamp(
        engine, text.re_search(regex), year, month, part("d"), part("H"), part("M"), part("S")
    )
    return shift(clock, source, target, engine).date()


def _part(text: StringValue, regex: str, at: int) -> IntegerValue:
    """Return a group of a regular expression as an integer; 0 where it is empty or absent."""
    found = text.re_extract(regex, at)
    digits = ibis.ifelse(found.re_search("^[0-9]{1,4}$"), found, "0")
    return digits.cast("int32")


def _timestamp(
    engine: str,
    matches: BooleanValue,
    year: IntegerValue,
    month: IntegerValue,
    day: IntegerValue,
    hour: IntegerValue,
    minute: IntegerValue,
    second: IntegerValue,
) -> TimestampValue:
    """Put a time together where every part is in its range; null elsewhere."""
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    length = ibis.cases(
        (month.isin([4, 6, 9, 11]), 30), (month == 2, ibis.ifelse(leap, 29, 28)), else_=31
    )
    valid = (
        matches
        & month.between(1, 12)
        & (day >= 1)
        & (day <= length)
        & (year >= 1)
        & (hour <= 23)
        & (minute <= 59)
        & (second <= 59)
    ).fill_null(False)

    def safe(value: IntegerValue, otherwise: int) -> IntegerValue:
        return ibis.ifelse(valid, value, otherwise).cast("int32")

    parts = [
        safe(value, otherwise)
        for value, otherwise in (
            (year, 1970),
            (month, 1),
            (day, 1),
            (hour, 0),
            (minute, 0),
            (second, 0),
        )
    ]
    if engine == "pyspark":
        built = make_timestamp_ntz(*parts[:5], parts[5].cast("float64"))
    else:
        built = ibis.timestamp(*parts)
    return ibis.ifelse(valid, built, ibis.null("timestamp"))


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


def materialise(connection: BaseBackend, table: Table) -> Table:
    """Evaluate a table once and keep it in the engine until the connection closes."""
    name = ibis.util.gen_name("clv")
    if connection.name != "pyspark":
        return connection.create_table(name, table, temp=True)
    # Spark has no temporary tables; a persisted data frame spills to the executors' disks.
    frame = connection._session.sql(connection.compile(table)).persist()
    connection.clv_persisted.append(frame)
    frame.createOrReplaceTempView(name)
    return connection.table(name)


@contextmanager
def held(table: Table) -> Iterator[Table]:
    """Evaluate a table once and keep it in its engine inside the ``with`` block only."""
    connection = table.get_backend()
    kept = materialise(connection, table)
    name = kept.op().name
    try:
        yield kept
    finally:
        if connection.name == "pyspark":
            connection.clv_persisted.pop().unpersist()
            connection.drop_view(name)
        else:
            connection.drop_table(name)


def fingerprint(purchases: Table, engine: str) -> str:
    """Return a digest of a set of customer-days, whatever their order.

    Equal for equal data on one version of one engine, whose name it begins with.
    """
    columns = [purchases.customer_id, purchases.date, purchases.amount]
    if engine == "duckdb":
        mixed = _hash(*columns).bit_xor()
    else:
        row = ibis.literal("|").join([column.cast("string") for column in columns]).hash()
        mixed = (row % 2147483647).sum()
    found = purchases.agg(days=purchases.count(), mixed=mixed.fill_null(0)).execute().iloc[0]
    content = f"{int(found['days'])} {int(found['mixed'])}"
    return f"{engine}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def month_start(day: DateValue) -> DateValue:
    """Return the first day of the calendar month (a date on every engine)."""
    return ibis.date(day.year(), day.month(), 1)


def quarter_start(day: DateValue) -> DateValue:
    """Return the first day of the calendar quarter (a date on every engine)."""
    return ibis.date(day.year(), (day.month() - 1) // 3 * 3 + 1, 1)
