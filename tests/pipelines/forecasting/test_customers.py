"""Customer forecasts: what they add up to, and how often their intervals hold the truth."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from at_a_day import grid_at, training_at
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shop import ID_PREFIX, TRAINED_AS_OF

from clvmodels import GammaGamma, ParetoNBD
from clvmodels.core.errors import ConfigError
from clvmodels.core.months import add_months, month_grid
from clvmodels.simulation.simulate import BGNBDProcess, GammaGammaSpend, simulate_log
from pipelines.data import margins
from pipelines.data.features import scoring_table
from pipelines.data.margins import Margin
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.customers import CustomerMonths
from pipelines.sources.engines.batches import stream
from pipelines.training import fit as train
from pipelines.training.fit import Fitted

AS_OF = TRAINED_AS_OF


@pytest.fixture(scope="module")
def fitted(data, config):
    return train.estimate(training_at(AS_OF, data, config), config.train)


@pytest.fixture(scope="module")
def customers(data):
    with data.snapshot.earlier(AS_OF) as then:
        (batch,) = stream(scoring_table(then).order_by("customer_id"))
    return batch.to_pandas(date_as_object=False)


@pytest.fixture(scope="module")
def grid(config):
    return grid_at(AS_OF, config)


@pytest.fixture(scope="module")
def settings(config):
    """How customers are valued."""
    margin = Margin(config.economics.margin)
    return {"valuation": margins.valuation(config.economics, margin), "churn_horizon_days": 60}


@pytest.fixture(scope="module")
def scored(fitted, customers, grid, settings):
    months = forecast.customer_months(fitted, customers, grid)
    return forecast.score(fitted, customers, months, grid, **settings), months


def test_the_horizon_is_whole_months_from_the_day_after_as_of(grid, config):
    assert grid.until == add_months(AS_OF, config.economics.horizon_months)
    assert grid.periods[0] == AS_OF + dt.timedelta(days=1)
    assert len(grid.periods) == 6


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 40), st.integers(1, 6)),
               elements=st.floats(0, 1e6)),
    st.data(),
)  # fmt: skip
def test_cohort_sums_are_sums_of_their_customers(purchases, draw):
    n, k = purchases.shape
    starts = pd.to_datetime(["2021-01-01", "2021-02-01", "2021-05-01"])
    picks = draw.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    cohort = pd.Series(starts[picks])
    revenue = purchases * np.arange(1, n + 1)[:, None]
    months = CustomerMonths(purchases, revenue, np.arange(1.0, n + 1))
    window = month_grid(dt.date(2021, 5, 31), add_months(dt.date(2021, 5, 31), k))
    cells = forecast.cohort_sums(cohort, months, window)
    assert list(cells) == ["cohort", "period", "purchases", "revenue"]
    assert len(cells) == len(set(picks)) * k
    for cell in cells.itertuples():
        month = list(window.index()).index(cell.period)
        mine = [i for i in range(n) if starts[picks[i]] == cell.cohort]
        assert cell.purchases == pytest.approx(sum(purchases[i, month] for i in mine), rel=1e-12)
        assert cell.revenue == pytest.approx(sum(revenue[i, month] for i in mine), rel=1e-12)


def test_months_add_up_to_the_horizon(fitted, customers, grid):
    months = forecast.customer_months(fitted, customers, grid)
    whole = fitted.transactions.expected_purchases(customers, horizon=grid.edges[-1])
    np.testing.assert_allclose(months.purchases.sum(axis=1), whole, rtol=1e-12)
    assert (months.purchases >= 0).all()
    assert_close(months.revenue, months.purchases * months.spend[:, None])


def test_no_month_holds_less_than_nothing():
    """Everybody leaves within a day: sums come to their end, and their last digits waver."""
    left = Fitted(
        AS_OF,
        ParetoNBD.from_params(r=63.6875, alpha=97.5, s=12.0, beta=2.0),
        GammaGamma.from_params(p=2.0, q=2.0, v=2.0),
    )
    one = pd.DataFrame(
        {"frequency": [0], "recency": [0.0], "T": [1.0], "monetary_value": [0.0]}
    ).assign(first_value=5.0)
    window = month_grid(dt.date(2022, 6, 30), dt.date(2022, 12, 31))
    assert (forecast.customer_months(left, one, window).purchases >= 0).all()


def test_customers_add_up_to_cohorts_in_every_month(customers, scored, grid):
    _, months = scored
    cells = forecast.cohort_sums(customers["cohort"], months, grid)
    for name in ("purchases", "revenue"):
        by_month = cells.groupby("period")[name].sum().to_numpy()
        np.testing.assert_allclose(by_month, getattr(months, name).sum(axis=0), rtol=1e-12)


def test_clv_is_discounted_margin_net_of_cost_to_serve(scored, grid, config):
    """One customer and one month at a time, from the definition."""
    table, months = scored
    for i in range(0, len(table), 97):
        value, start = 0.0, 0.0
        for k, end in enumerate(grid.edges):
            middle = (start + end) / 2
            gain = 0.4 * months.revenue[i, k] - 1.5 * months.purchases[i, k]
            value += gain / 1.1 ** (middle / 365.25)
            start = end
        assert table["clv"].iloc[i] == pytest.approx(value, rel=1e-12)


def test_scores_are_within_their_bounds(scored, customers):
    table, _ = scored
    assert table.notna().all(axis=None)
    np.testing.assert_array_equal(table["customer_id"], customers["customer_id"])
    assert table["customer_id"].str.startswith(ID_PREFIX).all()
    for name in ("probability_alive", "churn_probability"):
        assert table[name].between(0, 1).all()
    assert (table[["expected_purchases", "expected_spend", "expected_revenue"]] >= 0).all(axis=None)
    assert (table["clv_low"] <= table["clv"]).all()
    assert (table["clv"] <= table["clv_high"]).all()


def test_a_customer_is_scored_alike_alone_and_among_others(
    fitted, customers, grid, settings, scored
):
    table, _ = scored
    for part in (customers.iloc[[5]], customers.iloc[::-1], customers.sample(50, random_state=1)):
        months = forecast.customer_months(fitted, part, grid)
        alone = forecast.score(fitted, part, months, grid, **settings)
        expected = table.loc[part.index]
        pd.testing.assert_frame_equal(alone, expected, check_exact=False, rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 64, 699, 700, 10_000])
def test_batches_hold_every_row_once_in_order(data, customers, rows):
    with data.snapshot.earlier(AS_OF) as then:
        table = scoring_table(then).order_by("customer_id")
        if rows == 1:
            table = table.limit(3)
        parts = [batch.to_pandas(date_as_object=False) for batch in stream(table, rows)]
    assert max(map(len, parts)) <= rows
    joined = pd.concat(parts, ignore_index=True)
    expected = customers.head(3) if rows == 1 else customers
    pd.testing.assert_frame_equal(joined, expected)


def test_without_a_classifier_churn_is_the_purchase_model_s_own(fitted, customers):
    bare = Fitted(fitted.as_of, fitted.transactions, fitted.spend)
    assert_close(
        forecast.churn_probability(bare, customers, 60),
        fitted.transactions.probability_no_purchase(customers, horizon=60),
    )


def test_a_classifier_is_asked_only_for_the_days_it_was_trained_for(fitted, customers):
    assert fitted.churn.horizon_days == 60
    train.require_same_horizon(fitted, 60)
    with pytest.raises(ConfigError, match=r"churn within 60 days; .* churn_horizon_days is 200"):
        train.require_same_horizon(fitted, 200)
    with_model = train.with_model_features(customers, fitted.transactions, 60)
    assert_close(
        forecast.churn_probability(fitted, customers, 60),
        fitted.churn.churn_probability(with_model),
    )


def at(model, **params):
    """A saved model with other parameters."""
    return type(model).from_dict({**model.to_dict(), "params": params})


def coverage(seed: int, fitted, config, settings, frequent: bool) -> tuple[float, SimpleNamespace]:
    """Share of simulated customers whose realised CLV lies in their 90 % interval.

    The models hold the parameters that the customers were drawn with, so that only the interval
    itself is on trial.
    """
    shape, rate = (2.0, 30.0) if frequent else (0.5, 20.0)
    log = simulate_log(
        BGNBDProcess(r=shape, alpha=rate, a=0.8, b=3.0), 20_000,
        spend=GammaGammaSpend(6.0, 4.0, 15.0), start=dt.date(2021, 1, 1), days=730,
        acquisition=365, random_state=seed,
    )  # fmt: skip
    known = 546  # 2022-06-30, the last day known
    as_of = dt.date(2021, 1, 1) + dt.timedelta(days=known - 1)
    summary = log.summary(until=known)
    truth = Fitted(
        as_of,
        at(fitted.transactions, r=shape, alpha=rate, a=0.8, b=3.0),
        at(fitted.spend, p=6.0, q=4.0, v=15.0),
    )
    grid = grid_at(as_of, config)
    summary["cohort"] = pd.Timestamp("2021-01-01")
    months = forecast.customer_months(truth, summary, grid)
    made = forecast.score(truth, summary, months, grid, **settings)
    day = log.day - known
    later = (day > 0) & (day <= grid.edges[-1])
    gain = (0.4 * log.amount - 1.5) / 1.1 ** (day / 365.25)
    realised = np.bincount(log.customer[later], gain[later], minlength=log.n_customers)
    inside = (made["clv_low"] - 1e-9 <= realised) & (realised <= made["clv_high"] + 1e-9)
    some = made["expected_purchases"] > 0.5
    return float(inside.mean()), SimpleNamespace(
        active=float(inside[some].mean()),
        above=float((realised > made["clv_high"]).mean()),
        below=float((realised < made["clv_low"]).mean()),
        mean=(float(made["clv"].mean()), float(realised.mean())),
    )


@pytest.mark.parametrize("frequent", [False, True])
def test_clv_intervals_hold_realised_clv(fitted, config, settings, frequent):
    share, more = coverage(5, fitted, config, settings, frequent)
    # Who may well buy nothing has 0 for a lower end, which nobody falls below: there, the upper
    # end alone leaves out 5 %. Measured (seed 5): 95.7 and 96.5 %, active customers 94.0, 90.8.
    assert 0.85 <= share <= 0.97
    assert 0.85 <= more.active <= 0.95
    assert 0.02 <= more.above <= 0.06
    assert more.below <= 0.05
    assert more.mean[0] == pytest.approx(more.mean[1], rel=0.04)
