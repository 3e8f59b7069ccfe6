"""Buyers who come back in the next cycle, counted by each engine as in plain Python."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from pipelines.data import customer_days as transactions
from pipelines.data import features

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
