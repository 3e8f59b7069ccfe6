"""The embedded DuckDB: it reads files and its own databases, in bounded memory."""

from __future__ import annotations

import glob
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
from ibis import BaseBackend
from ibis.expr.types import (
    BooleanValue,
    Column,
    DateValue,
    NumericValue,
    StringValue,
    Table,
)

from clvmodels.core.errors import ConfigError
from pipelines.config.load import Columns, Source
from pipelines.sources import catalogue, dialect
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe, first_line, lacks_memory
from pipelines.sources.files import csv as csv_files
from pipelines.sources.files.csv import CsvText
from pipelines.sources.files.json import read_json
from pipelines.sources.files.parquet import read_parquet
from pipelines.sources.files.workbooks.excel import read_excel
from pipelines.sources.paths import files_of
from pipelines.sources.values.days import ISO_DAY

LEAST_PARTS = 4
"""The embedded DuckDB cuts its hash tables into as many parts as it counts threads, and groups a
million customers faster in four parts than in two, also where two threads do the work."""

KINDS = ("lifetimes", "csv", "json", "parquet", "excel", "duckdb")
"""Kinds of source that it reads."""


class DuckDB(Engine):
    """DuckDB, in this process or (by URI) elsewhere."""

    reads_files = True
    numbers_rows = True

    def __init__(self, connection: BaseBackend) -> None:
        super().__init__(connection)
        self._texts: dict[str, CsvText] = {}

    def _read(self, source: Source, columns: Columns, name: str) -> Table:
        if source.kind == "lifetimes":
            return csv_files.read_lifetimes(self.connection, source)
        if source.kind == "csv":
            table, self._texts[name] = csv_files.read_csv(
                self.connection, source, files_of(source), name
            )
            return table
        if source.kind == "json":
            return read_json(self.connection, source, files_of(source))
        if source.kind == "excel":
            return read_excel(self.connection, source, files_of(source), columns)
        if source.kind == "parquet":
            return read_parquet(self.connection, source, files_of(source))
        return catalogue.find(
            self.connection, str(source.table), describe(source), catalogue.as_written
        )

    def rejected(self, source: Source, records: int, name: str = "log") -> tuple[int, list[str]]:
        """Return how many lines of text files were no rows, and the first; none of a table."""
        if source.kind != "csv":
            return 0, []
        return csv_files.rejected(self.connection, self._texts[name], records, name)

    def require_rows(self, source: Source, table: Table, name: str) -> Table:
        """Return a table in which every line is a row; a CSV is read as a whole for it."""
        if source.kind != "csv":
            return table
        kept = self.materialise(table)
        lost = self.rejected(source, int(kept.count().execute()), name)
        csv_files.refuse_lost_lines(source, name, *lost)
        return kept

    @contextmanager
    def opened(self, path: Path) -> Iterator[Table]:
        """Give a Parquet file as a table."""
        name = ibis.util.gen_name("clv_scored")
        try:
            yield self.connection.read_parquet(glob.escape(str(path)), table_name=name)
        finally:
            self.connection.drop_view(name, force=True)

    def earliest(
        self, value: Column, day: Column, where: BooleanValue | None = None
    ) -> NumericValue:
        """Aggregate to the number of the earliest day.

        Ibis's ``argmin`` orders by keys of bytes made for the purpose; DuckDB's own function
        compares the days and takes half the time.
        """
        return dialect.arg_min(value, day, where=where)

    def latest(self, value: Column, day: Column, where: BooleanValue | None = None) -> NumericValue:
        """Aggregate to the number of the latest day; the other end of :meth:`earliest`."""
        return dialect.arg_max(value, day, where=where)

    def day_of(self, text: StringValue, pattern: str | None, source: str, target: str) -> DateValue:
        """Return the calendar day of a time kept as text, read by DuckDB's own functions."""
        text = self.stripped(text)
        if pattern is not None and re.search("[zZ]", "".join(re.findall("%(.)", pattern))):
            return dialect.wall_clock(dialect.try_strptime_zoned(text, pattern), target).date()
        if pattern is not None:
            return self.shift(dialect.try_strptime(text, pattern), source, target).date()
        # The session's zone, which DuckDB gives to times without an offset, is the source's.
        nothing = ibis.null("string")
        usual = ibis.ifelse(text.re_search(ISO_DAY), text, nothing).try_cast(dialect.UTC)
        # Asked only where that failed: it wants an offset to follow seconds, at once. The days are
        # what is put together, since times cost more to copy.
        close = text.re_replace(" +(Z|UTC|[+-])", r"\1").replace("UTC", "Z")
        whole = close.re_replace("([T ][0-9]{1,2}:[0-9]{1,2})(Z|[+-])", r"\1:00\2")
        zoned = text.re_search(ISO_DAY + ".*(Z|UTC|[+-])")
        again = ibis.ifelse(zoned, whole, nothing).try_cast(dialect.UTC)
        days = (dialect.wall_clock(time, target).date() for time in (usual, again))
        return ibis.coalesce(*days)

    def digest(self, columns: Sequence[Column]) -> NumericValue:
        """Aggregate rows to one number, whatever their order."""
        return dialect.hash_of(*columns).bit_xor()


