"""Days and months that stand out of their neighbours further than a business can move."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Table

MONTH_RATIO = 6.0
"""A month beyond so many times, or below that part of, the median of its neighbours."""
DAY_RATIO = 20.0
DAY_SHARE = 0.02
"""A day of so many times the median of its neighbours, and of that share of all purchases."""
VALUE_RATIO = 5.0
"""By how much the mean value of a purchase may change from one quarter to the next."""
NEIGHBOURS = 3
"""Months looked at on either side."""
DAYS_AROUND = 30
LEAST = 30
"""Purchases below which a month moves by chance."""
SHOWN = 5


def by_day(days: Table) -> pd.DataFrame:
    """Return what each calendar day holds, from the first to the last.

    Returns
    -------
    DataFrame
        By day: purchases (customer-days), revenue, and of those that are above 0 the number
        (``positive``) and the sum of logarithms, whose mean no single large one moves far.
    """
    positive = days.amount > 0
    logarithm = ibis.ifelse(positive, days.amount, 1.0).ln()
    summed = (
        days.group_by("date")
        .agg(
            purchases=days.count(),
            revenue=days.amount.sum(),
            positive=positive.sum(),
            logarithms=logarithm.sum(),
        )
        .execute()
    )
    index = pd.DatetimeIndex(pd.to_datetime(summed["date"])).astype("datetime64[s]")
    table = summed.drop(columns="date").set_index(index).astype("float64").sort_index()
    return table.asfreq("D", fill_value=0.0)


def warnings(daily: pd.DataFrame) -> list[str]:
    """Return one sentence for every gap and jump, the first :data:`SHOWN` of a kind.

    Parameters
    ----------
    daily : DataFrame
        Of :func:`by_day`.
    """
    monthly = daily.resample("MS").sum()
    return [*_gaps(monthly), *_months(monthly), *_values(monthly), *_days(daily)]


def _around(values: np.ndarray, at: int, many: int = NEIGHBOURS) -> float:
    """Median of those of the neighbours that hold anything; NaN where there is none."""
    beside = np.concatenate([values[max(at - many, 0) : at], values[at + 1 : at + 1 + many]])
    beside = beside[beside > 0]
    return float(np.median(beside)) if len(beside) else float("nan")


def _gaps(monthly: pd.DataFrame) -> list[str]:
    """Months without a purchase between months with some; none of a log that is seldom used."""
    counts = monthly["purchases"].to_numpy()
    empty = [int(at) for at in np.flatnonzero(counts == 0)]
    if len(empty) > len(counts) / 4:
        return []
    odd = [at for at in empty if _around(counts, at) >= NEIGHBOURS]
    found = [
        f"no purchase in {monthly.index[at]:%Y-%m}, while the months around it hold "
        f"{_around(counts, at):,.0f} each: is a file missing?"
        for at in odd
    ]
    return _first(found)


def _months(monthly: pd.DataFrame) -> list[str]:
    found = []
    counts, revenue = (monthly[name].to_numpy() for name in ("purchases", "revenue"))
    for at, month in enumerate(monthly.index):
        usual = _around(counts, at)
        inside = 0 < at < len(counts) - 1  # the first and the last may be cut
        if (counts[at] >= LEAST and counts[at] > MONTH_RATIO * usual) or (
            inside and usual >= LEAST and 0 < counts[at] < usual / MONTH_RATIO
        ):
            said = f"{counts[at]:,.0f} purchases"
        else:
            usual = _around(revenue, at)
            if counts[at] < LEAST or not revenue[at] > MONTH_RATIO * usual:
                continue
            said = f"revenue of {revenue[at]:,.2f}"
        found.append(
            f"{month:%Y-%m} holds {said}, the months around it {usual:,.0f} each (median): "
            "is it complete, and there once?"
        )
    return _first(found)


def _values(monthly: pd.DataFrame) -> list[str]:
    """Where the value of a purchase steps: another currency, or cents, from a month on."""
    sums = monthly.rolling(NEIGHBOURS).sum()
    mean = (sums["logarithms"] / sums["positive"]).where(sums["positive"] >= LEAST)
    step = (mean.shift(-NEIGHBOURS) - mean).abs().dropna()
    if step.empty or step.max() <= np.log(VALUE_RATIO):
        return []
    at = int(np.flatnonzero(monthly.index == step.idxmax())[0])
    before, after = np.exp(mean.iloc[at]), np.exp(mean.iloc[at + NEIGHBOURS])
    return [
        f"a purchase is worth {before:,.2f} (geometric mean) before {monthly.index[at + 1]:%Y-%m} "
        f"and {after:,.2f} from then on: has the currency or the unit of amounts changed?"
    ]


def _days(daily: pd.DataFrame) -> list[str]:
    counts = daily["purchases"].to_numpy()
    found = []
    for at in np.flatnonzero(counts >= max(LEAST, DAY_SHARE * counts.sum())).tolist():
        usual = _around(counts, at, DAYS_AROUND)
        if counts[at] > DAY_RATIO * usual:
            found.append(
                f"{daily.index[at]:%Y-%m-%d} holds {counts[at]:,.0f} of {counts.sum():,.0f} "
                f"purchases, the days around it {usual:,.0f} each (median): is it the day of an "
                "import, or a default date?"
            )
    return _first(found)


def _first(found: list[str]) -> list[str]:
    more = len(found) - SHOWN
    return found[:SHOWN] + ([f"and {more} more such months or days"] if more > 0 else [])
