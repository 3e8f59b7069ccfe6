"""What remains of a customer forecast without its customers: tiers, segments, cohorts, totals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.arrays import Array
from clvmodels.core.months import MonthGrid
from clvmodels.core.rfm import DIGITS
from clvmodels.core.schema import COHORT_FORECAST, SEGMENTS, TOTALS
from clvmodels.finance.clv import TIER_NAMES, UnitEconomics, discount_factors, net_margin
from clvmodels.segments.values import NONE
from pipelines.data.features.rfm import dimensions
from pipelines.forecasting.levelling import CohortLevel


def tier_table(ranked: Table) -> pd.DataFrame:
    """Sum customers by tier, in the engine: tier, customers, clv, expected_revenue, share_of_clv.

    Parameters
    ----------
    ranked : ibis Table
        Of scored customers, with their tier.

    Returns
    -------
    DataFrame
        Best tier first; tiers without customers are left out.
    """
    table = ranked.group_by("tier").agg(
        customers=_.count(),
        clv=_.clv.sum().round(DIGITS),
        expected_revenue=_.expected_revenue.sum().round(DIGITS),
    )
    grouped = table.execute().set_index("tier")
    grouped["share_of_clv"] = grouped["clv"] / grouped["clv"].sum()
    return grouped.loc[[name for name in TIER_NAMES if name in grouped.index]].reset_index()


def segment_table(scored: Table, margin: float) -> pd.DataFrame:
    """LTV to date, forecast CLV and churn per customer, by dimension and value, in the engine.

    Parameters
    ----------
    scored : ibis Table
        Of :class:`pipelines.forecasting.scorer.Scorer`.
    margin : float
        Gross margin as a share of revenue; it stands in where the log records none.
    """
    recorded = "margin_total" in scored.columns
    parts = []
    for name in dimensions(scored):
        by_value = scored.group_by(value=scored[name].fill_null(NONE)).agg(
            customers=_.count(),
            ltv_revenue=_.spend_total.sum().round(DIGITS),
            ltv_margin=(_.margin_total.sum() if recorded else _.spend_total.sum() * margin).round(
                DIGITS
            ),
            expected_revenue=_.expected_revenue.sum().round(DIGITS),
            clv=_.clv.sum().round(DIGITS),
            churn=_.churn_probability.sum().round(DIGITS),
        )
        parts.append(by_value.execute().sort_values("value").assign(dimension=name))
    if not parts:
        return SEGMENTS.empty()
    sums = pd.concat(parts, ignore_index=True)
    sums.insert(0, "dimension", sums.pop("dimension"))
    for name in ("ltv_revenue", "ltv_margin", "expected_revenue", "clv", "churn"):
        sums[name] /= sums["customers"]
    return sums.sort_values(["dimension", "customers"], ascending=[True, False], kind="stable")


def cohort_table(level: CohortLevel, margin: float) -> pd.DataFrame:
    """Forecast by cohort and month with intervals, schema.COHORT_FORECAST."""
    table = with_gross_margin(level.with_intervals(level.cells, "cohort_month"), margin)
    return table[COHORT_FORECAST.required]


def month_table(cohorts: pd.DataFrame, level: CohortLevel, margin: float) -> pd.DataFrame:
    """All cohorts together by month: period, then quantities with the sum's own intervals."""
    sums = cohorts.groupby("period", as_index=False)[["purchases", "revenue"]].sum()
    return with_gross_margin(level.with_intervals(sums, "month"), margin)


def with_gross_margin(table: pd.DataFrame, rate: float) -> pd.DataFrame:
    """Add the margin of revenue, and of the ends of its interval where there is one."""
    ends = [end for end in ("", "_low", "_high") if f"revenue{end}" in table]
    return table.assign(**{f"margin{end}": table[f"revenue{end}"] * rate for end in ends})


def discounts(period: pd.Series, grid: MonthGrid, economics: UnitEconomics) -> Array:
    """Present value, at the start of a grid, of one unit in each of its months."""
    days = period.map(dict(zip(grid.index(), grid.midpoints, strict=True)))
    return discount_factors(days, economics.annual_discount_rate)


def clv_ends(clv: Array, revenue: Array, ends: Array) -> Array:
    """Ends of the intervals of CLV: those of revenue, in the ratio of CLV to revenue.

    Parameters
    ----------
    clv, revenue : ndarray, shape (n,)
        In currency; CLV may be negative.
    ends : ndarray, shape (n, 2)
        Of revenue's intervals.
    """
    ratio = np.divide(clv, revenue, out=np.zeros_like(clv), where=revenue > 0)
    return np.sort(ends * ratio[:, None], axis=1)


def totals(
    cohorts: pd.DataFrame, level: CohortLevel, grid: MonthGrid, economics: UnitEconomics
) -> pd.DataFrame:
    """Totals over the horizon: quantity, value, low, high.

    CLV is linear in a cohort's months; its interval has the ends of revenue's, in the ratio of
    CLV to revenue.
    """
    sums = cohorts[["purchases", "revenue"]].sum().to_frame().T
    out = level.with_intervals(sums, "total").iloc[0]
    revenue, purchases = (cohorts[name].to_numpy(float) for name in ("revenue", "purchases"))
    net = net_margin(revenue, purchases, economics)
    clv = float(net @ discounts(cohorts["period"], grid, economics))
    rows = []
    for quantity, source, share in (
        ("purchases", "purchases", 1.0),
        ("revenue", "revenue", 1.0),
        ("margin", "revenue", economics.margin),
    ):
        ends = [float(out[source + end]) * share for end in ("", "_low", "_high")]
        rows.append((quantity, *ends))
    known = out[["revenue", "revenue_low", "revenue_high"]].to_numpy(float)
    ((low, high),) = clv_ends(np.array([clv]), known[:1], known[None, 1:])
    rows.append(("clv", clv, float(low), float(high)))
    return pd.DataFrame(rows, columns=TOTALS.names)
