"""Spend files: what is read, and what each wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clvmodels.core.errors import ConfigError, DataError, MissingColumnError
from pipelines.config.sections import Acquisition
from pipelines.finance import spend

RIGHT = """period,channel,amount,purpose
2023-02,social,50.5,acquisition
2023-01,social,40,Acquisition
2023-01-01,web,30,retention
"""


def read(folder: Path, text: str, **settings: str) -> pd.DataFrame:
    path = folder / "spend.csv"
    path.write_text(text, encoding="utf-8")
    return spend.read(Acquisition(path=str(path), **settings), "EUR")


def test_rows_are_read_in_order_whatever_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, RIGHT)
    assert list(table["period"].dt.month) == [1, 1, 2]
    assert list(table["purpose"]) == ["acquisition", "retention", "acquisition"]
    assert list(table["amount"]) == pytest.approx([40.0, 30.0, 50.5])
    for name in ("spend.parquet", "spend.xlsx"):
        other = tmp_path / name
        if other.suffix == ".parquet":
            table.to_parquet(other)
        else:
            table.assign(period=table["period"].dt.date).to_excel(other, index=False)
        again = spend.read(Acquisition(path=str(other)), "EUR")
        pd.testing.assert_frame_equal(again, table, check_dtype=False)


def test_columns_may_be_called_otherwise(tmp_path: Path) -> None:
    text = "month;by;cost;why;won\n2023-01;web;7;brand;3\n"
    names = {"period": "month", "channel": "by", "amount": "cost", "purpose": "why"}
    table = read(tmp_path, text, **names, customers="won")
    assert list(table.columns) == ["period", "channel", "purpose", "amount", "customers"]
    assert table["customers"].iloc[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "period,channel,amount,purpose\n2023-01,web,-5,brand\n2023-02,web,-6,brand\n",
            "numbers of 0 or more in 'amount'; found '-5' (row 1), '-6' (row 2)",
        ),
        ("period,channel,amount,purpose\n2023-01,web,much,brand\n", "found 'much' for 2023-01"),
        ("period,channel,amount,purpose\n2023-01,web,,brand\n", "found nothing for 2023-01"),
        ("period,channel,amount,purpose\nsoon,web,5,brand\n", "found 'soon' in row 1"),
        (
            "period,channel,amount,purpose\n2023-01,web,5,brand\n2023-01,,5,brand\n",
            "needs a channel in 'channel'; found nothing in row 2",
        ),
        (
            "period,channel,amount,purpose\n2023-01,web,5,fun\n2023-02,web,5,\n",
            "acquisition, engagement, retention, brand; found 'fun' (row 1), nothing (row 2)",
        ),
        (
            RIGHT + "2023-02-01,social,1,acquisition\n",
            "twice: '2023-02-01 social acquisition' (row 1), '2023-02-01 social acquisition' (row "
            "4)",
        ),
        (
            "period,channel,amount,purpose,currency\n2023-01,web,5,brand,EUR\n"
            "2023-02,web,5,brand,USD\n",
            "not in EUR (economics.currency): 'currency' is 'USD' (row 2)",
        ),
        ("period,channel,amount\n2023-01,web,5\n", "needs the column purpose; found: period"),
        ("period,channel,amount,purpose\n", "holds no row"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, text)
    assert told in str(error.value)
    assert "spend.csv, named in [acquisition]," in str(error.value)


def test_a_file_that_is_nowhere_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file at"):
        spend.read(Acquisition(path=str(tmp_path / "none.csv")), "EUR")


@pytest.mark.parametrize("name", ["Social", "socal"])
def test_a_name_that_is_nearly_a_channel_is_asked_about(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, RIGHT.replace("social", name))
    with pytest.raises(DataError, match="did you mean 'social'"):
        spend.require_known(table, ["social", "web"], "channel", "spend.csv")


@pytest.mark.parametrize("name", ["billboards", "paid search", "campaign_11"])
def test_a_channel_that_won_nobody_may_be_called_as_it_is(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, RIGHT).assign(channel=name)
    spend.require_known(table, ["paid social", "campaign_10"], "channel", "spend.csv")


def test_a_currency_column_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    assert len(read(tmp_path, RIGHT)) == 3
    with pytest.raises(MissingColumnError, match="needs the column code"):
        read(tmp_path, RIGHT, currency="code")


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan"])
def test_a_channel_may_be_called_like_nothing(tmp_path: Path, name: str) -> None:
    """NA is Namibia."""
    table = read(tmp_path, RIGHT.replace("web", name))
    assert set(table["channel"]) == {"social", name}
