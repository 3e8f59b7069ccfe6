"""Rows to a function to Parquet, in batches that memory can hold: here, or on Spark's executors."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import BaseBackend
from ibis.expr.types import Table

from pipelines.sources.engines import spark

BATCH_ROWS = 250_000

Score = Callable[[pa.Table], pa.Table]


def write_scored(
    connection: BaseBackend,
    table: Table,
    score: Score,
    schema: pa.Schema,
    path: Path,
    rows: int = BATCH_ROWS,
) -> None:
    """Apply a function to every row of an engine's table and write the result as Parquet.

    Parameters
    ----------
    connection : ibis backend
        The engine of the table.
    table : ibis Table
    score : callable
        From an Arrow table of some rows to one of ``schema``, row by row: it must not depend on
        which rows share a batch. On Spark it is pickled and sent to the executors with all that
        it refers to, such as the fitted models, and no row comes back to the driver.
    schema : pyarrow.Schema
        Of the result.
    path : Path
        A file; on Spark a folder of files, written by the executors.
    rows : int
        Rows a batch holds at most; memory is bounded by it. Spark has its own setting,
        ``spark.sql.execution.arrow.maxRecordsPerBatch``.
    """
    if connection.name == "pyspark":
        spark.write_mapped(connection, table, score, schema, path)
        return
    with pq.ParquetWriter(path, schema) as writer:
        for batch in stream(table, rows):
            writer.write_table(score(batch).select(schema.names).cast(schema))


def write(
    connection: BaseBackend, table: Table, schema: pa.Schema, path: Path, rows: int = BATCH_ROWS
) -> None:
    """Write an engine's table as Parquet, as :func:`write_scored` does."""
    if connection.name == "pyspark":
        spark.write(connection, table, path)
        return
    write_scored(connection, table, lambda batch: batch, schema, path, rows)


@contextmanager
def opened(connection: BaseBackend, path: Path) -> Iterator[Table]:
    """Give what :func:`write_scored` has written back to an engine as a table.

    Parameters
    ----------
    connection : ibis backend
        Spark, where it has written the folder; otherwise a DuckDB.
    path : Path
    """
    if connection.name == "pyspark":
        with spark.opened(connection, path) as table:
            yield table
        return
    name = ibis.util.gen_name("clv_scored")
    try:
        yield connection.read_parquet(glob.escape(str(path)), table_name=name)
    finally:
        connection.drop_view(name, force=True)


def stream(table: Table, rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """Yield an engine's table as Arrow tables of at most ``rows`` rows, none of them empty."""
    # Engines sum integers in wider types than the expression promises.
    schema = table.schema().to_pyarrow()
    for batch in table.to_pyarrow_batches(chunk_size=rows):
        if batch.num_rows:
            yield pa.Table.from_batches([batch]).cast(schema)
