"""What is to come of customers whose gaps are Erlang-k: it depends on the time since the last."""

from __future__ import annotations

import numpy as np
from scipy import special

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.summaries import Histories
from clvmodels.numerics.special import draw_geometric, draw_poisson
from clvmodels.numerics.stages import (
    at_least,
    discounted_in_stages,
    exactly,
    mixed_gamma_moments,
    mixed_gamma_quantile,
    purchases_in_stages,
    stage_terms,
)
from clvmodels.transactions.alive import Parameters
from clvmodels.transactions.beta_geometric import BetaGeometricModel
from clvmodels.transactions.regular import likelihood


class ErlangForecasts(BetaGeometricModel):
    """Forecasts of the two models of regular buyers."""

    k_: int

    # What is to come of a customer who is alive

    def _parameters(self, data: Histories) -> Parameters:
        """Natural parameters, and the time since the last purchase: it says of the next one."""
        return dict(super()._parameters(data)) | {"silence": data.T - data.recency}

    def _passed(self, p: Parameters, x: Array, T: Array) -> tuple[Array, list[Array]]:
        """Shape of the rate of stages, and how likely 0 to k - 1 of them are passed."""
        s = np.asarray(p["r"] + self.k_ * x)
        terms = stage_terms(self.k_, s, p["silence"] / (p["alpha"] + T))
        whole = sum(terms)
        return s, [np.asarray(term / whole) for term in terms]

    def _rate_quantile(self, p: Parameters, data: Histories, probability: float) -> Array:
        """Of lambda / k: with j stages behind her, lambda is Gamma(r + k x + j, alpha + T).

        The history says how likely each j is.
        """
        s, weights = self._passed(p, data.frequency, data.T)
        rate = mixed_gamma_quantile(weights, s, probability)
        return np.asarray(rate / (p["alpha"] + data.T) / self.k_)

    def _rate_shape(self, p: Parameters, data: Histories) -> Array:
        s, weights = self._passed(p, data.frequency, data.T)
        mean, variance = mixed_gamma_moments(weights, s)
        return np.asarray(mean * mean / variance)

    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array:
        s, end = np.asarray(p["r"] + self.k_ * x), np.asarray(p["alpha"] + T)
        quiet, _, _ = likelihood.no_purchase_since(self.k_, s, T - recency, end)
        may_leave = x + self._first > 0
        tries = np.where(may_leave, p["b"] + (x + (self._first - 1)), 1.0)
        gap = np.log1p((T - recency) / (p["alpha"] + recency))
        log_odds = np.log(p["a"]) - np.log(tries) + s * gap - quiet
        return np.where(may_leave, special.expit(-log_odds), 1.0)

    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        s, weights = self._passed(p, x, T)
        b = p["b"] + x + self._first
        return purchases_in_stages(weights, s, p["a"], b, t / (p["alpha"] + T))

    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array:
        s, weights = self._passed(p, x, T)
        a, b = p["a"], p["b"] + x + self._first
        z = t / (p["alpha"] + T)
        log_beta = special.betaln(a, b)
        made_n = exactly(n, weights, s, z) * np.exp(special.betaln(a, b + n) - log_beta)
        # or the n-th was the last, of n or more that there would have been
        before = np.maximum(n, 1.0)
        left_at_n = np.exp(special.betaln(a + 1, b + before - 1) - log_beta)
        return made_n + np.where(n > 0, left_at_n * at_least(before, weights, s, z), 0.0)

    def _discounted_if_alive(self, p: Parameters, x: Array, T: Array, rate: float) -> Array:
        s, weights = self._passed(p, x, T)
        b = p["b"] + x + self._first
        return discounted_in_stages(weights, s, p["a"], b, rate * (p["alpha"] + T))

    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Integers:
        s, weights = self._passed(p, x, T)
        passed = (rng.random(s.shape) > np.cumsum(weights, axis=0)[:-1]).sum(axis=0)
        rate = rng.gamma(s + passed) / (p["alpha"] + T)
        leave = rng.beta(p["a"], p["b"] + x + self._first)
        would = (passed + draw_poisson(rate * t, rng)) // self.k_
        return np.minimum(would, draw_geometric(leave, rng))
