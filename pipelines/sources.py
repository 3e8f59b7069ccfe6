"""Where transactions come from: a connection to the engine, and the raw table in it.

Everything is addressed by file, table and column names; no SQL text is taken from anyone.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import IO, Any

import ibis
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.exceptions import ConfigError, DataError
from pipelines.config import Config, Source
from pipelines.dialect import try_strptime

LIFETIMES_DATASETS = {
    # file name -> (lines before the data, columns)
    "CDNOW_master": (1, ("customer_id", "date", "number_of_cds", "dollar_value")),
    "CDNOW_sample": (0, ("customer_id", "sample_id", "date", "number_of_cds", "dollar_value")),
}
_DUCKDB_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "utf-8-sig": "utf-8"}
_DELIMITERS = ",;\t|"


@contextmanager
def connect(config: Config) -> Iterator[BaseBackend]:
    """Open the engine that holds or reads the source, and close it afterwards.

    Files are read by an embedded DuckDB whose memory, threads and spill folder the
    configuration bounds; databases are used where they are.

    Raises
    ------
    ConfigError
        If the engine refuses the settings.
    """
    source = config.source
    settings: dict[str, Any] = {}
    if source.memory_limit is not None:
        settings["memory_limit"] = source.memory_limit
    if source.threads is not None:
        settings["threads"] = source.threads
    with tempfile.TemporaryDirectory(prefix="clv-") as scratch:
        settings["temp_directory"] = source.temp_directory or scratch
        connection = ibis.duckdb.connect(**settings)
        try:
            # Text times without an offset are read in the session's zone.
            connection.settings["TimeZone"] = (
                config.calendar.source_time_zone or config.calendar.time_zone
            )
            yield connection
        finally:
            connection.disconnect()


def describe(source: Source) -> str:
    """Say in a few words where the data are, for messages and reports (never a secret)."""
    if source.kind == "lifetimes":
        return f"{source.dataset} of the lifetimes package"
    place = source.path or f"the database named by {source.uri_env}"
    return f"{place}, table {source.table}" if source.table else place


def read(connection: BaseBackend, config: Config) -> Table:
    """Return the raw table, columns as the source names them.

    CSV columns are all text; casting is the business of :mod:`pipelines.lines`, which counts
    what cannot be read.

    Raises
    ------
    ConfigError
        If the file or table is not there.
    DataError
        If it is there and cannot be read, or holds no header.
    """
    source = config.source
    if source.kind == "lifetimes":
        return _read_lifetimes(connection, source)
    if source.kind == "csv":
        return _read_csv(connection, source)
    if source.kind == "parquet":
        return _read_parquet(connection, source)
    raise ConfigError(f"source kind '{source.kind}' is not supported yet")


def materialise(connection: BaseBackend, table: Table) -> Table:
    """Evaluate a table once and keep it in the engine until the connection closes."""
    return connection.create_table(ibis.util.gen_name("clv"), table, temp=True)


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


def _read_lifetimes(connection: BaseBackend, source: Source) -> Table:
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


def _read_parquet(connection: BaseBackend, source: Source) -> Table:
    files = _files(source)
    try:
        return connection.read_parquet(
            [str(file) for file in files],
            hive_partitioning=source.hive_partitioning,
            union_by_name=True,
        )
    except Exception as error:
        raise DataError(
            f"cannot read {source.path} as Parquet: {_first_line(error)}. "
            "Write the file again, or name its true kind in [source]."
        ) from None


def _read_csv(connection: BaseBackend, source: Source) -> Table:
    files = _files(source)
    encoding = source.encoding.lower()
    headers = {file: _csv_header(file, source) for file in files}
    names, delimiter = headers[files[0]]
    for file, (found, _) in headers.items():
        if found != names:
            raise DataError(
                f"{file} has the header {', '.join(found)}, but {files[0]} has {', '.join(names)}; "
                "files read together need the same columns in the same order"
            )
    if encoding not in _DUCKDB_ENCODINGS:
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
    return connection.read_csv([str(file) for file in files], **options)


def _files(source: Source) -> list[Path]:
    pattern = str(source.path)
    if Path(pattern).is_dir():
        suffix = "parquet" if source.kind == "parquet" else "csv*"
        pattern = str(Path(pattern) / "**" / f"*.{suffix}")
    found = [Path(name) for name in sorted(glob(pattern, recursive=True))]  # noqa: PTH207
    files = [file for file in found if file.is_file()]
    if not files:
        raise ConfigError(
            f"no file at {pattern}; set [source] path (relative paths start at the folder of the "
            "configuration file)"
        )
    for file in files:
        if file.stat().st_size == 0:
            raise DataError(f"{file} is empty; expected a table with a header and rows")
    return files


def _open_text(file: Path, encoding: str) -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _csv_header(file: Path, source: Source) -> tuple[list[str], str]:
    """Return the names in the header and the delimiter."""
    encoding = "utf-8-sig" if source.encoding.lower() in _DUCKDB_ENCODINGS else source.encoding
    try:
        with _open_text(file, encoding) as text:
            line = text.readline()
    except LookupError:
        raise ConfigError(
            f"source.encoding: Python knows no encoding '{source.encoding}'; "
            "common ones are utf-8, cp1252, latin-1 and utf-16"
        ) from None
    except (UnicodeError, OSError, EOFError) as error:
        raise DataError(
            f"cannot read {file} as {source.encoding} text: {error}. "
            "Set [source] encoding to the file's own (often cp1252 or utf-16)."
        ) from None
    delimiter = source.delimiter or max(_DELIMITERS, key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    if not any(name.strip() for name in names):
        raise DataError(f"{file} begins with a blank line; expected the names of the columns")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{file} names the column {', '.join(repeated)} twice; rename one of them")
    return names, delimiter


def _as_utf8(connection: BaseBackend, file: Path, encoding: str) -> Path:
    """Copy a file into the connection's scratch folder as UTF-8, a block at a time."""
    folder = connection.con.execute("SELECT current_setting('temp_directory')").fetchone()[0]
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


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
