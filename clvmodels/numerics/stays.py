"""How long one stays who leaves at each occasion with a probability that is Beta distributed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.numerics.quadrature import beta_nodes
from clvmodels.numerics.special import log_rising

_NEAR_POLE = 1e-4
_CHUNK = 256


def expected_stays(a: npt.ArrayLike, b: npt.ArrayLike, t: npt.ArrayLike) -> Array:
    r"""Expected number of the next t occasions that one stays for.

    .. math:: \sum_{i=1}^{t} \frac{(b)_i}{(a + b)_i}
              = \frac{b}{a-1} \left[1 - \frac{(b+1)_t}{(a+b)_t}\right],

    computed without the pole at a = 1.

    Parameters
    ----------
    a, b : array_like, positive
        Of the probability of leaving.
    t : array_like, not negative

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    a, b, t = (np.asarray(value, dtype=float) for value in (a, b, t))
    excess = a - 1
    near = np.abs(excess) < _NEAR_POLE
    middle = b + 1 + excess / 2
    slope = np.where(
        near,
        special.psi(middle + t) - special.psi(middle),
        (log_rising(a + b, t) - log_rising(b + 1, t)) / np.where(near, 1.0, excess),
    )
    return np.maximum(b * slope * special.exprel(-excess * slope), 0.0)


def discounted_stays(a: npt.ArrayLike, b: npt.ArrayLike, rate: float) -> Array:
    r"""Expected stays without end, each at e^-rate of the one before, the first at e^-rate.

    .. math:: E\left[\frac{v (1-p)}{1 - v (1-p)}\right], \qquad v = e^{-rate}.

    Parameters
    ----------
    a, b : array_like, positive
        Of the probability p of leaving.
    rate : float
        Above 0.

    Returns
    -------
    ndarray
        Of the broadcast shape.
    """
    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    shape = a.shape
    a, b = a.ravel(), b.ravel()
    worth, lost = np.exp(-rate), -np.expm1(-rate)
    total = np.empty(a.size)
    for rows in np.array_split(np.arange(a.size), 1 + a.size // _CHUNK):
        if rows.size:
            p, weights, at_0, _ = beta_nodes(a[rows], b[rows], np.full(rows.size, 1 + 1 / lost))
            inside = worth * (1 - p) / (lost + worth * p)  # 0 at p = 1
            total[rows] = np.einsum("ij,ij->i", weights, inside) + at_0 * worth / lost
    return total.reshape(shape)
