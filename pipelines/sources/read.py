"""Where transactions come from: a connection to the engine, and the raw table in it.

Everything is addressed by file, table and column names; no SQL text is taken from anyone, and
connection URIs, which may hold passwords, come from the environment only.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import ibis
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import ClvError, ConfigError, DataError
from pipelines.config.load import Config, Source
from pipelines.redaction import cleanse, secrets_in, without
from pipelines.sources import catalogue
from pipelines.sources.engines import spark, spark_files
from pipelines.sources.files import csv as csv_files
from pipelines.sources.files.csv import read_csv, read_lifetimes
from pipelines.sources.files.excel import read_excel
from pipelines.sources.files.parquet import read_parquet
from pipelines.sources.paths import files_of

LEAST_PARTS = 4
"""The embedded DuckDB cuts its hash tables into as many parts as it counts threads, and groups a
million customers faster in four parts than in two, also where two threads do the work."""

_JAVA = r"(?m)^(?:Caused by)?: [\w.$]+: (.+)"
_NO_CAUSE = ("Job aborted", "Exception thrown in awaitResult", "[FAILED_READ_FILE")

_HOST = re.compile(r"(?:\[[^\]]*\]|[^:/]*)(?::\d*)?(?:/.*)?")
_PARAMETERS = re.compile(r"[\w.-]+=")

EMBEDDED = ("lifetimes", "csv", "parquet", "excel", "duckdb")
"""Kinds that the embedded DuckDB reads."""


@contextmanager
def connect(config: Config) -> Iterator[BaseBackend]:
    """Open the engine that holds or reads the source, and close it afterwards.

    Files are read by an embedded DuckDB whose memory, threads and spill folder the
    configuration bounds; databases and Spark are used where they are.

    Raises
    ------
    ConfigError
        If the engine cannot be reached or refuses the settings.
    DataError
        If it runs out of the memory that it may use, whatever it was asked.
    """
    kind = config.source.kind
    if kind in EMBEDDED:
        opened = embedded(config)
    elif kind == "spark":
        opened = spark.connect(config)
    else:
        opened = _connect_uri(config)
    with opened as connection:
        try:
            yield connection
        except Exception as error:
            if _lacks_memory(error):
                raise _too_large(config.source, error) from error
            raise


@contextmanager
def embedded(config: Config) -> Iterator[BaseBackend]:
    """Open a DuckDB in this process, its memory, threads and spill folder as configured."""
    source = config.source
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
    with _scratch(source) as scratch:
        settings["temp_directory"] = scratch
        try:
            connection = ibis.duckdb.connect(database, **settings)
        except Exception as error:
            raise _cannot_open(source, error) from None
        try:
            try:
                _settle(connection, config)
                if source.kind == "duckdb":
                    _confine(connection, config, scratch)
            except Exception as error:  # so little memory that not even a setting can be read
                raise _cannot_open(source, error) from None
            yield connection
        finally:
            connection.disconnect()


@contextmanager
def _scratch(source: Source) -> Iterator[str]:
    """Make a folder for copies and spilled data, and remove it with all that it holds."""
    parent = source.temp_directory
    try:
        if parent is not None:
            Path(parent).mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="clv-", dir=parent)
    except OSError as error:
        raise ConfigError(f"source.temp_directory: {error.strerror}: {parent}") from None
    with folder as name:
        yield name


def _settle(connection: BaseBackend, config: Config) -> None:
    working = int(connection.settings["threads"])
    if working < LEAST_PARTS:
        connection.settings["threads"] = LEAST_PARTS
        # Threads that it counts and does not start; the one that asks is such a one.
        connection.settings["external_threads"] = 1 + LEAST_PARTS - working
    # Times in text without an offset are read in the session's zone.
    connection.settings["TimeZone"] = config.calendar.local_zone_of_source


def _confine(connection: BaseBackend, config: Config, scratch: str) -> None:
    """Let the engine reach copies, scores and the consent file beside the DuckDB file."""
    folders, files = [Path(scratch), _reports(config)], []
    if config.consent is not None and config.consent.path is not None:
        path = Path(config.consent.path)
        if path.is_dir():
            folders.append(path)
        else:
            files = [path, *map(Path, glob(str(path), recursive=True))]  # noqa: PTH207
    catalogue.confine(connection, folders, files)


def _reports(config: Config) -> Path:
    """Return the folder of this business's reports: scores of others are none of a view's."""
    return Path(config.output.reports) / config.name


def _cannot_open(source: Source, error: Exception) -> ConfigError:
    remedy = ". Raise source.memory_limit" if _lacks_memory(error) else ""
    return ConfigError(f"cannot open {describe(source)} with DuckDB: {first_line(error)}{remedy}")


@contextmanager
def _connect_uri(config: Config) -> Iterator[BaseBackend]:
    name = str(config.source.uri_env)
    uri = os.environ.get(name)
    if not uri:
        raise ConfigError(
            f"the environment variable {name}, named by source.uri_env, is not set; set it to the "
            "connection URI, e.g. postgres://user:password@host/database"
        )
    if config.source.kind == "postgres" and set("/?#@") & set(_user_info(uri)):
        raise ConfigError(
            f"the connection URI in {name} has a user name or password with one of / ? # @ in it; "
            "write these percent-encoded, e.g. %2F for /"
        )
    try:
        connection = ibis.connect(uri)
        if connection.name == "duckdb" and "://md:" not in uri:  # MotherDuck is elsewhere
            catalogue.confine(connection, [_reports(config)], [])
        if connection.name == "postgres":
            connection.con.execute(
                "SELECT set_config('TimeZone', %s, false)", [config.calendar.local_zone_of_source]
            )
    except Exception as error:
        reason = without(first_line(error), secrets_in(uri), f"${name}")
        raise ConfigError(f"cannot connect to the database that {name} names: {reason}") from None
    try:
        yield connection
    except Exception as error:  # a driver may repeat the URI in any of its messages
        cleanse(error, secrets_in(uri), f"${name}")
        raise
    finally:
        connection.disconnect()


def _user_info(uri: str) -> str:
    """Return user:password, all before the last @ that is none of the query's."""
    rest = uri.partition("://")[2]
    host, _, query = rest.partition("?")
    # A ? within a password has no host, nor a host and a port, before it.
    if "@" in host or (_HOST.fullmatch(host) and _PARAMETERS.match(query)):
        rest = host
    return rest.rpartition("@")[0]


