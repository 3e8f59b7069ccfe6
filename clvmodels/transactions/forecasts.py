"""Forecasts of purchases, from a model's parameters and customers' histories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import (
    LARGEST,
    number,
    numbers,
    read_horizon,
    read_horizons,
    whole_number,
)
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.summaries import read_histories
from clvmodels.estimation.parameters import RandomState
from clvmodels.estimation.uncertainty import Interval, positive_interval
from clvmodels.numerics.threads import one_blas_thread

if TYPE_CHECKING:
    from clvmodels.estimation.uncertainty import Uncertainty
    from clvmodels.transactions.alive import AliveModel

    class _Base(AliveModel, Uncertainty):
        """What it stands beside in TransactionModel."""
else:
    _Base = object


class Forecasts(_Base):
    """What can be asked of a transaction model about the future."""

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

    def purchase_rate_quantile(self, summary: Any, probability: float) -> Array:
        """Quantile of the purchase rate lambda of a customer, given that she is alive.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.
        probability : float
            Between 0 and 1; 0.99 is the rate that one in a hundred such customers exceeds.

        Returns
        -------
        ndarray, shape (n,)
            Purchases per unit of T.
        """
        if not 0 <= probability < 1:
            raise InvalidValueError(f"a probability lies in [0, 1); found {probability}")
        data, p = self._read(summary)
        return self._rate_quantile(p, data, probability)

    def purchase_rate_shape(self, summary: Any) -> Array:
        """Shape of a customer's purchase rate, given that she is alive: 1 over its squared CV.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.

        Returns
        -------
        ndarray, shape (n,)
        """
        data, p = self._read(summary)
        return self._rate_shape(p, data)

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
        self, n: npt.ArrayLike, t: npt.ArrayLike, covariates: Mapping[str, float] | None = None
    ) -> Array:
        """Probability that a new customer makes n repeat purchases in the first t units of time.

        Parameters
        ----------
        n : int or array_like of int, shape (k,)
        t : float or array_like of shape (m,)
            Time since the first purchase.
        covariates : mapping of str to float, optional
            The customer's; where not given, the mean of the customers fitted
            (``covariate_centre_``).

        Returns
        -------
        ndarray, shape (k, m); without the axis of an n or a t that is a single number
        """
        times, single = read_horizons(t, "t")
        data = self._new_customer(covariates)
        p = self._parameters(data)
        pmf = np.stack([self._pmf(p, data, n, float(time))[0] for time in times], axis=1)
        if single:
            pmf = pmf[:, 0]
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
            The customer's; where not given, the mean of the customers fitted
            (``covariate_centre_``).

        Returns
        -------
        ndarray, shape (k,), or a float for one t
        """
        times, single = read_horizons(t, "t")
        data = self._new_customer(covariates)
        p = self._parameters(data)
        alive = self._alive(p, data.frequency, data.recency, data.T)
        curve = alive * self._expected_if_alive(p, data.frequency, data.T, times)
        return curve[0] if single else curve

    @one_blas_thread
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
        factors = np.atleast_1d(numbers(discount_factors, "discount_factors"))
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

    def dert(self, summary: Any, rate: float) -> Array:
        """Discounted expected residual transactions: all future purchases at present value.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T.
        rate : float
            Continuous discount rate per unit of T, above 0; ln(1 + d) / 52 for an annual rate d
            and weeks.

        Returns
        -------
        ndarray, shape (n,)

        References
        ----------
        Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). RFM and CLV: using iso-value curves
        for customer base analysis. Journal of Marketing Research 42(4), 415-430.
        """
        rate = number(rate, "the discount rate")
        if not 1 / LARGEST <= rate <= LARGEST:
            raise InvalidValueError(
                f"the discount rate must be above 0, from {1 / LARGEST:g} to {LARGEST:g}; "
                f"found {rate}"
            )
        data, p = self._read(summary)
        value = self._over_histories(
            lambda q, x, T: self._discounted_if_alive(q, x[:, None], T[:, None], rate)[:, 0],
            p,
            data,
        )
        return self._alive(p, data.frequency, data.recency, data.T) * value

    def simulate(
        self, summary: Any, horizon: float, n_draws: int, random_state: RandomState = None
    ) -> Integers:
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
        t, n_draws = read_horizon(horizon), whole_number(n_draws, "n_draws", 1)
        rng = np.random.default_rng(random_state)
        data, p = self._read(summary)
        alive = self._alive(p, data.frequency, data.recency, data.T)
        counts = np.empty((data.size, n_draws), dtype=np.int64)
        for draw in range(n_draws):
            future = self._draw_if_alive(p, data.frequency, data.T, t, rng)
            counts[:, draw] = np.where(rng.random(data.size) < alive, future, 0)
        return counts

    @one_blas_thread
    def total_purchases(
        self,
        summary: Any,
        horizon: float,
        level: float = 0.9,
        *,
        of_expectation: bool = False,
        random_state: RandomState = None,
    ) -> Interval:
        """Purchases of all customers together within the horizon, with an interval.

        Parameters
        ----------
        summary : DataFrame
            With frequency, recency, T [, weight].
        horizon : float
            In the unit of T.
        level : float
            Probability inside the interval.
        of_expectation : bool
            Whether the interval is for the expected total, from parameter uncertainty alone
            (delta method), rather than for the total itself, which also varies with what
            customers do.
        random_state : int or Generator, optional
            Of the draws by which the variance between customers' futures is measured.

        Returns
        -------
        Interval
            Of the model being right: season, trend and new customers are not in it.
        """
        horizon = read_horizon(horizon)
        weight = read_histories(summary, covariates=self._effects.columns).weight
        expected = self.delta_interval(
            lambda m: weight @ m.expected_purchases(summary, horizon), level
        )
        if of_expectation:
            return expected
        draws = int(np.clip(2_000_000 // weight.size, 8, 2000))
        futures = self.simulate(summary, horizon, draws, random_state)
        variance = weight @ futures.var(axis=1, ddof=1)
        error = np.sqrt(expected.standard_error**2 + variance)
        return positive_interval(np.asarray(expected.estimate), error, level)
