"""DuckDB files: tables are those of the file, and its views read nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import example_logs as logs
import pandas as pd
import pyarrow as pa
import pytest

from clvmodels.core.errors import ConfigError
from pipelines.config.load import Config, Consent
from pipelines.data import customer_days as transactions
from pipelines.sources.connect import connect

ROWS = pd.DataFrame({"customer": ["007"], "day": ["2022-01-05"], "value": [10.5]})
OTHER = "customer,day,value\nsecret,2022-01-01,99\n"


def shop(folder: Path, *statements: str) -> Path:
    """Write a DuckDB file with the table log, and what the statements make in it."""
    file = folder / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.register("frame", ROWS)
        connection.execute("CREATE TABLE log AS FROM frame")
        for statement in statements:
            connection.execute(statement)
    return file


def settings_of(file: Path, table: str, **sections) -> Config:
    return logs.config({"kind": "duckdb", "path": str(file), "table": table}, **sections)


def customers(settings: Config) -> list[str]:
    with transactions.load(settings.log) as data:
        return sorted(data.summary.customer_id.execute())


def other_file(folder: Path) -> Path:
    file = folder / "other.csv"
    file.write_text(OTHER)
    return file


def test_a_table_is_never_a_file(tmp_path):
    other = other_file(tmp_path)
    ROWS.to_parquet(tmp_path / "other.parquet")
    for name in (str(other), str(tmp_path / "other.parquet"), "read_csv('x')", "a.b.c.log"):
        with pytest.raises(ConfigError, match=r"no table or view named .*tables there: log"):
            customers(settings_of(shop(tmp_path), name))
        (tmp_path / "shop.duckdb").unlink()


@pytest.mark.parametrize(
    "name", ["log", "LOG", "main.log", "Shop.Main.Log", "sales.orders", "seen"]
)
def test_tables_and_views_of_the_file_are_found_whatever_their_case(tmp_path, name):
    file = shop(
        tmp_path,
        "CREATE SCHEMA Sales",
        "CREATE TABLE Sales.Orders AS FROM log",
        "CREATE VIEW seen AS FROM Sales.Orders WHERE value > 0",
    )
    assert customers(settings_of(file, name)) == ["007"]


@pytest.mark.parametrize(
    "query",
    [
        "FROM read_csv('{other}')",
        "SELECT content AS customer, '2022-01-01' AS day, 1.0 AS value FROM read_text('{other}')",
        "SELECT file AS customer, '2022-01-01' AS day, 1.0 AS value FROM glob('{folder}/*')",
        "SELECT l.* FROM log AS l, read_blob('{other}')",
        "FROM from_a_macro()",
    ],
)
def test_a_view_that_reads_other_files_is_refused(tmp_path, query):
    other = other_file(tmp_path)
    view = query.format(other=other, folder=tmp_path)
    macro = f"CREATE MACRO from_a_macro() AS TABLE FROM read_csv('{other}')"
    file = shop(tmp_path, macro, f"CREATE VIEW seen AS {view}")
    with pytest.raises(ConfigError, match=r"shop\.duckdb, table seen is a view that reads") as told:
        customers(settings_of(file, "seen"))
    assert "\n" not in str(told.value)
    assert customers(settings_of(file, "log")) == ["007"]


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH '{folder}/new.duckdb' AS new",
        "COPY log TO '{folder}/new.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FROM read_csv('http://127.0.0.1:9/log.csv')",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
    ],
)
def test_the_engine_of_a_file_reaches_nothing_else(tmp_path, statement):
    settings = settings_of(shop(tmp_path), "log")
    with connect(settings.log) as engine:
        with pytest.raises(duckdb.Error, match=r"disabled|locked"):
            engine.connection.raw_sql(statement.format(folder=tmp_path))
        assert engine.read(settings.source, settings.columns).count().execute() == 1
    assert not list(tmp_path.glob("new*"))


@pytest.fixture
def odd_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clv runs: a folder whose name looks like a pattern, and like the end of a text."""
    folder = tmp_path / "of [all] {shops} & 'more'"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("path", ["consent.csv", "{folder}/consent.csv", "{folder}/words"])
