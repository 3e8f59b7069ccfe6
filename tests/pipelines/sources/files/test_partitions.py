"""Folders named key=value: columns where the configuration says so, and never in a file's place."""

from __future__ import annotations

from pathlib import Path

import example_logs as logs
import pandas as pd
import pytest

from clvmodels.core.errors import DataError
from pipelines.config.load import Config
from pipelines.data import customer_days as transactions
from pipelines.sources.connect import connect

ROWS = pd.DataFrame({"customer": ["C1", "C2"], "day": "2022-01-05", "value": [1.5, 2.5]})


def store(place: Path, kind: str, frame: pd.DataFrame = ROWS, encoding: str = "utf-8") -> None:
    place.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        frame.to_parquet(place / "log.parquet")
    else:
        frame.to_csv(place / "log.csv", index=False, encoding=encoding)


def on(folder: Path, kind: str, *, hive: bool, columns: dict | None = None, **more) -> Config:
    source = {"kind": kind, "path": str(folder), "hive_partitioning": hive}
    return logs.config(source | more, columns=columns or {})


def rows_of(settings: Config) -> list[dict[str, object]]:
    with connect(settings.log) as engine:
        table = engine.read(settings.source, settings.columns)
        return table.order_by(table.columns).to_pyarrow().to_pylist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("folder", ["customer=evil", "CUSTOMER=C1", "customer=C1", "value=3"])
def test_a_folder_named_after_a_column_of_its_files_is_refused(tmp_path, kind, folder):
    """Also where the values agree: what is read would hang on the folder, not on the file."""
    store(tmp_path / "log" / "year=2022" / folder, kind)
    name = folder.partition("=")[0].lower()
    said = rf"log\.{kind} holds the column {name}, and lies in the folder {folder}.*hive_part"
    with pytest.raises(DataError, match=said):
        rows_of(on(tmp_path / "log", kind, hive=True))


def test_every_file_is_looked_at(tmp_path):
    store(tmp_path / "shop=1", "parquet")
    store(tmp_path / "shop=2", "parquet", ROWS.assign(shop="other"))
    with pytest.raises(DataError, match=r"shop=2.log\.parquet holds the column shop"):
        rows_of(on(tmp_path, "parquet", hive=True))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_folder_says_nothing_unless_it_is_asked(tmp_path, kind):
    store(tmp_path / "customer=evil" / "country=UK", kind)
    settings = on(tmp_path, kind, hive=False)
    assert [row["customer"] for row in rows_of(settings)] == ["C1", "C2"]
    assert "country" not in rows_of(settings)[0]
    with transactions.load(settings.log) as data:
        assert data.summary.customer_id.execute().sort_values().tolist() == ["C1", "C2"]


@pytest.mark.parametrize(
    ("kind", "encoding"), [("csv", "utf-8"), ("csv", "utf-16"), ("parquet", "utf-8")]
)
def test_the_values_of_folders_are_text(tmp_path, kind, encoding):
    """store=007 is not 7, also where files are copied before they are read."""
    for folder in ("store=007", "store=12"):
        store(tmp_path / folder, kind, ROWS.drop(columns="customer"), encoding)
    columns = {"customer_id": "store"}
    settings = on(tmp_path, kind, hive=True, columns=columns, encoding=encoding)
    assert {row["store"] for row in rows_of(settings)} == {"007", "12"}
    with transactions.load(settings.log) as data:
        found = data.summary.customer_id.execute().sort_values().tolist()
    assert found == ["007", "12"]


def test_lines_that_a_quote_swallows_are_counted_beside_columns_of_folders(tmp_path):
    place = tmp_path / "store=007"
    place.mkdir()
    rows = ["customer,day,value", "C1,2022-01-01,1", '"C2', "C3,2022-01-03,3", 'C4",2022-01-04,4']
    (place / "log.csv").write_text("\n".join(rows) + "\n")
    for hive in (False, True):
        with transactions.load(on(tmp_path, "csv", hive=hive).log) as data:
            assert data.account.set_aside == {"unreadable": 1}