@contextmanager
def embedded(source: Source, zone: str, reports: Path, beside: Sequence[str]) -> Iterator[DuckDB]:
    """Open a DuckDB in this process, its memory, threads and spill folder as configured.

    Parameters
    ----------
    source : Source
    zone : str
        Of times in text that have no offset.
    reports : Path
        The folder of this business's reports: where the file is a database of its own, scores
        there may be read back, and those of others are none of a view's.
    beside : sequence of str
        Files, folders or patterns that may be read beside it (the consent's).

    Raises
    ------
    ConfigError
        If there is no such file, or DuckDB refuses the settings.
    """
    settings: dict[str, Any] = {}
    if source.memory_limit is not None:
        settings["memory_limit"] = source.memory_limit
    if source.threads is not None:
        settings["threads"] = source.threads
    if source.kind == "duckdb":
        if not Path(str(source.path)).is_file():
            raise ConfigError(f"no DuckDB file at {source.path}; set [source] path")
        settings["read_only"] = True
    database = str(source.path) if source.kind == "duckdb" else ":memory:"
    with _scratch(source.temp_directory) as scratch:
        settings["temp_directory"] = scratch
        try:
            connection = ibis.duckdb.connect(database, **settings)
        except Exception as error:
            raise _cannot_open(source, error) from None
        try:
            try:
                _settle(connection, zone)
                if source.kind == "duckdb":
                    folders, files = _reachable(beside)
                    catalogue.confine(connection, [Path(scratch), reports, *folders], files)
            except Exception as error:  # so little memory that not even a setting can be read
                raise _cannot_open(source, error) from None
            yield DuckDB(connection)
        finally:
            connection.disconnect()


@contextmanager
def _scratch(parent: str | None) -> Iterator[str]:
    """Make a folder for copies and spilled data, and remove it with all that it holds."""
    try:
        if parent is not None:
            Path(parent).mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="clv-", dir=parent)
    except OSError as error:
        raise ConfigError(f"source.temp_directory: {error.strerror}: {parent}") from None
    with folder as name:
        yield name


def _settle(connection: BaseBackend, zone: str) -> None:
    working = int(connection.settings["threads"])
    if working < LEAST_PARTS:
        connection.settings["threads"] = LEAST_PARTS
        # Threads that it counts and does not start; the one that asks is such a one.
        connection.settings["external_threads"] = 1 + LEAST_PARTS - working
    # Times in text without an offset are read in the session's zone.
    connection.settings["TimeZone"] = zone


def _reachable(patterns: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files of paths, folders or patterns."""
    folders: list[Path] = []
    files: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            folders.append(path)
        else:
            files += [path, *map(Path, glob.glob(pattern, recursive=True))]  # noqa: PTH207
    return folders, files


def _cannot_open(source: Source, error: Exception) -> ConfigError:
    remedy = ". Raise source.memory_limit" if lacks_memory(error) else ""
    return ConfigError(f"cannot open {describe(source)} with DuckDB: {first_line(error)}{remedy}")
