"""Frames to JSON-safe tables: rows of plain values under columns that say how to show them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal[
    "text",
    "integer",
    "number",
    "score",
    "ratio",
    "percent",
    "currency",
    "cents",
    "date",
    "month",
    "quarter",
]
"""How a value is shown: ``number`` to two decimals, ``ratio`` to four digits, ``currency`` as
exactly as its size allows, ``cents`` to the cent, whatever its size."""

Table = dict[str, Any]

OPTIONAL = ("_low", "_high", "_to", "coverage_90", "days")
"""Endings of columns that are left out where they say nothing: no interval, no cohorts together, no
month cut in two."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its key in the frame, its heading, and how it is shown."""

    key: str
    label: str
    kind: Kind = "text"


def table(
    frame: pd.DataFrame, columns: Sequence[Column], *, title: str, sheet: str, note: str = ""
) -> Table:
    """Turn a frame into a table of plain values; columns that it lacks are left out.

    Parameters
    ----------
    frame : DataFrame
        One row a row of the table.
    columns : sequence of Column
        In the order shown.
    title, note : str
        Heading and one line of explanation.
    sheet : str
        Name of the workbook's sheet, at most 31 characters.

    Returns
    -------
    dict
        ``title``, ``note``, ``sheet``, ``columns`` (key, label, kind) and ``rows`` (lists).
    """
    kept = [
        column
        for column in columns
        if column.key in frame.columns
        and not (column.key.endswith(OPTIONAL) and frame[column.key].isna().all())
    ]
    series = [[plain(value) for value in frame[column.key]] for column in kept]
    return {
        "title": title,
        "note": note,
        "sheet": sheet,
        "columns": [asdict(column) for column in kept],
        "rows": [list(row) for row in zip(*series, strict=True)],
    }


def records(content: Table) -> list[dict[str, Any]]:
    """Rows of a table as dictionaries by column key."""
    keys = [column["key"] for column in content["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in content["rows"]]


def plain(value: Any) -> Any:
    """Return the value as JSON knows it: not-a-number and infinities None, dates ISO strings."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (dt.datetime, np.datetime64)):
        return pd.Timestamp(value).date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray, pd.Series)):
        return [plain(item) for item in value]
    return str(value)


def as_frame(content: Any) -> pd.DataFrame:
    """Return a frame from a frame, a list of records or nothing."""
    if isinstance(content, pd.DataFrame):
        return content
    return pd.DataFrame(list(content or []))
