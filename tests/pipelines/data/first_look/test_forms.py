"""What a whole column tells of its values: the form of days, the mark of amounts, the currency."""

from __future__ import annotations

import example_logs as logs
import pandas as pd
import pytest

from clvmodels.core.errors import CheckFailedError, ConfigError, DataError
from pipelines.data import customer_days as transactions


@pytest.fixture
def read(tmp_path):
    """Return a function that reads days and amounts as text and gives account and first days."""

    def run(days: list[str], values: list[str] | None = None, **sections):
        values = values or ["1.5"] * len(days)
        file = tmp_path / "log.csv"
        frame = pd.DataFrame({"customer": [f"c{k}" for k in range(len(days))]})
        frame.assign(day=days, value=values).to_csv(file, index=False)
        source = {"kind": "csv", "path": str(file)} | sections.pop("source", {})
        config = logs.config(source, **sections)
        with transactions.load(config.log) as data:
            first = data.purchases.order_by("customer_id").execute()["date"]
            return data.account, [f"{pd.Timestamp(day):%Y-%m-%d}" for day in first]

    return run


FORMS = {
    "mdy": (["1/6/2023 11:53", "1/14/2023 2:02"], ["2023-01-06", "2023-01-14"]),
    "dmy": (["6.1.2023", "14.1.2023"], ["2023-01-06", "2023-01-14"]),
    "excel": (["44932.4957", "44940"], ["2023-01-06", "2023-01-14"]),
    "iso_week": (["2023-W01", "2023-W02"], ["2023-01-02", "2023-01-09"]),
    "name_day": (["Jan 6, 2023", "January 14, 2023"], ["2023-01-06", "2023-01-14"]),
    "yyyymmdd": (["20230106", "20230114"], ["2023-01-06", "2023-01-14"]),
    "epoch_ms": (["1672963200000", "1673654400000"], ["2023-01-06", "2023-01-14"]),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_form_of_a_column_is_found_and_told(read, form):
    given, wanted = FORMS[form]
    account, days = read(given)
    assert days == wanted
    assert any(f"date_format = '{form}'" in note for note in account.sales["notes"])
    assert read(given, columns={"date_format": form})[1] == wanted


def test_days_in_iso_8601_need_no_form(read):
    account, days = read(["2023-01-06", "2023-01-14T10:00Z"])
    assert days == ["2023-01-06", "2023-01-14"]
    assert account.sales["notes"] == []


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (["1/6/2023", "2/3/2023"], "cannot be told apart"),
        (["1/14/2023", "14/1/2023", "1/5/2023", "2/5/2023"] * 5, "change places"),
    ],
)
def test_day_and_month_that_cannot_be_told_apart_are_refused(read, days, why):
    with pytest.raises(DataError, match=why) as caught:
        read(days)
    assert all(repr(day) in str(caught.value) for day in sorted(set(days))[:2])
    assert "columns.date_format" in str(caught.value)
    if why == "cannot be told apart":
        assert read(days, columns={"date_format": "dmy"})[1] == ["2023-06-01", "2023-03-02"]


def test_a_value_of_another_form_is_a_bad_date(read):
    account, _ = read(["1/14/2023"] * 19 + ["soon"])
    assert account.set_aside == {"bad_date": 1}


def test_a_format_that_reads_nothing_names_the_one_that_would(read):
    with pytest.raises(DataError, match=r"date_format = 'mdy' \(month, day, year\)"):
        read(["1/14/2023", "1/15/2023"], columns={"date_format": "%d/%m/%Y"})
    with pytest.raises(ConfigError, match="or one of ymd, dmy"):
        read(["1/14/2023"], columns={"date_format": "american"})


def test_amounts_with_three_decimals_and_never_two_are_asked_about(read):
    days = ["2023-01-06"] * 3
    account, _ = read(days, ["1.234", "820", "2.118"])
    (question,) = account.sales["questions"]
    for part in ("2 amounts", "sum to 823.35", "as thousands to 4,172.00", "decimal = ','"):
        assert part in question
    account, _ = read(days, ["1.234", "820", "2.118"], source={"decimal": ","})
    assert account.revenue == pytest.approx(4172)
    assert account.sales["questions"] == []
    account, _ = read(days, ["1.234", "820.5", "2.118"])
    assert account.sales["questions"] == []


def test_amounts_that_the_other_mark_reads_name_it(read):
    days = ["2023-01-06"] * 3
    with pytest.raises(DataError, match=r"'1\.234,50', '2,5' can be read with source\.decimal"):
        read(days, ["1.234,50", "2,5", "3,25"], governance={"max_unread_money_share": 1.0})
    with pytest.raises(CheckFailedError, match=r"'2,5' can be read with source\.decimal = ','"):
        read(days, ["1.5", "2,5", "3.25"], governance={"max_bad_row_share": 0.05})


def test_signs_of_several_currencies_are_refused(read):
    days = ["2023-01-06"] * 3
    with pytest.raises(DataError, match=r"several currencies.*\$ \(2 rows\).*\u20ac \(1 rows\)"):
        read(days, ["$5", "$6", "7 \u20ac"])
    account, _ = read(days, ["5 \u20ac", "6 \u20ac", "\u20ac7"])
    assert account.revenue == pytest.approx(18)
    assert "economics.currency is USD" in account.sales["questions"][0]
    account, _ = read(days, ["5 \u20ac", "6", "7"], economics={"currency": "EUR"})
    assert account.sales["questions"] == []


def test_cents_are_hundredths(read):
    account, _ = read(["2023-01-06", "2023-01-07"], ["1250", "99"], source={"minor_units": True})
    assert account.revenue == pytest.approx(13.49)


def test_a_log_of_zeros_tells_no_value(read):
    with pytest.raises(CheckFailedError, match="no amount is above zero"):
        read(["2023-01-06"] * 30, ["0"] * 30)
