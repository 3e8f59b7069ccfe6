"""Spark reads text files as the embedded DuckDB does, and says what it cannot read."""

from __future__ import annotations

from pathlib import Path

import example_logs as logs
import pandas as pd
import pytest

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Config, Consent
from pipelines.data import customer_days as transactions
from pipelines.sources.connect import connect
from pipelines.sources.failures import reading

pytestmark = [
    pytest.mark.engines,
    pytest.mark.usefixtures("spark_session"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HEADER = "customer,day,value\n"
ROWS = """007,2022-01-01,5
too-many,2022-01-01,5,50
too-few,2022-01-01
"x ""q"" y",2022-01-01,5
"two
lines",2022-01-02,6
a"quote,2022-01-03,6
NULL,2022-01-01,7

NaN,2022-01-02,7
"",2022-01-02,7
 padded ,2022-01-02,2.5e1
"""


def on_spark(path: Path, **source: object) -> Config:
    return logs.config({"kind": "spark", "format": "csv", "path": str(path)} | source)


def read(config: Config) -> tuple[list[dict[str, str | None]], int]:
    """Return the rows of the table, and how many lines were none."""
    with connect(config.log) as engine, reading(config.source):
        rows = engine.read(config.source, config.columns).to_pyarrow().to_pylist()
        return rows, engine.rejected(config.source, len(rows))[0]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (HEADER + ROWS, {}),
        (HEADER + ROWS, {"null_values": ["007", ""]}),
        ((HEADER + ROWS).replace(",", ";"), {}),
        (HEADER + "é,2022-01-01,5\n", {"encoding": "cp1252"}),
        (HEADER + "é,2022-01-01,5\n", {"encoding": "utf-8-sig"}),
        (HEADER + "é,2022-01-01,5\n", {"encoding": "utf-16"}),
        ("customer;day;value\na;2022-01-01;1.234,5\n", {"decimal": ",", "delimiter": ";"}),
        ("customer,day,value,\na,2022-01-01,5,\nb,2022-01-01,5,\n", {}),
        ("customer::day::value\na::2022-01-01::5\n", {"delimiter": "::"}),
        # a quote that is never closed takes in the lines after it
        (HEADER + 'a,2022-01-01,5\n"b,2022-01-01,5\nc,2022-01-01,5\n', {}),
        ('day,value,customer\n2022-01-01,5,a\n2022-01-01,5,"b\n2022-01-01,5,c\n', {}),
    ],
)
def test_csv_is_read_as_the_embedded_engine_reads_it(tmp_path, text, source):
    file = tmp_path / "a log.csv"
    file.write_text(text, encoding=str(source.get("encoding", "utf-8")))
    embedded = logs.config({"kind": "csv", "path": str(file)} | source)
    assert read(on_spark(file, **source)) == read(embedded)


