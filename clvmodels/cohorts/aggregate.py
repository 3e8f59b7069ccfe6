"""A cohort forecast by cohort-month, quarter and month, month, or in total, with intervals."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from clvmodels.cohorts import intervals
from clvmodels.cohorts.model.model import Forecast
from clvmodels.core.arrays import Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.months import month_dates

Level = Literal["cohort_month", "quarter_month", "month", "total"]


def summed(
    forecast: Forecast, level: Level, spread: intervals.Spread, draws: int, random_state: int
) -> pd.DataFrame:
    """Sum a forecast and its draws to a level.

    Returns
    -------
    DataFrame
        The keys of the level, then purchases, purchases_low, purchases_high, revenue,
        revenue_low, revenue_high (90 % intervals).
    """
    keys, group = _grouping(forecast, level)
    counts, revenue = forecast.draw(draws, random_state)
    out = keys.copy()
    scale = forecast.model.values.scale
    of_purchases, of_revenue = spread.at(level)
    for name, point, drawn, unit, stretch in (
        ("purchases", forecast.purchases, counts, 1.0, of_purchases),
        ("revenue", forecast.revenue, revenue, scale, of_revenue),
    ):
        total = intervals.group_sums(drawn / unit, group, len(keys))
        low, high = intervals.interval(total, stretch)
        out[name] = np.bincount(group, weights=point, minlength=len(keys))
        out[f"{name}_low"] = np.minimum(low * unit, out[name])
        out[f"{name}_high"] = np.maximum(high * unit, out[name])
    return out


def _grouping(forecast: Forecast, level: Level) -> tuple[pd.DataFrame, Integers]:
    cells = forecast.cells
    cohort = {
        "cohort_month": cells.cohort,
        "quarter_month": cells.cohort // 3 * 3,
        "month": np.zeros_like(cells.cohort),
        "total": np.zeros_like(cells.cohort),
    }
    if not isinstance(level, str) or level not in cohort:
        raise InvalidValueError(f"level must be one of {', '.join(cohort)}; found {level!r}")
    period = np.zeros_like(cells.period) if level == "total" else cells.period
    keys, group = np.unique(np.stack([cohort[level], period]), axis=1, return_inverse=True)
    frame = pd.DataFrame(index=range(keys.shape[1]))
    if level in ("cohort_month", "quarter_month"):
        frame["cohort"] = month_dates(keys[0])
    if level != "total":
        frame["period"] = month_dates(keys[1])
    return frame, group.ravel().astype(np.int64)
