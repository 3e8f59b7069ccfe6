"""What the engine counts is what the arrays say, and what the raw log says."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from at_a_day import deliver_at, training_at
from hypothesis import given
from hypothesis import strategies as st
from shop import TRAINED_AS_OF

from clvmodels import rfm_scores
from clvmodels.activation.rfm_segments import USUAL
from pipelines.config.sections import Rfm
from pipelines.forecasting import deliver
from pipelines.forecasting.rfm.found import RfmRun, found
from pipelines.forecasting.rfm.scores import limits_of, with_scores
from pipelines.training import fit as train

SCORES = ["r_score", "f_score", "m_score"]
some = st.one_of(st.integers(0, 6).map(float), st.floats(0, 1e4))
rows = st.lists(st.tuples(some, st.integers(0, 4).map(float), some, some), min_size=1, max_size=60)
NAMES = ["time_since_last", "frequency", "spend_total", "spend_mean"]


@pytest.fixture(scope="module")
def engine():
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def scored(engine, rows) -> ibis.Table:
    frame = pd.DataFrame(rows, columns=NAMES).astype(float)
    frame.insert(0, "customer_id", [f"c{at:04d}" for at in range(len(frame))])
    frame["expected_revenue"], frame["clv"] = 3.0, 1.0
    return engine.create_table("scored", frame, overwrite=True, temp=True)


@given(rows=rows, monetary=st.sampled_from(["total", "mean"]))
def test_the_engine_scores_as_the_arrays_do(engine, rows, monetary):
    rfm = Rfm(monetary=monetary)
    table = scored(engine, rows)
    made = with_scores(table, limits_of(table, rfm), rfm).order_by("customer_id").execute()
    column = {"total": "spend_total", "mean": "spend_mean"}[monetary]
    expected = rfm_scores(made, recency="time_since_last", monetary=column)
    pd.testing.assert_frame_equal(made[SCORES], expected)
    assert made["rfm_segment"].tolist() == USUAL.of(*expected.to_numpy().T).tolist()


def test_limits_of_the_configuration_go_first(engine):
    rfm = Rfm(recency_limits=(1, 2, 3, 4), frequency_limits=(0, 1, 2, 3))
    table = scored(engine, [(d, d, d, d) for d in range(6)])
    limits = limits_of(table, rfm)
    assert limits.recency == (1, 2, 3, 4)
    made = with_scores(table, limits, rfm).order_by("customer_id").execute()
    assert made["r_score"].tolist() == [5, 5, 4, 3, 2, 1]
    assert made["f_score"].tolist() == [1, 2, 3, 4, 5, 5]
    assert limits.monetary == (1, 2, 3, 4)  # six customers: more than one fifth lie below 2


def test_segments_of_the_configuration_are_those_written(engine):
    rfm = Rfm(segments=({"name": "late", "r": (1, 2)}, {"name": "there", "r": (3, 5)}))
    table = scored(engine, [(d, 0, 1, 1) for d in range(10)])
    limits = limits_of(table, rfm)
    ranked = with_scores(table, limits, rfm)
    assert ranked.order_by("customer_id").execute()["rfm_segment"].tolist() == (
        ["there"] * 6 + ["late"] * 4
    )
    sizes = found(ranked, RfmRun(rfm), limits, 0.4).sizes
    assert sizes["rfm_segment"].tolist() == ["late", "there"]
    one = Rfm(segments=({"name": "all"},))
    assert set(with_scores(table, limits, one).execute()["rfm_segment"]) == {"all"}


def test_without_customers_there_are_no_segments(engine):
    table = scored(engine, [])
    limits = limits_of(table, Rfm())
    ranked = with_scores(table, limits, Rfm())
    assert ranked.execute().empty
    assert found(ranked, RfmRun(), limits, 0.4).sizes.empty


@pytest.fixture(scope="module")
def written(data, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rfm")
    fitted = train.estimate(training_at(TRAINED_AS_OF, data, config), config.train)
    made = deliver_at(TRAINED_AS_OF, data, fitted, config, folder)
    return made, pd.read_parquet(folder / deliver.CUSTOMERS)


def test_scores_that_are_written_are_those_of_the_raw_log(written, log):
    _, customers = written
    known = log.assign(day=pd.to_datetime(log["when"]).dt.normalize())
    known = known[known["day"] <= pd.Timestamp(TRAINED_AS_OF)]
    raw = known.groupby("who").agg(
        last=("day", "max"), frequency=("day", "nunique"), monetary_value=("paid", "sum")
    )
    raw["days_since_last"] = (pd.Timestamp(TRAINED_AS_OF) - raw["last"]).dt.days
    raw["monetary_value"] = raw["monetary_value"].round(8)
    expected = rfm_scores(raw).loc[customers["customer_id"]]
    np.testing.assert_array_equal(customers[SCORES], expected)
    assert customers["rfm_segment"].tolist() == USUAL.of(*expected.to_numpy().T).tolist()


def test_sizes_are_sums_of_the_customers(written, log):
    made, customers = written
    known = log[pd.to_datetime(log["when"]).dt.date <= TRAINED_AS_OF]
    customers = customers.set_index("customer_id").assign(
        paid=known.groupby("who")["paid"].sum(), customers=1
    )
    names = ["customers", "paid", "expected_revenue", "clv"]
    expected = customers.groupby("rfm_segment")[names].sum()
    sizes = made.rfm.sizes.set_index("rfm_segment")
    assert list(sizes.index) == [name for name in USUAL.names if name in expected.index]
    expected = expected.loc[sizes.index]
    assert (sizes["customers"] == expected["customers"]).all()
    for name, of in (("revenue_to_date", "paid"), ("expected_revenue",) * 2, ("clv", "clv")):
        np.testing.assert_allclose(sizes[name], expected[of], rtol=1e-9)
    np.testing.assert_allclose(sizes["margin_to_date"], 0.4 * expected["paid"], rtol=1e-9)
    assert made.rfm.since is None
    assert made.rfm.moves.empty
