"""Where a business keeps its models and its reports."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pipelines.config.load import Config


def models_folder(config: Config) -> Path:
    """Folder of all saved versions, which bears the business's name."""
    return Path(config.output.models) / config.name


def reports_folder(config: Config) -> Path:
    """Folder of all reports."""
    return config.log.reports


def report_folder(config: Config, as_of: dt.date) -> Path:
    """Folder of one as-of date's report."""
    return reports_folder(config) / as_of.isoformat()
