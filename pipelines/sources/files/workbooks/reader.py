"""The process that reads workbooks: it may use so much memory and no more.

What a sheet takes is known only once it is read, and who runs out of memory there ends without a
word. So :mod:`pipelines.sources.files.workbooks.excel` starts this module, under a limit of the
operating system. A job comes in as JSON; lines of JSON tell what is being read, and what came of
it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine as calamine

from clvmodels.core.errors import ClvError, ConfigError, DataError
from pipelines.sources.files.column_names import distinct_names
from pipelines.sources.files.workbooks.sizes import column_name, require_sheets, require_texts

SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

DIGITS = 15
"""Significant digits that a number in a workbook keeps."""

UNNAMED = 100
"""Columns right of the last one with a name that may hold something."""

MEMORY = 3
"""Exit code of the process where Python or Arrow got no memory; others are ended by the system."""

_CELLS = 400_000
"""Cells turned into text at a time."""


@dataclass(frozen=True)
class Job:
    """What is to be read, and how.

    Attributes
    ----------
    path : str
        What the configuration names, for messages.
    files, sheets : sequence of str
        No sheet means those that are visible and hold something.
    first_only : bool
        Read one sheet and no more.
    nothing : sequence of str
        Texts that mean no value.
    decimal : str
        Decimal mark of the text that becomes of a number.
    customer_id, timestamp, date_format : str or None
        The columns of ids and of times, and the format of times kept as text.
    copy : str
        The Parquet file to write.
    memory : int
        Bytes that may be used.
    """

    path: str
    files: Sequence[str]
    copy: str
    memory: int
    sheets: Sequence[str] = ()
    first_only: bool = False
    nothing: Sequence[str] = ()
    decimal: str = "."
    customer_id: str | None = None
    timestamp: str | None = None
    date_format: str | None = None


def read(job: Job, say: Callable[[str], None]) -> None:
    """Write the rows of workbooks as text columns, named by the first row of each sheet.

    Parameters
    ----------
    job : Job
    say : callable
        Told the place of each sheet before it is read.

    Raises
    ------
    ConfigError
        If a workbook has no such sheet.
    DataError
        If a file is no workbook, asks for a password, holds no row, names a column twice, takes
        too much memory, or its sheets differ.
    """
    first: tuple[str, list[str]] | None = None
    with contextlib.ExitStack() as stack:
        for place, names, rows in _sheets(job, say):
            if first is None:
                first = place, names
                schema = pa.schema([(name, pa.string()) for name in names])
                writer = stack.enter_context(pq.ParquetWriter(job.copy, schema))
            elif names != first[1]:
                raise DataError(
                    f"{place} has the columns {', '.join(names)}, but {first[0]} has "
                    f"{', '.join(first[1])}; sheets read together need the same columns in the "
                    "same order. Name the sheets to be read in source.sheets"
                )
            _write(writer, _texts(names, job), rows)
            if job.first_only:
                return
    if first is None:
        raise DataError(f"{job.path} holds no visible sheet with rows; expected a header and rows")


def _sheets(
    job: Job, say: Callable[[str], None]
) -> Iterator[tuple[str, list[str], Iterator[Sequence[Any]]]]:
    """Yield the place, the names of the columns, and the rows below them, of every sheet."""
    for name in job.files:
        file = Path(name)
        say(str(file))
        require_texts(file, job.memory)
        try:
            with calamine.load_workbook(str(file)) as book:
                sheets = _names_of(book, file, job)
                require_sheets(file, sheets, job.memory)
                for sheet in sheets:
                    place = f"sheet '{sheet}' of {file}"
                    say(place)
                    held = book.get_sheet_by_name(sheet)
                    rows = enumerate(held.iter_rows(), 1 + (held.start or (0, 0))[0])
                    filled = ((number, row) for number, row in rows if _filled(row))
                    header = next(filled, None)
                    if header is not None:
                        names = _header(header[1])
                        left = (held.start or (0, 0))[1]
                        yield (
                            place,
                            distinct_names(names, place),
                            _within(filled, len(names), left, place),
                        )
        except calamine.PasswordError:
            raise DataError(f"{file} asks for a password; save a copy without one") from None
        except calamine.CalamineError as error:
            raise DataError(
                f"cannot read {file} as a workbook ({', '.join(SUFFIXES)}): {error}. Open it, and "
                "save it again as .xlsx or as CSV"
            ) from None


def _names_of(book: calamine.CalamineWorkbook, file: Path, job: Job) -> list[str]:
    tables = [
        sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet
    ]
    if not job.sheets:
        shown = calamine.SheetVisibleEnum.Visible
        return [sheet.name for sheet in tables if sheet.visible == shown]
    have = [sheet.name for sheet in tables]
    absent = [name for name in job.sheets if name not in have]
    if absent:
        raise ConfigError(
            f"source.sheets: {file} has no sheet '{absent[0]}'; it has {', '.join(have)}"
        )
    return list(job.sheets)


def _filled(row: Sequence[Any]) -> bool:
    return any(value != "" for value in row)


def _header(row: Sequence[Any]) -> list[str]:
    """Return the names in a row, without most of those that are blank at its end."""
    names = [str(value).strip() for value in row]
    last = max(place for place, name in enumerate(names) if name or row[place] != "")
    return names[: last + 1 + UNNAMED]


def _within(
    rows: Iterator[tuple[int, Sequence[Any]]], width: int, left: int, place: str
) -> Iterator[Sequence[Any]]:
    """Yield rows as wide as the header; beyond it nothing may stand."""
    for number, row in rows:
        if len(row) > width:
            beyond = next((n for n, value in enumerate(row[width:], width) if value != ""), None)
            if beyond is not None:
                raise DataError(
                    f"{place} holds {row[beyond]!r} in {column_name(left + beyond)}{number}, more "
                    f"than {UNNAMED} columns right of the last one that has a name. Delete it, or "
                    "name its column"
                )
        yield row[:width]


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


def _texts(names: Sequence[str], job: Job) -> list[_Texts]:
    nothing = frozenset(job.nothing) | {""}
    return [
        _Texts(
            nothing,
            job.decimal,
            name == job.customer_id,
            job.date_format if name == job.timestamp else None,
        )
        for name in names
    ]


def _write(
    writer: pq.ParquetWriter, texts: Sequence[_Texts], rows: Iterator[Sequence[Any]]
) -> None:
    while block := list(islice(rows, max(1, _CELLS // len(texts)))):
        columns = [
            pa.array(map(text, column), pa.string())
            for text, column in zip(texts, zip(*block, strict=True), strict=True)
        ]
        writer.write_batch(pa.record_batch(columns, schema=writer.schema))


def _bound(memory: int) -> None:
    """Let this process use so many bytes beside those that it has by now."""
    pa.set_cpu_count(1)  # each thread reserves memory that it does not use
    with contextlib.suppress(ImportError, OSError, ValueError):  # where there are no such limits
        import resource

        pages = Path("/proc/self/statm").read_text().split()[0]
        limit = int(pages) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> int:
    """Do the job that standard input holds, tell of it on standard output, and return its code."""

    def tell(**what: object) -> None:
        print(json.dumps(what), flush=True)

    job = Job(**json.load(sys.stdin))
    _bound(job.memory)
    try:
        read(job, lambda place: tell(at=place))
        tell(done=True)
    except ClvError as error:
        tell(error=str(error), kind=type(error).__name__)
    except (MemoryError, pa.ArrowMemoryError):
        return MEMORY
    return 0
