"""What customers can carry: against slow and obvious searches, and the laws that hold always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clvmodels.cohorts.capacity import held, month_factors, water_level

sizes = st.floats(1e-6, 1e3)
own = st.integers(1, 12).flatmap(lambda n: arrays(float, n, elements=sizes))


def bisected(own, most, total):
    """The level, halved in one customer after another."""
    low, high = 0.0, max(most / own)
    for _ in range(200):
        middle = (low + high) / 2
        reached = 0.0
        for mine, bound in zip(own, most, strict=True):
            reached += min(middle * mine, bound)
        low, high = (middle, high) if reached < total else (low, middle)
    return (low + high) / 2


def slowly(base, most, wanted):
    """Month after month and customer after customer, until nothing moves any more."""
    table = base.copy()
    held_back = np.ones(len(base))
    for _ in range(5000):
        # Dykstra: a bound that no longer binds gives back what it took.
        for t in range(base.shape[1]):
            table[:, t] *= wanted[t] / table[:, t].sum()
        for i in range(base.shape[0]):
            free = table[i] / held_back[i]
            held_back[i] = min(1.0, most[i] / free.sum())
            table[i] = free * held_back[i]
    return table


def carried(base, most, factors):
    made = base * factors
    return made * held(made.sum(axis=1), most)[:, None]


@given(own, st.data())
def test_the_level_is_that_of_a_slow_search(own, data):
    most = data.draw(arrays(float, own.size, elements=sizes))
    share = data.draw(st.floats(0.01, 0.99))
    total = share * most.sum()
    level = water_level(own, most, total)
    assert level == pytest.approx(bisected(own, most, total), rel=1e-9)
    assert np.minimum(level * own, most).sum() == pytest.approx(total, rel=1e-9)


def test_where_nobody_is_left_there_is_nothing_to_raise():
    assert water_level(np.zeros(2), np.zeros(2), 1.0) == 1.0
    full = water_level(np.array([1.0, 0.0, 4.0]), np.array([3.0, 0.0, 4.0]), 99.0)
    assert full == pytest.approx(3.0)


@st.composite
def cohorts(draw):
    n, k = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    base = draw(arrays(float, (n, k), elements=st.floats(0.01, 10.0)))
    room = draw(arrays(float, n, elements=st.floats(1.0, 3.0)))
    factors = draw(arrays(float, k, elements=st.floats(0.1, 20.0)))
    return base, base.sum(axis=1) * room, factors


@given(cohorts())
def test_nobody_carries_more_than_the_most_and_months_add_up(cohort):
    base, most, factors = cohort
    made = carried(base, most, month_factors(base, most, factors))
    assert (made.sum(axis=1) <= most * (1 + 1e-12)).all()
    asked = base.sum(axis=0) * factors
    able = min(1.0, most.sum() / asked.sum())
    assert made.sum() == pytest.approx(able * asked.sum(), rel=1e-6)
    if able == 1.0:
        np.testing.assert_allclose(made.sum(axis=0), asked, rtol=1e-6)


@given(cohorts())
def test_factors_that_everybody_bears_stay_as_they_are(cohort):
    base, _, factors = cohort
    most = (base @ factors) * (1 + 1e-9)
    np.testing.assert_array_equal(month_factors(base, most, factors), factors)


def test_what_one_cannot_carry_is_placed_on_those_who_can():
    """The last survivor beside two who have room, months of a season."""
    base = np.array([[4.0, 1.0, 1.0], [1.0, 1.0, 2.0], [2.0, 3.0, 1.0]])
    most, factors = np.array([7.0, 12.0, 30.0]), np.array([2.0, 1.5, 3.0])
    made = carried(base, most, month_factors(base, most, factors))
    wanted = base.sum(axis=0) * factors
    np.testing.assert_allclose(made.sum(axis=0), wanted, rtol=1e-9)
    np.testing.assert_allclose(made, slowly(base, most, wanted), rtol=1e-6)
    assert made[0].sum() == pytest.approx(7.0)
    # customers who are not held keep their proportion in every month
    np.testing.assert_allclose(made[1] / made[2], base[1] / base[2], rtol=1e-9)


def test_what_nobody_can_carry_is_given_back_in_every_month_alike():
    base = np.array([[1.0, 2.0], [2.0, 2.0]])
    most = np.array([4.0, 5.0])
    made = carried(base, most, month_factors(base, most, np.array([4.0, 8.0])))
    np.testing.assert_allclose(made.sum(axis=1), most, rtol=1e-9)
    np.testing.assert_allclose(made.sum(axis=0), 9.0 * np.array([12.0, 32.0]) / 44.0, rtol=1e-6)
    none = month_factors(base, np.zeros(2), np.array([4.0, 8.0]))
    np.testing.assert_array_equal(carried(base, np.zeros(2), none), 0.0)
