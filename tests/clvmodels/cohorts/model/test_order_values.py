"""Order values by cohort: shrinkage, refunds, and logs that hold none."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from cohort_tables import simulated_table

from clvmodels.cohorts.model.order_values import fit_values, value_of_first
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


# --- first purchases


@pytest.fixture(scope="module")
def paid(frame):
    """First purchases whose value differs from month to month."""
    dear = 30.0 + np.arange(len(frame)) % 17
    return frame.assign(first_revenue=frame["first_purchases"] * dear)


def ended(paid, last):
    """The same log, whose last new customers are those given, by cohort."""
    size = pd.to_datetime(paid["cohort"]).map(lambda day: last.get(day.strftime("%Y-%m"), 0))
    late = paid["cohort"] > "2020-06-01"
    first = paid["first_purchases"].mask(late, size * (paid["cohort"] == paid["period"]))
    worth = (paid["first_revenue"] / paid["first_purchases"].clip(lower=1)).where(~late, 1234.5)
    return paid.assign(first_purchases=first, first_revenue=first * worth)


def first_value(frame):
    table = read_cohort_months(frame, AS_OF)
    return value_of_first(table, fit_values(table, damping=0.7))


def test_first_purchases_have_the_value_of_the_last_year_s(paid):
    last = paid[(paid["cohort"] == paid["period"]) & (paid["cohort"] > "2020-06-01")]
    assert len(last) == 12
    assert first_value(paid) == last["first_revenue"].sum() / last["first_purchases"].sum()
    ten = ended(paid, {"2021-03": 4, "2021-06": 6})
    assert first_value(ten) == pytest.approx(1234.5, rel=1e-12)


@pytest.mark.parametrize("last", [{}, {"2021-03": 1}, {"2020-07": 4, "2021-06": 5}])
def test_the_value_of_first_purchases_is_never_that_of_a_few_customers(paid, last):
    """Whole months further back come in, at the season of the last year."""
    alone = ended(paid, last)
    flat = alone.assign(revenue=50.0 * alone["purchases"])  # values without a season
    june = flat[(flat["cohort"] == "2020-06-01") & (flat["period"] == "2020-06-01")]
    few = sum(last.values())
    count = june["first_purchases"].sum() + few
    assert june["first_purchases"].sum() >= 10
    expected = (june["first_revenue"].sum() + 1234.5 * few) / count
    assert first_value(flat) == pytest.approx(expected, rel=1e-4)


def test_a_log_of_few_customers_has_the_mean_of_all(paid):
    first = paid["cohort"].isin(pd.to_datetime(["2020-02-01", "2021-03-01"]))
    few = paid["first_purchases"].where(first, 0).clip(upper=4)
    rare = paid.assign(first_purchases=few, first_revenue=few * np.where(first, 60.0, 0.0))
    rare.loc[rare["cohort"] == "2020-02-01", "first_revenue"] /= 3.0
    flat = rare.assign(revenue=50.0 * rare["purchases"])
    assert first_value(flat) == pytest.approx((20.0 + 60.0) / 2, rel=1e-4)


def test_what_comes_from_further_back_is_carried_to_the_season_of_the_last_year(paid):
    """Values twice as high in June as in March: a customer of March says what June's would pay."""
    june = paid["period"].dt.month.isin([4, 5, 6])
    dear = paid.assign(revenue=50.0 * paid["purchases"] * np.where(june, 1.5, 0.75))
    few = {"2021-03": 1}
    table = read_cohort_months(ended(dear, few), AS_OF)
    model = fit_values(table, damping=0.7)
    months = table.months[table.months % 12 == 5][0], table.months[-4]
    ratio = np.exp(np.subtract(*model.shape(np.array(months))))
    assert ratio > 1.5
    start = table.first_purchases[5:]
    mean = table.first_revenue[5:].sum() / start.sum()
    # Nearly all of them came in June; the last year's one in March.
    assert value_of_first(table, model) == pytest.approx(mean / ratio, rel=0.02)
