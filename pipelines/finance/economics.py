"""Unit economics from the cohort history: ARPU, churn, historical LTV, LTV against CAC, payback."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from clvmodels.core.months import last_month_end
from clvmodels.core.schema import UNIT_ECONOMICS
from clvmodels.finance.clv import DAYS_PER_YEAR, historical_ltv, ltv_to_cac, payback_period
from pipelines.config.load import Economics
from pipelines.data.margins import Margin, of_history

RECENT_MONTHS = 12
"""Months of history that ARPU is taken from, or as many as there are."""

LTV_AGE = 12
"""Age in months at which LTV is set against CAC, or the oldest age seen."""

DAYS_PER_MONTH = DAYS_PER_YEAR / 12

Row = tuple[str, float | None, str, str]


def unit_economics(
    cohort_months: pd.DataFrame,
    as_of: dt.date,
    clv_per_customer: float,
    *,
    economics: Economics,
    margin: Margin,
    profiled_only: bool = False,
) -> pd.DataFrame:
    """Facts for planning, one row each.

    ARPU is per day, so that the month under way counts by its days; churn and LTV to date compare
    whole months and leave it out.

    Parameters
    ----------
    cohort_months : DataFrame
        schema.COHORT_MONTHS.
    as_of : date
        Last day known.
    clv_per_customer : float
        Mean forecast CLV, in currency.
    economics : Economics
    margin : Margin
        What stands in where the history records no margins.
    profiled_only : bool
        Whether the CLV is of customers who may be profiled, and others are in the history.

    Returns
    -------
    DataFrame
        measure, value (None where there is none), unit, meaning.
    """
    cohort_months = of_history(cohort_months, margin)
    money = economics.currency
    whole = complete_months(cohort_months, as_of)
    rows = _repeat_business(cohort_months, whole, money)
    horizon = f"forecast, next {economics.horizon_months} months, discounted, net of cost to serve"
    whose = ", of customers who may be profiled" if profiled_only else ""
    rows.append(("CLV", clv_per_customer, money, horizon + whose))
    if economics.acquisition_cost:
        rows += _against_cost(whole, economics.acquisition_cost, money)
    return pd.DataFrame(rows, columns=UNIT_ECONOMICS.names)


def _repeat_business(cohort_months: pd.DataFrame, whole: pd.DataFrame, money: str) -> list[Row]:
    """ARPU, churn and LTV by the historical formula."""
    recent = np.sort(cohort_months["period"].unique())[-RECENT_MONTHS:]
    window = cohort_months[cohort_months["period"].isin(recent)]
    months = window["customer_days"].sum() / DAYS_PER_MONTH
    arpu, earned = (
        float(window[name].sum() / months) if months else 0.0 for name in ("revenue", "margin")
    )
    churn = monthly_churn(whole)
    return [
        (
            "ARPU",
            arpu,
            f"{money} a month",
            "average revenue per user: repeat revenue per known customer, last "
            f"{len(recent)} months",
        ),
        (
            "Churn",
            100 * churn,
            "% a month",
            "fall of purchases per customer from one month to the next, cohorts followed; not the "
            "churn probability of a customer",
        ),
        (
            "Historical LTV, gross margin",
            historical_ltv(earned, 1.0, churn) if 0 < churn <= 1 else None,
            money,
            "ARPU x its gross margin / churn: repeat purchases for ever, without the first one"
            + ("" if 0 < churn <= 1 else f"; empty: {_why_endless(whole)}"),
        ),
    ]


def complete_months(cohort_months: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Leave out the month under way, unless the log holds no other."""
    ended = cohort_months["period"] <= pd.Timestamp(last_month_end(as_of))
    return cohort_months[ended] if ended.any() else cohort_months


def monthly_churn(cohort_months: pd.DataFrame) -> float:
    """Mean fall of purchases per customer-day from one month of a cohort to the next.

    From the first full month of a cohort on; 0 where purchases did not fall.
    """
    followed = _followed(cohort_months)
    before = float(followed["before"].sum())
    return max(1 - float(followed["after"].sum()) / before, 0.0) if before > 0 else 0.0


def _followed(cohort_months: pd.DataFrame) -> pd.DataFrame:
    """Purchases of a cohort's month and, in as many customer-days, of the next: before, after."""
    table = cohort_months.sort_values(["cohort", "period"])
    table = table[(table["period"] > table["cohort"]) & (table["customer_days"] > 0)]
    by_cohort = table.groupby("cohort")
    after, days_after = by_cohort["purchases"].shift(-1), by_cohort["customer_days"].shift(-1)
    as_long = after * table["customer_days"] / days_after
    return pd.DataFrame({"before": table["purchases"], "after": as_long}).dropna(subset="after")


def _why_endless(cohort_months: pd.DataFrame) -> str:
    followed = _followed(cohort_months)
    if followed.empty:
        return "no cohort could be followed from one whole month to the next"
    if not followed["before"].sum() > 0:
        return "nobody bought in the months that could be followed"
    return "purchases did not fall, so it has no end"


def ltv_by_age(cohort_months: pd.DataFrame, of: str = "revenue") -> pd.Series:
    """Cumulative revenue per customer by age in months, of every cohort that has reached it.

    ``of = "margin"`` gives gross margin instead.
    """
    period, cohort = cohort_months["period"].dt, cohort_months["cohort"].dt
    age = (period.year - cohort.year) * 12 + period.month - cohort.month
    brought = cohort_months[of] + cohort_months[f"first_{of}"]
    sums = pd.DataFrame({of: brought, "customers": cohort_months["customers"]})
    by_age = sums.groupby(age).sum()
    return (by_age[of] / by_age["customers"]).cumsum()


def _against_cost(cohort_months: pd.DataFrame, cost: float, money: str) -> list[Row]:
    margin = ltv_by_age(cohort_months, "margin")
    age = min(LTV_AGE, int(margin.index[-1]))
    months = payback_period(np.diff(margin, prepend=0.0), cost)
    return [
        ("CAC", cost, money, "acquisition cost per customer, as configured"),
        (
            "LTV to date, gross margin",
            float(margin[age]),
            money,
            f"per customer to the end of month {age} after that of the first purchase, which is "
            "included, of the cohorts that have come so far",
        ),
        (
            "LTV / CAC",
            ltv_to_cac(float(margin[age]), cost),
            "ratio",
            f"gross margin to the end of month {age} over CAC",
        ),
        (
            "Payback",
            months if np.isfinite(months) else None,
            "months",
            "until gross margin per customer repays CAC; empty: not within the ages seen",
        ),
    ]
