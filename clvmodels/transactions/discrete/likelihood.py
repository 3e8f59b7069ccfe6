"""The BG/BB likelihood: alive at the last occasion, or gone at one since the last purchase."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.estimation.likelihood import Terms, Value
from clvmodels.numerics.special import trigamma

ALPHA, BETA, GAMMA, DELTA = range(4)
_ELEMENTS = 200_000


def row_terms(x: Array, last: Array, n: Array, parameters: list[Value]) -> Terms:
    """Log-likelihood by row and its derivatives (Fader, Hardie and Shang 2010, equation 5).

    Parameters
    ----------
    x, last, n : ndarray, shape (rows,)
        Purchases, occasion of the last one, occasions.
    parameters : list of ndarray of shape (rows,) or float
        alpha, beta, gamma, delta.
    """
    width = 2 + int((n - last).max(initial=0.0))
    parts = np.array_split(np.arange(n.size), 1 + n.size * width // _ELEMENTS)
    found = [
        _terms(x[rows], last[rows], n[rows], [_rows(value, rows) for value in parameters])
        for rows in parts
    ]
    return Terms(
        np.concatenate([terms.value for terms in found]),
        {i: np.concatenate([terms.gradient[i] for terms in found]) for i in range(4)},
        {
            pair: np.concatenate([terms.hessian[pair] for terms in found])
            for pair in found[0].hessian
        },
    )


def log_ways(
    x: Array, last: Array, n: Array, parameters: list[Value]
) -> tuple[Array, Array, Array]:
    """Ln probability of every way in which a history comes about.

    Returns
    -------
    log_probability, seen, gone : ndarray, shape (rows, ways)
        In the first way she is alive at the last occasion; in the others she has left after
        ``seen`` of them, at or after the last purchase (ln 0 beyond the occasions there were).
        ``gone`` is 1 where she has left.
    """
    alpha, beta, gamma, delta = (np.reshape(value, (-1, 1)) for value in parameters)
    x, last, n = x[:, None], last[:, None], n[:, None]
    ways = np.arange(int((n - last).max(initial=0.0)) + 1.0) - 1
    alive = ways < 0
    seen = np.where(alive, n, np.minimum(last + ways, n))
    gone = np.broadcast_to(np.where(alive, 0.0, 1.0), seen.shape)
    log_probability = (
        special.betaln(alpha + x, beta + seen - x)
        - special.betaln(alpha, beta)
        + special.betaln(gamma + gone, delta + seen)
        - special.betaln(gamma, delta)
    )
    possible = alive | (last + ways < n)
    return np.where(possible, log_probability, -np.inf), seen, gone


def _terms(x: Array, last: Array, n: Array, parameters: list[Value]) -> Terms:
    log_probability, seen, gone = log_ways(x, last, n, parameters)
    value = special.logsumexp(log_probability, axis=1)
    share = np.exp(log_probability - value[:, None])
    alpha, beta, gamma, delta = (np.reshape(value, (-1, 1)) for value in parameters)
    x = x[:, None]
    slopes: list[Array] = []
    curves: dict[tuple[int, int], Array] = {}
    for one, other, added_one, added_other in (
        (alpha, beta, x, seen - x),
        (gamma, delta, gone, seen),
    ):
        whole, added = one + other, added_one + added_other
        of_sum = special.psi(whole) - special.psi(whole + added)
        of_sum_2 = trigamma(whole) - trigamma(whole + added)
        i = len(slopes)
        curves[i, i + 1] = of_sum_2
        for k, (base, more) in enumerate(((one, added_one), (other, added_other))):
            slopes.append(of_sum + special.psi(base + more) - special.psi(base))
            curves[i + k, i + k] = of_sum_2 + trigamma(base + more) - trigamma(base)
    gradient = {i: np.einsum("ij,ij->i", share, slope) for i, slope in enumerate(slopes)}
    hessian = {}
    for i in range(4):
        for j in range(i, 4):
            bend = slopes[i] * slopes[j] + curves.get((i, j), 0.0)
            hessian[i, j] = np.einsum("ij,ij->i", share, bend) - gradient[i] * gradient[j]
    return Terms(value, gradient, hessian)


def _rows(value: Value, rows: npt.NDArray[np.intp]) -> Value:
    return value[rows] if isinstance(value, np.ndarray) and value.size > 1 else value
