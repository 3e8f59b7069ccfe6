"""The steady state: customers who go on as they do now, and leave at a steady churn.

All of it is arithmetic that a planner does by hand. LTV is gross margin before the cost to serve;
CLV by hand is net of it, and not discounted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from clvmodels.core.arguments import number
from clvmodels.core.errors import InvalidValueError
from clvmodels.finance.clv import DAYS_PER_YEAR, historical_ltv

Cycle = Literal["month", "quarter", "year"]

MONTHS_OF: dict[Cycle, int] = {"month": 1, "quarter": 3, "year": 12}
"""How long a cycle is."""

_PERIODS: dict[Cycle, str] = {"month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class SteadyState:
    """What a customer brings while nothing changes.

    Attributes
    ----------
    arpu : float
        Repeat revenue per customer and cycle, in currency.
    margin : float
        Gross margin as a share of it.
    lifespan : float
        Cycles that a customer stays; see :func:`lifespan`.
    frequency : float, optional
        Purchases per customer and cycle; without it no cost to serve is taken off.
    cost_to_serve : float
        Of one purchase, in currency.
    first_margin : float
        Gross margin of the first purchase, which comes once, in currency.
    """

    arpu: float
    margin: float
    lifespan: float
    frequency: float | None = None
    cost_to_serve: float = 0.0
    first_margin: float = 0.0

    @property
    def ltv(self) -> float:
        """Historical LTV without the first purchase: ARPU x margin x lifespan, in currency."""
        return historical_ltv(self.arpu, self.margin, lifetime=self.lifespan)

    @property
    def ltv_with_first(self) -> float:
        """Historical LTV with the gross margin of the first purchase, in currency."""
        return self.ltv + self.first_margin

    @property
    def purchases(self) -> float:
        """Repeat purchases over the lifespan: frequency x lifespan; 0 where none are told."""
        return (self.frequency or 0.0) * self.lifespan

    @property
    def service_costs(self) -> float:
        """What serving the repeat purchases costs over the lifespan, in currency."""
        return self.purchases * self.cost_to_serve

    @property
    def clv(self) -> float:
        """CLV by hand, not discounted: margin per purchase x frequency x lifespan - service."""
        return self.ltv - self.service_costs

    @property
    def clv_with_first(self) -> float:
        """CLV by hand with the first purchase, less what serving that one costs, in currency."""
        return self.clv + self.first_margin - self.cost_to_serve


def lifespan(churn: float) -> float:
    """LT = 1 / churn: mean cycles that a customer stays where a steady share leaves in each.

    Raises
    ------
    InvalidValueError
        If churn does not lie in (0, 1].
    """
    if not 0 < number(churn, "churn") <= 1:
        raise InvalidValueError(
            f"churn must lie in (0, 1] per cycle, as 0.05 for 5 %; found {churn}"
        )
    return 1 / churn


def days_of(cycle: Cycle) -> float:
    """Mean days of a cycle."""
    return DAYS_PER_YEAR / 12 * MONTHS_OF[cycle]


def starts(days: pd.Series[pd.Timestamp], cycle: Cycle) -> pd.Series[pd.Timestamp]:
    """First days of the calendar cycles that days lie in, in their own index."""
    periods = pd.PeriodIndex(pd.DatetimeIndex(days), freq=_PERIODS[cycle])
    return pd.Series(periods.start_time, index=days.index, name=days.name)


def in_cycles(cohort_months: pd.DataFrame, cycle: Cycle, as_of: dt.date) -> pd.DataFrame:
    """Add a history by month up to cohorts and periods of whole cycles.

    Parameters
    ----------
    cohort_months : DataFrame
        As in :data:`clvmodels.core.schema.COHORT_MONTHS`.
    cycle : {'month', 'quarter', 'year'}
        Of cohorts and periods alike.
    as_of : date
        Cycles that have not ended by then are left out.

    Returns
    -------
    DataFrame
        cohort and period (first days of cycles), and the sums of customer_days, purchases, and of
        whichever of revenue, margin, first_revenue and first_margin there are; sorted.
    """
    adding = ["customer_days", "purchases", "revenue", "margin", "first_revenue", "first_margin"]
    table = cohort_months[["cohort", "period", *(c for c in adding if c in cohort_months)]]
    table = table.assign(
        cohort=starts(cohort_months["cohort"], cycle), period=starts(cohort_months["period"], cycle)
    )
    sums = table.groupby(["cohort", "period"], as_index=False).sum()
    return sums[is_whole(sums["period"], cycle, as_of)].reset_index(drop=True)


def is_whole(periods: pd.Series[pd.Timestamp], cycle: Cycle, as_of: dt.date) -> pd.Series[bool]:
    """Whether cycles, by their first days, have ended by a day."""
    ends = pd.DatetimeIndex(periods) + pd.DateOffset(months=MONTHS_OF[cycle])
    return pd.Series(ends <= pd.Timestamp(as_of) + pd.Timedelta(days=1), index=periods.index)


def followed(cycles: pd.DataFrame) -> pd.DataFrame:
    """Purchases of a cohort's cycle and, in as many customer-days, of the one before it.

    Parameters
    ----------
    cycles : DataFrame
        Of :func:`in_cycles`. A cohort's own cycle is left out: its customers were new in it.

    Returns
    -------
    DataFrame
        cohort, period (the later cycle), before, after (at the customer-days of before).
    """
    table = cycles.sort_values(["cohort", "period"])
    table = table[(table["period"] > table["cohort"]) & (table["customer_days"] > 0)]
    by_cohort = table.groupby("cohort")
    before, days = by_cohort["purchases"].shift(), by_cohort["customer_days"].shift()
    return pd.DataFrame(
        {
            "cohort": table["cohort"],
            "period": table["period"],
            "before": before,
            "after": table["purchases"] * days / table["customer_days"],
        }
    ).dropna(subset="before")


def cohort_churn(pairs: pd.DataFrame) -> float:
    """Churn per cycle in the cohort's sense: the fall of its purchases per customer.

    Who pauses and comes back is counted when buying again, so this is the rate at which a cohort's
    purchases run out. Below zero where they rise.

    Parameters
    ----------
    pairs : DataFrame
        before and after, of :func:`followed`; those of all cohorts are added up.

    Returns
    -------
    float
        1 - sum of after / sum of before; not-a-number where nothing was bought before.
    """
    before = float(pairs["before"].sum())
    return 1 - float(pairs["after"].sum()) / before if before > 0 else float("nan")


def customer_churn(buyers: pd.DataFrame) -> float:
    """Churn per cycle in the customer's sense: buyers of a cycle who buy nothing in the next.

    Who pauses counts as lost, and who comes back is one kept by nobody: where people buy less often
    than once a cycle this is far above the share that has left for good.

    Parameters
    ----------
    buyers : DataFrame
        buyers, and of them kept: who bought in the next cycle too; one row a cycle.

    Returns
    -------
    float
        1 - sum of kept / sum of buyers; not-a-number without buyers.
    """
    count = float(buyers["buyers"].sum())
    return 1 - float(buyers["kept"].sum()) / count if count > 0 else float("nan")


def rate(earned: float, revenue: float) -> float:
    """Gross margin as a share of revenue; not-a-number where there is none."""
    return float(np.divide(earned, revenue)) if revenue else float("nan")
