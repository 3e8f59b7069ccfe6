"""Sources of every kind that files have, and how their values are read."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import duckdb
import example_logs as logs
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config import load as config
from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.data.quality import preview
from pipelines.sources.connect import connect
from pipelines.sources.engines.duckdb import LEAST_PARTS
from pipelines.sources.failures import describe

ROWS = [("007", "2022-01-05", 10.5), ("007", "2022-02-05", 5.0), ("08", "2022-01-09", 2.0)]
DAYS = {("007", "2022-01-05", 10.5), ("007", "2022-02-05", 5.0), ("08", "2022-01-09", 2.0)}


def text(delimiter=",", rows=ROWS, header=("customer", "day", "value")) -> str:
    lines = [header, *rows]
    return "".join(delimiter.join(str(field) for field in line) + "\n" for line in lines)


def days_of(settings) -> set[tuple[str, str, float]]:
    with transactions.load(settings.log) as data:
        frame = data.purchases.execute()
    dates = [f"{pd.Timestamp(day):%Y-%m-%d}" for day in frame["date"]]
    return set(zip(frame["customer_id"], dates, frame["amount"], strict=True))


@pytest.mark.parametrize(
    ("encoding", "delimiter", "given"),
    [
        ("utf-8", ",", {}),
        ("utf-8-sig", ";", {}),
        ("utf-8", "\t", {}),
        ("utf-8", "|", {}),
        ("utf-8", "#", {"delimiter": "#"}),
        ("latin-1", ",", {"encoding": "latin-1"}),
        ("cp1252", ";", {"encoding": "cp1252"}),
        ("utf-16", ",", {"encoding": "utf-16"}),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "CSV", "CSV.GZ", "Tsv.Gz"])
def test_csv_of_any_encoding_and_delimiter(tmp_path, encoding, delimiter, given, ending):
    zipped = ending.lower().endswith("gz")
    name = "é1" if encoding != "utf-16" else "日本"
    content = text(delimiter, [*ROWS, (name, "2022-03-01", 1)]).encode(encoding)
    file = tmp_path / f"log.{ending}"
    file.write_bytes(gzip.compress(content) if zipped else content)
    settings = logs.config({"kind": "csv", "path": str(file)} | given)
    assert days_of(settings) == DAYS | {(name, "2022-03-01", 1.0)}


@pytest.mark.parametrize("duplicates", ["keep", "drop"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_line_of_broken_bytes_is_set_aside_whatever_column_holds_them(
    tmp_path, duplicates, zipped
):
    """Also in a column that nothing reads, and beside a row set aside for another reason."""
    rows = [f"{n % 7},2022-01-{n % 28 + 1:02d},{n}.5,r{n},web,B\xfcro" for n in range(1, 9)]
    content = "\n".join(["customer,day,value,receipt,channel,note", *rows]).encode("latin-1")
    content = content.replace(b"B\xfcro", b"desk").replace(b"r5,web,desk", b"r5,web,B\xfcro")
    content = content.replace(b"\n3,", b"\n,")
    file = tmp_path / ("log.csv.gz" if zipped else "log.csv")
    file.write_bytes(gzip.compress(content) if zipped else content)
    settings = logs.config({"kind": "csv", "path": str(file)})
    governance = settings.governance.model_copy(update={"duplicates": duplicates})
    columns = settings.columns.model_copy(update={"channel": "channel"})
    settings = settings.model_copy(update={"governance": governance, "columns": columns})
    with transactions.load(settings.log) as data:
        assert data.account.set_aside == {"unreadable": 1, "no_id": 1}
        assert data.account.read == 8
        assert data.account.examples["unreadable"][0].startswith("line 6 ")
        assert data.account.examples["no_id"] == ["row 3 empty"]


def test_csv_globs_and_folders_are_read_together(tmp_path):
    for number, row in enumerate(ROWS):
        (tmp_path / f"log{number}.csv").write_text(text(rows=[row]))
    for path in (tmp_path / "log*.csv", tmp_path):
        assert days_of(logs.config({"kind": "csv", "path": str(path)})) == DAYS


def test_csv_values_with_quotes_and_blank_fields(tmp_path):
    content = 'customer,day,value\n"a,b",2022-01-01," 5 "\n"say ""x""",2022-01-01,1\n,,\n'
    (tmp_path / "log.csv").write_text(content)
    settings = logs.config({"kind": "csv", "path": str(tmp_path / "log.csv")})
    assert days_of(settings) == {("a,b", "2022-01-01", 5.0), ('say "x"', "2022-01-01", 1.0)}


