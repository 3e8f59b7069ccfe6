"""Log-linear models whose shrinkage the data choose: the engine under the cohort forecasts.

A positive response y has mean exp(offset + X b) and variance phi mu + kappa mu^2. Coefficients
come in blocks; those of a block are exchangeable, b ~ N(0, s^2), and s^2 is learned (empirical
Bayes), so that effects the data do not show shrink to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, nnls

from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.numerics.threads import one_blas_thread

MOST_SD = 1.5
"""Largest spread of a block's effects that data can show, in logs: a factor of 4 up or down."""

_MAX_LOG_STEP = 2.0
_MOST_KAPPA = 4.0
MOST_ROUNDS = 60
"""Rounds of coefficients, then variances; a fit that takes more says so."""
_ROUND_TOLERANCE = 1e-3
_TINY = 1e-9
_ONE_MEAN = 1e-6
"""Relative spread of the means below which a variance function cannot be told from a factor."""


@dataclass(frozen=True)
class Fixed:
    """A block of coefficients with a given normal prior.

    Attributes
    ----------
    name : str
    design : ndarray, shape (n, k)
    mean, sd : float
        Of the prior; an infinite ``sd`` leaves the coefficients free.
    """

    name: str
    design: Array
    mean: float = 0.0
    sd: float = np.inf


@dataclass(frozen=True)
class Shrunk:
    """A block of exchangeable coefficients whose common variance is learned.

    Attributes
    ----------
    name : str
    design : ndarray, shape (n, k)
    sd : float
        Prior guess of the standard deviation of the effects (in logs: 0.1 is about 10 %).
    evidence : float
        How many effects that guess is worth (degrees of freedom of the scaled inverse chi-square
        prior); a block with many more effects overrules it.
    """

    name: str
    design: Array
    sd: float
    evidence: float


Block = Fixed | Shrunk


@dataclass(frozen=True)
class LogLinearFit:
    """A fitted model.

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        Posterior covariance of the coefficients given the variances.
    slices : dict of str to slice
        Where each block's coefficients are.
    sds : dict of str to float
        Learned standard deviation of every shrunk block.
    phi, kappa : float
        Variance function phi mu + kappa mu^2.
    degrees_of_freedom : float
        Effective number of coefficients.
    converged : bool
        Whether variances had settled within :data:`MOST_ROUNDS`.
    """

    coefficients: Array
    covariance: Array
    slices: dict[str, slice]
    sds: dict[str, float]
    phi: float
    kappa: float
    degrees_of_freedom: float
    converged: bool

    def block(self, name: str) -> Array:
        """Coefficients of one block."""
        return self.coefficients[self.slices[name]]

    def standard_errors(self, name: str) -> Array:
        """Posterior standard deviations of one block's coefficients."""
        where = self.slices[name]
        return np.sqrt(np.diag(self.covariance)[where])


@one_blas_thread
def fit_loglinear(
    response: Array,
    offset: Array,
    blocks: Sequence[Block],
    *,
    phi: float | None = None,
) -> LogLinearFit:
    """Fit by penalised quasi-likelihood, the variances by expectation-maximisation.

    Parameters
    ----------
    response, offset : ndarray, shape (n,)
        Response (not negative) and the known part of the log mean.
    blocks : sequence of Fixed or Shrunk
        The first must be the intercept.
    phi : float, optional
        Dispersion; learned where not given (1 is Poisson).

    Notes
    -----
    Fisher scoring (Breslow & Clayton 1993, section 2), variances by EM (Laird & Ware 1982,
    equation 3.3), phi and kappa by moments (Breslow 1984).

    Raises
    ------
    InvalidValueError
        If a response is negative or nothing is finite.
    """
    _require_rows(response, offset)
    design, slices, mean, fixed_precision = _stack(blocks)
    shrunk = [block for block in blocks if isinstance(block, Shrunk)]
    variance = {block.name: block.sd**2 for block in shrunk}
    dispersion, kappa = 1.0 if phi is None else phi, 0.0
    intercept = slices[blocks[0].name]
    # Half a purchase keeps a table without any purchase finite.
    mean[intercept] += float(np.log((response.sum() + 0.5) / np.exp(offset).sum()))
    fixed_precision[intercept] = np.maximum(fixed_precision[intercept], 1e-2)
    coefficients, converged = mean.copy(), False
    for round_ in range(MOST_ROUNDS):
        precision = fixed_precision.copy()
        for name, value in variance.items():
            precision[slices[name]] = 1.0 / max(value, _TINY)
        coefficients, mu, information = _score(
            response, offset, design, coefficients, mean, precision, dispersion, kappa,
            steps=25 if round_ == 0 else 2,
        )  # fmt: skip
        covariance = np.asarray(np.linalg.inv(information + np.diag(precision)), np.float64)
        degrees = float(np.sum(covariance * information))
        before = np.array([*variance.values(), dispersion, kappa])
        variance = {b.name: _variance(b, coefficients, covariance, slices) for b in shrunk}
        squares = (response - mu) ** 2 / max(1.0 - degrees / response.size, 0.2)
        dispersion, kappa = _dispersion(squares, mu, dispersion, kappa, learn_phi=phi is None)
        after = np.array([*variance.values(), dispersion, kappa])
        if np.all(np.abs(after - before) <= _ROUND_TOLERANCE * (np.abs(before) + 1e-6)):
            converged = True
            break
    sds = {name: float(np.sqrt(value)) for name, value in variance.items()}
    even = 0.5 * (covariance + covariance.T)
    return LogLinearFit(coefficients, even, slices, sds, dispersion, kappa, degrees, converged)


