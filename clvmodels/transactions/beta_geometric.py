"""BG/NBD and MBG/NBD: gamma purchase rates, beta-geometric dropout.

While alive a customer buys at rate lambda ~ Gamma(r, alpha); after a purchase she leaves with
probability p ~ Beta(a, b). The models differ in whether the first purchase can be the last:
``_first`` is 0 where it cannot (BG/NBD) and 1 where it can (MBG/NBD), and enters every formula
as a shift of b.
"""

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
from clvmodels.numerics.discounting import discounted_until_dropout
from clvmodels.numerics.special import (
    draw_geometric,
    draw_poisson,
    log1p_ratio,
    log_rising,
    negative_binomial_pmf,
    purchases_until_dropout,
    trigamma,
)
from clvmodels.transactions.alive import Parameters
from clvmodels.transactions.base import TransactionModel, moment_start

_CHUNK = 8192
R, ALPHA, A, B = range(4)


class BetaGeometricModel(TransactionModel):
    """Base of the two beta-geometric models; see the module."""

    parameter_names = ("r", "alpha", "a", "b")
    scale_names = ("alpha",)
    advice: ClassVar = {
        "r": "Customers hardly differ in how often they buy (or none bought again).",
        "alpha": "Customers hardly differ in how often they buy (or none bought again).",
        "a": "Nobody is seen to leave, or customers hardly differ in how readily they do.",
        "b": "Nobody is seen to leave, or customers hardly differ in how readily they do.",
    }
    purchase_effects = (Effect("alpha", -1.0, "purchase"),)
    dropout_effects = (Effect("a", 1.0, "dropout_a"), Effect("b", 1.0, "dropout_b"))
    _first: ClassVar[int]

    def _start(self, data: Histories) -> Array:
        shape, scale = moment_start(data)
        return np.log([shape, 0.7 * scale, 0.7, 2.0])

    def _log_likelihood(self, data: Histories) -> LogLikelihood:
        counts, by_count = weight_by_count(data.frequency, data.weight)

        def total(theta: Array) -> Total:
            r, alpha, a, b = natural = np.exp(theta)
            result = Total.zero(4)
            result.add(self._count_terms(counts, r, alpha, a, b), by_count)
            for at in range(0, data.size, _CHUNK):
                part = slice(at, at + _CHUNK)
                terms = self._row_terms(
                    data.frequency[part], data.recency[part], data.T[part], r, alpha, a, b
                )
                result.add(terms, data.weight[part])
            return result.in_logs(natural)

        return total

    def _terms(self, data: Histories, values: Sequence[Value]) -> Iterable[Terms]:
        yield self._count_terms(data.frequency, *values)
        yield self._row_terms(data.frequency, data.recency, data.T, *values)

    def _count_terms(self, x: Array, r: Value, alpha: Value, a: Value, b: Value) -> Terms:
        """Ln of Gamma(r+x)/Gamma(r) alpha^r B(a, b+x)/B(a, b), with x + 1 for x in MBG/NBD."""
        y = x + self._first
        psi = special.psi
        value = log_rising(r, x) + r * np.log(alpha) + log_rising(b, y) - log_rising(a + b, y)
        of_sum = psi(a + b) - psi(a + b + y)
        of_sum_2 = trigamma(a + b) - trigamma(a + b + y)
        return Terms(
            value,
            {
                R: psi(r + x) - psi(r) + np.log(alpha),
                ALPHA: r / alpha,
                A: of_sum,
                B: of_sum + psi(b + y) - psi(b),
            },
            {
                (R, R): trigamma(r + x) - trigamma(r),
                (R, ALPHA): 1 / alpha,
                (ALPHA, ALPHA): -r / alpha**2,
                (A, A): of_sum_2,
                (A, B): of_sum_2,
                (B, B): of_sum_2 + trigamma(b + y) - trigamma(b),
            },
        )

    def _row_terms(
        self, x: Array, recency: Array, T: Array, r: Value, alpha: Value, a: Value, b: Value
    ) -> Terms:
        """Ln of (alpha+T)^-(r+x) + [may have left] a/(b+x-1) (alpha+t_x)^-(r+x)."""
        k = r + x
        end, last = alpha + T, alpha + recency
        log_end = np.log(end)
        gap = log_end - np.log(last)
        np.divide(1.0, end, out=end)
        np.divide(1.0, last, out=last)
        may_leave = x + self._first > 0
        tries = np.where(may_leave, b + (x + (self._first - 1)), 1.0)
        # log-odds of having left, their softplus and logistic curve
        log_odds = np.where(may_leave, k * gap + np.log(a / tries), -800.0)
        small = np.exp(-np.abs(log_odds))
        softplus = np.maximum(log_odds, 0.0) + np.log(1 + small)
        share = 1 / (1 + small)
        bend = small * share * share
        left = np.where(log_odds > 0, share, small * share)
        step = end - last
        by_alpha = k * step
        by_b = -1 / tries
        by_a = 1 / a
        bend_gap, bend_alpha, bend_b = bend * gap, bend * by_alpha, bend * by_b
        k_end = k * end
        return Terms(
            softplus - k * log_end,
            {
                R: left * gap - log_end,
                ALPHA: left * by_alpha - k_end,
                A: left * by_a,
                B: left * by_b,
            },
            {
                (R, R): bend_gap * gap,
                (R, ALPHA): bend_gap * by_alpha + left * step - end,
                (R, A): bend_gap * by_a,
                (R, B): bend_gap * by_b,
                (ALPHA, ALPHA): bend_alpha * by_alpha
                - left * by_alpha * (end + last)
                + k_end * end,
                (ALPHA, A): bend_alpha * by_a,
                (ALPHA, B): bend_alpha * by_b,
                (A, A): (bend - left) * by_a**2,
                (A, B): bend_b * by_a,
                (B, B): (bend + left) * by_b**2,
            },
        )

    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array:
        may_leave = x + self._first > 0
        tries = np.where(may_leave, p["b"] + (x + (self._first - 1)), 1.0)
        gap = log1p_ratio(T - recency, p["alpha"] + recency)
        log_odds = np.log(p["a"]) - np.log(tries) + (p["r"] + x) * gap
        return np.where(may_leave, special.expit(-log_odds), 1.0)

    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        b = p["b"] + x + self._first
        return purchases_until_dropout(p["r"] + x, p["a"], b, t / (p["alpha"] + T))

    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array:
        a, b, k = p["a"], p["b"] + x + self._first, p["r"] + x
        z = t / (p["alpha"] + T)
        stayed = np.exp(special.betaln(a, b + n) - special.betaln(a, b))
        made_n = negative_binomial_pmf(n, k, z) * stayed
        # or the n-th was the last, of n or more that there would have been
        before = np.maximum(n, 1.0)
        left_at_n = np.exp(special.betaln(a + 1, b + before - 1) - special.betaln(a, b))
        at_least_n = special.betainc(before, k, z / (1 + z))
        return made_n + np.where(n > 0, left_at_n * at_least_n, 0.0)

    def _discounted_if_alive(self, p: Parameters, x: Array, T: Array, rate: float) -> Array:
        b = p["b"] + x + self._first
        return discounted_until_dropout(p["r"] + x, p["a"], b, rate * (p["alpha"] + T))

    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Integers:
        rate = rng.gamma(p["r"] + x) / (p["alpha"] + T)
        leave = rng.beta(p["a"], p["b"] + x + self._first)
        return np.minimum(draw_poisson(rate * t, rng), draw_geometric(leave, rng))

    def _draw_histories(
        self, p: Parameters, T: Array, rng: np.random.Generator
    ) -> tuple[Integers, Array]:
        rate = rng.gamma(p["r"], size=T.shape) / p["alpha"]
        leave = rng.beta(p["a"], p["b"], T.shape)
        would = draw_poisson(rate * T, rng)
        purchases = np.minimum(would, draw_geometric(leave, rng) - self._first)
        # The times of the purchases she would make are ordered uniforms.
        last = rng.beta(np.maximum(purchases, 1), would - purchases + 1)
        return purchases, np.where(purchases > 0, T * last, 0.0)


