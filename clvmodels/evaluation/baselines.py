"""What a finance team would have forecast without a model, and what a machine learner would.

The table baselines have one signature, (cohort_months, as_of, until) -> cohort, period,
purchases, revenue, for the customers known at ``as_of``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.table import Cells, CohortTable, future_cells, read_cohort_months
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import DataError
from clvmodels.core.months import MonthGrid, month_dates, month_end
from clvmodels.numerics.threads import one_openmp_thread

Baseline = Callable[[pd.DataFrame, dt.date, dt.date], pd.DataFrame]

RECENT_MONTHS = 3


@dataclass(frozen=True)
class _Square:
    """Cohorts by months: repeat purchases, revenue and customer-days, each of shape (c, p)."""

    table: CohortTable
    exposure: Array
    values: tuple[Array, Array]

    @classmethod
    def of(cls, cohort_months: pd.DataFrame, as_of: dt.date) -> _Square:
        table = read_cohort_months(cohort_months, as_of)
        row = np.searchsorted(table.cohorts, table.cells.cohort)
        column = table.cells.period - table.months[0]
        grids = []
        for numbers in (table.cells.exposure, table.purchases, table.revenue):
            grid = np.zeros((table.cohorts.size, table.months.size))
            grid[row, column] = numbers
            grids.append(grid)
        return cls(table, grids[0], (grids[1], grids[2]))

    @property
    def complete(self) -> int:
        """How many of the months are known to their end."""
        as_of = self.table.as_of
        return self.table.months.size - int(as_of != month_end(as_of))

    def cells(self, until: dt.date) -> Cells:
        return future_cells(self.table.cohorts, self.table.customers, self.table.as_of, until)

    def recent_rates(self) -> tuple[Array, Array]:
        """Purchases and revenue per customer-day of the last months, by cohort, shape (c,)."""
        days = self.exposure[:, -RECENT_MONTHS:].sum(axis=1)
        return tuple(  # type: ignore[return-value]
            _rate(grid[:, -RECENT_MONTHS:].sum(axis=1), days) for grid in self.values
        )


def last_months_average(
    cohort_months: pd.DataFrame, as_of: dt.date, until: dt.date
) -> pd.DataFrame:
    """Every cohort goes on as in its last three months, per customer and day."""
    square = _Square.of(cohort_months, as_of)
    cells = square.cells(until)
    row = np.searchsorted(square.table.cohorts, cells.cohort)
    return _frame(cells, *(cells.exposure * rate[row] for rate in square.recent_rates()))


def same_month_last_year(
    cohort_months: pd.DataFrame, as_of: dt.date, until: dt.date
) -> pd.DataFrame:
    """Every cohort buys, per customer and day, as in the same month of the latest year known.

    Where a cohort has no full such month, it goes on as in its last three months.
    """
    square = _Square.of(cohort_months, as_of)
    cells, months = square.cells(until), square.table.months
    row = np.searchsorted(square.table.cohorts, cells.cohort)
    years = np.maximum(np.ceil((cells.period - months[-1]) / 12), 1).astype(int)
    month = cells.period - 12 * years
    full = cells.cohort < month
    column = np.where(full, month - months[0], 0)
    out = []
    for grid, recent in zip(square.values, square.recent_rates(), strict=True):
        own = grid[row, column] / np.maximum(square.exposure[row, column], 1.0)
        out.append(cells.exposure * np.where(full, own, recent[row]))
    return _frame(cells, *out)


def arpu_over_churn(cohort_months: pd.DataFrame, as_of: dt.date, until: dt.date) -> pd.DataFrame:
    r"""The forecast behind the historical formula LTV = ARPU x margin / churn.

    The formula sums a geometric series: every customer brings the recent average revenue per
    user, and the same share c of it is lost each month,

    .. math:: \mathrm{LTV} = m \sum_{k \ge 0} \mathrm{ARPU} (1 - c)^k = m\,\mathrm{ARPU} / c .

    c is the mean monthly fall of purchases per customer-day, cohorts followed from month to
    month; ARPU is that of all customers in the last three months.
    """
    square = _Square.of(cohort_months, as_of)
    cells = square.cells(until)
    counts, days = (grid[:, : square.complete] for grid in (square.values[0], square.exposure))
    # From the first full month of a cohort on, each month as if it had the days of the one before.
    older = square.table.cohorts[:, None] < square.table.months[None, : days.shape[1] - 1]
    scale = np.divide(
        days[:, :-1], days[:, 1:], out=np.zeros_like(days[:, 1:]), where=days[:, 1:] > 0
    )
    before, after = (counts[:, :-1] * older).sum(), (counts[:, 1:] * scale * older).sum()
    kept = float(np.clip(after / before, 0.0, 1.0)) if before > 0 else 1.0
    ahead = cells.period - square.table.months[-1]
    recent = square.exposure[:, -RECENT_MONTHS:].sum()
    out = []
    for grid in square.values:
        arpu = grid[:, -RECENT_MONTHS:].sum() / max(recent, 1.0)
        out.append(cells.exposure * arpu * kept**ahead)
    return _frame(cells, *out)


def chain_ladder(cohort_months: pd.DataFrame, as_of: dt.date, until: dt.date) -> pd.DataFrame:
    r"""The actuary's chain ladder on the cohort triangle.

    Cumulative purchases (revenue) of a cohort, first ones included, grow from age a to a + 1 by
    the factor of all cohorts that have been through it (Mack 1993, equation 2). Beyond the oldest
    cohort, :math:`f_a - 1` carries on as an inverse power of age (Sherman 1984).
    """
    square = _Square.of(cohort_months, as_of)
    table, cells = square.table, square.cells(until)
    # The month under way is no step of the triangle: only a cohort that began in it has no other.
    ages = np.maximum(square.complete - 1 - (table.cohorts - table.months[0]), 0)
    firsts = _first_by_cohort(cohort_months, table)
    row = np.searchsorted(table.cohorts, cells.cohort)
    upto = int(cells.period.max() - table.cohorts[0])
    out = []
    for grid, first in zip(square.values, firsts, strict=True):
        cumulative = _by_age(grid, table, first)
        levels = np.cumprod(np.concatenate([[1.0], _development(cumulative, ages, upto)]))
        reached = (cumulative[np.arange(ages.size), ages] / levels[ages])[row]
        # What is left of a cohort's first month is grown like its next one.
        age = np.maximum(cells.period - cells.cohort, 1)
        growth = levels[age] - levels[age - 1]
        whole = np.array([day.days_in_month for day in month_dates(cells.period)], dtype=float)
        share = cells.exposure / (whole * np.maximum(table.customers[row], 1.0))
        out.append(reached * growth * share)
    return _frame(cells, *out)


TABLE_BASELINES: dict[str, Baseline] = {
    "last_months_average": last_months_average,
    "same_month_last_year": same_month_last_year,
    "arpu_margin_churn": arpu_over_churn,
    "chain_ladder": chain_ladder,
}


def gradient_boosting(
    past: list[tuple[pd.DataFrame, pd.DataFrame, float]],
    now: pd.DataFrame,
    grid: MonthGrid,
    random_state: int = 0,
) -> tuple[Array, Array]:
    """Gradient-boosted trees on counts and spend, a common machine-learning answer to CLV.

    Two regressors learn purchases and revenue per day after earlier origins from features known
    at them, with Poisson loss for both; the forecast is the same rate on every day ahead.

    Parameters
    ----------
    past : list of (features, outcomes, days)
        One entry for each earlier origin: features there, what followed (columns ``purchases``
        and ``revenue``, the same rows) and over how many days. All of it on or before the
        as-of date.
    now : DataFrame, shape (n, f)
        Features at the as-of date.
    grid : MonthGrid
        Months to forecast.

    Returns
    -------
    purchases, revenue : ndarray, shape (n, k)
        By customer and month.

    Raises
    ------
    DataError
        If there is no earlier origin.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    if not past:
        raise DataError("gradient boosting learns from earlier origins; the log holds none yet")
    names = [str(name) for name in now.select_dtypes("number").columns]
    # scikit-learn's binning fails on a feature without a single value
    names = [name for name in names if any(frame[name].notna().any() for frame, _, _ in past)]
    features = np.vstack([frame[names].to_numpy(dtype=float) for frame, _, _ in past])
    days = np.concatenate([np.full(len(frame), span) for frame, _, span in past])
    # scikit-learn bins weighted rows many times slower, and equal weights say nothing
    weight = days if np.ptp(days) > 0 else None
    out = []
    for quantity in ("purchases", "revenue"):
        seen = np.concatenate([outcome[quantity].to_numpy(dtype=float) for _, outcome, _ in past])
        rate = np.maximum(seen, 0.0) / days
        trees = HistGradientBoostingRegressor(
            loss="poisson", max_iter=100, learning_rate=0.1, min_samples_leaf=50,
            early_stopping=False, random_state=random_state,
        )  # fmt: skip
        if rate.sum() <= 0:
            out.append(np.zeros((len(now), grid.days.size)))
            continue
        with one_openmp_thread:
            trees.fit(features, rate, sample_weight=weight)
            daily = np.maximum(trees.predict(now[names].to_numpy(dtype=float)), 0.0)
        out.append(daily[:, None] * grid.days[None, :])
    return out[0], out[1]


