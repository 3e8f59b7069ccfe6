"""Earlier origins replayed: what was forecast there against what the log shows since.

Only the log up to the as-of date is read, so what is learned here may be used in a forecast.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from clvmodels.cohorts import intervals
from clvmodels.cohorts.acquisition import expected_acquisitions
from clvmodels.cohorts.company import draw_company
from clvmodels.cohorts.intervals import Spread
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import Cells, CohortTable
from clvmodels.core import metrics
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.months import last_month_end, month_dates, month_end
from clvmodels.numerics.threads import one_blas_thread

LEAST_MONTHS = 4
MOST_ORIGINS = 6

_DRAWS = 400


@dataclass(frozen=True)
class Replay:
    """One candidate at one earlier origin, by cohort quarter and calendar month.

    Attributes
    ----------
    origin : datetime.date
    candidate : str
    actual, forecast : ndarray, shape (n,)
        Purchases.
    reach_purchases, reach_revenue : ndarray, shape (n,)
        See :func:`clvmodels.cohorts.intervals.reach`; empty unless asked for.
    actual_revenue, forecast_revenue : ndarray, shape (n,)
    reach_company : tuple of ndarray, shape (k,) each
        Of the company's purchases and revenue by month, new customers included; empty unless
        asked for.
    """

    origin: dt.date
    candidate: str
    actual: Array
    forecast: Array
    reach_purchases: Array
    reach_revenue: Array
    actual_revenue: Array
    forecast_revenue: Array
    reach_company: tuple[Array, Array] = (np.zeros(0), np.zeros(0))

    @property
    def joint_wape(self) -> float:
        """Mean of the errors of purchases and of revenue."""
        return 0.5 * (self.wape + metrics.wape(self.actual_revenue, self.forecast_revenue))

    @property
    def wape(self) -> float:
        """Weighted absolute percentage error of the cells."""
        return metrics.wape(self.actual, self.forecast)

    @property
    def bias(self) -> float:
        """Relative error of the total."""
        return metrics.bias(self.actual, self.forecast)


def quarter_cells(cells: Cells) -> tuple[Integers, int]:
    """Group of each cell by cohort quarter and calendar month, and the number of groups."""
    _, group = np.unique(cells.cohort // 3 * 1_000_000 + cells.period, return_inverse=True)
    return group.astype(np.int64), int(group.max(initial=-1)) + 1


def earlier_origins(table: CohortTable, most: int = MOST_ORIGINS) -> list[dt.date]:
    """The last month ends before the as-of date that leave enough log before and a month after."""
    ends = [month_end(day.date()) for day in month_dates(table.months)]
    complete = [end for end in ends if end <= table.as_of]
    return complete[LEAST_MONTHS - 1 : -1][-most:]


@one_blas_thread
def replay(
    history: History,
    candidates: Mapping[str, RateOptions],
    *,
    reach_of: str | None = None,
    most: int = MOST_ORIGINS,
) -> list[Replay]:
    """Refit every candidate at every earlier origin and compare with the log since then.

    Parameters
    ----------
    history : History
    candidates : mapping of str to RateOptions
    reach_of : str, optional
        Candidate whose intervals are measured as well.
    most : int
        Origins at most, the latest ones.
    """
    out = []
    until = last_month_end(history.table.as_of)
    numbers = history.cohort_months[["purchases", "revenue"]].to_numpy(dtype=float)
    truth = pd.Series(range(len(numbers)), index=pd.MultiIndex.from_arrays(history.keys))
    for origin in earlier_origins(history.table, most):
        fitted: dict[RateOptions, CohortModel] = {}
        for name, options in candidates.items():
            parts = replace(options, damping=1.0)
            if parts not in fitted:
                fitted[parts] = history.fit(parts, origin)
            model = fitted[parts].damped(options.damping)
            cells = model.cells(until)
            by_cell = model.forecast(cells, history.period_covariates)
            rows = truth.reindex(pd.MultiIndex.from_arrays([cells.cohort, cells.period]))
            found = rows.notna().to_numpy()
            actual = np.zeros((cells.size, 2))
            actual[found] = numbers[rows.to_numpy()[found].astype(int)]
            group, groups = quarter_cells(cells)
            actual = np.maximum(intervals.group_sums(actual, group, groups), 0.0)
            both = np.stack([by_cell.purchases, by_cell.revenue], axis=1)
            forecast = intervals.group_sums(both, group, groups)
            reaches = [np.zeros(0), np.zeros(0)]
            company = (np.zeros(0), np.zeros(0))
            if name == reach_of:
                company = _company_reach(history, model, until)
                drawn = by_cell.draw(_DRAWS, random_state=0)
                reaches = [
                    intervals.reach(
                        actual[:, i] / unit,
                        intervals.group_sums(drawn[i] / unit, group, groups),
                    )
                    for i, unit in enumerate((1.0, model.values.scale))
                ]
            purchases, revenue = zip(actual.T, forecast.T, strict=True)
            out.append(Replay(origin, name, *purchases, reaches[0], reaches[1], *revenue, company))
    return out


def _company_reach(history: History, model: CohortModel, until: dt.date) -> tuple[Array, Array]:
    """How far the company's months were from what an earlier origin would have drawn for them."""
    came = expected_acquisitions(model, until, history.period_covariates)
    drawn = draw_company(
        model, until, came, np.zeros(len(came), dtype=bool), _DRAWS, 0, history.period_covariates
    )
    table, scale = history.table, model.values.scale
    at = drawn.period - table.months[0]
    sold = np.maximum(table.total_revenue[at], 0.0) / scale
    return (
        intervals.reach(table.total_purchases[at], drawn.drawn[0]),
        intervals.reach(sold, drawn.drawn[1] / scale),
    )


@one_blas_thread
def spread_of(replays: list[Replay]) -> Spread:
    """How far the intervals must be stretched, from the replays that measured their reach."""
    measured = sorted((r for r in replays if r.reach_purchases.size), key=lambda r: r.origin)
    return intervals.learn_spread(
        [r.reach_purchases for r in measured],
        [r.reach_revenue for r in measured],
        [r.reach_company for r in measured],
    )