class BGNBD(BetaGeometricModel):
    r"""Beta-geometric / negative binomial distribution model.

    While alive a customer buys as a Poisson process of rate lambda; after every repeat purchase
    she leaves for good with probability p. Across customers lambda ~ Gamma(r, alpha) and
    p ~ Beta(a, b), independently. A customer without repeat purchases is alive by construction.

    The likelihood of a history of x repeat purchases, the last at t_x, observed for T, is
    (Fader, Hardie & Lee 2005, equation 6)

    .. math::
       L = \frac{B(a, b+x)}{B(a, b)} \frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)}
           \left[ (\alpha+T)^{-(r+x)}
           + 1_{x>0} \frac{a}{b+x-1} (\alpha+t_x)^{-(r+x)} \right],

    the probability of being alive is the first summand's share of the bracket, and expected
    purchases (equation 10) are that probability times
    :func:`clvmodels.numerics.special.purchases_until_dropout` at k = r+x, b+x and z = t /
    (alpha+T).

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates
        See :class:`clvmodels.transactions.base.TransactionModel`. Covariates, less their mean,
        scale lambda by exp(gamma' z) through alpha, and a and b by their own exp(gamma_a' z),
        exp(gamma_b' z); coefficients are named ``purchase:z``, ``dropout_a:z`` and ``dropout_b:z``.

    Attributes
    ----------
    params_ : dict
        ``r`` (shape), ``alpha`` (in the unit of T), ``a`` and ``b``; with covariates, of a
        customer who has their mean.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way:
    an alternative to the Pareto/NBD model. Marketing Science 24(2), 275-284.

    Examples
    --------
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(float(model.expected_purchases_new_customer(52)), 3)
    1.444
    """

    _first = 0


class MBGNBD(BetaGeometricModel):
    r"""Modified BG/NBD: a customer may leave after her first purchase too.

    As :class:`BGNBD`, with one more chance to leave, at time 0, so that customers without repeat
    purchases need not be alive. With y = x + 1 chances the likelihood is

    .. math::
       L = \frac{B(a, b+x+1)}{B(a, b)} \frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)}
           \left[ (\alpha+T)^{-(r+x)} + \frac{a}{b+x} (\alpha+t_x)^{-(r+x)} \right].

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates
        See :class:`clvmodels.transactions.base.TransactionModel`. Covariates, less their mean,
        scale lambda by exp(gamma' z) through alpha, and a and b by their own exp(gamma_a' z),
        exp(gamma_b' z); coefficients are named ``purchase:z``, ``dropout_a:z`` and ``dropout_b:z``.

    Attributes
    ----------
    params_ : dict
        ``r`` (shape), ``alpha`` (in the unit of T), ``a`` and ``b``; with covariates, of a
        customer who has their mean.

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007). Empirical validation and comparison
    of models for customer base analysis. International Journal of Research in Marketing 24(3),
    201-209.
    """

    _first = 1
