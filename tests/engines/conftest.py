"""One log on three engines: each fixture puts a frame where an engine reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import example_logs as logs
import ibis
import pandas as pd
import postgres_server
import pytest

from pipelines import cli
from pipelines.config.load import Config

Place = Callable[..., Config]
Train = Callable[..., Path]
URI = "CLV_TEST_POSTGRES"


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    # Not in pytest's own temporary folder: another run of pytest may tidy that up meanwhile.
    with (
        tempfile.TemporaryDirectory(prefix="clv-postgres-", ignore_cleanup_errors=True) as folder,
        postgres_server.running(Path(folder)) as uri,
    ):
        yield uri


@pytest.fixture(scope="session")
def spark_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from pyspark.sql import SparkSession

    from pipelines.sources.engines import spark

    options = {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.wholeStage": "false",  # compiling costs more than these tables
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    config = logs.config({"kind": "spark", "table": "none", "spark_options": options})
    zone = config.calendar.local_zone_of_source
    with spark.connect(
        config.source, zone, config.name
    ):  # later connections find this session and leave it running
        yield SparkSession.getActiveSession()


@pytest.fixture(params=["duckdb", "postgres", "spark"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a function that stores a frame in the engine and gives the configuration for it."""
    engine = request.param

    def store(frame: pd.DataFrame, table: str = "log", **sections: dict[str, object]) -> Config:
        if engine == "duckdb":
            file = tmp_path / "log.duckdb"
            with duckdb.connect(str(file)) as connection:
                connection.register("frame", frame)
                connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM frame")
            return logs.config({"kind": "duckdb", "path": str(file), "table": table}, **sections)
        if engine == "postgres":
            uri = request.getfixturevalue("postgres_uri")
            monkeypatch.setenv(URI, uri)
            connection = ibis.connect(uri)
            # The driver takes brackets in a name for a parameter's: names are given afterwards.
            plain = frame.set_axis([f"c{at}" for at in range(frame.shape[1])], axis=1)
            connection.create_table(table, ibis.memtable(plain), overwrite=True)
            for at, name in enumerate(frame.columns):
                connection.raw_sql(f'ALTER TABLE "{table}" RENAME COLUMN c{at} TO "{name}"').close()
            connection.disconnect()
            return logs.config({"kind": "postgres", "uri_env": URI, "table": table}, **sections)
        request.getfixturevalue("spark_session")
        file = tmp_path / f"{table}.parquet"
        frame.to_parquet(file, coerce_timestamps="us")
        return logs.config({"kind": "spark", "path": str(file)}, **sections)

    return store


@pytest.fixture
def train(place: Place, tmp_path: Path) -> Train:
    """Return a function that puts a frame in the engine, trains, and gives the report's folder."""

    def run(frame: pd.DataFrame, as_of: str, toml: str) -> Path:
        source = place(frame).source.model_dump(exclude_none=True, exclude_defaults=True)
        file = tmp_path / "shop.toml"
        lines = "\n".join(f'{key} = "{value}"' for key, value in source.items())
        file.write_text(f'name = "shop"\n[source]\n{lines}\n{toml}\n{OUTPUT.format(tmp_path)}')
        command = ["train", "--config", str(file), "--as-of", as_of, "--quiet"]
        cli.app(command, standalone_mode=False)
        return tmp_path / "reports" / "shop" / as_of

    return run


OUTPUT = """
[columns]
customer_id = "customer"
timestamp = "day"
amount = "value"
[output]
models = "{0}/models"
reports = "{0}/reports"
"""
