"""The optimiser on functions whose maxima are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.numerics.newton import maximize

WIDE = np.full(2, 50.0)


def rosenbrock(theta):
    x, y = theta
    value = -((1 - x) ** 2) - 100 * (y - x * x) ** 2
    gradient = np.array([2 * (1 - x) + 400 * x * (y - x * x), -200 * (y - x * x)])
    hessian = np.array([[-2 + 400 * y - 1200 * x * x, 400 * x], [400 * x, -200.0]])
    return value, gradient, hessian


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_finds_the_maximum_from_anywhere(x, y):
    # The error left is of the order of the last step squared, times the valley's condition, 2,500.
    best = maximize(rosenbrock, np.array([x, y]), -WIDE, WIDE, tolerance=1e-7)
    assert best.converged
    assert best.theta == pytest.approx([1.0, 1.0], abs=1e-8)
    assert best.value == pytest.approx(0.0, abs=1e-12)


def test_a_quadratic_takes_one_evaluation_beyond_the_first():
    calls = []

    def quadratic(theta):
        calls.append(theta)
        return -(theta @ theta) / 2, -theta, -np.eye(2)

    best = maximize(quadratic, np.array([1.0, -1.0]), -WIDE, WIDE)
    assert best.theta == pytest.approx([0.0, 0.0], abs=1e-12)
    assert len(calls) == best.iterations == 2


def test_leaves_a_saddle():
    def saddle(theta):
        x, y = theta
        value = -(x**2) + y**2 - y**4
        return value, np.array([-2 * x, 2 * y - 4 * y**3]), np.diag([-2.0, 2 - 12 * y * y])

    best = maximize(saddle, np.array([1.0, 1e-3]), -WIDE, WIDE)
    assert best.theta == pytest.approx([0.0, np.sqrt(0.5)], abs=1e-8)


def test_a_function_that_rises_for_ever_ends_at_the_box():
    def rising(theta):
        x, y = theta
        value = -np.exp(-x) - y * y
        return value, np.array([np.exp(-x), -2 * y]), np.diag([-np.exp(-x), -2.0])

    best = maximize(rising, np.array([0.0, 3.0]), -np.full(2, 8.0), np.full(2, 8.0))
    assert not best.converged
    assert best.at_bound.tolist() == [True, False]
    assert best.theta == pytest.approx([8.0, 0.0], abs=1e-6)


def test_steps_back_from_where_the_function_does_not_exist():
    def logarithm(theta):
        (x,) = theta
        if x <= 0:
            return -np.inf, np.zeros(1), np.zeros((1, 1))
        return np.log(x) - x, np.array([1 / x - 1]), np.array([[-1 / x**2]])

    best = maximize(logarithm, np.array([1.9]), -np.full(1, 50.0), np.full(1, 50.0))
    assert best.theta == pytest.approx([1.0], abs=1e-8)


def test_a_start_outside_the_function_is_refused():
    with pytest.raises(FloatingPointError, match="starting point"):
        maximize(lambda t: (np.nan, t, np.eye(2)), np.zeros(2), -WIDE, WIDE)
