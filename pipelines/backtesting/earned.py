"""Margin and CLV of past forecasts, at the rate known at the origin, beside what was earned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array
from clvmodels.core.months import MonthGrid
from clvmodels.finance.clv import UnitEconomics, discount_factors, net_margin
from pipelines.data.features.snapshot import Snapshot

ValuationAt = Callable[[Snapshot], UnitEconomics]
"""What a purchase was valued by, as known at a day: the margin is nan where none was known."""

ENDS = ("_low", "_high")


def with_earned(table: pd.DataFrame, grid: MonthGrid, economics: UnitEconomics) -> pd.DataFrame:
    """Add the margin and the CLV of forecast purchases and revenue, with their intervals.

    Parameters
    ----------
    table : DataFrame
        period, purchases, revenue and, where there are any, revenue_low and revenue_high.
    grid : MonthGrid
        From the origin on.
    economics : UnitEconomics
        As known at the origin.

    Returns
    -------
    DataFrame
        With margin and clv, in currency, clv discounted to the origin. Intervals have the ends of
        revenue's, in the ratio of each to revenue.
    """
    out = table.copy()
    revenue = out["revenue"].to_numpy(float)
    out["margin"] = revenue * economics.margin
    net = net_margin(revenue, out["purchases"].to_numpy(float), economics)
    out["clv"] = net * _discount(out["period"], grid, economics)
    if not {"revenue_low", "revenue_high"} <= set(out):
        return out
    ends = out[["revenue_low", "revenue_high"]].to_numpy(float)
    for name in ("margin", "clv"):
        ratio = np.divide(
            out[name].to_numpy(float), revenue, out=np.zeros(len(out)), where=revenue > 0
        )
        of_it = np.sort(ends * ratio[:, None], axis=1)
        out[[f"{name}_low", f"{name}_high"]] = of_it
    return out


def with_actually_earned(
    cells: pd.DataFrame, recorded: pd.DataFrame, grid: MonthGrid, economics: UnitEconomics
) -> pd.DataFrame:
    """Add actual_margin and actual_clv.

    Parameters
    ----------
    cells : DataFrame
        cohort, period, actual_purchases, actual_revenue.
    recorded : DataFrame
        Of :func:`pipelines.data.features.cohorts.cohort_actuals`. Where the log records margins,
        they count; revenue without one, and all of it elsewhere, earns the rate of the origin.
    grid, economics
        As of :func:`with_earned`.
    """
    out = cells.copy()
    margin = out["actual_revenue"].to_numpy(float) * economics.margin
    if "margin" in recorded:
        keys = ["cohort", "period"]
        wanted = recorded.set_index(keys).loc[pd.MultiIndex.from_frame(out[keys])]
        rest = wanted["without_margin"].to_numpy(float)
        margin = wanted["margin"].to_numpy(float) + np.where(rest != 0, rest * economics.margin, 0)
    out["actual_margin"] = margin
    cost = out["actual_purchases"] * economics.cost_to_serve
    discount = _discount(out["period"], grid, economics)
    out["actual_clv"] = (out["actual_margin"] - cost) * discount
    return out


def _discount(period: pd.Series, grid: MonthGrid, economics: UnitEconomics) -> Array:
    days = period.map(dict(zip(grid.index(), grid.midpoints, strict=True))).to_numpy(float)
    return discount_factors(days, economics.annual_discount_rate)
