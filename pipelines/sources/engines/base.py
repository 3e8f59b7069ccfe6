"""What every engine does, in the portable way; each that differs has a class of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import BaseBackend
from ibis.expr.types import (
    BooleanValue,
    Column,
    DateValue,
    IntegerValue,
    NumericValue,
    StringValue,
    Table,
    TimestampValue,
)

from pipelines.config.load import Columns, Source
from pipelines.sources import catalogue, dialect
from pipelines.sources.failures import describe, reading
from pipelines.sources.values import days

BATCH_ROWS = 250_000

Score = Callable[[pa.Table], pa.Table]


class Engine:
    """An open connection to an engine, and what Ibis leaves to each.

    This class is what PostgreSQL and any other database do. It holds no state of its own, so
    that one may be made anew wherever a table's engine is asked for
    (:func:`pipelines.sources.engines.lookup.engine_of`).

    Attributes
    ----------
    connection : ibis backend
    reads_files : bool
        Whether it opens the Parquet files that :meth:`write` writes.
    numbers_rows : bool
        Whether rows of the source have an order, and so a number.
    """

    reads_files = False
    numbers_rows = False

    def __init__(self, connection: BaseBackend) -> None:
        self.connection = connection

    @property
    def name(self) -> str:
        """Ibis's name of the engine."""
        return str(self.connection.name)

    # Reading

    def read(self, source: Source, columns: Columns, name: str = "log") -> Table:
        """Return the raw table, columns as the source names them.

        Lines of text files that are no rows are put aside under ``name``.

        Raises
        ------
        ConfigError
            If the file or table is not there.
        DataError
            If it is there and cannot be read, or holds no header.
        """
        with reading(source):
            return self._read(source, columns, name)

    def _read(self, source: Source, columns: Columns, name: str) -> Table:
        return catalogue.find(self.connection, str(source.table), describe(source))

    def rejected(self, source: Source, records: int, name: str = "log") -> tuple[int, list[str]]:
        """Return how many lines of text files were no rows, beside ``records`` that were.

        And the first of them, as text; a database has none.
        """
        return 0, []

    def require_rows(self, source: Source, table: Table, name: str) -> Table:
        """Return a table of :meth:`read` in which every line is a row.

        Raises
        ------
        DataError
            If a line is none, and so what it says of somebody would be missed.
        """
        return table

    def given(self, rows: pa.Table) -> Table:
        """Return rows of this process as a table of the engine, not evaluated yet."""
        return ibis.memtable(rows)

    # Results

    def materialise(self, table: Table) -> Table:
        """Evaluate a table once and keep it in the engine until the connection closes."""
        return self.connection.create_table(ibis.util.gen_name("clv"), table, temp=True)

    @contextmanager
    def held(self, table: Table) -> Iterator[Table]:
        """Evaluate a table once and keep it in the engine inside the ``with`` block only."""
        kept = self.materialise(table)
        try:
            yield kept
        finally:
            self.connection.drop_table(kept.op().name)

    def ordered(self, table: Table, key: str) -> Table:
        """Put rows in a fixed order, so that equal runs write equal files."""
        return table.order_by(key)

    def write(self, table: Table, schema: pa.Schema, path: Path, rows: int = BATCH_ROWS) -> None:
        """Write a table as Parquet, as :meth:`write_scored` does."""
        self.write_scored(table, lambda batch: batch, schema, path, rows)

    def write_scored(
        self, table: Table, score: Score, schema: pa.Schema, path: Path, rows: int = BATCH_ROWS
    ) -> None:
        """Apply a function to every row of a table and write the result as Parquet.

        Parameters
        ----------
        table : ibis Table
        score : callable
            From an Arrow table of some rows to one of ``schema``, row by row: it must not depend
            on which rows share a batch. On Spark it is pickled and sent to the executors with all
            that it refers to, such as the fitted models, and no row comes back to the driver.
        schema : pyarrow.Schema
            Of the result.
        path : Path
            A file; on Spark a folder of files, written by the executors.
        rows : int
            Rows a batch holds at most; memory is bounded by it. Spark has its own setting,
            ``spark.sql.execution.arrow.maxRecordsPerBatch``.
        """
        with pq.ParquetWriter(path, schema) as writer:
            for batch in stream(table, rows):
                writer.write_table(score(batch).select(schema.names).cast(schema))

    @contextmanager
    def opened(self, path: Path) -> Iterator[Table]:
        """Give what :meth:`write_scored` has written back to the engine as a table."""
        raise NotImplementedError

    # Expressions

    def earliest(
        self, value: Column, day: Column, where: BooleanValue | None = None
    ) -> NumericValue:
        """Aggregate to the number of the earliest day."""
        return value.argmin(day, where=where)

    def latest(self, value: Column, day: Column, where: BooleanValue | None = None) -> NumericValue:
        """Aggregate to the number of the latest day."""
        return value.argmax(day, where=where)

    def stripped(self, text: StringValue) -> StringValue:
        """Take spaces, tabs and line breaks off both ends of a text."""
        return text.strip()

    def shift(self, clock: TimestampValue, source: str, target: str) -> TimestampValue:
        """Move a time without a zone from the clock of one zone to that of another."""
        return clock if source == target else self._shift(clock, source, target)

    def _shift(self, clock: TimestampValue, source: str, target: str) -> TimestampValue:
        return dialect.shift(clock, source, target)

    def timestamp(self, parts: Sequence[IntegerValue]) -> TimestampValue:
        """Put a time without a zone together, of year, month, day, hour, minute and second."""
        return ibis.timestamp(*parts)

    def day_of(self, text: StringValue, pattern: str | None, source: str, target: str) -> DateValue:
        """Return the calendar day in the target zone of a time kept as text.

        As :func:`pipelines.sources.values.days.day_of`; null where it cannot be read.
        """
        return days.day_of(text, pattern, source, target, self)

    def digest(self, columns: Sequence[Column]) -> NumericValue:
        """Aggregate rows to one number, whatever their order."""
        row = ibis.literal("|").join([column.cast("string") for column in columns]).hash()
        return (row % 2147483647).sum()


def stream(table: Table, rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """Yield an engine's table as Arrow tables of at most ``rows`` rows, none of them empty."""
    # Engines sum integers in wider types than the expression promises.
    schema = table.schema().to_pyarrow()
    for batch in table.to_pyarrow_batches(chunk_size=rows):
        if batch.num_rows:
            yield pa.Table.from_batches([batch]).cast(schema)
