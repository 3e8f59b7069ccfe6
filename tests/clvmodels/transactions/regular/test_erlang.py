"""BG/CNBD-k and MBG/CNBD-k against slow integrals, their siblings at k = 1, and simulation."""

from __future__ import annotations

import json

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import loggamma
from true_parameters import HISTORIES, TRUE_PARAMETERS

from clvmodels import BGCNBD, BGNBD, MBGCNBD, MBGNBD, ParetoNBD, model_from_dict
from clvmodels.core.errors import InvalidValueError, ModelFileError
from clvmodels.core.summaries import read_histories
from clvmodels.simulation.simulate import (
    BGCNBDProcess,
    MBGCNBDProcess,
    MBGNBDProcess,
    simulate_log,
)

SIBLINGS = {BGCNBD: BGNBD, MBGCNBD: MBGNBD}
COMMON = {"r": 1.1, "alpha": 3.0, "a": 0.8, "b": 2.5}


@pytest.fixture(params=SIBLINGS, ids=lambda model: model.__name__)
def model(request):
    return request.param


@pytest.fixture
def known(model):
    return model.from_params(**TRUE_PARAMETERS[model])


def log_density(model, theta, k, x, recency, T):
    """The product of Erlang densities and their tail, over gamma rates: as the paper derives it.

    The density of the gaps that are not known is integrated out: of uniforms at k = 1, and on
    their scale.
    """
    r, alpha, a, b = np.exp(theta)
    s, y = r + k * x, x + model._first
    end, last = alpha + T, alpha + recency

    def log_beta(p, q):
        return loggamma(p) + loggamma(q) - loggamma(p + q)

    tail = sum(
        np.exp(loggamma(s + j) - loggamma(s) - loggamma(j + 1))
        * (T - recency) ** j
        * end ** -(s + j)
        for j in range(k)
    )
    alive = np.exp(log_beta(a, b + y) - log_beta(a, b)) * tail
    left = np.exp(log_beta(a + 1, b + y - 1) - log_beta(a, b)) * last**-s if y else 0.0
    unknown = (k - 1) * x * np.log(recency) + loggamma(x) - loggamma(k * x) if x else 0.0
    return loggamma(s) - loggamma(r) + r * np.log(alpha) + np.log(alive + left) + unknown


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_the_likelihood_and_its_gradient_by_complex_step(model, k):
    theta = np.log(list(COMMON.values()))
    own = model(k=k)
    own.k_ = k
    for row in HISTORIES.itertuples(index=False):
        total = own._log_likelihood(read_histories(pd.DataFrame([row])))(theta)
        assert total.value == pytest.approx(log_density(model, theta, k, *row), rel=1e-10)
        for i in range(4):
            step = theta + 1e-30j * np.eye(4)[i]
            slope = log_density(model, step, k, *row).imag / 1e-30
            assert total.gradient[i] == pytest.approx(slope, rel=1e-9, abs=1e-10)


def test_one_stage_is_chance(model):
    one = model.from_params(**COMMON, k=1)
    chance = SIBLINGS[model].from_params(**COMMON)
    assert one.log_likelihood(HISTORIES) == pytest.approx(chance.log_likelihood(HISTORIES))
    for method, arguments in (
        ("probability_alive", ()),
        ("expected_purchases", ([0.1, 5.0, 400.0],)),
        ("purchase_pmf_given_history", ([0, 1, 4], 9.0)),
        ("dert", (0.02,)),
        ("purchase_rate_quantile", (0.99,)),
    ):
        np.testing.assert_allclose(
            getattr(one, method)(HISTORIES, *arguments),
            getattr(chance, method)(HISTORIES, *arguments),
            rtol=1e-9,
            err_msg=method,
        )


def oracle(model, k, x, recency, T, t):
    """Expected purchases of who is alive, by sums over stages in 30 digits."""
    with mpmath.workdps(30):
        r, alpha, a, b = (mpmath.mpf(value) for value in COMMON.values())
        s, end, y = r + k * x, alpha + T, x + model._first
        passed = [
            mpmath.rf(s, j) / mpmath.factorial(j) * ((T - recency) / end) ** j for j in range(k)
        ]
        z = t / end
        total = mpmath.mpf(0)
        for j, weight in enumerate(passed):
            c, beyond, stayed = s + j, mpmath.mpf(1), mpmath.mpf(1)
            m, pmf = 0, (1 + z) ** -(s + j)
            for n in range(1, 2000):
                while m < k * n - j:
                    beyond -= pmf
                    pmf *= (c + m) / (m + 1) * z / (1 + z)
                    m += 1
                total += weight * beyond * stayed
                stayed *= (b + y + n - 1) / (a + b + y + n - 1)
                if beyond < mpmath.mpf(10) ** -20:
                    break
        return float(total / sum(passed))