def _rate(amount: Array, days: Array) -> Array:
    overall = amount.sum() / max(float(days.sum()), 1.0)
    return np.where(days > 0, amount / np.maximum(days, 1.0), overall)


def _first_by_cohort(frame: pd.DataFrame, table: CohortTable) -> tuple[Array, Array]:
    past = frame[pd.to_datetime(frame["period"]) <= month_dates(table.months)[-1]]
    sums = past.groupby(pd.to_datetime(past["cohort"]))[["first_purchases", "first_revenue"]].sum()
    sums = sums.reindex(month_dates(table.cohorts)).fillna(0.0)
    return sums["first_purchases"].to_numpy(float), sums["first_revenue"].to_numpy(float)


def _by_age(grid: Array, table: CohortTable, first: Array) -> Array:
    """Cumulative amounts by age, first purchases at age 0, shape (c, p)."""
    offset = table.cohorts - table.months[0]
    age = np.arange(table.months.size)[None, :]
    column = offset[:, None] + age
    inside = column < table.months.size
    rows = np.arange(offset.size)[:, None]
    values = np.where(inside, grid[rows, np.minimum(column, table.months.size - 1)], 0.0)
    values[:, 0] += first
    return np.asarray(np.cumsum(values, axis=1))


def _development(cumulative: Array, ages: Integers, upto: int) -> Array:
    """Growth factors from age a to a + 1, a = 0 .. upto - 1."""
    oldest = int(ages.max())
    seen = np.ones(oldest)
    for a in range(oldest):
        through = ages > a
        base = cumulative[through, a].sum()
        seen[a] = max(cumulative[through, a + 1].sum() / base, 1.0) if base > 0 else 1.0
    factors = np.ones(max(upto, oldest))
    factors[:oldest] = seen
    grown = np.flatnonzero(seen > 1.0)
    if grown.size >= 2:
        log_age = np.log(grown + 1.0)
        slope, level = np.polyfit(log_age, np.log(seen[grown] - 1.0), 1)
        tail = np.arange(oldest, factors.size)
        factors[oldest:] = 1.0 + np.exp(level + min(slope, 0.0) * np.log(tail + 1.0))
    elif oldest:
        factors[oldest:] = seen[-1]
    return factors


def _frame(cells: Cells, purchases: Array, revenue: Array) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cohort": month_dates(cells.cohort),
            "period": month_dates(cells.period),
            "purchases": purchases,
            "revenue": revenue,
        }
    )
