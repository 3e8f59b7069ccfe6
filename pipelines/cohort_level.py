"""The cohort forecast over the customer forecast: one level and season, one sum.

Customer models rank customers; the cohort forecast knows season, trend and how each cohort went.
Every customer's month is multiplied by a factor of its cohort and month, so that customers add up
to their cohort and cohorts to the company, in every month.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.cohort_levels import Level
from clvmodels.cohorts import CohortForecaster
from clvmodels.months import MonthGrid
from clvmodels.reconcile import Reconciliation, reconcile
from pipelines.forecast import CustomerMonths
from pipelines.train import Fitted

Array = NDArray[np.float64]

QUANTITIES = ("purchases", "revenue")


@dataclass(frozen=True)
class CohortLevel:
    """Factors by cohort and month, and the intervals that go with them.

    Attributes
    ----------
    grid : MonthGrid
    cohorts : DatetimeIndex, length c
    purchases, revenue : ndarray, shape (c, k)
        What a customer's expected purchases and revenue are multiplied by.
    forecaster : CohortForecaster, optional
        None where [train] cohort_level is off: the factors are 1 and there are no intervals.
    corrections : DataFrame
        cohort, purchases (seen so far), weight (how far the cohort's own correction is believed
        against the company's, 0 to 1), purchases_factor and revenue_factor (over all months);
        empty where [train] cohort_level is off.
    drivers : DataFrame, optional
        Covariates by month that the forecaster was fitted with.
    """

    grid: MonthGrid
    cohorts: pd.DatetimeIndex
    purchases: Array
    revenue: Array
    forecaster: CohortForecaster | None
    corrections: pd.DataFrame
    drivers: pd.DataFrame | None = None

    def apply(self, cohort: pd.Series, months: CustomerMonths) -> CustomerMonths:
        """Scale customers to their cohorts; ``cohort`` is the month of first purchase."""
        row = self.cohorts.get_indexer(pd.DatetimeIndex(cohort))
        return CustomerMonths(
            months.purchases * self.purchases[row],
            months.revenue * self.revenue[row],
            months.spend,
        )

    def scaled(self, base: pd.DataFrame) -> pd.DataFrame:
        """Scale sums by cohort (month) and period, in the order of cohorts and months."""
        table = base.sort_values(["cohort", "period"], ignore_index=True)
        return table.assign(
            purchases=table["purchases"] * self.purchases.ravel(),
            revenue=table["revenue"] * self.revenue.ravel(),
        )

    def with_intervals(self, cells: pd.DataFrame, level: Level) -> pd.DataFrame:
        """Add the 90 % intervals of a level to its point forecasts.

        The cohort forecast's interval keeps its ends' ratio to the point forecast.
        """
        out = cells.copy()
        if self.forecaster is None:
            for quantity in QUANTITIES:
                out[[f"{quantity}_low", f"{quantity}_high"]] = np.nan
            return out
        made = self.forecaster.forecast(
            self.grid.until, level=level, period_covariates=self.drivers
        )
        keys = [name for name in ("cohort", "period") if name in made]
        if keys:
            made = cells[keys].merge(made, on=keys, how="left", validate="1:1")
        for quantity in QUANTITIES:
            point = made[quantity].to_numpy()
            ratio = np.divide(
                cells[quantity].to_numpy(), point, out=np.ones_like(point), where=point > 0
            )
            for end in ("low", "high"):
                out[f"{quantity}_{end}"] = made[f"{quantity}_{end}"].to_numpy() * ratio
        return out


def cohort_level(
    fitted: Fitted,
    base: pd.DataFrame,
    grid: MonthGrid,
    cohort_months: pd.DataFrame,
    first_date: dt.date,
) -> CohortLevel:
    """Reconcile the customers' sums with the cohort forecast.

    Parameters
    ----------
    fitted : Fitted
        A model from an earlier day keeps its customer parameters and what was chosen for its
        cohort forecast; the level is learned anew from the months known at ``grid.as_of``.
    base : DataFrame
        cohort (month), period, purchases, revenue: the customer models' sums.
    cohort_months : DataFrame
        schema.COHORT_MONTHS as known at ``grid.as_of``.
    first_date : date
        First day of the log.
    """
    cohorts = pd.DatetimeIndex(np.unique(base["cohort"]))
    shape = (len(cohorts), len(grid.periods))
    forecaster = forecaster_at(fitted, grid.as_of, cohort_months, first_date)
    if forecaster is None:
        return CohortLevel(grid, cohorts, np.ones(shape), np.ones(shape), None, pd.DataFrame())
    told = fitted.drivers.period
    made = forecaster.forecast(grid.until, period_covariates=told)
    if fitted.level == "customers":
        made = with_purchases(made, base)
    seen = cohort_months.groupby("cohort")["purchases"].sum()
    reconciled = reconcile(base, made, seen)
    found = reconciled.factors.sort_values(["cohort", "period"])
    return CohortLevel(
        grid,
        cohorts,
        found["purchases_factor"].to_numpy().reshape(shape),
        found["revenue_factor"].to_numpy().reshape(shape),
        forecaster,
        _corrections(reconciled),
        told,
    )


def forecaster_at(
    fitted: Fitted, as_of: dt.date, cohort_months: pd.DataFrame, first_date: dt.date
) -> CohortForecaster | None:
    """The cohort forecast as of a day: the fitted one, or its parts learned anew to that day.

    Learned anew wherever anything known differs from what the fitted one learned from, on the
    same day too: rows arrive late, persons are erased, covariates are restated. None where
    [train] cohort_level is off. Covariates that the fitted one was not given have not been tried
    on earlier origins, and are left out until the models are trained again.
    """
    made = fitted.cohorts
    if made is None:
        return None
    rates, told = made.model_.rates, fitted.drivers
    by_month = list(rates.period_covariates.names)
    known: dict[str, Any] = {
        "log_start": first_date,
        "period_covariates": told.period[["period", *by_month]]
        if told.period is not None and by_month
        else None,
        "cohort_covariates": told.cohort if rates.cohort_covariates.names else None,
    }
    if made.has_learned_from(cohort_months, as_of, **known):
        return made
    anew = CohortForecaster(made.options_, select=False, draws=made.draws, seed=made.seed)
    return anew.fit(cohort_months, as_of, **known)


def with_purchases(made: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """A cohort forecast with the customers' purchases, and its own value of a purchase."""
    keys = ["cohort", "period"]
    out = made[[*keys, *QUANTITIES]].merge(base[[*keys, "purchases"]], on=keys, validate="1:1")
    value = (out["revenue"] / out["purchases_x"]).where(out["purchases_x"] > 0, 0.0)
    return out[keys].assign(purchases=out["purchases_y"], revenue=out["purchases_y"] * value)


def _corrections(reconciled: Reconciliation) -> pd.DataFrame:
    sums = reconciled.factors.groupby("cohort", as_index=False).sum(numeric_only=True)
    for quantity in QUANTITIES:
        base = sums[f"{quantity}_base"]
        sums[f"{quantity}_factor"] = (sums[quantity] / base).where(base > 0)
    factors = sums[["cohort", *(f"{quantity}_factor" for quantity in QUANTITIES)]]
    return reconciled.weights.merge(factors, on="cohort", validate="1:1")
