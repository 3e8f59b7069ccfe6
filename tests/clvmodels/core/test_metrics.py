"""Scores against hand-worked cells and slow definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clvmodels.core import metrics
from clvmodels.core.errors import InvalidValueError

ACTUAL = np.array([10.0, 0.0, 30.0, 60.0])
FORECAST = np.array([12.0, 3.0, 25.0, 50.0])


def test_hand_worked_cells() -> None:
    assert metrics.wape(ACTUAL, FORECAST) == pytest.approx((2 + 3 + 5 + 10) / 100)
    assert metrics.bias(ACTUAL, FORECAST) == pytest.approx(-0.10)
    assert metrics.mae(ACTUAL, FORECAST) == pytest.approx(5.0)
    assert metrics.rmse(ACTUAL, FORECAST) == pytest.approx(np.sqrt((4 + 9 + 25 + 100) / 4))
    assert metrics.coverage(ACTUAL, FORECAST - 5, FORECAST + 5) == pytest.approx(0.75)


def slow_gini(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Mean difference in actual over all pairs that the forecast tells apart, normalised."""

    def area(order_by: np.ndarray) -> float:
        n = len(actual)
        return sum(
            (actual[i] - actual[j]) * np.sign(order_by[i] - order_by[j])
            for i in range(n)
            for j in range(n)
        ) / (4 * n * actual.sum() / 1)

    return area(forecast) / area(actual)


values = arrays(float, st.integers(3, 12), elements=st.integers(0, 6).map(float))


@given(st.data())
def test_gini_equals_its_pairwise_definition(data: st.DataObject) -> None:
    actual = data.draw(values)
    forecast = data.draw(arrays(float, len(actual), elements=st.integers(0, 4).map(float)))
    if actual.sum() == 0 or np.ptp(actual) == 0:
        return
    assert metrics.gini(actual, forecast) == pytest.approx(slow_gini(actual, forecast))


@given(values)
def test_a_perfect_ranking_has_gini_one_whatever_the_scale(actual: np.ndarray) -> None:
    if actual.sum() == 0 or np.ptp(actual) == 0:
        return
    assert metrics.gini(actual, 3 * actual + 1) == pytest.approx(1.0)
    assert metrics.gini(actual, -actual) == pytest.approx(-1.0)
    assert metrics.gini(actual, np.ones_like(actual)) == pytest.approx(0.0)


def test_scores_are_nan_where_nothing_was_bought() -> None:
    zeros = np.zeros(3)
    assert np.isnan(metrics.wape(zeros, FORECAST[:3]))
    assert np.isnan(metrics.bias(zeros, FORECAST[:3]))
    assert np.isnan(metrics.gini(zeros, FORECAST[:3]))


def test_a_missing_forecast_is_named_not_dropped() -> None:
    with pytest.raises(InvalidValueError, match="1 of 4 pairs are not, the first at position 2"):
        metrics.wape(ACTUAL, np.array([1.0, 2.0, np.nan, 3.0]))
    with pytest.raises(InvalidValueError, match="one length"):
        metrics.bias(ACTUAL, FORECAST[:2])
