"""The report of an as-of date: written with a run, and by `clv report` again from what it saved."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from clvmodels.core.errors import DataError
from clvmodels.core.schema import METRICS, SCHEMA_VERSION
from clvmodels.numerics.threads import one_blas_thread
from pipelines import files
from pipelines.backtesting.run import BacktestResult
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data.customer_days import Dataset
from pipelines.data.margins import Margin
from pipelines.forecasting import new_customers as budget
from pipelines.forecasting.deliver import Delivered
from pipelines.forecasting.new_customers import NewCustomers
from pipelines.jobs import stages
from pipelines.jobs.folders import report_folder, reports_folder
from pipelines.monitoring.judged import Judged
from pipelines.report import gather as inputs
from pipelines.report import page as render
from pipelines.report import summarize
from pipelines.report.figures import forecasts as figures
from pipelines.report.gather import Tracked
from pipelines.report.inputs import ReportInputs
from pipelines.report.saved.report import read_report, refuse_report
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData

BACKTEST = "backtest.json"
PAGE = "backtest.html"
WORKBOOK = "backtest.xlsx"
FIGURES = "figures"


@dataclass(frozen=True)
class Written:
    """A report as it was written.

    Attributes
    ----------
    folder : Path
    gathered : ReportInputs
        What it was made from.
    forecast : Delivered
    coming : NewCustomers
    """

    folder: Path
    gathered: ReportInputs
    forecast: Delivered
    coming: NewCustomers


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
    learned_from: TrainingData,
    fitted: Fitted,
    result: BacktestResult,
    config: Config,
    progress: Progress,
    parity: pd.DataFrame,
    margin: Margin,
    tracked: Tracked | None = None,
    judged: Judged | None = None,
) -> Written:
    """Forecast every customer and write the as-of date's report folder, whole or not at all.

    Parameters
    ----------
    parity : DataFrame
        Of :func:`pipelines.training.fit.parity`.
    tracked : Tracked, optional
        An earlier forecast and what happened since (see :mod:`pipelines.jobs.refresh`).
    judged : Judged, optional
        Every forecast of the ledger whose months have ended.
    """
    folder = report_folder(config, data.as_of)
    with (
        progress.step("forecast every customer and write the report"),
        files.replacing_folder(folder) as beside,
    ):
        history = learned_from.history
        forecast = stages.delivered(fitted, data.snapshot, history, beside, config, margin)
        coming = budget.write(forecast.forecaster, forecast.grid.until, fitted.drivers, beside)
        gathered = inputs.gather(
            data,
            learned_from,
            fitted,
            result,
            forecast,
            coming,
            config.terms,
            parity,
            tracked,
            margin,
            stages.controlled(data, config),
            stages.acquired(data, config, margin),
            judged,
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
    return Written(folder, gathered, forecast, coming)


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
    parent = reports_folder(config)
    reports = sorted(path.parent for path in parent.glob(f"[0-9]*/{BACKTEST}"))
    if not reports:
        raise DataError(f"no report under {parent}; run `clv train` or `clv backtest` first")
    return reports[-1]
