"""Cohorts that are shown together: those of too few customers, with enough others to hide them.

Cohorts (months of first purchase) of fewer than :data:`LEAST_CUSTOMERS` customers are put together
with their neighbours, until the group holds that many and nobody of a small cohort bought in a
month in which fewer than :data:`LEAST_OTHERS` others of the group did. Leaving them out would not
do: totals less the other rows would give them away. All tables are made of these same groups, and
wider ones (quarters) are made of whole groups, so that the difference of two tables is a sum over
whole groups too. So is that of two reports: groups are made month by month, from what was known
then, and a border between two of them is drawn only where all months so far bear it. What the
company as a whole sold in a month is shown, whoever bought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array, Booleans
from pipelines.report.groups.small import LEAST_CUSTOMERS

LEAST_OTHERS = 3
"""Others of the group who must have bought in a month in which one of a small cohort did."""

TOGETHER = (
    f"Cohorts of fewer than {LEAST_CUSTOMERS} customers are put together with their neighbours, so "
    "that no line tells on a single customer."
)


@dataclass(frozen=True)
class Groups:
    """Cohorts that are shown together.

    Attributes
    ----------
    first, last : Series
        First and last cohort of the group of each cohort, by cohort, in order.
    customers : Series
        Customers of each cohort.
    """

    first: pd.Series[Any]
    last: pd.Series[Any]
    customers: pd.Series[Any]

    @property
    def together(self) -> pd.Series[Any]:
        """Whether each cohort is shown with others."""
        return self.first != self.last

    @property
    def shown(self) -> pd.Series[Any]:
        """Whether the group of each cohort is large enough; one of all customers may not be."""
        return self.customers.groupby(self.first).transform("sum") >= LEAST_CUSTOMERS

    def alone(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of cohorts that are shown by themselves; unknown cohorts are not."""
        if frame.empty:
            return frame
        kept = self.shown.index[self.shown & ~self.together]
        return frame[pd.to_datetime(frame["cohort"]).isin(kept)]

    def summed(self, frame: pd.DataFrame, firsts: Sequence[str] = ()) -> pd.DataFrame:
        """Sum rows by cohort and period to groups.

        Parameters
        ----------
        frame : DataFrame
            cohort, period and numbers; rows of unknown cohorts are left out.
        firsts : sequence of str
            Numbers of first purchases, of which a period tells who was new: of several cohorts
            together they are summed over periods, and stand in the month of the last cohort.

        Returns
        -------
        DataFrame
            cohort (the first of the group), cohort_to (the last; not-a-time where it is the only
            one), period and the numbers.
        """
        if frame.empty or self.first.empty:
            return frame.iloc[:0].assign(cohort_to=None)
        cohort = pd.to_datetime(frame["cohort"])
        kept = cohort.isin(self.shown.index[self.shown])
        cohort = cohort[kept]
        rows = frame[kept].assign(cohort=cohort.map(self.first), cohort_to=cohort.map(self.last))
        keys = ["cohort", "cohort_to", "period"]
        numbers = [name for name in rows.select_dtypes("number") if name not in keys]
        out = rows.groupby(keys, as_index=False)[numbers].sum(min_count=1)
        several = out["cohort"] < out["cohort_to"]
        for name in firsts if several.any() else ():
            if name in out:
                whole = out.groupby("cohort")[name].transform("sum")
                there = out["period"] == out["cohort_to"]
                out[name] = out[name].where(~several, whole.where(there))
        return out.assign(cohort_to=out["cohort_to"].where(several))

    def of_quarters(self, cells: pd.DataFrame) -> pd.DataFrame:
        """Sum quarters that a group of cohorts spans, by origin and period, as :meth:`summed`."""
        if cells.empty or self.first.empty:
            return cells.assign(cohort_to=None)
        quarter = self.first.index.to_series().dt.to_period("Q").dt.start_time
        begins = ~(self.first.eq(self.first.shift()) | quarter.eq(quarter.shift()))
        block = quarter.groupby(begins.cumsum()).transform("min")
        spans = pd.DataFrame({"first": block, "last": quarter.groupby(block).transform("max")})
        spans = spans.groupby(quarter).first()
        spanned = cells.assign(
            cohort_to=cells["cohort"].map(spans["last"]).fillna(cells["cohort"]),
            cohort=cells["cohort"].map(spans["first"]).fillna(cells["cohort"]),
        )
        # Of an origin in the middle of a span, the last quarter known then.
        spanned["cohort_to"] = np.minimum(
            spanned["cohort_to"], cells.groupby("origin")["cohort"].transform("max")
        )
        keys = ["origin", "cohort", "cohort_to", "period"]
        numbers = [name for name in spanned.select_dtypes("number") if name not in keys]
        out = spanned.groupby(keys, as_index=False)[numbers].sum(min_count=1)
        return out.assign(cohort_to=out["cohort_to"].where(out["cohort"] < out["cohort_to"]))

    @property
    def untold(self) -> list[pd.Timestamp]:
        """Months whose first purchases are not told from repeat ones: all revenue is not shown."""
        months: list[pd.Timestamp] = []
        for _, members in self.customers[self.together].groupby(self.first[self.together]):
            rising = members.sort_values()
            enough = rising.cumsum().shift(fill_value=0) >= LEAST_CUSTOMERS
            months += list(rising.index[(rising < LEAST_CUSTOMERS) | ~enough])
        return sorted(months)

    def tells_nothing_in(self, months: pd.Series[Any]) -> bool:
        """Whether all that was sold in months may be told in one sum.

        Not where it holds first purchases of a part of a group, of which only the whole is told.
        """
        inside = self.first.index.isin(pd.DatetimeIndex(months))
        parts = set(self.first[inside & self.first.index.isin(self.untold)])
        return not self.first[~inside].isin(parts).any()

    def tells_nothing_at(self, day: pd.Timestamp, customers: float) -> bool:
        """Whether what customers known at a day bought after it may be shown beside the cohorts.

        Parameters
        ----------
        day : Timestamp
        customers : float
            Customers known at it.
        """
        if self.first.empty:
            return False
        if ((self.first <= day) & (self.last > day)).any():
            return False
        if day.is_month_end:
            return True
        # A day within a month parts the cohort of that month in two.
        month = day.normalize().replace(day=1)
        before = self.customers.index < month
        part = customers - self.customers[before].sum()
        rest = self.customers.get(month, 0) - part
        large = all(size == 0 or size >= LEAST_CUSTOMERS for size in (part, rest))
        return large and not self.together[self.first.index <= day].any()