def test_decimal_commas(tmp_path):
    (tmp_path / "log.csv").write_text(text(";", [("1", "2022-01-01", "1.234,50")]))
    source = {"kind": "csv", "path": str(tmp_path / "log.csv"), "decimal": ","}
    assert days_of(logs.config(source)) == {("1", "2022-01-01", 1234.5)}


def test_parquet_by_hive_partition_gives_its_columns(tmp_path):
    for country in ("UK", "FR"):
        folder = tmp_path / f"country={country}"
        folder.mkdir()
        frame = pd.DataFrame(ROWS, columns=["customer", "day", "value"])
        frame["customer"] += country
        frame.to_parquet(folder / "part.parquet")
    settings = logs.config(
        {"kind": "parquet", "path": str(tmp_path), "hive_partitioning": True},
        columns={"country": "country"},
    )
    with transactions.load(settings.log) as data:
        table = features.summary(data.purchases, data.as_of).execute()
    found = dict(zip(table["customer_id"], table["country"], strict=True))
    assert found == {"007UK": "UK", "08UK": "UK", "007FR": "FR", "08FR": "FR"}


def test_a_duckdb_file_is_read_and_not_changed(tmp_path):
    file = tmp_path / "shop.duckdb"
    frame = pd.DataFrame(ROWS, columns=["customer", "day", "value"])
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA sales")
        connection.register("frame", frame)
        connection.execute("CREATE TABLE sales.log AS FROM frame")
    before = file.read_bytes()
    source = {"kind": "duckdb", "path": str(file), "table": "sales.log"}
    assert days_of(logs.config(source)) == DAYS
    assert file.read_bytes() == before


def test_columns_with_the_names_of_this_project_or_of_sql(tmp_path):
    frame = pd.DataFrame(
        {"T": ["1", "2"], "select": ["2022-01-01", "2022-01-02"], "date": [1.0, 2.0], 'a"b': [2, 3]}
    )
    frame.to_parquet(tmp_path / "log.parquet")
    settings = logs.config(
        {"kind": "parquet", "path": str(tmp_path / "log.parquet")},
        columns={
            "customer_id": "T",
            "timestamp": "select",
            "amount": None,
            "price": "date",
            "quantity": 'a"b',
        },
    )
    assert days_of(settings) == {("1", "2022-01-01", 2.0), ("2", "2022-01-02", 6.0)}


def test_ids_kept_as_fractions_become_whole_numbers(tmp_path):
    frame = pd.DataFrame({"customer": [13085.0, None], "day": ["2022-01-01"] * 2, "value": [1, 2]})
    frame.to_parquet(tmp_path / "log.parquet")
    settings = logs.config({"kind": "parquet", "path": str(tmp_path / "log.parquet")})
    assert days_of(settings) == {("13085", "2022-01-01", 1.0)}


def test_mixed_time_zones_give_local_days(tmp_path):
    rows = [
        ("1", "2022-03-05T23:30:00Z", 1),
        ("2", "2022-03-05 23:30:00+02:00", 1),
        ("3", "2022-03-05 23:30", 1),
    ]
    (tmp_path / "log.csv").write_text(text(rows=rows))
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    found = days_of(logs.config(source, calendar={"time_zone": "Europe/Berlin"}))
    assert found == {("1", "2022-03-06", 1), ("2", "2022-03-05", 1), ("3", "2022-03-05", 1)}


def test_the_connection_uri_is_never_shown(monkeypatch):
    secret = "postgres://clv:hunter2@127.0.0.1:1/none"
    monkeypatch.setenv("CLV_SECRET_URI", secret)
    settings = logs.config({"kind": "postgres", "uri_env": "CLV_SECRET_URI", "table": "log"})
    with pytest.raises(ConfigError) as caught, connect(settings.log):
        pass
    assert "hunter2" not in str(caught.value)
    assert "CLV_SECRET_URI" in str(caught.value)
    assert "hunter2" not in describe(settings.source)


