"""Days that are written as text: ISO 8601, or by a format that the configuration gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import ibis
from ibis.expr.types import (
    BooleanValue,
    DateValue,
    IntegerValue,
    StringValue,
    TimestampValue,
)

from clvmodels.core.errors import ConfigError

ISO_DAY = r"^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
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


class Strips(Protocol):
    """An engine that takes white space off a text."""

    def stripped(self, text: StringValue) -> StringValue:
        """Take spaces, tabs and line breaks off both ends of a text."""


class Clocks(Strips, Protocol):
    """What an engine says of times."""

    @property
    def name(self) -> str:
        """Of the engine, for messages."""

    def shift(self, clock: TimestampValue, source: str, target: str) -> TimestampValue:
        """Move a time from the clock of one zone to that of another."""

    def timestamp(self, parts: Sequence[IntegerValue]) -> TimestampValue:
        """Put a time together."""


def day_of(
    text: StringValue, pattern: str | None, source: str, target: str, engine: Clocks
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
    engine : Clocks
    """
    text = engine.stripped(text)
    if pattern is not None:
        return _day_by_pattern(text, pattern, source, target, engine)
    iso = ISO_DAY + _CLOCK
    year, month, day, hour, minute, second = (part_of(text, iso, at) for at in (1, 2, 3, 5, 6, 8))
    clock = time_of(engine, text.re_search(iso), year, month, day, hour, minute, second)
    offset = part_of(text, iso, 12) * 60 + part_of(text, iso, 13)
    signed = ibis.ifelse(text.re_extract(iso, 11) == "-", -offset, offset)
    utc = clock - signed.as_interval("m")
    has_offset = text.re_extract(iso, 10).length() > 0
    return ibis.ifelse(
        has_offset,
        engine.shift(utc, "UTC", target).date(),
        engine.shift(clock, source, target).date(),
    )


def _day_by_pattern(
    text: StringValue, pattern: str, source: str, target: str, engine: Clocks
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
                f"columns.date_format: %{directive} can be read from files only; on {engine.name} "
                f"use {', '.join('%' + known for known in _DIRECTIVES)}"
            )
    regex += "$"
    parts = {name: at + 1 for at, name in enumerate(order)}

    def part(name: str) -> IntegerValue:
        return part_of(text, regex, parts[name]) if name in parts else ibis.literal(0, "int32")

    year = part("Y")
    if "y" in parts:  # as POSIX reads them: 69 to 99 are 19xx
        short = part("y")
        year = short + ibis.ifelse(short >= 69, 1900, 2000)
    month = part("m")
    if "b" in parts:
        name = text.re_extract(regex, parts["b"]).lower()
        month = ibis.cases(*((name == known, at + 1) for at, known in enumerate(_MONTHS)), else_=0)
    clock = time_of(
        engine, text.re_search(regex), year, month, part("d"), part("H"), part("M"), part("S")
    )
    return engine.shift(clock, source, target).date()


def part_of(text: StringValue, regex: str, at: int) -> IntegerValue:
    """Return a group of a regular expression as an integer; 0 where it is empty or absent."""
    found = text.re_extract(regex, at)
    digits = ibis.ifelse(found.re_search("^[0-9]{1,4}$"), found, "0")
    return digits.cast("int32")


def time_of(
    engine: Clocks,
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
    return ibis.ifelse(valid, engine.timestamp(parts), ibis.null("timestamp"))