def test_the_consent_file_is_within_reach(odd_folder, path):
    words = "customer_id;timestamp;granted\n007;2022-01-01;yes\né;2022-01-01;no\n"
    (odd_folder / "consent.csv").write_text(words, encoding="utf-16")
    (odd_folder / "words").mkdir()
    said = pd.DataFrame({"customer_id": ["007"], "timestamp": ["2022-01-01"], "granted": ["yes"]})
    said.to_parquet(odd_folder / "words" / "consent.parquet")
    settings = settings_of(shop(odd_folder), "log", governance={"consent": "exclude"})
    source = settings.source.model_copy(update={"encoding": "utf-16", "temp_directory": "spill"})
    consent = Consent(path=path.format(folder=odd_folder))
    told = settings.model_copy(update={"source": source, "consent": consent})
    assert customers(told) == ["007"]


def test_scores_and_spilled_data_are_within_reach(odd_folder):
    file = shop(odd_folder)
    source = {"temp_directory": "spill", "memory_limit": "100MB", "threads": 1}
    settings = settings_of(file, "log", output={"reports": "reports"})
    settings = settings.model_copy(update={"source": settings.source.model_copy(update=source)})
    scores = Path("reports", settings.name, "scores.parquet")
    scores.parent.mkdir(parents=True)
    schema = pa.schema([("customer", pa.string())])
    with connect(settings.log) as engine:
        log = engine.read(settings.source, settings.columns)
        engine.write(log.select("customer"), schema, scores)
        with engine.opened(scores) as written:
            assert written.count().execute() == 1
        query = "SELECT md5(range::VARCHAR) FROM range(4000000)"
        engine.connection.raw_sql(f"CREATE TEMP TABLE more AS {query}")
        assert sum(part.stat().st_size for part in Path("spill").rglob("*.tmp")) > 1_000_000


def test_a_duckdb_file_by_its_uri_is_as_confined(tmp_path, monkeypatch):
    other = other_file(tmp_path)
    file = shop(tmp_path, f"CREATE VIEW seen AS FROM read_csv('{other}')")
    monkeypatch.setenv("CLV_URI", f"duckdb://{file}")
    for table, message in (("seen", "is a view that reads"), (str(other), "no table or view")):
        settings = logs.config({"kind": "uri", "uri_env": "CLV_URI", "table": table})
        with pytest.raises(ConfigError, match=message):
            customers(settings)
    assert customers(logs.config({"kind": "uri", "uri_env": "CLV_URI", "table": "log"})) == ["007"]


@pytest.mark.parametrize("kind", ["duckdb", "uri"])
def test_reports_of_other_businesses_are_out_of_a_views_reach(tmp_path, monkeypatch, kind):
    """Those of the own business are where its scores are written and read back."""
    queries = []
    for name in ("test", "test-2", ".."):
        folder = tmp_path / "reports" / name / "2022-01-31"
        folder.mkdir(parents=True)
        ROWS.to_parquet(folder / "customers.parquet")
        view = {"test": "own", "test-2": "next", "..": "above"}[name]
        queries.append(f"CREATE VIEW {view} AS FROM read_parquet('{folder}/customers.parquet')")
    file = shop(tmp_path, *queries)
    monkeypatch.setenv("CLV_URI", f"duckdb://{file}")
    source = {"duckdb": {"path": str(file)}, "uri": {"uri_env": "CLV_URI"}}[kind]
    output = {"reports": str(tmp_path / "reports")}
    for table in ("next", "above"):
        settings = logs.config({"kind": kind, "table": table, **source}, output=output)
        with pytest.raises(ConfigError, match="is a view that reads more"):
            customers(settings)
    own = logs.config({"kind": kind, "table": "own", **source}, output=output)
    assert own.name == "test"
    assert customers(own) == ["007"]
