"""The Pareto/NBD log-likelihood: quadrature over the time of leaving, and its derivatives."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.core.summaries import Histories
from clvmodels.estimation.likelihood import Terms, Value
from clvmodels.numerics.quadrature import decay_nodes
from clvmodels.numerics.special import log_rising, trigamma

Positions = npt.NDArray[np.intp]

R, ALPHA, S, BETA = range(4)
PAIRS = tuple((i, j) for i in range(4) for j in range(i, 4))
_MOMENTS = 1 + 4 + len(PAIRS)

_CELL_FREQUENCY = 40
"""Beyond it the integrand falls too far between a customer's times for one scale to hold it."""


def count_terms(x: Array, r: Value, alpha: Value, s: Value, beta: Value) -> Terms:
    """Logarithm of Gamma(r+x)/Gamma(r) alpha^r beta^s."""
    return Terms(
        log_rising(r, x) + r * np.log(alpha) + s * np.log(beta),
        {
            R: special.psi(r + x) - special.psi(r) + np.log(alpha),
            ALPHA: r / alpha,
            S: np.log(beta),
            BETA: s / beta,
        },
        {
            (R, R): trigamma(r + x) - trigamma(r),
            (R, ALPHA): 1 / alpha,
            (ALPHA, ALPHA): -r / alpha**2,
            (S, BETA): 1 / beta,
            (BETA, BETA): -s / beta**2,
        },
    )


def row_terms(
    x: Array, recency: Array, T: Array, r: Value, alpha: Value, s: Value, beta: Value
) -> Terms:
    """Logarithm of the bracket of the likelihood, each row by its own quadrature."""
    k, A, B = r + x, alpha + recency, beta + recency
    log_odds = np.full(x.shape, -np.inf)
    moments = np.zeros((_MOMENTS, x.size))
    for rows, u, weights, log_ends in departures(k, A, s, B, T - recency):
        parts = _parts(u, _at(A, rows), _at(B, rows))
        found = _integrate(weights, parts)
        moments[:, rows] = found
        log_odds[rows] = log_mass(found[0]) + log_ends
    gaps = np.log1p((T - recency) / A), np.log1p((T - recency) / B)
    return _terms(k, T, r, alpha, s, beta, log_odds, gaps, moments)


class Cells:
    """Customers who share few times: the integral over each stretch is taken once.

    For customers with the same frequency the integrand is the same function of time, so that the
    integral from t_x to T is a difference of two sums over the stretches between the distinct
    times of all of them. A log by days has far fewer such stretches than rows.

    Parameters
    ----------
    data : Histories
        Frequencies up to ``_CELL_FREQUENCY``.
    """

    def __init__(self, data: Histories) -> None:
        self.data = data
        times, code = np.unique(np.concatenate([data.recency, data.T]), return_inverse=True)
        counts, which = np.unique(data.frequency, return_inverse=True)
        key = np.tile(which, 2) * times.size + code
        points, position = _distinct(key, counts.size * times.size)
        self.start, self.end = position[: data.size], position[data.size :]
        group = points // times.size
        self.time = times[points % times.size]
        self.bounds = np.flatnonzero(np.diff(group, prepend=-1, append=counts.size))
        self.first = self.bounds[group]
        self.frequency = counts[group]

    @property
    def size(self) -> int:
        """Number of stretches."""
        return self.time.size

    def terms(self, r: float, alpha: float, s: float, beta: float) -> Iterable[tuple[Terms, Array]]:
        """Yield terms and weights of parts of the rows."""
        later = self._moments_after(r, alpha, s, beta)
        origin = self.time[self.first]
        for at in range(0, self.data.size, 16_384):
            rows = slice(at, at + 16_384)
            start, end = self.start[rows], self.end[rows]
            moments = (later[start] - later[end]).T
            x, T = self.data.frequency[rows], self.data.T[rows]
            k, A, B = r + x, alpha + origin[start], beta + origin[start]
            gaps = np.log((alpha + T) / A), np.log((beta + T) / B)
            log_odds = log_mass(moments[0]) + np.log(s / B) + k * gaps[0] + s * gaps[1]
            yield _terms(k, T, r, alpha, s, beta, log_odds, gaps, moments), self.data.weight[rows]

    def _moments_after(self, r: float, alpha: float, s: float, beta: float) -> Array:
        """Moments of the integrand from each time to the last of its frequency; (points, 15)."""
        moments = np.zeros((self.size, _MOMENTS))
        low = self.time[:-1]
        origin = self.time[self.first[:-1]]
        inside = self.first[:-1] == self.first[1:]
        length = np.where(inside, self.time[1:] - low, 0.0)
        k, A, B = r + self.frequency[:-1], alpha + low, beta + low
        power = np.full(low.shape, s + 1)
        for rows, u, weights in decay_nodes(k, A, power, B, length, cut=False):
            since = u + (low - origin)[rows, None]
            parts = _parts(since, (alpha + origin)[rows, None], (beta + origin)[rows, None])
            weights *= np.exp(-k[rows, None] * parts[0] - (s + 1) * parts[2])
            moments[rows] = _integrate(weights, parts).T
        for begin, finish in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            # Summed from the end, where the integrand is smallest.
            block = moments[begin:finish]
            block[:] = np.cumsum(block[::-1], axis=0)[::-1]
        return moments


