"""What a row of the forecast may say: nothing that its own customer's history contradicts."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
import pytest
import small_cohorts
from at_a_day import deliver_at, training_at
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from shop import dataset_of

from clvmodels import BGNBD, MBGNBD, NBD, GammaGamma, LifetimesBGNBD, ParetoNBD
from clvmodels.core.months import month_grid
from pipelines.data import features
from pipelines.data.features.histories import histories
from pipelines.forecasting import customers as forecast
from pipelines.forecasting import deliver
from pipelines.forecasting.levelling import CohortLevel
from pipelines.training import fit as train
from pipelines.training.fit import Fitted

LOGS = {
    "subscription": small_cohorts.subscription,
    "giant": small_cohorts.giant,
    "fading": small_cohorts.fading,
    "newcomers": small_cohorts.newcomers,
    "cdnow": small_cohorts.cdnow,
}
CASES = [*((name, "own") for name in LOGS), ("fading", "lifetimes")]


class Written(NamedTuple):
    """A forecast, and what was known of its customers."""

    name: str
    fitted: Fitted
    summary: pd.DataFrame
    made: deliver.Delivered
    customers: pd.DataFrame


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def written(request, config, tmp_path_factory):
    """A year's forecast of a log."""
    name, engine = request.param
    config = config.model_copy(
        update={
            "economics": config.economics.model_copy(update={"horizon_months": 12}),
            "train": config.train.model_copy(update={"engine": engine}),
        }
    )
    folder = tmp_path_factory.mktemp(name)
    with dataset_of(LOGS[name](), config, folder) as data:
        known = training_at(data.as_of, data, config)
        fitted = train.estimate(replace(known, churn=()), config.train)
        made = deliver_at(data.as_of, data, fitted, config, folder)
        summary = features.summary(data.purchases, data.as_of).order_by("customer_id").to_pandas()
    customers = pd.read_parquet(folder / deliver.CUSTOMERS)
    assert list(customers["customer_id"]) == list(summary["customer_id"])
    return Written(name, fitted, summary, made, customers)


def most_purchases(fitted, summary, days):
    """Alive for so long, at the 99 % end of the own rate: from the published posterior."""
    p = fitted.transactions.params_
    # of regular buyers: k stages a purchase, and up to k - 1 of them since the last one
    k = getattr(fitted.transactions, "k_", 1)
    stages = p["r"] + k * summary["frequency"] + k - 1
    posterior = stats.gamma(stages, scale=1 / (p["alpha"] + summary["T"]) / k)
    return fitted.transactions.probability_alive(summary) * days * posterior.ppf(0.99)


def test_nobody_buys_faster_than_the_own_history_bears(written):
    _, fitted, summary, made, customers = written
    most = most_purchases(fitted, summary, made.grid.edges[-1])
    assert (customers["expected_purchases"] <= most).all()
    assert (customers["probability_alive"] > 0).any()


def test_who_has_bought_often_spends_as_before(written):
    name, fitted, summary, _, customers = written
    count = summary["frequency"] + 1
    mean = (summary["monetary_value"] * summary["frequency"] + summary["first_value"]) / count
    error = mean / np.sqrt(fitted.spend.params_["p"] * count)
    many = count >= 30
    assert many.any() == (name != "subscription")
    distance = (customers["expected_spend"] - mean).abs()
    assert (distance[many] <= 4 * error[many]).all()


def test_the_columns_of_a_row_agree(written):
    made, customers = written.made, written.customers
    product = customers["expected_purchases"] * customers["expected_spend"]
    np.testing.assert_allclose(customers["expected_revenue"], product, rtol=1e-9)
    net = 0.4 * customers["expected_revenue"] - 1.5 * customers["expected_purchases"]
    last = 1.1 ** (-made.grid.edges[-1] / 365.25)
    ends = np.sort(np.stack([net, net * last]), axis=0)
    assert (customers["clv"] >= ends[0] - 1e-6).all()
    assert (customers["clv"] <= ends[1] + 1e-6).all()
    # As written, to the last digit: the ends are rounded as what lies between them.
    assert (customers["clv_low"] <= customers["clv"]).all()
    assert (customers["clv"] <= customers["clv_high"]).all()