@pytest.mark.parametrize(
    "uri",
    [
        "postgres://127.0.0.1:1/none?user=clv@srv",
        "postgres://127.0.0.1:1/none?user=clv@srv&password=a%40b",
        "postgres://[::1]:1/none?user=clv@srv",
        "postgres://clv:hunter2@127.0.0.1:1/none?options=a@b",
        "postgres:///none?host=127.0.0.1&port=1&user=clv@srv",
    ],
)
def test_an_at_sign_in_the_query_is_no_fault_of_the_user_name(monkeypatch, uri):
    monkeypatch.setenv("CLV_SECRET_URI", uri)
    monkeypatch.setattr(ibis, "connect", lambda given: ibis.duckdb.connect())
    settings = logs.config({"kind": "postgres", "uri_env": "CLV_SECRET_URI", "table": "log"})
    with connect(settings.log) as connection:
        assert connection.name == "duckdb"


@pytest.mark.parametrize(
    "secret", ["S3cr?a=etPW", "S3cr/etPW", "S3cr#etPW", "S3cr?etPW", "S3cr@etPW"]
)
@pytest.mark.parametrize("kind", ["postgres", "uri"])
def test_a_password_that_breaks_the_uri_is_never_shown(monkeypatch, secret, kind):
    monkeypatch.setenv("CLV_SECRET_URI", f"postgres://clv:{secret}@127.0.0.1:1/none")
    settings = logs.config({"kind": kind, "uri_env": "CLV_SECRET_URI", "table": "log"})
    with pytest.raises(ConfigError) as caught, connect(settings.log):
        pass
    assert "S3cr" not in str(caught.value)
    assert "etPW" not in str(caught.value)
    assert kind == "uri" or "%2F" in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "spark.hadoop.fs.s3a.secret.key",
        "spark.hadoop.fs.s3a.access.key",
        "spark.hadoop.fs.azure.account.key.lake.dfs.core.windows.net",
        "spark.ssl.keyStorePassword",
    ],
)
def test_secrets_among_the_options_of_spark_are_refused(key):
    with pytest.raises(ConfigError) as caught:
        logs.config({"kind": "spark", "table": "log", "spark_options": {key: "TOPSECRET"}})
    assert key in str(caught.value)
    assert "spark-defaults.conf" in str(caught.value)
    assert "TOPSECRET" not in str(caught.value)


def test_an_engine_out_of_memory_says_what_to_raise_whatever_it_was_asked():
    def work():
        settings = logs.config({"kind": "csv", "path": "log.csv", "memory_limit": "50MB"})
        with connect(settings.log) as engine:
            connection = engine.connection
            connection.settings["max_temp_directory_size"] = "0KB"
            connection.raw_sql("CREATE TABLE t AS SELECT md5(i::VARCHAR) FROM range(9000000) r(i)")

    with pytest.raises(DataError, match=r"too little memory for log\.csv.*source\.memory_limit"):
        work()


def test_memory_threads_and_spill_folder_are_the_engines(tmp_path):
    source = {"kind": "csv", "path": "log.csv", "memory_limit": "256MB", "threads": 1}
    settings = logs.config(source | {"temp_directory": str(tmp_path)})
    with connect(settings.log) as engine:
        connection = engine.connection
        assert _working(connection) == 1
        assert connection.settings["memory_limit"].startswith("244")  # in MiB
        assert Path(connection.settings["temp_directory"]).parent == tmp_path
    unbounded = logs.config({"kind": "csv", "path": "log.csv"})
    with connect(unbounded.log) as engine:
        connection = engine.connection
        assert int(connection.settings["threads"]) >= LEAST_PARTS
        with duckdb.connect() as plain:
            cores = int(plain.execute("SELECT current_setting('threads')").fetchone()[0])
        assert _working(connection) == cores


def _working(connection):
    """Threads that DuckDB starts, and the one that asks."""
    counted, external = (int(connection.settings[k]) for k in ("threads", "external_threads"))
    return counted - external + 1


def test_a_spill_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "full").write_text("a file cannot be a folder to spill into")
    source = {"kind": "csv", "path": "log.csv", "temp_directory": str(tmp_path / "full")}
    with pytest.raises(ConfigError, match=r"source\.temp_directory: .*full"):
        days_of(logs.config(source))


