"""Workbooks (Excel, OpenDocument) as one table of text columns, sheet after sheet.

Cells keep what they hold, not how they look: a number, a date or text becomes the text that a CSV
would hold, so that :mod:`pipelines.lines` reads both by the same rules.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine as calamine
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.exceptions import ConfigError, DataError
from pipelines.config import Columns, Source
from pipelines.csv_files import distinct_names

SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

DIGITS = 15
"""Significant digits that a number in a workbook keeps."""

_ROWS = 50_000
"""Rows turned into text at a time."""


def read_excel(
    connection: BaseBackend, source: Source, files: Sequence[Path], columns: Columns
) -> Table:
    """Return the rows of workbooks as text columns, named by the first row of each sheet.

    Read are the sheets that ``source.sheets`` names, otherwise all that are visible and not
    empty. They need the same columns in the same order; blank rows are left out.

    Raises
    ------
    ConfigError
        If a workbook has no such sheet.
    DataError
        If a file is no workbook, asks for a password, holds no row, names a column twice, or its
        sheets differ.
    """
    folder = tempfile.mkdtemp(dir=connection.settings["temp_directory"])
    copy = Path(folder) / "rows.parquet"
    first: tuple[str, list[str]] | None = None
    writer: pq.ParquetWriter | None = None
    try:
        for place, names, rows in _sheets(source, files):
            if first is None:
                first = place, names
                schema = pa.schema([(name, pa.string()) for name in names])
                writer = pq.ParquetWriter(copy, schema)
            elif names != first[1]:
                raise DataError(
                    f"{place} has the columns {', '.join(names)}, but {first[0]} has "
                    f"{', '.join(first[1])}; sheets read together need the same columns in the "
                    "same order. Name the sheets to be read in source.sheets"
                )
            _write(writer, _texts(names, source, columns), rows)
    finally:
        if writer is not None:
            writer.close()
    if first is None:
        raise DataError(
            f"{source.path} holds no visible sheet with rows; expected a header and rows"
        )
    return connection.read_parquet(str(copy))


def _sheets(
    source: Source, files: Sequence[Path]
) -> Iterator[tuple[str, list[str], Iterator[list[Any]]]]:
    """Yield the place, the names of the columns, and the rows below them, of every sheet."""
    for file in files:
        try:
            with calamine.load_workbook(str(file)) as book:
                for sheet in _names_of(book, file, source):
                    place = f"sheet '{sheet}' of {file}"
                    rows = filter(_filled, book.get_sheet_by_name(sheet).iter_rows())
                    header = next(rows, None)
                    if header is not None:
                        names = [str(value).strip() for value in header]
                        yield place, distinct_names(names, place), rows
        except calamine.PasswordError:
            raise DataError(f"{file} asks for a password; save a copy without one") from None
        except calamine.CalamineError as error:
            raise DataError(
                f"cannot read {file} as a workbook ({', '.join(SUFFIXES)}): {error}. Open it, and "
                "save it again as .xlsx or as CSV"
            ) from None


def _names_of(book: calamine.CalamineWorkbook, file: Path, source: Source) -> list[str]:
    tables = [
        sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet
    ]
    if not source.sheets:
        shown = calamine.SheetVisibleEnum.Visible
        return [sheet.name for sheet in tables if sheet.visible == shown]
    have = [sheet.name for sheet in tables]
    absent = [name for name in source.sheets if name not in have]
    if absent:
        raise ConfigError(
            f"source.sheets: {file} has no sheet '{absent[0]}'; it has {', '.join(have)}"
        )
    return list(source.sheets)


def _filled(row: Sequence[Any]) -> bool:
    return any(value != "" for value in row)


@dataclass(frozen=True)
class _Texts:
    """What makes the cells of one column text, None where they say nothing.

    A number among the ids that is not whole, or has more than :data:`DIGITS` digits, is none: it
    has been rounded, and would name somebody else. Dates among text of a given format are written
    in that format.
    """

    nothing: frozenset[str]
    decimal: str
    is_id: bool
    date_format: str | None

    def __call__(self, value: Any) -> str | None:
        if isinstance(value, str):
            return None if value in self.nothing else value
        if isinstance(value, float | int) and not isinstance(value, bool):
            return self._number(float(value))
        if isinstance(value, dt.date) and self.date_format is not None:
            return value.strftime(self.date_format)
        return str(value)

    def _number(self, value: float) -> str | None:
        if value.is_integer() and abs(value) < 10**DIGITS:
            return str(int(value))
        if self.is_id:
            return None
        return repr(value).replace(".", self.decimal)


def _texts(names: Sequence[str], source: Source, columns: Columns) -> list[_Texts]:
    nothing = frozenset(source.null_values) | {""}
    return [
        _Texts(
            nothing,
            source.decimal,
            name == columns.customer_id,
            columns.date_format if name == columns.timestamp else None,
        )
        for name in names
    ]


def _write(writer: pq.ParquetWriter, texts: Sequence[_Texts], rows: Iterator[list[Any]]) -> None:
    while block := list(islice(rows, _ROWS)):
        columns = [
            pa.array(map(text, column), pa.string())
            for text, column in zip(texts, zip(*block, strict=True), strict=True)
        ]
        writer.write_batch(pa.record_batch(columns, schema=writer.schema))
