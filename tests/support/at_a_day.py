"""What the jobs make of a business's configuration, at any day of a log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from clvmodels.core.months import MonthGrid
from pipelines.backtesting import run as backtest
from pipelines.backtesting.candidates import Known
from pipelines.backtesting.run import BacktestResult, Truth
from pipelines.config.load import Config
from pipelines.console import Progress
from pipelines.data.customer_days import Dataset
from pipelines.data.features import CohortHistory, histories
from pipelines.data.margins import Margin
from pipelines.forecasting.customers import horizon_grid
from pipelines.forecasting.deliver import Delivered
from pipelines.forecasting.levelling import CohortLevel, cohort_level
from pipelines.jobs import stages
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData


def training_at(day: dt.date, data: Dataset, config: Config) -> TrainingData:
    """What the models learn from."""
    with data.snapshot.earlier(day) as then:
        return stages.read_training(then, config)


def history_at(day: dt.date, data: Dataset) -> CohortHistory:
    """The cohorts' months."""
    with data.snapshot.earlier(day) as then:
        return CohortHistory.of(then)


def everybody_at(day: dt.date, data: Dataset) -> pd.DataFrame:
    """Everybody, by history."""
    with data.snapshot.earlier(day) as then:
        return histories(then.summary)


def grid_at(day: dt.date, config: Config) -> MonthGrid:
    """The months of the configured horizon."""
    return horizon_grid(day, config.economics.horizon_months)


def level_at(day: dt.date, data: Dataset, fitted: Fitted, config: Config) -> CohortLevel:
    """The cohorts' factors."""
    grid = grid_at(day, config)
    return cohort_level(fitted, everybody_at(day, data), history_at(day, data), grid)


def deliver_at(
    day: dt.date, data: Dataset, fitted: Fitted, config: Config, folder: Path
) -> Delivered:
    """Both forecast tables, written into a folder."""
    with data.snapshot.earlier(day) as then:
        margin = Margin(config.economics.margin)
        return stages.delivered(fitted, then, CohortHistory.of(then), folder, config, margin)


def observe(
    origin: dt.date, data: Dataset, config: Config, last: dt.date | None = None
) -> tuple[Known, Truth]:
    """One origin of a backtest: what was known, and what happened up to ``last``."""
    return backtest.observe(
        data.snapshot,
        origin,
        last or data.as_of,
        training=config.train,
        drivers_at=stages.drivers_at(config),
        valuation_at=stages.valuation_at(config),
    )


def backtested(data: Dataset, config: Config, progress: Progress) -> BacktestResult:
    """The backtest up to the last day of the log."""
    return stages.backtested(data, config, progress)