@pytest.mark.parametrize("k", [2, 3, 7])
@pytest.mark.parametrize("t", [0.01, 3.0, 200.0])
def test_expected_purchases_against_a_slow_sum(model, k, t):
    own = model.from_params(**COMMON, k=k)
    found = own.expected_purchases(HISTORIES, t) / own.probability_alive(HISTORIES)
    slow = [oracle(model, k, *row, t) for row in HISTORIES.itertuples(index=False)]
    np.testing.assert_allclose(found, slow, rtol=1e-10)


@pytest.mark.parametrize("k", [2, 7, 24])
def test_counts_add_up_for_any_number_of_stages(model, k):
    own, n = model.from_params(**COMMON, k=k), np.arange(300)
    pmf = own.purchase_pmf_given_history(HISTORIES, n, 20.0)
    assert pmf.sum(axis=1) == pytest.approx(1.0, abs=1e-9)
    assert pmf @ n == pytest.approx(own.expected_purchases(HISTORIES, 20.0), rel=1e-7)


@pytest.mark.parametrize("t", [400.0, 3000.0])
def test_long_sums_are_integrated(model, t):
    """A customer of 600 purchases: hundreds and thousands more are to come."""
    own = model.from_params(**COMMON, k=3)
    rows = pd.DataFrame({"frequency": [600], "recency": [299.5], "T": [300.0]})
    n = np.arange(1, 20_000)
    pmf = own.purchase_pmf_given_history(rows, n, t)[0]
    assert own.expected_purchases(rows, t)[0] == pytest.approx(pmf @ n, rel=1e-6)


def test_dert_against_an_integral_over_rates(known, model):
    """E[f^(k-j) / (1 - (1-p) f^k)], f = lambda / (lambda + delta), by plain quadrature."""
    k, delta = known.k_, 0.05
    r, alpha, a, b = (known.params_[name] for name in ("r", "alpha", "a", "b"))
    for x, recency, T in [(0, 0.0, 12.0), (7, 15.0, 20.0)]:
        s, end, y = r + k * x, alpha + T, b + x + model._first
        weight = np.array([stats.nbinom.pmf(j, s, (alpha + recency) / end) for j in range(k)])

        def inner(rate, weight=weight, s=s, end=end, y=y):
            f = rate / (rate + delta)
            mixed = sum(
                part * stats.gamma.pdf(rate, s + j, scale=1 / end) * f ** (k - j)
                for j, part in enumerate(weight)
            )
            return mixed * float(mpmath.hyp2f1(1, y, a + y, f**k))

        most = stats.gamma.ppf(1 - 1e-12, s + k, scale=1 / end)
        value, _ = integrate.quad(inner, 0, most, limit=200)
        row = pd.DataFrame({"frequency": [x], "recency": [recency], "T": [T]})
        expected = known.probability_alive(row)[0] * value / weight.sum()
        assert known.dert(row, delta)[0] == pytest.approx(expected, rel=1e-6)


# How even the gaps are


def evenness(log, until):
    """Sum by customer of ln(gap / recency), from the log itself."""
    known = log.day <= until
    customer, day = log.customer[known], log.day[known]
    gap, same = np.diff(day), customer[1:] == customer[:-1]
    total = np.bincount(customer[1:][same], np.log(gap[same]), minlength=log.n_customers)
    summary = log.summary(until=until)
    x, recency = summary["frequency"].to_numpy(), summary["recency"].to_numpy()
    shares = np.where(x > 0, total - x * np.log(np.where(x > 0, recency, 1.0)), 0.0)
    return summary.assign(log_gap_shares=shares)


PROCESSES = {
    1: MBGNBDProcess(1.2, 36.0, 0.7, 4.0),
    2: MBGCNBDProcess(1.2, 18.0, 0.7, 4.0, 2),
    3: MBGCNBDProcess(1.2, 12.0, 0.7, 4.0, 3),
    6: MBGCNBDProcess(1.2, 6.0, 0.7, 4.0, 6),
}


