"""What a model says of a customer who is alive, and how it is spread over customers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arguments import numbers, read_horizon
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.summaries import MAX_FREQUENCY, Histories, read_histories
from clvmodels.estimation.covariates import CovariateEffects, Scaling, values_of_new_customer
from clvmodels.numerics.special import unique_rows

if TYPE_CHECKING:
    from clvmodels.estimation.parameters import Model as _Base
else:
    _Base = ABC  # a part of TransactionModel: the classes stay a few deep

Parameters = Mapping[str, Any]


class AliveModel(_Base):
    """The mathematics that a transaction model gives, from which every forecast follows.

    In all of it p holds the natural parameters, numbers or arrays by customer; x, recency and T
    the histories; t the time after the end of observation. Arrays broadcast.
    """

    _scaling: Scaling = Scaling({}, {})

    @property
    @abstractmethod
    def _effects(self) -> CovariateEffects: ...

    @abstractmethod
    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array: ...

    @abstractmethod
    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array: ...

    @abstractmethod
    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array: ...

    @abstractmethod
    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Integers: ...

    @abstractmethod
    def _discounted_if_alive(self, p: Parameters, x: Array, T: Array, rate: float) -> Array: ...

    def _rate_if_alive(self, p: Parameters, x: Array, T: Array) -> tuple[Array, Array]:
        """Shape and rate of the gamma posterior of lambda, given the history and being alive.

        Of a customer who is alive the history says x purchases in T; whatever else it says does
        not depend on lambda, so that every model of the family shares the NBD's posterior.
        """
        return np.asarray(p["r"] + x), np.asarray(p["alpha"] + T)

    def _rate_quantile(self, p: Parameters, data: Histories, probability: float) -> Array:
        """Quantile of lambda, Gamma(r, alpha) across customers where purchases come by chance.

        A customer who is alive has made x purchases in T at her rate: lambda given that is
        Gamma(r + x, alpha + T), as in the derivation of equation 10 of Fader, Hardie and Lee
        (2005). Covariates scale alpha.
        """

        def quantile(q: Parameters, x: Array, T: Array) -> Array:
            shape, rate = self._rate_if_alive(q, x[:, None], T[:, None])
            return special.gammaincinv(shape, probability) / rate

        return self._over_histories(quantile, p, data)[:, 0]

    def _rate_shape(self, p: Parameters, data: Histories) -> Array:
        shape, _ = self._rate_if_alive(p, data.frequency, data.T)
        return np.asarray(np.broadcast_to(shape, data.frequency.shape))

    def _read(self, summary: Any) -> tuple[Histories, Parameters]:
        data = read_histories(summary, covariates=self._effects.columns)
        return data, self._parameters(data)

    def _parameters(self, data: Histories) -> Parameters:
        return self._effects.natural(self.params_, data.covariates, self._scaling)

    def _new_customer(self, covariates: Mapping[str, float] | None) -> Histories:
        zero = np.zeros(1)
        values = values_of_new_customer(covariates, self._effects.columns, self._scaling)
        return Histories(zero, zero, zero, np.ones(1), values)

    def _over_histories(self, function: Any, p: Parameters, data: Histories) -> Array:
        """Evaluate function(p, x, T) once per distinct pair and spread it over the rows."""
        if any(np.ndim(value) for value in p.values()):
            return np.asarray(function(_as_columns(p), data.frequency, data.T))
        distinct = unique_rows(data.frequency, data.T)
        if distinct is None:
            return np.asarray(function(p, data.frequency, data.T))
        (x, T), position = distinct
        return np.asarray(function(p, x, T))[position]

    def _pmf(self, p: Parameters, data: Histories, n: npt.ArrayLike, t: float) -> Array:
        horizon = read_horizon(t)
        counts = np.atleast_1d(numbers(n, "n"))
        whole = (counts >= 0) & (counts <= MAX_FREQUENCY) & (counts == np.floor(counts))
        if counts.ndim > 1 or not whole.all():
            raise InvalidValueError(
                f"n must hold whole numbers from 0 to {MAX_FREQUENCY}; found {np.unique(counts)}"
            )
        alive = self._alive(p, data.frequency, data.recency, data.T)[:, None]
        if_alive = self._over_histories(
            lambda q, x, T: self._pmf_if_alive(q, x[:, None], T[:, None], horizon, counts),
            p,
            data,
        )
        pmf = alive * if_alive + (1 - alive) * (counts == 0)
        return np.asarray(np.clip(pmf, 0.0, 1.0))


def _as_columns(p: Parameters) -> Parameters:
    return {name: value[:, None] if np.ndim(value) else value for name, value in p.items()}
