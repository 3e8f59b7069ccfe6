"""Unit economics: ARPU, churn, historical LTV, CLV by hand, LTV to date against CAC, payback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from clvmodels.core.months import last_month_end
from clvmodels.core.schema import UNIT_ECONOMICS
from clvmodels.finance.clv import ltv_to_cac
from clvmodels.finance.historical import Cycle
from pipelines.config.load import Economics
from pipelines.data.margins import Margin, of_history
from pipelines.finance.senses import Sense, of_cohorts, of_customers

LTV_AGE = 12
"""Age in months at which LTV is set against CAC, or the oldest age seen."""

Row = tuple[str, float | None, str, str]


def unit_economics(
    cohort_months: pd.DataFrame,
    as_of: dt.date,
    clv_per_customer: float | None,
    *,
    economics: Economics,
    margin: Margin,
    buyers: pd.DataFrame,
    cycle: Cycle | None = None,
    profiled_only: bool = False,
) -> pd.DataFrame:
    """Facts for planning, one row each, with the formula and its numbers.

    ARPU is per day, so that the cycle under way counts by its days; churn and LTV to date compare
    whole ones and leave it out.

    Parameters
    ----------
    cohort_months : DataFrame
        schema.COHORT_MONTHS.
    as_of : date
        Last day known.
    clv_per_customer : float, optional
        Mean forecast CLV, in currency; None where nothing was forecast.
    economics : Economics
    margin : Margin
        What stands in where the history records no margins.
    buyers : DataFrame
        Of :func:`pipelines.data.features.cycle_buyers`, by the same cycle.
    cycle : {'month', 'quarter', 'year'}, optional
        Of ARPU, churn and lifespan; by default the configuration's.
    profiled_only : bool
        Whether the CLV is of customers who may be profiled, and others are in the history.

    Returns
    -------
    DataFrame
        measure, value (None where there is none), unit, meaning.
    """
    cycle = cycle or economics.cycle
    cohort_months = of_history(cohort_months, margin)
    money = economics.currency
    senses = (
        of_cohorts(cohort_months, as_of, cycle, margin.rate),
        of_customers(cohort_months, buyers, as_of, cycle, margin.rate),
    )
    rows = _formulas(senses, *_first_purchase(cohort_months), economics, cycle)
    whole = complete_months(cohort_months, as_of)
    rows += _to_date(cohort_months, whole, money)
    if clv_per_customer is not None:
        horizon = f"next {economics.horizon_months} months, discounted, net of cost to serve"
        whose = ", of customers who may be profiled" if profiled_only else ""
        rows.append(("CLV", clv_per_customer, money, f"forecast, {horizon}{whose}"))
    if economics.acquisition_cost:
        rows += _against_cost(whole, economics.acquisition_cost, money)
    return pd.DataFrame(rows, columns=UNIT_ECONOMICS.names)


def _formulas(
    senses: Sequence[Sense], first: float, acquired: int, economics: Economics, cycle: Cycle
) -> list[Row]:
    """What planners work by hand, in every sense of a customer."""
    money = economics.currency
    rows = [_arpu(sense, money, cycle) for sense in senses]
    mean = f"mean of the first purchases of all customers ({acquired:,})"
    rows.append(("First purchase, gross margin", first, money, mean))
    rows += [row for sense in senses for row in _churn(sense, cycle)]
    rows += [row for sense in senses for row in _ltv(sense, first, money)]
    return rows + [row for sense in senses for row in _by_hand(sense, first, economics)]


def _first_purchase(cohort_months: pd.DataFrame) -> tuple[float, int]:
    """Mean gross margin of a first purchase, and of how many customers."""
    acquired = int(cohort_months["first_purchases"].sum())
    return float(cohort_months["first_margin"].sum() / acquired) if acquired else 0.0, acquired


def _arpu(sense: Sense, money: str, cycle: Cycle) -> Row:
    seen = f"average revenue per user: repeat revenue per {sense.user}, {sense.window}"
    return f"ARPU{sense.of}", sense.arpu, f"{money} a {cycle}", seen


def _churn(sense: Sense, cycle: Cycle) -> list[Row]:
    rate = 100 * sense.churn if np.isfinite(sense.churn) else None
    life = sense.lifespan
    return [
        (f"Churn, {sense.name}", rate, f"% a {cycle}", sense.definition),
        (
            f"Lifespan, {sense.name}",
            life,
            f"{cycle}s",
            f"LT = 1 / churn = 1 / {_percent(sense.churn)}" if life else sense.why_endless,
        ),
    ]


def _ltv(sense: Sense, first: float, money: str) -> list[Row]:
    """Historical LTV, without the first purchase and with it."""
    name = f"Historical LTV, gross margin, {sense.name}"
    without, with_first = f"{name}, without the first purchase", f"{name}, with the first purchase"
    state = sense.state(first_margin=first)
    if state is None:
        empty = sense.why_endless
        return [(without, None, money, empty), (with_first, None, money, empty)]
    earning = f"ARPU {_figure(sense.arpu)} x margin {_percent(sense.margin)}"
    return [
        (
            without,
            state.ltv,
            money,
            f"{earning} / churn {_percent(sense.churn)} = {earning} x lifespan "
            f"{_figure(state.lifespan)}: repeat purchases alone",
        ),
        (
            with_first,
            state.ltv_with_first,
            money,
            f"{_figure(state.ltv)} + {_figure(first)} of the first purchase, which comes once",
        ),
    ]


def _by_hand(sense: Sense, first: float, economics: Economics) -> list[Row]:
    """CLV by hand, without the first purchase and with it."""
    name = f"CLV by hand, not discounted, {sense.name}"
    without, with_first = f"{name}, without the first purchase", f"{name}, with the first purchase"
    cost, money = economics.cost_to_serve, economics.currency
    state = sense.state(cost_to_serve=cost, first_margin=first)
    if state is None:
        empty = sense.why_endless
        return [(without, None, money, empty), (with_first, None, money, empty)]
    each = sense.value * sense.margin
    return [
        (
            without,
            state.clv,
            money,
            f"margin per purchase {_figure(each)} x frequency {_figure(sense.frequency)} x "
            f"lifespan {_figure(state.lifespan)} - service costs {_figure(state.service_costs)} "
            f"({_figure(state.purchases)} purchases at {_figure(cost)})",
        ),
        (
            with_first,
            state.clv_with_first,
            money,
            f"{_figure(state.clv)} + {_figure(first)} of the first purchase - {_figure(cost)} for "
            "serving it",
        ),
    ]


def _to_date(cohort_months: pd.DataFrame, whole: pd.DataFrame, money: str) -> list[Row]:
    """LTV of what was earned: of everybody to date, and by the end of a month of age."""
    earned = float(cohort_months[["margin", "first_margin"]].sum().sum())
    acquired = int(cohort_months["first_purchases"].sum())
    margin = ltv_by_age(whole, "margin")
    age = _age(margin)
    first = float(whole["first_margin"].sum() / whole["first_purchases"].sum())
    return [
        (
            "LTV to date, gross margin, all customers",
            earned / acquired,
            money,
            f"gross margin to date {earned:,.2f} / {acquired:,} acquired, however long "
            "ago; the first purchase is in it",
        ),
        (
            "LTV to date, gross margin",
            float(margin[age]),
            money,
            f"per customer to the end of month {age} after that of the first purchase, which is "
            f"in it ({_figure(first)}), each month of the cohorts that have come so far",
        ),
    ]


def _age(by_age: pd.Series[float]) -> int:
    """Month of age at which LTV is told."""
    return min(LTV_AGE, int(by_age.index[-1]))


def complete_months(cohort_months: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Leave out the month under way, unless the log holds no other."""
    ended = cohort_months["period"] <= pd.Timestamp(last_month_end(as_of))
    return cohort_months[ended] if ended.any() else cohort_months


