"""Customers as planners count them, in two senses: all who are known, and those who just bought."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from clvmodels.finance import historical
from clvmodels.finance.historical import Cycle, SteadyState

RECENT_MONTHS = 12
"""Months of history that ARPU is taken from, or as many as there are."""


@dataclass(frozen=True)
class Sense:
    """What a customer brings and how customers are lost, in one sense of the word.

    Attributes
    ----------
    name : str
        ``cohort's sense`` or ``customer's sense``.
    of, user, window, definition : str
        What ARPU is called beside the other's, whom it is of, when it was seen, and what churn is:
        parts of sentences.
    arpu : float
        Repeat revenue per customer and cycle, in currency.
    margin : float
        Gross margin as a share of it.
    frequency : float
        Repeat purchases per customer and cycle.
    churn : float
        Share lost a cycle; not-a-number where it cannot be told.
    why_endless : str
        Why there is no lifespan, where there is none.
    """

    name: str
    of: str
    user: str
    window: str
    definition: str
    arpu: float
    margin: float
    frequency: float
    churn: float
    why_endless: str

    @property
    def value(self) -> float:
        """Mean value of a repeat purchase, in currency; 0 where there was none."""
        return self.arpu / self.frequency if self.frequency else 0.0

    @property
    def lifespan(self) -> float | None:
        """Cycles that a customer stays; None where it has no end or cannot be told."""
        return historical.lifespan(self.churn) if 0 < self.churn <= 1 else None

    def state(self, *, cost_to_serve: float = 0.0, first_margin: float = 0.0) -> SteadyState | None:
        """The steady state of such a customer; None without a lifespan."""
        if self.lifespan is None:
            return None
        return SteadyState(
            self.arpu, self.margin, self.lifespan, self.frequency, cost_to_serve, first_margin
        )


def of_cohorts(cohort_months: pd.DataFrame, as_of: dt.date, cycle: Cycle, margin: float) -> Sense:
    """In the cohort's sense: all customers known, whose purchases run out.

    Parameters
    ----------
    cohort_months : DataFrame
        schema.COHORT_MONTHS, with margin.
    as_of : date
    cycle : {'month', 'quarter', 'year'}
    margin : float
        Gross margin where there is no repeat revenue to take it from.
    """
    recent = sorted(cohort_months["period"].unique())[-RECENT_MONTHS:]
    sums = cohort_months[cohort_months["period"].isin(recent)].sum(numeric_only=True)
    cycles = sums["customer_days"] / historical.days_of(cycle)
    pairs = historical.followed(historical.in_cycles(cohort_months, cycle, as_of))
    churn = historical.cohort_churn(pairs)
    return Sense(
        "cohort's sense",
        "",
        "known customer",
        "last month" if len(recent) == 1 else f"last {len(recent)} months",
        f"fall of purchases per customer from one {cycle} to the next, cohorts followed: who "
        "pauses and comes back is not lost",
        *_shares(sums, cycles, margin),
        max(churn, 0.0),
        _why(
            pairs["before"],
            churn,
            f"no cohort could be followed from one whole {cycle} to the next",
            "purchases did not fall, so it has no end",
        ),
    )


def of_customers(
    cohort_months: pd.DataFrame, buyers: pd.DataFrame, as_of: dt.date, cycle: Cycle, margin: float
) -> Sense:
    """In the customer's sense: those who bought in a cycle, of whom some do not in the next.

    Parameters
    ----------
    cohort_months, as_of, cycle, margin
        As in :func:`of_cohorts`.
    buyers : DataFrame
        Of :func:`pipelines.data.features.cycle_buyers`.
    """
    pairs, whole = whole_pairs(buyers, cohort_months, cycle, as_of)
    count = max(RECENT_MONTHS // historical.MONTHS_OF[cycle], 1)
    recent = whole.tail(count)
    lived = historical.starts(cohort_months["period"], cycle).isin(recent["period"])
    sums = cohort_months[lived].sum(numeric_only=True)
    churn = historical.customer_churn(pairs)
    many = len(recent)
    return Sense(
        "customer's sense",
        " of buyers",
        f"customer who bought in a {cycle}",
        f"last whole {cycle}" if many == 1 else f"last {many} whole {cycle}s",
        f"share of a {cycle}'s buyers who bought nothing in the next: who pauses counts as lost",
        *_shares(sums, float(recent["buyers"].sum()), margin),
        churn,
        _why(
            pairs["buyers"],
            churn,
            f"nobody could be followed from one whole {cycle} to the next",
            "every buyer came back, so it has no end",
        ),
    )


def whole_pairs(
    buyers: pd.DataFrame, cohort_months: pd.DataFrame, cycle: Cycle, as_of: dt.date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cycles of buyers that are whole and followed by a whole one, and all that are whole.

    The first cycle of a log that begins in the middle of it is none.
    """
    begins = cohort_months["period"].min()
    ended = historical.is_whole(buyers["period"], cycle, as_of)
    whole = buyers[ended & (buyers["period"] >= begins)]
    following = buyers["period"] + pd.DateOffset(months=historical.MONTHS_OF[cycle])
    followed = historical.is_whole(following, cycle, as_of)
    return whole[followed[whole.index]], whole


def _shares(sums: pd.Series[float], cycles: float, configured: float) -> tuple[float, float, float]:
    """ARPU, its gross margin and purchases, a customer and cycle."""
    if not cycles:
        return 0.0, configured, 0.0
    share = historical.rate(sums["margin"], sums["revenue"])
    return (
        float(sums["revenue"] / cycles),
        share if share == share else configured,
        float(sums["purchases"] / cycles),
    )


def _why(before: pd.Series[float], churn: float, nobody: str, endless: str) -> str:
    """Why there is no lifespan; empty where there is one."""
    if 0 < churn <= 1:
        return ""
    if before.empty:
        return f"empty: {nobody}"
    if not before.sum() > 0:
        return "empty: nobody bought in the cycles that could be followed"
    return f"empty: {endless}"
