"""What in a table makes one doubt that its columns hold what their names say: told, not refused."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from clvmodels.core.errors import DataWarning, warn_caller
from clvmodels.core.summaries import Histories, has_column

LEAST_SHARE = 0.05
"""Of the customers, those with repeat purchases at the moment of the first, to be told."""


def doubt_frequency(data: Histories) -> None:
    """Warn where frequency seems to count the first purchase too.

    Repeat purchases need time: a customer with some and a recency of 0 bought them at the moment of
    the first. Where nobody has a frequency of 0, these are most likely buyers of one purchase.
    """
    counted = data.weight > 0
    at_once = counted & (data.frequency > 0) & (data.recency == 0)
    customers = float(data.weight.sum())
    found = float(data.weight[at_once].sum())
    if np.any(counted & (data.frequency == 0)) or found < LEAST_SHARE * customers:
        return
    warn_caller(
        DataWarning(
            f"frequency > 0 with recency 0 for {found:,.0f} of {customers:,.0f} customers, and "
            "nobody has frequency 0: frequency counts repeat purchases only, and the first seems "
            "to be in it. Take 1 off every frequency"
        )
    )


def doubt_weight(summary: Any) -> None:
    """Warn where a column ``weight`` seems to be a measure and no number of customers."""
    if not has_column(summary, "weight"):
        return
    series = nw.from_native(summary, eager_only=True)["weight"]
    if not series.dtype.is_float():
        return
    values = series.to_numpy()
    odd = int(np.sum(values != np.floor(values)))
    if odd:
        warn_caller(
            DataWarning(
                f"the column weight is read as the number of customers that a row stands for, and "
                f"{odd:,} of its {values.size:,} values are no whole numbers. Where it is a "
                "weight in kilograms or the like, give it another name; where fractions are meant, "
                "pass them as weights="
            )
        )
