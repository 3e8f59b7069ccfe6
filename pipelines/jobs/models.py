"""The jobs of the command line, each a sequence of stages from the source to files."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.core.errors import DataError
from clvmodels.core.schema import METRICS, SCHEMA_VERSION
from clvmodels.numerics.threads import one_blas_thread
from pipelines import files
from pipelines.backtesting import run as backtest
from pipelines.backtesting.run import BacktestResult
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data import customer_days as transactions
from pipelines.data import margins
from pipelines.data.customer_days import Dataset
from pipelines.data.features import drivers
from pipelines.data.margins import Margin
from pipelines.forecasting import customers as forecast
from pipelines.forecasting import deliver
from pipelines.forecasting import new_customers as budget
from pipelines.jobs import messages
from pipelines.registry import card
from pipelines.registry import store as registry
from pipelines.report import gather as inputs
from pipelines.report import page as render
from pipelines.report import summarize
from pipelines.report.figures import forecasts as figures
from pipelines.report.gather import Tracked
from pipelines.report.saved.report import read_report, refuse_report
from pipelines.training import fit as train
from pipelines.training import snapshot as training_data
from pipelines.training.fit import Fitted
from pipelines.training.snapshot import TrainingData

BACKTEST = "backtest.json"
PAGE = "backtest.html"
WORKBOOK = "backtest.xlsx"
FIGURES = "figures"


def report_folder(config: Config, as_of: dt.date) -> Path:
    """Folder of one as-of date's report."""
    return Path(config.output.reports) / config.name / as_of.isoformat()


@contextmanager
def dataset(config: Config, as_of: dt.date | None, progress: Progress) -> Iterator[Dataset]:
    """Read and check the source, as one step on the console."""
    with ExitStack() as stack:
        with progress.step("read and check the transactions"):
            data = stack.enter_context(transactions.load(config, as_of))
        yield data


def fit(data: Dataset, config: Config, progress: Progress) -> tuple[TrainingData, Fitted]:
    """Fit every model at the data's as-of date."""
    with progress.step("read what the models learn from"):
        known = training_data.extract(
            data.purchases, data.first_date, data.as_of, config, data.summary
        )
        training_data.require_repeats(known)
    with progress.step("fit the models"):
        return known, train.estimate(known, config)


def check_fit(known: TrainingData, progress: Progress) -> pd.DataFrame:
    """Fit the reference models by both engines."""
    with progress.step("check the fit against the lifetimes package"):
        return train.parity(known)


def replay(
    data: Dataset, fitted: Fitted, config: Config, progress: Progress
) -> tuple[BacktestResult, Fitted]:
    """Backtest, or note with the models that the log is too short for one."""
    reason = backtest.too_short(data.first_date, data.last_date, config)
    if reason:
        note = f"No past forecast could be tested: {reason}"
        return BacktestResult.nothing(), replace(fitted, notes=(*fitted.notes, note))
    first, last = data.first_date, data.last_date
    return backtest.run(data.purchases, first, last, config, progress), fitted


@one_blas_thread
def train_job(
    config: Config, as_of: dt.date | None, progress: Progress, promote: bool = True
) -> Outcome:
    """Fit, backtest and forecast; save the models and the report.

    The version is put into use unless ``promote`` is off, or the one in use knows later data.
    """
    with dataset(config, as_of, progress) as data:
        margin = margins.margin(data, config)
        known, fitted = fit(data, config, progress)
        result, fitted = replay(data, fitted, config, progress)
        parity = check_fit(known, progress)
        folder, told = write_report(
            data, known, fitted, result, config, progress, parity, margin=margin
        )
        described = data.described()
    with progress.step("save the models"):
        saved = registry.save(
            fitted,
            config,
            card=card.write(
                fitted,
                config,
                account=described,
                metrics=told,
                parity=parity,
                margin=margin,
            ),
            metrics=metric_records(told),
            data=described,
            decided={"gross_margin": margin.described()},
            promote=promote,
        )
    aside = "" if promote else " (challenger, not in use)"
    if saved.later:
        aside = (
            f" (not in use: the model in use knows data up to {saved.later}; `clv models promote` "
            f"{saved.version} puts this one into use)"
        )
    return Outcome(
        [
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
        },
    )


@one_blas_thread
def backtest_job(config: Config, as_of: dt.date | None, progress: Progress) -> Outcome:
    """Replay the past and write the report, without saving models."""
    with dataset(config, as_of, progress) as data:
        margin = margins.margin(data, config)
        known, fitted = fit(data, config, progress)
        result = backtest.run(data.purchases, data.first_date, data.last_date, config, progress)
        parity = check_fit(known, progress)
        folder, _ = write_report(
            data, known, fitted, result, config, progress, parity, margin=margin
        )
    return Outcome(
        [
            *messages.headline(result, config),
            *messages.margin_line(margin),
            f"report: {folder / PAGE}",
        ],
        {"report": str(folder), "gross_margin": margin.described()},
    )


