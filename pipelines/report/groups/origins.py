"""What may be said of past dates whose months are not told: how far off in percent, no amounts.

A mean absolute error and the same error as a share give the mean actual by division, and so do the
means of tenths of customers; the bias of a total gives it where the forecast of that day is known.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
import pandas as pd

DIGITS = 2
"""Of shares: whole percents, from which no total can be had to less than half a percent."""

AMOUNTS = ("mae", "rmse")
"""Metrics in units of what was bought."""


def told_metrics(
    metrics: pd.DataFrame, told: Set[pd.Timestamp], scores: tuple[str, ...]
) -> pd.DataFrame:
    """Leave out amounts of origins that are not told, and give their shares in whole percents.

    Parameters
    ----------
    metrics : DataFrame
        origin, metric and value.
    told : set of Timestamp
    scores : tuple of str
        Metrics that speak of who bought, not how much: they stay as they are.
    """
    if metrics.empty:
        return metrics
    untold = ~pd.to_datetime(metrics["origin"]).isin(list(told))
    coarsened = metrics["value"].where(
        ~untold | metrics["metric"].isin(scores), metrics["value"].astype(float).round(DIGITS)
    )
    return metrics.assign(value=coarsened)[~(untold & metrics["metric"].isin(AMOUNTS))]


def coarse(error: Any) -> Any:
    """Give every share of a nested dictionary or a table in whole percents."""
    if isinstance(error, dict):
        return {key: coarse(value) for key, value in error.items()}
    if isinstance(error, list):
        return [coarse(value) for value in error]
    if isinstance(error, pd.DataFrame):
        return error.round(DIGITS)
    return round(float(error), DIGITS) if isinstance(error, float | np.floating) else error