def test_rows_and_tables_agree(written):
    made, customers = written.made, written.customers
    customers = customers.assign(cohort=pd.to_datetime(customers["cohort"]))
    totals = made.totals.set_index("quantity")["value"]
    for one, many in (("expected_purchases", "purchases"), ("expected_revenue", "revenue")):
        by_row = customers.groupby("cohort")[one].sum()
        by_cell = made.cohorts.groupby("cohort")[many].sum()
        np.testing.assert_allclose(by_row, by_cell, rtol=1e-9)
        assert made.months[many].sum() == pytest.approx(by_row.sum(), rel=1e-9)
        assert totals[many] == pytest.approx(by_row.sum(), rel=1e-9)
    for table in (made.tiers, made.segments.assign(clv=lambda t: t["clv"] * t["customers"])):
        assert table["clv"].sum() == pytest.approx(totals["clv"], rel=1e-9)
    assert (made.cohorts["purchases_low"] <= made.cohorts["purchases"]).all()
    assert (made.cohorts["purchases"] <= made.cohorts["purchases_high"]).all()


def test_what_was_given_back_is_kept(written):
    made = written.made
    asked = made.forecaster.forecast(made.grid.until)
    for quantity in ("purchases", "revenue"):
        unplaced = made.corrections[f"{quantity}_unplaced"]
        assert made.months[quantity].sum() + unplaced.sum() == pytest.approx(
            asked[quantity].sum(), rel=1e-9
        )
        # purchases are left out, never added
        assert quantity == "revenue" or unplaced.min() > -1e-6


@pytest.mark.parametrize("written", [("subscription", "own")], indirect=True)
def test_a_member_who_has_stopped_paying_does_not_lead(written):
    summary, customers = written.summary, written.customers
    silent = summary["T"] - summary["recency"] > 62
    assert silent.sum() > 20
    assert customers.loc[silent, "expected_purchases"].max() < 10
    assert customers["expected_purchases"].max() < 13
    leaders = customers["expected_purchases"].nlargest(20).index
    assert not silent[leaders].any()


@pytest.mark.parametrize("written", [("giant", "own")], indirect=True)
def test_a_giant_keeps_the_own_value_of_an_order(written):
    """What Gamma-Gamma alone expects of 59 orders, not the level of a cohort of small buyers."""
    row = written.customers["customer_id"] == "GIANT"
    own = forecast.spend_table(written.summary[row.to_numpy()], "all")
    assert own["frequency"].item() == 59
    alone = written.fitted.spend.expected_spend(own).item()
    assert alone == pytest.approx(own["monetary_value"].item(), rel=0.02)
    assert written.customers.loc[row, "expected_spend"].item() == pytest.approx(alone, rel=0.005)


# Any model, any history, any factors

PARAMETERS = {
    BGNBD: ("r", "alpha", "a", "b"),
    MBGNBD: ("r", "alpha", "a", "b"),
    ParetoNBD: ("r", "alpha", "s", "beta"),
    NBD: ("r", "alpha"),
    LifetimesBGNBD: ("r", "alpha", "a", "b"),
}
GRID = month_grid(dt.date(2022, 6, 30), dt.date(2022, 12, 31))
COHORTS = pd.DatetimeIndex(["2022-01-01", "2022-02-01"])
positive = st.floats(0.01, 100.0)


@st.composite
def customers(draw):
    frequency = draw(st.integers(0, 400))
    T = draw(st.floats(1.0, 900.0))
    recency = T * draw(st.floats(0.01, 1.0)) if frequency else 0.0
    mean, first = draw(st.floats(0.0, 1e5)), draw(st.floats(0.0, 1e5))
    return draw(st.sampled_from(list(COHORTS))), frequency, recency, T, mean, first


