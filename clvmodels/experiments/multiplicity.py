"""Several arms and metrics at once: tests by Holm, simultaneous intervals by Bonferroni.

References
----------
Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6(2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clvmodels.core.arguments import numbers, probability, whole_number
from clvmodels.core.arrays import Array


def holm(p_values: ArrayLike) -> Array:
    """Return adjusted p-values: those below α are found with at most α false among any of them.

    Parameters
    ----------
    p_values : array_like, shape (m,)
        NaN where nothing was tested: such are no part of the family, and stay NaN.
    """
    given = numbers(p_values, "p_values")
    tested = np.flatnonzero(np.isfinite(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted = np.full(given.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * given[order]), 1.0)
    return adjusted


def simultaneous_level(level: float, comparisons: int) -> float:
    """Return the level of each of several intervals that hold all truths at ``level`` together."""
    return 1 - (1 - probability(level)) / whole_number(comparisons, "comparisons", 1)
