r"""What customers can carry of a forecast that was made for all of them together.

Each customer has a forecast of their own by month and a most that their history bears. Customers
are scaled to the months of their cohort as far as that goes: of all tables that add up to the
wanted months and exceed nobody's most, the one closest to the customers' own in relative entropy,

.. math:: n_{it} = u_t\, b_{it}\, v_i, \qquad
          v_i = \min\Bigl(1, \frac{\mathrm{most}_i}{\sum_t u_t\, b_{it}}\Bigr),

so that a customer's numbers follow from their own history and the months' factors u alone
(Csiszar 1975; Bregman's cyclic projections, as in iterative proportional fitting).
"""

from __future__ import annotations

import numpy as np

from clvmodels.core.arrays import Array

ROUNDS = 200
CLOSE = 1e-10
"""Relative distance from the wanted months at which the search ends."""


def month_factors(base: Array, most: Array, factors: Array) -> Array:
    """Find the factors of a cohort's months, its customers held to what each can carry.

    Parameters
    ----------
    base : ndarray, shape (n, k)
        The customers' own forecasts by month, none negative.
    most : ndarray, shape (n,)
        What each can carry over all months.
    factors : ndarray, shape (k,)
        What the months would be multiplied by if everybody could carry it.

    Returns
    -------
    ndarray, shape (k,)
        The same factors where nobody is held. Otherwise what one cannot carry is placed on those
        who can, in the same month; where all together cannot, every month is lowered by the same
        share.
    """
    own = base @ factors
    if not np.any(own > most):
        return factors
    wanted = base.sum(axis=0) * factors
    able = float(most[own > 0].sum())
    wanted *= min(1.0, able / float(wanted.sum()))
    total = float(wanted.sum())
    found = factors.copy()
    for _ in range(ROUNDS):
        found *= water_level(base @ found, most, total)
        reached = (held(base @ found, most) @ base) * found
        short = np.divide(wanted, reached, out=np.ones_like(found), where=reached > 0)
        if np.abs(short - 1).max() < CLOSE:
            break
        found *= short
    return found


def held(own: Array, most: Array) -> Array:
    """Share of their own forecast that each can carry, from 0 to 1; shapes (n,)."""
    return np.divide(most, own, out=np.ones_like(own), where=own > most)


def water_level(own: Array, most: Array, total: float) -> float:
    """Solve sum_i min(level x own_i, most_i) = total for the level.

    Parameters
    ----------
    own, most : ndarray, shape (n,)
        None negative.
    total : float
        Where it is above the sum of the most, the level is that at which everybody is full.

    Returns
    -------
    float
    """
    some = own > 0
    own, most = own[some], most[some]
    if own.size == 0:
        return 1.0
    full = most / own
    order = np.argsort(full, kind="stable")
    own, most, full = own[order], most[order], full[order]
    below = np.append(0.0, np.cumsum(most))  # held by those who are full already
    rising = np.append(np.cumsum(own[::-1])[::-1], 0.0)  # own of those who are not
    at_full = below[:-1] + full * rising[:-1]
    first = int(np.searchsorted(at_full, total))
    if first == own.size:
        return float(full[-1])
    return float((total - below[first]) / rising[first])
