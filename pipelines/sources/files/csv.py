"""Text files read by the embedded DuckDB: CSV of any delimiter and encoding, and CDNOW.

Every column arrives as text; casting is the business of :mod:`pipelines.data.lines`, which counts
what cannot be read. Nothing is guessed from the data but the delimiter, and that from the header.
"""

from __future__ import annotations

import codecs
import csv
import importlib.util
import re
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import ibis
from ibis import BaseBackend
from ibis.expr.types import StringColumn, StringValue, Table, Value

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Source
from pipelines.sources.dialect import try_strptime
from pipelines.sources.files import partitions
from pipelines.sources.files.column_names import distinct_names
from pipelines.sources.files.packed import ERRORS, packing, require_text
from pipelines.sources.files.text import (
    as_utf8,
    filled_lines,
    open_text,
    require_whole,
    scan,
)

LIFETIMES_DATASETS = {
    # file name -> (lines before the data, columns)
    "CDNOW_master": (1, ("customer_id", "date", "number_of_cds", "dollar_value")),
    "CDNOW_sample": (0, ("customer_id", "sample_id", "date", "number_of_cds", "dollar_value")),
}
_UTF8 = ("utf-8", "utf-8-sig")
_UNPACKED_BY_NAME = {".gz": "gzip", ".zst": "zstd"}
"""What DuckDB unpacks itself, by an ending in small letters and by nothing else."""
_DELIMITERS = ",;\t|"
SHOWN = 120
"""Characters shown of a line that is no row."""


@dataclass(frozen=True)
class CsvText:
    """The text files behind a table."""

    files: list[Path]  # as the engine reads them: UTF-8
    lines: int  # after the headers, blank ones included
    delimiter: str
    view: str
    names: list[str]  # of the header: folders may add columns


REMEDY = "Set [source] encoding to the file's own (often cp1252 or utf-16)."


def read_lifetimes(connection: BaseBackend, source: Source) -> Table:
    """Return a purchase log that comes with the lifetimes package."""
    spec = importlib.util.find_spec("lifetimes")  # importing it would cost seconds
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("the lifetimes package, which holds the data, is not installed")
    file = Path(spec.submodule_search_locations[0]) / "datasets" / f"{source.dataset}.txt"
    skip, names = LIFETIMES_DATASETS[str(source.dataset)]
    text = connection.read_csv(
        str(file), columns={"line": "VARCHAR"}, header=False, skip=skip, delim="\x01"
    )
    parts = text.line.strip().re_split(r"\s+")
    table = text.select(**{name: parts[index] for index, name in enumerate(names)})
    return table.mutate(date=try_strptime(table.date, "%Y%m%d").date())


def read_csv(
    connection: BaseBackend, source: Source, files: list[Path], name: str = "log"
) -> tuple[Table, CsvText]:
    """Return CSV files as one table of text columns, named by their header, and their text.

    Lines that are no row (wrong number of fields, an open quote, bytes that are no text) are put
    aside by the engine under ``name``; :func:`rejected` counts them.

    Raises
    ------
    DataError
        If a file has no header, names a column twice, differs from the others, or has a column that
        a folder names too.
    ConfigError
        If the encoding is unknown.
    """
    for file in files:
        require_text(file)
        require_whole(file)
    names, delimiter = _common_header(files, source)
    read, lines, broken = _as_read(connection, files, _codec(source))
    options: dict[str, Any] = {
        "columns": dict.fromkeys(names, "VARCHAR"),
        "auto_detect": False,
        "header": True,
        "delim": delimiter,
        "quote": '"',
        "escape": '"',
        "nullstr": list(source.null_values),
        "hive_partitioning": source.hive_partitioning,  # else found where nobody asks for it
        "hive_types_autocast": False,
        "store_rejects": True,
        "rejects_limit": 0,
        "rejects_table": f"clv_{name}_rejects",
        "rejects_scan": f"clv_{name}_scans",
    }
    table = connection.read_csv([escape(str(file)) for file in read], **options)
    text = CsvText(read, lines, delimiter, table.get_name(), names)
    if broken:
        # DuckDB 1.5 fails on a line whose bytes are no text unless every column is read.
        table = connection.create_table(ibis.util.gen_name("clv"), table, temp=True)
    return table, text


def _common_header(files: list[Path], source: Source) -> tuple[list[str], str]:
    """Return the names in the header of all files, and the delimiter."""
    headers = {file: _csv_header(file, source) for file in files}
    names, delimiter = headers[files[0]]
    for file, (found, _) in headers.items():
        if found != names:
            raise DataError(
                f"{file} has the header {', '.join(found)}, but {files[0]} has {', '.join(names)}; "
                "files read together need the same columns in the same order"
            )
        if source.hive_partitioning:
            partitions.require_apart(file, partitions.folders(file), found)
    return names, delimiter


def _as_read(
    connection: BaseBackend, files: list[Path], encoding: str
) -> tuple[list[Path], int, bool]:
    """Return files as the engine reads them, their lines after the headers, and if any is no text.

    What is neither UTF-8 nor packed in a way that the engine knows is copied.
    """
    broken, lines, read = False, 0, []
    for file in files:
        as_it_is = encoding in _UTF8 and _UNPACKED_BY_NAME.get(file.suffix) == packing(file)
        utf8 = file if as_it_is else as_utf8(connection, file, encoding)
        contents = scan(utf8)
        broken |= not contents.is_utf8
        lines += contents.lines - 1
        # DuckDB reads mixed line ends only where it also lets open quotes pass.
        read.append(utf8 if contents.even else as_utf8(connection, utf8, "utf-8", newline=None))
    return read, lines, broken


