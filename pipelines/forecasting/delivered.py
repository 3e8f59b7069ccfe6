"""Delivered forecasts read back: the cohort forecast of an earlier run, checked before it is used.

A folder of reports may hold what another business, another currency, another program or half a
copy has left there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clvmodels.core.errors import DataError
from clvmodels.core.schema import COHORT_FORECAST, SCHEMA_VERSION
from pipelines import files
from pipelines.nesting import from_json
from pipelines.sources.failures import first_line

KEYS = ("cohort", "period")
POINTS = ("purchases", "revenue")

MOST_CELLS = 1_000_000
"""More than the cohorts of any log by the months of the longest horizon."""

_LABEL = b"clv"
_TIMES = tuple(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns"))


@dataclass(frozen=True)
class Label:
    """Whose forecast a file holds; kept in the file itself.

    Attributes
    ----------
    name : str
        Of the business.
    as_of : str
        Last day that the forecast knew, as an ISO date.
    currency : str
    schema_version : int
    """

    name: str
    as_of: str
    currency: str
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, name: str, currency: str, as_of: dt.date) -> Label:
        """Return the label of the forecast that a business makes at a day."""
        return cls(name, as_of.isoformat(), currency)


def write_cohorts(table: pd.DataFrame, label: Label, path: Path) -> None:
    """Write a cohort forecast (schema.COHORT_FORECAST) as Parquet, with its label."""
    content = pa.Table.from_pandas(table, preserve_index=False)
    kept = {**(content.schema.metadata or {}), _LABEL: files.to_json(asdict(label)).encode()}
    pq.write_table(content.replace_schema_metadata(kept), path)


def read_cohorts(path: Path, wanted: Label) -> pd.DataFrame:
    """Read the cohort forecast that an earlier run has delivered.

    Parameters
    ----------
    path : Path
    wanted : Label
        Whose forecast it must be. Files of earlier releases hold no label, and are taken for it.

    Returns
    -------
    DataFrame
        The required columns of schema.COHORT_FORECAST: every cohort in every month.

    Raises
    ------
    DataError
        If it cannot be read or is no such forecast; the message names what is wrong, and the
        remedy.
    """
    try:
        problem, table = _read(path, wanted)
    except (OSError, ValueError, pa.ArrowException) as error:
        problem, table = f"it cannot be read ({first_line(error)})", pd.DataFrame()
    if problem is not None:
        raise DataError(
            f"{path} is no forecast of {wanted.as_of} to compare with: {problem}. Make it again "
            f"with `clv forecast --as-of {wanted.as_of}`, or move its folder elsewhere."
        )
    return table


def _read(path: Path, wanted: Label) -> tuple[str | None, pd.DataFrame]:
    """Return the first problem, and the table where there is none."""
    if not path.is_file():
        return "it is a folder, expected a file", pd.DataFrame()
    with pq.ParquetFile(path) as file:
        problems = _problems_of_file(file.schema_arrow, file.metadata.num_rows, wanted)
        problem = next(problems, None)
        if problem is not None:
            return problem, pd.DataFrame()
        content = file.read(columns=COHORT_FORECAST.required)
    table = content.to_pandas(ignore_metadata=True, date_as_object=False)
    return next(_problems_of_table(table, dt.date.fromisoformat(wanted.as_of)), None), table


def _problems_of_file(columns: pa.Schema, rows: int, wanted: Label) -> Iterator[str]:
    """Say what is wrong with a file, before its rows are read."""
    missing = [name for name in COHORT_FORECAST.required if name not in columns.names]
    if missing:
        yield (
            f"it lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)} (found: "
            f"{', '.join(columns.names) or 'none'})"
        )
    for name in COHORT_FORECAST.required:
        if columns.names.count(name) > 1:
            yield f"it holds the column {name} twice"
        kind = columns.field(name).type
        if name in KEYS and not (pa.types.is_date(kind) or kind in _TIMES):
            yield f"its column {name} holds {kind}, expected dates"
        if name not in KEYS and not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            yield f"its column {name} holds {kind}, expected numbers"
    if not 0 < rows <= MOST_CELLS:
        yield f"it holds {rows:,} rows, expected one a cohort and month"
    label = _label_in(columns)
    for key, value in asdict(wanted).items():
        if label.get(key, value) != value:
            yield f"its {key.replace('_', ' ')} is {label[key]}, expected {value}"


def _label_in(columns: pa.Schema) -> dict[str, Any]:
    """Return what a file says of itself; nothing where it is of an earlier release."""
    text = (columns.metadata or {}).get(_LABEL)
    if text is None:
        return {}
    label = from_json(text.decode())
    if not isinstance(label, dict):
        raise ValueError("its label is no JSON object")
    return label


def _problems_of_table(table: pd.DataFrame, as_of: dt.date) -> Iterator[str]:
    """Say what is wrong with the rows: they must be a whole grid of cohorts by months."""
    for name in (*KEYS, *POINTS):
        values = table[name]
        lost = int((values.isna() if name in KEYS else ~np.isfinite(values)).sum())
        if lost:
            yield f"it has {lost:,} row{'s' * (lost > 1)} without {name}"
    for name in KEYS:
        days = table[name]
        odd = days[(days.dt.day != 1) | (days != days.dt.normalize())]
        if len(odd):
            yield f"its {name} {odd.iloc[0]} is not the first day of a month"
    late = table["cohort"].max()
    if late > pd.Timestamp(as_of):
        yield f"its cohort {late:%Y-%m} is later than its own as-of date"
    twice = table[table.duplicated([*KEYS])]
    if len(twice):
        cohort, period = twice.iloc[0][[*KEYS]]
        yield f"it holds cohort {cohort:%Y-%m}, month {period:%Y-%m} twice"
    months = np.sort(table["period"].unique())
    first = (as_of + dt.timedelta(days=1)).replace(day=1)
    if list(months) != list(pd.date_range(first, periods=len(months), freq="MS")):
        yield f"its months do not follow {as_of} without a gap"
    cells = table["cohort"].nunique() * len(months)
    if len(table) != cells:
        yield f"it holds {len(table):,} of the {cells:,} rows of its cohorts and months"
