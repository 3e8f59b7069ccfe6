"""Gamma-Gamma: the same contract as the transaction models, and the corner where q <= 1."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from closeness import assert_close
from scipy import integrate, stats

from clvmodels import GammaGamma, model_from_dict
from clvmodels.core.errors import ConvergenceWarning, DataError, InvalidValueError
from clvmodels.core.summaries import read_spends
from clvmodels.spend.likelihood import log_likelihood

TRUE = {"p": 6.25, "q": 3.74, "v": 15.44}


@pytest.fixture(scope="module")
def fitted(spends):
    return GammaGamma().fit(spends)


def test_recovers_the_truth_within_its_standard_errors(fitted):
    for name, truth in TRUE.items():
        assert abs(fitted.params_[name] - truth) < 4 * fitted.standard_errors_[name]


def test_likelihood_against_the_mixture_integral():
    """The mean of x Gamma(p, nu) values is Gamma(p x, nu x); nu is Gamma(q, v)."""
    p, q, v = TRUE.values()
    for x, m in ((1, 30.0), (4, 80.0)):
        density, _ = integrate.quad(
            lambda nu, x=x, m=m: (
                stats.gamma.pdf(m, p * x, scale=1 / (nu * x)) * stats.gamma.pdf(nu, q, scale=1 / v)
            ),
            0,
            5,
            epsabs=1e-14,
        )
        row = pd.DataFrame({"frequency": [x], "monetary_value": [m]})
        total = log_likelihood(read_spends(row, fit=True))(np.log([p, q, v]))
        assert total.value == pytest.approx(np.log(density), rel=1e-8)


def test_gradient_and_hessian_against_finite_differences(spends):
    function = log_likelihood(read_spends(spends.head(200), fit=True))
    rng = np.random.default_rng(0)
    for _ in range(3):
        theta = rng.normal(0.5, 0.7, 3)
        total = function(theta)
        for i in range(3):
            step = 1e-5 * np.eye(3)[i]
            ahead, behind = function(theta + step), function(theta - step)
            slope = (ahead.value - behind.value) / 2e-5
            curve = (ahead.gradient - behind.gradient) / 2e-5
            assert total.gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-3)
            assert total.hessian[i] == pytest.approx(curve, rel=1e-6, abs=1e-3)


def test_unit_of_currency(fitted, spends):
    pence = spends.assign(monetary_value=spends["monetary_value"] * 100)
    other = GammaGamma().fit(pence)
    assert other.params_["p"] == pytest.approx(fitted.params_["p"], rel=1e-8)
    assert other.params_["q"] == pytest.approx(fitted.params_["q"], rel=1e-8)
    assert other.params_["v"] == pytest.approx(100 * fitted.params_["v"], rel=1e-8)
    assert other.log_likelihood_ == pytest.approx(
        fitted.log_likelihood_ - len(spends) * np.log(100)
    )


def test_weights_order_and_kind_of_table(fitted, spends):
    weighted = spends.groupby(list(spends)).size().rename("weight").reset_index()
    shuffled = pl.from_pandas(weighted.sample(frac=1, random_state=1))
    assert GammaGamma().fit(shuffled).params_ == pytest.approx(fitted.params_, rel=1e-8)
    doubled = GammaGamma().fit(spends, weights=np.full(len(spends), 2.0))
    assert doubled.params_ == pytest.approx(fitted.params_, rel=1e-8)
    assert doubled.log_likelihood_ == pytest.approx(2 * fitted.log_likelihood_)


def test_a_large_table_is_fitted_from_a_sample_to_the_same_maximum(spends):
    many = pd.concat([spends] * 20, ignore_index=True)
    assert GammaGamma().fit(many).params_ == pytest.approx(
        GammaGamma().fit(spends).params_, rel=1e-8
    )


def test_customers_without_repeat_purchases_are_left_out(fitted, spends):
    silent = pd.DataFrame({"frequency": [0, 0], "monetary_value": [np.nan, 0.0]})
    assert GammaGamma().fit(pd.concat([spends, silent])).params_ == pytest.approx(fitted.params_)
    spend = fitted.expected_spend(silent)
    assert spend == pytest.approx([fitted.mean_spend_] * 2)


def test_expected_spend_is_the_posterior_mean(fitted):
    p, q, v = fitted.params_.values()
    x, m = 3, 70.0
    row = pd.DataFrame({"frequency": [x], "monetary_value": [m]})
    posterior = stats.gamma(p * x + q, scale=1 / (v + x * m))
    mean, _ = integrate.quad(lambda nu: p / nu * posterior.pdf(nu), 0, 3, epsabs=1e-12)
    assert fitted.expected_spend(row)[0] == pytest.approx(mean, rel=1e-7)
    between = posterior.expect(lambda nu: (p / nu) ** 2) / mean**2 - 1
    assert fitted.variation(row)[1][0] ** 2 == pytest.approx(between, rel=1e-5)


def test_shrinkage(fitted):
    table = pd.DataFrame({"frequency": [1, 5, 50], "monetary_value": [100.0] * 3})
    spend = fitted.expected_spend(table)
    assert fitted.mean_spend_ < spend[0] < spend[1] < spend[2] < 100


@pytest.mark.parametrize("q", [1e-3, 0.5, 1.0])
def test_without_a_finite_mean_spend_is_shrunken_and_finite(q):
    model = GammaGamma.from_params(p=0.5, q=q, v=10.0)
    table = pd.DataFrame({"frequency": [0, 1, 10_000], "monetary_value": [0.0, 20.0, 20.0]})
    with pytest.warns(UserWarning, match="no finite mean"):
        spend = model.expected_spend(table)
    assert np.isfinite(spend).all()
    assert (spend > 0).all()
    assert spend[2] == pytest.approx(20.0, rel=1e-2)


@pytest.mark.parametrize("q", [0.7, 1.0, 1.3])
def test_tails_too_heavy_for_a_mean_are_fitted_all_the_same(q):
    truth = GammaGamma.from_params(p=2.0, q=q, v=10.0)
    drawn = truth.resample(pd.DataFrame({"frequency": 1 + np.arange(3000) % 3}), random_state=1)
    model = GammaGamma().fit(drawn)
    for name, (low, high) in model.confidence_intervals(0.999).items():
        assert low < truth.params_[name] < high


@pytest.mark.parametrize("rows", [1, 100])
def test_customers_who_are_alike(rows):
    table = pd.DataFrame({"frequency": [3] * rows, "monetary_value": [20.0] * rows})
    with pytest.warns(ConvergenceWarning, match="do not identify p, q"):
        model = GammaGamma().fit(table)
    assert model.expected_spend(table)[0] == pytest.approx(20.0, rel=0.1)
    assert np.isfinite(list(model.standard_errors_.values())).all()


def test_simulated_totals(fitted):
    table = pd.DataFrame({"frequency": [0, 4], "monetary_value": [0.0, 60.0]})
    purchases = np.full((2, 50_000), 3)
    purchases[:, :10] = 0
    total = fitted.simulate(table, purchases, random_state=1)
    assert (total[:, :10] == 0).all()
    mean = total[:, 10:].mean(axis=1)
    assert mean == pytest.approx(3 * fitted.expected_spend(table), rel=0.03)
    with pytest.raises(InvalidValueError, match="one row"):
        fitted.simulate(table, [1, 2])


def test_bootstrap_agrees_with_the_standard_errors(fitted):
    few = pd.DataFrame({"frequency": np.arange(2000) % 5})
    refits = np.log(fitted.parametric_bootstrap(few, 40, random_state=6))
    drawn = GammaGamma().fit(fitted.resample(few, 7))
    assert drawn.n_customers_ == 1600
    for name, error in drawn.standard_errors_.items():
        assert refits[name].std() == pytest.approx(error / drawn.params_[name], rel=0.5)


def test_files(fitted, spends):
    again = model_from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.to_dict() == fitted.to_dict()
    same = pickle.loads(pickle.dumps(fitted))
    assert_close(same.expected_spend(spends), fitted.expected_spend(spends))


def test_unusable_values_are_refused_with_their_rows():
    table = pd.DataFrame({"frequency": [1, 2], "monetary_value": [10.0, -5.0]})
    with pytest.raises(InvalidValueError, match="row 1: frequency 2, monetary_value -5"):
        GammaGamma().fit(table)
    with pytest.raises(InvalidValueError, match="must be positive"):
        GammaGamma().fit(table.assign(monetary_value=[10.0, 0.0]))
    with pytest.raises(DataError, match="repeat purchases"):
        GammaGamma().fit(table.assign(frequency=0))
