"""Discounted streams against 40-digit arithmetic and double integrals."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clvmodels.numerics import discounting
from clvmodels.numerics.quadrature import beta_nodes

LEGENDRE_300 = np.polynomial.legendre.leggauss(300)


def logs(low, high):
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@pytest.fixture(autouse=True)
def _forty_digits():
    with mpmath.workdps(40):
        yield


@settings(max_examples=30, deadline=None)
@given(order=logs(-3, 4), c=logs(-6, 3))
@example(order=100.0, c=100.0)
def test_scaled_exponential_integral(order, c):
    # Beside a whole order: at one, mpmath's series loses more digits than it is given.
    expected = mpmath.exp(c) * mpmath.expint(order + mpmath.mpf(10) ** -25, c)
    found = discounting.scaled_exponential_integral(order, c)
    assert found == pytest.approx(float(expected), rel=1e-12)


@settings(max_examples=8, deadline=None)
@given(k=logs(-1.5, 2), a=logs(-1, 1), b=logs(-1, 1.5), c=logs(-3, 1))
def test_discounted_until_dropout(k, a, b, c):
    """Against the expectation of l / (l p + c) over both, l in logarithms."""
    rate, weight = LEGENDRE_300
    low, high = -45.0 / k if k < 1 else np.log(k) - 45.0, np.log(k + 60 * np.sqrt(k) + 60)
    low = max(low, -80.0)
    log_rate = low + (high - low) * (rate + 1) / 2
    density = np.exp(k * log_rate - np.exp(log_rate) - float(mpmath.loggamma(k)))
    weight = weight * (high - low) / 2 * density
    p, in_p, at_0, at_1 = (row[0] for row in beta_nodes(*np.array([[a], [b], [1e3 * k / c + 1]])))
    inner = np.exp(log_rate)[:, None] / (np.exp(log_rate)[:, None] * p + c) @ in_p
    inner += np.exp(log_rate) / c * at_0 + np.exp(log_rate) / (np.exp(log_rate) + c) * at_1
    found = discounting.discounted_until_dropout(k, a, b, c)
    assert found == pytest.approx(weight @ inner, rel=1e-6)


def test_many_rates_are_interpolated_to_the_last_digits():
    rng = np.random.default_rng(1)
    k = rng.choice([0.3, 2.3, 40.3], 3000)
    rate = np.exp(rng.uniform(np.log(0.01), np.log(0.3), 3000))
    many = discounting.discounted_until_dropout(k, 0.8, k + 2.0, rate)
    few = discounting.discounted_until_dropout(k[:60], 0.8, k[:60] + 2.0, rate[:60])
    assert many[:60] == pytest.approx(few, rel=1e-12)


@given(logs(-6, 3), logs(0, 6))
def test_interpolation(low, ratio):
    points = np.geomspace(low, low * ratio, 400)
    found = discounting.interpolate(lambda x: (1 + x) ** -1.7 / (0.1 + x), points)
    assert found == pytest.approx((1 + points) ** -1.7 / (0.1 + points), rel=1e-11)


def test_a_perpetuity_that_does_not_decay():
    assert discounting.scaled_exponential_integral(0.0, 0.25) == pytest.approx(4.0)