@pytest.mark.parametrize("k", PROCESSES)
def test_k_is_found_with_the_gaps_and_without(k):
    log = simulate_log(PROCESSES[k], 4000, days=365, acquisition=0, random_state=k)
    table = evenness(log, 365)
    fitted = MBGCNBD().fit(table)
    assert fitted.k_ == k
    assert MBGCNBD().fit(table.drop(columns="log_gap_shares")).k_ == pytest.approx(k, abs=k // 6)
    for name, value in vars(PROCESSES[k]).items():
        if name != "k":
            assert abs(fitted.params_[name] - value) < 4 * fitted.standard_errors_[name]


def test_the_gaps_tell_k_of_few_customers():
    log = simulate_log(PROCESSES[3], 150, days=365, acquisition=0, random_state=5)
    assert MBGCNBD().fit(evenness(log, 365)).k_ == 3


def test_drawn_gaps_are_those_of_the_simulated_log(model, known):
    process = {BGCNBD: BGCNBDProcess, MBGCNBD: MBGCNBDProcess}[model]
    log = simulate_log(process(**TRUE_PARAMETERS[model]), 20_000, days=60, acquisition=0)
    seen = evenness(log, 60)
    drawn = known.resample(pd.DataFrame({"T": [60.0] * 20_000}), random_state=1)
    for x in (2, 3, 5):
        one, other = (part.loc[part["frequency"] == x, "log_gap_shares"] for part in (seen, drawn))
        error = np.hypot(one.std() / np.sqrt(one.size), other.std() / np.sqrt(other.size))
        assert abs(one.mean() - other.mean()) < 4 * error


def test_forecasts_of_simulated_customers_are_right_whatever_the_time_since():
    """By time since the last purchase, in units of the customer's own mean gap."""
    log = simulate_log(PROCESSES[3], 60_000, days=365 + 60, acquisition=100, random_state=8)
    table = log.summary(until=365)
    later = np.bincount(log.customer[log.day > 365], minlength=log.n_customers)
    truth = {"r": 1.2, "alpha": 12.0, "a": 0.7, "b": 4.0}
    expected = MBGCNBD.from_params(**truth, k=3).expected_purchases(table, 60.0)
    silence = (table["T"] - table["recency"]) * table["frequency"] / table["recency"]
    groups = pd.cut(silence[table["frequency"] > 3], [0, 0.3, 0.7, 1.0, 1.5, 3, np.inf])
    for _, rows in groups.groupby(groups, observed=True).groups.items():
        error = later[rows].std() / np.sqrt(rows.size)
        assert abs(later[rows].mean() - expected[rows].mean()) < 4 * error


def test_regular_customers_are_forecast_better_and_chance_no_worse():
    """Mean absolute error of 182 days, three seeds, against the best of the other models."""
    ratios = {}
    for k in (1, 2, 3):
        errors = dict.fromkeys((MBGCNBD, BGNBD, MBGNBD, ParetoNBD), 0.0)
        for seed in range(3):
            log = simulate_log(
                PROCESSES[k], 4000, days=365 + 182, acquisition=300, random_state=seed
            )
            table = evenness(log, 365)
            later = np.bincount(log.customer[log.day > 365], minlength=log.n_customers)
            for kind in errors:
                made = kind().fit(table).expected_purchases(table, 182.0)
                errors[kind] += np.abs(made - later[: len(made)]).mean()
        own = errors.pop(MBGCNBD)
        ratios[k] = own / (errors[MBGNBD] if k == 1 else min(errors.values()))
    assert ratios[1] <= 1.005
    assert ratios[2] <= 0.94
    assert ratios[3] <= 0.91


# Settings and files


def test_k_is_kept(known, model):
    description = json.loads(json.dumps(known.to_dict()))
    assert description["k"] == known.k_
    assert model_from_dict(description).k_ == known.k_
    for bad in (0, 25, 2.5, "two", None):
        with pytest.raises(ModelFileError, match="damaged"):
            model_from_dict(description | {"k": bad})
        with pytest.raises(InvalidValueError, match="k must"):
            model(k=bad).fit(HISTORIES)
    with pytest.raises(InvalidValueError, match="found r, alpha, a, b"):
        model.from_params(**COMMON)


def test_gaps_that_cannot_be_are_refused(model):
    with pytest.raises(InvalidValueError, match="log_gap_shares"):
        model().fit(HISTORIES.assign(log_gap_shares=np.nan))
