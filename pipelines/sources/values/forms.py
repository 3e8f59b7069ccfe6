"""Days in the forms that people and programs write them in, beside ISO 8601."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

import ibis
from ibis.expr.types import (
    DateValue,
    IntegerValue,
    NumericValue,
    StringValue,
)

from pipelines.sources.values.days import Clocks, part_of, time_of

_CLOCK = r"(?:[T, ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)? *([AaPp]\.?[Mm]\.?)?)?$"
"""A clock after a day: its groups are hour, minute, second and the half of the day."""

_SEP = "[-/. ]"
_NAMED = "([A-Za-z]{3,9})"
_DAY = "([0-9]{1,2})(?:st|nd|rd|th)?"
_SHORT_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_THIS_CENTURY = 69  # as POSIX reads them: 69 to 99 are 19xx


@dataclass(frozen=True)
class TextForm:
    """Days as text: a pattern, and which of its groups are year, month and day.

    Attributes
    ----------
    said : str
        How people say it.
    pattern : str
        Without the clock, which may follow.
    groups : int
        Number of groups of the pattern.
    year, month, day : int
        Their numbers; a day of 0 is the first of the month.
    """

    said: str
    pattern: str
    groups: int
    year: int
    month: int
    day: int

    @property
    def whole(self) -> str:
        """Pattern of the day with its clock, if any."""
        return "^" + self.pattern + _CLOCK

    def day_of(self, text: StringValue, source: str, target: str, engine: Clocks) -> DateValue:
        """Return the calendar day in the target zone of a time kept as text."""
        whole, after = self.whole, self.groups
        half = text.re_extract(whole, after + 4).lower()
        hour = part_of(text, whole, after + 1)
        hour = ibis.cases(
            (half.startswith("p") & (hour < 12), hour + 12),
            (half.startswith("a") & (hour == 12), 0),
            else_=hour,
        )
        year = part_of(text, whole, self.year)
        short = text.re_extract(whole, self.year).length() == 2
        century = ibis.ifelse(year >= _THIS_CENTURY, 1900, 2000)
        clock = time_of(
            engine,
            text.re_search(whole),
            ibis.ifelse(short, year + century, year).cast("int32"),
            self._month(text, whole),
            part_of(text, whole, self.day) if self.day else ibis.literal(1, "int32"),
            hour.cast("int32"),
            part_of(text, whole, after + 2),
            part_of(text, whole, after + 3),
        )
        return engine.shift(clock, source, target).date()

    def _month(self, text: StringValue, whole: str) -> IntegerValue:
        if _NAMED not in self.pattern:
            return part_of(text, whole, self.month)
        name = text.re_extract(whole, self.month).lower().substr(0, 3)
        cases = [(name == short, number) for number, short in enumerate(_SHORT_MONTHS, start=1)]
        return ibis.cases(*cases, else_=0).cast("int32")


@dataclass(frozen=True)
class WeekForm:
    """Weeks of ISO 8601, such as 2023-W05 (its Monday) or 2023-W05-3."""

    said: str
    whole: ClassVar[str] = "^([0-9]{4})-?[Ww]([0-9]{2})(?:-?([1-7]))?$"

    def day_of(self, text: StringValue, source: str, target: str, engine: Clocks) -> DateValue:
        """Return the calendar day; a week has no clock, so zones play no part."""
        year, week, day = (part_of(text, self.whole, group) for group in (1, 2, 3))
        zero = ibis.literal(0, "int32")
        matches = text.re_search(self.whole) & week.between(1, 53)
        fourth = time_of(
            engine, matches, year, ibis.literal(1, "int32"), ibis.literal(4, "int32"), *[zero] * 3
        )
        into = (week - 1) * 7 + ibis.ifelse(day == 0, 1, day) - 1
        shift = into.cast("int32") - fourth.date().day_of_week.index().cast("int32")
        return (fourth + shift.cast("int32").as_interval("D")).date()


@dataclass(frozen=True)
class NumberForm:
    """Days as numbers: their range, from when they count, and how many are a day."""

    said: str
    low: float
    high: float
    start: dt.datetime
    per_day: float
    is_instant: bool
    whole: ClassVar[str] = r"^[0-9]+(\.[0-9]+)?$"

    def day_of(self, value: NumericValue, source: str, target: str, engine: Clocks) -> DateValue:
        """Return the calendar day in the target zone of a time kept as a number."""
        inside = ibis.ifelse(value.between(self.low, self.high), value, ibis.null("float64"))
        days = (inside / self.per_day).floor()
        seconds = ((inside / self.per_day - days) * 86_400).floor()
        start = ibis.literal(self.start)
        clock = start + days.cast("int32").as_interval("D")
        clock = clock + seconds.cast("int32").as_interval("s")
        return engine.shift(clock, "UTC" if self.is_instant else source, target).date()


Form = TextForm | WeekForm | NumberForm

_NUMBERS = f"([0-9]{{1,2}}){_SEP}([0-9]{{1,2}}){_SEP}([0-9]{{4}}|[0-9]{{2}})"
_EPOCH = dt.datetime(1970, 1, 1)

FORMS: dict[str, Form] = {
    "ymd": TextForm(
        "year, month, day", f"([0-9]{{4}}){_SEP}([0-9]{{1,2}}){_SEP}([0-9]{{1,2}})", 3, 1, 2, 3
    ),
    "dmy": TextForm("day, month, year", _NUMBERS, 3, 3, 2, 1),
    "mdy": TextForm("month, day, year", _NUMBERS, 3, 3, 1, 2),
    "day_name": TextForm(
        "day, name of the month, year",
        f"{_DAY}[-/ .]+{_NAMED}[-/ .,]+([0-9]{{4}}|[0-9]{{2}})",
        3,
        3,
        2,
        1,
    ),
    "name_day": TextForm(
        "name of the month, day, year", f"{_NAMED}[. ]+{_DAY}[, ]+([0-9]{{4}})", 3, 3, 1, 2
    ),
    "yyyymmdd": TextForm(
        "year, month and day in eight digits",
        "((?:19|20|21)[0-9]{2})([0-9]{2})([0-9]{2})",
        3,
        1,
        2,
        3,
    ),
    "year_month": TextForm(
        "year and month, so the first of the month", "([0-9]{4})[-/.]([0-9]{1,2})", 2, 1, 2, 0
    ),
    "month_year": TextForm(
        "month and year, so the first of the month", "([0-9]{1,2})[-/.]([0-9]{4})", 2, 2, 1, 0
    ),
    "iso_week": WeekForm("weeks of ISO 8601, so their Mondays where no day is named"),
    # 1954 to 2119, of the system that begins with 1900
    "excel": NumberForm(
        "serial days of a spreadsheet", 20_000, 80_000, dt.datetime(1899, 12, 30), 1, False
    ),
    "epoch": NumberForm("seconds since 1970", 1e8, 9.9e9, _EPOCH, 86_400, True),
    "epoch_ms": NumberForm("milliseconds since 1970", 1e11, 9.9e12, _EPOCH, 86_400_000, True),
}
"""By the words that ``columns.date_format`` takes."""


def day_of(text: StringValue, name: str, source: str, target: str, engine: Clocks) -> DateValue:
    """Return the calendar day in the target zone of a time in a form; null where it has another.

    Parameters
    ----------
    text : ibis string column
        Without spaces around it; numbers as text.
    name : str
        A key of :data:`FORMS`.
    source, target : str
        The zone of times without one, and that whose day is wanted.
    engine : Clocks
    """
    form = FORMS[name]
    if isinstance(form, NumberForm):
        number = ibis.ifelse(text.re_search(form.whole), text, ibis.null("string")).cast("float64")
        return form.day_of(number, source, target, engine)
    return form.day_of(text, source, target, engine)
