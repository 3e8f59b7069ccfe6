"""Margin and CLV at the rate known at an origin: of forecasts, and of what then happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from clvmodels.core.months import MonthGrid
from clvmodels.finance.clv import UnitEconomics
from pipelines.backtesting.candidates import Candidate
from pipelines.data.features.snapshot import Snapshot
from pipelines.forecasting.totals import clv_ends, discounts, with_gross_margin

ValuationAt = Callable[[Snapshot], UnitEconomics]
"""What a purchase was valued by, as known at a day: the margin is nan where none was known."""


def valued(candidate: Candidate, grid: MonthGrid, economics: UnitEconomics) -> Candidate:
    """Add margin and CLV to a candidate's cells and to the intervals of its months."""
    months = candidate.months
    return replace(
        candidate,
        cells=with_margin_and_clv(candidate.cells, grid, economics),
        months=None if months is None else with_margin_and_clv(months, grid, economics),
    )


def with_margin_and_clv(
    table: pd.DataFrame, grid: MonthGrid, economics: UnitEconomics
) -> pd.DataFrame:
    """Add the margin and the CLV of purchases and revenue by month.

    Parameters
    ----------
    table : DataFrame
        period, purchases, revenue; revenue_low and revenue_high of a forecast that has them; margin
        and without_margin of what happened, where the log records margins: what is recorded counts,
        and revenue without a record earns the rate.
    grid : MonthGrid
        From the origin on.
    economics : UnitEconomics
        As known at the origin.

    Returns
    -------
    DataFrame
        With margin and clv, in currency, clv discounted to the origin, and their _low and _high
        where revenue has them: the intervals that are delivered.
    """
    if "margin" in table:
        rest = table["without_margin"].to_numpy(float)
        earned = np.where(rest != 0, rest * economics.margin, 0.0)  # nan only where it is asked for
        out = table.assign(margin=table["margin"].to_numpy(float) + earned)
    else:
        out = with_gross_margin(table, economics.margin)
    net = out["margin"] - out["purchases"] * economics.cost_to_serve
    out["clv"] = net * discounts(out["period"], grid, economics)
    if {"revenue_low", "revenue_high"} <= set(out):
        clv, revenue = out["clv"].to_numpy(float), out["revenue"].to_numpy(float)
        ends = out[["revenue_low", "revenue_high"]].to_numpy(float)
        out[["clv_low", "clv_high"]] = clv_ends(clv, revenue, ends)
    return out
