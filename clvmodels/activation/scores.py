"""RFM scores, 1 to 5: recency, frequency and monetary value by limits given or found as quantiles.

Hughes (1994), "Strategic Database Marketing", cuts customers into fifths; what is open there is who
scores what where many share a value. Here equal values always get equal scores (see
:func:`rfm_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from clvmodels.core.arguments import numbers
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError, MissingColumnError

SCORES = 5
"""The best score; the worst is 1."""

Scores = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RfmLimits:
    """Values that scores rise, or fall, behind.

    Attributes
    ----------
    recency : tuple of 4 floats
        Days since the last purchase: 5 up to the first, 1 beyond the last.
    frequency : tuple of 4 floats
        Repeat purchases: 1 up to the first, 5 beyond the last.
    monetary : tuple of 4 floats
        Value to date, in currency; as frequency.
    """

    recency: tuple[float, ...]
    frequency: tuple[float, ...]
    monetary: tuple[float, ...]


def limit_ranks(customers: int) -> list[int]:
    """Ranks from the lowest value, 1 for it, whose values are the limits of fifths.

    More than the k-th limit has who has at least k fifths of the customers strictly below.
    """
    return [-(-k * customers // SCORES) for k in range(1, SCORES)]


def quantile_limits(values: ArrayLike) -> tuple[float, ...]:
    """Return the four limits that cut values into fifths, ascending; equal where many tie.

    Parameters
    ----------
    values : array_like, shape (n,)

    Raises
    ------
    InvalidValueError
        If there is none, or one is missing or not finite.
    """
    given = _finite(values, "values")
    if given.size == 0:
        raise InvalidValueError("quantiles of no values were asked for; give at least one")
    rising = np.sort(given)
    return tuple(float(rising[rank - 1]) for rank in limit_ranks(given.size))


def score(values: ArrayLike, limits: Sequence[float], *, high_is_good: bool = True) -> Scores:
    """Score values by four limits: one more, or one less, for each limit that is exceeded.

    Returns
    -------
    ndarray of int, shape (n,)
        From 1 to 5.
    """
    exceeded = np.searchsorted(np.asarray(limits, float), _finite(values, "values"), side="left")
    return np.asarray(1 + exceeded if high_is_good else SCORES - exceeded, dtype=np.int64)


def rfm_scores(
    table: pd.DataFrame,
    *,
    recency: str = "days_since_last",
    frequency: str = "frequency",
    monetary: str = "monetary_value",
    limits: RfmLimits | None = None,
) -> pd.DataFrame:
    """Score customers for recency, frequency and monetary value.

    Parameters
    ----------
    table : DataFrame
        One row a customer.
    recency, frequency, monetary : str
        Its columns of days since the last purchase, of purchases and of value. ``recency`` of an
        RFM summary is something else: the days from first to last purchase.
    limits : RfmLimits, optional
        By default the quantiles of the table.

    Returns
    -------
    DataFrame
        r_score, f_score, m_score, from 1 to 5, in the table's order and with its index.

    Raises
    ------
    MissingColumnError
        If the table lacks one of the columns.
    InvalidValueError
        If a value is missing or not finite, or the table is empty and no limits are given.

    Notes
    -----
    By quantiles, f and m are 1 + the whole fifths of the customers who have strictly less; r is
    5 - the whole fifths who bought strictly later. So equal values get equal scores; those who
    bought least often, or least, score 1, however many they are, and those who bought last score 5.
    Scores between may be empty: where seven of ten never came back, f is 1 for these and 4 or 5 for
    the others.
    """
    names = [recency, frequency, monetary]
    missing = [name for name in names if name not in table]
    if missing:
        raise MissingColumnError("the table of customers", missing, list(table.columns))
    r, f, m = (_finite(table[name], name) for name in names)
    used = limits or RfmLimits(*(quantile_limits(values) for values in (r, f, m)))
    return pd.DataFrame(
        {
            "r_score": score(r, used.recency, high_is_good=False),
            "f_score": score(f, used.frequency),
            "m_score": score(m, used.monetary),
        },
        index=table.index,
    )


def _finite(values: ArrayLike, what: str) -> Array:
    given = numbers(values, what)
    bad = np.flatnonzero(~np.isfinite(given))
    if bad.size:
        raise InvalidValueError(
            f"{what} must be finite numbers; found {given.flat[bad[0]]} in row {bad[0]} and "
            f"{bad.size} such in all. Leave these customers out, or give them a value"
        )
    return given