def describe(source: Source) -> str:
    """Say in a few words where the data are, for messages and reports (never a secret)."""
    if source.kind == "lifetimes":
        return f"{source.dataset} of the lifetimes package"
    place = source.path or ("Spark" if source.kind == "spark" else f"${source.uri_env}")
    return f"{place}, table {source.table}" if source.table else place


def read(connection: BaseBackend, config: Config, name: str = "log") -> Table:
    """Return the raw table, columns as the source names them.

    Lines of CSV that are no rows are put aside under ``name``.

    Raises
    ------
    ConfigError
        If the file or table is not there.
    DataError
        If it is there and cannot be read, or holds no header.
    """
    source = config.source
    if source.kind == "lifetimes":
        return read_lifetimes(connection, source)
    with reading(source):
        if source.kind == "csv":
            return read_csv(connection, source, files_of(source), name)
        if source.kind == "excel":
            return read_excel(connection, source, files_of(source), config.columns)
        if source.kind == "parquet":
            return read_parquet(connection, source, files_of(source))
        if source.kind == "spark" and source.path is not None:
            return spark_files.read_path(connection, source)
        table = catalogue.find(connection, str(source.table), describe(source))
        if connection.name == "postgres":
            table = _words_as_text(table)
        return spark.without_zones(connection, table) if source.kind == "spark" else table


def _words_as_text(table: Table) -> Table:
    """Cast columns that Ibis takes for text: an enumeration is none, and has no functions of it."""
    words = [name for name, kind in table.schema().items() if kind.is_string()]
    # Ibis leaves out a cast to the type that it believes a column to have.
    return table.mutate(**{name: table[name].cast("!string").cast("string") for name in words})


def rejected(connection: BaseBackend, source: Source, records: int) -> tuple[int, list[str]]:
    """Return how many lines of text files were no rows, beside so many that were, and the first."""
    if source.kind == "spark":
        return spark_files.rejected(connection, source)
    return csv_files.rejected(connection, source, records)


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Turn what an engine says of unreadable data into one message that names the source.

    Raises
    ------
    DataError
        In place of the engine's own exceptions; this project's own pass through.
    """
    try:
        yield
    except (ClvError, KeyboardInterrupt):
        raise
    except Exception as error:
        if _lacks_memory(error):
            raise _too_large(source, error) from error
        if catalogue.is_forbidden(error):
            raise catalogue.forbidden(describe(source), error) from None
        raise DataError(
            f"cannot read {describe(source)}: {first_line(error)}. Check that the file is complete "
            "and of the kind, delimiter and encoding that [source] says."
        ) from error


def _lacks_memory(error: Exception) -> bool:
    return "OutOfMemory" in type(error).__name__


def _too_large(source: Source, error: Exception) -> DataError:
    return DataError(
        f"too little memory for {describe(source)}: {first_line(error)}. Raise "
        "source.memory_limit, or give source.temp_directory more disk."
    )


def first_line(error: Exception) -> str:
    """Return the first line of an exception's text, without a full stop; of Java's, its cause."""
    text = str(error).strip()
    causes = [told for told in re.findall(_JAVA, text) if not told.startswith(_NO_CAUSE)]
    lines = causes or text.splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")
