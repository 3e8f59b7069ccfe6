"""Tiers found by counting in the engine are those of a sorted array."""

from __future__ import annotations

import math

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clvmodels.finance.clv import value_tiers
from pipelines.forecasting import tiers
from pipelines.forecasting.tiers import largest, tier_ends, tier_of
from pipelines.forecasting.totals import tier_table

worth = st.one_of(
    st.floats(-1e9, 1e9, allow_subnormal=True),
    st.sampled_from([0.0, -0.0, 1.0, math.nextafter(1.0, 2.0), 5e-324]),  # ties and near ties
)


@pytest.fixture(scope="module")
def engine():
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def scored(engine, clv: list[float], order: list[int] | None = None) -> ibis.Table:
    names = [f"c{at:06d}" for at in (order or range(len(clv)))]
    frame = pd.DataFrame({"customer_id": names, "clv": np.array(clv, float)})
    frame["expected_revenue"] = 2 * frame["clv"]
    return engine.create_table("scored", frame, overwrite=True, temp=True)


def found(table: ibis.Table) -> pd.DataFrame:
    ranked = table.select("customer_id", "clv", tier=tier_of(table)).order_by("customer_id")
    return ranked.execute()


@given(clv=st.lists(worth, min_size=1, max_size=120), seed=st.integers(0, 99))
@example(clv=[7.0] * 40, seed=1)
@example(clv=[0.0] * 30 + [1.0], seed=2)
def test_tiers_are_those_of_a_sorted_array(engine, clv, seed):
    order = list(np.random.default_rng(seed).permutation(len(clv)))
    made = found(scored(engine, clv, order))
    assert made["tier"].tolist() == list(value_tiers(made["clv"]))


@given(values=st.lists(worth, min_size=1, max_size=60), draw=st.data())
def test_the_largest_are_those_of_a_sorted_list(engine, values, draw):
    ranks = draw.draw(st.lists(st.integers(1, len(values)), min_size=1, max_size=4))
    expected = [sorted(values, reverse=True)[rank - 1] for rank in ranks]
    assert largest(scored(engine, values), "clv", ranks) == expected


def test_few_parts_take_more_passes_to_the_same_tiers(engine, monkeypatch):
    rng = np.random.default_rng(1)
    clv = rng.lognormal(0, 4, 5000) * rng.choice([-1, 1], 5000)
    table = scored(engine, clv)
    expected = found(table)
    monkeypatch.setattr(tiers, "BINS", 2)
    pd.testing.assert_frame_equal(found(table), expected)


def test_who_ties_at_the_end_of_a_tier_is_in_it_by_id(engine):
    table = scored(engine, [1.0] * 100)
    ends = tier_ends(table)
    assert [end.customer_id for end in ends] == ["c000000", "c000004", "c000009"]
    assert found(table)["tier"].tolist() == (
        ["top 1 %"] + ["top 5 %"] * 4 + ["top 10 %"] * 5 + ["other 90 %"] * 90
    )


def test_without_customers_there_are_no_tiers(engine):
    table = scored(engine, [])
    assert tier_ends(table) == []
    assert found(table).empty
    assert tier_table(table.mutate(tier=tier_of(table))).empty


def test_tiers_are_summed_best_first(engine):
    clv = np.arange(200.0)
    table = scored(engine, clv)
    made = tier_table(table.mutate(tier=tier_of(table)))
    assert made["tier"].tolist() == ["top 1 %", "top 5 %", "top 10 %", "other 90 %"]
    assert made["customers"].tolist() == [2, 8, 10, 180]
    assert made["clv"].tolist() == [198 + 199, sum(range(190, 198)), sum(range(180, 190)), 16110]
    assert (made["expected_revenue"] == 2 * made["clv"]).all()
    assert made["share_of_clv"].sum() == pytest.approx(1.0)
