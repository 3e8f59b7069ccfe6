"""Static covariates: recovery, standard errors, the likelihood-ratio test, the limits."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close
from true_parameters import TRUE_PARAMETERS

from clvmodels import BGNBD, MBGNBD, NBD, ParetoNBD, model_from_dict
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError, MissingColumnError
from clvmodels.core.summaries import read_histories
from clvmodels.estimation.covariates import Scaling

SETTINGS = {
    BGNBD: {"purchase_covariates": ("age", "online"), "dropout_covariates": ("online",)},
    MBGNBD: {"purchase_covariates": ("age", "online"), "dropout_covariates": ("online",)},
    ParetoNBD: {"purchase_covariates": ("age", "online"), "dropout_covariates": ("online",)},
    NBD: {"purchase_covariates": ("age", "online")},
}
EFFECTS = {
    "purchase:age": 0.1,
    "purchase:online": -0.3,
    "dropout_a:online": 0.5,
    "dropout_b:online": -0.2,
    "dropout:online": 0.5,
}


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda model: model.__name__)
def truth(request):
    model = request.param(**SETTINGS[request.param])
    names = model._effects.names
    description = request.param.from_params(**TRUE_PARAMETERS[request.param]).to_dict()
    description["settings"] = model.get_params()
    description["params"] |= {name: EFFECTS[name] for name in names}
    return request.param.from_dict(description)


@pytest.fixture(scope="module")
def drawn(truth):
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "T": rng.uniform(5, 50, 8000),
            "age": rng.normal(4, 1.5, 8000),
            "online": rng.integers(0, 2, 8000),
        }
    )
    return truth.resample(table, random_state=1)


@pytest.fixture(scope="module")
def fitted(truth, drawn):
    return type(truth)(**truth.get_params()).fit(drawn)


def test_recovers_the_truth_within_its_standard_errors(truth, fitted):
    assert list(fitted.params_) == list(truth.params_)
    at_centre = {name: np.array([mean]) for name, mean in fitted.covariate_centre_.items()}
    stated = truth.params_ | truth._effects.natural(truth.params_, at_centre, truth._scaling)
    for name, value in stated.items():
        assert abs(fitted.params_[name] - value) < 4 * fitted.standard_errors_[name], name


def test_gradient_and_hessian_against_finite_differences(truth, drawn):
    data = read_histories(drawn.head(200), covariates=truth._effects.columns)
    design = truth._effects.design(data, Scaling.of(data))
    theta = np.random.default_rng(0).normal(0, 0.4, len(truth.params_))
    total = truth._total_by_row(data, design, theta)
    for i in range(theta.size):
        step = 1e-5 * np.eye(theta.size)[i]
        ahead = truth._total_by_row(data, design, theta + step)
        behind = truth._total_by_row(data, design, theta - step)
        slope = (ahead.value - behind.value) / 2e-5
        curve = (ahead.gradient - behind.gradient) / 2e-5
        assert total.gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-4)
        assert total.hessian[i] == pytest.approx(curve, rel=1e-6, abs=1e-4)


def test_the_log_likelihood_is_the_sum_over_groups(truth, drawn):
    """A customer with covariates is one of the plain model with parameters of her own."""
    plain = type(truth)
    group = drawn[drawn["online"] == 1].assign(age=4.0)
    p = truth.params_
    scale = np.exp(p["purchase:age"] * 4 + p["purchase:online"])
    own = {name: p[name] for name in plain.parameter_names}
    own["alpha"] /= scale
    for name in ("a", "b"):
        if name in own:
            own[name] *= np.exp(p[f"dropout_{name}:online"])
    if "beta" in own:
        own["beta"] /= np.exp(p["dropout:online"])
    alike = plain.from_params(**own)
    assert truth.log_likelihood(group) == pytest.approx(alike.log_likelihood(group), rel=1e-12)
    few = group.head(100)
    for method in ("probability_alive", "expected_purchases", "probability_no_purchase", "dert"):
        arguments = {"probability_alive": (), "dert": (0.02,)}.get(method, ([5.0, 50.0],))
        assert getattr(truth, method)(few, *arguments) == pytest.approx(
            getattr(alike, method)(few, *arguments), rel=1e-10
        )
    assert truth.purchase_rate_quantile(few, 0.99) == pytest.approx(
        alike.purchase_rate_quantile(few, 0.99), rel=1e-12
    )
    new = truth.expected_purchases_new_customer(9.0, {"age": 4.0, "online": 1.0})
    assert new == pytest.approx(alike.expected_purchases_new_customer(9.0))


def test_covariates_that_do_not_vary_give_the_plain_fit_exactly(truth, drawn):
    flat = drawn.assign(age=0.0, online=0.0)
    plain = type(truth)().fit(flat)
    with pytest.warns(ConvergenceWarning, match="do not vary"):
        with_covariates = type(truth)(**truth.get_params()).fit(flat)
    for name, value in plain.params_.items():
        assert with_covariates.params_[name] == pytest.approx(value)
    assert with_covariates.log_likelihood_ == pytest.approx(plain.log_likelihood_)
    assert all(with_covariates.params_[name] == 0 for name in truth._effects.names)
    few = flat.head(50)
    np.testing.assert_allclose(
        with_covariates.expected_purchases(few, 9.0), plain.expected_purchases(few, 9.0), rtol=1e-13
    )


def test_the_scale_of_a_covariate_does_not_matter(fitted, drawn):
    other = type(fitted)(**fitted.get_params()).fit(drawn.assign(age=1000 * drawn["age"] + 7))
    assert other.log_likelihood_ == pytest.approx(fitted.log_likelihood_, abs=1e-6)
    name = "purchase:age"
    assert 1000 * other.params_[name] == pytest.approx(fitted.params_[name], rel=1e-6)
    assert 1000 * other.standard_errors_[name] == pytest.approx(
        fitted.standard_errors_[name], rel=1e-5
    )


def test_likelihood_ratio_test(fitted, drawn):
    plain = type(fitted)().fit(drawn)
    test = fitted.likelihood_ratio_test(plain)
    assert test.degrees_of_freedom == len(fitted.params_) - len(plain.params_)
    assert test.statistic == pytest.approx(2 * (fitted.log_likelihood_ - plain.log_likelihood_))
    assert test.p_value < 1e-6
    noise = drawn.assign(noise=np.random.default_rng(1).normal(size=len(drawn)))
    with_noise = type(fitted)(purchase_covariates=("noise",)).fit(noise)
    assert with_noise.likelihood_ratio_test(plain).p_value > 1e-3
    with pytest.raises(InvalidValueError, match="fewer covariates"):
        plain.likelihood_ratio_test(fitted)
    with pytest.raises(InvalidValueError, match="same customers"):
        fitted.likelihood_ratio_test(type(fitted)().fit(drawn.head(500)))


def test_covariates_are_asked_for_by_name(fitted, drawn):
    with pytest.raises(MissingColumnError, match="age"):
        fitted.expected_purchases(drawn.drop(columns="age"), 5.0)
    with pytest.raises(InvalidValueError, match="unknown covariates height"):
        fitted.expected_purchases_new_customer(5.0, {"height": 1.0})
    with pytest.raises(InvalidValueError, match="named once"):
        type(fitted)(purchase_covariates=("age", "age")).fit(drawn)


def test_a_large_table_is_fitted_from_a_sample_to_the_same_maximum(fitted, drawn):
    many = pd.concat([drawn] * 8, ignore_index=True)
    assert type(fitted)(**fitted.get_params()).fit(many).params_ == pytest.approx(
        fitted.params_, rel=1e-6
    )


def test_files_and_draws(fitted, drawn):
    again = model_from_dict(json.loads(json.dumps(fitted.to_dict())))
    few = drawn.head(20)
    assert_close(again.expected_purchases(few, 5.0), fitted.expected_purchases(few, 5.0))
    assert fitted.simulate(few, 5.0, 3, random_state=1).shape == (20, 3)
    assert len(fitted.parameter_draws(4, random_state=1)) == 4
