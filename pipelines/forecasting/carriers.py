"""Who carries the forecast of a cohort: what its customers are expected to do, and can bear."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.months import MonthGrid
from pipelines.data.features.histories import spend_table
from pipelines.forecasting import customers as forecast
from pipelines.sources.engines.base import BATCH_ROWS
from pipelines.training.fit import Fitted


@dataclass(frozen=True)
class Carriers:
    """The customers of each cohort, those of one frequency, T and segment taken together.

    Expected purchases are the probability alive times a function of frequency, T and segment, and
    so is the most that a customer can carry: who shares them is held to the same share
    of the forecast.

    Attributes
    ----------
    cohorts : DatetimeIndex, length c
    cohort : ndarray of int, shape (n,)
        Row of ``cohorts``; sorted.
    orders : ndarray, shape (n,)
        Purchases whose values the spend model has seen, of each customer.
    purchases : ndarray, shape (n, k)
        Sum of the customer model by month.
    most : ndarray, shape (n,)
        Sum of what they can carry, over all months.
    spend : ndarray, shape (n,)
        Mean of their expected values of a purchase, weighted by their purchases.
    buyers, spenders : ndarray, shape (c,)
        Effective number of customers behind the cohort's expected purchases, and revenue: 1 where
        one customer brings them all, n where n bring as much each.
    """

    cohorts: pd.DatetimeIndex
    cohort: Integers
    orders: Array
    purchases: Array
    most: Array
    spend: Array
    buyers: Array
    spenders: Array

    @classmethod
    def of(
        cls, fitted: Fitted, everybody: pd.DataFrame, grid: MonthGrid, rows: int = BATCH_ROWS
    ) -> Self:
        """Sum the customer models over the histories of everybody.

        Parameters
        ----------
        everybody : DataFrame
            Of :func:`pipelines.data.features.histories.histories`.
        rows : int
            Histories forecast at once.
        """
        cohort, cohorts = pd.factorize(everybody["cohort"], sort=True)
        alike, first = _alike(cohort, everybody, fitted.dimensions)
        sums = np.zeros((first.size, len(grid.periods) + 2))
        by_cohort = np.zeros((len(cohorts), 4))
        for start in range(0, len(everybody), rows):
            part = slice(start, start + rows)
            some = everybody.iloc[part]
            weight = some["weight"].to_numpy(dtype=float)
            months = forecast.customer_months(fitted, some, grid)
            most = forecast.bounds(fitted, some, grid).purchases
            bought = months.purchases.sum(axis=1)
            spent = months.revenue.sum(axis=1)
            _add(sums, alike[part], weight, [*months.purchases.T, most, spent])
            _add(by_cohort, cohort[part], weight, [bought, bought**2, spent, spent**2])
        purchases, most, spent = sums[:, :-2], sums[:, -2], sums[:, -1]
        bought = purchases.sum(axis=1)
        return cls(
            pd.DatetimeIndex(cohorts),
            cohort[first],
            spend_table(everybody.iloc[first], fitted.spend_from)["frequency"].to_numpy(float),
            purchases,
            most,
            np.divide(spent, bought, out=np.zeros_like(spent), where=bought > 0),
            _effective(by_cohort[:, 0], by_cohort[:, 1]),
            _effective(by_cohort[:, 2], by_cohort[:, 3]),
        )

    def rows(self) -> list[slice]:
        """Rows of each cohort."""
        ends = np.searchsorted(self.cohort, np.arange(len(self.cohorts) + 1))
        return [slice(a, b) for a, b in pairwise(ends)]

    def by_cohort(self, of_rows: Array) -> Array:
        """Sum rows to cohorts; shape (n, k) to (c, k)."""
        return np.stack(
            [np.bincount(self.cohort, column, len(self.cohorts)) for column in of_rows.T], axis=1
        )

    def base(self, grid: MonthGrid) -> pd.DataFrame:
        """The customer models' sums: cohort, period, purchases, revenue; sorted."""
        cells = pd.MultiIndex.from_product([self.cohorts, grid.index()], names=["cohort", "period"])
        columns = {
            "purchases": self.by_cohort(self.purchases).ravel(),
            "revenue": self.by_cohort(self.purchases * self.spend[:, None]).ravel(),
        }
        return pd.DataFrame(columns, index=cells).reset_index()


def _alike(
    cohort: Integers, everybody: pd.DataFrame, dimensions: tuple[str, ...]
) -> tuple[Integers, Integers]:
    """Number histories by cohort, frequency, T and segment, and name a row of each number."""
    keys = pd.DataFrame({"cohort": cohort, "x": everybody["frequency"], "T": everybody["T"]})
    by = ["cohort", "x", "T", *(f"of_{name}" for name in dimensions)]
    keys = keys.assign(**{f"of_{name}": everybody[name] for name in dimensions})
    number = np.asarray(keys.groupby(by, sort=True).ngroup(), dtype=np.int64)
    _, first = np.unique(number, return_index=True)
    return number, np.asarray(first, dtype=np.int64)


def _add(sums: Array, row: Integers, weight: Array, columns: list[Array]) -> None:
    for at, column in enumerate(columns):
        sums[:, at] += np.bincount(row, weight * column, len(sums))


def _effective(total: Array, squares: Array) -> Array:
    """Effective number, (sum x)^2 / sum x^2; 0 where nobody is left."""
    return np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
