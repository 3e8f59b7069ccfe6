"""`clv forecast`: score every customer with a saved model."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pandas as pd

from clvmodels.core.errors import DataError
from clvmodels.numerics.threads import one_blas_thread
from pipelines import files
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data.features import CohortHistory, drivers
from pipelines.forecasting import deliver
from pipelines.forecasting import new_customers as budget
from pipelines.jobs import messages, stages
from pipelines.jobs.folders import models_folder, report_folder
from pipelines.jobs.report import BACKTEST, PAGE
from pipelines.registry import store as registry
from pipelines.report.saved.report import read_report
from pipelines.training import fit as train


@one_blas_thread
def forecast_job(
    config: Config, as_of: dt.date | None, progress: Progress, version: str | None = None
) -> Outcome:
    """Score every customer with a saved model and write both forecast tables."""
    fitted, saved = registry.load(models_folder(config), version)
    train.require_same_horizon(fitted, config.train.churn_horizon_days)
    with stages.dataset(config, as_of, progress) as data:
        stages.require_not_shrunk(data, config, saved.manifest)
        margin = stages.margin_of(data, config)
        fitted = train.with_drivers(fitted, stages.drivers_at(config)(data.snapshot))
        folder = report_folder(config, data.as_of)
        with (
            progress.step(f"forecast {data.account.customers:,} customers"),
            files.replacing_folder(folder, keep=True) as beside,
        ):
            history = CohortHistory.of(data.snapshot)
            forecast = stages.delivered(fitted, data.snapshot, history, beside, config, margin)
            coming = budget.write(forecast.forecaster, forecast.grid.until, fitted.drivers, beside)
        stages.record(config, data.as_of, saved.version, forecast, coming)
    return Outcome(
        [
            *messages.hindsight(fitted, data.as_of),
            *drivers.notes(fitted.drivers, data.as_of),
            *messages.forecast_lines(forecast, data.account.customers, config),
            *messages.margin_line(margin),
            *messages.rfm_lines(forecast.rfm),
            messages.budget_line(coming, config),
            *_page_beside(folder, forecast.totals, config),
            f"model:     {saved.folder}",
            f"customers: {folder / deliver.CUSTOMERS}",
            f"cohorts:   {folder / deliver.COHORTS}",
            f"new:       {folder / budget.FILE}",
        ],
        {
            "as_of": data.as_of,
            "version": saved.version,
            "customers": forecast.customers,
            "report": str(folder),
            "totals": forecast.totals.to_dict("records"),
            "still_to_come": coming.by_month().sum(numeric_only=True).to_dict(),
            "rfm": messages.rfm_facts(forecast.rfm),
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
    written = totals.set_index("quantity")["value"]
    if all(math.isclose(written[name], shown[name] or 0.0, rel_tol=1e-6) for name in shown):
        return []
    return [
        f"note: {PAGE} there shows another forecast, made from other data or by another model; "
        f"`clv refresh --as-of {folder.name}` writes it anew"
    ]
