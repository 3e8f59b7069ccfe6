"""The cohort forecast: purchases and revenue by cohort and calendar month, with intervals."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from clvmodels.cohorts import intervals
from clvmodels.cohorts.acquisition import expected_acquisitions, forecast_new_cohorts, has_stopped
from clvmodels.cohorts.aggregate import Level, summed
from clvmodels.cohorts.company import CompanyLevel, draw_company
from clvmodels.cohorts.digest import digest
from clvmodels.cohorts.intervals import Spread
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.learning.learn import learn
from clvmodels.cohorts.model.effects import Covariates
from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import read_cohort_months
from clvmodels.core.arguments import LARGEST, numbers, whole_number
from clvmodels.core.errors import InvalidValueError, ModelFileError
from clvmodels.core.estimator import Estimator
from clvmodels.core.months import month_number
from clvmodels.estimation.saved import part_of
from clvmodels.numerics.threads import one_blas_thread

logger = logging.getLogger(__package__)

_STATE_VERSION = 1


class CohortForecaster(Estimator):
    """Forecast repeat purchases and their revenue by cohort and calendar month.

    Rates come from :func:`clvmodels.cohorts.model.rates.fit_rates`, order values from
    :func:`clvmodels.cohorts.model.order_values.fit_values`. Which parts are used, and how far
    intervals are stretched, is decided on earlier origins of the same log, never on the months
    forecast.

    Parameters
    ----------
    options : RateOptions, optional
        Parts and prior guesses of the rate model.
    select : bool
        Whether earlier origins may overrule the options.
    draws : int
        Simulated futures behind an interval.
    random_state : int
        Of those futures; the same one gives the same intervals.

    Attributes
    ----------
    model_ : CohortModel
    options_ : RateOptions
        As chosen.
    spread_ : Spread
        Stretch of the intervals.
    evidence_ : dict
        What was learned and why, JSON-safe; see
        :func:`clvmodels.cohorts.learning.evidence.evidence`.
    learned_from_ : str, optional
        Digest of the tables behind it; None in files of earlier releases.

    Examples
    --------
    >>> forecaster = CohortForecaster().fit(cohort_months, as_of)       # doctest: +SKIP
    >>> forecaster.forecast(until)                                      # doctest: +SKIP
    >>> forecaster.forecast(until, level="month")                       # doctest: +SKIP
    """

    def __init__(
        self,
        options: RateOptions | None = None,
        select: bool = True,
        draws: int = intervals.DRAWS,
        random_state: int = 0,
    ) -> None:
        self.options = options
        self.select = select
        self.draws = draws
        self.random_state = random_state

    @one_blas_thread
    def fit(
        self,
        cohort_months: pd.DataFrame,
        as_of: dt.date,
        *,
        log_start: dt.date | None = None,
        period_covariates: pd.DataFrame | None = None,
        cohort_covariates: pd.DataFrame | None = None,
        daily_purchases: pd.DataFrame | None = None,
    ) -> Self:
        """Learn from the cohort-month table up to ``as_of``.

        Parameters
        ----------
        cohort_months : DataFrame
            As :data:`clvmodels.core.schema.COHORT_MONTHS`; later periods are not read.
        as_of : date
            Last day known, inclusive.
        log_start : date, optional
            First day of the log, where that is not the first of its month.
        period_covariates : DataFrame, optional
            Column ``period`` and numeric drivers (marketing spend, price index, log trading
            days), one row for every month; the forecast needs them for its months as well.
            Later months are not read.
        cohort_covariates : DataFrame, optional
            Column ``cohort`` and numeric drivers (shares of channels or products). Both kinds
            are used only if they made the forecasts of earlier origins better
            (:func:`clvmodels.cohorts.learning.covariates.earned`), unless ``select`` is off.
        daily_purchases : DataFrame, optional
            Columns ``date`` and ``purchases`` of all customers together, by which the days of a
            month that is known or forecast in part count; alike without. Later days are not read.

        Returns
        -------
        self

        Raises
        ------
        MissingColumnError, DataError, InvalidValueError
            If a table cannot be used.
        """
        history = History.of(
            cohort_months,
            as_of,
            log_start,
            period_covariates,
            cohort_covariates,
            daily_purchases,
        )
        learned = learn(
            history,
            self.options or RateOptions(),
            select=self.select,
        )
        self.options_, self.model_ = learned.options, learned.model
        self.spread_, self.evidence_ = learned.spread, learned.evidence
        rates = self.model_.rates
        used = (rates.period_covariates, rates.cohort_covariates)
        self.learned_from_: str | None = digest(history.table, *used)
        return self

    def has_learned_from(
        self,
        cohort_months: pd.DataFrame,
        as_of: dt.date,
        *,
        log_start: dt.date | None = None,
        period_covariates: pd.DataFrame | None = None,
        cohort_covariates: pd.DataFrame | None = None,
    ) -> bool:
        """Whether the fit was on these tables (as :meth:`fit`), as they stand at ``as_of``.

        A log may change behind a day: rows arrive late, persons are erased, amounts are restated.
        Covariates that the fit does not use do not count.
        """
        self._require_fit()
        table = read_cohort_months(cohort_months, as_of, log_start, self.model_.shares)
        last = int(table.months[-1])
        used = self.options_
        return self.learned_from_ == digest(
            table,
            Covariates.of(period_covariates if used.period_covariates else None, "period", last),
            Covariates.of(cohort_covariates if used.cohort_covariates else None, "cohort", last),
        )

    @one_blas_thread
    def forecast(
        self,
        until: dt.date,
        *,
        level: Level = "cohort_month",
        customers: pd.Series | None = None,
        period_covariates: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast purchases and revenue of the customers known at ``as_of``.

        Parameters
        ----------
        until : date
            Last day forecast; months are covered in part where it cuts them.
        level : str
            ``cohort_month`` (cohort, period), ``quarter_month`` (cohort is the first month of
            the quarter of first purchase), ``month`` (period) or ``total``. Point forecasts of
            all levels add up; intervals do not, since errors of cells partly cancel.
        customers : Series, optional
            Known customers by cohort (first of month), where they differ from the fitted table.
        period_covariates : DataFrame, optional
            Needed if the fit had them.

        Returns
        -------
        DataFrame
            The keys of the level, then purchases, purchases_low, purchases_high, revenue,
            revenue_low, revenue_high (90 % intervals).
        """
        draws = whole_number(self.draws, "draws", 2)
        model = self._known(customers)
        forecast = model.forecast(model.cells(until), period_covariates)
        return summed(
            forecast, level, self.spread_, draws, whole_number(self.random_state, "random_state", 0)
        )

    @one_blas_thread
    def forecast_new(
        self,
        until: dt.date,
        acquisitions: pd.Series | None = None,
        *,
        period_covariates: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast customers who are still to come, from how earlier cohorts went.

        A new cohort has the age and season effects of all, and the cohort effect of the latest
        cohorts, each weighted by how well it is known and half as much for every three months.

        Parameters
        ----------
        until : date
            Last day forecast.
        acquisitions : Series, optional
            Expected new customers by month (first of month); by default
            :meth:`expected_acquisitions`.
        period_covariates : DataFrame, optional
            Needed if the fit had them.

        Returns
        -------
        DataFrame
            cohort, period, customers, first_purchases, first_revenue, purchases (repeat),
            revenue (of repeat purchases).
        """
        if acquisitions is None:
            acquisitions = self.expected_acquisitions(until, period_covariates=period_covariates)
        return forecast_new_cohorts(self.model_, until, acquisitions, period_covariates)

    @one_blas_thread
    def forecast_company(
        self,
        until: dt.date,
        acquisitions: pd.Series | None = None,
        planned: npt.ArrayLike | None = None,
        *,
        level: CompanyLevel = "month",
        period_covariates: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast everybody's purchases: known customers and those still to come.

        Parameters
        ----------
        until : date
            Last day forecast.
        acquisitions : Series, optional
            New customers of every month (first of month); by default
            :meth:`expected_acquisitions`.
        planned : array_like of bool, optional
            Which of them are planned and taken as given, chance aside; by default all that are
            given.
        level : str
            ``month`` (period) or ``total``.
        period_covariates : DataFrame, optional
            Needed if the fit had them.

        Returns
        -------
        DataFrame
            period (of months), then purchases, purchases_low, purchases_high, revenue,
            revenue_low, revenue_high (90 % intervals), first purchases included.
        """
        given = acquisitions is not None
        if acquisitions is None:
            acquisitions = self.expected_acquisitions(until, period_covariates=period_covariates)
        certain = np.full(len(acquisitions), given) if planned is None else np.asarray(planned)
        drawn = draw_company(
            self.model_, until, acquisitions, certain.astype(bool),
            whole_number(self.draws, "draws", 2),
            whole_number(self.random_state, "random_state", 0),
            period_covariates,
        )  # fmt: skip
        return drawn.intervals(level, self.spread_, self.model_.values.scale)

    def expected_acquisitions(
        self, until: dt.date, *, period_covariates: pd.DataFrame | None = None
    ) -> pd.Series:
        """New customers in each month after ``as_of``: the recent level with the learned season.

        Returns
        -------
        Series
            Indexed by period; the level is that of the last year, recent months counting more.
            Zero where acquisition has stopped (:attr:`acquisition_has_stopped`).
        """
        return expected_acquisitions(self.model_, until, period_covariates)

    @property
    def acquisition_has_stopped(self) -> bool:
        """Whether the last months before ``as_of`` brought hardly any new customer."""
        return has_stopped(self.model_)

    def to_dict(self) -> dict[str, Any]:
        """State as JSON-safe values; cohort sizes and effects, nothing about a customer."""
        return {
            "version": _STATE_VERSION,
            "draws": self.draws,
            "seed": self.random_state,
            "options": asdict(self.options_),
            "model": self.model_.to_dict(),
            "spread": asdict(self.spread_),
            "evidence": self.evidence_,
            "learned_from": self.learned_from_,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Self:
        """Rebuild a fitted forecaster from :meth:`to_dict`.

        Raises
        ------
        ModelFileError
            If the state is of another version, is incomplete, or holds values that no fit can have.
        """
        with part_of("cohort forecast"):
            if state.get("version") != _STATE_VERSION:
                raise ModelFileError(
                    f"expected a cohort forecaster of version {_STATE_VERSION}; found "
                    f"{state.get('version')}. Fit it again with this release."
                )
            draws, seed = whole_number(state["draws"], "draws", 2), state["seed"]
            options = RateOptions(**state["options"])
            new = cls(options, draws=draws, random_state=whole_number(seed, "seed", 0))
            new.options_ = options
            new.model_ = CohortModel.from_dict(state["model"])
            new.spread_ = Spread(**state["spread"])
            new.evidence_ = dict(state["evidence"])
            learned_from = state.get("learned_from")  # earlier releases kept none
            if learned_from is not None and not isinstance(learned_from, str):
                raise ValueError(f"learned_from = {learned_from!r}")
            new.learned_from_ = learned_from
        return new

    def _known(self, customers: pd.Series | None) -> CohortModel:
        model = self.model_
        if customers is None:
            return model
        cohorts = month_number(customers.index)
        counts = numbers(customers, "customers")
        if not np.all((counts >= 0) & (counts <= LARGEST)):
            raise InvalidValueError("customers must be counts by cohort, none negative")
        late = int(model.rates.space.months[-1])
        if np.unique(cohorts).size != cohorts.size or np.any(cohorts > late):
            raise InvalidValueError(
                f"customers needs one count a cohort, none of them later than {model.as_of}"
            )
        return replace(model, cohorts=cohorts, customers=counts)
