"""The Pareto/NBD model of Schmittlein, Morrison and Colombo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from scipy import special

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.summaries import Histories
from clvmodels.estimation.covariates import Effect
from clvmodels.estimation.likelihood import Terms, Total, Value, weight_by_count
from clvmodels.estimation.maximum import LogLikelihood
from clvmodels.numerics.discounting import scaled_exponential_integral
from clvmodels.numerics.quadrature import decay_nodes
from clvmodels.numerics.special import draw_poisson, negative_binomial_pmf
from clvmodels.transactions.alive import Parameters
from clvmodels.transactions.base import TransactionModel, moment_start
from clvmodels.transactions.pareto_likelihood import (
    count_terms,
    departures,
    log_mass,
    row_terms,
    shared_times,
)


class ParetoNBD(TransactionModel):
    r"""Pareto / negative binomial distribution model.

    A customer buys as a Poisson process of rate lambda until she leaves, unseen, after an
    exponential lifetime of rate mu. Across customers lambda ~ Gamma(r, alpha) and
    mu ~ Gamma(s, beta), independently.

    With k = r + x the likelihood of a history of x repeat purchases, the last at t_x, observed
    for T, is

    .. math::
       L = \frac{\Gamma(k)}{\Gamma(r)} \alpha^r \beta^s \left[
           (\alpha+T)^{-k} (\beta+T)^{-s}
           + s \int_{t_x}^{T} (\alpha+\tau)^{-k} (\beta+\tau)^{-(s+1)} d\tau \right],

    customers who are alive and customers who left at tau. The papers write the integral as a
    difference of Gaussian hypergeometric functions, in two cases (alpha above or below beta),
    which overflows for frequent buyers; quadrature of the positive integrand has no such cases,
    and the derivatives are integrals of the same kind.

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates
        See :class:`clvmodels.transactions.base.TransactionModel`. Covariates, less their mean,
        scale lambda and mu by exp(gamma' z) through alpha and beta; coefficients are named
        ``purchase:z`` and ``dropout:z``.

    Attributes
    ----------
    params_ : dict
        ``r`` (shape), ``alpha`` (in the unit of T), ``s`` (shape), ``beta`` (in the unit of T);
        with covariates, of a customer who has their mean.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987). Counting your customers: who are
    they and what will they do next? Management Science 33(1), 1-24.
    Fader, P. S. and Hardie, B. G. S. (2005). A note on deriving the Pareto/NBD model and related
    expressions. http://brucehardie.com/notes/009/
    """

    parameter_names = ("r", "alpha", "s", "beta")
    scale_names = ("alpha", "beta")
    purchase_effects = (Effect("alpha", -1.0, "purchase"),)
    dropout_effects = (Effect("beta", -1.0, "dropout"),)
    advice: ClassVar = {
        "r": "Customers hardly differ in how often they buy (or none bought again).",
        "alpha": "Customers hardly differ in how often they buy (or none bought again).",
        "s": "Nobody is seen to leave, or customers hardly differ in how readily they do.",
        "beta": "Nobody is seen to leave, or customers hardly differ in how readily they do.",
    }

    def _start(self, data: Histories) -> Array:
        shape, scale = moment_start(data)
        return np.log([shape, 0.7 * scale, 0.7, 0.7])

    def _log_likelihood(self, data: Histories) -> LogLikelihood:
        counts, by_count = weight_by_count(data.frequency, data.weight)
        cells, rest = shared_times(data)

        def total(theta: Array) -> Total:
            r, alpha, s, beta = natural = np.exp(theta)
            result = Total.zero(4)
            result.add(count_terms(counts, r, alpha, s, beta), by_count)
            if cells is not None:
                for terms, weight in cells.terms(r, alpha, s, beta):
                    result.add(terms, weight)
            terms = row_terms(rest.frequency, rest.recency, rest.T, r, alpha, s, beta)
            result.add(terms, rest.weight)
            return result.in_logs(natural)

        return total

    def _terms(self, data: Histories, values: Sequence[Value]) -> Iterable[Terms]:
        yield count_terms(data.frequency, *values)
        yield row_terms(data.frequency, data.recency, data.T, *values)

    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array:
        k, s = p["r"] + x, p["s"]
        log_odds = np.full(x.shape, -np.inf)
        for rows, _, weights, log_ends in departures(
            k, p["alpha"] + recency, s, p["beta"] + recency, T - recency
        ):
            log_odds[rows] = log_mass(weights.sum(axis=1)) + log_ends
        return special.expit(-log_odds)

    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        # k B / A (1 - (B / (B+t))^(s-1)) / (s-1), without its pole at s = 1
        k, A, B = p["r"] + x, p["alpha"] + T, p["beta"] + T
        log_growth = np.log1p(t / B)
        return np.asarray(k / A * B * log_growth * special.exprel((1 - p["s"]) * log_growth))

    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array:
        k, A, s, B = (
            np.broadcast_to(value, x.shape)[:, 0]
            for value in (p["r"] + x, p["alpha"] + T, p["s"], p["beta"] + T)
        )
        stays = np.exp(-s * np.log1p(t / B))
        columns = []
        for count in n:
            # Stays all the time, or leaves at u; either way with so many purchases till then.
            pmf = stays * negative_binomial_pmf(count, k, t / A)
            busy = k + count
            length = np.full(k.shape, t)
            refine = 1.0 + float(np.sqrt(min(count, k.max()))) / 3
            for rows, u, weights in decay_nodes(
                busy, A, s + 1, B, length, cut=count == 0, refine=refine
            ):
                at = negative_binomial_pmf(count, k[rows, None], u / A[rows, None])
                scale = B[rows, None]
                density = (s[rows, None] / scale) * (1 + u / scale) ** -(s[rows, None] + 1)
                pmf[rows] += np.einsum("ij,ij->i", weights, at * density)
            columns.append(pmf)
        return np.stack(columns, axis=1)

    def _discounted_if_alive(self, p: Parameters, x: Array, T: Array, rate: float) -> Array:
        # Equation (2) of Fader, Hardie and Lee (2005, JMR), with e^c E_s(c) for Kummer's U.
        k, A, B = p["r"] + x, p["alpha"] + T, p["beta"] + T
        return np.asarray(k / A * B * scaled_exponential_integral(p["s"], rate * B))

    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Integers:
        rate = rng.gamma(p["r"] + x) / (p["alpha"] + T)
        return draw_poisson(rate * _draw_active(p["s"], p["beta"] + T, t, rng), rng)

    def _draw_histories(
        self, p: Parameters, T: Array, rng: np.random.Generator
    ) -> tuple[Integers, Array]:
        rate = rng.gamma(p["r"], size=T.shape) / p["alpha"]
        active = _draw_active(p["s"], p["beta"] + np.zeros_like(T), T, rng)
        purchases = draw_poisson(rate * active, rng)
        last = rng.beta(np.maximum(purchases, 1), 1)
        return purchases, np.where(purchases > 0, active * last, 0.0)


def _draw_active(s: Value, B: Array, length: Value, rng: np.random.Generator) -> Array:
    """Time until she leaves, or the length of the period if that is shorter."""
    rate = rng.standard_gamma(s, B.shape) / B
    with np.errstate(divide="ignore", over="ignore"):
        lifetime = rng.standard_exponential(B.shape) / rate
    return np.minimum(lifetime, length)
