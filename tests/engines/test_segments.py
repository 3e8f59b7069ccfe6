"""Segments told apart, and what became of them, by each engine against the raw log."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodels.segments.values import NONE, OTHERS
from pipelines.data import customer_days as transactions
from pipelines.data import features

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ORIGIN, LAST = dt.date(2023, 3, 31), dt.date(2023, 6, 15)
CHANNELS: tuple[str | None, ...] = ("web", "web", "shop", "shop", None)
"""By the customer's number, repeated; every fiftieth came by a fair, too few to be told apart."""


def frame() -> pd.DataFrame:
    """Orders of 800 customers in half a year, a day each at most."""
    rng = np.random.default_rng(5)
    number = np.repeat(np.arange(800), 4)
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 166, number.size), unit="D")
    table = pd.DataFrame({"number": number, "day": day, "amount": rng.integers(5, 90, number.size)})
    table = table.drop_duplicates(["number", "day"])
    return table.assign(
        customer=[f"c{n:03d}" for n in table["number"]],
        channel=["fair" if n % 50 == 0 else CHANNELS[n % 5] for n in table["number"]],
        value=table["amount"].astype(float),
    )


def test_segments_are_the_same_on_every_engine(place):
    table = frame()
    columns = {"channel": "channel"}
    config = place(table[["customer", "day", "value", "channel"]], columns=columns)
    first = table.groupby("customer")["day"].min()
    known = first[first <= pd.Timestamp(ORIGIN)].index
    own = table.drop_duplicates("customer").set_index("customer")["channel"].fillna(NONE)[known]
    after = table[table["customer"].isin(known) & (table["day"] > pd.Timestamp(ORIGIN))]
    after = after[after["day"] <= pd.Timestamp(LAST)]
    with transactions.load(config.log) as data, data.snapshot.earlier(ORIGIN) as then:
        values = features.segment_values(then.summary)
        told = features.told_apart(then.summary, values)
        found = features.segment_actuals(data.purchases, told, values.dimensions, ORIGIN, LAST)
        shared = features.histories(then.summary, values)
    count = own.value_counts()
    enough = count[count >= 100]
    assert dict(values.shares["channel"]) == pytest.approx((enough / len(own)).to_dict())
    assert "fair" not in values.shares["channel"]
    named = own.where(own.isin(enough.index), OTHERS)
    by_value = shared.groupby("channel")["weight"].sum()
    assert by_value.to_dict() == named.value_counts().to_dict()
    segment = after["customer"].map(named)
    for quantity, expected in (
        ("purchases", after.groupby([segment, after["day"].dt.to_period("M")]).size()),
        ("revenue", after.groupby([segment, after["day"].dt.to_period("M")])["value"].sum()),
    ):
        cells = found.set_index(["value", found["period"].dt.to_period("M")])[quantity]
        np.testing.assert_allclose(cells.reindex(expected.index), expected, rtol=1e-12)
        assert cells.sum() == pytest.approx(expected.sum())
