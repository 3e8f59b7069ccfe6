"""Rows that cannot be read: the money they may hold, and what they have in common."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import example_logs as logs
import numpy as np
import pandas as pd
import pytest

from clvmodels.core.errors import DataError
from pipelines.data import customer_days as transactions
from pipelines.data.quality.account import DataQualityAccount
from pipelines.data.quality.unread import Unread

Write = Callable[[float], str]


def log(refunds: float = 0.035, seed: int = 4) -> pd.DataFrame:
    """800 purchases over two years, some refunded the day after."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 700, 800), unit="D")
    bought = pd.DataFrame(
        {
            "customer": rng.integers(0, 150, 800).astype(str),
            "day": days,
            "value": rng.gamma(3, 25, 800).round(2),
            "channel": rng.choice(["web", "shop"], 800),
        }
    )
    given = bought[rng.random(800) < refunds]
    back = given.assign(value=-given["value"], day=given["day"] + dt.timedelta(days=1))
    return pd.concat([bought, back], ignore_index=True)


def account(folder: Path, frame: pd.DataFrame, **governance: object) -> DataQualityAccount:
    frame.to_csv(folder / "log.csv", index=False)
    source = {"kind": "csv", "path": str(folder / "log.csv")}
    governed = {"max_bad_row_share": 0.05} | governance
    config = logs.config(source, governance=governed, columns={"channel": "channel"})
    with transactions.load(config.log, enforce=False) as data:
        return data.account


def limits(found: DataQualityAccount, **governance: object) -> list[str]:
    config = logs.config(
        {"kind": "csv", "path": "x"}, governance={"max_bad_row_share": 0.05} | governance
    )
    return found.broken_limits(config.governance)


def written(frame: pd.DataFrame, those: pd.Series, write: Write) -> pd.DataFrame:
    text = frame["value"].map("{:.2f}".format)
    return frame.assign(value=text.mask(those, frame["value"].map(write)))


def names(found: DataQualityAccount) -> set[str]:
    assert isinstance(found.unread, Unread)
    return {trait.name.split(",")[0] for trait in found.unread.traits}


@pytest.mark.parametrize(
    "write",
    [
        lambda value: f"{-value:.2f} CR",
        lambda value: f"{-value:,.2f} credit",
        lambda value: f"refund {-value:.2f}",
        lambda value: f"Gutschrift: {-value:.2f}",
        lambda value: f"[-{-value:.2f}]",
    ],
)
def test_unread_refunds_fail_though_they_are_few(tmp_path, write):
    frame = log()
    refunds = frame["value"] < 0
    assert refunds.mean() < 0.05
    found = account(tmp_path, written(frame, refunds, write))
    assert found.unread.rows == found.set_aside["bad_amount"] == refunds.sum()
    assert found.unread.money == pytest.approx(-frame["value"][refunds].sum(), abs=0.005)
    assert "refunds" in names(found)
    (said,) = limits(found)
    assert f"not lost at random: {refunds.sum()} are refunds (100% of the money" in said
    assert "governance.max_unread_money_share" in said
    assert limits(found, max_unread_money_share=1.0) == []


def test_the_largest_orders_lost_fail_though_they_are_three(tmp_path):
    frame = log(refunds=0)
    largest = frame["value"].rank(ascending=False) <= 3
    spelled = written(frame, largest, lambda value: f"about {value:.2f}")
    found = account(tmp_path, spelled)
    money = frame["value"][largest].sum()
    assert found.unread.money == pytest.approx(money, abs=0.005)
    assert found.unread.share == pytest.approx(money / frame["value"].sum(), rel=1e-6)
    assert "among the largest orders" in names(found)
    assert len(limits(found)) == 1


def test_a_mark_at_large_amounts_is_named(tmp_path):
    frame = log(refunds=0)
    frame["value"] *= 6
    large = frame["value"] >= 1000
    assert 2 < large.sum() < 40
    found = account(tmp_path, written(frame, large, lambda value: f"{value:.2f}!"))
    assert names(found) == {"among the largest orders", "written with '!'"}
    assert limits(found)


def test_rows_lost_at_random_pass_below_the_limit_and_fail_above(tmp_path):
    frame = log()
    rng = np.random.default_rng(8)
    some = pd.Series(rng.random(len(frame)) < 0.03)
    found = account(tmp_path, written(frame, some, lambda value: "lost"))
    assert names(found) == set()
    mean = found.unread.money / found.unread.rows
    assert mean == pytest.approx(frame["value"].abs().mean(), rel=0.05)
    assert limits(found) == []
    assert "may hold" in limits(found, max_unread_money_share=0.01)[0]


def test_one_month_lost_is_named_and_fails(tmp_path):
    frame = log()
    some = (frame["day"].dt.strftime("%Y-%m") == "2022-08") & (frame.index % 2 == 0)
    found = account(tmp_path, written(frame, some, lambda value: "?"))
    assert names(found) == {"in 2022-08"}
    (said,) = limits(found)
    assert f"{some.sum()} are in 2022-08" in said


def test_one_channel_with_dates_of_its_own_is_named(tmp_path):
    frame = log()
    some = (frame["channel"] == "web") & (frame.index % 12 == 0)
    days = frame["day"].dt.strftime("%Y-%m-%d").mask(some, frame["day"].dt.strftime("%d.%m.%y"))
    found = account(tmp_path, frame.assign(day=days))
    assert names(found) == {"of channel 'web'"}
    assert found.unread.money == pytest.approx(frame["value"][some].abs().sum(), abs=0.005)


def test_lines_that_are_no_rows_count_with_the_mean_of_a_row(tmp_path):
    frame = log(refunds=0)
    found = account(tmp_path, frame)
    assert found.unread is None
    with (tmp_path / "log.csv").open("a") as file:
        file.write("7,2022-01-01\n" * 20)
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    with transactions.load(logs.config(source).log) as data:
        unread = data.account.unread
    assert (unread.rows, unread.traits) == (20, ())
    assert unread.money == pytest.approx(20 * frame["value"].mean(), abs=0.005)


def test_a_log_without_any_row_that_can_be_read_has_no_trait(tmp_path):
    frame = log(refunds=0).head(9).assign(value="lost")
    frame.to_csv(tmp_path / "log.csv", index=False)
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    with (
        pytest.raises(DataError, match="no purchase is left"),
        transactions.load(logs.config(source).log),
    ):
        pass
