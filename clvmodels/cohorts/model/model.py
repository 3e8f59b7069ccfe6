"""A fitted cohort model: rates and order values together, their forecasts, draws and state."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from clvmodels.cohorts import intervals
from clvmodels.cohorts.model.effects import Covariates, EffectSpace
from clvmodels.cohorts.model.month_shares import MonthShares
from clvmodels.cohorts.model.order_values import (
    RECENT_MONTHS,
    ValueModel,
    fit_values,
    value_of_first,
)
from clvmodels.cohorts.model.rates import Company, RateModel, RateOptions, company_series, fit_rates
from clvmodels.cohorts.model.state import (
    at_least_0,
    block_widths,
    covariates_from_dict,
    covariates_to_dict,
    fit_from_dict,
    fit_to_dict,
    read_amounts,
    read_months,
    space_from_dict,
    space_to_dict,
)
from clvmodels.cohorts.model.table import Cells, CohortTable, Months, future_cells
from clvmodels.core.arguments import number
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.numerics.loglinear import LogLinearFit
from clvmodels.numerics.threads import one_blas_thread

ACQUISITION_NOISE = 0.2
"""Share by which months of acquisition differ beyond chance."""

MOST_EXCESS = 100.0

UNSEEN_RATES = intervals.Unseen(season_sd=RateOptions.season_sd, age_sd=0.2)
UNSEEN_VALUES = intervals.Unseen(season_sd=0.06, age_sd=0.05)
"""The season of months never seen spreads as the prior guess of the seen ones does."""


@dataclass(frozen=True)
class CohortModel:
    """Rates, order values and the sizes of the known cohorts.

    Attributes
    ----------
    as_of : datetime.date
    cohorts : ndarray of int
        Calendar months, as in :class:`clvmodels.cohorts.model.table.Cells`.
    customers : ndarray
        Known customers of each cohort.
    rates : RateModel
    values : ValueModel
    acquired_months, acquired, acquired_days : ndarray
        The last 12 months at most, their new customers and their observed days.
    acquired_excess : float
        Old customers met for the first time in the first month of a log that starts mid-life, for
        each truly new one (see :func:`acquisition_excess`).
    first_value : float
        Mean value of a first purchase in those months, in currency (see
        :func:`clvmodels.cohorts.model.order_values.value_of_first`).
    shares : MonthShares
        By which the days of a month that a forecast cuts count.
    """

    as_of: dt.date
    cohorts: Months
    customers: Array
    rates: RateModel
    values: ValueModel
    acquired_months: Months
    acquired: Array
    acquired_days: Array
    acquired_excess: float
    first_value: float
    shares: MonthShares = field(default_factory=MonthShares.even)

    @classmethod
    @one_blas_thread
    def of(
        cls,
        table: CohortTable,
        options: RateOptions,
        period_covariates: pd.DataFrame | None = None,
        cohort_covariates: pd.DataFrame | None = None,
    ) -> CohortModel:
        """Fit both parts."""
        rates = fit_rates(table, options, period_covariates, cohort_covariates)
        values = fit_values(
            table, options.damping, period_covariates if options.period_covariates else None
        )
        recent = slice(-RECENT_MONTHS, None)
        return cls(
            table.as_of,
            table.cohorts,
            table.customers,
            rates,
            values,
            table.months[recent],
            table.first_purchases[recent],
            table.month_days[recent],
            acquisition_excess(table, rates),
            value_of_first(table, values),
            table.shares,
        )

    def damped(self, damping: float) -> CohortModel:
        """The same fit, carried on at another pace of age; the past does not depend on it."""
        rates = replace(self.rates, space=replace(self.rates.space, damping=damping))
        values = replace(self.values, space=replace(self.values.space, damping=damping))
        return replace(self, rates=rates, values=values)

    def cells(self, until: dt.date) -> Cells:
        """Cells of the known customers in (as_of, until]."""
        return future_cells(self.cohorts, self.customers, self.as_of, until, self.shares)

    @one_blas_thread
    def forecast(self, cells: Cells, period_covariates: pd.DataFrame | None = None) -> Forecast:
        """Forecast purchases and revenue of cells."""
        design = self.rates.design(cells, period_covariates)
        purchases = cells.exposure * np.exp(design @ self.rates.fit.coefficients)
        value_design = self.values.design(cells, period_covariates)
        value = self.values.expected(value_design)
        return Forecast(self, cells, design, purchases, value_design, value)

    def to_dict(self) -> dict[str, Any]:
        """State as JSON-safe values: cohort sizes and effects, nothing about a customer."""
        return {
            "as_of": self.as_of.isoformat(),
            "cohorts": self.cohorts.tolist(),
            "customers": self.customers.tolist(),
            "rates": {
                "space": space_to_dict(self.rates.space),
                "fit": fit_to_dict(self.rates.fit),
                "company": self.rates.company,
                "period_covariates": covariates_to_dict(self.rates.period_covariates),
                "cohort_covariates": covariates_to_dict(self.rates.cohort_covariates),
            },
            "values": {
                "space": space_to_dict(self.values.space),
                "fit": fit_to_dict(self.values.fit),
                "unit": self.values.unit,
                "period_covariates": covariates_to_dict(self.values.period_covariates),
            },
            "acquired_months": self.acquired_months.tolist(),
            "acquired": self.acquired.tolist(),
            "acquired_days": self.acquired_days.tolist(),
            "acquired_excess": self.acquired_excess,
            "first_value": self.first_value,
            "shares": self.shares.to_dict(),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> CohortModel:
        """Rebuild from :meth:`to_dict`."""
        rates, values = state["rates"], state["values"]
        by_period = covariates_from_dict(rates["period_covariates"], "period")
        by_cohort = covariates_from_dict(rates["cohort_covariates"], "cohort")
        of_values = (
            covariates_from_dict(values["period_covariates"], "period")
            if "period_covariates" in values
            else Covariates.of(None, "period", 0)  # files of earlier releases have none
        )
        if rates["company"] not in get_args(Company):
            raise InvalidValueError(
                f"company must be one of {', '.join(get_args(Company))}; found {rates['company']!r}"
            )
        space, value_space = (space_from_dict(part["space"]) for part in (rates, values))
        widths = block_widths(space, by_period, by_cohort)
        value_widths = block_widths(value_space, of_values, Covariates.of(None, "cohort", 0))
        cohorts = read_months(state["cohorts"], "cohorts")
        acquired_months = read_months(state["acquired_months"], "acquired_months")
        return cls(
            dt.date.fromisoformat(state["as_of"]),
            cohorts,
            read_amounts(state["customers"], "customers", cohorts.size),
            RateModel(
                space, fit_from_dict(rates["fit"], widths), rates["company"], by_period, by_cohort
            ),
            ValueModel(
                value_space,
                fit_from_dict(values["fit"], value_widths),
                at_least_0(values["unit"], "unit"),
                of_values,
            ),
            acquired_months,
            read_amounts(state["acquired"], "acquired", acquired_months.size),
            read_amounts(state["acquired_days"], "acquired_days", acquired_months.size),
            at_least_0(state["acquired_excess"], "acquired_excess"),
            number(state["first_value"], "first_value"),
            # files of earlier releases have none, and days alike
            MonthShares.from_dict(state["shares"]) if "shares" in state else MonthShares.even(),
        )


def acquisition_excess(table: CohortTable, rates: RateModel) -> float:
    r"""How many of the first purchases of a log that starts mid-life are those of old customers.

    Such a log meets old customers "for the first time" (left truncation), ever fewer of them as it
    grows older, while truly new ones keep coming: first purchases a day, season apart, are

    .. math:: a + b / \sqrt{\text{age of the log in months}},

    neither below zero, by least squares weighted for counts with :data:`ACQUISITION_NOISE` beside
    their Poisson variance.

    Returns
    -------
    float
        b / a, :data:`MOST_EXCESS` at most; 0 for a log whose first purchases are no more frequent
        at its start.
    """
    if company_series(table) != "total":
        return 0.0
    months, counts = table.months, table.first_purchases
    season = rates.fit.block("season")[months % 12] if "season" in rates.fit.slices else 0.0
    exposure = table.month_days * np.exp(season)
    design = np.stack([np.ones(months.size), old_customers(months, int(months[0]))], axis=1)
    mean = np.maximum(counts, 1.0)
    for _ in range(5):
        weight = exposure / np.sqrt(mean + (ACQUISITION_NOISE * mean) ** 2)
        (level, old), _residual = nnls(design * weight[:, None], counts / exposure * weight)
        mean = np.maximum(design @ np.array([level, old]) * exposure, 1.0)
    return float(old / max(level, old / MOST_EXCESS)) if old > 0 else 0.0


def old_customers(months: Months, start: int) -> Array:
    """Old customers met for the first time in each month of a log, 1 in its first."""
    return np.asarray(1.0 / np.sqrt(months - start + 1.0))


@dataclass(frozen=True)
class Forecast:
    """Expected purchases and value of a purchase in cells, with what is needed to draw them.

    Attributes
    ----------
    model : CohortModel
    cells : Cells
    design : ndarray, shape (n, p)
        Of the rate model.
    purchases : ndarray, shape (n,)
    value_design : ndarray, shape (n, q)
        Of the order-value model.
    value : ndarray, shape (n,)
        Currency.
    """

    model: CohortModel
    cells: Cells
    design: Array
    purchases: Array
    value_design: Array
    value: Array

    @property
    def revenue(self) -> Array:
        """Expected revenue, shape (n,)."""
        return self.purchases * self.value

    @one_blas_thread
    def draw(self, draws: int, random_state: int) -> tuple[Array, Array]:
        """Joint draws of purchases and revenue, each of shape (n, draws)."""
        rng = np.random.default_rng(random_state)
        rates, values = self.model.rates.fit, self.model.values
        deviation = intervals.draw_log_means(rates, self.design, self.cells.period, draws, rng)
        deviation += self._unseen(UNSEEN_RATES, self.model.rates.space, rates, draws, rng)
        counts = intervals.draw_counts(self.purchases, deviation, rates.kappa, rng)
        deviation = intervals.draw_log_means(
            values.fit, self.value_design, self.cells.period, draws, rng
        )
        deviation += self._unseen(UNSEEN_VALUES, values.space, values.fit, draws, rng)
        revenue = values.scale * intervals.draw_revenue(
            counts, self.value / values.scale, deviation,
            values.fit.phi, values.fit.kappa, rng,
        )  # fmt: skip
        return counts, revenue

    def _unseen(
        self, unseen: intervals.Unseen, space: EffectSpace, fit: LogLinearFit,
        draws: int, rng: np.random.Generator,
    ) -> Array:  # fmt: skip
        season, beyond = space.unseen_season(self.cells.period), space.beyond(self.cells)
        return unseen.draw(season, beyond, fit.sds.get("season", 0.0), draws, rng)
