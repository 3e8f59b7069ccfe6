"""Which values of which dimensions are told apart, as numbers that a model can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from clvmodels.core.arguments import number
from clvmodels.core.errors import InvalidValueError, MissingColumnError

LEAST_CUSTOMERS = 100
"""A value of fewer customers says nothing of its own: they count as average ones."""

MOST_VALUES = 20
"""Of a dimension, the most common ones."""

NONE = "(none)"
"""The value of customers of whom none is recorded."""

OTHERS = "(others)"
"""The value of customers whose own is too rare to be told apart."""


@dataclass(frozen=True)
class SegmentValues:
    """The values that are told apart, with their shares of the customers.

    Customers of another value, a rare or a new one, are taken as average ones.

    Attributes
    ----------
    shares : dict of str to dict of str to float
        By dimension and value, the most common first.
    """

    shares: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, counts: Mapping[str, Mapping[str | None, float]]) -> Self:
        """Take the values that enough customers have; dimensions of one value tell nothing.

        Parameters
        ----------
        counts : dict of str to dict of str to float
            Customers by dimension and value; a missing value is None.
        """
        told = {}
        for dimension, by_value in counts.items():
            total = sum(by_value.values())
            named = [(named_value(value), count) for value, count in by_value.items()]
            common = sorted(named, key=lambda pair: (-pair[1], pair[0]))[:MOST_VALUES]
            kept = {value: count / total for value, count in common if count >= LEAST_CUSTOMERS}
            if len(kept) > 1:
                told[dimension] = kept
        return cls(told)

    def __bool__(self) -> bool:
        return bool(self.shares)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions that tell customers apart."""
        return tuple(self.shares)

    @property
    def indicator_names(self) -> tuple[str, ...]:
        """Columns of :meth:`indicators`: of each dimension all values but the most common."""
        return tuple(
            f"{dimension}={value}"
            for dimension, by_value in self.shares.items()
            for value in _told(by_value)
        )

    def codes(self, table: pd.DataFrame, dimension: str) -> npt.NDArray[np.intp]:
        """Position of each row's value among those of a dimension; -1: none of them."""
        if dimension not in table:
            raise MissingColumnError("the table of customers", [dimension], list(table.columns))
        index = pd.Index(list(self.shares[dimension]), dtype=object)
        given = table[dimension].astype(object)
        named = pd.Index(given.where(given.notna(), NONE), dtype=object)
        return np.asarray(index.get_indexer(named), dtype=np.intp)

    def indicators(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return 1 or 0 by value, less the value's share: average customers are 0 throughout."""
        columns = {}
        for dimension, by_value in self.shares.items():
            codes = self.codes(table, dimension)
            for at, value in enumerate(by_value):
                if value in _told(by_value):
                    here = (codes == at) - by_value[value]
                    columns[f"{dimension}={value}"] = np.where(codes < 0, 0.0, here)
        return pd.DataFrame(columns, index=table.index)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer."""
        return {name: dict(by_value) for name, by_value in self.shares.items()}

    @classmethod
    def from_dict(cls, described: Any) -> Self:
        """Build it from :meth:`to_dict`.

        Raises
        ------
        InvalidValueError
            If it is none.
        """
        if not isinstance(described, Mapping) or not all(
            isinstance(by_value, Mapping) for by_value in described.values()
        ):
            raise InvalidValueError(f"segments must be shares by value; found {described!r}")
        shares = {
            str(name): {
                str(value): number(share, f"the share of {name} {value}")
                for value, share in by_value.items()
            }
            for name, by_value in described.items()
        }
        if any(not 0 < share <= 1 for by_value in shares.values() for share in by_value.values()):
            raise InvalidValueError("shares of segments must lie in (0, 1]")
        return cls(shares)


def named_value(value: Any) -> str:
    """Name a value, a missing one too."""
    return NONE if value is None or value != value else str(value)


def _told(by_value: Mapping[str, float]) -> list[str]:
    """Values with an indicator: the most common one is what the others differ from."""
    return list(by_value)[1:]
