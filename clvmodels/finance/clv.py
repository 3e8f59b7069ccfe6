"""Purchases x spend x margin - cost to serve, discounted: LTV and CLV.

LTV is revenue (or gross margin) before the cost to serve; CLV is discounted margin net of the
cost to serve. The two are never mixed, and every name says which it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from clvmodels.core.arguments import number, numbers, probability
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError

DAYS_PER_YEAR = 365.25
TIERS = (("top 1 %", 0.01), ("top 5 %", 0.05), ("top 10 %", 0.10))
TIER_NAMES = (*(name for name, _ in TIERS), "other 90 %")
"""Value tiers, best first."""


@dataclass(frozen=True)
class UnitEconomics:
    """The assumptions that turn purchases into value.

    Attributes
    ----------
    margin : float
        Gross margin as a share of revenue, 0 to 1.
    cost_to_serve : float
        Cost of serving one purchase, in currency.
    annual_discount_rate : float
        Effective rate a year; 0.1 is 10 %.
    """

    margin: float
    cost_to_serve: float
    annual_discount_rate: float


def discount_factors(days: ArrayLike, annual_rate: float) -> Array:
    """Present value of one unit received ``days`` after the as-of date, shape as ``days``."""
    if not number(annual_rate, "the annual discount rate") > -1:
        raise InvalidValueError(f"the annual discount rate must lie above -1; found {annual_rate}")
    return np.asarray((1 + annual_rate) ** (-numbers(days, "days") / DAYS_PER_YEAR))


def net_margin(revenue: Array, purchases: Array, economics: UnitEconomics) -> Array:
    """Gross margin net of the cost to serve, not discounted; shape of the input, in currency."""
    return revenue * economics.margin - purchases * economics.cost_to_serve


def customer_lifetime_value(
    purchases: Array, spend: Array, economics: UnitEconomics, discount: Array
) -> Array:
    """CLV: discounted margin net of cost to serve over the horizon.

    Parameters
    ----------
    purchases : ndarray, shape (n, k)
        Expected purchases of each customer in each period.
    spend : ndarray, shape (n,) or (n, k)
        Expected value of one purchase, in currency.
    discount : ndarray, shape (k,)
        Present value of one unit received in each period.

    Returns
    -------
    ndarray, shape (n,)
        In currency of the as-of date. Negative where serving a customer costs more than the
        margin on their purchases.
    """
    per_purchase = np.asarray(spend, dtype=float) * economics.margin - economics.cost_to_serve
    if per_purchase.ndim == 1:
        return np.asarray(np.einsum("ij,j->i", purchases, discount) * per_purchase)
    return np.asarray(np.einsum("ij,j->i", purchases * per_purchase, discount))


def value_interval(
    expected: Array,
    second_moment: Array,
    p_zero: Array,
    spend: Array,
    spend_within: Array,
    spend_between: Array,
    level: float = 0.9,
) -> tuple[Array, Array]:
    """Interval of a customer's total revenue: zero-inflated gamma with matched moments.

    Parameters
    ----------
    expected, second_moment, p_zero : ndarray, shape (n,)
        Mean and second moment of the number of purchases N, and P(N = 0).
    spend : ndarray, shape (n,)
        Expected value of a purchase, in currency.
    spend_within : ndarray, shape (n,)
        Coefficient of variation of one purchase around the customer's own mean.
    spend_between : ndarray, shape (n,)
        Coefficient of variation of the customer's own mean, given what is known of them.
    level : float
        Probability inside the interval.

    Returns
    -------
    low, high : ndarray, shape (n,)
        Quantiles at (1 - level) / 2 and (1 + level) / 2, in currency.

    Notes
    -----
    Given N and the customer's mean z, the total has mean N z and variance N z^2 within^2, so
    E[S^2] = E[z^2] (E[N^2] + E[N] within^2) with E[z^2] = spend^2 (1 + between^2). Given that it
    is positive, S is taken as gamma with these first two moments.
    """
    level = probability(level)
    positive = np.clip(1.0 - p_zero, 1e-12, 1.0)
    mean = expected * spend / positive
    second = (
        spend**2 * (1 + spend_between**2) * (second_moment + expected * spend_within**2) / positive
    )
    variance = np.maximum(second - mean**2, 1e-9 * mean**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.where(mean > 0, mean**2 / variance, 1.0)
        scale = np.where(mean > 0, variance / mean, 0.0)

    def quantile(probability: float) -> Array:
        inner = np.clip((probability - p_zero) / positive, 0.0, 1.0 - 1e-12)
        return np.asarray(gammaincinv(shape, inner) * scale)

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def value_tiers(clv: ArrayLike) -> NDArray[np.str_]:
    """Tier of each customer by CLV: top 1, 5 and 10 %, and the rest.

    A tier holds the customers above the one before it, so that each customer is in one tier;
    the top k % are all tiers down to k. Ties go to the better tier in row order.
    """
    values = numbers(clv, "clv")
    rank = np.empty(values.size, dtype=np.int64)
    rank[np.argsort(-values, kind="stable")] = np.arange(values.size)
    names = np.array(TIER_NAMES)
    return np.asarray(names[np.searchsorted(tier_limits(values.size), rank, side="right")])


def tier_limits(customers: int) -> list[int]:
    """How many customers the best tier holds, the two best together, and the three best."""
    return [int(np.ceil(share * customers)) for _, share in TIERS]


def historical_ltv(
    arpu: float, gross_margin: float, churn: float | None = None, *, lifetime: float | None = None
) -> float:
    """LTV = ARPU x gross margin / churn, or ARPU x gross margin x lifetime: the steady state.

    Parameters
    ----------
    arpu : float
        Revenue per customer and period, in currency.
    gross_margin : float
        Share of revenue.
    churn : float
        Share of customers lost a period, above 0.
    lifetime : float
        Periods that a customer stays, in the place of churn.

    Raises
    ------
    InvalidValueError
        If churn is no share, a lifetime is negative, or not exactly one of both is given.
    """
    if (churn is None) == (lifetime is None):
        raise InvalidValueError("historical_ltv needs either churn or lifetime")
    if churn is None:
        if number(lifetime, "a lifetime") < 0:
            raise InvalidValueError(f"a lifetime cannot be negative; found {lifetime}")
        return float(arpu * gross_margin * number(lifetime, "a lifetime"))
    if not 0 < number(churn, "churn") <= 1:
        raise InvalidValueError(f"churn must lie in (0, 1] per period; found {churn}")
    return float(arpu * gross_margin / churn)


def ltv_to_cac(ltv: float, acquisition_cost: float) -> float:
    """LTV over customer acquisition cost (CAC), a ratio."""
    if number(acquisition_cost, "CAC") <= 0:
        raise InvalidValueError(f"CAC must be positive; found {acquisition_cost}")
    return ltv / acquisition_cost


def payback_period(margin_by_period: ArrayLike, acquisition_cost: float) -> float:
    """Periods until cumulative margin per customer repays CAC; ``inf`` if it does not.

    Within the period in which it is repaid, margin is taken to arrive evenly.
    """
    margin = numbers(margin_by_period, "margin_by_period")
    cumulative = np.cumsum(margin)
    reached = np.flatnonzero(cumulative >= acquisition_cost)
    if acquisition_cost <= 0:
        return 0.0
    if reached.size == 0:
        return float("inf")
    k = int(reached[0])
    before = cumulative[k] - margin[k]
    return float(k + (acquisition_cost - before) / margin[k])


def cumulative_ltv(cohort_months: pd.DataFrame) -> pd.DataFrame:
    """Observed LTV: cumulative revenue per acquired customer by cohort and age in months.

    Parameters
    ----------
    cohort_months : DataFrame
        As in :data:`clvmodels.core.schema.COHORT_MONTHS`.

    Returns
    -------
    DataFrame
        cohort, age (months since first purchase, 0 = month of acquisition), customers,
        ltv_revenue (currency per customer, first purchase included).
    """
    table = cohort_months.sort_values(["cohort", "period"])
    cohort, period = pd.to_datetime(table["cohort"]), pd.to_datetime(table["period"])
    age = (period.dt.year - cohort.dt.year) * 12 + period.dt.month - cohort.dt.month
    revenue = table["revenue"] + table["first_revenue"]
    customers = table.groupby("cohort")["first_purchases"].transform("sum")
    cumulative = revenue.groupby(table["cohort"]).cumsum()
    return pd.DataFrame(
        {
            "cohort": table["cohort"],
            "age": age,
            "customers": customers,
            "ltv_revenue": (cumulative / customers).where(customers > 0),
        }
    ).reset_index(drop=True)
