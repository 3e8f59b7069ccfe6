"""Workbooks as sources: sheets, cells of every type, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import example_logs as logs
import pandas as pd
import pytest
import xlsxwriter

from clvmodels.core.errors import ConfigError, DataError
from pipelines.data import customer_days as transactions
from pipelines.sources.connect import connect

HEADER = ("customer", "day", "value")
DAY = dt.datetime(2022, 1, 5, 23, 30)


def workbook(path: Path, hidden: tuple[str, ...] = (), **sheets: list[tuple]) -> Path:
    """Write sheets of rows, their first row first; dates as dates, nothing as an empty cell."""
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
        book.add_chartsheet("chart")
    return path


def settings_of(path: Path, columns: dict | None = None, **source):
    return logs.config(
        {"kind": "excel", "path": str(path)} | source,
        columns=columns or {},
        calendar={"time_zone": "Europe/London"},
    )


def read(settings):
    with transactions.load(settings.log) as data:
        frame = data.purchases.execute()
        account = data.account
    days = set(
        zip(
            frame["customer_id"],
            pd.to_datetime(frame["date"]).dt.strftime("%Y-%m-%d"),
            frame["amount"],
            strict=True,
        )
    )
    return days, account


def test_sheets_are_one_log_and_cells_keep_what_they_hold(tmp_path):
    file = workbook(
        tmp_path / "log.xlsx",
        hidden=("lookup",),
        first=[(), HEADER, ("007", DAY, 10.5), (8, "2022-02-01T09:00:00Z", "5.0"), (), ()],
        second=[HEADER, (8.0, dt.date(2022, 3, 1), 2), ("NULL", DAY, 1), (9, None, 1)],
        lookup=[("code", "meaning"), (1, "one")],
        empty=[],
    )
    days, account = read(settings_of(file))
    assert days == {("007", "2022-01-05", 10.5), ("8", "2022-02-01", 5.0), ("8", "2022-03-01", 2.0)}
    assert account.read == 5
    assert account.set_aside == {"no_id": 1, "bad_date": 1}


def test_a_workbook_gives_what_the_same_rows_give_as_parquet(tmp_path):
    frame = logs.messy_log()
    frame["day"] = frame["day"].dt.floor("s")
    frame.to_parquet(tmp_path / "log.parquet")
    rows = [
        tuple(frame.columns),
        *frame.astype(object).where(frame.notna(), None).itertuples(False),
    ]
    half = len(rows) // 2
    file = workbook(tmp_path / "log.xlsx", one=rows[:half], two=[rows[0], *rows[half:]])
    columns = {"country": "country"}
    parquet = settings_of(tmp_path / "log.parquet", columns, kind="parquet")
    days, account = read(settings_of(file, columns))
    same_days, same_account = read(parquet)
    assert days == same_days
    assert account == replace(same_account, source=str(file))


def test_a_number_that_was_rounded_is_no_id(tmp_path):
    rows = [HEADER, (1234567890123456789, DAY, 1), (17.5, DAY, 1), (123456789012345, DAY, 1)]
    days, account = read(settings_of(workbook(tmp_path / "log.xlsx", log=rows)))
    assert days == {("123456789012345", "2022-01-05", 1.0)}
    assert account.set_aside == {"no_id": 2}


def test_dates_and_numbers_need_no_format_beside_text_of_one(tmp_path):
    rows = [HEADER, ("1", DAY, 12.5), ("2", "05/01/2022", "1.234,50"), ("3", DAY, 1e-7)]
    file = workbook(tmp_path / "log.xlsx", log=rows)
    days, account = read(settings_of(file, {"date_format": "%d/%m/%Y"}, decimal=","))
    assert days == {
        ("1", "2022-01-05", 12.5),
        ("2", "2022-01-05", 1234.5),
        ("3", "2022-01-05", 1e-7),
    }
    assert account.set_aside == {}


def test_cells_of_every_kind_among_each_other(tmp_path):
    """An error is empty, a truth is no number, and a date is one whatever stands above it."""
    file = tmp_path / "log.xlsx"
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet("log")
        rows = [HEADER, (1, DAY, 2.5), (True, "2022-01-06", 3), ("x", DAY, "4"), ("y", DAY, True)]
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        for number, (who, value) in enumerate([("#N/A", 5), ("z", "#DIV/0!"), ("a", 6)], 5):
            sheet.write_formula(number, 0, "=1", None, who)
            sheet.write_datetime(number, 1, DAY)
            sheet.write_formula(number, 2, "=1", None, value)
    days, account = read(settings_of(file))
    assert {(who, value) for who, _, value in days} == {
        ("1", 2.5),
        ("True", 3.0),
        ("x", 4.0),
        ("a", 6.0),
    }
    assert account.set_aside == {"no_id": 1, "bad_amount": 2}


def test_sheets_are_chosen_by_name(tmp_path):
    rows = [HEADER, ("1", DAY, 12.5)]
    file = workbook(tmp_path / "log.xlsx", hidden=("old",), notes=[("x",), (1,)], old=rows)
    assert read(settings_of(file, sheets=["old"]))[0] == {("1", "2022-01-05", 12.5)}
    with pytest.raises(ConfigError, match=r"no sheet 'new'; it has notes, old"):
        read(settings_of(file, sheets=["new"]))


def test_a_folder_of_workbooks_is_read_together(tmp_path):
    for name in ("a", "b"):
        workbook(tmp_path / f"{name}.xlsx", log=[HEADER, (name, DAY, 1)])
    (tmp_path / "~$a.xlsx").write_text("open in Excel")
    assert {day[0] for day in read(settings_of(tmp_path))[0]} == {"a", "b"}


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        (
            {"a": [HEADER, (1, DAY, 1)], "b": [("customer", "value"), (1, 1)]},
            r"sheet 'b' of .*sheet",
        ),
        ({"a": [("customer", "day", "Customer")]}, r"sheet 'a' of .*names the column .* twice"),
        ({"a": []}, "no visible sheet with rows"),
        ({"a": [HEADER]}, "holds no rows"),
        ({"a": [("Sales of 2022",), HEADER, (1, DAY, 1)]}, r"'customer', mapped by"),
    ],
)
def test_a_workbook_that_is_no_log_is_refused(tmp_path, sheets, message):
    with pytest.raises(DataError, match=message):
        read(settings_of(workbook(tmp_path / "log.xlsx", **sheets)))


def test_a_damaged_workbook_is_refused(tmp_path):
    file = workbook(tmp_path / "log.xlsx", log=[HEADER, ("1", DAY, 1)])
    for content in (file.read_bytes()[:2000], b"customer,day,value\n"):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot read .*log\.xlsx as a workbook"):
            read(settings_of(file))


@pytest.mark.parametrize(("kind", "name"), [("csv", "log.xlsx"), ("excel", "log.csv")])
def test_a_file_of_another_kind_is_told_by_its_name(tmp_path, kind, name):
    (tmp_path / name).write_text("customer,day,value\n1,2022-01-05,1\n")
    other = "excel" if kind == "csv" else "csv"
    with pytest.raises(ConfigError, match=f"not of source.kind '{kind}'; set it to '{other}'"):
        read(settings_of(tmp_path / name, kind=kind))


def test_nothing_is_left_where_copies_are_made(tmp_path):
    """Copies hold customers: they go with the connection, also from a folder of one's own."""
    spill = tmp_path / "spill"
    file = workbook(tmp_path / "log.xlsx", log=[HEADER, ("1", DAY, 1)])
    (tmp_path / "log.csv").write_text("customer,day,value\n1,2022-01-05,1\n", encoding="utf-16")
    for source in (
        {"kind": "excel", "path": str(file)},
        {"kind": "csv", "path": str(tmp_path / "log.csv"), "encoding": "utf-16"},
    ):
        settings = logs.config(source | {"temp_directory": str(spill)})
        with connect(settings.log) as engine:
            engine.read(settings.source, settings.columns).execute()
            assert list(spill.rglob("*.parquet" if source["kind"] == "excel" else "*.csv"))
        assert list(spill.iterdir()) == []