def shared_times(data: Histories) -> tuple[Cells | None, Histories]:
    """Put the rows that :class:`Cells` makes cheaper into them; return them and the others."""
    few = data.frequency <= _CELL_FREQUENCY
    if np.count_nonzero(few) >= 5000:
        low = data.rows(np.flatnonzero(few))
        times = np.unique(np.concatenate([low.recency, low.T])).size
        if times * np.unique(low.frequency).size < 0.5 * low.size:
            return Cells(low), data.rows(np.flatnonzero(~few))
    return None, data


def _distinct(key: Positions, size: int) -> tuple[Positions, Positions]:
    """Sorted distinct keys below ``size``, and where each key stands among them."""
    used = np.zeros(size, dtype=np.bool_)
    used[key] = True
    rank = np.cumsum(used) - 1
    return np.flatnonzero(used), rank[key]


def _parts(since: Array, A: Value, B: Value) -> tuple[Array, Array, Array, Array]:
    """Of these four the derivatives of the logarithm of the integrand are multiples."""
    return np.log1p(since / A), 1 / (A + since), np.log1p(since / B), 1 / (B + since)


def _integrate(weights: Array, parts: tuple[Array, Array, Array, Array]) -> Array:
    """Mass, means and products of the parts, not yet divided by the mass; (15, rows)."""
    found = np.empty((_MOMENTS, weights.shape[0]))
    found[0] = weights.sum(axis=1)
    weighted = [weights * part for part in parts]
    for i in range(4):
        found[1 + i] = weighted[i].sum(axis=1)
    for place, (i, j) in enumerate(PAIRS):
        found[5 + place] = np.einsum("ij,ij->i", weighted[i], parts[j])
    return found


def _terms(
    k: Array,
    T: Array,
    r: Value,
    alpha: Value,
    s: Value,
    beta: Value,
    log_odds: Array,
    gaps: tuple[Array, Array],
    moments: Array,
) -> Terms:
    """Logarithm of the bracket, from the odds of having left and the moments of when."""
    mass = np.where(moments[0] > 0, moments[0], 1.0)
    first = moments[1:5] / mass
    second = dict(zip(PAIRS, moments[5:] / mass, strict=True))
    end_a, end_b = 1 / (alpha + T), 1 / (beta + T)
    left = special.expit(log_odds)
    bend = left * (1 - left)
    scale = (-1.0, -k, -1.0, -(s + 1))
    slope = (
        gaps[0] - first[0],
        k * (end_a - first[1]),
        1 / s + gaps[1] - first[2],
        s * end_b - (s + 1) * first[3],
    )
    curve = {(i, j): scale[i] * scale[j] * (second[i, j] - first[i] * first[j]) for i, j in PAIRS}
    curve[R, ALPHA] += end_a - first[1]
    curve[ALPHA, ALPHA] += k * (second[1, 1] - end_a**2)
    curve[S, S] += -1 / (s * s)
    curve[S, BETA] += end_b - first[3]
    curve[BETA, BETA] += (s + 1) * second[3, 3] - s * end_b**2
    hessian = {(i, j): left * entry + bend * slope[i] * slope[j] for (i, j), entry in curve.items()}
    hessian[R, ALPHA] -= end_a
    hessian[ALPHA, ALPHA] += k * end_a**2
    hessian[S, BETA] -= end_b
    hessian[BETA, BETA] += s * end_b**2
    log_end_a, log_end_b = np.log(alpha + T), np.log(beta + T)
    return Terms(
        -k * log_end_a - s * log_end_b + np.logaddexp(0.0, log_odds),
        {
            R: left * slope[0] - log_end_a,
            ALPHA: left * slope[1] - k * end_a,
            S: left * slope[2] - log_end_b,
            BETA: left * slope[3] - s * end_b,
        },
        hessian,
    )


def departures(
    k: Array, A: Value, s: Value, B: Value, length: Array
) -> Iterable[tuple[Positions, Array, Array, Array]]:
    """Nodes of the integral over the time u after the last purchase at which she left.

    Yields rows, u, weights with the integrand (1+u/A)^-k (1+u/B)^-(s+1) in them, and what to add
    to the logarithm of their sum for the odds of having left against being alive.
    """
    k, A, s, B, length = np.broadcast_arrays(k, A, s, B, length)
    for rows, u, weights in decay_nodes(k, A, s + 1, B, length):
        a, b = A[rows, None], B[rows, None]
        order, power = k[rows, None], s[rows, None]
        weights *= np.exp(-order * np.log1p(u / a) - (power + 1) * np.log1p(u / b))
        log_ends = (
            np.log(s[rows] / B[rows])
            + k[rows] * np.log1p(length[rows] / A[rows])
            + s[rows] * np.log1p(length[rows] / B[rows])
        )
        yield rows, u, weights, log_ends


def _at(values: Value, rows: Positions) -> Value:
    return values[rows, None] if isinstance(values, np.ndarray) else values


def log_mass(mass: Array) -> Array:
    """Logarithm of a mass; minus infinity of none."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(mass))