def test_lines_that_are_no_row_are_shown(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes((HEADER + ROWS).encode() + b"Andr\xe9,2022-01-01,5\n")
    with transactions.load(on_spark(file).log) as data:
        assert data.account.set_aside == {"unreadable": 3, "no_id": 3}
        shown = " ".join(data.account.examples["unreadable"])
    for text in ("too-many,2022-01-01,5,50", "too-few,2022-01-01", "Andr\ufffd"):
        assert text in shown


def test_text_beside_quotes_is_never_an_id(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(HEADER + 'a,2022-01-01,5\n"b"c,2022-01-01,5\n')
    rows, _ = read(on_spark(file))
    assert [row["customer"] for row in rows] == ["a", None]


def test_files_with_another_header_are_refused_by_name(tmp_path):
    (tmp_path / "first.csv").write_text(HEADER + "a,2022-01-01,5\nb,2022-01-01,5\n")
    (tmp_path / "other.csv").write_text("customer,value,day\nb,5,2022-01-01\n")
    config = on_spark(tmp_path)
    with pytest.raises(DataError, match=r"other\.csv has another header than customer, day, value"):
        read(config)


def test_folders_named_by_a_value_keep_its_zeros(tmp_path):
    for store in ("007", "12"):
        folder = tmp_path / f"store={store}"
        folder.mkdir()
        (folder / "log.csv").write_text(HEADER + "a,2022-01-01,5\n")
    rows, _ = read(on_spark(tmp_path))
    assert sorted(str(row["store"]) for row in rows) == ["007", "12"]


@pytest.mark.parametrize("form", ["csv", "parquet", "orc"])
def test_a_folder_named_after_a_column_of_its_files_is_refused(tmp_path, form):
    frame = pd.DataFrame({"customer": ["C1"], "day": ["2022-01-01"], "value": [5.0]})
    place = tmp_path / "a [log]=x" / "Customer=evil"
    place.mkdir(parents=True)
    writers = {"csv": frame.to_csv, "parquet": frame.to_parquet, "orc": frame.to_orc}
    writers[form](place / f"a log.{form}", index=False)
    told = pytest.raises(DataError, match=r"Customer=evil.* holds the column customer, and lies in")
    top = str(place.parent).replace("[", "\\[").replace("]", "\\]")
    with told:
        read(on_spark(top, format=form))
    rows, _ = read(on_spark(f"{top}/*", format=form))  # the folder itself is no partition of it
    assert [row["customer"] for row in rows] == ["C1"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_is_never_a_file(tmp_path, form):
    frame = pd.DataFrame({"customer": ["C1"], "day": ["2022-01-01"], "value": [5.0]})
    frame.to_parquet(tmp_path / "other") if form == "parquet" else frame.to_csv(tmp_path / "other")
    for name in (f"{form}.{tmp_path}/other", f"{form}.`{tmp_path}/other`"):
        told = pytest.raises(ConfigError, match="no table or view named")
        with told, transactions.load(logs.config({"kind": "spark", "table": name}).log):
            pass


@pytest.mark.parametrize(
    ("form", "content", "error", "message"),
    [
        ("parquet", "customer,day\n", DataError, "is not a Parquet file"),
        ("nosuch", "customer,day\n", DataError, "Failed to find the data source: nosuch"),
        ("csv", "", DataError, "is empty"),
        ("csv", "a,b,a\n", DataError, "names the column a twice"),
        ("parquet", None, ConfigError, "no file at"),
    ],
)
def test_what_spark_cannot_read_is_said(tmp_path, form, content, error, message):
    file = tmp_path / "log.data"
    if content is not None:
        file.write_text(content)
    config = on_spark(file, format=form)
    with pytest.raises(error, match=message), connect(config.log) as engine:
        engine.read(config.source, config.columns)


def test_a_damaged_file_among_others_is_named(tmp_path):
    frame = pd.DataFrame({"customer": ["a"], "day": ["2022-01-01"], "value": [5.0]})
    for name in ("a", "b"):
        frame.to_parquet(tmp_path / f"{name}.parquet")
    damaged = tmp_path / "b.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-4] + b"oops")
    config = on_spark(tmp_path, format="parquet")
    told = pytest.raises(DataError, match=r"b\.parquet is not a Parquet file")
    with told, transactions.load(config.log):
        pass


def test_a_line_of_the_consent_log_that_is_no_row_ends_the_run(tmp_path):
    (tmp_path / "log.csv").write_text(HEADER + "a,2022-01-01,5\n")
    words = tmp_path / "consent.csv"
    words.write_text("customer_id,timestamp,granted\na,2022-01-01,yes\na,2022-01-02,no,really\n")
    config = on_spark(tmp_path / "log.csv")
    governance = config.governance.model_copy(update={"consent": "exclude"})
    told = config.model_copy(update={"consent": Consent(path=str(words)), "governance": governance})
    with pytest.raises(DataError, match="1 lines that cannot be read"), transactions.load(told.log):
        pass
