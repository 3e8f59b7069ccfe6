"""Special functions in the forms that neither overflow nor cancel.

The textbook expressions of the buy-till-you-die models hold Gaussian hypergeometric functions
that overflow at large frequencies and have poles where the quantity itself is finite. Here each
quantity is a sum or an integral of positive terms instead.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array, Integers
from clvmodels.numerics.quadrature import beta_nodes

_SERIES_TERMS = 3000
_CHUNK = 4096


def log1p_ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Array:
    """Return ln((numerator + denominator) / denominator) without cancellation."""
    return np.log1p(np.asarray(numerator, dtype=float) / np.asarray(denominator, dtype=float))


def log_rising(base: npt.ArrayLike, steps: npt.ArrayLike) -> Array:
    """Return ln of Gamma(base + steps) / Gamma(base), exact also where base is far the larger."""
    base, steps = np.asarray(base, dtype=float), np.asarray(steps, dtype=float)
    large = np.maximum(base, 50.0)
    top = large + steps
    stirling = (
        (top - 0.5) * np.log1p(steps / large)
        + steps * (np.log(large) - 1)
        + (_stirling_rest(top) - _stirling_rest(large))
    )
    direct = special.gammaln(base + steps) - special.gammaln(base)
    return np.asarray(np.where(base > 50, stirling, direct))


def _stirling_rest(value: Array) -> Array:
    square = value * value
    return np.asarray((1 / 12 - (1 / 360 - 1 / (1260 * square)) / square) / value)


def purchases_until_dropout(
    k: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, z: npt.ArrayLike
) -> Array:
    r"""Expected purchases when each one may be the last.

    A customer would make N purchases, N negative binomial with shape k and mean k z; after each
    she leaves for good with probability p, p ~ Beta(a, b). The expected number she makes is

    .. math:: \sum_{j \ge 0} P(N > j) \frac{(b)_j}{(a + b)_j}
              = \int_0^1 \frac{1 - (1 + p z)^{-k}}{p}\, \mathrm{Beta}(p; a, b)\, dp .

    It equals (a+b-1)/(a-1) [1 - (1+z)^-k 2F1(k, b; a+b-1; z/(1+z))], the form in the papers, whose
    poles at a = 1 and a + b = 1 neither the sum nor the integral has.

    Parameters
    ----------
    k, a, b : array_like, positive
    z : array_like, not negative
        Length of the period over the scale of the purchase rate.

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    k, a, b, z = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (k, a, b, z)))
    shape = k.shape
    k, a, b, z = k.ravel(), a.ravel(), b.ravel(), z.ravel()
    total = np.zeros(k.size)
    # Terms until P(N > j) is negligible: past the mean, at the geometric rate z / (1 + z).
    terms = k * z + 8 * np.sqrt(k * z * (1 + z)) + 40 * (1 + z)
    short = (terms < _SERIES_TERMS) & (k * np.log1p(z) < 600)
    index = np.flatnonzero(short & (z > 0))
    order = index[np.argsort(terms[index])]
    for part in np.array_split(order, max(1, order.size // _CHUNK)):
        total[part] = _dropout_series(k[part], a[part], b[part], z[part])
    rest = np.flatnonzero(~short)
    for part in np.array_split(rest, max(1, rest.size // 256)):
        total[part] = _dropout_integral(k[part], a[part], b[part], z[part])
    return total.reshape(shape)


def _dropout_series(k: Array, a: Array, b: Array, z: Array) -> Array:
    w = z / (1 + z)
    log_none = -k * np.log1p(z)
    probability = np.exp(log_none)  # P(N = j)
    beyond = -np.expm1(log_none)  # P(N > j)
    survival = np.ones_like(k)  # E[(1 - p)^j]
    total = beyond.copy()
    leave = a + b
    for j in range(2 * _SERIES_TERMS):
        probability = probability * ((k + j) * (w / (j + 1)))
        beyond = beyond - probability
        survival = survival * ((b + j) / (leave + j))
        term = beyond * survival
        total += term
        if j % 8 == 7:
            ratio = np.maximum(w, w * (k + j) / (j + 1))
            if np.all((ratio < 1) & (term * ratio < 1e-15 * (1 - ratio) * total)):
                break
            np.maximum(beyond, 0.0, out=beyond)
    return total


def _dropout_integral(k: Array, a: Array, b: Array, z: Array) -> Array:
    if k.size == 0:
        return np.zeros(0)
    p, weights, at_0, at_1 = beta_nodes(a, b, k * z + z)
    integrand = -np.expm1(-k[:, None] * np.log1p(p * z[:, None])) / p
    inside = np.einsum("ij,ij->i", weights, integrand)
    return inside + at_0 * k * z - at_1 * np.expm1(-k * np.log1p(z))


def negative_binomial_pmf(n: npt.ArrayLike, k: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    """P(N = n) of the negative binomial with shape k and mean k z; 0 to 1, any shape."""
    n, k, z = (np.asarray(value, dtype=float) for value in (n, k, z))
    log_pmf = (
        special.gammaln(k + n)
        - special.gammaln(k)
        - special.gammaln(n + 1)
        - k * np.log1p(z)
        + special.xlogy(n, z)
        - special.xlog1py(n, z)
    )
    return np.asarray(np.exp(log_pmf))


def trigamma(value: npt.ArrayLike) -> Array:
    """Second derivative of the log-gamma function."""
    return np.asarray(special.polygamma(1, value))


def symmetric_root(covariance: Array) -> Array:
    """Return the symmetric square root of a covariance, shape (k, k), by which normals are drawn.

    Axes of about the same variance turn with the last digit of a covariance, and so would draws
    along them; this root does not, so that seeded draws are the same on every machine.
    """
    values, axes = np.linalg.eigh(covariance)
    return np.asarray((axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T)


def draw_geometric(p: Array, rng: np.random.Generator) -> Integers:
    """Trials until the first success; astronomically many where p is all but 0."""
    return rng.geometric(np.maximum(p, 1e-15))


def draw_poisson(mean: Array, rng: np.random.Generator) -> Integers:
    """Poisson counts; means beyond what an integer holds are cut."""
    return rng.poisson(np.minimum(mean, 1e18))


def unique_rows(*columns: Array) -> tuple[list[Array], npt.NDArray[np.intp]] | None:
    """Find the distinct rows of some columns, or None where looking is not worth it.

    Returns
    -------
    distinct : list of ndarray, shape (m,)
    position : ndarray of int, shape (n,)
        ``distinct[c][position]`` gives back column c.
    """
    if columns[0].size < 2000:
        return None
    key = np.zeros(columns[0].size, dtype=np.int64)
    size = 1
    for column in columns:
        code, levels = _codes(column)
        if size * levels > 4 * max(columns[0].size, 1_000_000):
            return None
        key = key * levels + code
        size *= levels
    first = np.full(size, -1, dtype=np.intp)
    first[key[::-1]] = np.arange(key.size - 1, -1, -1)
    used = np.flatnonzero(first >= 0)
    position = np.empty(size, dtype=np.intp)
    position[used] = np.arange(used.size)
    return [column[first[used]] for column in columns], position[key]


def _codes(column: Array) -> tuple[Integers, int]:
    low, high = column.min(), column.max()
    if high - low < 1_000_000:
        code = (column - low).astype(np.int64)
        if np.array_equal(code + low, column):
            return code, int(high - low) + 1
    values, inverse = np.unique(column, return_inverse=True)
    return inverse.astype(np.int64), values.size
