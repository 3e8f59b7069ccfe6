"""Purchases that each take k stages of a Poisson process: counts, sums and discounted values.

A customer passes stages at the rate lambda; every k-th stage is a purchase, so that gaps between
purchases are Erlang-k. Of the gap that is under way some stages may lie behind her. With lambda
gamma distributed the stages still to come in a period are negative binomial: j of them behind her,
of shape s + j and mean (s + j) z. Nothing here is approximated but by quadrature to near double
precision, and every sum has positive terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.numerics.quadrature import beta_nodes, panels
from clvmodels.numerics.special import negative_binomial_pmf

_MOST_STAGES = 1500
_ELEMENTS = 200_000
_EXACT_TERMS = 96
_FEW_STAGES = 4
"""Up to which the probability of a count is summed over stages; beyond, it is a difference."""
_TAIL_RULE = np.polynomial.legendre.leggauss(24)


def stage_terms(k: int, s: npt.ArrayLike, u: npt.ArrayLike) -> list[Array]:
    """Weights (s)_j u^j / j! of j stages passed since the last purchase, j = 0 to k - 1.

    Their sum is the probability of no purchase since, over (1 - u)^s.

    Parameters
    ----------
    k : int
    s : array_like, positive
        Shape of the rate of stages, given the purchases.
    u : array_like, 0 to 1
        Time since the last purchase over the scale of that rate at the end of observation.
    """
    s, u = np.asarray(s, dtype=float), np.asarray(u, dtype=float)
    terms = [np.ones(np.broadcast_shapes(s.shape, u.shape))]
    for j in range(1, k):
        terms.append(terms[-1] * ((s + (j - 1)) * (u / j)))
    return terms


def purchases_in_stages(
    weights: Sequence[Array], s: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, z: npt.ArrayLike
) -> Array:
    r"""Expected purchases when each takes k stages and may be the last.

    .. math:: \sum_{n \ge 1} P(N \ge n) \frac{(b)_{n-1}}{(a + b)_{n-1}}

    with N the purchases without dropout: the whole part of (j + M) / k, where j stages are passed
    with probability ``weights[j]`` and M more follow.

    Parameters
    ----------
    weights : sequence of k array_like
        Probabilities of the stages passed; they sum to 1.
    s, a, b : array_like, positive
    z : array_like, not negative
        Length of the period over the scale of the rate.

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    s, a, b, z, *weights = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (s, a, b, z, *weights))
    )
    shape = s.shape
    s, a, b, z = s.ravel(), a.ravel(), b.ravel(), z.ravel()
    more = _more_passed([weight.ravel() for weight in weights], s)
    k = len(weights)
    total = np.zeros(s.size)
    # Stages until more are negligible: past the mean, at the geometric rate z / (1 + z).
    tail = 30 / np.log1p(1 / np.maximum(z, 1e-300))
    stages = (s + k) * z + 7.5 * np.sqrt((s + k) * z * (1 + z)) + tail + k
    short = (stages < _MOST_STAGES) & (s * np.log1p(z) < 600)
    index = np.flatnonzero(short & (z > 1e-100))
    order = index[np.argsort(stages[index])]
    for rows in _parts(order, stages):
        total[rows] = _summed(k, more[:, rows], s[rows], a[rows], b[rows], z[rows], stages[rows])
    for rows in np.array_split(np.flatnonzero(~short), max(1, np.sum(~short) // 512)):
        if rows.size:
            parts = (more[:, rows], s[rows], a[rows], b[rows], z[rows])
            total[rows] = _summed_and_integrated(k, *parts, stages[rows] / k)
    return total.reshape(shape)


def at_least(n: Array, weights: Sequence[Array], s: Array, z: Array) -> Array:
    """P(N >= n), n at least 1, of the purchases of :func:`purchases_in_stages`, of any shape."""
    n, s, z, *weights = np.broadcast_arrays(n, s, z, *weights)
    more = _more_passed(weights, s)
    return _at_least(len(weights), n, more, s, z)


def exactly(n: Array, weights: Sequence[Array], s: Array, z: Array) -> Array:
    """P(N = n) of the purchases of :func:`purchases_in_stages`, of any shape."""
    k = len(weights)
    if k > _FEW_STAGES:
        n = np.asarray(n)
        some = np.where(n > 0, at_least(np.maximum(n, 1), weights, s, z), 1.0)
        return np.asarray(np.maximum(some - at_least(n + 1, weights, s, z), 0.0))
    total = np.zeros(np.broadcast_shapes(n.shape, s.shape, z.shape, weights[0].shape))
    for j, weight in enumerate(weights):
        for stages in range(k):
            m = k * n - j + stages
            pmf = negative_binomial_pmf(np.maximum(m, 0.0), s + j, z)
            total = total + weight * np.where(m >= 0, pmf, 0.0)
    return np.where(np.asarray(z) > 0, total, n == 0)


def discounted_in_stages(
    weights: Sequence[Array], s: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike
) -> Array:
    r"""Discounted expected purchases without end, each taking k stages and maybe the last.

    With f = lambda / (lambda + delta) the discount over a stage, j stages passed and dropout p,

    .. math:: E\left[\frac{f^{k-j}}{1 - (1-p) f^k}\right].

    Parameters
    ----------
    weights, s, a, b
        As in :func:`purchases_in_stages`.
    c : array_like, positive
        Discount rate times the scale of the rate of stages.

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    s, a, b, c, *weights = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (s, a, b, c, *weights))
    )
    shape = s.shape
    s, a, b, c = s.ravel(), a.ravel(), b.ravel(), c.ravel()
    flat = [weight.ravel() for weight in weights]
    total = np.zeros(s.size)
    for rows in np.array_split(np.arange(s.size), max(1, s.size // 32)):
        if rows.size:
            of_rows = [weight[rows] for weight in flat]
            total[rows] = _discounted(of_rows, s[rows], a[rows], b[rows], c[rows])
    return total.reshape(shape)


def _more_passed(weights: Sequence[Array], s: Array) -> Array:
    """P(more than i stages passed) for i = 0 to k - 2; shape (k - 1, *shape)."""
    if len(weights) == 1:
        return np.zeros((0, *s.shape))
    return np.cumsum(np.stack(weights[:0:-1]), axis=0)[::-1]


def _parts(order: npt.NDArray[np.intp], stages: Array) -> list[npt.NDArray[np.intp]]:
    """Split rows in ascending order of their stages into parts of about the same work."""
    if not order.size:
        return []
    work = np.cumsum(stages[order])
    cuts = np.searchsorted(work, np.arange(_ELEMENTS, work[-1], _ELEMENTS))
    return [part for part in np.split(order, np.unique(cuts)) if part.size]


def _summed(k: int, more: Array, s: Array, a: Array, b: Array, z: Array, stages: Array) -> Array:
    top = int(np.ceil(stages[-1] / k)) * k
    q = z / (1 + z)
    pmf = np.empty((top + 1, s.size))
    pmf[0] = np.exp(-s * np.log1p(z))
    ratio = s * q
    for m in range(top):
        np.multiply(pmf[m], ratio, out=pmf[m + 1])
        pmf[m + 1] /= m + 1
        ratio += q
    n = np.arange(1, top // k + 1)[:, None]
    # j stages passed: I_q(kn - j, s + j) from that of j - 1 by a positive term
    step = pmf[k::k] * (k * n / (s * q)) if k > 1 else pmf[k::k]
    beyond = np.cumsum(pmf[::-1], axis=0)[::-1][k::k]
    for i in range(k - 1):
        if i:
            step = step * ((k * n - i) / ((s + i) * z))
        beyond = beyond + step * more[i]
    stayed = np.cumprod((b + (n[:-1] - 1)) / (a + b + (n[:-1] - 1)), axis=0)
    return np.asarray(beyond[0] + np.einsum("ij,ij->j", beyond[1:], stayed))


def _at_least(k: int, n: Array, more: Array, s: Array, z: Array) -> Array:
    q = z / (1 + z)
    total = special.betainc(k * n, s, q)
    if k == 1:
        return np.asarray(total)
    m, some = k * n - 1, np.maximum(z, 1e-300)
    log_step = (
        special.gammaln(m + s + 1)
        - special.gammaln(m + 1)
        - special.gammaln(s + 1)
        + m * (np.log(some) - np.log1p(z))
        - s * np.log1p(z)
    )
    for i in range(k - 1):
        if i:
            log_step = log_step + np.log(k * n - i) - np.log(s + i) - np.log(some)
        total = total + np.where(z > 0, np.exp(log_step), 0.0) * more[i]
    return np.asarray(np.minimum(total, 1.0))


def _summed_and_integrated(
    k: int, more: Array, s: Array, a: Array, b: Array, z: Array, last: Array
) -> Array:
    """The first terms one by one, the rest by the Euler-Maclaurin midpoint rule."""

    def term(n: Array) -> Array:
        log_stayed = special.betaln(a[:, None], b[:, None] + n - 1) - special.betaln(a, b)[:, None]
        beyond = _at_least(k, n, more[:, :, None], s[:, None], z[:, None])
        return np.asarray(beyond * np.exp(log_stayed))

    n = np.arange(1.0, _EXACT_TERMS + 2)
    terms = term(np.broadcast_to(n, (s.size, n.size)))
    total = terms[:, :-1].sum(axis=1)
    start = np.full(s.size, _EXACT_TERMS + 0.5)
    mean, spread = s * z / k, np.sqrt(s * z * (1 + z)) / k
    ends = [start]
    for width in (-8.0, -2.5, 0.0, 2.5, 8.0):
        ends.append(np.clip(mean + width * spread, start, last))
    ends.append(np.maximum(start, last))
    for low, high in pairwise(ends):
        y, widths = panels(np.log(low), np.log(np.maximum(low, high)), 2, _TAIL_RULE)
        x = np.exp(y)
        total += np.einsum("ij,ij->i", widths * x, term(x))
    return total + (terms[:, -1] - terms[:, -2]) / 24


def _discounted(weights: Sequence[Array], s: Array, a: Array, b: Array, c: Array) -> Array:
    k = len(weights)
    # In ln(lambda) the integrand falls like a power of s + k where discounting outruns purchases.
    low = np.maximum(np.log(s) - _reach(s), np.minimum(np.log(s), np.log(c)) - _reach(s + k))
    high = np.log(s + k + 40 + 9 * np.sqrt(s + k))
    y, widths = panels(low, high, 10)
    rate = np.exp(y)
    log_density = s[:, None] * y - rate - special.gammaln(s)[:, None]
    density = np.exp(log_density) * widths
    per_stage = rate / (rate + c[:, None])
    mixed, power = np.zeros_like(rate), density
    for j, weight in enumerate(weights):
        if j:
            power = power * rate / (s[:, None] + (j - 1))
        mixed += weight[:, None] * power * per_stage ** (k - j)
    # 1 - (1 - p) f^k = v + p (1 - v), with v = 1 - f^k free of cancellation
    lost = -np.expm1(-k * np.log1p(c[:, None] / rate))
    p, p_weights, at_0, at_1 = beta_nodes(a, b, 1 + s / (k * c))
    rest = 1 / (lost[:, :, None] + p[:, None, :] * (1 - lost)[:, :, None])
    inside = np.einsum("ik,ijk->ij", p_weights, rest)
    inside += at_0[:, None] / lost + at_1[:, None]
    return np.asarray(np.einsum("ij,ij->i", mixed, inside))


def _reach(shape: Array) -> Array:
    """How far below its mode the logarithm of a gamma of this shape is below double precision."""
    return 37 / shape + np.minimum(1.0, np.sqrt(74 / shape))


def mixed_gamma_moments(weights: Sequence[Array], s: Array) -> tuple[Array, Array]:
    """Mean and variance of Gamma(s + j, 1) with probability ``weights[j]``, rowwise."""
    mean = np.asarray(s + sum(j * weight for j, weight in enumerate(weights)))
    spread = sum(weight * (s + j - mean) ** 2 for j, weight in enumerate(weights))
    return mean, np.asarray(mean + spread)


def mixed_gamma_quantile(weights: Sequence[Array], s: Array, probability: float) -> Array:
    """Quantile of Gamma(s + j, 1) with probability ``weights[j]``, rowwise.

    Newton steps from the gamma distribution of the same mean and variance, held between the
    quantiles of the first and the last.

    Parameters
    ----------
    weights : sequence of ndarray, shape (n,)
    s : ndarray, shape (n,)
    probability : float
        0 to below 1.
    """
    k = len(weights)
    low = special.gammaincinv(s, probability)
    if k == 1 or probability == 0:
        return np.asarray(low)
    high = special.gammaincinv(s + (k - 1), probability)
    mean, variance = mixed_gamma_moments(weights, s)
    value = special.gammaincinv(mean * mean / variance, probability) * (variance / mean)
    for _ in range(8):
        value = np.clip(value, low, high)
        beyond, density = np.zeros_like(value), np.zeros_like(value)
        for j, weight in enumerate(weights):
            beyond += weight * special.gammaincc(s + j, value)
            log_power = special.xlogy(s + j, value) - value - special.gammaln(s + j)
            density += weight * np.exp(log_power)
        # in the logarithms of the value and of the probability beyond it
        slope = np.maximum(density, 1e-300) / np.maximum(beyond, 1e-300)
        excess = np.log(np.maximum(beyond, 1e-300) / (1 - probability))
        value = value * np.exp(np.clip(excess / slope, -0.5, 0.5))
    return np.asarray(np.clip(value, low, high))
