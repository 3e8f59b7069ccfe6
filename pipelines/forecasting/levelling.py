"""The cohort forecast over the customer forecast: one level and season, one sum.

Customer models rank customers; the cohort forecast knows season, trend and how each cohort went.
Every customer's month is multiplied by a factor of its cohort and month, as far as the customer's
own history bears it, so that customers add up to their cohort and cohorts to the company, in every
month. What the customers of a cohort cannot carry is left out of the cohort and the company.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohorts import capacity
from clvmodels.cohorts.aggregate import Level
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.reconcile import Reconciliation, reconcile
from clvmodels.core.arrays import Array
from clvmodels.core.errors import DataError
from clvmodels.core.months import MonthGrid
from clvmodels.core.schema import QUANTITIES
from pipelines.data.features.cohorts import CohortHistory
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.carriers import Carriers
from pipelines.forecasting.customers import Bounds, CustomerMonths
from pipelines.training.fit import Fitted
from pipelines.training.level_source import LevelSource

MOST_SPEND = 3.0
"""A cohort's value of a purchase is at most so many times that of its customers, and at least the
same part of it; whoever says more speaks of other customers."""


@dataclass(frozen=True)
class CohortLevel:
    """Factors by cohort and month, and the intervals that go with them.

    Attributes
    ----------
    grid : MonthGrid
    cohorts : DatetimeIndex, length c
    purchases : ndarray, shape (c, k)
        What a customer's expected purchases are multiplied by, up to the most that the customer
        can carry.
    spend : ndarray, shape (c, k)
        What the value of a purchase is multiplied by, of a customer of whom no purchase tells.
    others : ndarray, shape (c,)
        How many other customers, in effect, a cohort's value of a purchase rests on. It counts
        beside a customer's own purchases like so many purchases more.
    cells : DataFrame
        cohort, period, purchases, revenue: the sums of the customers so multiplied; sorted.
    forecaster : CohortForecaster, optional
        None where [train] cohort_level is off: the factors are 1 and there are no intervals.
    corrections : DataFrame
        cohort, purchases (seen so far), weight (how far the cohort's own correction is believed
        against the company's, 0 to 1), purchases_factor and revenue_factor (over all months),
        purchases_unplaced and revenue_unplaced (forecast for the cohort, less what its customers
        carry); empty where [train] cohort_level is off.
    drivers : DataFrame, optional
        Covariates by month that the forecaster was fitted with.
    """

    grid: MonthGrid
    cohorts: pd.DatetimeIndex
    purchases: Array
    spend: Array
    others: Array
    cells: pd.DataFrame
    forecaster: CohortForecaster | None
    corrections: pd.DataFrame
    drivers: pd.DataFrame | None = None

    def customer_months(self, fitted: Fitted, summary: pd.DataFrame) -> CustomerMonths:
        """Forecast customers, or histories, scaled to their cohorts; ``cohort`` is a column."""
        alone = forecast.customer_months(fitted, summary, self.grid)
        able = forecast.bounds(fitted, summary, self.grid)
        return self.apply(summary["cohort"], alone, able)

    def apply(self, cohort: pd.Series, months: CustomerMonths, able: Bounds) -> CustomerMonths:
        """Scale customers to their cohorts; ``cohort`` is the month of first purchase."""
        row = self.cohorts.get_indexer(pd.DatetimeIndex(cohort))
        unknown = row < 0
        if unknown.any():
            raise DataError(
                f"{int(unknown.sum())} customers belong to cohorts without factors, the first to "
                f"{pd.DatetimeIndex(cohort)[unknown][0]:%Y-%m}; level the cohorts of the same day"
            )
        purchases = months.purchases * self.purchases[row]
        purchases *= capacity.held(purchases.sum(axis=1), able.purchases)[:, None]
        share = believed(self.others[row], able.orders)[:, None]
        revenue = purchases * months.spend[:, None] * (1 + share * (self.spend[row] - 1))
        bought, spent = purchases.sum(axis=1), revenue.sum(axis=1)
        mean = np.divide(spent, bought, out=months.spend.copy(), where=bought > forecast.NOBODY)
        bounded = np.clip(mean, able.spend_low, able.spend_high)
        revenue *= np.divide(bounded, mean, out=np.ones_like(mean), where=mean > 0)[:, None]
        return CustomerMonths(purchases, revenue, bounded)

    def with_intervals(self, cells: pd.DataFrame, level: Level) -> pd.DataFrame:
        """Add the 90 % intervals of a level to its point forecasts.

        The cohort forecast's interval keeps its ends' ratio to the point forecast.
        """
        out = cells.copy()
        if self.forecaster is None:
            for quantity in QUANTITIES:
                out[[f"{quantity}_low", f"{quantity}_high"]] = np.nan
            return out
        cohorts = self.forecaster.forecast(
            self.grid.until, level=level, period_covariates=self.drivers
        )
        keys = [name for name in ("cohort", "period") if name in cohorts]
        if keys:
            cohorts = cells[keys].merge(cohorts, on=keys, how="left", validate="1:1")
        for quantity in QUANTITIES:
            point = cohorts[quantity].to_numpy()
            ratio = np.divide(
                cells[quantity].to_numpy(), point, out=np.ones_like(point), where=point > 0
            )
            for end, beyond in (("low", np.minimum), ("high", np.maximum)):
                scaled = cohorts[f"{quantity}_{end}"].to_numpy() * ratio
                out[f"{quantity}_{end}"] = beyond(scaled, out[quantity])  # whatever the rounding
        return out


def cohort_level(
    fitted: Fitted, everybody: pd.DataFrame, history: CohortHistory, grid: MonthGrid
) -> CohortLevel:
    """Reconcile the customers with the cohort forecast.

    Parameters
    ----------
    fitted : Fitted
        A model from an earlier day keeps its customer parameters and what was chosen for its
        cohort forecast; the level is learned anew from the months of the history.
    everybody : DataFrame
        Of :func:`pipelines.data.features.histories.histories`.
    history : CohortHistory
        As known at ``grid.as_of``.
    grid : MonthGrid
    """
    carriers = Carriers.of(fitted, everybody, grid)
    base = carriers.base(grid)
    forecaster = forecaster_at(fitted, history)
    if forecaster is None:
        one = np.ones((len(carriers.cohorts), len(grid.periods)))
        level = CohortLevel(
            grid, carriers.cohorts, one, one, np.zeros(len(one)), base, None, pd.DataFrame()
        )
        return replace(level, cells=_cells(level, fitted, everybody))
    by_month = fitted.drivers.period
    cohorts = forecaster.forecast(grid.until, period_covariates=by_month)
    if fitted.level is LevelSource.CUSTOMERS:
        cohorts = with_purchases(cohorts, base)
    reconciled = reconcile(base, cohorts, _weights(carriers))
    wanted = reconciled.factors.sort_values(["cohort", "period"], ignore_index=True)
    factors = wanted["purchases_factor"].to_numpy().reshape(-1, len(grid.periods))
    purchases = np.stack(
        [
            capacity.month_factors(carriers.purchases[rows], carriers.most[rows], factors[c])
            for c, rows in enumerate(carriers.rows())
        ]
    )
    bought = history.months.groupby("cohort")["purchases"].sum()
    seen = bought.reindex(carriers.cohorts).fillna(0.0)
    # A cohort says of its customers no more than its own repeat orders do: where nobody has come
    # back, its value of an order is that of other cohorts, and may be one customer's there.
    others = np.minimum(np.maximum(carriers.spenders - 1, 0.0), seen.to_numpy(dtype=float))
    spend = _spend_factors(carriers, purchases, others, wanted)
    level = CohortLevel(
        grid, carriers.cohorts, purchases, spend, others, base, forecaster, pd.DataFrame(), by_month
    )
    level = replace(level, cells=_cells(level, fitted, everybody))
    return replace(level, corrections=_corrections(reconciled, level.cells, seen))


def believed(others: Array, orders: Array) -> Array:
    """How far a customer's value of a purchase follows the cohort's, from 0 to 1; shape (n,).

    Of ``orders`` purchases the own value is known, of ``others`` further customers the cohort's.
    Where neither is known, the cohort's forecast is all there is.
    """
    both = others + orders
    return np.divide(others, both, out=np.ones_like(both), where=both > 0)


def _weights(carriers: Carriers) -> pd.Series:
    """How far a cohort's own correction is believed: less the share of a typical customer of it.

    A customer's own purchases are in the customer model already: where all that a cohort is
    expected to do is one customer's, the cohort has nothing to add.
    """
    return pd.Series(1 - 1 / np.maximum(carriers.buyers, 1.0), index=carriers.cohorts)


def _spend_factors(
    carriers: Carriers, purchases: Array, others: Array, wanted: pd.DataFrame
) -> Array:
    """Find the factors of the value of a purchase, customers held to what each can carry.

    The revenue of what purchases are carried, at the value that the cohort forecast gives them, is
    met where factors within :data:`MOST_SPEND` can do it.
    """
    each = carriers.purchases * purchases[carriers.cohort]
    each *= capacity.held(each.sum(axis=1), carriers.most)[:, None]
    revenue = each * carriers.spend[:, None]
    moved = revenue * believed(others[carriers.cohort], carriers.orders)[:, None]
    carried, total, free = (carriers.by_cohort(part) for part in (each, revenue, moved))
    asked = wanted["purchases"].to_numpy().reshape(carried.shape)
    share = np.divide(carried, asked, out=np.ones_like(carried), where=asked > 0)
    target = wanted["revenue"].to_numpy().reshape(carried.shape) * share
    # a hair of revenue that can move is none
    able = free > 1e-9 * total
    factor = 1 + np.divide(target - total, free, out=np.zeros_like(total), where=able)
    return np.clip(factor, 1 / MOST_SPEND, MOST_SPEND)


def _cells(level: CohortLevel, fitted: Fitted, everybody: pd.DataFrame) -> pd.DataFrame:
    """Sum the scaled customers by cohort and month, as each of them is scored."""
    return forecast.history_sums(fitted, everybody, level.grid, each=level.customer_months)


def forecaster_at(fitted: Fitted, history: CohortHistory) -> CohortForecaster | None:
    """The cohort forecast as of the history's day: the fitted one, or its parts learned anew.

    Learned anew wherever anything known differs from what the fitted one learned from, on the
    same day too: rows arrive late, persons are erased, covariates are restated. None where
    [train] cohort_level is off. Covariates that the fitted one was not given have not been tried
    on earlier origins, and are left out until the models are trained again.
    """
    saved = fitted.cohorts
    if saved is None:
        return None
    rates, drivers = saved.model_.rates, fitted.drivers
    by_month = list(rates.period_covariates.names)
    today: dict[str, Any] = {
        "log_start": history.first_date,
        "period_covariates": drivers.period[["period", *by_month]]
        if drivers.period is not None and by_month
        else None,
        "cohort_covariates": drivers.cohort if rates.cohort_covariates.names else None,
    }
    if saved.has_learned_from(history.months, history.as_of, **today):
        return saved
    anew = CohortForecaster(
        saved.options_, select=False, draws=saved.draws, random_state=saved.random_state
    )
    return anew.fit(history.months, history.as_of, daily_purchases=history.daily, **today)


def with_purchases(cohorts: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """A cohort forecast with the customers' purchases, and its own value of a purchase."""
    keys = ["cohort", "period"]
    out = cohorts[[*keys, *QUANTITIES]].merge(base[[*keys, "purchases"]], on=keys, validate="1:1")
    value = (out["revenue"] / out["purchases_x"]).where(out["purchases_x"] > 0, 0.0)
    return out[keys].assign(purchases=out["purchases_y"], revenue=out["purchases_y"] * value)


def _corrections(reconciled: Reconciliation, cells: pd.DataFrame, seen: pd.Series) -> pd.DataFrame:
    sums = reconciled.factors.groupby("cohort").sum(numeric_only=True)
    carried = cells.groupby("cohort")[list(QUANTITIES)].sum()
    out = reconciled.weights.set_index("cohort")
    out.insert(0, "purchases", seen.reindex(out.index).fillna(0.0))
    for quantity in QUANTITIES:
        base = sums[f"{quantity}_base"]
        out[f"{quantity}_factor"] = (carried[quantity] / base).where(base > 0)
    for quantity in QUANTITIES:
        out[f"{quantity}_unplaced"] = sums[quantity] - carried[quantity]
    return out.reset_index()
