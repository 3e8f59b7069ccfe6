"""What winning customers costs and returns: CAC, LTV against it, and the month that repays it.

Margins here are net: gross margin less the cost to serve, not discounted.
"""

from __future__ import annotations

import pandas as pd

from clvmodels.core.months import month_number

GOOD_RATIO = 3.0
"""LTV : CAC that is widely taken for healthy: below it little is left for everything else."""


def net_by_age(cells: pd.DataFrame, customers: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Net margin of every cohort and channel in every whole month of its life.

    Parameters
    ----------
    cells : DataFrame
        value (of the dimension), cohort and period (first days of months), net (currency).
    customers : DataFrame
        value, cohort, customers (acquired), first_net (net margin of their first purchases).
    until : Timestamp
        First day of the last whole month.

    Returns
    -------
    DataFrame
        value, cohort, reached (age at ``until``), age (0 = month of the first purchase),
        customers, first_net, net; a row for every age that has been reached, 0 where nothing was
        bought.
    """
    grid = customers.assign(reached=month_number([until])[0] - month_number(customers["cohort"]))
    grid = grid[grid["reached"] >= 0]
    grid = grid.loc[grid.index.repeat(grid["reached"] + 1)]
    grid["age"] = grid.groupby(["value", "cohort"]).cumcount()
    age = month_number(cells["period"]) - month_number(cells["cohort"])
    sums = cells.assign(age=age).groupby(["value", "cohort", "age"], as_index=False)["net"].sum()
    full = grid.merge(sums, on=["value", "cohort", "age"], how="left", validate="1:1")
    return full.fillna({"net": 0.0})


def of_channels(ages: pd.DataFrame) -> pd.DataFrame:
    """Net LTV of channels by age, each month of age over the cohorts that have reached it.

    Parameters
    ----------
    ages : DataFrame
        Of :func:`net_by_age`.

    Returns
    -------
    DataFrame
        value, age, ltv (cumulative net margin per customer); sorted.
    """
    sums = ages.groupby(["value", "age"], as_index=False)[["net", "customers"]].sum()
    each = sums["net"] / sums["customers"]
    return sums[["value", "age"]].assign(ltv=each.groupby(sums["value"]).cumsum())


def of_quarters(ages: pd.DataFrame) -> pd.DataFrame:
    """Net LTV of quarters of first purchase and channels by age, as far as all months have come.

    Returns
    -------
    DataFrame
        value, quarter (its first day), age, ltv; sorted.
    """
    quarter = ages["cohort"].dt.to_period("Q").dt.start_time
    table = ages.assign(quarter=quarter)
    youngest = table.groupby("quarter")["reached"].transform("min")
    keys = ["value", "quarter", "age"]
    sums = table[table["age"] <= youngest].groupby(keys, as_index=False)[["net", "customers"]].sum()
    total = sums.groupby(["value", "quarter"])["net"].cumsum()
    return sums[keys].assign(ltv=total / sums["customers"])


def judged(
    costs: pd.DataFrame, curves: pd.DataFrame, keys: list[str], age: int, wished: int, ratio: float
) -> pd.DataFrame:
    """Set what customers cost against what they return.

    Parameters
    ----------
    costs : DataFrame
        The keys, customers, spend (currency; missing where none is on record), first_net.
    curves : DataFrame
        The keys, age, ltv.
    keys : list of str
    age : int
        Month of age at whose end LTV is taken, or the oldest that was reached.
    wished : int
        Month by whose end CAC shall be repaid.
    ratio : float
        LTV : CAC wished for.

    Returns
    -------
    DataFrame
        As ``costs``, and cac (missing where nobody was won), age (at which LTV was taken), ltv,
        ratio (LTV / CAC), first (net margin of a first purchase), payback (month of age; missing
        where not yet repaid),
        affordable_ratio and affordable_payback (highest CAC for either wish; the latter is missing
        where nobody has come so far).
    """
    curve = curves.sort_values([*keys, "age"])
    won = costs["customers"].where(costs["customers"] > 0)
    out = costs.assign(cac=costs["spend"] / won, first=costs["first_net"] / won)
    at = curve[curve["age"] <= age].groupby(keys, as_index=False).last()
    out = out.merge(at, on=keys, how="left", validate="1:1")
    out["ratio"] = (out["ltv"] / out["cac"]).where(out["cac"] > 0)
    priced = curve.merge(out[[*keys, "cac"]], on=keys)
    repaid = priced[priced["ltv"] >= priced["cac"]].groupby(keys)["age"].min()
    out = out.merge(repaid.rename("payback").reset_index(), on=keys, how="left", validate="1:1")
    out["affordable_ratio"] = (out["ltv"] / ratio).clip(lower=0)
    by_then = curve.loc[curve["age"] == wished, [*keys, "ltv"]]
    by_then = by_then.rename(columns={"ltv": "affordable_payback"})
    out = out.merge(by_then, on=keys, how="left", validate="1:1")
    return out.assign(affordable_payback=out["affordable_payback"].clip(lower=0))
