"""Customers add up to cohorts, and cohorts to the company, in every month."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.cohorts.reconcile import reconcile
from clvmodels.core.errors import DataError, InvalidValueError

COHORTS = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-03-01"])
PERIODS = pd.to_datetime(["2020-04-01", "2020-05-01"])


def frame(purchases, revenue=None):
    cells = pd.MultiIndex.from_product([COHORTS, PERIODS], names=["cohort", "period"])
    out = cells.to_frame(index=False)
    out["purchases"] = np.asarray(purchases, dtype=float)
    out["revenue"] = out["purchases"] * 10.0 if revenue is None else revenue
    return out


positive = st.lists(st.floats(0.1, 1e4), min_size=6, max_size=6)


@settings(deadline=None, max_examples=60)
@given(positive, positive, st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_every_month_adds_up_to_the_company(base, target, weights):
    made = reconcile(frame(base), frame(target), pd.Series(weights, index=COHORTS))
    for quantity in ("purchases", "revenue"):
        reached = made.factors.groupby("period")[quantity].sum()
        wanted = frame(target).groupby("period")[quantity].sum()
        np.testing.assert_allclose(reached, wanted)
    assert made.weights["weight"].tolist() == weights


@settings(deadline=None, max_examples=60)
@given(positive, positive)
def test_every_cohort_that_is_believed_is_met(base, target):
    made = reconcile(frame(base), frame(target))
    np.testing.assert_allclose(made.factors["purchases"], frame(target)["purchases"])
    np.testing.assert_allclose(made.factors["revenue"], frame(target)["revenue"])


def test_customers_add_up_to_their_cohort():
    base = frame([4, 4, 2, 2, 6, 6])
    customers = pd.concat([base.assign(customer_id="a"), base.assign(customer_id="b")])
    customers[["purchases", "revenue"]] *= [0.5, 0.5]
    made = reconcile(base, frame([8, 2, 2, 2, 3, 12]), pd.Series([1.0, 0.2, 0.9], index=COHORTS))
    applied = made.apply(customers).groupby(["cohort", "period"])["purchases"].sum()
    expected = made.factors.set_index(["cohort", "period"])["purchases"]
    pd.testing.assert_series_equal(applied, expected)
    assert customers["purchases"].iloc[0] == 2.0


def test_a_cohort_departs_from_the_company_as_far_as_it_is_believed():
    base, target = frame([10] * 6), frame([20, 20, 5, 5, 10, 10])
    made = reconcile(base, target, pd.Series([1.0, 0.5, 0.0], index=COHORTS)).factors
    ratio = made["purchases_factor"][::2].to_numpy()
    company = np.log(target["purchases"].sum() / base["purchases"].sum())
    departures = np.log(ratio / ratio[2])
    np.testing.assert_allclose(departures[0], np.log(2.0) - company)
    np.testing.assert_allclose(departures[1], 0.5 * (np.log(0.5) - company))


@pytest.mark.parametrize("weights", [[0.5, 1.1, 0.5], [0.5, -0.1, 0.5], [0.5, np.nan, 0.5], [1.0]])
def test_weights_are_shares_one_a_cohort(weights):
    given_weights = pd.Series(weights, index=COHORTS[: len(weights)])
    with pytest.raises(InvalidValueError, match="between 0 and 1"):
        reconcile(frame([1] * 6), frame([1] * 6), given_weights)


def test_unlike_cells_are_refused():
    with pytest.raises(DataError, match="different cohort-months"):
        reconcile(frame([1] * 6).iloc[1:], frame([1] * 6))
    with pytest.raises(InvalidValueError, match="negative"):
        reconcile(frame([-1] * 6), frame([1] * 6))
    with pytest.raises(InvalidValueError, match="nobody to carry"):
        reconcile(frame([0] * 6), frame([1] * 6))
    made = reconcile(frame([1] * 6), frame([1] * 6))
    stranger = frame([1] * 6).assign(cohort=pd.Timestamp("2019-01-01"))
    with pytest.raises(DataError, match="without factors"):
        made.apply(stranger)


@pytest.mark.parametrize("target", [0.5, 3.0, 1e4])
@pytest.mark.parametrize("base", [0.0, 1e-305])
def test_a_forecast_that_nobody_carries_is_refused_whatever_its_size(base, target):
    with pytest.raises(InvalidValueError, match="nobody to carry it"):
        reconcile(frame([base] * 6), frame([target] * 6))


def test_a_cohort_of_one_large_customer_does_not_set_the_value_of_others_orders():
    """The company's revenue is the first cohort's, whose orders are forecast a fifth smaller."""
    value = np.array([1e5, 1e5, 10.0, 10.0, 20.0, 20.0])
    base = frame([4] * 6, 4 * value)
    target = frame([4] * 6, 4 * value * [0.8, 0.8, 1.0, 1.0, 1.1, 1.1])
    made = reconcile(base, target, pd.Series([0.1, 0.5, 0.5], index=COHORTS)).factors
    np.testing.assert_allclose(made["revenue"], target["revenue"], rtol=1e-9)
    np.testing.assert_allclose(made["revenue_factor"][2:], [1, 1, 1.1, 1.1], rtol=1e-9)
