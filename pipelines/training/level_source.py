"""Whose level a forecast takes: the cohort forecast's or, rarely, the customers' own.

The cohort forecast knows season, trend and how each cohort went, and on most logs its level is the
better one. In a panel of steady customers there is nothing of the kind to know, and the sum of the
customer models can be far closer. Both are replayed at the month ends from which the churn
classifier learns; nothing after the as-of date is read.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import read_cohort_months
from clvmodels.core import metrics
from clvmodels.core.months import MonthGrid, last_month_end, month_dates, month_grid
from clvmodels.transactions.base import TransactionModel
from pipelines.training.training_data import ChurnData, TrainingData


class LevelSource(StrEnum):
    """Whose purchases a cohort's forecast takes."""

    COHORTS = "cohorts"
    CUSTOMERS = "customers"


LEAST_MONTHS = 13
LEAST_ORIGINS = 5
PLAINLY = 0.6
"""The customers' level is taken where a log of more than a year shows it to be the better one: at
every one of so many earlier origins it missed by less than the cohort forecast, and on average by
less than this share of it. The bar is high on purpose: origins of one season agree with each other,
and the season to come may be another."""

KEYS = ["cohort", "period"]
COHORTS, CUSTOMERS = (source.value for source in LevelSource)


def choose_level(
    data: TrainingData, models: list[TransactionModel], options: RateOptions
) -> tuple[LevelSource, str | None]:
    """Choose whose level to take, and say so where it is the customers'.

    Parameters
    ----------
    data : TrainingData
    models : list of TransactionModel
        Fitted on the summaries of ``data.churn``, in their order.
    options : RateOptions
        Parts of the cohort forecast in use.
    """
    ended = data.cohort_months["period"] <= pd.Timestamp(last_month_end(data.as_of))
    if data.cohort_months.loc[ended, "period"].nunique() < LEAST_MONTHS:
        return LevelSource.COHORTS, None
    errors = errors_at_earlier_origins(data, models, options)
    of_customers, of_cohorts = (errors[source] for source in (CUSTOMERS, COHORTS))
    own, cohorts = of_customers.mean(), of_cohorts.mean()
    steadily = (of_customers < of_cohorts).all()
    if len(errors) < LEAST_ORIGINS or not (steadily and own < PLAINLY * cohorts):
        return LevelSource.COHORTS, None
    return LevelSource.CUSTOMERS, (
        f"The forecast's level is the sum of the customer models: at {len(errors)} earlier origins "
        f"it missed cohort-months by {own:.1%} on average, the cohort forecast by {cohorts:.1%}."
    )


def errors_at_earlier_origins(
    data: TrainingData, models: list[TransactionModel], options: RateOptions
) -> pd.DataFrame:
    """WAPE of purchases by cohort quarter and month at earlier origins, of both forecasts.

    Returns
    -------
    DataFrame
        origin, cohorts, customers; one row a month end with a full month after it.
    """
    until = last_month_end(data.as_of)
    rows = []
    for part, model in zip(data.churn, models, strict=True):
        if part.origin != last_month_end(part.origin) or part.origin >= until:
            continue
        grid = month_grid(part.origin, until)
        cells = _by_cohorts(data, part, options, grid)
        for other in (_by_customers(part, model, grid), data.cohort_months[[*KEYS, "purchases"]]):
            cells = cells.merge(other, on=KEYS, how="left")
        cells["cohort"] = cells["cohort"].dt.to_period("Q")
        sums = cells.fillna(0.0).groupby(KEYS).sum()
        missed = [metrics.wape(sums["purchases"], sums[name]) for name in (COHORTS, CUSTOMERS)]
        rows.append((part.origin, *missed))
    return pd.DataFrame(rows, columns=["origin", COHORTS, CUSTOMERS]).dropna()


def _by_cohorts(
    data: TrainingData, part: ChurnData, options: RateOptions, grid: MonthGrid
) -> pd.DataFrame:
    """Purchases by cohort and month as the cohort forecast would have seen them coming."""
    drivers = data.drivers
    table = read_cohort_months(data.cohort_months, part.origin, data.first_date)
    model = CohortModel.of(table, options, drivers.period, drivers.cohort)
    cells = model.cells(grid.until)
    return pd.DataFrame(
        {
            "cohort": month_dates(cells.cohort),
            "period": month_dates(cells.period),
            COHORTS: model.forecast(cells, drivers.period).purchases,
        }
    )


def _by_customers(part: ChurnData, model: TransactionModel, grid: MonthGrid) -> pd.DataFrame:
    """Purchases by cohort and month, summed over the distinct histories."""
    cumulative = np.asarray(model.expected_purchases(part.summary, horizon=grid.edges))
    monthly = np.diff(cumulative, axis=1, prepend=0.0) * part.summary[["weight"]].to_numpy()
    first = pd.Timestamp(part.origin) - pd.to_timedelta(part.summary["T"], unit="D")
    cohort, k = first.dt.to_period("M").dt.start_time, len(grid.periods)
    table = pd.DataFrame(
        {
            "cohort": cohort.to_numpy().repeat(k),
            "period": np.tile(grid.index().to_numpy(), len(cohort)),
            CUSTOMERS: monthly.ravel(),
        }
    )
    return table.groupby(KEYS, as_index=False).sum()
