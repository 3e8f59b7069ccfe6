"""Tables by month that people write: what is read, and what each fault is answered with."""

from __future__ import annotations

import datetime as dt
import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.errors import ConfigError, DataError, MissingColumnError
from pipelines.sources.month_files import read_months, require_months

GOOD = "month,spend,price\n2021-01,100,1.5\n2021-03,300,1.7\n2021-02,200.5,1.6\n"


def read(folder, text, name="drivers.csv", columns=("spend",)):
    (folder / name).write_text(text, encoding="utf-8")
    return read_months(str(folder / name), "month", columns, "covariates")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("months")


def test_rows_come_sorted_and_other_columns_are_left(folder):
    table = read(folder, GOOD)
    assert list(table.columns) == ["period", "spend"]
    assert list(table["period"]) == list(pd.date_range("2021-01-01", periods=3, freq="MS"))
    np.testing.assert_array_equal(table["spend"], [100.0, 200.5, 300.0])


def test_a_text_is_the_name_of_one_column(folder):
    pd.testing.assert_frame_equal(read(folder, GOOD, columns="spend"), read(folder, GOOD))


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_that_of_the_header(folder, delimiter):
    expected = read(folder, GOOD)
    pd.testing.assert_frame_equal(read(folder, GOOD.replace(",", delimiter)), expected)


@pytest.mark.parametrize("kind", ["datetime", "date", "text", "gzip", "bom", "workbook"])
@pytest.mark.parametrize("spelt", [str, str.upper, str.title])
def test_every_kind_of_file_gives_the_same_table(folder, kind, spelt):
    """By their names, whose capitals make no difference."""
    expected = read(folder, GOOD)
    frame = pd.DataFrame({"month": expected["period"], "spend": expected["spend"]})
    if kind == "gzip":
        path = folder / spelt("drivers.csv.gz")
        path.write_bytes(gzip.compress(GOOD.encode()))
    elif kind == "bom":
        path = folder / spelt("bom.csv")
        path.write_text(GOOD, encoding="utf-8-sig")
    elif kind == "workbook":
        frame.to_excel(folder / "drivers.xlsx", index=False, engine="xlsxwriter")
        path = (folder / "drivers.xlsx").rename(folder / spelt("drivers.xlsx"))
    else:
        path = folder / spelt(f"{kind}.parquet")
        changed = {"date": lambda d: d.dt.date, "text": lambda d: d.dt.strftime("%Y-%m-%d")}
        frame["month"] = changed.get(kind, lambda d: d)(frame["month"])
        frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_months(str(path), "month", ["spend"], "plan"), expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("month,spend\n2021-01,5\n2021-02,lots\n", "'lots' for 2021-02"),
        ("month,spend\n2021-01,5\n2021-02,\n", "nothing for 2021-02"),
        ("month,spend\n2021-01,inf\n", "'inf' for 2021-01"),
        ("month;spend\n2021-01;5,5\n", "'5,5' for 2021-01"),
        ("month,spend\n2021-01-15,5\n", "'2021-01-15' in row 1"),
        ("month,spend\n2021-01,5\nsoon,5\n", "'soon' in row 2"),
        ("month,spend\n2021-13,5\n", "'2021-13' in row 1"),
        ("month,spend\n2021,5\n", "'2021' in row 1"),
        ("month,spend\n,5\n", "in row 1"),
        ("month,spend\n2021-01,5\n2021-01-01,6\n", "2021-01 twice"),
        ("", "cannot read"),
        ("month,spend\n", "holds no row"),
        ('month,spend\n"2021-01,5\n', "cannot read"),
    ],
)
def test_a_fault_is_named_with_its_row_and_remedy(folder, text, says):
    with pytest.raises(DataError, match=says):
        read(folder, text)


def test_what_is_not_there_is_named(folder):
    with pytest.raises(ConfigError, match=r"no file at .*nowhere.csv; set \[plan\] path"):
        read_months(str(folder / "nowhere.csv"), "month", ["spend"], "plan")
    with pytest.raises(MissingColumnError, match="the column cost; found: month, spend, price"):
        read(folder, GOOD, columns=("cost",))


def test_a_damaged_file_cannot_be_read(folder):
    packed = bytearray(gzip.compress(GOOD.encode() * 40))
    packed[20:40] = b"\xff" * 20
    broken = {"broken.parquet": b"no parquet", "broken.csv.gz": bytes(packed)}
    for name, content in broken.items():
        (folder / name).write_bytes(content)
        with pytest.raises(DataError, match="cannot read"):
            read_months(str(folder / name), "month", ["spend"], "plan")


def test_a_missing_month_of_the_past_or_of_the_plan_is_named():
    table = pd.DataFrame({"period": pd.date_range("2021-01-01", "2021-09-01", freq="MS")})
    first, as_of = dt.date(2021, 1, 20), dt.date(2021, 6, 30)
    require_months(table, first, as_of, dt.date(2021, 9, 30), "file")
    with pytest.raises(DataError, match=r"no row for 2021-10 \(2 months missing\).*planned"):
        require_months(table, first, as_of, dt.date(2021, 11, 5), "file")
    with pytest.raises(DataError, match=r"no row for 2021-03 \(1 month missing\).*of the log"):
        require_months(table.drop(index=2), first, as_of, dt.date(2021, 9, 30), "file")
    with pytest.raises(DataError, match=r"no row for 2020-12"):
        require_months(table, dt.date(2020, 12, 31), as_of, dt.date(2021, 9, 30), "file")


@given(
    start=st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)),
    months=st.integers(1, 40),
    drop=st.integers(0, 39),
)
def test_exactly_the_whole_range_passes(start, months, drop):
    periods = pd.date_range(start.replace(day=1), periods=months, freq="MS")
    table = pd.DataFrame({"period": periods})
    until = (periods[-1] + pd.offsets.MonthEnd(0)).date()
    require_months(table, start, start, until, "file")
    if drop < months:
        with pytest.raises(DataError, match=f"no row for {periods[drop]:%Y-%m}"):
            require_months(table.drop(index=drop), start, start, until, "file")
