"""From a log-likelihood to estimates: penalty, warm start, covariance, convergence advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import number
from clvmodels.core.arrays import Array, Booleans
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError, warn_caller
from clvmodels.estimation.likelihood import Total
from clvmodels.numerics.newton import Optimum, maximize

LogLikelihood = Callable[[Array], Total]

BOX = 14.0
"""Half-width of the box of the logarithms of the parameters, in the data's own units."""

PRIOR_CUSTOMERS = (0.1, 1.0, 10.0, 100.0)
"""Strengths of the prior that takes over where the likelihood has no maximum, mildest first."""

_LEAST_INFORMATION = 1e-3
"""Below this, the log-parameters have a standard error beyond 30 along some axis."""


@dataclass(frozen=True)
class Estimate:
    """Maximum of a (penalised) log-likelihood.

    Attributes
    ----------
    theta : ndarray, shape (k,)
    log_likelihood : float
        Without the penalty.
    covariance : ndarray, shape (k, k)
        Inverse of the observed information at ``theta``, the penalty included.
    unidentified : tuple of str
        Parameters that the data do not pin down; empty for a proper maximum.
    """

    theta: Array
    log_likelihood: float
    covariance: Array
    unidentified: tuple[str, ...]


def estimate(
    log_likelihood: LogLikelihood,
    start: Array,
    names: Sequence[str],
    customers: float,
    *,
    penalty: float = 0.0,
    sample: tuple[LogLikelihood, float] | None = None,
    advice: Mapping[str, str] | None = None,
    model: str = "the model",
) -> Estimate:
    r"""Maximise a log-likelihood in parameters scaled so that zero is neutral.

    With a penalty the objective is

    .. math:: \ell(\theta) / N - \tfrac12\, \mathrm{penalty}\, \lVert\theta\rVert^2

    for N customers: the log-likelihood of an average customer against the squared logarithms of
    the parameters. Neither the number of customers nor, with time and money measured in the
    data's own means, any unit changes its strength.

    Where the likelihood has no maximum inside the box, the maximum under a prior worth a tenth
    of a customer (a penalty of 0.1 / N), or the mildest stronger one that has a maximum, is
    returned, with a ConvergenceWarning.

    Parameters
    ----------
    log_likelihood : callable
        theta -> :class:`~clvmodels.estimation.likelihood.Total` over all customers.
    start : ndarray, shape (k,)
    names : sequence of str
        Of the parameters, for the warning.
    customers : float
        N.
    penalty : float
        L2 penalty, at least 0.
    sample : (callable, float), optional
        Log-likelihood of a sample of the customers and its size; its maximum is the start.
    advice : mapping of str to str, optional
        What it means when a parameter is not identified.
    model : str
        Name for the warning.
    """
    if sample is not None:
        start = _climb(*sample, penalty + PRIOR_CUSTOMERS[0] / sample[1], start, 1e-2).theta
    best = _climb(log_likelihood, customers, penalty, start, 1e-5)
    unidentified = _unidentified(best, customers)
    if unidentified.any():
        for prior in PRIOR_CUSTOMERS:
            total = penalty + prior / customers
            best = _climb(log_likelihood, customers, total, np.clip(start, -4, 4), 1e-5)
            if not _unidentified(best, customers).any():
                break
        penalty = total
        unidentified |= _held_by_prior(best, penalty)
    missing = tuple(name for name, bad in zip(names, unidentified, strict=True) if bad)
    if missing:
        _warn(model, missing, advice or {}, prior)
    value = (best.value + 0.5 * penalty * float(best.theta @ best.theta)) * customers
    return Estimate(best.theta, value, _inverse(-best.hessian * customers), missing)


def _climb(
    function: LogLikelihood, customers: float, penalty: float, start: Array, tolerance: float
) -> Optimum:
    box = np.full(start.size, BOX)
    return maximize(
        lambda theta: _penalised(function(theta), theta, customers, penalty),
        start,
        -box,
        box,
        tolerance=tolerance,
    )


def _penalised(
    total: Total, theta: Array, size: float, penalty: float
) -> tuple[float, Array, Array]:
    return (
        total.value / size - 0.5 * penalty * float(theta @ theta),
        total.gradient / size - penalty * theta,
        total.hessian / size - penalty * np.eye(theta.size),
    )


def _unidentified(best: Optimum, customers: float) -> Booleans:
    curvature, axes = np.linalg.eigh(-best.hessian)
    flat = curvature < max(_LEAST_INFORMATION / customers, 1e-12 * float(curvature[-1]))
    if best.converged and not flat.any():
        return np.zeros(best.theta.size, dtype=np.bool_)
    involved = best.at_bound | (np.abs(best.theta) >= BOX - 1e-6)
    if involved.any():
        return involved
    return _involved(axes, flat if flat.any() else np.arange(curvature.size) == 0)


def _held_by_prior(best: Optimum, penalty: float) -> Booleans:
    """Which parameters lie along axes where the data say less than the prior does."""
    curvature, axes = np.linalg.eigh(-best.hessian - penalty * np.eye(best.theta.size))
    return _involved(axes, curvature < penalty)


def _involved(axes: Array, chosen: Booleans) -> Booleans:
    return np.asarray(np.any(np.abs(axes[:, chosen]) > 0.3, axis=1), dtype=np.bool_)


def _warn(model: str, unidentified: Sequence[str], advice: Mapping[str, str], prior: float) -> None:
    reasons = list(dict.fromkeys(advice[name] for name in unidentified if name in advice))
    warn_caller(
        ConvergenceWarning(
            f"{model}: the data do not identify {', '.join(unidentified)}: the likelihood has no "
            f"maximum. {' '.join(reasons)} The estimates are held finite by a prior worth "
            f"{prior:g} customer{'s' * (prior != 1)}; forecasts from them are usable, their "
            "standard errors are not.",
            "Fit more customers, a longer period, or set penalty (0.01 is mild).",
        )
    )


def _inverse(information: Array) -> Array:
    curvature, axes = np.linalg.eigh(information)
    curvature = np.maximum(curvature, 1e-12 * max(float(curvature[-1]), 1e-300))
    return np.asarray((axes / curvature) @ axes.T)


def systematic_sample(weight: Array, size: int) -> tuple[npt.NDArray[np.intp], Array]:
    """Sample rows in proportion to their weights, at equal steps through the customers.

    Returns
    -------
    rows : ndarray of int
        Distinct positions.
    weight : ndarray
        Customers of the sample on each of them; they sum to ``size``.
    """
    cumulative = np.cumsum(weight)
    steps = (np.arange(size) + 0.5) * (cumulative[-1] / size)
    chosen = np.minimum(np.searchsorted(cumulative, steps), weight.size - 1)
    rows, counts = np.unique(chosen, return_counts=True)
    return rows, counts.astype(float)


def check_penalty(penalty: float) -> None:
    """Raise InvalidValueError unless the penalty is a number of at least 0."""
    if number(penalty, "penalty") < 0:
        raise InvalidValueError(f"penalty must be 0 or more; found {penalty}")
