"""RFM segments: named boxes of scores that together hold every combination exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from clvmodels.activation.scores import SCORES
from clvmodels.core.errors import InvalidValueError

Ends = tuple[int, int]
ANY: Ends = (1, SCORES)

SHOWN = 3
"""Combinations that a message about gaps or overlaps names."""


@dataclass(frozen=True)
class RfmBox:
    """A part of a segment: all scores between ends, both included.

    Attributes
    ----------
    name : str
        Of the segment; several boxes may bear it.
    r, f, m : tuple of 2 ints
        Least and greatest score, 1 to 5.
    """

    name: str
    r: Ends = ANY
    f: Ends = ANY
    m: Ends = ANY

    @property
    def ends(self) -> tuple[Ends, Ends, Ends]:
        """Of recency, frequency and monetary value."""
        return self.r, self.f, self.m


@dataclass(frozen=True)
class RfmSegments:
    """A table of segments, checked: no combination of scores is in none of them, or in two.

    Attributes
    ----------
    boxes : tuple of RfmBox
        In the order in which segments are shown, best first.

    Raises
    ------
    InvalidValueError
        If the ends of a box are no scores, or boxes overlap or leave a gap; the message names the
        combinations and the segments.
    """

    boxes: tuple[RfmBox, ...]

    def __post_init__(self) -> None:
        for box in self.boxes:
            for letter, (low, high) in zip("rfm", box.ends, strict=True):
                if not 1 <= low <= high <= SCORES:
                    raise InvalidValueError(
                        f"segment '{box.name}': {letter} = [{low}, {high}]; expected the least and "
                        f"the greatest score, from 1 to {SCORES}"
                    )
        problems = [*self._overlaps(), *self._gaps()]
        if problems:
            raise InvalidValueError("; ".join(problems))

    @property
    def names(self) -> list[str]:
        """Segments in the order of the table, each once."""
        return list(dict.fromkeys(box.name for box in self.boxes))

    def of(self, r: ArrayLike, f: ArrayLike, m: ArrayLike) -> npt.NDArray[np.str_]:
        """Return the segment of each customer.

        Parameters
        ----------
        r, f, m : array_like of int, shape (n,)
            Scores, 1 to 5.

        Raises
        ------
        InvalidValueError
            If one is no score.
        """
        scores = np.stack([np.asarray(values) for values in (r, f, m)])
        if scores.size and not np.isin(scores, np.arange(1, SCORES + 1)).all():
            raise InvalidValueError(f"scores must be whole numbers from 1 to {SCORES}")
        place = np.zeros((SCORES,) * 3, dtype=np.intp)
        for at, box in enumerate(self.boxes):
            place[_inside(box)] = at
        names = np.array([box.name for box in self.boxes])
        return np.asarray(names[place[tuple(scores.astype(np.intp) - 1)]])

    def _overlaps(self) -> Iterator[str]:
        for at, box in enumerate(self.boxes):
            for other in self.boxes[at + 1 :]:
                both = [
                    (max(a[0], b[0]), min(a[1], b[1]))
                    for a, b in zip(box.ends, other.ends, strict=True)
                ]
                if all(low <= high for low, high in both):
                    where = ", ".join(
                        f"{letter} {_span(ends)}" for letter, ends in zip("rfm", both, strict=True)
                    )
                    yield (
                        f"two boxes of '{box.name}' overlap at {where}"
                        if box.name == other.name
                        else f"segments '{box.name}' and '{other.name}' overlap at {where}"
                    )

    def _gaps(self) -> Iterator[str]:
        held = np.zeros((SCORES,) * 3, dtype=bool)
        for box in self.boxes:
            held[_inside(box)] = True
        missed = np.argwhere(~held) + 1
        if len(missed):
            shown = ", ".join(f"r {r} f {f} m {m}" for r, f, m in missed[:SHOWN])
            more = f" and {len(missed) - SHOWN} more" if len(missed) > SHOWN else ""
            yield f"no segment holds {shown}{more}"


def _inside(box: RfmBox) -> tuple[slice, slice, slice]:
    r, f, m = (slice(low - 1, high) for low, high in box.ends)
    return r, f, m


def _span(ends: Ends) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def rfm_segments(boxes: Sequence[RfmBox]) -> RfmSegments:
    """Return the table of some boxes; the field's usual one where there are none."""
    return RfmSegments(tuple(boxes)) if boxes else USUAL


USUAL = RfmSegments(
    (
        RfmBox("champions", r=(4, 5), f=(4, 5), m=(4, 5)),
        RfmBox("loyal", r=(4, 5), f=(4, 5), m=(1, 3)),
        RfmBox("loyal", r=(3, 3), f=(4, 5)),
        RfmBox("potential loyalists", r=(4, 5), f=(2, 3)),
        RfmBox("new", r=(5, 5), f=(1, 1)),
        RfmBox("promising", r=(4, 4), f=(1, 1)),
        RfmBox("needs attention", r=(3, 3), f=(2, 3)),
        RfmBox("about to sleep", r=(3, 3), f=(1, 1)),
        RfmBox("cannot lose", r=(1, 2), f=(4, 5), m=(4, 5)),
        RfmBox("at risk", r=(1, 2), f=(4, 5), m=(1, 3)),
        RfmBox("at risk", r=(1, 2), f=(3, 3)),
        RfmBox("hibernating", r=(2, 2), f=(1, 2)),
        RfmBox("lost", r=(1, 1), f=(1, 2)),
    )
)
"""The field's names. Sources agree on these, not on their borders: here they depend on r and f, and
on m where who is lost or kept is worth most."""
