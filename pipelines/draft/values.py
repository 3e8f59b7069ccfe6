"""What texts are: numbers with which decimal mark, days in which format."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pipelines.sources.values.days import ISO_DAY
from pipelines.sources.values.forms import FORMS, Form, NumberForm, WeekForm
from pipelines.sources.values.numbers import CURRENCY, reads

NEARLY_ALL = 0.95
"""Share of the values from which on a column is of a kind: some are always amiss."""
SHOWN_TO_DATES = 400
"""Different values that are tried with every format of a day."""

_OFFSET = re.compile(r"([+-]\d{2}):?(\d{2})$")
_SYMBOLS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "$": "USD"}
_AROUND_NUMBERS = re.compile(CURRENCY)
EARLIEST, LATEST = dt.date(1980, 1, 1), dt.date.today() + dt.timedelta(days=400)
"""Days of transactions: what reads as others is no day."""


@dataclass(frozen=True)
class Numbers:
    """What a column's values are as numbers.

    Attributes
    ----------
    point, comma : float
        Share that is a number with a decimal point, with a decimal comma.
    money : float
        Share that has two decimals.
    whole : float
        Share without any.
    thousands : str, optional
        The mark, where all that follows it is three digits and some values have none: it may stand
        between thousands.
    nonzero : bool
        Not all of them are 0.
    currency : str, optional
        Of the sign beside the numbers.
    """

    point: float = 0.0
    comma: float = 0.0
    money: float = 0.0
    whole: float = 0.0
    thousands: str | None = None
    nonzero: bool = False
    currency: str | None = None

    @property
    def share(self) -> float:
        """Share that is a number with either mark."""
        return max(self.point, self.comma)

    @property
    def decimal(self) -> str:
        """The mark that more of the values bear out; the point where both do."""
        if self.thousands is not None:
            return "," if self.thousands == "." else "."
        return "," if self.comma > self.point else "."


NO_NUMBERS = Numbers()


def numbers(texts: Sequence[str]) -> Numbers:
    """Say what texts are as numbers."""
    if not texts:
        return NO_NUMBERS
    bare = [re.sub("[^0-9.,]+$", "", _AROUND_NUMBERS.sub("", text)) for text in texts]
    of = 1 / len(bare)
    after = [re.search(r"[.,](\d+)$", text) for text in bare]
    digits = [len(found[1]) for found in after if found]
    signs = {sign for text in texts[:SHOWN_TO_DATES] for sign in _SYMBOLS if sign in text}
    return Numbers(
        point=of * sum(reads(text, ".") for text in texts),
        comma=of * sum(reads(text, ",") for text in texts),
        money=of * sum(count == 2 for count in digits),
        whole=of * (len(bare) - len(digits)),
        nonzero=any(re.search("[1-9]", text) for text in bare),
        thousands=_thousands(bare),
        currency=_SYMBOLS[signs.pop()] if len(signs) == 1 else None,
    )


def _thousands(bare: Sequence[str]) -> str | None:
    """Return the mark that stands between thousands and nowhere else, as far as values show."""
    marked = [text for text in bare if re.search("[.,]", text)]
    grouped = [re.fullmatch(r"[-+]?[1-9]\d{0,2}(([.,])\d{3})(\2\d{3})*", text) for text in marked]
    marks = {found[2] for found in grouped if found}
    if len(marked) < LEAST_MARKED or len(marked) == len(bare) or None in grouped or len(marks) > 1:
        return None
    return marks.pop()


LEAST_MARKED = 3
"""Numbers with a mark from which on a column may show what it is."""


@dataclass(frozen=True)
class Dates:
    """How a column's days are written.

    Attributes
    ----------
    form : str, optional
        As ``columns.date_format`` takes it; None: ISO 8601, or kept as days.
    or_form : str, optional
        Another one that reads all of them too: day and month may stand in either order.
    offsets : tuple of str
        From UTC, where times name any.
    """

    form: str | None = None
    or_form: str | None = None
    offsets: tuple[str, ...] = field(default=())

    @property
    def is_evident(self) -> bool:
        """Whether nothing but days is written so; numbers may be anything."""
        return not isinstance(FORMS.get(self.form or ""), NumberForm)


def dates(texts: Sequence[str]) -> Dates | None:
    """Say how days are written; None where the texts are none."""
    tried = list(dict.fromkeys(texts))[:SHOWN_TO_DATES]
    if not tried:
        return None
    if _share(_iso(text) for text in tried) >= NEARLY_ALL:
        offsets = (_OFFSET.search(text) for text in tried if len(text) > 10)
        found = {f"{match[1]}{match[2]}" for match in offsets if match}
        return Dates(offsets=tuple(sorted(found)))
    read = {name: [_day(text, form) for text in tried] for name, form in FORMS.items()}
    fits = [
        name for name, days in read.items() if _share(day is not None for day in days) >= NEARLY_ALL
    ]
    if not fits:
        return None
    best = sorted(fits, key=lambda name: _steps_back(read[name]))
    tied = len(best) > 1 and _steps_back(read[best[0]]) == _steps_back(read[best[1]])
    return Dates(best[0], best[1] if tied else None)


def _iso(text: str) -> bool:
    found = re.match(ISO_DAY, text)
    return found is not None and _date(*map(int, found.groups())) is not None


def _steps_back(days: Sequence[dt.date | None]) -> int:
    """Count steps back in time: logs are kept by day; day and month mixed up makes jumps."""
    known = [day for day in days if day is not None]
    steps = [after - before for before, after in pairwise(known)]
    back = sum(step.days < 0 for step in steps)
    return min(back, len(steps) - back)  # the latest may stand first


def _day(text: str, form: Form) -> dt.date | None:
    """Return the day that a text is in a form."""
    if isinstance(form, NumberForm):
        if not re.fullmatch(r"\d{1,14}(\.\d+)?", text) or not form.low <= float(text) <= form.high:
            return None
        day = (form.start + dt.timedelta(days=float(text) / form.per_day)).date()
        return day if EARLIEST <= day <= LATEST else None
    if isinstance(form, WeekForm):
        week = re.fullmatch(r"(\d{4})-?[Ww](\d{2})(?:-?([1-7]))?", text)
        if week is None or not 1 <= int(week[2]) <= 53:
            return None
        return _date(int(week[1]), 1, 4)
    found = re.match(rf"{form.pattern}(?=$|[T, ]+\d{{1,2}}:)", text)
    if found is None:
        return None
    month = found[form.month].lower()[:3]
    number = int(month) if month.isdigit() else _MONTHS.find(month) // 3 + 1
    year = int(found[form.year])
    if year < 100:
        year += 1900 if year >= THIS_CENTURY else 2000
    return _date(year, number, int(found[form.day]) if form.day else 1)


_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
THIS_CENTURY = 69
"""Years of two digits from which on they are of the century before."""


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        found = dt.date(year, month, day)
    except ValueError:
        return None
    return found if EARLIEST <= found <= LATEST else None


def _share(found: Iterable[bool]) -> float:
    told = list(found)
    return sum(told) / len(told) if told else 0.0
