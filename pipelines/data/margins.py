"""The gross margin that a run goes by, beside the configuration: its value and where it is from.

A configuration is never edited. What the log says of its margins is read once, here; history shows
the recorded margins themselves, forecasts take the rate.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.errors import DataError
from clvmodels.core.rfm import DIGITS
from clvmodels.finance.clv import UnitEconomics
from pipelines.config.load import Economics


class MarginSource(StrEnum):
    """Where a gross margin is from: ``economics.margin``, or the log's own margins."""

    CONFIGURED = "configured"
    OBSERVED = "observed"


@dataclass(frozen=True)
class Margin:
    """Gross margin as a share of revenue.

    Attributes
    ----------
    rate : float
        What forecasts take, 0 to 1.
    source : MarginSource
    first, last : date, optional
        First and last day with a recorded margin, where observed.
    purchases : int, optional
        Customer-days that record one, where observed.
    without : int, optional
        Customer-days that record none; they are not in the rate.
    """

    rate: float
    source: MarginSource = MarginSource.CONFIGURED
    first: dt.date | None = None
    last: dt.date | None = None
    purchases: int | None = None
    without: int | None = None

    @property
    def is_observed(self) -> bool:
        """Whether the log records margins."""
        return self.source is MarginSource.OBSERVED

    def described(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        facts = asdict(self) | {"source": self.source.value}
        return facts | {name: str(facts[name]) for name in ("first", "last") if facts[name]}

    def said(self) -> str:
        """Where the rate is from, as the end of a sentence."""
        if not self.is_observed:
            return "as configured"
        few = f"; {self.without:,} record none" if self.without else ""
        return (
            f"as observed in the log ({self.purchases:,} customer-days with a margin, {self.first} "
            f"to {self.last}{few})"
        )


def margin(purchases: Table, configured: float, column: str | None) -> Margin:
    """Take the gross margin from the log where it records one, from the configuration elsewhere.

    Parameters
    ----------
    purchases : ibis Table
        ``schema.PURCHASES``.
    configured : float
        ``economics.margin``, 0 to 1.
    column : str, optional
        ``columns.margin``, where the log records margins: what the source calls it.

    Raises
    ------
    DataError
        If the log's margin is no share of its revenue.
    """
    if "margin" not in purchases.columns:
        return Margin(configured)
    recorded = purchases.drop_null("margin")
    facts = recorded.agg(
        # rounded: the order of summation leaves no trace in the rate
        margin=_.margin.sum().round(DIGITS),
        amount=_.amount.sum().round(DIGITS),
        first=_.date.min(),
        last=_.date.max(),
        recorded=_.count(),
    )
    row = facts.execute().iloc[0]
    named, count = f"the column '{column}'", int(row["recorded"])
    instead = "Take [columns] margin out to use [economics] margin instead."
    if count == 0:
        raise DataError(f"{named} holds no number in any row that is kept. {instead}")
    rate = float(row["margin"] / row["amount"]) if row["amount"] > 0 else float("nan")
    if not 0 <= rate <= 1:
        raise DataError(
            f"{named} sums to {row['margin']:,.2f}, the revenue of its rows to "
            f"{row['amount']:,.2f}; expected a gross margin between nothing and all of it. "
            f"{instead}"
        )
    first, last = (pd.Timestamp(row[name]).date() for name in ("first", "last"))
    everything = int(purchases.count().execute())
    return Margin(rate, MarginSource.OBSERVED, first, last, count, everything - count)


def of_history(cohort_months: pd.DataFrame, margin: Margin) -> pd.DataFrame:
    """Add the gross margin of a history by cohort and month where the log records none.

    Parameters
    ----------
    cohort_months : DataFrame
        schema.COHORT_MONTHS. Recorded margins stay as they are.

    Returns
    -------
    DataFrame
        With ``margin`` of repeat purchases and ``first_margin`` of first ones.
    """
    if "margin" in cohort_months.columns:
        return cohort_months
    return cohort_months.assign(
        margin=cohort_months["revenue"] * margin.rate,
        first_margin=cohort_months["first_revenue"] * margin.rate,
    )


def with_margin(sales: pd.DataFrame, margin: Margin) -> pd.DataFrame:
    """Add the gross margin of sales by month where the log records none."""
    if "margin" in sales.columns or sales.empty:
        return sales
    return sales.assign(margin=(sales["revenue"] * margin.rate).round(2))


def valuation(economics: Economics, margin: Margin) -> UnitEconomics:
    """What a purchase is valued by: the economics as configured, at the margin of the run."""
    return UnitEconomics(margin.rate, economics.cost_to_serve, economics.annual_discount_rate)
