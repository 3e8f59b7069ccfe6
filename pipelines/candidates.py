"""The forecasts that a backtest compares: the product's own, its parts, and the baselines.

Each is a function of what was known at an origin. None of them can see what happened after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.months import MonthGrid
from pipelines import forecast, train
from pipelines.cohort_level import cohort_level
from pipelines.config import Config
from pipelines.train import Fitted, TrainingData

Array = NDArray[np.float64]

AVERAGE_DAYS = 91
"""Days behind the origin that "the average of the last months" looks at: a quarter."""


@dataclass(frozen=True)
class Known:
    """All that a forecast may see: what was known at the origin, and which months to forecast.

    Attributes
    ----------
    training : TrainingData
    grid : MonthGrid
        From the day after the origin to the end of the log.
    customers : DataFrame
        One row a customer: RFM summary, cohort month and ``quarter``; no ids.
    """

    training: TrainingData
    grid: MonthGrid
    customers: pd.DataFrame


@dataclass(frozen=True)
class Candidate:
    """One model's forecast from one origin.

    Attributes
    ----------
    cells : DataFrame
        cohort (quarter), period, purchases, revenue and, where the model has them, their _low
        and _high.
    customers : DataFrame, optional
        purchases and revenue in all, in the row order of ``Known.customers``; None for a model
        of cohorts alone.
    """

    cells: pd.DataFrame
    customers: pd.DataFrame | None = None


def clv(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """What the product would have forecast: customers, reconciled with the cohort forecast."""
    months = forecast.customer_months(fitted, known.customers, known.grid)
    base = forecast.cohort_sums(known.customers["cohort"], months, known.grid)
    level = cohort_level(
        fitted, base, known.grid, known.training.cohort_months, known.training.first_date
    )
    reconciled = level.apply(known.customers["cohort"], months)
    cells = forecast.cohort_sums(known.customers["quarter"], reconciled, known.grid)
    return Candidate(level.with_intervals(cells, "quarter_month"), _totals(reconciled))


def customers_alone(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """The customer models without season, trend or cohort effects."""
    months = forecast.customer_months(fitted, known.customers, known.grid)
    cells = forecast.cohort_sums(known.customers["quarter"], months, known.grid)
    return Candidate(cells, _totals(months))


def cohort(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """The cohort forecast alone, which knows no customers."""
    forecaster = fitted.cohorts or train.fit_cohorts(known.training, config)
    return Candidate(forecaster.forecast(known.grid.until, level="quarter_month"))


def _totals(months: forecast.CustomerMonths) -> pd.DataFrame:
    return pd.DataFrame(
        {"purchases": months.purchases.sum(axis=1), "revenue": months.revenue.sum(axis=1)}
    )


def lifetimes(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """BG/NBD and Gamma-Gamma as the lifetimes package fits and predicts them."""
    settings = config.train.model_copy(update={"engine": "lifetimes", "transaction_model": "bgnbd"})
    reference = config.model_copy(update={"train": settings})
    return customers_alone(
        known,
        Fitted(
            fitted.as_of,
            train.fit_transactions(known.training.summary, reference),
            train.fit_spend(known.training.spend, reference),
        ),
        reference,
    )


def last_months_average(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """Every cohort goes on as in the last three months, per customer and day."""
    history = known.training.cohort_months
    recent = history[history["period"] >= history["period"].max() - pd.DateOffset(months=2)]
    quarter = recent["cohort"].dt.to_period("Q").dt.start_time.rename("cohort")
    sums = recent.groupby(quarter)[["customer_days", "purchases", "revenue"]].sum()
    bought = sums[["purchases", "revenue"]]
    overall = bought.sum() / sums["customer_days"].sum()
    rate = bought.div(sums["customer_days"], axis=0).fillna(overall)  # no day of history yet
    size = known.customers.groupby("quarter").size()
    return Candidate(_spread(rate.mul(size, axis=0), known.grid))


def _spread(per_day: pd.DataFrame, grid: MonthGrid) -> pd.DataFrame:
    """Daily purchases and revenue by cohort, times the days of every month."""
    cells = (
        per_day.rename_axis("cohort")
        .reset_index()
        .merge(pd.DataFrame({"period": grid.index(), "days": grid.days}), how="cross")
    )
    for name in ("purchases", "revenue"):
        cells[name] *= cells["days"]
    return cells.drop(columns="days")


CANDIDATES: dict[str, Callable[[Known, Fitted, Config], Candidate]] = {
    "clv": clv,
    "bgnbd": customers_alone,
    "cohort": cohort,
    "lifetimes": lifetimes,
    "last_months_average": last_months_average,
}
