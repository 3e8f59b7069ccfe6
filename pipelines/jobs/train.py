"""`clv train` and `clv backtest`: fit, replay the past, report and, for the one, save."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.core.errors import ModelFileError
from clvmodels.numerics.threads import one_blas_thread
from pipelines.backtesting.candidates import Compared
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data.features import drivers
from pipelines.data.margins import Margin
from pipelines.jobs import messages, stages
from pipelines.jobs.folders import models_folder
from pipelines.jobs.report import PAGE, metric_records, write_report
from pipelines.registry import card
from pipelines.registry import store as registry
from pipelines.report.inputs import ReportInputs
from pipelines.training.fit import Fitted

OWN = (Compared.CLV.value, Compared.CHURN.value)
"""Models whose figures are the product's own."""


@one_blas_thread
def train_job(
    config: Config, as_of: dt.date | None, progress: Progress, promote: bool = True
) -> Outcome:
    """Fit, backtest and forecast; save the models and the report.

    The version is put into use unless ``promote`` is off, or the one in use knows later data.
    """
    with stages.dataset(config, as_of, progress) as data:
        stages.require_not_shrunk(data, config, in_use(models_folder(config)))
        margin = stages.margin_of(data, config)
        learned_from, fitted = stages.fit(data, config, progress)
        result, fitted = stages.backtested_or_noted(data, fitted, config, progress)
        fitted = stages.with_earned_churn(fitted, result, config.train)
        parity = stages.check_fit(learned_from, progress)
        written = write_report(data, learned_from, fitted, result, config, progress, parity, margin)
        folder, gathered = written.folder, written.gathered
        described = data.described()
    metrics = gathered.told_metrics
    told = gathered.told_accuracy.to_dict("records")
    with progress.step("save the models"):
        saved = registry.save(
            models_folder(config),
            fitted,
            config=config.model_dump(mode="json"),
            card=model_card(fitted, described, gathered, parity, config, margin),
            metrics=metric_records(metrics[metrics["model"].isin(OWN)]),
            data=described,
            decided=decided(fitted, margin),
            errors=[{str(k): v for k, v in row.items()} for row in told if row["model"] in OWN],
            promote=promote,
        )
    stages.record(config, data.as_of, saved.version, written.forecast, written.coming)
    aside = "" if promote else " (challenger, not in use)"
    if saved.later:
        aside = (
            f" (not in use: the model in use knows data up to {saved.later}; `clv models promote` "
            f"{saved.version} puts this one into use)"
        )
    return Outcome(
        [
            *messages.account_lines(data.account, config),
            *messages.plausibility_lines(data.plausibility),
            *drivers.notes(fitted.drivers, fitted.as_of),
            *messages.headline(result, config),
            *messages.margin_line(margin),
            f"model:  {saved.folder}{aside}",
            f"report: {folder / PAGE}",
        ],
        {
            "model": str(saved.folder),
            "report": str(folder),
            "version": saved.version,
            "in_use": promote and not saved.later,
            "gross_margin": margin.described(),
            "account": data.account.without_rows(),
            "plausibility": data.plausibility.to_dict(),
        },
    )


def in_use(home: Path) -> dict[str, Any] | None:
    """The manifest of the model in use; None where there is none, or it is damaged."""
    try:
        version = registry.champion_or_none(home)
        return None if version is None else registry.verify(home, version).manifest
    except ModelFileError:  # the one that is being trained takes its place
        return None


@one_blas_thread
def backtest_job(config: Config, as_of: dt.date | None, progress: Progress) -> Outcome:
    """Replay the past and write the report, without saving models."""
    with stages.dataset(config, as_of, progress) as data:
        margin = stages.margin_of(data, config)
        learned_from, fitted = stages.fit(data, config, progress)
        result = stages.backtested(data, config, progress)
        fitted = stages.with_earned_churn(fitted, result, config.train)
        parity = stages.check_fit(learned_from, progress)
        folder = write_report(
            data, learned_from, fitted, result, config, progress, parity, margin
        ).folder
    return Outcome(
        [
            *messages.headline(result, config),
            *messages.margin_line(margin),
            f"report: {folder / PAGE}",
        ],
        {"report": str(folder), "gross_margin": margin.described()},
    )


def model_card(
    fitted: Fitted,
    account: dict[str, Any],
    gathered: ReportInputs,
    parity: pd.DataFrame,
    config: Config,
    margin: Margin,
) -> str:
    """The card of what was fitted, with the assumptions of the business."""
    assumptions = card.assumptions(
        fitted.cohorts,
        economics=config.economics,
        governance=config.governance,
        margin=margin,
        churn_horizon_days=config.train.churn_horizon_days,
        time_zone=config.calendar.time_zone,
        has_plan=config.plan is not None,
    )
    return card.write(
        fitted,
        name=config.name,
        economics=config.economics,
        assumptions=assumptions,
        account=account,
        metrics=gathered.told_metrics,
        pooled=gathered.told_accuracy,
        parity=parity,
    )


def decided(fitted: Fitted, margin: Margin) -> dict[str, Any]:
    """What the run decided beside the configuration, and where it is from."""
    choice = fitted.choice
    model = {} if choice is None else {"transaction_model": choice.described()}
    return {"gross_margin": margin.described(), **model}
