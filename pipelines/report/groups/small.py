"""Rows of too few customers are put together before they are shown: no line tells on a customer.

The rule for segments, tiers and other groups of customers; cohorts, which many tables show side by
side, have :mod:`pipelines.report.groups.cohorts`. A row whose number of customers is missing counts
as one of nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.schema import LEAST_CUSTOMERS as LEAST_CUSTOMERS


def fold(
    frame: pd.DataFrame,
    label: str,
    *,
    sums: Sequence[str] = (),
    means: Sequence[str] = (),
    count: str = "customers",
) -> pd.DataFrame:
    """Put rows of too few customers together with the next ones, the last with those before.

    Parameters
    ----------
    frame : DataFrame
        In an order in which neighbours are alike.
    label : str
        Column that names a row; of several it names the first and the last.
    sums, means : sequence of str
        Columns that add up, and means per customer. Others are left out.
    count : str
        Column of customers; a row without it counts as nobody.

    Returns
    -------
    DataFrame
        Empty where all rows together hold too few.
    """
    size = frame[count].fillna(0).to_numpy(float)
    code = together(size)
    if code is None:
        return frame.iloc[:0]
    weighted = frame[[*sums, *means]].astype(float).copy()
    weighted[list(means)] = weighted[list(means)].mul(size, axis=0)
    out = weighted.groupby(code).sum()
    out.insert(0, label, spans(frame[label], code))
    out.insert(1, count, pd.Series(size).groupby(code).sum().round().astype(int))
    out[list(means)] = out[list(means)].div(out[count], axis=0)
    return out


def together(size: Array) -> Integers | None:
    """Number of the group that each row goes to, 0 upwards; None where all hold too few."""
    code, held, place = np.zeros(len(size), dtype=np.int64), 0.0, 0
    for k, customers in enumerate(size):
        code[k] = place
        held += customers
        if held >= LEAST_CUSTOMERS:
            held, place = 0.0, place + 1
    # What is left at the end goes to the last row that is large enough.
    return np.minimum(code, place - 1) if place else None


def spans(labels: pd.Series, code: Integers) -> pd.Series:
    """Name of each group: that of its one row, or of its first and last."""
    names = labels.astype(str).groupby(code)
    first, last = names.first(), names.last()
    return first.where(first == last, first + " to " + last)


def fold_values(frame: pd.DataFrame) -> pd.DataFrame:
    """Put values of few customers together, and the next larger ones, until they are enough.

    A dimension that is one line then is left out: it says no more than the totals.
    """
    means = [c for c in frame.columns if c not in ("dimension", "value", "customers")]
    parts = []
    for dimension, part in frame.groupby("dimension", sort=False):
        rising = part.sort_values("customers", kind="stable")["customers"].fillna(0)
        small = (rising < LEAST_CUSTOMERS) | (
            (rising.cumsum().shift(fill_value=0) < LEAST_CUSTOMERS)
            & bool((rising < LEAST_CUSTOMERS).any())
        )
        folded = part.loc[small.index[small]]
        rest = part.drop(folded.index)
        rows = [rest]
        if len(folded):
            customers = folded["customers"].fillna(0)
            weighted = folded[means].mul(customers, axis=0).sum() / customers.sum()
            name = f"other ({len(folded)} values)"
            row = {"dimension": dimension, "value": name, "customers": customers.sum()}
            rows.append(pd.DataFrame([row | weighted.to_dict()]))
        if not len(folded) or len(rest):
            parts += rows
    return pd.concat(parts, ignore_index=True) if parts else frame.iloc[:0]


def fold_months(frame: pd.DataFrame, everything: str) -> pd.DataFrame:
    """Put values of a dimension together that have a month of few buyers, the same in every month.

    Parameters
    ----------
    frame : DataFrame
        dimension, value, period, customers, new_customers, and columns that add up.
    everything : str
        Dimension of the rows that hold all of a month. Months of few buyers are left out, or of few
        new customers, whose first purchases are what the month holds beside the repeat purchases of
        the cohorts' history; and the next smallest with them where all that are left out hold too
        few.

    Returns
    -------
    DataFrame
        Without the numbers of customers; a dimension of which no value is left by itself is left
        out.
    """
    keys = ["dimension", "value", "period"]
    counts = ["customers", "new_customers"]
    adding = [c for c in frame.columns if c not in keys]
    whole = frame[frame["dimension"] == everything]
    newcomers = whole["new_customers"]
    held = whole["customers"].where(newcomers == 0, newcomers).sort_values(kind="stable")
    small = held < LEAST_CUSTOMERS
    if small.any():
        small |= held.cumsum().shift(fill_value=0) < LEAST_CUSTOMERS
    whole = whole[~small.reindex(whole.index)].sort_values("period")
    parts = [whole]
    rest = frame[frame["period"].isin(whole["period"]) & (frame["dimension"] != everything)]
    for _, part in rest.groupby("dimension", sort=False):
        names = told_values(part, "period")
        if not names:
            continue
        folded = part.assign(value=part["value"].map(names))
        parts.append(folded.groupby(keys, as_index=False, sort=False)[adding].sum(min_count=1))
    out = pd.concat(parts, ignore_index=True)
    return out.sort_values(keys, kind="stable", ignore_index=True).drop(columns=counts)


def told_values(counts: pd.DataFrame, unit: str) -> dict[str, str]:
    """Name that each value is told by in every unit: its own, or that of several together.

    A value that is small in one unit is put together with others in all: its total, which other
    tables show, less its other units would give the few away.

    Parameters
    ----------
    counts : DataFrame
        value, ``unit`` and customers.
    unit : str
        Column of what rows are told by: a month, a quarter.

    Returns
    -------
    dict
        Value to name; empty where no value may be told by itself.
    """
    wide = counts.pivot_table(
        index="value", columns=unit, values="customers", aggfunc="sum", fill_value=0
    )
    few = ((wide > 0) & (wide < LEAST_CUSTOMERS)).any(axis=1)
    others = set(few.index[few])
    for value in wide.sum(axis=1).sort_values(kind="stable").index:
        together = wide.loc[list(others)].sum()
        if not ((together > 0) & (together < LEAST_CUSTOMERS)).any():
            break
        others.add(value)
    if len(others) == len(wide):
        return {}
    name = f"other ({len(others)} values)"
    return {value: name if value in others else value for value in wide.index}


def large_tenths(deciles: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Origins whose every tenth is large enough, and whose sum leaves out nobody or many."""
    if "customers" not in deciles:
        return deciles.iloc[:0]
    least = deciles.groupby(["origin", "model", "quantity"])["customers"].transform("min")
    if samples.empty:
        return deciles[least >= LEAST_CUSTOMERS]
    rest = samples["customers"] - samples["sampled"]
    bare = samples.loc[(rest > 0) & (rest < LEAST_CUSTOMERS), "origin"]
    return deciles[(least >= LEAST_CUSTOMERS) & ~deciles["origin"].isin(bare)]
