"""Buyers who come back, and what channels brought, by each engine as in plain Python."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodels.finance.clv import UnitEconomics
from clvmodels.segments.values import NONE
from pipelines.config.sections import Acquisition
from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.finance import channels

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_buyers_who_come_back_are_the_same_on_every_engine(place):
    rng = np.random.default_rng(8)
    start, count = pd.Timestamp("2021-11-05"), 1500
    table = pd.DataFrame(
        {
            "customer": [f"c{n:03d}" for n in rng.integers(0, 200, count)],
            "day": start + pd.to_timedelta(rng.integers(0, 800, count), unit="D"),
            "value": rng.integers(1, 50, count).astype(float),
        }
    ).drop_duplicates(["customer", "day"])
    with transactions.load(place(table).log) as data:
        for months in (1, 3, 12):
            found = features.cycle_buyers(data.snapshot, months)
            number = (table["day"].dt.year * 12 + table["day"].dt.month - 1) // months
            active = set(zip(table["customer"], number, strict=True))
            expected = [
                (
                    pd.Timestamp(dt.date(k * months // 12, k * months % 12 + 1, 1)),
                    sum(n == k for _, n in active),
                    sum(n == k and (who, k + 1) in active for who, n in active),
                )
                for k in sorted(set(number))
            ]
            assert list(found.itertuples(index=False, name=None)) == expected


def test_channels_brought_the_same_on_every_engine(place, tmp_path):
    rng = np.random.default_rng(9)
    people = 150
    table = pd.DataFrame(
        {
            "customer": [f"c{n:03d}" for n in rng.integers(0, people, 900)],
            "day": pd.Timestamp("2022-01-03")
            + pd.to_timedelta(rng.integers(0, 300, 900), unit="D"),
            "value": rng.integers(1, 50, 900).astype(float),
        }
    ).drop_duplicates(["customer", "day"])
    number = table["customer"].str[1:].astype(int)
    table["channel"] = np.where(number % 3 == 0, "web", np.where(number % 3 == 1, "shop", None))
    (tmp_path / "spend.csv").write_text(
        "period,channel,amount,purpose\n2022-01,web,10,acquisition\n", encoding="utf-8"
    )
    settings = Acquisition(path=str(tmp_path / "spend.csv"))
    valuation = UnitEconomics(0.4, 1.25, 0.1)
    config = place(table[["customer", "day", "value", "channel"]], columns={"channel": "channel"})
    with transactions.load(config.log) as data:
        found = channels.acquired(data.snapshot, settings, valuation, config.economics.currency)
    first = table.groupby("customer")["day"].min()
    cohort = table["customer"].map(first).dt.to_period("M").dt.start_time
    period = table["day"].dt.to_period("M").dt.start_time
    named = table["channel"].fillna(NONE)
    net = 0.4 * table["value"] - 1.25
    expected = net.groupby([named, cohort, period]).sum()
    cells = found.cells.set_index(["value", "cohort", "period"])["net"]
    np.testing.assert_allclose(cells.reindex(expected.index), expected, atol=1e-9)
    assert len(cells) == len(expected)
    is_first = table["day"] == table["customer"].map(first)
    firsts = net[is_first].groupby([named, cohort]).agg(["size", "sum"])
    people = found.customers.set_index(["value", "cohort"]).reindex(firsts.index)
    assert list(people["customers"]) == list(firsts["size"])
    np.testing.assert_allclose(people["first_net"], firsts["sum"], atol=1e-9)
