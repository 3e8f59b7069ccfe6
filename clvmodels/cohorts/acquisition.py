"""Cohorts still to come: how many customers, and how they will buy."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.model import CohortModel, old_customers
from clvmodels.cohorts.model.order_values import mean_shape
from clvmodels.cohorts.model.table import Cells, Months
from clvmodels.core.arguments import LARGEST, numbers
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.months import month_dates, month_end, month_grid, month_number
from clvmodels.numerics.loglinear import LogLinearFit
from clvmodels.numerics.threads import one_blas_thread

HALF_LIFE_MONTHS = 3.0

NO_DAYS = 1e-12

LEVEL_MONTHS = 3
UNLIKE = 1.5
CHANCE_ERRORS = 2.0

QUIET_MONTHS = 2
"""Acquisition has stopped where so many months brought hardly anyone, against the level before."""

QUIET_SHARE = 0.02
LEAST_EXPECTED = 5.0
"""Customers whom the level before must have promised; of fewer, none may come by chance."""


@one_blas_thread
def expected_acquisitions(
    model: CohortModel, until: dt.date, period_covariates: pd.DataFrame | None = None
) -> pd.Series:
    """New customers in each month of (as_of, until]: the recent level with the learned season.

    In a log that starts mid-life they go on falling as its age grows
    (:func:`clvmodels.cohorts.model.model.acquisition_excess`). The level is the mean of the last
    year, recent months counting more, and none of them for more than :data:`UNLIKE` times as many
    customers as the middle one of the last three promises, or as few, give or take what is chance:
    neither a campaign nor a past that is over is the level of months to come.

    None where acquisition :func:`has_stopped`.

    Returns
    -------
    Series
        ``customers`` indexed by period.
    """
    grid = month_grid(model.as_of, until)
    if has_stopped(model):
        return pd.Series(0.0, index=grid.index(), name="customers")
    period = month_number(grid.periods)
    weight = _recency_weights(model.acquired_months, int(model.acquired_months[-1]))
    log_shape = _shape(model, model.acquired_months, None)
    exposure = model.acquired_days * np.exp(log_shape)
    latest = (model.acquired / exposure)[_whole(model)][-LEVEL_MONTHS:]
    usual = float(np.median(latest)) * exposure
    chance = CHANCE_ERRORS * np.sqrt(np.maximum(usual, 1.0))
    acquired = np.clip(model.acquired, usual / UNLIKE - chance, usual * UNLIKE + chance)
    # A ratio of sums: months without new customers count, and do no harm.
    level = float(weight @ acquired / (weight @ exposure))
    customers = level * model.shares.days(grid) * np.exp(_shape(model, period, period_covariates))
    return pd.Series(customers, index=grid.index(), name="customers")


@one_blas_thread
def has_stopped(model: CohortModel) -> bool:
    """Whether the last months brought hardly any new customer: the log is a sample of cohorts."""
    ended = _whole(model)
    acquired, days = model.acquired[ended], model.acquired_days[ended]
    late, before = slice(-QUIET_MONTHS, None), slice(None, -QUIET_MONTHS)
    if not days[before].sum():
        return False
    expected = float(acquired[before].sum() / days[before].sum() * days[late].sum())
    found = float(acquired[late].sum() + model.acquired.sum() - acquired.sum())
    return not model.acquired.any() or (
        expected >= LEAST_EXPECTED and found <= QUIET_SHARE * expected
    )


@one_blas_thread
def forecast_new_cohorts(
    model: CohortModel,
    until: dt.date,
    acquisitions: pd.Series,
    period_covariates: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Forecast the first and repeat purchases of cohorts that start after ``as_of``.

    Parameters
    ----------
    acquisitions : Series
        New customers by month; spread evenly over the month's forecast days.
    period_covariates : DataFrame, optional
        Needed if the fit had them.

    Returns
    -------
    DataFrame
        cohort, period, customers, first_purchases, first_revenue, purchases, revenue.
    """
    i, j, customers = _pairs(model, until, acquisitions)
    period = month_number(month_grid(model.as_of, until).periods)
    cells = new_cells(model, until, acquisitions)
    forecast = model.forecast(cells, period_covariates)
    rate_shift, value_shift = recent_effects(model)
    purchases = forecast.purchases * np.exp(rate_shift) * (cells.exposure > NO_DAYS)
    first = np.where(i == j, customers[i], 0.0)
    value = forecast.value * np.exp(value_shift)
    return pd.DataFrame(
        {
            "cohort": month_dates(cells.cohort),
            "period": month_dates(cells.period),
            "customers": customers[i],
            "first_purchases": first,
            "first_revenue": first * _first_value(model, period, period_covariates)[i],
            "purchases": purchases,
            "revenue": purchases * value,
        }
    )


