"""Fitted models and histories in, forecasts by customer and by cohort out.

Cohort totals are the sums of their customers in every month, taken over distinct histories.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array
from clvmodels.core.months import MonthGrid, add_months, month_grid
from clvmodels.finance.clv import (
    UnitEconomics,
    discount_factors,
    net_margin,
    value_interval,
)
from pipelines.data.features.histories import LEAST_PURCHASES, spend_table
from pipelines.sources.engines.base import BATCH_ROWS
from pipelines.training.fit import Fitted, with_model_features

RATE_END = 0.99
"""Nobody is forecast to buy faster, while alive, than the end of this probability of their rate."""

STANDARD_ERRORS = 4.0

NOBODY = 1e-100
"""Purchases so few that their revenue over them is rounding."""


@dataclass(frozen=True)
class CustomerMonths:
    """Expected purchases and revenue of some customers by calendar month.

    Attributes
    ----------
    purchases, revenue : ndarray, shape (n, k)
    spend : ndarray, shape (n,)
        Expected value of one purchase, in currency.
    """

    purchases: Array
    revenue: Array
    spend: Array


@dataclass(frozen=True)
class Bounds:
    """What customers' own histories bear, whatever a cohort forecast asks of them.

    Attributes
    ----------
    purchases : ndarray, shape (n,)
        The most over all months: probability alive x days x the purchase rate at its 99 % end.
    orders : ndarray, shape (n,)
        Purchases whose values the spend model has seen.
    spend_low, spend_high : ndarray, shape (n,)
        Of the expected value of a purchase, in currency: :data:`STANDARD_ERRORS` from the own mean
        of who has bought :data:`LEAST_PURCHASES` times or more; no bounds for others.
    """

    purchases: Array
    orders: Array
    spend_low: Array
    spend_high: Array


Each = Callable[[Fitted, pd.DataFrame], CustomerMonths]
"""Models and customers, or histories, to their months."""


def horizon_grid(as_of: dt.date, horizon_months: int) -> MonthGrid:
    """The horizon, cut at the ends of calendar months."""
    return month_grid(as_of, add_months(as_of, horizon_months))


def customer_months(fitted: Fitted, summary: pd.DataFrame, grid: MonthGrid) -> CustomerMonths:
    """Expected purchases and revenue in every month of the grid, from the customer models.

    ``summary`` holds a customer or a history of :mod:`pipelines.data.features.histories` in every
    row.
    """
    cumulative = fitted.purchase_model.expected_purchases(summary, horizon=grid.edges)
    # The difference of sums that have come to their end may be rounding below nothing.
    purchases = np.maximum(np.diff(cumulative, axis=1, prepend=0.0), 0.0)
    spend = np.asarray(
        fitted.spend_model.expected_spend(
            spend_table(summary, fitted.spend_from, fitted.dimensions)
        )
    )
    return CustomerMonths(purchases, purchases * spend[:, None], spend)


def bounds(fitted: Fitted, summary: pd.DataFrame, grid: MonthGrid) -> Bounds:
    """Say what the customers, or histories, of :func:`customer_months` can bear."""
    alive = fitted.purchase_model.probability_alive(summary)
    rate = fitted.purchase_model.purchase_rate_quantile(summary, RATE_END)
    # a hair less, so that the rounding of sums stays within
    most = alive * float(grid.edges[-1]) * rate * (1 - 1e-12)
    table = spend_table(summary, fitted.spend_from, fitted.dimensions)
    orders, mean = (table[n].to_numpy(dtype=float) for n in ("frequency", "monetary_value"))
    within, _ = fitted.spend_model.variation(table)
    many = summary["frequency"].to_numpy() >= LEAST_PURCHASES - 1
    reach = STANDARD_ERRORS * within / np.sqrt(np.maximum(orders, 1.0)) * (1 - 1e-12)
    return Bounds(
        most,
        orders,
        np.where(many, mean * np.maximum(1 - reach, 0.0), 0.0),
        np.where(many, mean * (1 + reach), np.inf),
    )


def history_sums(
    fitted: Fitted,
    everybody: pd.DataFrame,
    grid: MonthGrid,
    by: Literal["cohort", "quarter"] = "cohort",
    rows: int = BATCH_ROWS,
    each: Each | None = None,
) -> pd.DataFrame:
    """Sum the customer models over everybody, by cohort and month.

    Parameters
    ----------
    everybody : DataFrame
        Of :func:`pipelines.data.features.histories.histories`.
    by : {'cohort', 'quarter'}
        Month or quarter of first purchase.
    rows : int
        Histories forecast at once; memory is bounded by it.
    each : callable, optional
        Instead of :func:`customer_months`: scaled to their cohorts, for example.

    Returns
    -------
    DataFrame
        cohort, period, purchases, revenue; sorted.
    """
    (sums,) = sums_by_each(fitted, everybody, grid, [by], rows, each)
    return sums.rename(columns={by: "cohort"})


def sums_by_each(
    fitted: Fitted,
    everybody: pd.DataFrame,
    grid: MonthGrid,
    keys: Sequence[str],
    rows: int = BATCH_ROWS,
    each: Each | None = None,
) -> list[pd.DataFrame]:
    """As :func:`history_sums`, by each of several columns of the histories, in one pass.

    Returns
    -------
    list of DataFrame
        Of each key: the key, period, purchases, revenue; sorted.
    """
    if each is None:
        each = partial(customer_months, grid=grid)
    parts: list[list[pd.DataFrame]] = [[] for _ in keys]
    for start in range(0, len(everybody), rows):
        part = everybody.iloc[start : start + rows]
        one = each(fitted, part)
        weight = part["weight"].to_numpy()[:, None]
        months = CustomerMonths(one.purchases * weight, one.revenue * weight, one.spend)
        for key, some in zip(keys, parts, strict=True):
            some.append(_sums(part[key], months, grid, key))
    return [
        pd.concat(some).groupby([key, "period"], as_index=False).sum()
        for key, some in zip(keys, parts, strict=True)
    ]


def cohort_sums(cohort: pd.Series, months: CustomerMonths, grid: MonthGrid) -> pd.DataFrame:
    """Sum customers to cohorts: cohort, period, purchases, revenue."""
    return _sums(cohort, months, grid, "cohort")


def _sums(key: pd.Series, months: CustomerMonths, grid: MonthGrid, name: str) -> pd.DataFrame:
    codes, values = pd.factorize(key, sort=True)
    index = pd.MultiIndex.from_product([pd.Index(values), grid.index()], names=[name, "period"])
    columns = {}
    for quantity in ("purchases", "revenue"):
        sums = [np.bincount(codes, month, len(values)) for month in getattr(months, quantity).T]
        columns[quantity] = np.stack(sums, axis=1).ravel()
    return pd.DataFrame(columns, index=index).reset_index()


def score(
    fitted: Fitted,
    summary: pd.DataFrame,
    months: CustomerMonths,
    grid: MonthGrid,
    *,
    valuation: UnitEconomics,
    churn_horizon_days: int,
) -> pd.DataFrame:
    """Forecast some customers.

    Parameters
    ----------
    summary : DataFrame
        Of :func:`pipelines.data.features.churn.scoring_table`.
    months : CustomerMonths
        Of the same customers, reconciled with the cohorts.
    grid : MonthGrid
    valuation : UnitEconomics
        Of :func:`pipelines.data.margins.valuation`.
    churn_horizon_days : int
        Churn is no purchase within so many days.

    Returns
    -------
    DataFrame
        Columns of schema.CUSTOMER_FORECAST but the tier, which needs all customers.
    """
    discount = discount_factors(grid.midpoints, valuation.annual_discount_rate)
    net = net_margin(months.revenue, months.purchases, valuation)
    # A sum by row, in an order that does not depend on who shares the batch.
    clv = np.einsum("ij,j->i", net, discount)
    low, high = clv_interval(fitted, summary, months, grid, clv)
    purchases, revenue = months.purchases.sum(axis=1), months.revenue.sum(axis=1)
    some = purchases > NOBODY
    spend = np.divide(revenue, purchases, out=months.spend.copy(), where=some)
    return pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "cohort": summary["cohort"],
            "probability_alive": fitted.purchase_model.probability_alive(summary),
            "churn_probability": churn_probability(fitted, summary, churn_horizon_days),
            "expected_purchases": purchases,
            "expected_spend": spend,
            "expected_revenue": np.where(some, revenue, purchases * spend),
            "clv": clv,
            "clv_low": low,
            "clv_high": high,
        }
    )


def churn_probability(fitted: Fitted, summary: pd.DataFrame, horizon_days: int) -> Array:
    """Probability of no purchase in the churn horizon: the classifier's, or the model's own.

    A classifier foresees the days that it was trained for and no others, which
    :func:`pipelines.training.fit.require_same_horizon` checks of a saved one.
    """
    if fitted.churn is None:
        return np.asarray(
            fitted.purchase_model.probability_no_purchase(summary, horizon=horizon_days),
            dtype=float,
        )
    return fitted.churn.churn_probability(
        with_model_features(summary, fitted.transactions, horizon_days)
    )


def clv_interval(
    fitted: Fitted, summary: pd.DataFrame, months: CustomerMonths, grid: MonthGrid, clv: Array
) -> tuple[Array, Array]:
    """90 % interval of each customer's CLV: what one customer may do, parameters taken as known.

    Purchases given that the customer is alive vary like a negative binomial with the shape of her
    rate (r + frequency where purchases come by chance); values of purchases like the Gamma-Gamma
    posterior. Revenue's interval is scaled to CLV by their expected ratio. Where a customer most
    likely buys nothing more, and the few who do carry the mean above nine tenths of all outcomes,
    it is drawn out to the mean.
    """
    horizon = float(grid.edges[-1])
    alive = np.maximum(fitted.purchase_model.probability_alive(summary), 1e-12)
    expected = np.asarray(fitted.purchase_model.expected_purchases(summary, horizon=horizon))
    shape = fitted.purchase_model.purchase_rate_shape(summary)
    given_alive = expected / alive
    second = alive * (given_alive + given_alive**2 * (1 + 1 / shape))
    within, between = fitted.spend_model.variation(
        spend_table(summary, fitted.spend_from, fitted.dimensions)
    )
    low, high = value_interval(
        expected,
        second,
        np.asarray(fitted.purchase_model.probability_no_purchase(summary, horizon=horizon)),
        months.spend,
        within,
        between,
    )
    base = expected * months.spend
    ratio = np.divide(clv, base, out=np.zeros_like(base), where=base > 0)
    ends = np.stack([low * ratio, high * ratio, clv])
    return ends.min(axis=0), ends.max(axis=0)
