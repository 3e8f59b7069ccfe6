"""The shifted beta-geometric: published estimates, direct sums, covariates, and extremes."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from clvmodels import ShiftedBetaGeometric, model_from_dict, renewals_table
from clvmodels.core.errors import (
    ConvergenceWarning,
    InvalidValueError,
    MissingColumnError,
    ModelFileError,
    NotFittedError,
)
from clvmodels.simulation.simulate import ContractProcess, simulate_log

# Fader and Hardie (2007), table 1: percent of 1,000 customers left after each year, of which the
# first seven renewals were fitted.
REGULAR = [100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3]
HIGH_END = [100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4]


def known_years(percent):
    return renewals_table(10 * np.array(percent[:8]))


@pytest.fixture(scope="module")
def regular():
    return ShiftedBetaGeometric().fit(known_years(REGULAR))


@pytest.fixture(scope="module")
def plans():
    return pd.concat(
        [
            known_years(percent).assign(high_end=high_end)
            for high_end, percent in enumerate((REGULAR, HIGH_END))
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def by_plan(plans):
    return ShiftedBetaGeometric(covariates="high_end").fit(plans)


@pytest.mark.parametrize(
    ("percent", "alpha", "beta", "value"),
    [(REGULAR, 0.704, 1.182, -1680.3), (HIGH_END, 0.668, 3.806, -1611.2)],
)
def test_the_published_estimates(percent, alpha, beta, value):
    """Fader and Hardie (2007), figures 3 and 4: fitted to years 1 to 7, projected to 12."""
    fitted = ShiftedBetaGeometric().fit(known_years(percent))
    assert fitted.params_ == pytest.approx({"alpha": alpha, "beta": beta}, abs=5e-4)
    assert fitted.log_likelihood_ == pytest.approx(value, abs=0.05)
    # what came in the five years after, which no one had fitted
    later = np.arange(8, 13)
    assert 100 * fitted.survival(later) == pytest.approx(percent[8:], abs=2.0)


def test_the_log_likelihood_by_a_plain_recursion(regular):
    """Equation 7: P(1) = a/(a+b), P(t) = P(t-1) (b+t-2)/(a+b+t-1)."""
    a, b = regular.params_["alpha"], regular.params_["beta"]
    chance = [a / (a + b)]
    for t in range(2, 8):
        chance.append(chance[-1] * (b + t - 2) / (a + b + t - 1))
    left = -np.diff(10 * np.array(REGULAR[:8]))
    value = left @ np.log(chance) + 10 * REGULAR[7] * np.log(1 - sum(chance))
    assert regular.log_likelihood_ == pytest.approx(value, rel=1e-12)
    assert regular.log_likelihood(known_years(REGULAR)) == pytest.approx(value, rel=1e-12)


def test_retention_rises_and_makes_survival(regular):
    rates = regular.retention_rate(np.arange(1, 30))
    assert (np.diff(rates) > 0).all()
    assert np.cumprod(rates) == pytest.approx(regular.survival(np.arange(1, 30)), rel=1e-12)
    assert regular.survival(0) == 1.0
    table = pd.DataFrame({"renewals": [0, 4]})
    assert regular.probability_renewal(table) == pytest.approx(rates[[0, 4]])


def test_what_is_to_come_by_plain_sums(regular):
    table = pd.DataFrame({"renewals": [0, 4, 7], "churned": [0, 0, 1]})
    survival = regular.survival(np.arange(200_001))
    expected = regular.expected_renewals(table, [0, 1, 12])
    for row, made in enumerate((0, 4)):
        to_come = survival[made + 1 :] / survival[made]
        for column, horizon in enumerate((0, 1, 12)):
            assert expected[row, column] == pytest.approx(to_come[:horizon].sum(), rel=1e-10)
        value = to_come[:2000] @ (1 / 1.1 ** np.arange(2000))
        assert regular.derl(table, np.log(1.1))[row] == pytest.approx(value, rel=1e-9)
    assert (expected[2] == 0).all()
    assert regular.derl(table, 0.1)[2] == regular.probability_renewal(table)[2] == 0
    assert regular.expected_remaining_lifetime(table).tolist() == [np.inf, np.inf, 0.0]
    lasting = ShiftedBetaGeometric.from_params(alpha=3.0, beta=4.0)
    survival = lasting.survival(np.arange(200_001))
    whole = survival[5:].sum() / survival[4]
    assert lasting.expected_remaining_lifetime(table)[1] == pytest.approx(whole, rel=1e-6)


def test_nobody_pays_more_often_than_the_contract_allows(regular):
    table = pd.DataFrame({"renewals": [0, 400, 10_000]})
    assert (regular.expected_renewals(table, 12) < 12).all()
    draws = regular.simulate(table, 12, 5000, random_state=1)
    assert draws.max() == 12
    error = draws.std(axis=1) / np.sqrt(5000)
    assert (np.abs(draws.mean(axis=1) - regular.expected_renewals(table, 12)) < 5 * error).all()


# The contract of every model


def test_gradient_and_hessian_against_finite_differences(plans):
    from clvmodels.contracts.likelihood import by_customer, plain
    from clvmodels.contracts.shifted_beta_geometric import _customers
    from clvmodels.core.renewals import read_renewals
    from clvmodels.estimation.covariates import Scaling

    data = read_renewals(plans, covariates=("high_end",), fit=True)
    model = ShiftedBetaGeometric(covariates="high_end")
    design = model._effects.design(_customers(data), Scaling.of(_customers(data)))
    for function, size in ((plain(data), 2), (by_customer(data, design), 4)):
        theta = np.random.default_rng(2).normal(0, 0.5, size)
        total = function(theta)
        for i in range(size):
            step = 1e-5 * np.eye(size)[i]
            ahead, behind = function(theta + step), function(theta - step)
            slope = (ahead.value - behind.value) / 2e-5
            curve = (ahead.gradient - behind.gradient) / 2e-5
            assert total.gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-4)
            assert total.hessian[i] == pytest.approx(curve, rel=1e-6, abs=1e-4)


def test_recovers_the_truth_within_its_standard_errors():
    truth = ShiftedBetaGeometric.from_params(alpha=0.9, beta=3.0)
    opportunities = np.random.default_rng(1).integers(1, 25, 5000)
    drawn = truth.resample(pd.DataFrame({"opportunities": opportunities}), random_state=2)
    assert (drawn["renewals"] + drawn["churned"] <= drawn["opportunities"]).all()
    fitted = ShiftedBetaGeometric().fit(drawn)
    for name, value in truth.params_.items():
        assert abs(fitted.params_[name] - value) < 4 * fitted.standard_errors_[name]
    refits = np.log(fitted.parametric_bootstrap(drawn, 40, random_state=3))
    for name, error in fitted.standard_errors_.items():
        # a standard deviation of 40 is itself known to 11 %
        assert refits[name].std() == pytest.approx(error / fitted.params_[name], rel=0.45)


def test_weights_are_repetitions_and_order_does_not_count(regular):
    table = known_years(REGULAR)
    repeated = table.loc[table.index.repeat(table["weight"].round())].drop(columns="weight")
    for rows in (repeated.sample(frac=1, random_state=1), pl.from_pandas(table)):
        again = ShiftedBetaGeometric().fit(rows)
        assert again.params_ == pytest.approx(regular.params_, rel=1e-8)
        assert again.covariance_ == pytest.approx(regular.covariance_, rel=1e-5)


def test_a_plan_as_covariate_is_a_fit_of_each_plan(by_plan, plans, regular):
    assert by_plan.survival(12, {"high_end": 0}) == pytest.approx(regular.survival(12), rel=1e-6)
    alone = ShiftedBetaGeometric().fit(plans[plans["high_end"] == 1])
    assert by_plan.survival(12, {"high_end": 1}) == pytest.approx(alone.survival(12), rel=1e-6)
    both = regular.log_likelihood_ + alone.log_likelihood_
    assert by_plan.log_likelihood_ == pytest.approx(both, rel=1e-10)
    ratio = by_plan.likelihood_ratio_test(ShiftedBetaGeometric().fit(plans))
    assert ratio.p_value < 1e-10
    with pytest.raises(InvalidValueError, match="unknown covariates plan"):
        by_plan.survival(12, {"plan": 1})


def test_the_origin_and_unit_of_a_covariate_change_nothing(by_plan, plans):
    far = plans.assign(high_end=1e3 * (plans["high_end"] + 2021))
    there = ShiftedBetaGeometric(covariates="high_end").fit(far)
    assert there.log_likelihood_ == pytest.approx(by_plan.log_likelihood_, rel=1e-10)
    assert there.covariate_centre_["high_end"] == pytest.approx(1e3 * 2021.5, rel=1e-9)
    for name in ("alpha:high_end", "beta:high_end"):
        assert 1e3 * there.params_[name] == pytest.approx(by_plan.params_[name], abs=1e-6)
    np.testing.assert_allclose(
        there.expected_renewals(far, 12), by_plan.expected_renewals(plans, 12), rtol=1e-6
    )
    with pytest.warns(ConvergenceWarning, match="do not vary"):
        flat = ShiftedBetaGeometric(covariates="z").fit(plans.assign(z=3.0))
    assert flat.params_["alpha:z"] == 0


def test_files(by_plan, plans, regular):
    for model, rows in ((by_plan, plans), (regular, known_years(REGULAR))):
        text = json.dumps(model.to_dict())
        for again in (
            model_from_dict(json.loads(text)),
            pickle.loads(pickle.dumps(model)),
            copy.deepcopy(model),
        ):
            assert again.to_dict() == model.to_dict()
            assert again.standard_errors_ == model.standard_errors_
            np.testing.assert_array_equal(
                again.expected_renewals(rows, 5), model.expected_renewals(rows, 5)
            )
    with pytest.raises(ModelFileError):
        model_from_dict(by_plan.to_dict() | {"covariate_centre": {}})
    with pytest.raises(NotFittedError, match="call fit"):
        _ = ShiftedBetaGeometric().params_


def test_intervals(regular):
    delta = regular.delta_interval(lambda m: m.survival(12), 0.9)
    drawn = regular.draw_interval(lambda m: m.survival(12), 0.9, 400, random_state=1)
    assert delta.standard_error == pytest.approx(drawn.standard_error, rel=0.1)
    assert delta.lower < 0.173 < delta.upper


@pytest.mark.parametrize(
    ("renewals", "churned"),
    [([0], [0]), ([0], [1]), ([5] * 50, 0), ([0] * 50, 1), ([3] * 50, 1), ([0, 10**6], [1, 0])],
)
def test_every_fit_is_usable(renewals, churned):
    table = pd.DataFrame({"renewals": renewals, "churned": churned})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = ShiftedBetaGeometric().fit(table)
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    assert bool(caught) == bool(fitted.unidentified_)
    assert np.isfinite(list(fitted.params_.values())).all()
    expected = fitted.expected_renewals(table.assign(churned=0), [1, 1000])
    assert np.isfinite(expected).all()
    assert (expected <= [1, 1000]).all()


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"renewals": [1, 1.5], "churned": 0}, InvalidValueError, "renewals must be a whole"),
        ({"renewals": [1, 2], "churned": [0, 2]}, InvalidValueError, "churned must be 0 or 1"),
        ({"renewals": [1, 2]}, MissingColumnError, "churned"),
    ],
)
def test_what_is_no_contract_is_refused(table, error, message):
    with pytest.raises(error, match=message):
        ShiftedBetaGeometric().fit(pd.DataFrame(table))


def test_survivors_do_not_rise():
    for bad in ([100], [100, 101], [100, np.nan], [0, 0], [5, -1]):
        with pytest.raises(InvalidValueError, match="never rise"):
            renewals_table(bad)


def test_a_simulated_log_of_contracts():
    """Payments every 30 days exactly; the log's renewals give back the process."""
    log = simulate_log(ContractProcess(0.9, 4.0), 20_000, days=700, random_state=4)
    gap, same = np.diff(log.day), log.customer[1:] == log.customer[:-1]
    assert gap[same] == pytest.approx(30.0)
    paid = np.bincount(log.customer) - 1
    due = np.ceil((log.days - log.joined) / 30) - 1
    table = pd.DataFrame({"renewals": paid, "churned": (paid < due).astype(int)})
    fitted = ShiftedBetaGeometric().fit(table)
    assert abs(fitted.params_["alpha"] - 0.9) < 4 * fitted.standard_errors_["alpha"]
    assert abs(fitted.params_["beta"] - 4.0) < 4 * fitted.standard_errors_["beta"]
    assert (log.customers()["alive"] == (table["churned"] == 0)).all()
