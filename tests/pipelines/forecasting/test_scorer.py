"""The function that scores customers: whole, small, and blind to who shares a batch."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest
from at_a_day import level_at, training_at
from closeness import assert_close
from shop import TRAINED_AS_OF

from clvmodels.core import schema
from pipelines.data import margins
from pipelines.data.features import scoring_table
from pipelines.data.margins import Margin
from pipelines.data.privacy import Pseudonyms
from pipelines.forecasting.scorer import ADDED, CUSTOMER_SCHEMA, Scorer
from pipelines.sources.engines.base import stream
from pipelines.training import fit as train

AS_OF = TRAINED_AS_OF


@pytest.fixture(scope="module")
def table(data):
    with data.snapshot.earlier(AS_OF) as then:
        yield scoring_table(then).order_by("customer_id")


@pytest.fixture(scope="module")
def scorer(data, config, table):
    fitted = train.estimate(training_at(AS_OF, data, config), config.train)
    level = level_at(AS_OF, data, fitted, config)
    valuation = margins.valuation(config.economics, Margin(config.economics.margin))
    return Scorer.of(fitted, level, level.grid, table, valuation=valuation, churn_horizon_days=60)


@pytest.fixture(scope="module")
def batch(table):
    (whole,) = stream(table)
    return whole


def test_the_schema_is_that_of_the_customer_forecast(scorer, batch):
    assert CUSTOMER_SCHEMA.names == schema.CUSTOMER_FORECAST.names
    made = scorer(batch)
    assert made.schema.equals(scorer.schema)
    assert made.column_names == [
        *(name for name in CUSTOMER_SCHEMA.names if name not in ADDED),
        *("time_since_last", "frequency", "T", "gap_mean", "spend_total", "spend_mean", "country"),
    ]
    assert made["spend_total"].equals(batch["spend_total"])
    assert made["country"].equals(batch["country"])


def test_it_travels_as_it_is_and_takes_no_customers_along(scorer, batch):
    sent = pickle.dumps(scorer)
    assert b"zq~person~" not in sent
    assert len(sent) < 2_000_000
    assert scorer.fitted.cohorts is None
    assert scorer.level.forecaster is None
    assert_close(pickle.loads(sent)(batch).to_pandas(), scorer(batch).to_pandas())


@pytest.mark.parametrize("rows", [1, 13, 300])
def test_a_score_does_not_depend_on_who_shares_the_batch(scorer, batch, rows):
    some = batch.slice(0, min(batch.num_rows, 20 * rows))
    parts = [scorer(some.slice(at, rows)) for at in range(0, some.num_rows, rows)]
    found, expected = pa.concat_tables(parts).to_pandas(), scorer(some).to_pandas()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-11)
    # to the last bit, for customers of equal worth tie
    assert found["clv"].equals(expected["clv"])


def test_ids_are_replaced_where_the_customers_are(scorer, batch):
    names = Pseudonyms(b"a key of sufficient length")
    made = replace(scorer, names=names)(batch)
    assert made["customer_id"].to_pylist() == names.of_all(batch["customer_id"].to_pylist())
    own = scorer(batch).drop_columns("customer_id")
    assert_close(made.drop_columns("customer_id").to_pandas(), own.to_pandas())
