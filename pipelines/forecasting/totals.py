"""What remains of a customer forecast without its customers: tiers, segments, cohorts, totals."""

from __future__ import annotations

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.months import MonthGrid
from clvmodels.core.rfm import DIGITS
from clvmodels.core.schema import COHORT_FORECAST, SEGMENTS, TOTALS
from clvmodels.finance.clv import TIER_NAMES, UnitEconomics, discount_factors, net_margin
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
        by_value = scored.group_by(value=scored[name].fill_null("(none)")).agg(
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
    table = level.with_intervals(level.cells, "cohort_month")
    for end in ("", "_low", "_high"):
        table[f"margin{end}"] = table[f"revenue{end}"] * margin
    return table[COHORT_FORECAST.required]


def month_table(cohorts: pd.DataFrame, level: CohortLevel, margin: float) -> pd.DataFrame:
    """All cohorts together by month: period, then quantities with the sum's own intervals."""
    sums = cohorts.groupby("period", as_index=False)[["purchases", "revenue"]].sum()
    table = level.with_intervals(sums, "month")
    for end in ("", "_low", "_high"):
        table[f"margin{end}"] = table[f"revenue{end}"] * margin
    return table


def totals(
    cohorts: pd.DataFrame, level: CohortLevel, grid: MonthGrid, economics: UnitEconomics
) -> pd.DataFrame:
    """Totals over the horizon: quantity, value, low, high.

    CLV is linear in a cohort's months; its interval has the ends of revenue's, in the ratio of
    CLV to revenue.
    """
    sums = cohorts[["purchases", "revenue"]].sum().to_frame().T
    out = level.with_intervals(sums, "total").iloc[0]
    days = cohorts["period"].map(dict(zip(grid.index(), grid.midpoints, strict=True)))
    revenue, purchases = (cohorts[name].to_numpy(float) for name in ("revenue", "purchases"))
    net = net_margin(revenue, purchases, economics)
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
    return pd.DataFrame(rows, columns=TOTALS.names)
