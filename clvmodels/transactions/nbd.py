"""The NBD model: purchases without attrition, the floor that every other model must beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from scipy import special

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.summaries import Histories
from clvmodels.estimation.covariates import Effect
from clvmodels.estimation.likelihood import Terms, Total, Value
from clvmodels.estimation.maximum import LogLikelihood
from clvmodels.numerics.special import draw_poisson, log_rising, negative_binomial_pmf, trigamma
from clvmodels.transactions.alive import Parameters
from clvmodels.transactions.base import TransactionModel, moment_start

R, ALPHA = range(2)


class NBD(TransactionModel):
    r"""Negative binomial distribution model.

    Every customer buys as a Poisson process of rate lambda ~ Gamma(r, alpha) for ever. The
    likelihood of x repeat purchases in T, as a density of their times, is

    .. math:: L = \frac{\Gamma(r+x)}{\Gamma(r)} \alpha^r (\alpha+T)^{-(r+x)} .

    It stands beside the likelihoods of the models with attrition, and is their limit as nobody
    leaves.

    Parameters
    ----------
    penalty, purchase_covariates
        See :class:`clvmodels.transactions.base.TransactionModel`.

    Attributes
    ----------
    params_ : dict
        ``r`` (shape) and ``alpha`` (in the unit of T); with covariates, of a customer who has
        their mean.

    References
    ----------
    Ehrenberg, A. S. C. (1959). The pattern of consumer purchases. Applied Statistics 8(1), 26-41.
    """

    parameter_names = ("r", "alpha")
    scale_names = ("alpha",)
    purchase_effects = (Effect("alpha", -1.0, "purchase"),)
    dropout_effects = ()
    advice: ClassVar = {
        "r": "Customers hardly differ in how often they buy (or none bought again).",
        "alpha": "Customers hardly differ in how often they buy (or none bought again).",
    }

    def __init__(self, penalty: float = 0.0, purchase_covariates: Sequence[str] = ()) -> None:
        super().__init__(penalty, purchase_covariates)

    def _start(self, data: Histories) -> Array:
        return np.log(moment_start(data))

    def _log_likelihood(self, data: Histories) -> LogLikelihood:
        def total(theta: Array) -> Total:
            result = Total.zero(2)
            natural = np.exp(theta)
            result.add(_terms(data.frequency, data.T, *natural), data.weight)
            return result.in_logs(natural)

        return total

    def _terms(self, data: Histories, values: Sequence[Value]) -> Iterable[Terms]:
        yield _terms(data.frequency, data.T, *values)

    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array:
        return np.ones(x.shape)

    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        return np.asarray((p["r"] + x) / (p["alpha"] + T) * t)

    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array:
        return negative_binomial_pmf(n, p["r"] + x, t / (p["alpha"] + T))

    def _discounted_if_alive(self, p: Parameters, x: Array, T: Array, rate: float) -> Array:
        return np.asarray((p["r"] + x) / (p["alpha"] + T) / rate)

    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Integers:
        return draw_poisson(rng.gamma(p["r"] + x) / (p["alpha"] + T) * t, rng)

    def _draw_histories(
        self, p: Parameters, T: Array, rng: np.random.Generator
    ) -> tuple[Integers, Array]:
        purchases = draw_poisson(rng.gamma(p["r"], size=T.shape) / p["alpha"] * T, rng)
        return purchases, np.where(purchases > 0, T * rng.beta(np.maximum(purchases, 1), 1), 0.0)


def _terms(x: Array, T: Array, r: Value, alpha: Value) -> Terms:
    k, end = r + x, 1 / (alpha + T)
    log_end = np.log(alpha + T)
    return Terms(
        log_rising(r, x) + r * np.log(alpha) - k * log_end,
        {
            R: special.psi(k) - special.psi(r) + np.log(alpha) - log_end,
            ALPHA: r / alpha - k * end,
        },
        {
            (R, R): trigamma(k) - trigamma(r),
            (R, ALPHA): 1 / alpha - end,
            (ALPHA, ALPHA): k * end * end - r / alpha**2,
        },
    )
