"""One contract for every transaction model; a new model is tested the day it is added."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from closeness import assert_close
from true_parameters import TRUE_PARAMETERS, given

from clvmodels import BGCNBD, BGNBD, MBGCNBD, MBGNBD, NBD, ParetoNBD, model_from_dict
from clvmodels.core.errors import InvalidValueError, ModelFileError, NotFittedError
from clvmodels.core.summaries import read_histories
from clvmodels.simulation.simulate import (
    BGCNBDProcess,
    BGNBDProcess,
    MBGCNBDProcess,
    MBGNBDProcess,
    NBDProcess,
    ParetoNBDProcess,
    simulate_log,
)
from clvmodels.transactions.base import TransactionModel

PROCESSES = {
    BGNBD: BGNBDProcess,
    MBGNBD: MBGNBDProcess,
    ParetoNBD: ParetoNBDProcess,
    NBD: NBDProcess,
    BGCNBD: BGCNBDProcess,
    MBGCNBD: MBGCNBDProcess,
}

HORIZONS = [0.0, 1.0, 10.0, 100.0, 1000.0]

EXTREME = pd.DataFrame(
    [
        (0, 0.0, 0.0),
        (0, 0.0, 1e-9),
        (0, 0.0, 1e5),
        (1, 0.0, 1e-9),
        (1, 1e-6, 1e4),
        (1, 40.0, 40.0),
        (300, 10.0, 10.0),
        (300, 1.0, 1000.0),
        (10_000, 100.0, 100.0),
        (10_000, 1e-3, 5000.0),
        (10_000, 4999.0, 5000.0),
    ],
    columns=["frequency", "recency", "T"],
)

ODD_PARAMETERS = {
    BGNBD: [
        {"a": a, "b": b}
        for a, b in [(0.4, 0.6), (1.0, 2.0), (1e-3, 1e-3), (1e3, 1e4), (1e-4, 50.0)]
    ],
    ParetoNBD: [
        {"s": s, "beta": beta} for s, beta in [(1.0, 8.0), (1e-3, 1e-3), (1e3, 1e5), (2.0, 1e6)]
    ],
    NBD: [{"r": 1e-3}, {"r": 1e3}],
}
for like in (MBGNBD, BGCNBD, MBGCNBD):
    ODD_PARAMETERS[like] = ODD_PARAMETERS[BGNBD]
ODD = [(model, odd) for model, cases in ODD_PARAMETERS.items() for odd in cases]


@pytest.fixture(scope="module")
def fitted(transaction_model, histories):
    return type(transaction_model)().fit(histories)


def close(one, other, tolerance=1e-8):
    assert one.params_ == pytest.approx(other.params_, rel=tolerance)
    assert one.covariance_ == pytest.approx(other.covariance_, rel=1e-5)


def test_recovers_the_truth_within_its_standard_errors(fitted, transaction_model):
    for name, truth in transaction_model.params_.items():
        distance = np.log(fitted.params_[name] / truth) * fitted.params_[name]
        assert abs(distance) < 4 * fitted.standard_errors_[name]
    assert fitted.unidentified_ == ()


def test_the_estimate_is_a_maximum(fitted, histories):
    at = fitted.log_likelihood(histories)
    assert at == pytest.approx(fitted.log_likelihood_, abs=1e-6)
    for name in fitted.params_:
        for factor in (0.999, 1.001):
            moved = fitted.params_ | {name: fitted.params_[name] * factor}
            moved |= given(type(fitted))
            assert type(fitted).from_params(**moved).log_likelihood(histories) < at


def test_gradient_and_hessian_against_finite_differences(transaction_model, histories):
    data = read_histories(histories.head(300)).in_units_of(30.0)
    function = transaction_model._log_likelihood(data)
    rng = np.random.default_rng(0)
    for _ in range(3):
        theta = rng.normal(0, 0.7, len(transaction_model.parameter_names))
        total = function(theta)
        for i in range(theta.size):
            step = 1e-5 * np.eye(theta.size)[i]
            ahead, behind = function(theta + step), function(theta - step)
            slope = (ahead.value - behind.value) / 2e-5
            curve = (ahead.gradient - behind.gradient) / 2e-5
            assert total.gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-4)
            assert total.hessian[i] == pytest.approx(curve, rel=1e-6, abs=1e-4)


def test_the_log_likelihood_by_rows_is_that_of_the_fit(transaction_model, histories):
    total = transaction_model._log_likelihood(read_histories(histories))(
        np.log(list(transaction_model.params_.values()))
    )
    assert transaction_model.log_likelihood(histories) == pytest.approx(total.value, rel=1e-12)


def test_weights_are_repetitions(transaction_model, histories):
    few = histories.head(400).round({"recency": 0, "T": 0}).assign(weight=2 + np.arange(400) % 3)
    few["recency"] = few[["recency", "T"]].min(axis=1)
    repeated = few.loc[few.index.repeat(few["weight"])].drop(columns="weight")
    model = type(transaction_model)
    by_weight = model(penalty=0.01).fit(few)
    close(by_weight, model(penalty=0.01).fit(repeated))
    close(by_weight, model(penalty=0.01).fit(few.drop(columns="weight"), weights=few["weight"]))


def test_rows_without_weight_do_not_count(fitted, histories):
    twice = pd.concat([histories.assign(weight=1.0), histories.head(99).assign(weight=0.0)])
    close(type(fitted)().fit(twice), fitted)


def test_row_order(fitted, histories):
    close(type(fitted)().fit(histories.sample(frac=1, random_state=1)), fitted)


def test_unit_of_time(fitted, histories):
    days = histories.assign(recency=histories["recency"] * 7, T=histories["T"] * 7)
    in_days = type(fitted)().fit(days)
    for name, value in fitted.params_.items():
        factor = 7 if name in type(fitted).scale_names else 1
        assert in_days.params_[name] == pytest.approx(factor * value, rel=1e-8)
    assert in_days.expected_purchases(days, 700) == pytest.approx(
        fitted.expected_purchases(histories, 100), rel=1e-7
    )


def test_the_penalty_knows_neither_units_nor_numbers(transaction_model, histories):
    model = type(transaction_model)(penalty=0.05)
    weekly = model.fit(histories).params_
    daily = histories.assign(recency=histories["recency"] * 7, T=histories["T"] * 7, weight=50.0)
    many = type(transaction_model)(penalty=0.05).fit(daily).params_
    for name in weekly:
        factor = 7 if name in type(transaction_model).scale_names else 1
        assert many[name] == pytest.approx(factor * weekly[name], rel=1e-7)


def test_any_table(fitted, histories):
    close(type(fitted)().fit(pl.from_pandas(histories)), fitted, 1e-12)
    arrow = pa.Table.from_pandas(histories)
    close(type(fitted)().fit(arrow), fitted, 1e-12)
    assert fitted.expected_purchases(arrow, 10) == pytest.approx(
        fitted.expected_purchases(histories, 10)
    )


def test_a_large_table_is_fitted_as_the_small_one(transaction_model):
    """Above some sizes rows are compressed and a sample is fitted first."""
    T = np.random.default_rng(2).integers(30, 400, 80_000).astype(float)
    daily = transaction_model.resample(pd.DataFrame({"T": T}), random_state=3)
    daily["recency"] = np.ceil(daily["recency"])
    whole = type(transaction_model)().fit(daily)
    columns = ["frequency", "recency", "T"]
    by_history = daily.groupby(columns)
    weight = by_history.size().rename("weight")
    compressed = by_history.mean().join(weight).reset_index()
    close(type(transaction_model)().fit(compressed), whole)
    assert whole.log_likelihood(compressed) == pytest.approx(whole.log_likelihood_, rel=1e-12)


def test_files(fitted, histories):
    text = json.dumps(fitted.to_dict())
    for again in (
        model_from_dict(json.loads(text)),
        type(fitted).from_dict(json.loads(text)),
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
    ):
        assert type(again) is type(fitted)
        assert again.to_dict() == fitted.to_dict()
        assert again.standard_errors_ == fitted.standard_errors_
        assert_close(
            again.expected_purchases(histories, 5), fitted.expected_purchases(histories, 5)
        )
    assert "customer" not in text.replace("n_customers", "")


def test_damaged_files_are_refused(fitted):
    good = fitted.to_dict()
    for bad in (
        {},
        good | {"model": "Other"},
        good | {"schema_version": 999},
        good | {"params": {}},
        good | {"params": {"r": "x"}},
        {key: value for key, value in good.items() if key != "n_customers"},
    ):
        with pytest.raises(ModelFileError):
            model_from_dict(bad)


def test_nothing_is_known_before_a_fit(transaction_model):
    with pytest.raises(NotFittedError, match="call fit"):
        _ = type(transaction_model)().params_
    with pytest.raises(NotFittedError, match="was given its parameters"):
        _ = transaction_model.standard_errors_


# Forecasts


def check_laws(model: TransactionModel, table: pd.DataFrame) -> None:
    alive = model.probability_alive(table)
    expected = model.expected_purchases(table, HORIZONS)
    none = model.probability_no_purchase(table, HORIZONS)
    for values in (alive, expected, none):
        assert np.isfinite(values).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((none >= 0) & (none <= 1)).all()
    assert (expected[:, 0] == 0).all()
    assert (none[:, 0] == 1).all()
    assert (np.diff(expected, axis=1) >= -1e-12 * expected[:, 1:]).all()
    assert (np.diff(none, axis=1) <= 1e-12).all()
    assert (none >= 1 - alive[:, None] - 1e-12).all()
    # Markov: the probability of a purchase is at most the expected number of them.
    assert (1 - none <= expected * (1 + 1e-9) + 1e-12).all()


def test_one_in_a_hundred_who_are_alive_buys_faster_than_her_99_percent_end(transaction_model):
    """Against the true rates of simulated customers, of every age and frequency."""
    process = PROCESSES[type(transaction_model)](**TRUE_PARAMETERS[type(transaction_model)])
    log = simulate_log(process, 60_000, days=60, random_state=8)
    alive = log.customers()["alive"].to_numpy()
    summary, rate = log.summary()[alive], log.traits.rate[alive]
    bought = summary["frequency"].to_numpy()
    for probability in (0.99, 0.5):
        over = rate > transaction_model.purchase_rate_quantile(summary, probability)
        for some in (bought == 0, (bought > 0) & (bought < 4), bought >= 4):
            error = np.sqrt(probability * (1 - probability) / some.sum())
            assert over[some].mean() == pytest.approx(1 - probability, abs=4 * error)


def test_the_shape_of_a_rate_is_that_of_the_true_rates(transaction_model):
    """Mean and spread of the rates of simulated customers who are alive, by history alike."""
    process = PROCESSES[type(transaction_model)](**TRUE_PARAMETERS[type(transaction_model)])
    log = simulate_log(process, 60_000, days=60, acquisition=0, random_state=8)
    alive = log.customers()["alive"].to_numpy()
    summary, rate = log.summary()[alive], log.traits.rate[alive]
    shape = transaction_model.purchase_rate_shape(summary)
    none = (summary["frequency"] == 0).to_numpy()  # of one recency and T
    assert np.ptp(shape[none]) <= 1e-9 * shape[none][0]
    spread = rate[none].std() / rate[none].mean()
    assert shape[none][0] == pytest.approx(1 / spread**2, rel=0.08)


def test_the_rate_that_a_history_bears_bounds_what_is_expected(transaction_model, histories):
    rates = [transaction_model.purchase_rate_quantile(histories, q) for q in (0.0, 0.9, 0.99)]
    assert (rates[0] == 0).all()
    assert (rates[1] < rates[2]).all()
    most = transaction_model.probability_alive(histories) * 30.0 * rates[2]
    assert (transaction_model.expected_purchases(histories, 30.0) < most).all()
    in_weeks = histories.assign(recency=histories["recency"] / 7, T=histories["T"] / 7)
    scaled = {
        name: value / 7 if name in transaction_model.scale_names else value
        for name, value in transaction_model.params_.items()
    }
    slower = type(transaction_model).from_params(**scaled, **given(type(transaction_model)))
    assert slower.purchase_rate_quantile(in_weeks, 0.99) == pytest.approx(7 * rates[2], rel=1e-12)
    with pytest.raises(InvalidValueError, match="probability"):
        transaction_model.purchase_rate_quantile(histories, 1.0)


def test_laws(transaction_model, histories):
    check_laws(transaction_model, histories.head(500))


def test_laws_in_extreme_histories(transaction_model):
    check_laws(transaction_model, EXTREME)


@pytest.mark.parametrize(("model", "odd"), ODD, ids=lambda value: str(value))
def test_laws_at_poles_and_extreme_parameters(model, odd):
    check_laws(model.from_params(**(TRUE_PARAMETERS[model] | odd)), EXTREME)


def test_no_warning_hides_in_extreme_histories(transaction_model):
    with np.errstate(all="raise", under="ignore"):
        transaction_model.expected_purchases(EXTREME, 3650.0)


def test_horizons_at_once_and_one_by_one(transaction_model, histories):
    few = histories.head(50)
    together = transaction_model.expected_purchases(few, [3.0, 30.0])
    for column, horizon in enumerate([3.0, 30.0]):
        alone = transaction_model.expected_purchases(few, horizon)
        assert together[:, column] == pytest.approx(alone, rel=1e-12)


def test_many_rows_are_forecast_as_few(transaction_model, histories):
    many = pd.concat([histories.round(0)] * 2, ignore_index=True)
    many["recency"] = np.where(many["frequency"] > 0, many[["recency", "T"]].min(axis=1), 0.0)
    few = many.iloc[::97]
    for method, argument in (("expected_purchases", 12.0), ("probability_no_purchase", 12.0)):
        of_many = getattr(transaction_model, method)(many, argument)[::97]
        assert of_many == pytest.approx(getattr(transaction_model, method)(few, argument), rel=1e-9)


def test_the_pmf_is_one(transaction_model, histories):
    n = np.arange(600)
    few = histories.head(40)
    pmf = transaction_model.purchase_pmf_given_history(few, n, 12.0)
    assert (pmf >= 0).all()
    assert pmf.sum(axis=1) == pytest.approx(1.0, abs=1e-8)
    assert pmf @ n == pytest.approx(transaction_model.expected_purchases(few, 12.0), rel=1e-7)
    assert pmf[:, 0] == pytest.approx(transaction_model.probability_no_purchase(few, 12.0))
    new = transaction_model.purchase_pmf(n, 20.0)
    assert new.sum() == pytest.approx(1.0, abs=1e-8)
    assert new @ n == pytest.approx(transaction_model.expected_purchases_new_customer(20.0))


def test_simulated_futures_follow_the_pmf(transaction_model):
    table = pd.DataFrame({"frequency": [0, 3, 12], "recency": [0.0, 12.0, 28.0], "T": [30.0] * 3})
    draws = transaction_model.simulate(table, 10.0, 8000, random_state=8)
    assert draws.shape == (3, 8000)
    pmf = transaction_model.purchase_pmf_given_history(table, range(6), 10.0)
    for n in range(6):
        error = np.sqrt(pmf[:, n] * (1 - pmf[:, n]) / 8000)
        assert (np.abs((draws == n).mean(axis=1) - pmf[:, n]) < 5 * error + 1e-9).all()
    same = transaction_model.simulate(table, 10.0, 5, random_state=8)
    np.testing.assert_array_equal(same, transaction_model.simulate(table, 10.0, 5, random_state=8))


def test_drawn_histories_follow_the_model(transaction_model):
    T = np.full(100_000, 20.0)
    drawn = transaction_model.resample(pd.DataFrame({"T": T}), random_state=9)
    assert (drawn["recency"] <= drawn["T"]).all()
    assert ((drawn["frequency"] > 0) == (drawn["recency"] > 0)).all()
    pmf = transaction_model.purchase_pmf(np.arange(6), 20.0)
    shares = [(drawn["frequency"] == n).mean() for n in range(6)]
    assert shares == pytest.approx(pmf, abs=5 * 0.5 / np.sqrt(T.size))
    # Forecasts from the histories average to the curve of new customers.
    later = transaction_model.expected_purchases(drawn, 15.0).mean()
    curve = transaction_model.expected_purchases_new_customer([20.0, 35.0])
    assert later == pytest.approx(curve[1] - curve[0], rel=0.03)


def test_discounted_sums(transaction_model, histories):
    few = histories.head(30)
    ends = np.array([1.0, 2.0, 5.0])
    factors = np.array([0.99, 0.9, 0.5])
    expected = transaction_model.expected_purchases(few, ends)
    by_period = np.diff(expected, axis=1, prepend=0.0)
    value = transaction_model.discounted_expected_purchases(few, ends, factors)
    assert value == pytest.approx(by_period @ factors, rel=1e-10)


def test_dert_is_the_limit_of_discounted_sums(transaction_model, histories):
    few = pd.concat([histories.head(5), EXTREME.iloc[5:7]])
    rate = 0.02
    ends = np.arange(1, 1601) * 0.8
    value = transaction_model.discounted_expected_purchases(few, ends, np.exp(-rate * (ends - 0.4)))
    # midpoints of the periods: a relative error of the order of (0.8 rate)^2 / 24
    assert transaction_model.dert(few, rate) == pytest.approx(value, rel=1e-4)
    assert np.isfinite(transaction_model.dert(EXTREME, 1e-4)).all()
    assert (transaction_model.dert(EXTREME, 1e-4) >= 0).all()


# Uncertainty


def test_intervals(fitted, histories):
    few = histories.head(300)

    def total(model):
        return model.expected_purchases(few, [5.0, 20.0]).sum(axis=0)

    delta = fitted.delta_interval(total, 0.9)
    drawn = fitted.draw_interval(total, 0.9, n_draws=300, random_state=1)
    assert delta.standard_error == pytest.approx(drawn.standard_error, rel=0.15)
    assert delta.lower == pytest.approx(drawn.lower, rel=0.03)
    assert delta.upper == pytest.approx(drawn.upper, rel=0.03)
    of_expectation = fitted.total_purchases(few, 5.0, of_expectation=True)
    of_total = fitted.total_purchases(few, 5.0, random_state=1)
    assert of_expectation.lower == pytest.approx(delta.lower[0])
    assert of_total.lower < of_expectation.lower < of_expectation.upper < of_total.upper


def test_the_interval_of_a_total_covers_what_happens(fitted, histories):
    few = histories.head(300)
    interval = fitted.total_purchases(few, 20.0, 0.9, random_state=2)
    futures = fitted.simulate(few, 20.0, 2000, random_state=3).sum(axis=0)
    inside = ((futures >= interval.lower) & (futures <= interval.upper)).mean()
    assert inside > 0.89


def test_bootstrap_agrees_with_the_standard_errors(fitted):
    few = pd.DataFrame({"T": np.linspace(20, 60, 5000)})
    refits = np.log(fitted.parametric_bootstrap(few, 30, random_state=6))
    drawn = type(fitted)().fit(fitted.resample(few, 7))
    for name, error in drawn.standard_errors_.items():
        # a standard deviation of 30 is itself known to 13 %
        assert refits[name].std() == pytest.approx(error / drawn.params_[name], rel=0.5)


def test_summary_table(fitted):
    table = fitted.summary(0.9)
    assert list(table.index) == list(fitted.params_)
    assert (table["lower_90%"] < table["estimate"]).all()
    assert (table["estimate"] < table["upper_90%"]).all()
    assert fitted.aic_ == pytest.approx(2 * len(table) - 2 * fitted.log_likelihood_)
    assert fitted.bic_ > fitted.aic_
