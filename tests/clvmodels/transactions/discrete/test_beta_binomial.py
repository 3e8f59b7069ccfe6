"""BG/BB: published estimates, lifetimes' own fit, a direct sum, and the laws of every model."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from lifetimes import BetaGeoBetaBinomFitter
from lifetimes.datasets import load_donations
from scipy import integrate
from scipy.special import betaln, comb

from clvmodels import BGBB, model_from_dict
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError, ModelFileError
from clvmodels.core.summaries import read_histories

TRUTH = {"alpha": 1.2, "beta": 0.8, "gamma": 0.7, "delta": 2.8}


@pytest.fixture(scope="module")
def donations():
    return load_donations().rename(columns={"periods": "T", "weights": "weight"})


@pytest.fixture(scope="module")
def published(donations):
    return BGBB().fit(donations)


@pytest.fixture(scope="module")
def known():
    return BGBB.from_params(**TRUTH)


@pytest.fixture(scope="module")
def histories(known):
    T = np.random.default_rng(3).integers(3, 13, 6000).astype(float)
    return known.resample(pd.DataFrame({"T": T}), random_state=4)


@pytest.fixture(scope="module")
def fitted(histories):
    return BGBB().fit(histories)


def test_the_published_estimates(published):
    """Fader, Hardie and Shang (2010), table 2: 11,104 donors of 1995, six later years."""
    estimates = {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}
    assert published.params_ == pytest.approx(estimates, abs=5e-4)
    assert published.log_likelihood_ == pytest.approx(-33225.6, abs=0.05)


def test_lifetimes_finds_the_same(published, donations):
    d = donations
    reference = BetaGeoBetaBinomFitter().fit(d["frequency"], d["recency"], d["T"], d["weight"])
    assert dict(reference.params_) == pytest.approx(published.params_, rel=1e-4)
    assert dict(reference.standard_errors_) == pytest.approx(published.standard_errors_, rel=1e-3)
    history = d["frequency"], d["recency"], d["T"]
    alive = reference.conditional_probability_alive(0, *history)
    np.testing.assert_allclose(published.probability_alive(d), alive, rtol=2e-4)
    made = reference.conditional_expected_number_of_purchases_up_to_time(5, *history)
    np.testing.assert_allclose(published.expected_purchases(d, 5), made, rtol=2e-4)


@pytest.mark.parametrize(
    ("x", "last", "n"), [(0, 0, 6), (1, 1, 6), (3, 4, 6), (6, 6, 6), (0, 0, 0)]
)
def test_a_likelihood_by_integration_over_buying_and_leaving(known, x, last, n):
    alpha, beta, gamma, delta = TRUTH.values()

    def of_customer(theta, p):
        stays = (1 - theta) ** n * p**x * (1 - p) ** (n - x)
        gone = sum(
            theta * (1 - theta) ** seen * p**x * (1 - p) ** (seen - x) for seen in range(last, n)
        )
        mixing = p ** (alpha - 1) * (1 - p) ** (beta - 1) * theta ** (gamma - 1)
        return (stays + gone) * mixing * (1 - theta) ** (delta - 1)

    value, _ = integrate.dblquad(of_customer, 0, 1, 0, 1, epsabs=1e-9)
    value /= np.exp(betaln(alpha, beta) + betaln(gamma, delta))
    row = pd.DataFrame({"frequency": [x], "recency": [last], "T": [n]})
    assert known.log_likelihood(row) == pytest.approx(np.log(value), abs=2e-5)


def test_gradient_and_hessian_against_finite_differences(known, histories):
    function = known._log_likelihood(read_histories(histories.head(300)))
    for seed in range(3):
        theta = np.random.default_rng(seed).normal(0, 0.7, 4)
        total = function(theta)
        for i in range(4):
            step = 1e-5 * np.eye(4)[i]
            ahead, behind = function(theta + step), function(theta - step)
            slope = (ahead.value - behind.value) / 2e-5
            assert total.gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-4)
            curve = (ahead.gradient - behind.gradient) / 2e-5
            assert total.hessian[i] == pytest.approx(curve, rel=1e-6, abs=1e-4)


def test_recovers_the_truth_within_its_standard_errors(fitted, histories):
    for name, truth in TRUTH.items():
        distance = np.log(fitted.params_[name] / truth) * fitted.params_[name]
        assert abs(distance) < 4 * fitted.standard_errors_[name]
    assert fitted.unidentified_ == ()
    assert fitted.log_likelihood(histories) == pytest.approx(fitted.log_likelihood_, rel=1e-12)


def test_weights_are_repetitions_and_order_does_not_count(fitted, histories):
    compressed = histories.groupby(list(histories)).size().rename("weight").reset_index()
    for table in (compressed, histories.sample(frac=1, random_state=1)):
        again = BGBB().fit(table)
        assert again.params_ == pytest.approx(fitted.params_, rel=1e-8)
        assert again.covariance_ == pytest.approx(fitted.covariance_, rel=1e-5)


def test_files(fitted, histories):
    text = json.dumps(fitted.to_dict())
    for again in (
        model_from_dict(json.loads(text)),
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
    ):
        assert again.to_dict() == fitted.to_dict()
        assert again.standard_errors_ == fitted.standard_errors_
    with pytest.raises(ModelFileError):
        model_from_dict(fitted.to_dict() | {"params": {}})
    assert "customer" not in text.replace("n_customers", "")


# Forecasts


def test_the_pmf_is_one_and_its_mean_expected(known, histories):
    n, few = np.arange(13), histories.head(60)
    pmf = known.purchase_pmf_given_history(few, n, 12)
    assert pmf.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert pmf @ n == pytest.approx(known.expected_purchases(few, 12), rel=1e-9)
    assert pmf[:, 0] == pytest.approx(known.probability_no_purchase(few, 12))
    new = known.purchase_pmf(n, 6)
    # equation 8 of the paper, as it stands
    alpha, beta, gamma, delta = TRUTH.values()
    by_hand = [
        comb(6, x) * np.exp(betaln(alpha + x, beta + 6 - x) + betaln(gamma, delta + 6))
        + sum(
            comb(i, x) * np.exp(betaln(alpha + x, beta + i - x) + betaln(gamma + 1, delta + i))
            for i in range(x, 6)
        )
        for x in range(7)
    ]
    scale = np.exp(betaln(alpha, beta) + betaln(gamma, delta))
    assert new[:7] == pytest.approx(np.array(by_hand) / scale, rel=1e-10)


def test_simulated_futures_and_drawn_histories(known):
    table = pd.DataFrame({"frequency": [0, 3, 6], "recency": [0, 4, 6], "T": [6, 6, 6]})
    draws = known.simulate(table, 5, 20_000, random_state=8)
    pmf = known.purchase_pmf_given_history(table, range(6), 5)
    for n in range(6):
        error = np.sqrt(pmf[:, n] * (1 - pmf[:, n]) / 20_000)
        assert (np.abs((draws == n).mean(axis=1) - pmf[:, n]) < 5 * error + 1e-9).all()
    drawn = known.resample(pd.DataFrame({"T": np.full(50_000, 6)}), random_state=9)
    shares = [(drawn["frequency"] == n).mean() for n in range(7)]
    assert shares == pytest.approx(known.purchase_pmf(np.arange(7), 6), abs=0.01)
    later = known.expected_purchases(drawn, 4).mean()
    curve = known.expected_purchases_new_customer([6, 10])
    assert later == pytest.approx(curve[1] - curve[0], rel=0.02)


def test_dert_is_the_limit_of_discounted_sums(known, histories):
    few, ends = histories.head(20), np.arange(1, 3001)
    value = known.discounted_expected_purchases(few, ends, np.exp(-0.05 * ends))
    assert known.dert(few, 0.05) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("gamma", [1e-3, 0.5, 1.0, 1 + 1e-7, 1 + 2e-4, 3.0, 1e3])
def test_expected_purchases_by_a_plain_sum(gamma):
    model = BGBB.from_params(**TRUTH | {"gamma": gamma})
    row = pd.DataFrame({"frequency": [3], "recency": [5], "T": [7]})
    stays = np.cumprod((2.8 + 7 + np.arange(50)) / (gamma + 2.8 + 7 + np.arange(50)))
    buys = (1.2 + 3) / (1.2 + 0.8 + 7)
    for t in (0, 1, 50):
        expected = model.probability_alive(row) * buys * stays[:t].sum()
        assert model.expected_purchases(row, t) == pytest.approx(expected, rel=1e-9)


def test_laws(known, fitted, histories):
    for model in (known, fitted):
        alive = model.probability_alive(histories)
        assert ((alive > 0) & (alive <= 1)).all()
        assert alive[histories["recency"] == histories["T"]] == pytest.approx(1.0)
        expected = model.expected_purchases(histories, [0, 1, 10, 100])
        assert (expected[:, 0] == 0).all()
        assert (np.diff(expected, axis=1) > 0).all()
        assert (expected <= alive[:, None] * [0, 1, 10, 100]).all()
        low, high = (model.purchase_rate_quantile(histories, q) for q in (0.5, 0.99))
        assert ((low < high) & (high < 1)).all()


def test_covariates_know_no_origin(known, histories):
    z = np.random.default_rng(1).normal(size=len(histories)) + 0.2 * histories["frequency"]
    settings = {"purchase_covariates": "z", "dropout_covariates": "z"}
    here = BGBB(**settings).fit(histories.assign(z=z))
    far = histories.assign(z=1e3 * (z + 2021))
    there = BGBB(**settings).fit(far)
    assert here.params_["purchase:z"] > 4 * here.standard_errors_["purchase:z"]
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, rel=1e-10)
    assert 1e3 * there.params_["purchase:z"] == pytest.approx(here.params_["purchase:z"], rel=1e-4)
    np.testing.assert_allclose(
        there.expected_purchases(far, 5),
        here.expected_purchases(histories.assign(z=z), 5),
        rtol=1e-6,
    )


def histories_of(frequency, recency, T):
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T})


@pytest.mark.parametrize(
    "table",
    [
        histories_of([0] * 50, 0, 6),
        histories_of([0], [0], [10]),
        histories_of([3], [9], [10]),
        histories_of([6] * 50, 6, 6),
        histories_of([2] * 50, 4, 6),
        histories_of([0] * 5, 0, 0),
        histories_of([1000, 3, 0], [2000, 3, 0], 2000),
    ],
)
def test_every_fit_is_usable(table):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = BGBB().fit(table)
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    assert bool(caught) == bool(fitted.unidentified_)
    assert np.isfinite(list(fitted.params_.values())).all()
    expected = fitted.expected_purchases(table, [1, 365])
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()


def test_days_are_no_occasions(known):
    for row, message in (
        ((3, 2, 9), "at most one purchase at an occasion.*row 0: frequency 3, recency 2"),
        ((1, 1.5, 9), "whole numbers.*found 1.5"),
        ((1, 1, 9.25), "whole numbers.*found 9.25"),
    ):
        table = histories_of(*[[value] for value in row])
        for ask in (BGBB().fit, known.probability_alive):
            with pytest.raises(InvalidValueError, match=message):
                ask(table)
    with pytest.raises(InvalidValueError, match=r"found 2\.5"):
        known.expected_purchases(histories_of([1], [1], [9]), 2.5)