def new_cells(model: CohortModel, until: dt.date, acquisitions: pd.Series) -> Cells:
    """Cells of the cohorts that start after ``as_of``, those nobody joins with next to no days."""
    grid = month_grid(model.as_of, until)
    period = month_number(grid.periods)
    i, j, customers = _pairs(model, until, acquisitions)
    exposure = _exposure(model.shares.days(grid), customers, i, j)
    return Cells(period[i], period[j], np.maximum(exposure, NO_DAYS))


def recent_effects(model: CohortModel) -> tuple[float, float]:
    """Log effects of the latest cohorts on the rate and the value of a purchase."""
    return (
        _recent_cohort_effect(model.rates.fit, model.cohorts),
        _recent_cohort_effect(model.values.fit, model.cohorts),
    )


def _pairs(
    model: CohortModel, until: dt.date, acquisitions: pd.Series
) -> tuple[Months, Months, Array]:
    """Cohort and month of each new cell, as rows of the grid, and the customers of each month."""
    period = month_number(month_grid(model.as_of, until).periods)
    given = pd.Series(numbers(acquisitions, "acquisitions"), index=month_number(acquisitions.index))
    if given.index.has_duplicates or not given.between(0, LARGEST).all():
        raise InvalidValueError("acquisitions need one number a month, none negative or missing")
    i, j = np.triu_indices(period.size)
    return i, j, np.asarray(given.reindex(period).fillna(0.0), dtype=np.float64)


def _whole(model: CohortModel) -> slice:
    """The months but for one that has only begun."""
    begun = model.as_of != month_end(model.as_of) and model.acquired_months.size > 1
    return slice(None, -1) if begun else slice(None)


def _exposure(days: Array, customers: Array, i: Months, j: Months) -> Array:
    """Customer-days: all of later months, half of the month of acquisition."""
    days = days[j]
    return np.asarray(customers[i] * np.where(i == j, (days - 1.0) / 2.0, days))


def _shape(model: CohortModel, period: Months, told: pd.DataFrame | None) -> Array:
    """Log of new customers a day against the level: season, age of a mid-life log, covariates."""
    fit, start = model.rates.fit, int(model.rates.space.months[0])
    shape = np.log1p(model.acquired_excess * old_customers(period, start))
    if "season" in fit.slices:
        shape = shape + fit.block("season")[period % 12]
    if model.rates.company == "acquisitions" and "company_covariates" in fit.slices:
        columns = model.rates.period_covariates.columns(period, told)
        shape = shape + columns @ fit.block("company_covariates")
    return shape


def _first_value(
    model: CohortModel, period: Months, period_covariates: pd.DataFrame | None
) -> Array:
    """Value of a first purchase: that of known ones, with season and covariates."""
    shape = model.values.shape(period, period_covariates)
    usual = mean_shape(model.values, model.acquired_months, model.acquired)
    return np.asarray(model.first_value * np.exp(shape - usual))


def _recent_cohort_effect(fit: LogLinearFit, cohorts: Months) -> float:
    if "cohort" not in fit.slices:
        return 0.0
    precision = 1.0 / (fit.standard_errors("cohort") ** 2 + fit.sds["cohort"] ** 2 * 0.1)
    weight = _recency_weights(cohorts, int(cohorts[-1])) * precision
    return float(weight @ fit.block("cohort") / weight.sum())


def _recency_weights(months: Months, last: int) -> Array:
    return np.asarray(0.5 ** ((last - months) / HALF_LIFE_MONTHS))
