"""Customers at one or more origins, and what became of them: what a churn classifier reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.core.arrays import Booleans
from clvmodels.core.schema import LEAST_CUSTOMERS

MAX_CATEGORIES = 100
"""Most frequent values of a text column that are told apart."""


@dataclass(frozen=True)
class ChurnSample:
    """Customers at one or more origins: what was known then, and what happened after.

    Attributes
    ----------
    features : DataFrame, shape (n, f)
        Columns from on or before the origin: numbers, or text for categories such as a channel.
        Missing values are allowed.
    churned : ndarray of bool, shape (n,)
        True where the customer made no purchase within the horizon after the origin.
    origin : ndarray of int, shape (n,), optional
        Which origin a row is of, where there are several. At one origin a row is a customer.
    """

    features: pd.DataFrame
    churned: Booleans
    origin: NDArray[np.intp] | None = None

    @staticmethod
    def concat(samples: list[ChurnSample]) -> ChurnSample:
        """Several origins as one sample."""
        origins: list[NDArray[np.intp]] = []
        first = 0
        for sample in samples:
            own = np.zeros(len(sample.churned), dtype=np.intp)
            own = own if sample.origin is None else sample.origin
            origins.append(own + first)
            first += int(own.max(initial=0)) + 1
        return ChurnSample(
            pd.concat([s.features for s in samples], ignore_index=True),
            np.concatenate([s.churned for s in samples]),
            np.concatenate(origins),
        )

    def thinned(self, rows: int, random_state: int) -> ChurnSample:
        """At most ``rows`` rows, chosen at random and kept in order."""
        if len(self.churned) <= rows:
            return self
        rng = np.random.default_rng(random_state)
        chosen = np.sort(rng.choice(len(self.churned), rows, replace=False))
        origin = None if self.origin is None else self.origin[chosen]
        return ChurnSample(self.features.iloc[chosen], self.churned[chosen], origin)

    @property
    def smaller_class(self) -> int:
        """Number of customers in the rarer of the two classes."""
        return int(min(self.churned.sum(), (~self.churned).sum()))

    def categories(self) -> dict[str, list[str]]:
        """The values of every text column that are told apart, in the order of the alphabet.

        They are the most frequent ones, and none that fewer than
        :data:`~clvmodels.core.schema.LEAST_CUSTOMERS` customers share: a model names no small
        group.
        """
        origin = np.zeros(len(self.churned)) if self.origin is None else self.origin
        found = {}
        for name, column in self.features.items():
            if pd.api.types.is_numeric_dtype(column):
                continue
            held = column.groupby([origin, column.to_numpy()]).size()  # customers, not rows
            most = held.groupby(level=1).max()
            shared = most.index[most >= LEAST_CUSTOMERS]
            rows = column.value_counts()
            found[str(name)] = sorted(rows.index[rows.index.isin(shared)][:MAX_CATEGORIES])
        return found
