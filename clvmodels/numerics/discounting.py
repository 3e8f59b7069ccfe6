"""What a stream of purchases that dies away is worth today."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from clvmodels.core.arrays import Array
from clvmodels.numerics.quadrature import beta_nodes, panels
from clvmodels.numerics.special import unique_rows

_CHUNK = 4096


def discounted_until_dropout(
    k: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike
) -> Array:
    r"""Discounted expected purchases without end, when each one may be the last.

    As :func:`purchases_until_dropout` for an unlimited period, each purchase discounted at the
    continuous rate c per unit of the scale of the purchase rate:

    .. math:: E\left[\frac{\lambda}{\lambda p + c}\right]
              = \int_0^1 \frac{k}{p} e^{c/p} E_{k+1}(c/p)\, \mathrm{Beta}(p; a, b)\, dp .

    Parameters
    ----------
    k, a, b, c : array_like, positive

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    k, a, b, c = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (k, a, b, c)))
    shape = k.shape
    k, a, b, c = k.ravel(), a.ravel(), b.ravel(), c.ravel()
    groups = unique_rows(k, a, b)
    if groups is None:
        return _discounted_integral(k, a, b, c).reshape(shape)
    distinct, position = groups
    total = np.empty(k.size)
    order = np.argsort(position, kind="stable")
    starts = np.cumsum(np.bincount(position))[:-1]
    for one_k, one_a, one_b, rows in zip(*distinct, np.split(order, starts), strict=True):
        shapes = float(one_k), float(one_a), float(one_b)

        def of_rate(rate: Array, shapes: tuple[float, float, float] = shapes) -> Array:
            k, a, b = (np.full(rate.shape, shape) for shape in shapes)
            return _discounted_integral(k, a, b, rate)

        total[rows] = interpolate(of_rate, c[rows])
    return total.reshape(shape)


def _discounted_integral(k: Array, a: Array, b: Array, c: Array) -> Array:
    total = np.zeros(k.size)
    for part in np.array_split(np.arange(k.size), max(1, k.size // 64)):
        if part.size == 0:
            continue
        order, rate = k[part], c[part]
        p, weights, at_0, at_1 = beta_nodes(a[part], b[part], (order + 1) / rate)
        inside = scaled_exponential_integral(order[:, None] + 1, rate[:, None] / p) / p
        ends = at_0 / rate + at_1 * scaled_exponential_integral(order + 1, rate)
        total[part] = order * (np.einsum("ij,ij->i", weights, inside) + ends)
    return total


def interpolate(function: Callable[[Array], Array], points: Array) -> Array:
    """Evaluate a positive function of a positive number, smooth in its logarithm, at many points.

    Chebyshev interpolation of ln f in ln x, of a degree that is exact to double precision for
    functions whose singularities all have x <= 0, as those here.
    """
    low, high = np.log(points.min()), np.log(points.max())
    span = max(high - low, 1e-6)
    reach = 2 * np.pi / span
    degree = 4 + int(np.ceil(37 / np.log(reach + np.hypot(1, reach))))
    if points.size <= degree:
        return function(points)
    nodes = np.polynomial.chebyshev.chebpts1(degree + 1)
    values = np.log(function(np.exp(low + span * (nodes + 1) / 2)))
    series = np.polynomial.chebyshev.chebfit(nodes, values, degree)
    place = np.clip(2 * (np.log(points) - low) / span - 1, -1, 1)
    return np.asarray(np.exp(np.polynomial.chebyshev.chebval(place, series)))


def scaled_exponential_integral(order: npt.ArrayLike, c: npt.ArrayLike) -> Array:
    r"""Return e^c E_order(c) = int_0^inf e^(-c v) (1 + v)^(-order) dv, order of any real value.

    It is what a perpetuity that decays as (1 + v)^-order is worth at the discount rate c.

    Parameters
    ----------
    order : array_like, not negative
    c : array_like, positive

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    order, c = np.broadcast_arrays(np.asarray(order, dtype=float), np.asarray(c, dtype=float))
    shape = order.shape
    order, c = order.ravel(), c.ravel()
    value = np.empty(order.size)
    large = c * (1 + order) > 4.0
    value[large] = _exponential_integral_fraction(order[large], c[large])
    for part in np.array_split(np.flatnonzero(~large), max(1, np.sum(~large) // _CHUNK)):
        value[part] = _exponential_integral_panels(order[part], c[part])
    return value.reshape(shape)


def _exponential_integral_fraction(order: Array, c: Array) -> Array:
    # Abramowitz and Stegun 5.1.22 in its even form, by the modified Lentz algorithm
    b = c + order
    d = 1 / b
    value, ratio = d.copy(), 1e300 * np.ones_like(b)
    for i in range(1, 400):
        a = -i * (order + (i - 1))
        b = b + 2
        d = 1 / (b + a * d)
        ratio = b + a / ratio
        step = ratio * d
        value = value * step
        if np.all(np.abs(step - 1) < 2e-16):
            break
    return value


def _exponential_integral_panels(order: Array, c: Array) -> Array:
    # In y = ln(1 + v) the integrand is exp(-c (e^y - 1) + (1 - order) y).
    high = np.minimum(np.log1p(45.0 / c), 45.0 / np.maximum(order - 1, 1e-3))
    y, weights = panels(np.zeros(c.size), high, 16)
    integrand = np.exp(-c[:, None] * np.expm1(y) + (1 - order[:, None]) * y)
    return np.einsum("ij,ij->i", weights, integrand)
