"""Whether arms are as large as they were meant to be: the check before anything is read.

Where they are not, customers were lost or double in some arm, and no outcome of those who are left
can be compared.

References
----------
Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments", KDD.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from clvmodels.core.arguments import numbers
from clvmodels.core.errors import InvalidValueError

SUSPICIOUS = 0.001
"""A p-value below it is no chance: the usual limit, strict since the check is made every time."""


def sample_ratio_p_value(customers: ArrayLike, shares: ArrayLike) -> float:
    """Return the p-value of the chi-square test that cells hold customers by their shares.

    Parameters
    ----------
    customers : array_like, shape (k,)
    shares : array_like, shape (k,)
        Above 0; brought to a sum of 1.

    Raises
    ------
    InvalidValueError
        If shapes differ, a share is not above 0, or there is no customer.
    """
    counts, parts = numbers(customers, "customers"), numbers(shares, "shares")
    if counts.shape != parts.shape or counts.ndim != 1 or counts.size < 2:
        raise InvalidValueError(
            f"customers and shares need one value for each of two cells or more; found shapes "
            f"{counts.shape} and {parts.shape}"
        )
    if not (np.all(parts > 0) and np.all(counts >= 0) and counts.sum() > 0):
        raise InvalidValueError(
            f"shares must lie above 0 and some customer be counted; found {parts.tolist()} and "
            f"{counts.tolist()}"
        )
    expected = counts.sum() * parts / parts.sum()
    return float(stats.chisquare(counts, expected).pvalue)