@one_blas_thread
def forecast_job(
    config: Config, as_of: dt.date | None, progress: Progress, version: str | None = None
) -> Outcome:
    """Score every customer with a saved model and write both forecast tables."""
    fitted, saved = registry.load(config, version)
    train.require_same_horizon(fitted, config)
    with dataset(config, as_of, progress) as data:
        margin = margins.margin(data, config)
        told = drivers.read(data.summary, data.first_date, data.as_of, config)
        fitted = train.with_drivers(fitted, told)
        folder = report_folder(config, data.as_of)
        grid = forecast.default_grid(data.as_of, config)
        with (
            progress.step(f"forecast {data.account.customers:,} customers"),
            files.replacing_folder(folder, keep=True) as beside,
        ):
            made = deliver.write(
                fitted,
                data.purchases,
                data.first_date,
                grid,
                beside,
                config,
                data.summary,
                margin=margin,
            )
            new = budget.write(made.forecaster, grid.until, told, beside)
    return Outcome(
        [
            *messages.hindsight(fitted, data.as_of),
            *drivers.notes(told, grid.as_of),
            *messages.forecast_lines(made, data.account.customers, config),
            *messages.margin_line(margin),
            messages.budget_line(new, config),
            *_page_beside(folder, made.totals, config),
            f"model:     {saved.folder}",
            f"customers: {folder / deliver.CUSTOMERS}",
            f"cohorts:   {folder / deliver.COHORTS}",
            f"new:       {folder / budget.FILE}",
        ],
        {
            "as_of": data.as_of,
            "version": saved.version,
            "customers": made.customers,
            "report": str(folder),
            "totals": made.totals.to_dict("records"),
            "still_to_come": new.by_month().sum(numeric_only=True).to_dict(),
            "gross_margin": margin.described(),
            "warnings": messages.hindsight(fitted, data.as_of),
        },
    )


def _page_beside(folder: Path, totals: pd.DataFrame, config: Config) -> list[str]:
    """Say so where the folder's page tells of another forecast than the tables beside it."""
    if not (folder / BACKTEST).is_file():
        return []
    try:
        cards = read_report(folder / BACKTEST, config.name)["headline"]["forecast"]["totals"]
    except DataError as error:
        return [f"note: {error}"]
    shown = {card["quantity"]: card["value"] for card in cards}
    made = totals.set_index("quantity")["value"]
    if all(math.isclose(made[name], shown[name] or 0.0, rel_tol=1e-6) for name in shown):
        return []
    return [
        f"note: {PAGE} there shows another forecast, made from other data or by another model; "
        f"`clv refresh --as-of {folder.name}` writes it anew"
    ]


@one_blas_thread
def report_job(config: Config, as_of: dt.date | None, progress: Progress) -> Outcome:
    """Write page, workbook and figures again from a saved backtest.json."""
    folder = report_folder(config, as_of) if as_of else _latest_report(config)
    path = folder / BACKTEST
    if not path.is_file():
        raise DataError(f"{path} does not exist; run `clv train` or `clv backtest` first")
    summary = read_report(path, config.name)
    with progress.step("write the report"), files.replacing_folder(folder, keep=True) as beside:
        try:
            _draw(summary, beside)
        except (ValueError, IndexError) as error:  # its lists are of lengths that do not agree
            refuse_report(path, f"its lists do not fit together ({error})")
    return Outcome([f"report: {folder / PAGE}"], {"report": str(folder)})


def write_report(
    data: Dataset,
    known: TrainingData,
    fitted: Fitted,
    result: BacktestResult,
    config: Config,
    progress: Progress,
    parity: pd.DataFrame,
    tracked: Tracked | None = None,
    margin: Margin | None = None,
) -> tuple[Path, pd.DataFrame]:
    """Forecast every customer and write the as-of date's report folder, whole or not at all.

    Parameters
    ----------
    parity : DataFrame
        Of :func:`pipelines.training.fit.parity`.
    tracked : Tracked, optional
        An earlier forecast and what happened since (see :mod:`pipelines.jobs.refresh`).
    margin : Margin, optional
        What the run goes by; by default the configuration's own.

    Returns
    -------
    folder : Path
    metrics : DataFrame
        Those of the backtest that may be told.
    """
    folder = report_folder(config, data.as_of)
    with (
        progress.step("forecast every customer and write the report"),
        files.replacing_folder(folder) as beside,
    ):
        grid = forecast.default_grid(data.as_of, config)
        made = deliver.write(
            fitted,
            data.purchases,
            data.first_date,
            grid,
            beside,
            config,
            data.summary,
            known.cohort_months,
            margin,
        )
        new = budget.write(made.forecaster, grid.until, fitted.drivers, beside)
        gathered = inputs.gather(
            data, known, fitted, result, made, new, config, parity, tracked, margin
        )
        summary = summarize(gathered)
        content = {
            "schema_version": SCHEMA_VERSION,
            "name": config.name,
            "as_of": data.as_of.isoformat(),
            "metrics": metric_records(gathered.told_metrics),
            "report": summary,
        }
        files.write_text(beside / BACKTEST, files.to_json(content))
        _draw(summary, beside)
    return folder, gathered.told_metrics


def metric_records(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """The metrics as backtest.json holds them: one record a figure."""
    dated = metrics[METRICS.names].assign(
        origin=pd.to_datetime(metrics["origin"]).dt.strftime("%Y-%m-%d")
    )
    return [dict(zip(METRICS.names, row, strict=True)) for row in dated.itertuples(index=False)]


def _draw(summary: dict[str, Any], folder: Path) -> None:
    """Write page, workbook and pictures of a summarised report."""
    pictures = figures.draw_all(summary)
    (folder / FIGURES).mkdir(exist_ok=True)
    for name, content in pictures.items():
        (folder / FIGURES / f"{name}.png").write_bytes(content)
    files.write_text(folder / PAGE, render.html(summary, pictures))
    render.workbook(summary, folder / WORKBOOK)


def _latest_report(config: Config) -> Path:
    parent = Path(config.output.reports) / config.name
    found = sorted(path.parent for path in parent.glob(f"[0-9]*/{BACKTEST}"))
    if not found:
        raise DataError(f"no report under {parent}; run `clv train` or `clv backtest` first")
    return found[-1]
