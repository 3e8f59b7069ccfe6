"""Order values by cohort: shrinkage, refunds, and logs that hold none."""

import datetime as dt

import numpy as np
import pytest
from cohort_tables import simulated_table

from clvmodels.cohorts.model.order_values import fit_values
from clvmodels.cohorts.model.table import future_cells, read_cohort_months

AS_OF, UNTIL = dt.date(2021, 6, 30), dt.date(2021, 7, 31)


def values(frame):
    table = read_cohort_months(frame, AS_OF)
    cells = future_cells(table.cohorts, table.customers, AS_OF, UNTIL)
    model = fit_values(table, damping=0.7)
    return model.expected(model.design(cells))


@pytest.fixture(scope="module")
def frame():
    return simulated_table(months=18)


def test_one_price_is_one_value(frame):
    np.testing.assert_allclose(values(frame), 50.0, rtol=1e-3)


def test_a_cohort_that_spends_more_keeps_its_level(frame):
    dear = frame["cohort"] == "2020-03-01"
    rng = np.random.default_rng(0)
    revenue = frame["revenue"] * np.where(dear, 2.0, 1.0) * rng.uniform(0.9, 1.1, len(frame))
    made = values(frame.assign(revenue=revenue))
    assert made[2] == pytest.approx(100.0, rel=0.08)
    np.testing.assert_allclose(np.delete(made, 2), 50.0, rtol=0.08)


def test_a_few_large_orders_of_a_young_cohort_are_hardly_believed(frame):
    rng = np.random.default_rng(1)
    young = (frame["cohort"] == "2021-06-01") & (frame["period"] == "2021-06-01")
    purchases = frame["purchases"].mask(young, 4)
    # Orders scatter with twice their mean, as those of shops and wholesalers together do.
    revenue = 200.0 * rng.gamma(np.maximum(purchases, 1) / 4.0) * (purchases > 0)
    large = revenue.mask(young, 4 * 50.0 * 6)
    made = values(frame.assign(purchases=purchases, revenue=large))
    others = np.median(made[:-1])
    assert others < made[-1] < 3.0 * others


@pytest.mark.parametrize(("share", "left"), [(0.9, 0.1), (0.999, 0.01), (1.0, 0.01), (1.5, 0.01)])
def test_refunds_of_nearly_everything_leave_nearly_nothing(frame, share, left):
    """Not the value of first purchases, which nobody kept either."""
    known = frame["period"] <= "2021-06-01"
    row = frame.index[frame["period"] == "2021-05-01"][0]
    back = frame["revenue"].where(frame.index != row, 0.0)
    back[row] = -share * back[known].sum()
    assert values(frame.assign(revenue=back)).mean() == pytest.approx(50.0 * left, rel=0.03)


def test_free_purchases_bring_nothing(frame):
    free = frame.assign(revenue=0.0)
    assert values(free).tolist() == [0.0] * len(values(free))


def test_refunds_lower_all_values(frame):
    row = frame.index[frame["period"] == "2021-05-01"][0]
    refunded = frame.assign(revenue=frame["revenue"].mask(frame.index == row, -2000.0))
    share = refunded.loc[refunded["period"] <= "2021-06-01", "revenue"].sum()
    before = frame.loc[frame["period"] <= "2021-06-01", "revenue"].sum()
    ratio = values(refunded).mean() / values(frame).mean()
    assert ratio == pytest.approx(share / before, rel=0.02)


def test_without_repeat_purchases_first_ones_tell(frame):
    none = frame.assign(purchases=0, revenue=0.0)
    np.testing.assert_allclose(values(none), 40.0, rtol=0.01)
