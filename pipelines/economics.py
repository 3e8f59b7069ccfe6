"""Unit economics from the cohort history: ARPU, churn, historical LTV, LTV against CAC, payback."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.value import (
    DAYS_PER_YEAR,
    cumulative_ltv,
    historical_ltv,
    ltv_to_cac,
    payback_period,
)
from pipelines.config import Config

RECENT_MONTHS = 12
"""Months of history that ARPU is taken from, or as many as there are."""

DAYS_PER_MONTH = DAYS_PER_YEAR / 12


def unit_economics(
    cohort_months: pd.DataFrame, mean_churn: float, clv_per_customer: float, config: Config
) -> pd.DataFrame:
    """Facts for planning, one row each.

    Parameters
    ----------
    cohort_months : DataFrame
        schema.COHORT_MONTHS.
    mean_churn : float
        Mean probability of no purchase within the churn horizon.
    clv_per_customer : float
        Mean forecast CLV, in currency.

    Returns
    -------
    DataFrame
        measure, value, unit, meaning.
    """
    economics = config.economics
    money, horizon = economics.currency, config.train.churn_horizon_days
    recent = np.sort(cohort_months["period"].unique())[-RECENT_MONTHS:]
    window = cohort_months[cohort_months["period"].isin(recent)]
    months = window["customer_days"].sum() / DAYS_PER_MONTH
    arpu = float((window["revenue"].sum()) / months) if months else float("nan")
    churn = 1 - (1 - mean_churn) ** (DAYS_PER_MONTH / horizon)
    rows: list[tuple[str, float, str, str]] = [
        ("ARPU", arpu, f"{money} a month", f"repeat revenue per known customer, last {len(recent)} "
         "months"),
        ("Churn", churn, "a month", f"from the mean probability of no purchase in {horizon} days"),
    ]  # fmt: skip
    if 0 < churn <= 1:
        rows.append(
            ("Historical LTV, gross margin", historical_ltv(arpu, economics.margin, churn), money,
             "ARPU x gross margin / churn, of a customer who has bought once")
        )  # fmt: skip
    rows.append(
        ("CLV", clv_per_customer, money,
         f"forecast, next {economics.horizon_months} months, discounted, net of cost to serve")
    )  # fmt: skip
    if economics.acquisition_cost:
        rows += _against_cost(cohort_months, economics.acquisition_cost, config)
    return pd.DataFrame(rows, columns=["measure", "value", "unit", "meaning"])


def _against_cost(
    cohort_months: pd.DataFrame, cost: float, config: Config
) -> list[tuple[str, float, str, str]]:
    """LTV to date of all cohorts by age, against the cost of acquiring a customer."""
    money = config.economics.currency
    ltv = cumulative_ltv(cohort_months)
    complete = ltv.groupby("age")["customers"].sum() == ltv[ltv["age"] == 0]["customers"].sum()
    shared = ltv[ltv["age"].isin(complete[complete].index)]
    total = (shared["ltv_revenue"] * shared["customers"]).groupby(shared["age"]).sum()
    margin = total / shared.groupby("age")["customers"].sum() * config.economics.margin
    reached = float(margin.iloc[-1])
    age = int(margin.index[-1])
    return [
        ("CAC", cost, money, "acquisition cost per customer, as configured"),
        ("LTV to date, gross margin", reached, money,
         f"per customer at {age} months, the age that every cohort has reached"),
        ("LTV / CAC", ltv_to_cac(reached, cost), "ratio", f"gross margin at {age} months over CAC"),
        ("Payback", payback_period(np.diff(margin, prepend=0.0), cost), "months",
         "until gross margin per customer repays CAC; empty: not within the ages seen"),
    ]  # fmt: skip
