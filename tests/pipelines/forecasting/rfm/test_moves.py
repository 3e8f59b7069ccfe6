"""Who moved between segments is counted once, and a file that cannot tell is no reason to stop."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core import schema
from pipelines.forecasting.rfm.found import RfmFound
from pipelines.forecasting.rfm.moves import GONE, NOT_YET, Earlier, moves

DAY = dt.date(2022, 8, 31)
segment = st.sampled_from(["champions", "loyal", "lost"])
people = st.dictionaries(st.integers(0, 30).map(str), segment, min_size=1, max_size=30)


@pytest.fixture(scope="module")
def engine():
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def frame(customers: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"customer_id": list(customers), "rfm_segment": list(customers.values())}, dtype="str"
    )


def moved(engine, now, before, path):
    table = engine.create_table("now", frame(now), overwrite=True, temp=True)
    (frame(before) if isinstance(before, dict) else before).to_parquet(path)
    return moves(table, Earlier(DAY, path))


@given(now=people, before=people)
def test_moves_are_counted_customer_by_customer(engine, tmp_path_factory, now, before):
    path = tmp_path_factory.getbasetemp() / "before.parquet"
    made, note = moved(engine, now, before, path)
    if not set(now) & set(before):
        assert "no customer in common" in note
        assert made.empty
        return
    pairs = [(before.get(who, NOT_YET), now.get(who, GONE)) for who in {*now, *before}]
    assert note is None
    counts = pd.Series(pairs).value_counts().to_dict()
    assert {
        (row.from_segment, row.to_segment): row.customers for row in made.itertuples()
    } == counts
    both = [pair for pair in pairs if NOT_YET not in pair and GONE not in pair]
    changed = sum(a != b for a, b in both)
    assert RfmFound(moves=made).moved == (changed, len(both))


def test_what_cannot_be_compared_is_said(engine, tmp_path):
    now = {"a": "loyal", "b": "lost"}
    path = tmp_path / "customers.parquet"
    cases = [
        (frame(now).drop(columns="rfm_segment"), "lack rfm_segment: an earlier release"),
        (frame(now).assign(rfm_segment=[1, 2]), "rfm_segment hold no text"),
        (pd.concat([frame(now)] * 2), r"its rows \(4\) are not one a customer \(2\)"),
        (frame(now).assign(rfm_segment=["loyal", None]), r"each with a segment \(1\)"),
    ]
    for before, said in cases:
        made, note = moved(engine, now, before, path)
        assert made.empty
        assert list(made) == schema.RFM_MOVES.names
        assert pd.Series([note]).str.contains(said).all(), note
    table = engine.create_table("now", frame(now), overwrite=True, temp=True)
    path.write_bytes(b"no parquet")
    assert "cannot be read" in moves(table, Earlier(DAY, path))[1]
    assert "cannot be read" in moves(table, Earlier(DAY, tmp_path / "absent.parquet"))[1]
    assert moves(table, Earlier(DAY, path, "it is another's."))[1] == "it is another's."
