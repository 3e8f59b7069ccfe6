"""The seasonal purchase clock: buy-till-you-die models in operational time.

In BG/NBD and MBG/NBD customers leave at purchases, never between them. If every customer's rate
is multiplied by the same s(t), purchases are those of the plain model on the clock
S(t) = integral of s, and so is dropout. With times so transformed,

    log-likelihood = that of the plain model + sum over repeat purchases of log s(t).
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from clvmodels.core.arguments import numbers, read_horizons
from clvmodels.core.arrays import Array
from clvmodels.core.errors import DataError, MissingColumnError
from clvmodels.core.estimator import Estimator
from clvmodels.core.months import month_number
from clvmodels.core.summaries import read_histories
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.transactions.beta_geometric import BGNBD, BetaGeometricModel

PRIOR_PURCHASES = 10.0
"""Purchases that the belief in "no season" counts as, in every month of the year: a gamma prior
of mean 1 and standard deviation 0.3 on s."""

_COLUMNS = ("frequency", "recency", "T", "first_purchase")


class SeasonalClock(Estimator):
    """A purchase rate by month of year around BG/NBD or MBG/NBD.

    Parameters
    ----------
    model : BGNBD or MBGNBD, optional
        Unfitted; its settings are used.
    rounds : int
        Most alternations of season and model.
    tolerance : float
        Largest change of log s that ends them.

    Attributes
    ----------
    season_ : ndarray, shape (12,)
        s by month of year, January first; mean 1 over the days observed.
    model_ : BGNBD or MBGNBD
        Fitted in operational days.
    log_likelihood_, plain_log_likelihood_ : float
        With and without the clock; twice the gain is a likelihood ratio on 11 degrees of freedom.
    """

    def __init__(
        self, model: BetaGeometricModel | None = None, rounds: int = 60, tolerance: float = 1e-4
    ) -> None:
        self.model = model
        self.rounds = rounds
        self.tolerance = tolerance

    @one_blas_thread
    def fit(self, summary: pd.DataFrame, purchases_by_month: pd.Series) -> Self:
        """Estimate season and model together by expectation-maximisation.

        Given the model, a customer's expected rate while alive times the days of a month of year
        is the number of purchases that month would have at s = 1; s is the observed number over
        that (with the prior's purchases on both sides). Given s, the model is fitted on the clock.

        Parameters
        ----------
        summary : DataFrame
            frequency, recency, T (days), first_purchase (date) [, weight].
        purchases_by_month : Series
            Repeat purchases by calendar month (first of month), of the same customers.

        Returns
        -------
        self

        Raises
        ------
        MissingColumnError, DataError
            If a column is missing or the purchases do not add up to the frequencies.
        """
        missing = [name for name in _COLUMNS if name not in summary.columns]
        if missing:
            raise MissingColumnError("the RFM summary", missing, [str(c) for c in summary.columns])
        weight = _weights(summary)
        counts = np.bincount(
            month_number(purchases_by_month.index) % 12,
            weights=numbers(purchases_by_month, "purchases_by_month"),
            minlength=12,
        )
        repeats = float(weight @ summary["frequency"].to_numpy(dtype=float))
        if not np.isclose(counts.sum(), repeats, rtol=1e-9, atol=0.5):
            raise DataError(
                f"the months hold {counts.sum():.0f} repeat purchases, the customers "
                f"{repeats:.0f}; both must come from the same log up to the same day"
            )
        days = _DaysByMonth.of(summary)
        template = self.model or BGNBD()
        self.season_ = np.ones(12)
        self.model_ = _refit(template, summary, weight)
        self.plain_log_likelihood_ = self.model_.log_likelihood_
        for _ in range(self.rounds):
            expected = self._expected_at_one(summary, weight, days)
            update = (counts + PRIOR_PURCHASES) / (expected + PRIOR_PURCHASES)
            update /= days.total @ update / days.total.sum()
            change = np.max(np.abs(np.log(update / self.season_)))
            self.season_ = update
            self.model_ = _refit(template, self.operational(summary), weight)
            if change < self.tolerance:
                break
        self.log_likelihood_ = self.model_.log_likelihood_ + float(counts @ np.log(self.season_))
        return self

    @one_blas_thread
    def operational(self, summary: pd.DataFrame) -> pd.DataFrame:
        """The summary with recency and T on the clock."""
        days = _DaysByMonth.of(summary)
        return summary.assign(recency=days.to_recency(self.season_), T=days.to_end(self.season_))

    def horizons(self, as_of: dt.date, edges: npt.ArrayLike) -> Array:
        """Operational length of the next ``edges`` days after ``as_of``, shape (k,)."""
        ends = read_horizons(edges, "edges")[0].astype(int)
        future = pd.date_range(as_of + dt.timedelta(days=1), periods=int(ends.max(initial=0)))
        clock = np.concatenate([[0.0], np.cumsum(self.season_[future.month - 1])])
        return np.asarray(clock[ends])

    @one_blas_thread
    def expected_purchases(
        self, summary: pd.DataFrame, as_of: dt.date, edges: npt.ArrayLike
    ) -> Array:
        """Expected purchases in the next ``edges`` days, shape (n, k)."""
        horizons = self.horizons(as_of, edges)
        return self.model_.expected_purchases(self.operational(summary), horizons)

    def to_dict(self) -> dict[str, Any]:
        """State as JSON-safe values."""
        return {
            "season": self.season_.tolist(),
            "model": type(self.model_).__name__,
            "parameters": self.model_.to_dict(),
            "log_likelihood": self.log_likelihood_,
            "plain_log_likelihood": self.plain_log_likelihood_,
        }

    def _expected_at_one(self, summary: pd.DataFrame, weight: Array, days: _DaysByMonth) -> Array:
        """Expected purchases by month of year if its s were 1 and all else as fitted.

        With A = P(alive), a customer's rate has posterior mean (r + x) / (alpha + T) if alive and
        (r + x) / (alpha + t_x) if gone since the last purchase (Fader, Hardie & Lee 2005, the two
        terms of equation 3); the days at risk end with T or t_x accordingly.
        """
        on_clock = self.operational(summary)
        _, p = self.model_._read(on_clock)  # by customer where covariates act
        alive = self.model_.probability_alive(on_clock)
        shape = weight * (p["r"] + on_clock["frequency"].to_numpy(dtype=float))
        while_alive = shape * alive / (p["alpha"] + on_clock["T"].to_numpy())
        until_last = shape * (1.0 - alive) / (p["alpha"] + on_clock["recency"].to_numpy())
        return days.summed_to_end(while_alive) + days.summed_to_recency(until_last)


class _DaysByMonth:
    """Days of each month of year between a customer's first purchase and a later day.

    Cumulative over the calendar of the log, so that the work grows with customers and days, not
    with their product.
    """

    def __init__(self, cumulative: Array, first: Any, last: Any, end: Any, weight: Array) -> None:
        self.cumulative, self.first, self.last, self.end = cumulative, first, last, end
        self.total = self.summed_to_end(weight)

    @classmethod
    def of(cls, summary: pd.DataFrame) -> _DaysByMonth:
        dates = pd.to_datetime(summary["first_purchase"]).to_numpy().astype("datetime64[D]")
        start = dates.min()
        first = (dates - start).astype(int)
        last = first + summary["recency"].to_numpy(dtype=float).round().astype(int)
        end = first + summary["T"].to_numpy(dtype=float).round().astype(int)
        calendar = pd.DatetimeIndex(start + np.arange(1, int(end.max()) + 1))
        each = np.zeros((calendar.size + 1, 12))
        each[np.arange(1, calendar.size + 1), calendar.month - 1] = 1.0
        return cls(np.cumsum(each, axis=0), first, last, end, _weights(summary))

    def to_end(self, season: Array) -> Array:
        clock = self.cumulative @ season
        return np.asarray(clock[self.end] - clock[self.first])

    def to_recency(self, season: Array) -> Array:
        clock = self.cumulative @ season
        return np.asarray(clock[self.last] - clock[self.first])

    def summed_to_end(self, values: Array) -> Array:
        return self._summed(values, self.end)

    def summed_to_recency(self, values: Array) -> Array:
        return self._summed(values, self.last)

    def _summed(self, values: Array, until: Any) -> Array:
        size = self.cumulative.shape[0]
        net = np.bincount(until, weights=values, minlength=size)
        net -= np.bincount(self.first, weights=values, minlength=size)
        return np.asarray(net @ self.cumulative)


def _weights(summary: pd.DataFrame) -> Array:
    return read_histories(summary).weight


def _refit(
    template: BetaGeometricModel, summary: pd.DataFrame, weight: Array
) -> BetaGeometricModel:
    return type(template)(**template.get_params()).fit(summary, weight)
