"""The shrinkage engine against closed forms, a slow oracle and known effects."""

import numpy as np
import pytest
from scipy import optimize

from clvmodels.core.errors import InvalidValueError
from clvmodels.numerics import loglinear
from clvmodels.numerics.loglinear import Fixed, Shrunk, fit_loglinear


def ones(n):
    return Fixed("level", np.ones((n, 1)))


def groups(k, each):
    return np.repeat(np.arange(k), each), np.kron(np.eye(k), np.ones((each, 1)))


def test_one_mean_is_the_ratio_of_sums():
    response, offset = np.array([3.0, 9.0, 30.0]), np.log([1.0, 4.0, 16.0])
    fit = fit_loglinear(response, offset, [ones(3)], phi=1.0)
    # The weak prior on the level leaves 1e-3.
    assert np.exp(fit.coefficients[0]) == pytest.approx(42 / 21, rel=2e-3)


def test_given_variances_the_mode_is_that_of_a_general_optimiser():
    rng = np.random.default_rng(0)
    n = 40
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = rng.poisson(np.exp(1.0 + 0.4 * X[:, 1])).astype(float)
    blocks = [ones(n), Fixed("slope", X[:, 1:], mean=0.1, sd=0.2)]
    fit = fit_loglinear(y, np.zeros(n), blocks, phi=1.0)

    level = np.log((y.sum() + 0.5) / n)

    def negative_log_posterior(b):
        mu = np.exp(X @ b)
        poisson = (y * np.log(mu / (1 + fit.kappa * mu)) if fit.kappa else y * np.log(mu)) - (
            np.log1p(fit.kappa * mu) / fit.kappa if fit.kappa else mu
        )
        prior = 0.5 * 1e-2 * (b[0] - level) ** 2 + 0.5 * ((b[1] - 0.1) / 0.2) ** 2
        return -poisson.sum() + prior

    best = optimize.minimize(negative_log_posterior, np.zeros(2), tol=1e-12)
    np.testing.assert_allclose(fit.coefficients, best.x, atol=1e-4)


@pytest.mark.parametrize("sd", [0.05, 0.2, 0.5])
def test_the_spread_of_group_effects_is_learned(sd):
    rng = np.random.default_rng(1)
    group, indicators = groups(100, 5)
    effects = rng.normal(0, sd, 100)
    y = rng.poisson(200 * np.exp(effects[group])).astype(float)
    blocks = [ones(y.size), Shrunk("group", indicators, 0.2, 4.0)]
    fit = fit_loglinear(y, np.full(y.size, np.log(200.0)), blocks, phi=1.0)
    assert fit.sds["group"] == pytest.approx(sd, rel=0.25, abs=0.025)
    error = fit.block("group") - (effects - effects.mean())
    assert np.sqrt(np.mean(error**2)) < min(0.05, sd)


def test_effects_that_are_not_there_shrink_away():
    rng = np.random.default_rng(2)
    _, indicators = groups(50, 4)
    y = rng.poisson(20.0, 200).astype(float)
    blocks = [ones(200), Shrunk("group", indicators, 0.2, 4.0)]
    fit = fit_loglinear(y, np.full(200, np.log(20.0)), blocks, phi=1.0)
    raw = np.log(y.reshape(50, 4).mean(axis=1) / 20)
    assert np.abs(fit.block("group")).mean() < 0.7 * np.abs(raw).mean()


def test_dispersion_is_learned_and_one_huge_order_does_not_decide_it():
    rng = np.random.default_rng(3)
    mu = np.exp(rng.uniform(3, 6, 800))
    y = rng.gamma(mu / 5.0, 5.0)
    fit = fit_loglinear(y, np.log(mu), [ones(800)])
    assert fit.phi == pytest.approx(5.0, rel=0.35)
    y[0] += 40 * mu.max()
    assert fit_loglinear(y, np.log(mu), [ones(800)]).phi < 20


def test_extra_variance_of_counts_is_learned():
    rng = np.random.default_rng(4)
    y = rng.poisson(300 * rng.gamma(1 / 0.02, 0.02, 1500)).astype(float)
    fit = fit_loglinear(y, np.full(1500, np.log(300.0)), [ones(1500)], phi=1.0)
    assert fit.kappa == pytest.approx(0.02, rel=0.2)


def test_posterior_errors_match_the_scatter_over_repetitions():
    estimates, errors = [], []
    x = np.linspace(-1, 1, 60)[:, None]
    for seed in range(200):
        y = np.random.default_rng(seed).poisson(np.exp(3 + 0.5 * x[:, 0])).astype(float)
        fit = fit_loglinear(y, np.zeros(60), [ones(60), Fixed("slope", x)], phi=1.0)
        estimates.append(fit.block("slope")[0])
        errors.append(fit.standard_errors("slope")[0])
    assert np.std(estimates) == pytest.approx(np.mean(errors), rel=0.2)


def test_nothing_bought_stays_finite():
    fit = fit_loglinear(np.zeros(10), np.full(10, np.log(1e4)), [ones(10)], phi=1.0)
    assert np.exp(fit.coefficients[0]) * 1e5 < 1.0


@pytest.mark.parametrize("bad", [[-1.0, 2.0], [np.nan, 1.0]])
def test_impossible_responses_are_refused(bad):
    with pytest.raises(InvalidValueError, match="log-linear"):
        fit_loglinear(np.array(bad), np.zeros(2), [ones(2)])


def test_a_fit_that_stops_at_its_round_limit_says_so(monkeypatch):
    rng = np.random.default_rng(5)
    group, design = groups(20, 10)
    y = rng.poisson(np.exp(2 + rng.normal(0, 0.5, 20))[group]).astype(float)
    blocks = [ones(200), Shrunk("group", design, 0.3, 4.0)]
    assert fit_loglinear(y, np.zeros(200), blocks, phi=1.0).converged
    monkeypatch.setattr(loglinear, "MOST_ROUNDS", 2)
    assert not fit_loglinear(y, np.zeros(200), blocks, phi=1.0).converged


def test_more_variance_than_the_most_is_cut_there():
    y = np.array([0.0] * 99 + [1e6])
    fit = fit_loglinear(y, np.zeros(100), [ones(100)], phi=1.0)
    assert fit.kappa <= 4.0
