r"""How many customers an effect needs, and which effect so many customers would show.

Of N customers in cells of shares sₖ and one standard deviation σ, an effect Σ cₖ mₖ has the
standard error σ √(Σ cₖ² / (N sₖ)); its t statistic is noncentral with δ over that.

References
----------
Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", chapter 2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from clvmodels.core.arguments import number, numbers, probability
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.experiments.contrasts import Contrast

MOST_CUSTOMERS = 1e12


def power_of(
    effect: float,
    deviation: float,
    customers: float,
    contrast: Contrast,
    shares: ArrayLike,
    alpha: float,
) -> float:
    """Return the probability that a two-sided test finds an effect.

    Parameters
    ----------
    effect : float
        True effect, in the unit of the outcome.
    deviation : float
        Standard deviation of outcomes within a cell: of adjusted ones, where they will be.
    customers : float
        In all cells together.
    contrast : Contrast
    shares : array_like, shape (k,)
        Of the customers by cell; brought to a sum of 1.
    alpha : float
        Level of the test, already divided by the number of comparisons.
    """
    parts = _shares(shares, contrast)
    spread = _positive(deviation, "deviation")
    probability(alpha, "alpha")
    freedom = customers - parts.size
    if freedom <= 0:
        return alpha
    error = spread * math.sqrt(_load(contrast, parts) / customers)
    return _found(abs(number(effect, "effect")) / error, freedom, alpha)


def _found(shift: float, freedom: float, alpha: float) -> float:
    """Probability that |t| lies beyond its two-sided limit, t noncentral by ``shift``."""
    beyond = stats.t.isf(alpha / 2, freedom)
    if shift > 40 + beyond:  # where the noncentral t is 1 to the last digit, and slow
        return 1.0
    found = stats.nct.sf(beyond, freedom, shift) + stats.nct.cdf(-beyond, freedom, shift)
    return float(found) if math.isfinite(found) else float(stats.norm.sf(beyond - shift))


def customers_needed(
    effect: float,
    deviation: float,
    contrast: Contrast,
    shares: ArrayLike,
    alpha: float,
    power: float,
) -> int:
    """Return the fewest customers, in all cells together, that find an effect with some power.

    Raises
    ------
    InvalidValueError
        If the effect is 0, or so small that no number of customers shows it.
    """
    probability(power, "power")
    if not abs(number(effect, "effect")) > 0:
        raise InvalidValueError("the effect to be found must not be 0; name the least that matters")
    low = _shares(shares, contrast).size + 1

    def enough(customers: float) -> bool:
        return power_of(effect, deviation, customers, contrast, shares, alpha) >= power

    high = low
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_CUSTOMERS:
            raise InvalidValueError(
                f"an effect of {effect:g} is too small beside a deviation of {deviation:g}: more "
                "customers would be needed than there are people"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def detectable_effect(
    deviation: float,
    customers: float,
    contrast: Contrast,
    shares: ArrayLike,
    alpha: float,
    power: float,
) -> float:
    """Return the least effect that so many customers find with some power; NaN for too few."""
    parts = _shares(shares, contrast)
    if customers - parts.size <= 0:
        return float("nan")
    error = _positive(deviation, "deviation") * math.sqrt(_load(contrast, parts) / customers)
    return least_found(error, customers - parts.size, alpha, power)


def least_found(standard_error: float, freedom: float, alpha: float, power: float) -> float:
    """Return the least true effect that an estimate of this error finds with some power."""
    probability(alpha, "alpha")
    probability(power, "power")
    high = 2.0
    while _found(high, freedom, alpha) < power:
        high *= 2
    shift = optimize.brentq(lambda x: _found(x, freedom, alpha) - power, 0.0, high, xtol=1e-10)
    return float(shift) * standard_error


def _load(contrast: Contrast, shares: Array) -> float:
    return float((contrast.weights**2 / shares).sum())


def _shares(shares: ArrayLike, contrast: Contrast) -> Array:
    parts = numbers(shares, "shares")
    if parts.shape != contrast.weights.shape or not np.all(parts > 0):
        raise InvalidValueError(
            f"shares must lie above 0, one for each of {contrast.weights.size} cells; found "
            f"{parts.tolist()}"
        )
    return np.asarray(parts / parts.sum())


def _positive(value: float, name: str) -> float:
    if not number(value, name) > 0:
        raise InvalidValueError(f"{name} must lie above 0; found {value}")
    return float(value)