def test_the_preview_shows_how_rows_are_read(tmp_path):
    rows = [("007", "2022-01-05", "5"), ("", "2022-01-05", "5"), ("1", "soon", "5")]
    (tmp_path / "log.csv").write_text(text(rows=[*rows, ("1", "2022-01-05", "many")]))
    settings = logs.config({"kind": "csv", "path": str(tmp_path / "log.csv")})
    frame = preview.preview(settings.log, rows=20)
    assert frame["reason"].tolist() == ["kept", "no_id", "bad_date", "bad_amount"]
    assert frame["customer_id"].tolist()[0] == "007"
    assert frame["source: value"].tolist() == ["5", "5", "5", "many"]
    assert len(preview.preview(settings.log, rows=2)) == 2


@pytest.mark.parametrize(
    ("day", "zone"),
    [("0001-01-01T00:00:00Z", "America/New_York"), ("9999-12-31T23:59:59Z", "Europe/Berlin")],
)
def test_days_that_python_cannot_hold_are_set_aside(tmp_path, day, zone):
    (tmp_path / "log.csv").write_text(text(rows=[("1", "2022-01-05", "5"), ("2", day, "5")]))
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    loose = {"max_bad_row_share": 0.5}
    settings = logs.config(source, calendar={"time_zone": zone}, governance=loose)
    with transactions.load(settings.log) as data:
        assert data.account.set_aside == {"bad_date": 1}
        assert data.account.examples == {"bad_date": [f"row 2 '{day}'"]}
    assert preview.preview(settings.log)["reason"].tolist() == ["kept", "bad_date"]


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
def test_endless_and_ancient_days_of_a_database_are_set_aside(tmp_path, kind):
    days = ["2022-01-05", "infinity", "-infinity", "0044-03-15 (BC)", "12022-03-05"]
    with duckdb.connect(str(tmp_path / "log.duckdb")) as connection:
        connection.execute(f"CREATE TABLE log (customer TEXT, day {kind}, value DOUBLE)")
        connection.executemany("INSERT INTO log VALUES ('1', ?, 5.0)", [[day] for day in days])
    source = {"kind": "duckdb", "path": str(tmp_path / "log.duckdb"), "table": "log"}
    calendar = {"time_zone": "Europe/Berlin", "source_time_zone": "UTC"}
    loose = {"max_bad_row_share": 0.9}
    settings = logs.config(source, calendar=calendar, governance=loose)
    with transactions.load(settings.log) as data:
        assert data.account.set_aside == {"bad_date": 4}
        assert data.as_of == dt.date(2022, 1, 5)
    assert preview.preview(settings.log)["reason"].tolist() == ["kept"] + ["bad_date"] * 4


def test_batches_are_bounded_and_complete(tmp_path):
    frame = logs.messy_log(customers=50)
    frame.to_parquet(tmp_path / "log.parquet")
    settings = logs.config({"kind": "parquet", "path": str(tmp_path / "log.parquet")})
    sizes = []

    def score(table: pa.Table) -> pa.Table:
        sizes.append(table.num_rows)
        return pa.table({"customer_id": table["customer_id"], "score": table["frequency"]})

    schema = pa.schema([("customer_id", pa.string()), ("score", pa.float64())])
    with transactions.load(settings.log) as data:
        data.engine.write_scored(data.summary, score, schema, tmp_path / "out.parquet", rows=7)
        expected = data.summary.execute()
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema == schema
    assert max(sizes) <= 7
    scores = dict(zip(expected["customer_id"], expected["frequency"], strict=True))
    assert dict(zip(*found.to_pydict().values(), strict=True)) == scores


def test_samples_of_customers_nest_and_are_of_their_size(tmp_path):
    frame = pd.DataFrame({"customer": [str(n) for n in range(4000)], "value": 1.0})
    frame.assign(day=dt.date(2022, 1, 1)).to_parquet(tmp_path / "log.parquet")
    settings = logs.config({"kind": "parquet", "path": str(tmp_path / "log.parquet")})
    with transactions.load(settings.log) as data:
        samples = [
            set(features.sample_customers(data.summary, share).customer_id.execute())
            for share in (0.1, 0.5, 1.0)
        ]
    assert samples[0] < samples[1] < samples[2]
    assert len(samples[2]) == 4000
    assert abs(len(samples[1]) - 2000) < 5 * (4000 * 0.25) ** 0.5


def test_the_embedded_default_needs_no_file():
    settings = config.load(Path(__file__).parents[3] / "configs" / "cdnow.toml")
    with transactions.load(settings.log, dt.date(1997, 3, 31)) as data:
        assert data.account.customers == 23_570
        assert data.account.set_aside["after_as_of"] > 0
