"""What texts are: numbers with which decimal mark, days in which format."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

from pipelines.sources.values.days import ISO_DAY
from pipelines.sources.values.numbers import CURRENCY, reads

NEARLY_ALL = 0.95
"""Share of the values from which on a column is of a kind: some are always amiss."""
SHOWN_TO_DATES = 400
"""Different values that are tried with every format of a day."""

_DAYS = (
    "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%d %b %Y", "%d-%b-%Y",
    "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%b %d %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M:%S %p")
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
    thousands : bool
        Several values have three digits after the mark, none another number: what the mark is, is
        open.
    nonzero : bool
        Not all of them are 0.
    currency : str, optional
        Of the sign beside the numbers.
    """

    point: float = 0.0
    comma: float = 0.0
    money: float = 0.0
    whole: float = 0.0
    thousands: bool = False
    nonzero: bool = False
    currency: str | None = None

    @property
    def share(self) -> float:
        """Share that is a number with either mark."""
        return max(self.point, self.comma)

    @property
    def decimal(self) -> str:
        """The mark that more of the values bear out; the point where both do."""
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
        thousands=len(digits) > 2 and set(digits) == {3},
        currency=_SYMBOLS[signs.pop()] if len(signs) == 1 else None,
    )


@dataclass(frozen=True)
class Dates:
    """How a column's days are written.

    Attributes
    ----------
    pattern : str, optional
        strptime's; None: ISO 8601, or kept as days.
    or_pattern : str, optional
        Another one that reads all of them too: day and month may stand in either order.
    offsets : tuple of str
        From UTC, where times name any.
    """

    pattern: str | None = None
    or_pattern: str | None = None
    offsets: tuple[str, ...] = field(default=())


def dates(texts: Sequence[str]) -> Dates | None:
    """Say how days are written; None where the texts are none."""
    tried = list(dict.fromkeys(texts))[:SHOWN_TO_DATES]
    if not tried:
        return None
    if _share(_iso(text) for text in tried) >= NEARLY_ALL:
        found = {
            f"{m[1]}{m[2]}" for text in tried if len(text) > 10 and (m := _OFFSET.search(text))
        }
        return Dates(offsets=tuple(sorted(found)))
    patterns = [
        pattern for pattern in map("".join, product(_DAYS, _CLOCKS)) if _fits(tried, pattern)
    ]
    if not patterns:
        return None
    best = sorted(patterns, key=lambda pattern: -_in_order(tried, pattern))
    tied = len(best) > 1 and _in_order(tried, best[0]) == _in_order(tried, best[1])
    return Dates(best[0], best[1] if tied else None)


def _iso(text: str) -> bool:
    found = re.match(ISO_DAY, text)
    return found is not None and _day("-".join(found.groups()), "%Y-%m-%d") is not None


def _fits(texts: Sequence[str], pattern: str) -> bool:
    first = texts[:5]
    if len(first) > 1 and not any(_day(text, pattern) for text in first):
        return False
    return _share(_day(text, pattern) is not None for text in texts) >= NEARLY_ALL


def _in_order(texts: Sequence[str], pattern: str) -> int:
    """Steps back in time, negative: logs are kept by day; day and month mixed up makes jumps."""
    days = [day for text in texts if (day := _day(text, pattern)) is not None]
    steps = [after - before for before, after in pairwise(days)]
    back = sum(step.days < 0 for step in steps)
    return -min(back, len(steps) - back)


def _day(text: str, pattern: str) -> dt.date | None:
    try:
        day = dt.datetime.strptime(text, pattern).date()
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


def _share(found: Iterable[bool]) -> float:
    told = list(found)
    return sum(told) / len(told) if told else 0.0