@st.composite
def levels(draw):
    k = len(GRID.periods)
    cells = st.lists(st.floats(0.0, 50.0), min_size=2 * k, max_size=2 * k)
    factors = [np.array(draw(cells)).reshape(2, k) for _ in range(2)]
    others = np.array(draw(st.lists(st.floats(0.0, 500.0), min_size=2, max_size=2)))
    return CohortLevel(GRID, COHORTS, *factors, others, pd.DataFrame(), None, pd.DataFrame())


@given(st.sampled_from(list(PARAMETERS)), st.data())
def test_laws_hold_whatever_a_cohort_asks(kind, data):
    names = PARAMETERS[kind]
    params = {name: data.draw(positive, label=name) for name in names}
    spend = {name: data.draw(st.floats(1.1, 80.0), label=name) for name in ("p", "q", "v")}
    fitted = Fitted(
        GRID.as_of,
        kind.from_params(**params),
        GammaGamma.from_params(**spend),
        spend_from=data.draw(st.sampled_from(["all", "repeat"])),
    )
    rows = data.draw(st.lists(customers(), min_size=1, max_size=8))
    summary = pd.DataFrame(
        rows, columns=["cohort", "frequency", "recency", "T", "monetary_value", "first_value"]
    )
    made = data.draw(levels()).customer_months(fitted, summary)
    bought, spent = made.purchases.sum(axis=1), made.revenue.sum(axis=1)
    assert (bought <= most_purchases(fitted, summary, GRID.edges[-1]) * (1 + 1e-9)).all()
    np.testing.assert_allclose(spent, bought * made.spend, rtol=1e-9, atol=1e-90)
    table = forecast.spend_table(summary, fitted.spend_from)
    reach = 4 / np.sqrt(spend["p"] * table["frequency"].clip(lower=1))
    many = summary["frequency"] >= 29
    distance = np.abs(made.spend - table["monetary_value"])
    assert (distance[many] <= (reach * table["monetary_value"])[many] * (1 + 1e-9)).all()
    assert (made.purchases >= 0).all()
    assert (made.revenue >= 0).all()


@given(st.data())
def test_sums_over_histories_are_sums_over_customers_so_held(data):
    """Customers who share a history, bought at different values, held by bounds of both kinds."""
    frequency = data.draw(st.sampled_from([0, 2, 28, 29, 60]))
    values = data.draw(st.lists(st.floats(1.0, 1e4), min_size=2, max_size=6))
    rows = pd.DataFrame(
        {
            "cohort": COHORTS[0],
            "frequency": frequency,
            "recency": 100.0 if frequency else 0.0,
            "T": 170.0,
            "monetary_value": values if frequency else 0.0,
            "first_value": values,
        }
    )
    fitted = Fitted(
        GRID.as_of,
        BGNBD.from_params(r=0.5, alpha=10.0, a=0.7, b=3.0),
        GammaGamma.from_params(p=9.0, q=3.0, v=500.0),
        spend_from="all",
    )
    table = ibis.memtable(rows.assign(cohort=rows["cohort"].dt.date))
    level = data.draw(levels())
    alone = forecast.cohort_sums(rows["cohort"], level.customer_months(fitted, rows), GRID)
    shared = forecast.history_sums(fitted, histories(table), GRID, each=level.customer_months)
    for quantity in ("purchases", "revenue"):
        np.testing.assert_allclose(shared[quantity], alone[quantity], rtol=1e-6, atol=1e-9)


def test_a_cohort_that_has_not_come_back_takes_no_value_from_other_cohorts(written):
    """Its value of an order would be that of others, here of one giant among them."""
    seen = written.summary.groupby("cohort")["frequency"].transform("sum")
    quiet = (seen == 0).to_numpy()
    assert quiet.any() or written.name != "newcomers"
    own = written.fitted.spend.expected_spend(
        forecast.spend_table(written.summary, written.fitted.spend_from)
    )
    found = written.customers["expected_spend"].to_numpy()
    np.testing.assert_allclose(found[quiet], own[quiet], rtol=1e-9)
