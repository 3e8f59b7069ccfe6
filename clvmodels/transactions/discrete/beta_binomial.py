"""BG/BB: purchases at occasions, beta-binomial while alive, beta-geometric dropout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.summaries import Histories
from clvmodels.estimation.covariates import Effect
from clvmodels.estimation.likelihood import Terms, Total, Value, dot
from clvmodels.estimation.maximum import LogLikelihood
from clvmodels.numerics.special import draw_geometric
from clvmodels.numerics.stays import discounted_stays, expected_stays
from clvmodels.transactions.alive import Parameters
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.discrete.likelihood import log_ways, row_terms

_CHUNK = 4096


class BGBB(TransactionModel):
    r"""Beta-geometric / beta-Bernoulli model of purchases at occasions (yes or no).

    Before each occasion a customer leaves for good with probability theta ~ Beta(gamma, delta);
    while alive she buys at an occasion with probability p ~ Beta(alpha, beta). The likelihood of
    x purchases at n occasions, the last at t_x, is (Fader, Hardie & Shang 2010, equation 5)

    .. math::
       L = \frac{B(\alpha+x, \beta+n-x)}{B(\alpha, \beta)}
           \frac{B(\gamma, \delta+n)}{B(\gamma, \delta)}
           + \sum_{i=0}^{n-t_x-1} \frac{B(\alpha+x, \beta+t_x-x+i)}{B(\alpha, \beta)}
           \frac{B(\gamma+1, \delta+t_x+i)}{B(\gamma, \delta)} ,

    and the probability of being alive at the last occasion is the first summand's share. Time is
    counted in occasions: ``frequency`` x, ``recency`` t_x and ``T`` n are whole numbers, and so
    are horizons. The first purchase, which makes a customer, is no occasion.

    Parameters
    ----------
    penalty : float
        L2 penalty on the logarithms of the parameters, as in
        :class:`clvmodels.transactions.base.TransactionModel`.
    purchase_covariates, dropout_covariates : sequence of str
        Static covariates that scale the mean odds alpha / beta of buying and gamma / delta of
        leaving, by exp(gamma' z) of their distance from the mean; coefficients are named
        ``purchase:z`` and ``dropout:z``.

    Attributes
    ----------
    params_ : dict
        ``alpha``, ``beta``, ``gamma`` and ``delta``; with covariates, of a customer who has
        their mean.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Shang, J. (2010). Customer-base analysis in a discrete-time
    noncontractual setting. Marketing Science 29(6), 1086-1108.

    Examples
    --------
    >>> model = BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    >>> round(float(model.expected_purchases_new_customer(6)), 3)
    2.22
    """

    parameter_names = ("alpha", "beta", "gamma", "delta")
    scale_names = ()
    advice: ClassVar = {
        "alpha": "Customers hardly differ in how often they buy (or none bought again).",
        "beta": "Customers hardly differ in how often they buy (or none bought again).",
        "gamma": "Nobody is seen to leave, or customers hardly differ in how readily they do.",
        "delta": "Nobody is seen to leave, or customers hardly differ in how readily they do.",
    }
    purchase_effects = (Effect("beta", -1.0, "purchase"),)
    dropout_effects = (Effect("delta", -1.0, "dropout"),)

    # An occasion is the unit of time

    def _read_to_fit(self, summary: Any, weights: npt.ArrayLike | None) -> Histories:
        data = super()._read_to_fit(summary, weights)
        _check_occasions(data)
        return data

    def _unit_of_time(self, data: Histories, customers: float) -> float:
        return 1.0

    def _read(self, summary: Any) -> tuple[Histories, Parameters]:
        data, p = super()._read(summary)
        _check_occasions(data)
        return data, p

    # The likelihood

    def _start(self, data: Histories) -> Array:
        occasions = max(dot(data.weight, data.T), 1e-12)
        share = np.clip(dot(data.weight, data.frequency) / occasions, 0.01, 0.9)
        return np.log([1.0, 1.0 / share - 1.0, 0.7, 0.7 * 5.0])

    def _log_likelihood(self, data: Histories) -> LogLikelihood:
        def total(theta: Array) -> Total:
            natural = np.exp(theta)
            result = Total.zero(4)
            terms = row_terms(data.frequency, data.recency, data.T, natural.tolist())
            result.add(terms, data.weight)
            return result.in_logs(natural)

        return total

    def _terms(self, data: Histories, values: Sequence[Value]) -> Iterable[Terms]:
        yield row_terms(data.frequency, data.recency, data.T, list(values))

    # What is to come of a customer who is alive: p ~ Beta(alpha + x, beta + n - x) and
    # theta ~ Beta(gamma, delta + n), apart from each other

    def _rate_quantile(self, p: Parameters, data: Histories, probability: float) -> Array:
        """Of the probability of buying at an occasion."""
        return np.asarray(special.betaincinv(*self._buys_and_refuses(p, data), probability))

    def _rate_shape(self, p: Parameters, data: Histories) -> Array:
        buys, refuses = self._buys_and_refuses(p, data)
        return np.asarray(buys * (buys + refuses + 1) / refuses)

    def _buys_and_refuses(self, p: Parameters, data: Histories) -> tuple[Array, Array]:
        x, n = data.frequency, data.T
        return np.asarray(p["alpha"] + x), np.asarray(p["beta"] + n - x)

    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array:
        alive = np.empty(x.size)
        values = [np.broadcast_to(p[name], x.shape) for name in self.parameter_names]
        for rows in np.array_split(np.arange(x.size), 1 + x.size // _CHUNK):
            if rows.size:
                of_rows: list[Value] = [value[rows] for value in values]
                ways, _, _ = log_ways(x[rows], recency[rows], T[rows], of_rows)
                alive[rows] = np.exp(ways[:, 0] - special.logsumexp(ways, axis=1))
        return alive

    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Equation 13: the chance of buying times the occasions that she is expected to see."""
        _check_whole(t)
        buys = (p["alpha"] + x) / (p["alpha"] + p["beta"] + T)
        return np.asarray(buys * expected_stays(p["gamma"], p["delta"] + T, t))

    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array:
        """Equation 8, of later occasions: alive at the last of them, or gone after i."""
        _check_whole(np.asarray(t))
        alpha, beta = p["alpha"] + x, p["beta"] + T - x
        gamma, delta = p["gamma"], p["delta"] + T

        def bought(seen: float) -> Array:
            ways = -np.log1p(seen) - special.betaln(
                np.maximum(seen - n, 0) + 1, np.minimum(n, seen) + 1
            )
            taken = special.betaln(alpha + np.minimum(n, seen), beta + np.maximum(seen - n, 0))
            return np.where(n <= seen, np.exp(ways + taken - special.betaln(alpha, beta)), 0.0)

        log_beta = special.betaln(gamma, delta)
        total = bought(t) * np.exp(special.betaln(gamma, delta + t) - log_beta)
        for seen in range(int(t)):
            left = np.exp(special.betaln(gamma + 1, delta + seen) - log_beta)
            total = total + bought(float(seen)) * left
        return np.asarray(total)

    def _discounted_if_alive(self, p: Parameters, x: Array, T: Array, rate: float) -> Array:
        """Equation 14: each later occasion at e^-rate of the one before, without end."""
        buys = (p["alpha"] + x) / (p["alpha"] + p["beta"] + T)
        return np.asarray(buys * discounted_stays(p["gamma"], p["delta"] + T, rate))

    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Integers:
        _check_whole(np.asarray(t))
        buys = rng.beta(p["alpha"] + x, p["beta"] + T - x)
        leaves = rng.beta(p["gamma"], p["delta"] + T)
        return rng.binomial(np.minimum(draw_geometric(leaves, rng) - 1, int(t)), buys)

    def _draw_histories(
        self, p: Parameters, T: Array, rng: np.random.Generator
    ) -> tuple[Integers, Array]:
        _check_whole(T)
        buys = rng.beta(p["alpha"], p["beta"], T.shape)
        leaves = rng.beta(p["gamma"], p["delta"], T.shape)
        seen = np.minimum(draw_geometric(leaves, rng) - 1, T)
        purchases, last = np.zeros(T.size, dtype=np.int64), np.zeros(T.size)
        for occasion in range(1, int(T.max(initial=0.0)) + 1):
            buying = (rng.random(T.size) < buys) & (occasion <= seen)
            purchases += buying
            last[buying] = occasion
        return purchases, last


def _check_occasions(data: Histories) -> None:
    _check_whole(data.T)
    _check_whole(data.recency)
    bad = np.flatnonzero(data.frequency > data.recency)
    if bad.size:
        row = int(bad[0])
        raise InvalidValueError(
            "there is at most one purchase at an occasion, so that frequency is at most recency; "
            f"found {bad.size} rows otherwise (row {row}: frequency {data.frequency[row]:g}, "
            f"recency {data.recency[row]:g}). Count occasions, not days."
        )


def _check_whole(occasions: Array) -> None:
    odd = np.asarray(occasions)[np.asarray(occasions) != np.floor(occasions)]
    if odd.size:
        raise InvalidValueError(
            "occasions are whole numbers: recency, T and horizons of this model count them; "
            f"found {odd.flat[0]:g}"
        )
