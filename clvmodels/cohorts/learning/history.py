"""The tables that a cohort forecast learns from, as they stood at any day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.month_shares import MonthShares
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import CohortTable, read_cohort_months
from clvmodels.core.arrays import Integers
from clvmodels.core.months import month_number


@dataclass(frozen=True)
class History:
    """Cohort-months and covariates up to an as-of date.

    Attributes
    ----------
    cohort_months : DataFrame
        :data:`clvmodels.core.schema.COHORT_MONTHS`, up to the month of ``table.as_of``.
    table : CohortTable
        The same, read.
    log_start : date, optional
        First day of the log, where that is not the first of its month.
    period_covariates, cohort_covariates : DataFrame, optional
        As given; months after the fit are not read.
    """

    cohort_months: pd.DataFrame
    table: CohortTable
    log_start: dt.date | None = None
    period_covariates: pd.DataFrame | None = None
    cohort_covariates: pd.DataFrame | None = None

    @classmethod
    def of(
        cls,
        cohort_months: pd.DataFrame,
        as_of: dt.date,
        log_start: dt.date | None = None,
        period_covariates: pd.DataFrame | None = None,
        cohort_covariates: pd.DataFrame | None = None,
        daily_purchases: pd.DataFrame | None = None,
    ) -> History:
        """Read and check the tables; see :func:`read_cohort_months`."""
        shares = MonthShares.learn(daily_purchases, as_of)
        table = read_cohort_months(cohort_months, as_of, log_start, shares)
        known = cohort_months[month_number(cohort_months["period"]) <= table.months[-1]]
        return cls(known, table, log_start, period_covariates, cohort_covariates)

    @property
    def keys(self) -> tuple[Integers, Integers]:
        """Cohort and period of the rows of ``cohort_months``, as calendar months."""
        return month_number(self.cohort_months["cohort"]), month_number(
            self.cohort_months["period"]
        )

    def fit(self, options: RateOptions, at: dt.date | None = None) -> CohortModel:
        """Fit on what was known at a day, or on all of it."""
        table = self.table
        if at is not None:
            table = read_cohort_months(self.cohort_months, at, self.log_start)
        return CohortModel.of(table, options, self.period_covariates, self.cohort_covariates)
