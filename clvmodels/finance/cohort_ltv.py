"""LTV in three steps: what a cohort has brought, by how many, month by month of its life.

Step 1: the gross margin of a cohort, added up over its life to date. Step 2: over the customers who
were acquired in it, whether they ever came back or not. Step 3: the same by months since the first
purchase, so that cohorts of different ages compare.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from clvmodels.core.months import month_number

Group = Literal["M", "Q", "Y"]


def cells_of(history: pd.DataFrame) -> pd.DataFrame:
    """Add first and repeat purchases of a history up.

    Parameters
    ----------
    history : DataFrame
        cohort, cohort_to, period, revenue, first_revenue, and margin and first_margin where known;
        see :func:`by_age`.

    Returns
    -------
    DataFrame
        cohort, cohort_to, period, total (revenue) and earned (gross margin, 0 where not known).
    """
    total = history["revenue"] + history["first_revenue"].fillna(0.0)
    earned = pd.Series(0.0, index=history.index)
    if "margin" in history:
        earned = history["margin"] + history["first_margin"].fillna(0.0)
    return history[["cohort", "cohort_to", "period"]].assign(total=total, earned=earned)


def by_age(
    cells: pd.DataFrame, customers: pd.Series[Any], group: Group, until: pd.Timestamp
) -> pd.DataFrame:
    """LTV by months since the first purchase, of cohorts by month, quarter or year.

    Parameters
    ----------
    cells : DataFrame
        cohort (first day of a month), cohort_to (where several cohorts are told together, the last
        of them), period (first day of a month), total (revenue), earned (gross margin), forecast
        (whether any of it is).
    customers : Series
        Customers acquired, by cohort.
    group : {'M', 'Q', 'Y'}
    until : Timestamp
        Last month to be counted.

    Returns
    -------
    DataFrame
        cohort (first day of the group), age (0 = month of the first purchase), customers, total,
        earned, forecast, ltv (cumulative revenue per customer), ltv_margin (cumulative gross
        margin); sorted. A group ends at the age that its youngest cohort has reached, so that
        every row is of all its customers.

    Notes
    -----
    Cohorts told together have no age of their own: only their sums by month may be told, so what
    they bought counts from the month in which the last of them was new.
    """
    cells = _from_last(cells)
    cells = cells.groupby(["cohort", "from", "period"], as_index=False).agg(
        total=("total", "sum"), earned=("earned", "sum"), forecast=("forecast", "max")
    )
    cells["age"] = month_number(cells["period"]) - month_number(cells["from"])
    place = _groups(cells, group)
    cells["group"] = cells["cohort"].map(place)
    born = cells.drop_duplicates("cohort").set_index("cohort")["from"]
    reached = pd.Series(month_number([until]) - month_number(born), index=born.index)
    cells = cells[cells["age"] <= cells["group"].map(reached.groupby(place).min())]
    acquired = customers.groupby(place).sum()
    sums = cells.groupby(["group", "age"], as_index=False).agg(
        total=("total", "sum"), earned=("earned", "sum"), forecast=("forecast", "max")
    )
    sums = sums.rename(columns={"group": "cohort"})
    sums.insert(2, "customers", sums["cohort"].map(acquired))
    for name, what in (("ltv", "total"), ("ltv_margin", "earned")):
        sums[name] = sums.groupby("cohort")[what].cumsum() / sums["customers"]
    return sums


def to_date(cells: pd.DataFrame, customers: pd.Series[Any], group: Group) -> pd.DataFrame:
    """LTV of all that cohorts have brought to date.

    Parameters
    ----------
    cells, customers, group
        As in :func:`by_age`.

    Returns
    -------
    DataFrame
        cohort (first day of the group), customers, total, earned, ltv (revenue per customer),
        ltv_margin (gross margin per customer); sorted.
    """
    place = _groups(_from_last(cells), group)
    out = cells.groupby(cells["cohort"].map(place))[["total", "earned"]].sum()
    out.insert(0, "customers", customers.groupby(place).sum())
    out["ltv"], out["ltv_margin"] = (out[c] / out["customers"] for c in ("total", "earned"))
    return out.rename_axis("cohort").reset_index()


def _from_last(cells: pd.DataFrame) -> pd.DataFrame:
    """Add ``from``, the month that a cohort's age counts from; nothing stands before it."""
    born = pd.to_datetime(cells["cohort_to"]).fillna(cells["cohort"])
    return cells.assign(**{"from": born, "period": np.maximum(cells["period"], born)})


def _groups(cells: pd.DataFrame, group: Group) -> pd.Series[Any]:
    """First day of the group that each cohort lies in, by cohort."""
    whole = cells.drop_duplicates("cohort").set_index("cohort")
    counted = whole["from"] if group != "M" else whole.index.to_series()
    return counted.dt.to_period(group).dt.start_time