def rejected(
    connection: BaseBackend, text: CsvText, records: int, name: str
) -> tuple[int, list[str]]:
    """Return how many lines of a CSV were no rows at the last full scan, and the first three.

    Lines that an open quote swallowed are among them: those that are in none of the ``records``
    read, and those inside a quoted value that have as many fields as the header.
    """
    errors = connection.table(f"clv_{name}_rejects")
    last = errors.filter(errors.scan_id == errors.scan_id.max())
    lines = last.group_by("file_id", "line").agg(
        text=last.csv_line.min(), problem=last.error_message.min()
    )
    rows = lines.order_by("file_id", "line").limit(3).execute()
    shown = [f"line {row.line} {short(row.text)} ({row.problem})" for row in rows.itertuples()]
    count = int(lines.count().execute())
    swallowed, example = _swallowed(connection, text, records + count)
    if swallowed:
        one = f", one of them {short(example)}" if example else ""
        shown.append(f"{swallowed} lines after a quote that was left open{one}")
    return count + swallowed, shown


def refuse_lost_lines(source: Source, name: str, lines: int, shown: list[str]) -> None:
    """Raise DataError where lines of a file were no rows."""
    if lines:
        raise DataError(
            f"{source.path} holds {lines} lines that cannot be read: {'; '.join(shown)}. What they "
            f"say must not be missed: mend these lines of the {name} file"
        )


def short(text: str) -> str:
    """Return the beginning of a line, for messages."""
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}..."


def _swallowed(connection: BaseBackend, text: CsvText, records: int) -> tuple[int, str | None]:
    """Count the lines that are neither a record, nor blank, nor text within a quoted value.

    The files and the table are read again only where lines are missing. One of the lines is
    returned where it is within a value.
    """
    if text.lines <= records:
        return 0, None
    missing = sum(filled_lines(file) - 1 for file in text.files) - records
    if missing <= 0:
        return 0, None
    table = connection.table(text.view)
    delimiters = len(text.names) - 1

    def is_row(line: StringValue) -> Any:
        found = line.length() - line.replace(text.delimiter, "").length()
        return found == delimiters * len(text.delimiter)

    wanted: dict[str, Value] = {}
    for position, column in enumerate(text.names):
        value: StringColumn = table[column]
        # The closing quote makes the last line of a value one that is not blank.
        later = (value + '"').split("\n")[1:].filter(lambda line: ~line.isin(["", "\r"]))
        rows = later.filter(is_row)
        within = later.length() - rows.length()
        wanted[f"within{position}"] = within.sum(where=value.contains("\n")).fill_null(0)
        wanted[f"row{position}"] = rows[0].min()
    found = table.agg(**wanted).execute().iloc[0]
    swallowed = missing - int(found.filter(like="within").sum())
    examples = found.filter(like="row").dropna()
    return max(0, swallowed), None if examples.empty else str(examples.iloc[0])


def _codec(source: Source) -> str:
    """Return Python's own name of the encoding."""
    try:
        return codecs.lookup(source.encoding).name
    except LookupError:
        raise unknown_encoding(source) from None


def unknown_encoding(source: Source) -> ConfigError:
    """Return the error of an encoding that nobody knows."""
    return ConfigError(
        f"source.encoding: Python knows no encoding '{source.encoding}'; "
        "common ones are utf-8, cp1252, latin-1 and utf-16"
    )


def _csv_header(file: Path, source: Source) -> tuple[list[str], str]:
    """Return the names in the header and the delimiter."""
    encoding = _codec(source)
    encoding = "utf-8-sig" if encoding in _UTF8 else encoding
    try:
        with open_text(file, encoding, errors="replace") as text:
            line = text.readline()
    except LookupError:
        raise unknown_encoding(source) from None
    except (UnicodeError, *ERRORS) as error:
        raise DataError(
            f"cannot read {file} as {source.encoding} text: {error}. {REMEDY}"
        ) from None
    return header_names(line, str(file), source)


def header_names(line: str, place: str, source: Source) -> tuple[list[str], str]:
    """Return the names in a header and the delimiter.

    Raises
    ------
    DataError
        If the line is no text, is blank, or names a column twice.
    """
    if "\ufffd" in line or "\x00" in line:
        raise DataError(
            f"cannot read {place} as {source.encoding} text: its header is {line[:40]!r}. {REMEDY}"
        )
    if re.fullmatch(r'"?sep=."?', line.strip("\r\n"), re.IGNORECASE):
        raise DataError(
            f"{place} begins with the line {line.strip()!r}, which only Excel knows; remove it, "
            "the header tells the delimiter"
        )
    delimiter = source.delimiter or max(_DELIMITERS, key=line.count)
    single = "\x1f" if len(delimiter) > 1 else delimiter  # all that Python's reader takes
    names = next(csv.reader([line.replace(delimiter, single)], delimiter=single), [])
    if not any(name.strip() for name in names):
        raise DataError(f"{place} begins with a blank line; expected the names of the columns")
    return distinct_names(names, place), delimiter
