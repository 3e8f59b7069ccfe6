"""The whole company's months: known customers and those still to come, drawn together."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from clvmodels.cohorts import intervals
from clvmodels.cohorts.acquisition import (
    forecast_new_cohorts,
    new_cells,
    recent_effects,
)
from clvmodels.cohorts.model.model import CohortModel, Forecast
from clvmodels.cohorts.model.table import Cells
from clvmodels.core.arrays import Array, Booleans, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.months import month_dates, month_number
from clvmodels.numerics.threads import one_blas_thread

CompanyLevel = Literal["month", "total"]

LEVEL_SD = 0.15
"""Log error of the level at which new customers go on to come, of all months ahead together."""

LEVEL_SD_A_YEAR = 0.25
"""By how much more it is off a year ahead: acquisition wanders as budgets and channels do."""

MONTH_SD = 0.15
"""Log error of one month's new customers beyond chance."""

FIRST_VALUE_SD = 0.06
"""Log error of the mean value of a first purchase."""


@dataclass(frozen=True)
class CompanyDraws:
    """Purchases and revenue of the company by month, expected and drawn.

    Attributes
    ----------
    period : ndarray of int, shape (k,)
    expected : ndarray, shape (2, k)
        Purchases and revenue.
    drawn : ndarray, shape (2, k, draws)
    """

    period: Integers
    expected: Array
    drawn: Array

    def summed(self, level: CompanyLevel) -> CompanyDraws:
        """By month, or over the whole horizon."""
        if level not in ("month", "total"):
            raise InvalidValueError(f"level must be month or total; found {level!r}")
        if level == "month":
            return self
        return CompanyDraws(
            self.period[:1], self.expected.sum(axis=1)[:, None], self.drawn.sum(axis=1)[:, None]
        )

    def intervals(self, level: CompanyLevel, spread: intervals.Spread, unit: float) -> pd.DataFrame:
        """Forecast with 90 % intervals.

        Parameters
        ----------
        level : str
        spread : Spread
        unit : float
            What revenue is measured in, in currency.

        Returns
        -------
        DataFrame
            period (of months), then purchases, revenue, each with _low and _high.
        """
        made = self.summed(level)
        of_purchases, of_revenue = spread.at(
            "company_month" if level == "month" else "company_total"
        )
        out = pd.DataFrame(index=range(made.period.size))
        if level == "month":
            out["period"] = month_dates(made.period)
        for at, (name, scale, stretch) in enumerate(
            (("purchases", 1.0, of_purchases), ("revenue", unit, of_revenue))
        ):
            low, high = intervals.interval(made.drawn[at] / scale, stretch)
            out[name] = made.expected[at]
            out[f"{name}_low"] = np.minimum(low * scale, out[name])
            out[f"{name}_high"] = np.maximum(high * scale, out[name])
        return out


@one_blas_thread
def draw_company(
    model: CohortModel,
    until: dt.date,
    acquisitions: pd.Series,
    planned: Booleans,
    draws: int,
    random_state: int,
    period_covariates: pd.DataFrame | None = None,
) -> CompanyDraws:
    """Draw the company's months, known customers and new ones with the same effects and shocks.

    How many customers come is off by a level that all months share, which wanders, and by a shock
    of each month; a planned number is taken as given, chance aside.

    Parameters
    ----------
    model : CohortModel
    until : date
    acquisitions : Series
        New customers by month, one for each month of (as_of, until].
    planned : ndarray of bool
        Of which months the number is planned.
    draws, random_state : int
    period_covariates : DataFrame, optional
        Needed if the fit had them.
    """
    rng = np.random.default_rng([random_state, 1])
    coming = forecast_new_cohorts(model, until, acquisitions, period_covariates)
    period = month_number(acquisitions.index)
    some = _joint(model, until, acquisitions, coming, period_covariates)
    counts, revenue = some.draw(draws, random_state)
    known = some.cells.size - len(coming)
    cohort = np.searchsorted(period, month_number(coming["cohort"]))
    error = _acquisition_error(period.size, planned, draws, rng)
    many = acquisitions.to_numpy(float)[:, None] * error
    first = rng.poisson(np.minimum(many, 1e15)).astype(float)
    came = np.divide(first, acquisitions.to_numpy(float)[:, None], out=np.ones_like(first),
                     where=acquisitions.to_numpy(float)[:, None] > 0)  # fmt: skip
    counts[known:] *= came[cohort]
    revenue[known:] *= came[cohort]
    column = np.searchsorted(period, some.cells.period)
    drawn = np.stack([intervals.group_sums(one, column, period.size) for one in (counts, revenue)])
    drawn[0] += first
    own = coming[month_number(coming["cohort"]) == month_number(coming["period"])]
    value = np.divide(
        own["first_revenue"].to_numpy(), own["first_purchases"].to_numpy(),
        out=np.zeros(len(own)), where=own["first_purchases"].to_numpy() > 0,
    )  # fmt: skip
    drawn[1] += first * value[:, None] * np.exp(FIRST_VALUE_SD * rng.standard_normal(draws))
    totals = np.stack([some.purchases, some.revenue], axis=1)
    expected = intervals.group_sums(totals, column, period.size).T
    expected += own[["first_purchases", "first_revenue"]].to_numpy(float).T
    return CompanyDraws(period, expected, drawn)


def _joint(
    model: CohortModel,
    until: dt.date,
    acquisitions: pd.Series,
    coming: pd.DataFrame,
    period_covariates: pd.DataFrame | None,
) -> Forecast:
    """Known and new cells as one forecast, so that both are drawn with the same effects."""
    known = model.forecast(model.cells(until), period_covariates)
    cells = new_cells(model, until, acquisitions)
    new = model.forecast(cells, period_covariates)
    _, value = recent_effects(model)
    both = (known.cells, cells)
    return Forecast(
        model,
        Cells(
            np.concatenate([some.cohort for some in both]),
            np.concatenate([some.period for some in both]),
            np.concatenate([some.exposure for some in both]),
        ),
        np.vstack([known.design, new.design]),
        np.concatenate([known.purchases, coming["purchases"].to_numpy(float)]),
        np.vstack([known.value_design, new.value_design]),
        np.concatenate([known.value, new.value * np.exp(value)]),
    )


def _acquisition_error(
    months: int, planned: Booleans, draws: int, rng: np.random.Generator
) -> Array:
    """Factors on the new customers of each month, shape (k, draws); 1 where they are planned."""
    level = LEVEL_SD * rng.standard_normal(draws)
    steps = LEVEL_SD_A_YEAR / np.sqrt(12.0) * rng.standard_normal((months, draws))
    error = level + np.cumsum(steps, axis=0) + MONTH_SD * rng.standard_normal((months, draws))
    # Medians would be the expected number; means are to be.
    ahead = np.arange(1, months + 1)
    variance = LEVEL_SD**2 + LEVEL_SD_A_YEAR**2 * ahead / 12.0 + MONTH_SD**2
    factor = np.exp(error - 0.5 * variance[:, None])
    return np.where(planned[:, None], 1.0, factor)
