"""Delivered forecasts read back: whatever else lies in their place is named and left alone."""

from __future__ import annotations

import datetime as dt
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shop import TRAINED_AS_OF

from clvmodels.core.errors import DataError
from clvmodels.core.schema import COHORT_FORECAST
from pipelines.forecasting import deliver
from pipelines.forecasting.delivered import Label, read_cohorts, write_cohorts

AS_OF = dt.date(2022, 8, 31)
LABEL = Label("shop", str(AS_OF), "EUR")


def forecast() -> pd.DataFrame:
    months = [pd.date_range(first, periods=3, freq="MS") for first in ("2022-05-01", "2022-09-01")]
    index = pd.MultiIndex.from_product(months, names=["cohort", "period"])
    table = index.to_frame(index=False)
    numbers = [name for name in COHORT_FORECAST.required if name not in ("cohort", "period")]
    return table.assign(**{name: np.arange(9.0) + at for at, name in enumerate(numbers)})


TABLE = forecast()


def test_a_forecast_is_read_as_it_was_written(tmp_path):
    write_cohorts(TABLE, LABEL, tmp_path / "cohorts.parquet")
    again = read_cohorts(tmp_path / "cohorts.parquet", LABEL)
    pd.testing.assert_frame_equal(again, TABLE, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "cohorts.parquet"), TABLE)


def test_files_of_earlier_releases_and_of_the_middle_of_a_month_are_read(tmp_path):
    path = tmp_path / "cohorts.parquet"
    TABLE.assign(actual_revenue=1.0).to_parquet(path, index=False)
    assert list(read_cohorts(path, LABEL)) == COHORT_FORECAST.required
    middle = Label("shop", "2022-09-14", "EUR")
    assert len(read_cohorts(path, middle)) == 9
    without = TABLE.assign(revenue_low=np.nan, revenue_high=np.nan)
    without.to_parquet(path, index=False)
    assert read_cohorts(path, LABEL)["revenue_low"].isna().all()
    dates = TABLE.assign(cohort=TABLE["cohort"].dt.date, period=TABLE["period"].dt.date)
    dates.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(read_cohorts(path, LABEL), TABLE, check_dtype=False)


def with_key(table: pd.DataFrame, name: str, row: int, value: object) -> pd.DataFrame:
    out = table.copy()
    out.loc[row, name] = value
    return out


FOREIGN = {
    "no period": (TABLE.drop(columns="period"), "it lacks the column period (found: cohort, "),
    "another table": (pd.DataFrame({"a": [1]}), "it lacks the columns cohort, period, purchases"),
    "no row": (TABLE.iloc[:0], "it holds 0 rows"),
    "text for months": (TABLE.assign(period=TABLE["period"].astype(str)), "column period holds"),
    "text for numbers": (TABLE.assign(revenue="12"), "its column revenue holds"),
    "instants": (
        TABLE.assign(period=TABLE["period"].dt.tz_localize("UTC")),
        "its column period holds timestamp[us, tz=UTC], expected dates",
    ),
    "a row lost": (TABLE.drop(index=4), "it holds 8 of the 9 rows"),
    "a row twice": (pd.concat([TABLE, TABLE.tail(1)]), "cohort 2022-07, month 2022-11 twice"),
    "a month lost": (TABLE[TABLE["period"] != "2022-10-01"], "do not follow 2022-08-31"),
    "another day": (
        TABLE.assign(period=TABLE["period"] + pd.DateOffset(months=1)), "do not follow 2022-08-31"
    ),
    "a null key": (with_key(TABLE, "cohort", 3, None), "it has 1 row without cohort"),
    "no number": (with_key(TABLE, "purchases", 3, np.nan), "it has 1 row without purchases"),
    "without end": (with_key(TABLE, "revenue", 3, np.inf), "it has 1 row without revenue"),
    "the middle of a month": (
        with_key(TABLE, "cohort", 3, pd.Timestamp("2022-06-15")), "not the first day of a month"
    ),
    "a later cohort": (
        TABLE.assign(cohort=TABLE["cohort"] + pd.DateOffset(months=2)),
        "cohort 2022-09 is later than its own as-of date",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_table_is_named_with_the_remedy(tmp_path, name):
    table, says = FOREIGN[name]
    path = tmp_path / "cohorts.parquet"
    table.to_parquet(path, index=False)
    with pytest.raises(DataError, match=re.escape(says)) as refused:
        read_cohorts(path, LABEL)
    assert str(path) in str(refused.value)
    assert f"`clv forecast --as-of {AS_OF}`" in str(refused.value)


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (Label("shop", str(AS_OF), "USD"), "its currency is USD, expected EUR"),
        (Label("other", str(AS_OF), "EUR"), "its name is other, expected shop"),
        (Label("shop", "2022-07-31", "EUR"), "its as of is 2022-07-31, expected 2022-08-31"),
        (Label("shop", str(AS_OF), "EUR", 7), "its schema version is 7, expected 1"),
    ],
)
def test_another_business_s_forecast_is_not_compared(tmp_path, label, says):
    write_cohorts(TABLE, label, tmp_path / "cohorts.parquet")
    with pytest.raises(DataError, match=says):
        read_cohorts(tmp_path / "cohorts.parquet", LABEL)


def whole(path) -> bytes:
    write_cohorts(TABLE, LABEL, path)
    return path.read_bytes()


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "no Parquet": lambda path: path.write_bytes(b"cohort,period\n"),
    "cut short": lambda path: path.write_bytes(whole(path)[:-40]),
    "pages lost": lambda path: path.write_bytes(b"PAR1" + b"\0" * 900 + whole(path)[904:]),
    "a folder": lambda path: path.mkdir(),
    "a column twice": lambda path: pq.write_table(
        pa.Table.from_arrays(
            [*pa.Table.from_pandas(TABLE).columns, pa.array(range(9))], [*TABLE.columns, "period"]
        ),
        path,
    ),
    "a label that is none": lambda path: pq.write_table(
        pa.Table.from_pandas(TABLE).replace_schema_metadata({"clv": "[" * 9_000}), path
    ),
    "a label of another kind": lambda path: pq.write_table(
        pa.Table.from_pandas(TABLE).replace_schema_metadata({"clv": "[]"}), path
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_table_is_named(tmp_path, name):
    path = tmp_path / "cohorts.parquet"
    BROKEN[name](path)
    with pytest.raises(DataError, match=re.escape(str(path))) as refused:
        read_cohorts(path, LABEL)
    assert "or move its folder elsewhere" in str(refused.value)


@pytest.mark.parametrize("name", ["no period", "a folder"])
def test_refresh_goes_on_without_a_foreign_forecast(copied, name):
    path = copied.reports / str(TRAINED_AS_OF) / deliver.COHORTS
    path.unlink()
    if name in BROKEN:
        BROKEN[name](path)
    else:
        FOREIGN[name][0].to_parquet(path, index=False)
    ran = copied.clv("refresh", "--as-of", "2022-10-31", "--quiet")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    (note,) = [line for line in ran.out.splitlines() if line.startswith("note: ")]
    assert str(path) in note
    assert f"`clv forecast --as-of {TRAINED_AS_OF}`" in note
    page = json.loads((copied.reports / "2022-10-31" / "backtest.json").read_text())["report"]
    (tracking,) = [part for part in page["sections"] if part["id"] == "tracking"]
    assert tracking["missing"] == note.removeprefix("note: ")
    made_again = copied.clv("forecast", "--as-of", str(TRAINED_AS_OF), "--quiet")
    assert made_again.code == 0, made_again.err
    assert len(read_cohorts(path, LABEL))
