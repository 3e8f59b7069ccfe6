"""Gauss-Legendre nodes, rowwise and in variables that make power laws smooth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_DECAY_NODES, _DECAY_WEIGHTS = np.polynomial.legendre.leggauss(12)
_TINY_LOG = -43.0  # e^-43 < 2e-19: below double precision beside 1
_BETA_PANELS = 32
_DECAY_PANEL = 2.0
_ELEMENTS = 60_000


def panels(
    low: Array, high: Array, count: int, rule: tuple[Array, Array] = (_NODES, _WEIGHTS)
) -> tuple[Array, Array]:
    """Nodes and weights of composite Gauss-Legendre quadrature over [low, high], rowwise.

    Parameters
    ----------
    low, high : ndarray, shape (n,)
    count : int
        Panels of equal width.
    rule : (ndarray, ndarray)
        Nodes and weights on [-1, 1].

    Returns
    -------
    nodes, weights : ndarray, shape (n, count * len(rule[0]))
    """
    half = (high - low) / (2 * count)
    middle = 2 * np.arange(count)[:, None] + 1 + rule[0]  # (count, nodes), in half panels
    nodes = low[:, None] + half[:, None] * middle.ravel()
    return nodes, half[:, None] * np.tile(rule[1], count)


def beta_nodes(a: Array, b: Array, scale: Array) -> tuple[Array, Array, Array, Array]:
    """Nodes and weights for expectations under Beta(a, b), rowwise.

    Composite Gauss-Legendre in the logit of p, over the part that carries the mass; what is left
    of the two power-law tails is returned as masses at p = 0 and p = 1, where an integrand that is
    smooth on the given scale is constant.

    Parameters
    ----------
    a, b : ndarray, shape (n,)
    scale : ndarray, shape (n,)
        The integrand is constant for p far below 1 / scale.

    Returns
    -------
    nodes, weights : ndarray, shape (n, m)
    mass_at_0, mass_at_1 : ndarray, shape (n,)
    """
    mode = np.log(a / b)
    spread = 10 * np.sqrt(1 / a + 1 / b)
    power_low, power_high = _TINY_LOG - np.log1p(scale + b), -_TINY_LOG + np.log1p(a)
    low = np.maximum(power_low, mode - spread + _TINY_LOG / a)
    high = np.minimum(power_high, mode + spread - _TINY_LOG / b)
    logit, widths = panels(low, high, _BETA_PANELS)
    log_beta = special.betaln(a, b)
    log_density = (
        -a[:, None] * np.logaddexp(0, -logit)
        - b[:, None] * np.logaddexp(0, logit)
        - log_beta[:, None]
    )
    weights = np.exp(log_density) * widths
    # The density is a pure power beyond an end that was not set by its decay.
    at_0 = np.where(low == power_low, np.exp(np.minimum(a * low - log_beta, 0.0)) / a, 0.0)
    at_1 = np.where(high == power_high, np.exp(np.minimum(-b * high - log_beta, 0.0)) / b, 0.0)
    return special.expit(logit), weights, at_0, at_1


def decay_nodes(
    k: Array, A: Array, s: Array, B: Array, length: Array, *, cut: bool = True, refine: float = 1.0
) -> Iterator[tuple[npt.NDArray[np.intp], Array, Array]]:
    """Nodes for integrals over 0 < u < length of functions like (1 + u/A)^-k (1 + u/B)^-s.

    The variable is w = ln(1 + u / sigma), sigma the scale of the initial decay, in which the
    integrand is smooth at a scale of one.

    Parameters
    ----------
    k, A, s, B, length : ndarray, shape (n,)
    cut : bool
        Whether to leave out where the integrand has fallen below double precision.
    refine : float
        How much finer than usual the panels are.

    Yields
    ------
    rows : ndarray of int, shape (m,)
        Positions of rows that take the same number of nodes.
    u, weights : ndarray, shape (m, nodes)
    """
    sigma = 1 / (np.maximum(k, 1.0) / A + np.maximum(s, 1.0) / B)
    width = np.log1p(length / sigma)
    if cut:
        for order, scale in ((k, A), (s, B)):
            reach = np.expm1(np.minimum(45.0 / order, 300.0))
            width = np.minimum(width, np.log1p(scale / sigma * reach))
    count = np.maximum(np.ceil(width * (refine / _DECAY_PANEL)), 1.0)
    for number in np.unique(count):
        alike = np.flatnonzero(count == number)
        parts = 1 + int(alike.size * number * _DECAY_NODES.size) // _ELEMENTS
        for rows in np.array_split(alike, parts):
            w, weights = panels(
                np.zeros(rows.size), width[rows], int(number), (_DECAY_NODES, _DECAY_WEIGHTS)
            )
            growth = np.exp(w)
            scale = sigma[rows, None]
            yield rows, scale * np.expm1(w), scale * growth * weights
