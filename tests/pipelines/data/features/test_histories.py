"""Customers who share a history: sums over histories are sums over customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from at_a_day import grid_at
from hypothesis import given
from hypothesis import strategies as st
from shop import TRAINED_AS_OF, altered, dataset_of

from clvmodels.registry import SPEND_MODELS
from pipelines.data import features
from pipelines.data.features.histories import MEAN_VALUE, histories, spend_table
from pipelines.data.features.rfm import spend_evidence
from pipelines.forecasting import customers as forecast
from pipelines.training import fit as train
from pipelines.training import training_data

AS_OF = TRAINED_AS_OF


@pytest.fixture(scope="module")
def refunded(log, config, tmp_path_factory):
    """The shop with refunds, some of them larger than what was bought."""
    with dataset_of(altered(log, AS_OF), config, tmp_path_factory.mktemp("refunded")) as data:
        yield data


@pytest.fixture(scope="module")
def summary(refunded):
    return features.summary(refunded.purchases, refunded.as_of, people="all")


@pytest.fixture(scope="module")
def customers(summary):
    return summary.order_by("customer_id").to_pandas()


def test_histories_count_every_customer_and_average_their_values(summary, customers):
    found = histories(summary).set_index(["frequency", "recency", "T"])
    assert found["weight"].sum() == len(customers) > len(found)
    assert (customers["monetary_value"] < 0).any()
    for spend_from, column in MEAN_VALUE.items():
        _, mean = spend_evidence(customers, spend_from)
        for history, rows in customers.groupby(["frequency", "recency", "T"]):
            row = found.loc[history]
            assert row["weight"] == len(rows)
            assert row["cohort"] == pd.Timestamp(rows["cohort"].iloc[0])
            assert row["quarter"].quarter == row["cohort"].quarter
            spent = [max(value, 0.0) for value in mean[rows.index]]
            assert row[column] == pytest.approx(sum(spent) / len(spent), abs=2e-8)


@pytest.mark.parametrize("spend_from", ["all", "repeat"])
@pytest.mark.parametrize("engine", ["own", "lifetimes"])
def test_sums_over_histories_are_sums_over_customers(refunded, summary, config, engine, spend_from):
    """A customer at a time, as slow as that is: a sample of them."""
    settings = config.train.model_copy(
        update={"engine": engine, "spend_from": spend_from, "cohort_level": False}
    )
    fitted = train.estimate(training_data.extract(refunded.snapshot, settings), settings)
    grid = grid_at(refunded.as_of, config)
    some = features.sample_customers(summary, 0.2)
    table = histories(some)
    found = forecast.history_sums(fitted, table, grid).set_index(["cohort", "period"])
    customers = some.to_pandas()
    sums: dict[tuple[pd.Timestamp, pd.Timestamp], np.ndarray] = {}
    for at in range(len(customers)):
        one = customers.iloc[[at]]
        months = forecast.customer_months(fitted, one, grid)
        for k, period in enumerate(grid.index()):
            cell = sums.setdefault((one["cohort"].iloc[0], period), np.zeros(2))
            cell += [months.purchases[0, k], months.revenue[0, k]]
    assert len(found) == len(sums)
    for cell, (purchases, revenue) in sums.items():
        assert found.loc[cell, "purchases"] == pytest.approx(purchases, rel=1e-9)
        assert found.loc[cell, "revenue"] == pytest.approx(revenue, rel=1e-9)
    parts = forecast.history_sums(fitted, table, grid, rows=7).set_index(["cohort", "period"])
    pd.testing.assert_frame_equal(parts, found, rtol=1e-12)
    quarters = forecast.history_sums(fitted, table, grid, by="quarter")
    assert quarters["revenue"].sum() == pytest.approx(found["revenue"].sum(), rel=1e-12)


@pytest.fixture(scope="module", params=sorted(SPEND_MODELS))
def spend_model(request):
    rng = np.random.default_rng(5)
    count = rng.integers(1, 9, 400)
    mean = rng.gamma(6.0 * count) / count * 15.0 / rng.gamma(4.0, size=400)
    return SPEND_MODELS[request.param]().fit(
        pd.DataFrame({"frequency": count, "monetary_value": mean})
    )


@given(
    count=st.integers(0, 30),
    values=st.lists(st.floats(0, 1e4), min_size=1, max_size=20),
)
def test_expected_spend_is_a_straight_line_in_the_mean_value(spend_model, count, values):
    """What lets the customers of one history be summed by their mean."""
    each = pd.DataFrame({"frequency": count, "monetary_value": values})
    together = pd.DataFrame({"frequency": [count], "monetary_value": [np.mean(values)]})
    total = spend_model.expected_spend(each).sum()
    assert total == pytest.approx(spend_model.expected_spend(together)[0] * len(values), rel=1e-9)


def test_a_customer_with_more_refunds_than_purchases_spent_nothing():
    one = pd.DataFrame({"frequency": [2], "monetary_value": [-5.0], "first_value": [1.0]})
    assert spend_table(one, "repeat").to_dict("records") == [
        {"frequency": 2, "monetary_value": 0.0}
    ]
    assert spend_table(one, "all").to_dict("records") == [{"frequency": 3, "monetary_value": 0.0}]
