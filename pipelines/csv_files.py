"""Text files read by the embedded DuckDB: CSV of any delimiter and encoding, and CDNOW.

Every column arrives as text; casting is the business of :mod:`pipelines.lines`, which counts what
cannot be read. Nothing is guessed from the data but the delimiter, and that from the header.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import importlib.util
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any

from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.exceptions import ConfigError, DataError
from pipelines.config import Source
from pipelines.dialect import materialise, try_strptime

LIFETIMES_DATASETS = {
    # file name -> (lines before the data, columns)
    "CDNOW_master": (1, ("customer_id", "date", "number_of_cds", "dollar_value")),
    "CDNOW_sample": (0, ("customer_id", "sample_id", "date", "number_of_cds", "dollar_value")),
}
_UTF8 = ("utf-8", "utf8", "utf-8-sig")
_DELIMITERS = ",;\t|"


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


def read_csv(connection: BaseBackend, source: Source, files: list[Path]) -> Table:
    """Return CSV files as one table of text columns, named by their header.

    Lines that are no row (wrong number of fields, an open quote, bytes that are no text) are put
    aside by the engine; :func:`rejected` counts them.

    Raises
    ------
    DataError
        If a file has no header, names a column twice, or differs from the others.
    ConfigError
        If the encoding is unknown.
    """
    encoding = source.encoding.lower()
    for file in files:
        _require_whole(file)
    headers = {file: _csv_header(file, source) for file in files}
    names, delimiter = headers[files[0]]
    for file, (found, _) in headers.items():
        if found != names:
            raise DataError(
                f"{file} has the header {', '.join(found)}, but {files[0]} has {', '.join(names)}; "
                "files read together need the same columns in the same order"
            )
    broken = False
    if encoding in _UTF8:
        broken = any(not _is_utf8(file) for file in files)
    else:
        files = [_as_utf8(connection, file, source.encoding) for file in files]
    options: dict[str, Any] = {
        "columns": dict.fromkeys(names, "VARCHAR"),
        "auto_detect": False,
        "header": True,
        "delim": delimiter,
        "quote": '"',
        "escape": '"',
        "nullstr": list(source.null_values),
        "store_rejects": True,
        "rejects_limit": 0,
    }
    table = connection.read_csv([str(file) for file in files], **options)
    # DuckDB 1.5 fails on a line whose bytes are no text unless every column is read.
    return materialise(connection, table) if broken else table


def rejected(connection: BaseBackend, source: Source) -> tuple[int, list[str]]:
    """Return how many lines of a CSV were no rows at the last full scan, and the first three."""
    if source.kind != "csv":
        return 0, []
    errors = connection.table("reject_errors")
    last = errors.filter(errors.scan_id == errors.scan_id.max())
    lines = last.group_by("file_id", "line").agg(
        text=last.csv_line.min(), problem=last.error_message.min()
    )
    first = lines.order_by("file_id", "line").limit(3).execute()
    shown = [f"line {row.line} {row.text!r} ({row.problem})" for row in first.itertuples()]
    return int(lines.count().execute()), shown


def _open_text(file: Path, encoding: str, errors: str = "strict") -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding=encoding, errors=errors, newline="")
    return file.open(encoding=encoding, errors=errors, newline="")


def _csv_header(file: Path, source: Source) -> tuple[list[str], str]:
    """Return the names in the header and the delimiter."""
    encoding = "utf-8-sig" if source.encoding.lower() in _UTF8 else source.encoding
    remedy = "Set [source] encoding to the file's own (often cp1252 or utf-16)."
    try:
        with _open_text(file, encoding, errors="replace") as text:
            line = text.readline()
    except LookupError:
        raise ConfigError(
            f"source.encoding: Python knows no encoding '{source.encoding}'; "
            "common ones are utf-8, cp1252, latin-1 and utf-16"
        ) from None
    except (UnicodeError, OSError, EOFError) as error:
        raise DataError(
            f"cannot read {file} as {source.encoding} text: {error}. {remedy}"
        ) from None
    if "\ufffd" in line or "\x00" in line:
        raise DataError(
            f"cannot read {file} as {source.encoding} text: its header is {line[:40]!r}. {remedy}"
        )
    delimiter = source.delimiter or max(_DELIMITERS, key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    if not any(name.strip() for name in names):
        raise DataError(f"{file} begins with a blank line; expected the names of the columns")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{file} names the column {', '.join(repeated)} twice; rename one of them")
    return names, delimiter


def _require_whole(file: Path) -> None:
    """Read a gzip file to its checksum, since the engine takes a truncated one for its end."""
    if file.suffix != ".gz":
        return
    try:
        with gzip.open(file) as content:
            while content.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot read {file}: {error}. The download or copy may have ended early; get the "
            "file again."
        ) from None


def _is_utf8(file: Path) -> bool:
    """Whether every byte of a file is UTF-8 text, read a block at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
        try:
            while block := content.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _as_utf8(connection: BaseBackend, file: Path, encoding: str) -> Path:
    """Copy a file into the connection's scratch folder as UTF-8, a block at a time."""
    folder = connection.settings["temp_directory"]
    Path(folder).mkdir(parents=True, exist_ok=True)
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
        "w", suffix=".csv", dir=folder, encoding="utf-8", newline="", delete=False
    )
    try:
        with handle, _open_text(file, encoding) as text:
            while block := text.read(1 << 20):
                handle.write(block)
    except (UnicodeError, OSError, EOFError) as error:
        raise DataError(
            f"cannot read {file} as {encoding} text: {error}. "
            "Set [source] encoding to the file's own."
        ) from None
    return Path(handle.name)
