"""(actual, forecast) -> scores. Arrays in, one number out; ``nan`` where a score is undefined."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clvmodels.core.arguments import numbers
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError


def _pair(actual: ArrayLike, forecast: ArrayLike) -> tuple[Array, Array]:
    a, f = numbers(actual, "actual"), numbers(forecast, "forecast")
    if a.shape != f.shape or a.ndim != 1:
        raise InvalidValueError(
            f"actual and forecast must be vectors of one length; found shapes {a.shape}, {f.shape}"
        )
    bad = ~(np.isfinite(a) & np.isfinite(f))
    if bad.any():
        raise InvalidValueError(
            f"actual and forecast must be finite; {int(bad.sum())} of {a.size} pairs are not, "
            f"the first at position {int(np.argmax(bad))}"
        )
    return a, f


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def wape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Weighted absolute percentage error: sum of |forecast - actual| / sum of actual."""
    a, f = _pair(actual, forecast)
    return _share(float(np.abs(f - a).sum()), float(a.sum()))


def bias(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Relative error of the total: (sum of forecast - sum of actual) / sum of actual."""
    a, f = _pair(actual, forecast)
    return _share(float(f.sum() - a.sum()), float(a.sum()))


def mae(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean absolute error, in the unit of the input."""
    a, f = _pair(actual, forecast)
    return float(np.abs(f - a).mean()) if a.size else float("nan")


def rmse(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Root mean squared error, in the unit of the input."""
    a, f = _pair(actual, forecast)
    return float(np.sqrt(np.square(f - a).mean())) if a.size else float("nan")


def coverage(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of actuals inside their interval, ends included."""
    a, lower = _pair(actual, low)
    _, upper = _pair(actual, high)
    return float(((lower <= a) & (a <= upper)).mean()) if a.size else float("nan")


def gini(actual: ArrayLike, forecast: ArrayLike) -> float:
    """How well the forecast ranks the actual, from 0 (no better than chance) to 1 (perfect).

    The area between the concentration curve of the actual, customers ordered by forecast, and
    the diagonal, over the same area with customers ordered by the actual itself. Customers with
    equal forecasts share their mean actual, so the order of rows does not matter.
    """
    a, f = _pair(actual, forecast)
    return _share(_concentration(a, f), _concentration(a, a))


def _concentration(actual: Array, order_by: Array) -> float:
    """Area between the concentration curve and the diagonal; ties are averaged."""
    total = actual.sum()
    if total <= 0:
        return 0.0
    _, group = np.unique(-order_by, return_inverse=True)
    size = np.bincount(group)
    mass = np.bincount(group, weights=actual)
    x = np.concatenate([[0.0], np.cumsum(size) / actual.size])
    y = np.concatenate([[0.0], np.cumsum(mass) / total])
    return float(np.trapezoid(y, x) - 0.5)
