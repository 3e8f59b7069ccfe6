"""What Erlang gaps add to the likelihood of the beta-geometric models, and how k is chosen."""

from __future__ import annotations

import numpy as np
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.core.summaries import Histories
from clvmodels.estimation.likelihood import Terms, Value, dot, weight_by_count
from clvmodels.transactions.beta_geometric import ALPHA, A, B, R

_NO_TIME = 1e-9
"""Share of T that stands for a recency of 0 after repeat purchases: regular buyers have none."""


def no_purchase_since(
    k: int, s: Array, elapsed: Array, end: Array
) -> tuple[Array, dict[int, Array], dict[tuple[int, int], Array]]:
    r"""Ln of sum_{j<k} (s)_j / j! (elapsed / end)^j, and its derivatives by r and alpha.

    Times (end / last)^-s it is the probability of no purchase since the last one, at rates that
    are Gamma(s, last) then.

    Parameters
    ----------
    k : int
    s : ndarray
        r + k x.
    elapsed : ndarray
        T - t_x.
    end : ndarray
        alpha + T.
    """
    unit = 1 / end
    u = elapsed * unit
    term = np.ones(s.shape)
    total = np.ones(s.shape)
    harmonic, squares = np.zeros(s.shape), np.zeros(s.shape)
    sums = {key: np.zeros(s.shape) for key in ("r", "a", "rr", "ra", "aa")}
    for j in range(1, k):
        stage = 1 / (s + (j - 1))
        term = term * (u / (j * stage))
        harmonic = harmonic + stage
        squares = squares + stage * stage
        total += term
        by_r = term * harmonic
        sums["r"] += by_r
        sums["rr"] += by_r * harmonic - term * squares
        sums["a"] -= j * term
        sums["ra"] -= j * by_r
        sums["aa"] += (j * (j + 1)) * term
    r, a = sums["r"] / total, sums["a"] * unit / total
    return (
        np.log(total),
        {R: r, ALPHA: a},
        {
            (R, R): sums["rr"] / total - r * r,
            (R, ALPHA): sums["ra"] * unit / total - r * a,
            (ALPHA, ALPHA): sums["aa"] * unit * unit / total - a * a,
        },
    )


def row_terms(
    k: int,
    first: int,
    history: tuple[Array, Array, Array],
    parameters: tuple[Value, Value, Value, Value],
) -> Terms:
    r"""Ln of Q (alpha + T)^-s + [may have left] a / (b + x - 1) (alpha + t_x)^-s, s = r + k x.

    Q is the sum of :func:`no_purchase_since`.

    Parameters
    ----------
    k, first : int
        ``first`` is 1 where the first purchase may be the last.
    history : frequency, recency and T
    parameters : r, alpha, a and b
    """
    (x, recency, T), (r, alpha, a, b) = history, parameters
    s, end, last = r + k * x, alpha + T, alpha + recency
    quiet, slope, curve = no_purchase_since(k, np.asarray(s), T - recency, np.asarray(end))
    log_end = np.log(end)
    gap = log_end - np.log(last)
    end, last = 1 / end, 1 / last
    may_leave = x + first > 0
    tries = np.where(may_leave, b + (x + (first - 1)), 1.0)
    # log-odds of having left, their softplus and logistic curve
    log_odds = np.where(may_leave, s * gap + np.log(a / tries) - quiet, -800.0)
    small = np.exp(-np.abs(log_odds))
    share = 1 / (1 + small)
    bend = small * share * share
    left = np.where(log_odds > 0, share, small * share)
    stayed = np.where(log_odds > 0, small * share, share)
    step = end - last
    by = {R: gap - slope[R], ALPHA: s * step - slope[ALPHA], A: 1 / a, B: -1 / tries}
    hessian = {(i, j): bend * by[i] * by[j] for i in by for j in by if i <= j}
    hessian[R, R] = hessian[R, R] + stayed * curve[R, R]
    hessian[R, ALPHA] = hessian[R, ALPHA] + left * step - end + stayed * curve[R, ALPHA]
    hessian[ALPHA, ALPHA] = (
        hessian[ALPHA, ALPHA]
        - left * s * step * (end + last)
        + s * end * end
        + stayed * curve[ALPHA, ALPHA]
    )
    hessian[A, A] = hessian[A, A] - left * by[A] ** 2
    hessian[B, B] = hessian[B, B] + left * by[B] ** 2
    return Terms(
        np.maximum(log_odds, 0.0) + np.log1p(small) + quiet - s * log_end,
        {
            R: left * gap - log_end + stayed * slope[R],
            ALPHA: left * s * step - s * end + stayed * slope[ALPHA],
            A: left * by[A],
            B: left * by[B],
        },
        hessian,
    )


def of_last_purchase(k: int, data: Histories) -> Array:
    r"""Ln of t_x^((k-1) x) Gamma(x) / Gamma(k x), by row; 0 without repeat purchases.

    It turns the likelihood of the stages into that of frequency and recency, on the scale of the
    other models: the times of the purchases before the last are not known, and are ordered
    uniforms there. At k = 1 it is 0.
    """
    x = data.frequency
    bought = (x > 0) & (data.T > 0)
    recency = np.where(bought, np.maximum(data.recency, _NO_TIME * data.T), 1.0)
    some = np.where(bought, x, 1.0)
    value = (k - 1) * some * np.log(recency) + special.gammaln(some) - special.gammaln(k * some)
    return np.asarray(np.where(bought, value, 0.0))


def of_gaps(k: int, data: Histories, log_gap_shares: Array) -> float:
    r"""Log-likelihood of how gaps divide the time from first to last purchase, a sum.

    The shares of x Erlang-k gaps in their sum are Dirichlet(k, ..., k), whatever the customer's
    rate (the ground of Wheat and Morrison's 1990 estimate of k from two gaps); here relative to
    gaps of chance, k = 1.
    """
    counts, weight = weight_by_count(data.frequency, data.weight)
    some, weight = counts[counts > 0], weight[counts > 0]
    log_density = special.gammaln(k * some) - special.gammaln(some) - some * special.gammaln(k)
    return (k - 1) * dot(data.weight, log_gap_shares) + dot(weight, log_density)
