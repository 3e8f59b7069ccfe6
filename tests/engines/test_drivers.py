"""The mix of cohorts, counted by each engine, against the raw log."""

from __future__ import annotations

import datetime as dt
import hashlib

import example_logs as logs
import log_checks
import log_oracle as oracle
import numpy as np
import pandas as pd
import pytest

from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.data.features import drivers

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ORIGIN = dt.date(2022, 10, 15)
LETTERS = "ABCDE"


def channel(name: str) -> str | None:
    digit = int(name[-1])
    return None if digit > 6 else LETTERS[digit % 5]


def test_the_mix_of_cohorts_is_the_same_on_every_engine(place):
    """Five channels by the id's last digit, and a country that many rows lack."""
    frame = logs.messy_log().assign(channel=None)
    known = frame["customer"].notna()
    frame.loc[known, "channel"] = [channel(name) for name in frame.loc[known, "customer"]]
    config = place(frame, columns={"channel": "channel"})
    days = oracle.customer_days(log_checks.rows_of(frame))
    first = {
        name: min(day.date for day in some if day.purchase and day.date <= ORIGIN)
        for name, some in days.items()
        if any(day.purchase and day.date <= ORIGIN for day in some)
    }
    table = pd.DataFrame({"name": [*first], "day": pd.to_datetime([*first.values()])})
    table["channel"] = [channel(name) for name in table["name"]]
    count = table["channel"].value_counts()
    top = sorted(count.index, key=lambda c: (-count[c], c))[: drivers.TOP_VALUES]
    cohort = table["day"].dt.to_period("M").dt.start_time
    share = {c: (table["channel"] == c).groupby(cohort).mean() for c in top}
    with transactions.load(config) as data:
        summary = features.summary(data.purchases, ORIGIN, people="all")
        mix = drivers._by_cohort(summary, ("channel",)).set_index("cohort")
    assert list(mix.columns) == [f"channel = {c}" for c in top]
    for c in top:
        np.testing.assert_allclose(mix[f"channel = {c}"], share[c])


def test_equal_amounts_give_a_day_one_label(place):
    """The same label on every engine, whatever the order of the lines and the collation."""
    labels = ["web", "Store", "app", "Über", None]
    rows = [
        (str(customer), dt.datetime(2022, 1, 1), 5.0, labels[(customer + n) % 5])
        for customer in range(40)
        for n in range(1 + customer % 4)
    ]
    frame = pd.DataFrame(rows, columns=["customer", "day", "value", "channel"])

    def digest(label: str | None) -> str:
        return hashlib.md5((label or "").encode()).hexdigest()

    expected = {
        name: max((None if pd.isna(label) else label for label in those), key=digest)
        for name, those in frame.groupby("customer")["channel"].agg(list).items()
    }
    with transactions.load(place(frame, columns={"channel": "channel"})) as data:
        found = data.purchases.select("customer_id", "channel").to_pyarrow().to_pylist()
    assert {row["customer_id"]: row["channel"] for row in found} == expected
