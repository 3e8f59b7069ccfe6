"""Small tables by calendar month, written by people: marketing spend, prices, planned customers."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clvmodels.core.arguments import column_names
from clvmodels.core.errors import ConfigError, DataError, MissingColumnError
from pipelines.sources.files.text import open_text
from pipelines.sources.files.workbooks.excel import read_first_sheet
from pipelines.sources.paths import kind_of_file

DELIMITERS = ",;\t|"
MONTH = r"\d{4}-\d{2}(?:-\d{2})?(?:[ T]00:00(?::00(?:\.0+)?)?)?"


def read_months(path: str, period: str, columns: Sequence[str], section: str) -> pd.DataFrame:
    """Read columns of numbers by month, every row checked.

    Parameters
    ----------
    path : str
        A CSV file (comma, semicolon, tab or bar; also gzip), the first visible sheet of a workbook,
        or a Parquet file.
    period : str
        The column of months: text such as 2021-03 or 2021-03-01, or dates.
    columns : sequence of str
        The columns wanted.
    section : str
        Of the configuration, for messages.

    Returns
    -------
    DataFrame
        ``period`` (first day of the month), then the columns as floats; sorted by month.

    Raises
    ------
    ConfigError
        If there is no such file.
    DataError, MissingColumnError
        If it cannot be read or holds no row, a column is missing, a date is no month, a month
        appears twice, or a value is missing or no number.
    """
    where = f"{path}, named in [{section}],"
    return checked(read_rows(path, section), period, columns, where)


def read_rows(path: str, section: str) -> pd.DataFrame:
    """Read a file as it is; text of a CSV stays text.

    Raises
    ------
    ConfigError
        If there is no such file.
    DataError
        If it cannot be read.
    """
    return _read(Path(path), f"{path}, named in [{section}],", section)


def checked(raw: pd.DataFrame, period: str, columns: Sequence[str], where: str) -> pd.DataFrame:
    """Check a table by month, wherever it was read (:func:`read_months`).

    Parameters
    ----------
    raw : DataFrame
    period : str
    columns : sequence of str
    where : str
        It was read, for messages.
    """
    columns = column_names(columns, "columns")
    missing = [name for name in (period, *columns) if name not in raw.columns]
    if missing:
        raise MissingColumnError(where, missing, [str(name) for name in raw.columns])
    if raw.empty:
        raise DataError(f"{where} holds no row; expected one a month. Add them.")
    months = months_in(raw[period], where)
    twice = months[months.duplicated()]
    if len(twice):
        raise DataError(
            f"{where} holds {twice.iloc[0]:%Y-%m} twice; expected one row a month. Add the rows up."
        )
    table = pd.DataFrame({"period": months})
    for name in columns:
        table[name] = numbers_in(raw[name], months, where)
    return table.sort_values("period", ignore_index=True)


def require_months(
    table: pd.DataFrame, first: dt.date, as_of: dt.date, until: dt.date, where: str
) -> None:
    """Check that a table holds every month from the first day of the log to the horizon's end.

    Raises
    ------
    DataError
        If a month is missing; the message names the first, and how many there are.
    """
    have = pd.DatetimeIndex(table["period"])
    past = pd.date_range(first.replace(day=1), as_of, freq="MS").difference(have)
    ahead = pd.date_range(first.replace(day=1), until, freq="MS").difference(have)
    if len(past):
        raise DataError(
            f"{where} has no row for {past[0]:%Y-%m} ({_count(past)} missing); expected every "
            f"month of the log, from {first:%Y-%m} to {as_of:%Y-%m}. Add them."
        )
    if len(ahead):
        raise DataError(
            f"{where} has no row for {ahead[0]:%Y-%m} ({_count(ahead)} missing); the forecast "
            f"reaches to {until} and needs the values planned for its months. Add planned values, "
            "or lower [economics] horizon_months."
        )


def _read(file: Path, where: str, section: str) -> pd.DataFrame:
    if not file.is_file():
        raise ConfigError(
            f"no file at {file}; set [{section}] path (relative paths start at the folder of the "
            "configuration file)"
        )
    try:
        kind = kind_of_file(str(file))
        if kind == "csv":
            return pd.read_csv(
                file,
                sep=_delimiter(file),
                dtype=str,
                encoding="utf-8-sig",
                keep_default_na=False,  # NA is a country, None a channel
                na_values=[""],
            )
        if kind == "excel":
            return read_first_sheet(file)
        return pd.read_parquet(file)
    # pandas' and pyarrow's errors are ValueErrors; damaged gzip has its own
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot read {where} as CSV (.csv, .txt, .tsv, also .gz), workbook or Parquet: "
            f"{error}. Give it a header and one row a month."
        ) from None


def _delimiter(file: Path) -> str:
    """The delimiter that the header holds most of."""
    with open_text(file, "utf-8-sig") as text:
        header = str(text.readline())
    return max(DELIMITERS, key=header.count)


def months_in(values: pd.Series, where: str) -> pd.Series:
    """First days of months; the first offending row is named."""
    text = values.astype("string").str.strip()
    dates = pd.to_datetime(text.where(text.str.fullmatch(MONTH)), errors="coerce", format="ISO8601")
    odd = dates.isna() | (dates.dt.day != 1)
    if odd.any():
        row = int(np.argmax(odd.to_numpy()))
        found = values.iloc[row]
        raise DataError(
            f"{where} needs months in '{values.name}', as 2021-03 or 2021-03-01; found {found!r} "
            f"in row {row + 1}. Bring its rows to one a calendar month, dated the first."
        )
    return dates.astype("datetime64[s]")


def numbers_in(values: pd.Series, months: pd.Series, where: str) -> pd.Series:
    """Numbers; the first offending row is named by its month."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    odd = ~np.isfinite(numbers.to_numpy())
    if odd.any():
        row = int(np.argmax(odd))
        found = values.iloc[row]
        shown = "nothing" if pd.isna(found) else repr(found)
        raise DataError(
            f"{where} needs numbers in '{values.name}', such as 1250.5; found {shown} for "
            f"{months.iloc[row]:%Y-%m}. Correct the row, or take the column out."
        )
    return numbers


def _count(months: pd.DatetimeIndex) -> str:
    return f"{len(months)} month{'s' if len(months) > 1 else ''}"
