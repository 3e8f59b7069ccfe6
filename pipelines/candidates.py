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
        One row a customer: RFM summary, churn features, cohort month and ``quarter``; no ids.
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


def from_customers(known: Known, fitted: Fitted) -> Candidate:
    """Sum the customer models' months to quarters of first purchase."""
    months = forecast.customer_months(fitted, known.customers, known.grid)
    return Candidate(
        forecast.cohort_sums(known.customers["quarter"], months, known.grid),
        pd.DataFrame(
            {"purchases": months.purchases.sum(axis=1), "revenue": months.revenue.sum(axis=1)}
        ),
    )


def clv(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """What the product would have forecast."""
    return from_customers(known, fitted)


def bgnbd(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """The customer models alone, without season or cohort effects."""
    return from_customers(known, fitted)


def lifetimes(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """BG/NBD and Gamma-Gamma as the lifetimes package fits and predicts them."""
    settings = config.train.model_copy(update={"engine": "lifetimes", "transaction_model": "bgnbd"})
    reference = config.model_copy(update={"train": settings})
    return from_customers(
        known,
        Fitted(
            fitted.as_of,
            train.fit_transactions(known.training.summary, reference),
            train.fit_spend(known.training.spend, reference),
        ),
    )


def last_months_average(known: Known, fitted: Fitted, config: Config) -> Candidate:
    """Every cohort goes on as in the last three months, per customer and day."""
    history = known.training.cohort_months
    recent = history[history["period"] >= history["period"].max() - pd.DateOffset(months=2)]
    quarter = recent["cohort"].dt.to_period("Q").dt.start_time.rename("cohort")
    sums = recent.groupby(quarter)[["customer_days", "purchases", "revenue"]].sum()
    rate = sums[["purchases", "revenue"]].div(sums["customer_days"], axis=0)
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
    "bgnbd": bgnbd,
    "lifetimes": lifetimes,
    "last_months_average": last_months_average,
}
