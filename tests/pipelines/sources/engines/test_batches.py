"""An engine's rows through a function to Parquet, a bounded number at a time."""

from __future__ import annotations

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.sources.engines.duckdb import DuckDB

SCHEMA = pa.schema([("name", pa.string()), ("double", pa.float64())])


@pytest.fixture
def engine():
    connection = ibis.duckdb.connect(threads=1)
    yield DuckDB(connection)
    connection.disconnect()


@pytest.fixture
def numbers(engine):
    frame = pd.DataFrame({"name": [f"n{at:05d}" for at in range(5000)], "value": range(5000)})
    return engine.connection.create_table("numbers", frame)


@pytest.mark.parametrize("rows", [2048, 4096, 100_000])
def test_the_function_sees_every_row_once_and_few_at_a_time(engine, numbers, tmp_path, rows):
    seen = []

    def double(batch: pa.Table) -> pa.Table:
        seen.append(batch.num_rows)
        value = pa.compute.multiply(batch["value"], 2)
        return pa.table({"extra": value, "double": value, "name": batch["name"]})

    path = tmp_path / "of [all] {shops}" / "scored.parquet"
    path.parent.mkdir()
    engine.write_scored(numbers.order_by("name"), double, SCHEMA, path, rows)
    assert max(seen) <= rows
    assert sum(seen) == 5000
    tables = engine.connection.list_tables()
    with engine.opened(path) as table:
        assert table.schema().to_pyarrow().names == SCHEMA.names
        assert table.double.sum().execute() == 2 * sum(range(5000))
        engine.write(table.filter(table.double < 10), SCHEMA, tmp_path / "few.parquet")
    assert engine.connection.list_tables() == tables
    assert pd.read_parquet(tmp_path / "few.parquet")["double"].tolist() == [0, 2, 4, 6, 8]


def test_a_table_without_rows_is_written_with_its_columns(engine, numbers, tmp_path):
    nothing = numbers.filter(numbers.value < 0)
    path = tmp_path / "scored.parquet"
    engine.write_scored(nothing, lambda batch: pytest.fail("no rows"), SCHEMA, path)
    found = pd.read_parquet(path)
    assert found.empty
    assert list(found) == SCHEMA.names
