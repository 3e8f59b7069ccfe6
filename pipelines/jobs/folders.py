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
    days = [day for day in days_of(config, deliver.COHORTS) if day < as_of]
    return (max(days), report_folder(config, max(days)) / deliver.COHORTS) if days else None


def days_of(config: Config, name: str) -> list[dt.date]:
    """Days whose report holds a file or folder of a name; other folders beside them are none."""
    found = []
    for path in reports_folder(config).glob(f"*/{name}"):
        try:
            day = dt.date.fromisoformat(path.parent.name)
        except ValueError:
            continue
        if day.isoformat() == path.parent.name:
            found.append(day)
    return found
