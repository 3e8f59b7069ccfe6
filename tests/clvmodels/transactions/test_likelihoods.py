"""The likelihoods as the papers print them, and their gradients by complex step."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.special import loggamma
from true_parameters import HISTORIES, TRUE_PARAMETERS

from clvmodels import BGNBD, MBGNBD, NBD, ParetoNBD
from clvmodels.core.summaries import read_histories

GAUSS = np.polynomial.legendre.leggauss(200)


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def bgnbd(theta, x, recency, T):
    """Fader, Hardie & Lee (2005), equation (6)."""
    r, alpha, a, b = np.exp(theta)
    alive = (alpha + T) ** -(r + x)
    left = a / (b + x - 1) * (alpha + recency) ** -(r + x) if x > 0 else 0.0
    dropout = log_beta(a, b + x) - log_beta(a, b)
    return dropout + loggamma(r + x) - loggamma(r) + r * np.log(alpha) + np.log(alive + left)


def mbgnbd(theta, x, recency, T):
    """Batislam, Denizel & Filiztekin (2007), in the arrangement of the BG/NBD's."""
    r, alpha, a, b = np.exp(theta)
    alive = (alpha + T) ** -(r + x)
    left = a / (b + x) * (alpha + recency) ** -(r + x)
    dropout = log_beta(a, b + x + 1) - log_beta(a, b)
    return dropout + loggamma(r + x) - loggamma(r) + r * np.log(alpha) + np.log(alive + left)


def pareto_nbd(theta, x, recency, T):
    """Schmittlein, Morrison & Colombo (1987): alive, or left after the last purchase."""
    r, alpha, s, beta = np.exp(theta)
    nodes, weights = GAUSS
    tau = recency + (T - recency) * (nodes + 1) / 2
    integral = (weights * (alpha + tau) ** -(r + x) * (beta + tau) ** -(s + 1)).sum()
    left = s * integral * (T - recency) / 2
    alive = (alpha + T) ** -(r + x) * (beta + T) ** -s
    scale = loggamma(r + x) - loggamma(r) + r * np.log(alpha) + s * np.log(beta)
    return scale + np.log(alive + left)


def nbd(theta, x, recency, T):
    """Negative binomial counts, as a density of the times of purchase."""
    r, alpha = np.exp(theta)
    return loggamma(r + x) - loggamma(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)


PAPERS = {BGNBD: bgnbd, MBGNBD: mbgnbd, ParetoNBD: pareto_nbd, NBD: nbd}


@pytest.mark.parametrize("model", PAPERS, ids=lambda model: model.__name__)
def test_values_and_complex_step_gradients(model):
    theta = np.log(list(TRUE_PARAMETERS[model].values()))
    for row in HISTORIES.itertuples(index=False):
        total = model()._log_likelihood(read_histories(pd.DataFrame([row])))(theta)
        assert total.value == pytest.approx(PAPERS[model](theta, *row), rel=1e-10)
        for i in range(theta.size):
            step = theta + 1e-30j * np.eye(theta.size)[i]
            slope = PAPERS[model](step, *row).imag / 1e-30
            assert total.gradient[i] == pytest.approx(slope, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("model", PAPERS, ids=lambda model: model.__name__)
def test_hessians_by_complex_step_of_finite_differences(model):
    theta = np.log(list(TRUE_PARAMETERS[model].values()))
    row = HISTORIES.iloc[[3]]
    function = model()._log_likelihood(read_histories(row))
    hessian = function(theta).hessian
    assert hessian == pytest.approx(hessian.T)
    for i in range(theta.size):
        for j in range(theta.size):
            move = 1e-5 * np.eye(theta.size)[j]
            ends = [
                PAPERS[model](theta + sign * move + 1e-30j * np.eye(theta.size)[i], *row.iloc[0])
                for sign in (1, -1)
            ]
            curve = (ends[0].imag - ends[1].imag) / 1e-30 / 2e-5
            assert hessian[i, j] == pytest.approx(curve, rel=1e-6, abs=1e-7)


def pareto_closed_form(r, alpha, s, beta, x, recency, T):
    """Fader & Hardie's (2005) note: a difference of hypergeometric functions, in 60 digits."""
    with mpmath.workdps(60):
        r, alpha, s, beta, recency, T = map(mpmath.mpf, (r, alpha, s, beta, recency, T))
        large, small = max(alpha, beta), min(alpha, beta)
        second = s + 1 if alpha >= beta else r + x
        total = r + s + x

        def term(t):
            ratio = (large - small) / (large + t)
            return mpmath.hyp2f1(total, second, total + 1, ratio) / (large + t) ** total

        left = s / total * (term(recency) - term(T))
        alive = (alpha + T) ** -(r + x) * (beta + T) ** -s
        scale = mpmath.loggamma(r + x) - mpmath.loggamma(r)
        scale += r * mpmath.log(alpha) + s * mpmath.log(beta)
        return float(scale + mpmath.log(alive + left)), float(alive / (alive + left))


@pytest.mark.parametrize(
    ("r", "alpha", "s", "beta"),
    [
        (0.55, 10.6, 0.6, 11.7),
        (0.55, 11.0, 1.0, 11.0),
        (0.05, 0.01, 2.0, 500.0),
        (3.0, 900.0, 0.05, 0.02),
        (20.0, 3.0, 8.0, 1e4),
    ],
)
@pytest.mark.parametrize(
    ("x", "recency", "T"),
    [(0, 0.0, 30.0), (2, 29.9, 30.0), (26, 20.0, 31.0), (10_000, 99.0, 100.0)],
)
def test_pareto_against_the_closed_form(r, alpha, s, beta, x, recency, T):
    value, alive = pareto_closed_form(r, alpha, s, beta, x, recency, T)
    model = ParetoNBD.from_params(r=r, alpha=alpha, s=s, beta=beta)
    row = pd.DataFrame({"frequency": [x], "recency": [recency], "T": [T]})
    assert model.log_likelihood(row) == pytest.approx(value, rel=1e-11)
    assert model.probability_alive(row)[0] == pytest.approx(alive, rel=1e-8, abs=1e-300)


def test_pareto_by_shared_times_and_by_rows_is_the_same():
    truth = ParetoNBD.from_params(r=0.6, alpha=60.0, s=0.7, beta=90.0)
    T = np.random.default_rng(2).integers(30, 200, 30_000).astype(float)
    daily = truth.resample(pd.DataFrame({"T": T}), random_state=3)
    daily["recency"] = np.ceil(daily["recency"])
    data = read_histories(daily)
    theta = np.log([0.8, 40.0, 1.1, 70.0])
    from clvmodels.transactions.pareto_likelihood import row_terms, shared_times

    cells, _ = shared_times(data)
    assert cells is not None
    assert cells.size < 0.2 * data.size
    by_times = ParetoNBD()._log_likelihood(data)(theta)
    rows = row_terms(data.frequency, data.recency, data.T, *np.exp(theta))
    x = data.frequency
    r, alpha, s, beta = np.exp(theta)
    constants = loggamma(r + x) - loggamma(r) + r * np.log(alpha) + s * np.log(beta)
    assert by_times.value == pytest.approx((rows.value + constants).sum(), rel=1e-12)
    for i, parameter in ((1, alpha), (3, beta)):
        power = r if i == 1 else s
        slope = (rows.gradient[i] * parameter).sum() + power * x.size
        assert by_times.gradient[i] == pytest.approx(slope, rel=1e-9, abs=1e-6)
