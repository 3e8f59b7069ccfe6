"""Special functions against 40-digit arithmetic and against sums that cannot go wrong."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import simpson

from clvmodels.numerics import special
from clvmodels.numerics.quadrature import beta_nodes, decay_nodes


def logs(low, high):
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@pytest.fixture(autouse=True)
def _many_digits():
    """Large a and b cancel more than forty digits of the closed form."""
    with mpmath.workdps(160):
        yield


def papers_closed_form(k, a, b, z):
    """(a+b-1)/(a-1) [1 - (1+z)^-k 2F1(k, b; a+b-1; z/(1+z))], off its poles."""
    k, a, b, z = map(mpmath.mpf, (k, a, b, z))
    a = a + mpmath.mpf(10) ** -25 if a == 1 else a
    b = b + mpmath.mpf(10) ** -25 if abs(a + b - 1) < 1e-20 else b
    w = z / (1 + z)
    # after Euler's transformation, which converges at once
    transformed = mpmath.hyp2f1(a - 1, a + b - 1 - k, a + b - 1, w) * (1 - w) ** (a - 1)
    return float((a + b - 1) / (a - 1) * (1 - transformed))


@settings(max_examples=60, deadline=None)
@given(k=logs(-3, 4), a=logs(-3, 3), b=logs(-3, 4), z=logs(-5, 3))
@example(k=1.0, a=10**2.5, b=10**2.5, z=10**0.625)
def test_purchases_until_dropout(k, a, b, z):
    expected = papers_closed_form(k, a, b, z)
    assert special.purchases_until_dropout(k, a, b, z) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 2.5), (0.4, 0.6), (0.3, 0.2), (1e-4, 1e-4), (1.0, 1e-3), (50.0, 1.0)]
)
@pytest.mark.parametrize("z", [1e-6, 0.3, 10.0, 1e4])
def test_purchases_until_dropout_at_the_poles_of_the_closed_form(a, b, z):
    found = special.purchases_until_dropout(0.25, a, b, z)
    assert found == pytest.approx(papers_closed_form(0.25, a, b, z), rel=1e-10)


def test_both_routes_agree_where_both_work():
    rng = np.random.default_rng(1)
    k, a, b = (10 ** rng.uniform(-1.5, 1.5, 200) for _ in range(3))
    z = 10 ** rng.uniform(-3, 1, 200)
    series = special._dropout_series(k, a, b, z)
    assert special._dropout_integral(k, a, b, z) == pytest.approx(series, rel=1e-11)


def test_purchases_until_dropout_is_what_customers_do():
    rng = np.random.default_rng(2)
    k, a, b, z, n = 1.3, 0.8, 2.5, 4.0, 400_000
    would = rng.poisson(rng.gamma(k, size=n) * z)
    stays = rng.geometric(rng.beta(a, b, n))
    made = np.minimum(would, stays)
    error = made.std() / np.sqrt(n)
    assert abs(made.mean() - special.purchases_until_dropout(k, a, b, z)) < 4 * error


def test_no_time_no_purchases_and_no_overflow():
    grid = np.meshgrid([1e-3, 1.0, 1e4], [1e-4, 1.0, 1e4], [1e-4, 1.0, 1e5], [0.0, 1e-12, 1.0, 1e6])
    with np.errstate(all="raise", under="ignore"):
        found = special.purchases_until_dropout(*grid)
    assert np.isfinite(found).all()
    assert (found[grid[3] == 0] == 0).all()
    assert (found[grid[3] > 0] > 0).all()
    # never more than without dropout
    assert (found <= grid[0] * grid[3] * (1 + 1e-12)).all()


@settings(max_examples=40, deadline=None)
@given(a=logs(-4, 4), b=logs(-4, 4))
def test_beta_nodes_give_the_moments(a, b):
    p, weights, at_0, at_1 = beta_nodes(*np.array([[a], [b], [10.0]]))
    assert weights.sum() + at_0[0] + at_1[0] == pytest.approx(1.0, rel=1e-9)
    assert (weights * p).sum() + at_1[0] == pytest.approx(a / (a + b), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(k=logs(-2, 4), A=logs(-3, 3), s=logs(-2, 3), B=logs(-3, 3), length=logs(-4, 4))
def test_decay_nodes(k, A, s, B, length):
    ((_, u, weights),) = decay_nodes(*np.array([[k], [A], [s], [B], [length]]))
    found = (weights * np.exp(-k * np.log1p(u / A) - s * np.log1p(u / B))).sum()
    # Simpson's rule in ln v, on so many points that its error is beyond the digits compared
    v = length * np.exp(np.linspace(-45.0, 0.0, 200_001))
    expected = simpson(v * np.exp(-k * np.log1p(v / A) - s * np.log1p(v / B)), np.log(v))
    assert found == pytest.approx(expected, rel=1e-9)


@given(base=logs(-3, 7), steps=st.integers(0, 10_000))
def test_log_rising(base, steps):
    expected = mpmath.loggamma(mpmath.mpf(base) + steps) - mpmath.loggamma(base)
    assert special.log_rising(base, steps) == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


def test_negative_binomial_pmf():
    n = np.arange(4000)
    for k, z in ((0.2, 3.0), (5.0, 0.1), (50.0, 20.0)):
        pmf = special.negative_binomial_pmf(n, k, z)
        assert pmf.sum() == pytest.approx(1.0, abs=1e-10)
        assert pmf @ n == pytest.approx(k * z, rel=1e-9)
    assert special.negative_binomial_pmf(0, 2.0, 0.0) == 1.0


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0, 1e7, -3.0])), min_size=1
    )
)
def test_unique_rows_give_the_table_back(rows):
    one, two = (
        np.repeat(np.array(column, dtype=float), 2500) for column in zip(*rows, strict=True)
    )
    found = special.unique_rows(one, two)
    assert found is not None
    (first, second), position = found
    assert len(set(zip(first, second, strict=True))) == first.size
    np.testing.assert_array_equal(first[position], one)
    np.testing.assert_array_equal(second[position], two)


def test_unique_rows_leave_continuous_times_alone():
    times = np.random.default_rng(1).uniform(0, 1, 5000)
    assert special.unique_rows(np.arange(5000.0), times) is None


def test_draws_do_not_turn_with_the_last_digit_of_a_covariance():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(6, 3))
    covariance = np.eye(6) + 1e-9 * factor @ factor.T  # axes are all but arbitrary
    nudged = covariance * (1 + 1e-15 * rng.normal(size=(6, 6)))
    root = special.symmetric_root(covariance)
    np.testing.assert_allclose(root @ root.T, covariance, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(special.symmetric_root((nudged + nudged.T) / 2), root, atol=1e-12)
    singular = factor @ factor.T
    root = special.symmetric_root(singular)
    np.testing.assert_allclose(root @ root, singular, atol=1e-12)
