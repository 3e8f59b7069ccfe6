r"""Intervals for outcomes with heavy tails: the studentised bootstrap.

Customers are drawn again within their cell; each draw gives t* = (d* - d) / se*, and the interval
is from d - t*(1 - α/2) se to d - t*(α/2) se. It knows the skewness that Student's t leaves out,
but nothing of what no customer of a cell has done: where few of them did anything, it is too sure
of itself, and Student's interval is the wider one.
Slopes of covariates are held: what is drawn are adjusted outcomes.

References
----------
Efron and Tibshirani (1993), "An Introduction to the Bootstrap", section 12.5; Hall (1988), Annals
of Statistics 16(3): studentised intervals are correct to the second order.
Kohavi, Deng, Longbotham and Xu (2014), "Seven rules of thumb for web site experimenters", KDD,
rule 7: a mean is near enough to normal from 355 skewness² customers a variant on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from clvmodels.core.arguments import probability, whole_number
from clvmodels.core.arrays import Array
from clvmodels.experiments.cells import CellMeans
from clvmodels.experiments.contrasts import Contrast
from clvmodels.experiments.effects import Effect

LEAST_SPREAD = 1e-9
"""Of outcomes, beside the largest: what lies below is rounding."""

PER_SKEWNESS = 355
"""Customers a cell needs for each unit of squared skewness (Kohavi et al. 2014, rule 7)."""

LEAST_DRAWS = 1999
BEYOND = 5
"""Draws that shall lie beyond each end of an interval."""

AT_ONCE = 4_000_000
"""Customers drawn at once; memory is bounded by it."""


def has_heavy_tails(cells: CellMeans, contrast: Contrast) -> bool:
    """Whether some cell of a contrast is too small for the skewness of its outcomes."""
    for k in np.flatnonzero(contrast.weights):
        values = cells.adjusted[cells.cell == k]
        if np.ptp(values) <= LEAST_SPREAD * float(np.abs(values).max()):
            continue
        if values.size < PER_SKEWNESS * float(stats.skew(values)) ** 2:
            return True
    return False


def draws_for(level: float) -> int:
    """Return how many draws an interval of a level needs."""
    tail = (1 - probability(level)) / 2
    return max(LEAST_DRAWS, math.ceil(round(BEYOND / tail, 6)) - 1)


def studentised_draws(
    cells: CellMeans, contrasts: Sequence[Contrast], draws: int, random_state: int
) -> Array:
    """Draw customers again and return t* of every contrast.

    Returns
    -------
    ndarray, shape (draws, len(contrasts))
        Infinite where a draw differs and has no spread.
    """
    whole_number(draws, "draws", 1)
    rng = np.random.default_rng(random_state)
    count = len(cells.customers)
    means, variances = np.zeros((draws, count)), np.zeros((draws, count))
    for k in range(count):
        values = cells.adjusted[cells.cell == k]
        # About its mean, so that squares lose no digits.
        values = values - cells.means[k]
        rows = max(1, AT_ONCE // values.size)
        for start in range(0, draws, rows):
            some = slice(start, min(start + rows, draws))
            shape = (some.stop - start, values.size)
            drawn = values.take(rng.integers(0, values.size, shape, dtype=np.int32))
            means[some, k] = drawn.mean(axis=1)
            squares = np.einsum("ij,ij->i", drawn, drawn) / values.size - means[some, k] ** 2
            variances[some, k] = np.maximum(squares, 0.0) / (values.size - 1)
    weights = np.stack([contrast.weights for contrast in contrasts], axis=1)
    off, error = means @ weights, np.sqrt(variances @ weights**2)
    none = error <= LEAST_SPREAD * float(np.abs(off).max(initial=0.0))  # rounding of squares
    beyond = np.where(off == 0, 0.0, np.copysign(np.inf, off))
    return np.where(none, beyond, np.divide(off, error, out=np.zeros_like(off), where=~none))


def bootstrap_interval(effect: Effect, draws: Array, level: float) -> tuple[float, float]:
    """Return the ends of a studentised interval.

    Parameters
    ----------
    draws : ndarray, shape (draws,)
        t* of the contrast, of :func:`studentised_draws`.
    level : float
    """
    if not effect.is_told:
        return float("nan"), float("nan")
    tail = (1 - probability(level)) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="inverted_cdf")
    return (
        effect.estimate - float(high) * effect.standard_error,
        effect.estimate - float(low) * effect.standard_error,
    )


def bootstrap_p_value(effect: Effect, draws: Array) -> float:
    """Return the two-sided p-value of no effect, never below 2 / (draws + 1)."""
    if not effect.is_told:
        return float("nan")
    found = effect.estimate / effect.standard_error
    side = min(int((draws >= found).sum()), int((draws <= found).sum()))
    return min(1.0, 2 * (side + 1) / (draws.size + 1))
