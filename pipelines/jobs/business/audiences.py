"""`clv audiences`: write whom to talk to, from the forecast that was delivered."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from clvmodels.core.errors import ConfigError, DataError
from pipelines import files
from pipelines.activation import builtin, customers
from pipelines.activation.made import FOLDER, Made, make
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data import privacy
from pipelines.data.features.rfm import of_people
from pipelines.forecasting import deliver
from pipelines.forecasting.delivered import Label, read_cohorts
from pipelines.jobs import stages
from pipelines.jobs.folders import days_of, previous_forecast, report_folder, reports_folder


def audiences_job(config: Config, as_of: dt.date | None, progress: Progress) -> Outcome:
    """Write every audience of a delivered forecast as CSV and Parquet."""
    day, folder = _delivered(config, as_of)
    read_cohorts(folder / deliver.COHORTS, Label.of(config.name, config.economics.currency, day))
    earlier = stages.earlier_customers(config, day)
    before = None if earlier is None or earlier.note else earlier.customers
    table = customers.read(folder / deliver.CUSTOMERS, before)
    _require_columns(config, table)
    table, withdrawn = _willing(table, config, progress)
    wanted = builtin.audiences(table) if config.audiences.builtin else {}
    wanted |= config.audience
    last = _last_written(config, day)
    with (
        progress.step(f"write {len(wanted)} audiences"),
        files.replacing_folder(folder / FOLDER) as beside,
    ):
        made = [
            make(table, name, one, beside, columns=config.audiences.columns, before=last)
            for name, one in wanted.items()
        ]
    currency = config.economics.currency
    lines = [_line(one, currency) for one in made]
    if withdrawn:
        lines.append(
            f"left out: {withdrawn:,} customers of the forecast who have no consent by the log's "
            "last word, or are not in it any more"
        )
    if earlier is not None and earlier.note:
        lines.append(
            f"note: probability_alive_change is known of nobody, for the forecast of "
            f"{earlier.as_of} cannot be compared with: {earlier.note}"
        )
    formulas = max((one.formulas for one in made), default=0)
    if formulas:
        lines.append(
            f"note: {formulas:,} customer ids or more begin with =, +, - or @, which spreadsheets "
            "take for formulas in a CSV; read that column as text, or take the Parquet file"
        )
    return Outcome(
        [*lines, f"audiences: {folder / FOLDER}"],
        {
            "as_of": day,
            "folder": str(folder / FOLDER),
            "withdrawn": withdrawn,
            "not_compared": None if earlier is None else earlier.note,
            "audiences": [asdict(one) for one in made],
        },
    )


def _delivered(config: Config, as_of: dt.date | None) -> tuple[dt.date, Path]:
    if as_of is not None:
        folder = report_folder(config, as_of)
        if not (folder / deliver.CUSTOMERS).exists():
            raise DataError(
                f"{folder / deliver.CUSTOMERS} does not exist; run `clv forecast` first"
            )
        return as_of, folder
    latest = previous_forecast(config, dt.date.max)
    if latest is None:
        raise DataError(f"no forecast under {reports_folder(config)}; run `clv forecast` first")
    return latest[0], latest[1].parent


def _last_written(config: Config, day: dt.date) -> Path | None:
    """Folder of the audiences written last for an earlier day."""
    before = [one for one in days_of(config, FOLDER) if one < day]
    return report_folder(config, max(before)) / FOLDER if before else None


def _require_columns(config: Config, table: pd.DataFrame) -> None:
    unknown = [name for name in config.audiences.columns if name not in table]
    if unknown:
        raise ConfigError(
            f"audiences.columns: customers have no column {', '.join(unknown)}; valid: "
            f"{', '.join(map(str, table.columns))}"
        )


def _willing(table: pd.DataFrame, config: Config, progress: Progress) -> tuple[pd.DataFrame, int]:
    """Leave out who has withdrawn consent since the forecast, by the last word of the source."""
    if config.governance.consent == "ignore":
        return table, 0
    names = privacy.pseudonyms(config.governance.pseudonym_key_env)
    with stages.dataset(config, None, progress) as data:
        people = of_people(data.purchases, "individual").select("customer_id").distinct()
        ids = people.execute()["customer_id"]
    willing = table["customer_id"].isin(ids if names is None else names.of_all(ids))
    if len(table) and not willing.any():
        raise DataError(
            f"none of the {len(table):,} customers of the forecast is in the log with consent. Has "
            "governance.pseudonym_key_env been set, or got another key, since the forecast? Then "
            "run `clv forecast` again. Nothing was written; if all have withdrawn, delete the "
            f"folders {FOLDER} under {reports_folder(config)}"
        )
    return table[willing].reset_index(drop=True), int((~willing).sum())


def _line(made: Made, currency: str) -> str:
    change = (
        ""
        if made.entered is None
        else f"; {made.entered:,} entered, {made.stayed:,} stayed, {made.left:,} left"
    )
    return (
        f"{made.name}: {made.customers:,} customers, expected revenue "
        f"{made.expected_revenue:,.0f} {currency}, CLV {made.clv:,.0f} {currency}{change}"
    )
