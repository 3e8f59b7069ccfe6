"""ARPU, margin and churn watched quarter by quarter."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from clvmodels.core.schema import LEAST_CUSTOMERS, MONITORING
from clvmodels.finance import historical
from pipelines.data.margins import Margin, of_history
from pipelines.finance.senses import whole_pairs


def by_quarter(
    cohort_months: pd.DataFrame, buyers: pd.DataFrame, as_of: dt.date, margin: Margin
) -> pd.DataFrame:
    """Unit economics of every calendar quarter that has ended.

    Parameters
    ----------
    cohort_months : DataFrame
        schema.COHORT_MONTHS.
    buyers : DataFrame
        Of :func:`pipelines.data.features.cycle_buyers`, by quarters.
    as_of : date
    margin : Margin
        What stands in where the history records no margins.

    Returns
    -------
    DataFrame
        schema.MONITORING, sorted. Both churns compare with the quarter before, and are empty where
        it cannot be told; that of cohorts is below zero where purchases rose. Numbers of buyers
        below ``LEAST_CUSTOMERS``, and what rests on them, are empty.
    """
    history = of_history(cohort_months, margin)
    cycles = historical.in_cycles(history, "quarter", as_of)
    quarters = cycles.groupby("period")[["customer_days", "purchases", "revenue", "margin"]].sum()
    lived = quarters["customer_days"] / historical.days_of("quarter")
    table = pd.DataFrame(index=quarters.index)
    last = history.groupby(historical.starts(history["period"], "quarter"))["period"].max()
    known = history.groupby("period")["customers"].sum()
    table["customers"] = last[quarters.index].map(known).astype("int64")
    counted = buyers.set_index("period")["buyers"].reindex(quarters.index)
    table["buyers"] = counted.where(counted >= LEAST_CUSTOMERS).astype(float)
    table["arpu"] = (quarters["revenue"] / lived).where(lived > 0)
    table["margin"] = (quarters["margin"] / quarters["revenue"]).where(quarters["revenue"] != 0)
    falls = historical.followed(cycles).groupby("period")[["before", "after"]].sum()
    falls = falls[falls["before"] > 0]
    table["cohort_churn"] = 1 - falls["after"] / falls["before"]
    pairs, _ = whole_pairs(buyers, history, "quarter", as_of)
    pairs = pairs[pairs["buyers"] >= LEAST_CUSTOMERS]
    lost = pd.Series(
        1 - pairs["kept"].to_numpy(float) / pairs["buyers"].to_numpy(float),
        index=pd.DatetimeIndex(pairs["period"] + pd.DateOffset(months=3)),
    )
    table["customer_churn"] = lost.reindex(table.index)
    return table.rename_axis("period").reset_index()[MONITORING.names]