def _require_rows(response: Array, offset: Array) -> None:
    if not (np.all(np.isfinite(response)) and np.all(np.isfinite(offset)) and response.size):
        raise InvalidValueError("a log-linear fit needs at least one row, all of them finite")
    if np.any(response < 0):
        raise InvalidValueError("a log-linear fit needs responses that are not negative")


def _variance(
    block: Shrunk, coefficients: Array, covariance: Array, slices: dict[str, slice]
) -> float:
    """Variance of a block's effects, given the coefficients and their covariance.

    (b'b + tr V + nu s0^2) / (k + nu): the EM step under a scaled inverse chi-square prior,
    MOST_SD squared at most.
    """
    b = coefficients[slices[block.name]]
    spread = float(b @ b + np.diag(covariance)[slices[block.name]].sum())
    learned = (spread + block.evidence * block.sd**2) / (b.size + block.evidence)
    return min(learned, MOST_SD**2)


def _stack(blocks: Sequence[Block]) -> tuple[Array, dict[str, slice], Array, Array]:
    slices: dict[str, slice] = {}
    mean: list[float] = []
    precision: list[float] = []
    start = 0
    for block in blocks:
        width = block.design.shape[1]
        slices[block.name] = slice(start, start + width)
        start += width
        centre, sd = (block.mean, block.sd) if isinstance(block, Fixed) else (0.0, np.inf)
        mean += [centre] * width
        precision += [sd**-2] * width
    return (
        np.hstack([block.design for block in blocks]).astype(float),
        slices,
        np.array(mean, dtype=float),
        np.array(precision, dtype=float),
    )


def _score(
    response: Array,
    offset: Array,
    design: Array,
    coefficients: Array,
    mean: Array,
    precision: Array,
    phi: float,
    kappa: float,
    steps: int,
) -> tuple[Array, Array, Array]:
    """Fisher scoring; returns the coefficients, the means and the information there."""
    for step in range(steps + 1):
        mu = np.exp(np.clip(offset + design @ coefficients, -30.0, 30.0))
        weight = mu / (phi + kappa * mu)
        information = (design.T * weight) @ design
        if step == steps:
            break
        gradient = design.T @ ((response - mu) / mu * weight) - precision * (coefficients - mean)
        change = np.linalg.solve(information + np.diag(precision + _TINY), gradient)
        coefficients = coefficients + np.clip(change, -_MAX_LOG_STEP, _MAX_LOG_STEP)
        if np.max(np.abs(change)) < 1e-7:
            steps = step + 1
    return coefficients, mu, information


def _dispersion(
    squares: Array, mu: Array, phi: float, kappa: float, *, learn_phi: bool
) -> tuple[float, float]:
    if learn_phi:
        return _variance_function(squares, mu, phi, kappa)
    return phi, _extra_variance(squares, mu, phi)


def _extra_variance(squares: Array, mu: Array, phi: float) -> float:
    """Kappa at which squared residuals have their expected mean, 0 at least."""
    poisson = phi * mu
    square = mu * mu

    def excess(kappa: float) -> float:
        return float(np.sum(squares / (poisson + kappa * square))) - mu.size

    if excess(0.0) <= 0:
        return 0.0
    if excess(_MOST_KAPPA) >= 0:
        return _MOST_KAPPA
    return float(brentq(excess, 0.0, _MOST_KAPPA, xtol=1e-9))


def _variance_function(squares: Array, mu: Array, phi: float, kappa: float) -> tuple[float, float]:
    """Weighted least squares of the squared residuals on mu and mu^2, neither negative.

    Large residuals are held down, so that one order does not decide them.
    """
    columns = np.column_stack([mu, mu**2])
    for _ in range(3):
        expected = columns @ (phi, kappa)
        weight = np.minimum(1.0, 9.0 * expected / np.maximum(squares, _TINY)) / expected**2
        scaled = columns * np.sqrt(weight)[:, None]
        wanted = squares * np.sqrt(weight)
        if np.ptp(mu) <= _ONE_MEAN * np.max(mu):  # the two columns are one: no kappa to tell
            phi, kappa = float(scaled[:, 0] @ wanted / (scaled[:, 0] @ scaled[:, 0])), 0.0
        else:
            phi, kappa = (float(found) for found in nnls(scaled, wanted)[0])
        if phi <= 0:
            phi = 0.05 * float(scaled[:, 0] @ wanted / (scaled[:, 0] @ scaled[:, 0]))
        phi = max(phi, _TINY)
    return phi, kappa
