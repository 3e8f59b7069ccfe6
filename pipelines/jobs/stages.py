"""Stages that several jobs go through, each as one step on the console."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.core.errors import CheckFailedError, DataError
from clvmodels.finance.clv import UnitEconomics
from pipelines.backtesting import run as backtest
from pipelines.backtesting.customer_scores import ChurnContest
from pipelines.backtesting.margin_and_clv import ValuationAt
from pipelines.backtesting.origins import too_short
from pipelines.backtesting.run import BacktestResult
from pipelines.config.load import Config
from pipelines.config.sections.run import Train
from pipelines.console import Progress
from pipelines.data import customer_days as transactions
from pipelines.data import margins, privacy
from pipelines.data.customer_days import Dataset
from pipelines.data.features import CohortHistory, Snapshot, drivers
from pipelines.data.features.drivers import DriversAt
from pipelines.data.margins import Margin
from pipelines.data.quality import control, shrinkage
from pipelines.data.quality.control import Controlled
from pipelines.finance import channels, spend
from pipelines.finance.channels import Acquired
from pipelines.forecasting import deliver
from pipelines.forecasting.customers import horizon_grid
from pipelines.forecasting.deliver import Delivered
from pipelines.forecasting.delivered import Label, read_cohorts
from pipelines.forecasting.new_customers import NewCustomers
from pipelines.forecasting.rfm.found import RfmRun
from pipelines.forecasting.rfm.moves import Earlier
from pipelines.jobs.folders import previous_forecast, reports_folder
from pipelines.ledger import entries
from pipelines.ledger.store import Ledger
from pipelines.sources.connect import embedded
from pipelines.training import fit as train
from pipelines.training import training_data
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData


@contextmanager
def dataset(config: Config, as_of: dt.date | None, progress: Progress) -> Iterator[Dataset]:
    """Read and check the source, and what is told of spend beside it."""
    check_spend(config)
    with ExitStack() as stack:
        with progress.step("read and check the transactions"):
            data = stack.enter_context(transactions.load(config.log, as_of))
            if data.plausibility.broken:
                raise CheckFailedError(
                    f"{data.account.source}: {'. '.join(data.plausibility.broken)}."
                )
        yield data


def margin_of(log: Dataset | Snapshot, config: Config) -> Margin:
    """The gross margin to go by, from a log or from what was known of it at a day."""
    return margins.margin(log.purchases, config.economics.margin, config.columns.margin)


def require_not_shrunk(data: Dataset, config: Config, manifest: Mapping[str, Any] | None) -> None:
    """Compare the source with what the model in use learned from; nothing where none is in use.

    Raises
    ------
    CheckFailedError
        If far fewer rows or customers are left than ``governance.max_shrink_share`` allows.
    """
    if manifest is None:
        return
    rules = shrinkage.rules(config.columns, config.calendar, config.governance)
    alike = shrinkage.read_alike(rules, manifest.get("config") or {})
    found = shrinkage.shrunk(
        data.account, data.purchases, manifest.get("data") or {}, alike, config.governance
    )
    if found:
        raise CheckFailedError(f"{data.account.source} has shrunk: {'; '.join(found)}.")


def controlled(data: Dataset, config: Config) -> Controlled | None:
    """The log against another system's monthly totals, where [control] names any."""
    if config.control is None:
        return None
    totals = control.read(data.engine, config.source, config.control)
    limit = config.control.max_difference_share
    return control.compare(data.purchases, totals, data.first_date, data.as_of, limit)


def check_spend(config: Config) -> None:
    """Refuse a wrong spend file before anything takes long."""
    if config.acquisition is not None:
        spend.read(config.acquisition, config.economics.currency)


def acquired(data: Dataset, config: Config, margin: Margin) -> Acquired | None:
    """What winning customers cost and returned, where [acquisition] names the spend."""
    if config.acquisition is None:
        return None
    valuation = margins.valuation(config.economics, margin)
    return channels.acquired(
        data.snapshot, config.acquisition, valuation, config.economics.currency
    )


def drivers_at(config: Config) -> DriversAt:
    """What is told beside the log, at any day."""
    return drivers.reader(config.covariates, config.plan, config.economics.horizon_months)