def ltv_by_age(cohort_months: pd.DataFrame, of: str = "revenue") -> pd.Series[float]:
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
    age = _age(margin)
    first, _ = _first_purchase(cohort_months)
    return [
        ("CAC", cost, money, "acquisition cost per customer, as configured"),
        (
            "LTV / CAC",
            ltv_to_cac(float(margin[age]), cost),
            "ratio",
            f"gross margin to the end of month {age} {_figure(float(margin[age]))} / CAC "
            f"{_figure(cost)}",
        ),
        _payback(margin, first, cost),
    ]


def _payback(margin: pd.Series[float], first: float, cost: float) -> Row:
    """When gross margin per customer has repaid CAC, in whole months."""
    repaid = margin.index[margin >= cost]
    name, unit = "Payback", "months after that of the first purchase"
    if first >= cost:
        return name, 0.0, unit, f"the first order repays CAC: {_figure(first)} of gross margin"
    if repaid.empty:
        ages = f"{_figure(float(margin.iloc[-1]))} by month {int(margin.index[-1])}"
        return name, None, unit, f"empty: CAC is not repaid within the ages seen ({ages})"
    age = int(repaid[0])
    reached = f"gross margin per customer {_figure(float(margin[age]))} by the end of month {age}"
    return name, float(age), unit, f"the month in which CAC is repaid: {reached}"


def _figure(value: float) -> str:
    """A number of a formula: six digits, so that the formula can be worked again."""
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"
