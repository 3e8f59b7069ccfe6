"""The grammar of the transaction models: from purchase histories to forecasts of purchases."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.base import Model, RandomState
from clvmodels.exceptions import InvalidValueError
from clvmodels.frames import Histories, compress, read_histories, read_horizons
from clvmodels.optimize import LogLikelihood, estimate, systematic_sample
from clvmodels.special import unique_rows

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Parameters = Mapping[str, Any]

SAMPLE_ROWS = 60_000
SAMPLE_CUSTOMERS = 20_000


class TransactionModel(Model):
    """A model of when customers buy and when they leave.

    Subclasses give the log-likelihood and, for a customer who is alive at the end of observation,
    the distribution of future purchases; this class does the rest.

    Parameters
    ----------
    penalty : float
        L2 penalty on the logarithms of the parameters, with time in units of the mean T; its
        strength depends neither on units nor on the number of customers (see
        :func:`clvmodels.optimize.estimate`).
    """

    scale_names: ClassVar[tuple[str, ...]]
    """Parameters measured in time."""

    advice: ClassVar[Mapping[str, str]] = {}

    def __init__(self, penalty: float = 0.0) -> None:
        self.penalty = penalty

    # What a model gives

    @abstractmethod
    def _log_likelihood(self, data: Histories) -> LogLikelihood: ...

    @abstractmethod
    def _start(self, data: Histories) -> Array: ...

    @abstractmethod
    def _alive(self, p: Parameters, x: Array, recency: Array, T: Array) -> Array: ...

    @abstractmethod
    def _expected_if_alive(self, p: Parameters, x: Array, T: Array, t: Array) -> Array: ...

    @abstractmethod
    def _pmf_if_alive(self, p: Parameters, x: Array, T: Array, t: float, n: Array) -> Array: ...

    @abstractmethod
    def _draw_if_alive(
        self, p: Parameters, x: Array, T: Array, t: float, rng: np.random.Generator
    ) -> Counts: ...

    # Fit

    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        summary : DataFrame
            pandas, polars or pyarrow, with columns frequency, recency, T and, where rows stand
            for several customers, weight. Time may be in any unit.
        weights : array_like, shape (n,), optional
            Customers behind each row; overrides the column.

        Returns
        -------
        self

        Raises
        ------
        DataError, InvalidValueError, MissingColumnError
            If the table cannot be used; the message names the first offending rows.

        Warns
        -----
        ConvergenceWarning
            If the data do not identify every parameter; the estimates are finite all the same.
        """
        if not (np.isfinite(self.penalty) and self.penalty >= 0):
            raise InvalidValueError(f"penalty must be 0 or more; found {self.penalty}")
        data = compress(read_histories(summary, weights))
        customers = float(data.weight.sum())
        unit = float(data.weight @ data.T) / customers or 1.0
        scaled = data.in_units_of(unit)
        sample = None
        if data.size > SAMPLE_ROWS:
            rows, weight = systematic_sample(data.weight, SAMPLE_CUSTOMERS)
            sample = (self._log_likelihood(scaled.rows(rows, weight)), float(weight.sum()))
        result = estimate(
            self._log_likelihood(scaled),
            self._start(scaled),
            self.parameter_names,
            customers,
            penalty=self.penalty,
            sample=sample,
            advice=self.advice,
            model=type(self).__name__,
        )
        shift = np.array(
            [np.log(unit) if name in self.scale_names else 0.0 for name in self.parameter_names]
        )
        # A purchase has a density in time: changing the unit of time changes it by the unit.
        in_units = result.log_likelihood - float(data.weight @ data.frequency) * np.log(unit)
        self._learn(self.parameter_names, result, shift, in_units, customers)
        return self

    # Forecasts

    def probability_alive(self, summary: Any) -> Array:
        """Probability that a customer is still one at the end of observation.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.

        Returns
        -------
        ndarray, shape (n,)
        """
        data, p = self._read(summary)
        return self._alive(p, data.frequency, data.recency, data.T)

    def expected_purchases(self, summary: Any, horizon: npt.ArrayLike) -> Array:
        """Expected purchases in the period of length ``horizon`` after the end of observation.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.
        horizon : float or array_like of shape (k,)
            In the unit of T.

        Returns
        -------
        ndarray, shape (n,) or (n, k)
        """
        horizons, single = read_horizons(horizon)
        data, p = self._read(summary)
        alive = self._alive(p, data.frequency, data.recency, data.T)
        if_alive = self._over_histories(
            lambda q, x, T: self._expected_if_alive(q, x[:, None], T[:, None], horizons), p, data
        )
        return alive * if_alive[:, 0] if single else alive[:, None] * if_alive

    def probability_no_purchase(self, summary: Any, horizon: npt.ArrayLike) -> Array:
        """Probability of no purchase within ``horizon``: the model's own churn probability.

        Parameters
        ----------
        summary, horizon
            As in :meth:`expected_purchases`.

        Returns
        -------
        ndarray, shape (n,) or (n, k)
        """
        horizons, single = read_horizons(horizon)
        columns = [self.purchase_pmf_given_history(summary, 0, t)[:, 0] for t in horizons]
        return columns[0] if single else np.stack(columns, axis=1)

    def purchase_pmf_given_history(self, summary: Any, n: npt.ArrayLike, horizon: float) -> Array:
        """Probability of n purchases within the horizon, for customers with histories.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.
        n : int or array_like of int, shape (k,)
        horizon : float
            In the unit of T.

        Returns
        -------
        ndarray, shape (n_rows, k)
        """
        data, p = self._read(summary)
        return self._pmf(p, data, n, horizon)

    def purchase_pmf(
        self, n: npt.ArrayLike, t: float, covariates: Mapping[str, float] | None = None
    ) -> Array:
        """Probability that a new customer makes n repeat purchases in the first t units of time.

        Parameters
        ----------
        n : int or array_like of int, shape (k,)
        t : float
            Time since the first purchase.
        covariates : mapping of str to float, optional
            The customer's; 0 where not given.

        Returns
        -------
        ndarray, shape (k,), or a float for one n
        """
        data = self._new_customer(covariates)
        pmf = self._pmf(self._parameters(data), data, n, t)[0]
        return pmf[0] if np.ndim(n) == 0 else pmf

    def expected_purchases_new_customer(
        self, t: npt.ArrayLike, covariates: Mapping[str, float] | None = None
    ) -> Array:
        """Expected repeat purchases of a new customer in the first t units of time.

        Parameters
        ----------
        t : float or array_like of shape (k,)
            Time since the first purchase.
        covariates : mapping of str to float, optional
            The customer's; 0 where not given.

        Returns
        -------
        ndarray, shape (k,), or a float for one t
        """
        times, single = read_horizons(t)
        data = self._new_customer(covariates)
        p = self._parameters(data)
        alive = self._alive(p, data.frequency, data.recency, data.T)
        curve = alive * self._expected_if_alive(p, data.frequency, data.T, times)
        return curve[0] if single else curve

    def discounted_expected_purchases(
        self, summary: Any, horizons: npt.ArrayLike, discount_factors: npt.ArrayLike
    ) -> Array:
        """Expected purchases of consecutive periods, each times its discount factor, summed.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.
        horizons : array_like, shape (k,)
            Ends of the periods, rising, in the unit of T from the end of observation; the first
            period starts at 0.
        discount_factors : array_like, shape (k,)
            What a purchase of each period is worth today.

        Returns
        -------
        ndarray, shape (n,)
        """
        ends, _ = read_horizons(horizons)
        factors = np.atleast_1d(np.asarray(discount_factors, dtype=float))
        if factors.shape != ends.shape or np.any(np.diff(ends) < 0):
            raise InvalidValueError(
                "horizons must rise and have one discount factor each; "
                f"found {ends.tolist()} and {factors.tolist()}"
            )
        data, p = self._read(summary)
        # sum_i d_i (E_i - E_(i-1)) as weights of the E_i themselves
        of_ends = factors - np.append(factors[1:], 0.0)
        value = self._over_histories(
            lambda q, x, T: self._expected_if_alive(q, x[:, None], T[:, None], ends) @ of_ends,
            p,
            data,
        )
        return self._alive(p, data.frequency, data.recency, data.T) * value

    def simulate(
        self, summary: Any, horizon: float, n_draws: int, random_state: RandomState = None
    ) -> Counts:
        """Draw future purchase counts, exactly, from each customer's posterior.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.
        horizon : float
            In the unit of T.
        n_draws : int
        random_state : int or Generator, optional

        Returns
        -------
        ndarray of int, shape (n, n_draws)
        """
        (t,), _ = read_horizons(horizon)
        rng = np.random.default_rng(random_state)
        data, p = self._read(summary)
        alive = self._alive(p, data.frequency, data.recency, data.T)
        counts = np.empty((data.size, n_draws), dtype=np.int64)
        for draw in range(n_draws):
            future = self._draw_if_alive(p, data.frequency, data.T, float(t), rng)
            counts[:, draw] = np.where(rng.random(data.size) < alive, future, 0)
        return counts

    # Machinery

    def _read(self, summary: Any) -> tuple[Histories, Parameters]:
        data = read_histories(summary)
        return data, self._parameters(data)

    def _parameters(self, data: Histories) -> Parameters:
        return self.params_

    def _new_customer(self, covariates: Mapping[str, float] | None) -> Histories:
        if covariates:
            raise InvalidValueError(f"this model has no covariates; found {', '.join(covariates)}")
        zero = np.zeros(1)
        return Histories(zero, zero, zero, np.ones(1), {})

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
        (horizon,), _ = read_horizons(t)
        counts = np.atleast_1d(np.asarray(n, dtype=float))
        if np.any(counts < 0) or np.any(counts != np.floor(counts)):
            raise InvalidValueError(f"n must hold whole numbers from 0; found {np.unique(counts)}")
        alive = self._alive(p, data.frequency, data.recency, data.T)[:, None]
        if_alive = self._over_histories(
            lambda q, x, T: self._pmf_if_alive(q, x[:, None], T[:, None], float(horizon), counts),
            p,
            data,
        )
        pmf = alive * if_alive + (1 - alive) * (counts == 0)
        return np.asarray(np.clip(pmf, 0.0, 1.0))


def _as_columns(p: Parameters) -> Parameters:
    return {name: value[:, None] if np.ndim(value) else value for name, value in p.items()}


def moment_start(data: Histories) -> tuple[float, float]:
    """Shape and scale of a gamma rate that matches the mean and spread of repeat purchases."""
    customers, exposure = data.weight.sum(), data.weight @ data.T
    rate = max(float(data.weight @ data.frequency), 0.5) / max(float(exposure), 1e-12)
    expected = rate * data.T
    excess = data.weight @ ((data.frequency - expected) ** 2 - expected)
    ratio = float(excess / max(float(data.weight @ expected**2), 1e-12 * float(customers)))
    shape = float(np.clip(1.0 / max(ratio, 1e-3), 0.05, 20.0))
    return shape, shape / rate