def groups(history: pd.DataFrame) -> Groups:
    """Decide which cohorts are shown together.

    Parameters
    ----------
    history : DataFrame
        schema.COHORT_MONTHS. Without ``buyers``, nobody else is taken to have bought.
    """
    if history.empty:
        none = pd.Series(dtype="datetime64[ns]", index=pd.DatetimeIndex([]))
        return Groups(none, none, pd.Series(dtype=float, index=pd.DatetimeIndex([])))
    table = history.assign(
        cohort=pd.to_datetime(history["cohort"]), period=pd.to_datetime(history["period"])
    )
    customers = table.groupby("cohort")["customers"].max().fillna(0).sort_index()
    first = pd.Series(index=customers.index, dtype=customers.index.dtype)
    last = first.copy()
    starts = _starts(_Counts.of(table, customers))
    for run in np.split(np.arange(len(customers)), starts[1:]):
        first.iloc[run], last.iloc[run] = customers.index[run[0]], customers.index[run[-1]]
    return Groups(first, last, customers)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Customers by cohort, and buyers of repeat purchases by cohort and month: shape (c, k)."""

    cohorts: pd.DatetimeIndex
    months: pd.DatetimeIndex
    customers: Array
    bought: Booleans
    buyers: Array
    company: Array

    @classmethod
    def of(cls, table: pd.DataFrame, customers: pd.Series[Any]) -> _Counts:
        cohorts, periods = pd.DatetimeIndex(customers.index), pd.DatetimeIndex(table["period"])
        months = periods.union(cohorts).unique().sort_values()
        place = cohorts.get_indexer(pd.DatetimeIndex(table["cohort"])), months.get_indexer(periods)
        bought = np.zeros((len(cohorts), len(months)), dtype=bool)
        buyers = np.zeros(bought.shape)
        sold = table[["purchases", "revenue"]].ne(0).any(axis=1).to_numpy()
        np.logical_or.at(bought, place, sold)
        # Where nobody was counted, no number of others is ever enough.
        company = np.full(len(months), np.inf)
        if "buyers" in table:
            np.add.at(buyers, place, table["buyers"].fillna(0.0).to_numpy(float))
            company = buyers.sum(axis=0)
        return cls(cohorts, months, customers.to_numpy(float), bought, buyers, company)

    def bare(self, starts: list[int], arrived: int, month: int) -> Booleans:
        """Which groups of the first ``arrived`` cohorts, by their starts, hide somebody too little.

        A small cohort's customers hide each other too: what is not to be told is one customer's.
        """
        buyers = self.buyers[:arrived, month]
        there = np.repeat(np.add.reduceat(buyers, starts), np.diff([*starts, arrived]))
        own = np.minimum(buyers, 1.0)
        enough = there - own >= np.minimum(LEAST_OTHERS, self.company[month] - own)
        small = self.customers[:arrived] < LEAST_CUSTOMERS
        told = small & self.bought[:arrived, month] & ~enough
        return np.logical_or.reduceat(told, starts)


def _starts(counts: _Counts) -> list[int]:
    """Places of the first cohorts of groups, made month by month as reports would have shown them.

    The latest cohorts wait until they are enough for a group; meanwhile they are shown with the
    group before. No month before may tell on them once they leave it: where a month does, they
    stay. Groups that no longer hide somebody are put together whole, so of two reports one shows
    sums of the other's groups in every month that both show.
    """
    starts: list[int] = []
    waiting = arrived = 0
    for month, day in enumerate(counts.months):
        if arrived < len(counts.cohorts) and counts.cohorts[arrived] <= day:
            if starts and counts.customers[arrived] >= LEAST_CUSTOMERS:
                waiting = arrived  # a large cohort is its own group: those before it wait no longer
            arrived += 1
        if not arrived:
            continue
        while True:
            borders = [*starts, waiting] if waiting < arrived else starts
            bare = np.flatnonzero(counts.bare(borders, arrived, month))
            if len(borders) == 1 or not len(bare):
                break
            # With the group before, or of the first with the one after.
            gone = borders[max(int(bare[0]), 1)]
            if gone == waiting:
                waiting = arrived
            else:
                starts.remove(gone)
        if counts.customers[waiting:arrived].sum() >= LEAST_CUSTOMERS:
            starts.append(waiting)
            waiting = arrived
    return starts or [0]


def left_out(cohorts: int) -> str:
    """Say how many cohorts have no line, as a sentence after a blank; empty where all have."""
    if not cohorts:
        return ""
    return (
        f" Left out: {cohorts:,} cohort{'s' * (cohorts > 1)} of fewer than {LEAST_CUSTOMERS} "
        "customers, or put together with such, so that no line tells on a single customer."
    )