def valuation_at(config: Config) -> ValuationAt:
    """What a purchase was valued by at any day: by the log's margins up to it, if it has any."""

    def at(then: Snapshot) -> UnitEconomics:
        try:
            known = margin_of(then, config)
        except DataError:  # none was recorded yet, or none that is a share of the revenue
            known = Margin(math.nan)
        return margins.valuation(config.economics, known)

    return at


def ledger(config: Config) -> Ledger:
    """The business's record of forecasts and of what came true."""
    return Ledger(
        config.name, config.economics.currency, reports_folder(config), config.ledger.uri_env
    )


def record(
    config: Config, as_of: dt.date, version: str, forecast: Delivered, coming: NewCustomers
) -> None:
    """Enter a delivered forecast in the ledger, unless it is there already."""
    ledger(config).add_forecast(as_of, version, entries.of_forecast(forecast, coming))


def read_training(snapshot: Snapshot, config: Config) -> TrainingData:
    """Read what the models learn from."""
    return training_data.extract(snapshot, config.train, drivers_at(config)(snapshot))


def fit(data: Dataset, config: Config, progress: Progress) -> tuple[TrainingData, Fitted]:
    """Fit every model at the data's as-of date."""
    with progress.step("read what the models learn from"):
        learned_from = read_training(data.snapshot, config)
        training_data.require_repeats(learned_from)
    with progress.step("fit the models"):
        return learned_from, train.estimate(learned_from, config.train)


def check_fit(learned_from: TrainingData, progress: Progress) -> pd.DataFrame:
    """Fit the reference models by both engines."""
    with progress.step("check the fit against the lifetimes package"):
        return train.parity(learned_from)


def backtested(data: Dataset, config: Config, progress: Progress) -> BacktestResult:
    """Forecast from past origins, and compare."""
    return backtest.run(
        data.snapshot,
        data.last_date,
        settings=config.backtest,
        training=config.train,
        drivers_at=drivers_at(config),
        valuation_at=valuation_at(config),
        progress=progress,
    )


def backtested_or_noted(
    data: Dataset, fitted: Fitted, config: Config, progress: Progress
) -> tuple[BacktestResult, Fitted]:
    """Backtest, or note with the models that the log is too short for one."""
    reason = too_short(data.first_date, data.last_date, config.backtest.origins)
    if reason:
        note = f"No past forecast could be tested: {reason}"
        return BacktestResult.nothing(), replace(fitted, notes=(*fitted.notes, note))
    return backtested(data, config, progress), fitted


def with_earned_churn(fitted: Fitted, result: BacktestResult, settings: Train) -> Fitted:
    """Leave out a churn classifier that past origins show to be no better than the model in use.

    It stays where ``[train] churn_from`` asks for it.
    """
    contest = ChurnContest.of(result.metrics)
    kept = settings.churn_from == "classifier" or fitted.churn is None
    if kept or contest is None or contest.note is None:
        return fitted
    return replace(fitted, churn=None, notes=(*fitted.notes, contest.note))


def delivered(
    fitted: Fitted,
    snapshot: Snapshot,
    history: CohortHistory,
    folder: Path,
    config: Config,
    margin: Margin,
) -> Delivered:
    """Forecast every customer over the configured horizon, and write both tables."""
    return deliver.write(
        fitted,
        snapshot,
        history,
        horizon_grid(snapshot.as_of, config.economics.horizon_months),
        folder,
        label=Label.of(config.name, config.economics.currency, snapshot.as_of),
        valuation=margins.valuation(config.economics, margin),
        churn_horizon_days=config.train.churn_horizon_days,
        names=privacy.pseudonyms(config.governance.pseudonym_key_env),
        embedded=partial(embedded, config.log),
        rfm=RfmRun(config.rfm, earlier_customers(config, snapshot.as_of)),
    )


def earlier_customers(config: Config, as_of: dt.date) -> Earlier | None:
    """The customers of the latest forecast from before a day; None where there is none.

    Whose they are, the cohorts beside them say.
    """
    last = previous_forecast(config, as_of)
    if last is None:
        return None
    day, cohorts = last
    customers = cohorts.with_name(deliver.CUSTOMERS)
    try:
        read_cohorts(cohorts, Label.of(config.name, config.economics.currency, day))
    except DataError as error:
        return Earlier(day, customers, str(error))
    return Earlier(day, customers)
