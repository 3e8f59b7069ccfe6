"""What remains of a customer forecast without its customers: tiers, segments, cohorts, totals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.months import MonthGrid
from clvmodels.value import TIER_NAMES, discount_factors, net_margin
from pipelines.cohort_level import CohortLevel
from pipelines.config import Economics
from pipelines.forecast import unit_economics
from pipelines.lines import DIMENSIONS

Array = NDArray[np.float64]

COHORT_COLUMNS = [
    "cohort",
    "period",
    *(f"{q}{end}" for q in ("purchases", "revenue", "margin") for end in ("", "_low", "_high")),
]


class CustomerSums:
    """Sums over batches of scored customers: all that is kept of them in memory."""

    def __init__(self, economics: Economics) -> None:
        self._margin = economics.margin
        self._values: list[tuple[Array, Array]] = []
        self._segments: list[pd.DataFrame] = []

    def add(self, summary: pd.DataFrame, scored: pd.DataFrame) -> None:
        """Add a batch: its scoring table and its forecast."""
        self._values.append(
            (scored["clv"].to_numpy(float), scored["expected_revenue"].to_numpy(float))
        )
        figures = pd.DataFrame(
            {
                "customers": 1,
                "ltv_revenue": summary["spend_total"].to_numpy(float),
                "expected_revenue": scored["expected_revenue"],
                "clv": scored["clv"],
                "churn": scored["churn_probability"],
            }
        )
        for name in DIMENSIONS:
            if name in summary:
                value = summary[name].fillna("(none)").to_numpy()
                part = figures.groupby(value).sum().rename_axis("value").reset_index()
                self._segments.append(part.assign(dimension=name))

    @property
    def clv(self) -> Array:
        """CLV of all customers, in the order of the batches, shape (n,)."""
        return np.concatenate([np.empty(0), *(clv for clv, _ in self._values)])

    def tiers(self, tier: NDArray[np.str_]) -> pd.DataFrame:
        """Customers, CLV and expected revenue by tier, best tier first."""
        revenue = np.concatenate([np.empty(0), *(revenue for _, revenue in self._values)])
        table = pd.DataFrame({"tier": tier, "clv": self.clv, "expected_revenue": revenue})
        grouped = table.groupby("tier").agg(
            customers=("clv", "size"),
            clv=("clv", "sum"),
            expected_revenue=("expected_revenue", "sum"),
        )
        order = [name for name in TIER_NAMES if name in grouped.index]
        grouped["share_of_clv"] = grouped["clv"] / grouped["clv"].sum()
        return grouped.loc[order].reset_index()

    def segments(self) -> pd.DataFrame:
        """LTV to date, forecast CLV and churn per customer, by dimension and value."""
        if not self._segments:
            return pd.DataFrame()
        sums = pd.concat(self._segments).groupby(["dimension", "value"], as_index=False).sum()
        for name in ("ltv_revenue", "expected_revenue", "clv", "churn"):
            sums[name] /= sums["customers"]
        sums["ltv_margin"] = sums["ltv_revenue"] * self._margin
        return sums.sort_values(["dimension", "customers"], ascending=[True, False])


def cohort_table(base: pd.DataFrame, level: CohortLevel, economics: Economics) -> pd.DataFrame:
    """Forecast by cohort and month with intervals, schema.COHORT_FORECAST.

    ``base`` holds the customer models' sums: cohort, period, purchases, revenue.
    """
    table = level.with_intervals(level.scaled(base), "cohort_month")
    for end in ("", "_low", "_high"):
        table[f"margin{end}"] = table[f"revenue{end}"] * economics.margin
    return table[COHORT_COLUMNS]


def month_table(cohorts: pd.DataFrame, level: CohortLevel, economics: Economics) -> pd.DataFrame:
    """All cohorts together by month: period, then quantities with the sum's own intervals."""
    sums = cohorts.groupby("period", as_index=False)[["purchases", "revenue"]].sum()
    table = level.with_intervals(sums, "month")
    for end in ("", "_low", "_high"):
        table[f"margin{end}"] = table[f"revenue{end}"] * economics.margin
    return table


def totals(
    cohorts: pd.DataFrame, level: CohortLevel, grid: MonthGrid, economics: Economics
) -> pd.DataFrame:
    """Totals over the horizon: quantity, value, low, high.

    CLV is linear in a cohort's months; its interval has the ends of revenue's, in the ratio of
    CLV to revenue.
    """
    sums = cohorts[["purchases", "revenue"]].sum().to_frame().T
    out = level.with_intervals(sums, "total").iloc[0]
    days = cohorts["period"].map(dict(zip(grid.index(), grid.midpoints, strict=True)))
    revenue, purchases = (cohorts[name].to_numpy(float) for name in ("revenue", "purchases"))
    net = net_margin(revenue, purchases, unit_economics(economics))
    clv = float(net @ discount_factors(days, economics.annual_discount_rate))
    rows = []
    for quantity, source, share in (
        ("purchases", "purchases", 1.0),
        ("revenue", "revenue", 1.0),
        ("margin", "revenue", economics.margin),
    ):
        ends = [float(out[source + end]) * share for end in ("", "_low", "_high")]
        rows.append((quantity, *ends))
    ratio = clv / out["revenue"] if out["revenue"] > 0 else 0.0
    ends = sorted(float(out[f"revenue{end}"]) * ratio for end in ("_low", "_high"))
    rows.append(("clv", clv, *ends))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high"])
