"""Where a business keeps its models and its reports."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pipelines.config.load import Config
from pipelines.forecasting import deliver


def models_folder(config: Config) -> Path:
    """Folder of all saved versions, which bears the business's name."""
    return Path(config.output.models) / config.name


def reports_folder(config: Config) -> Path:
    """Folder of all reports."""
    return config.log.reports


def report_folder(config: Config, as_of: dt.date) -> Path:
    """Folder of one as-of date's report."""
    return reports_folder(config) / as_of.isoformat()


def previous_forecast(config: Config, as_of: dt.date) -> tuple[dt.date, Path] | None:
    """The latest delivered forecast from before ``as_of``, if there is one."""
    parent = reports_folder(config)
    days = {}
    for path in parent.glob(f"*/{deliver.COHORTS}"):
        try:
            day = dt.date.fromisoformat(path.parent.name)
        except ValueError:
            continue
        if day < as_of:
            days[day] = path
    return max(days.items()) if days else None
