"""What can be asked of a fitted model of contracts about the future."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import LARGEST, number, numbers, read_horizons, whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.estimator import Estimator
from clvmodels.core.renewals import Renewals
from clvmodels.estimation.parameters import Model, RandomState
from clvmodels.estimation.uncertainty import Uncertainty
from clvmodels.numerics.special import draw_geometric, log_rising
from clvmodels.numerics.stays import discounted_stays, expected_stays

Pair = tuple[Array, Array]


class ContractForecasts(Uncertainty, Model, Estimator):
    """Forecasts of renewals, which follow from each customer's alpha and beta.

    Tables of customers have renewals [, churned, covariates]; who has churned renews no more.
    """

    @abstractmethod
    def _of_customers(self, table: Any) -> tuple[Renewals, Array, Array]:
        """Contracts, and alpha and beta of whether the next renewal is missed; shapes (n,)."""

    @abstractmethod
    def _of_new_customer(self, covariates: Mapping[str, float] | None) -> tuple[float, float]:
        """Alpha and beta of a customer of whom only covariates are known."""

    def survival(self, t: npt.ArrayLike, covariates: Mapping[str, float] | None = None) -> Array:
        """Share of new customers who are still there after t renewals (equation 6).

        Parameters
        ----------
        t : int or array_like of int, shape (k,)
        covariates : mapping of str to float, optional
            The customers'; where not given, the mean of the customers fitted.

        Returns
        -------
        ndarray, shape (k,), or a float for one t
        """
        times, single = _renewals(t, "t", 0)
        alpha, beta = self._of_new_customer(covariates)
        share = np.exp(log_rising(beta, times) - log_rising(alpha + beta, times))
        return share[0] if single else share

    def retention_rate(
        self, t: npt.ArrayLike, covariates: Mapping[str, float] | None = None
    ) -> Array:
        """Share of those there before the t-th renewal who renew (equation 8), t from 1 on.

        Parameters
        ----------
        t, covariates
            As in :meth:`survival`.

        Returns
        -------
        ndarray, shape (k,), or a float for one t
        """
        times, single = _renewals(t, "t", 1)
        alpha, beta = self._of_new_customer(covariates)
        rate = (beta + times - 1) / (alpha + beta + times - 1)
        return rate[0] if single else rate

    def probability_renewal(self, table: Any) -> Array:
        """Probability that a customer renews the next time; shape (n,)."""
        data, alpha, beta = self._of_customers(table)
        return np.asarray((1 - data.churned) * beta / (alpha + beta))

    def expected_renewals(self, table: Any, horizon: npt.ArrayLike) -> Array:
        """Expected renewals of the next ``horizon`` that there are to be made.

        Never more than the contract allows: one a period.

        Parameters
        ----------
        table : DataFrame
            With renewals [, churned, covariates].
        horizon : int or array_like of int, shape (k,)

        Returns
        -------
        ndarray, shape (n,) or (n, k)
        """
        times, single = _renewals(horizon, "horizon", 0)
        data, alpha, beta = self._of_customers(table)
        expected = expected_stays(alpha[:, None], beta[:, None], times)
        expected *= (1 - data.churned)[:, None]
        return expected[:, 0] if single else expected

    def expected_remaining_lifetime(self, table: Any) -> Array:
        """Expected renewals still to come, without end: infinite where alpha <= 1.

        With alpha of 1 or less so many customers all but never leave that the mean has no end;
        :meth:`expected_renewals` and :meth:`derl` are finite for every alpha.

        Parameters
        ----------
        table : DataFrame
            With renewals [, churned, covariates].

        Returns
        -------
        ndarray, shape (n,)
        """
        data, alpha, beta = self._of_customers(table)
        lasting = np.where(alpha > 1, beta / np.where(alpha > 1, alpha - 1, 1.0), np.inf)
        return np.where(data.churned == 1, 0.0, lasting)

    def derl(self, table: Any, rate: float) -> Array:
        """Discounted expected residual lifetime: payments to come, at their value today.

        As in Fader and Hardie (2010), today is just before the next renewal, whose payment
        counts in full if it is made, the one after it at e^-rate, and so on without end.

        Parameters
        ----------
        table : DataFrame
            With renewals [, churned, covariates].
        rate : float
            Continuous discount rate per period, above 0; ln(1 + d) for a discount rate d.

        Returns
        -------
        ndarray, shape (n,)
            In payments: times the margin of one it is a value.
        """
        rate = number(rate, "the discount rate")
        if not 1 / LARGEST <= rate <= 700:
            raise InvalidValueError(f"the discount rate must be above 0, 700 at most; found {rate}")
        data, alpha, beta = self._of_customers(table)
        return np.asarray((1 - data.churned) * discounted_stays(alpha, beta, rate) * np.exp(rate))

    def simulate(
        self, table: Any, horizon: int, n_draws: int, random_state: RandomState = None
    ) -> Integers:
        """Draw renewals to come, exactly, from each customer's posterior.

        Parameters
        ----------
        table : DataFrame
            With renewals [, churned, covariates].
        horizon : int
            Renewals that there are to be made.
        n_draws : int
        random_state : int or Generator, optional

        Returns
        -------
        ndarray of int, shape (n, n_draws)
        """
        most, n_draws = whole_number(horizon, "horizon", 0), whole_number(n_draws, "n_draws", 1)
        rng = np.random.default_rng(random_state)
        data, alpha, beta = self._of_customers(table)
        shape = (alpha.size, n_draws)
        leave = rng.beta(alpha[:, None], beta[:, None], shape)
        stays = np.minimum(draw_geometric(leave, rng) - 1, most)
        return np.asarray(np.where((data.churned == 1)[:, None], 0, stays))


def _renewals(values: npt.ArrayLike, name: str, least: int) -> tuple[Array, bool]:
    times, single = read_horizons(values, name)
    if np.any(times != np.floor(times)) or np.any(times < least):
        raise InvalidValueError(
            f"{name} counts renewals: whole numbers from {least}; found {numbers(values, name)}"
        )
    return times, single
