"""What surrounds the optimiser: sampling, the penalty, the covariance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.errors import ConvergenceWarning
from clvmodels.estimation.likelihood import Terms, Total, weight_by_count
from clvmodels.estimation.maximum import estimate, systematic_sample


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(1, 300))
def test_a_systematic_sample_is_proportional(weights, size):
    weight = np.array(weights, dtype=float)
    rows, counts = systematic_sample(weight, size)
    assert counts.sum() == size
    assert len(set(rows)) == rows.size
    expected = size * weight[rows] / weight.sum()
    assert (np.abs(counts - expected) <= 1 + 1e-9).all()


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 9)), min_size=1, max_size=40))
def test_weight_by_count(rows):
    count, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    distinct, total = weight_by_count(count, weight)
    assert distinct.tolist() == sorted(set(count))
    assert total.tolist() == [weight[count == value].sum() for value in distinct]


def gaussian(customers, mean=1.5):
    """Log-likelihood of customers with unit variance around two means."""

    def total(theta):
        away = theta - mean
        return Total(
            -0.5 * customers * float(away @ away), -customers * away, -customers * np.eye(2)
        )

    return total


def test_estimate_and_covariance_of_a_gaussian():
    found = estimate(gaussian(400.0), np.zeros(2), ["m", "n"], 400.0)
    assert found.theta == pytest.approx([1.5, 1.5])
    assert found.covariance == pytest.approx(np.eye(2) / 400)
    assert found.log_likelihood == pytest.approx(0.0, abs=1e-9)
    assert found.unidentified == ()


@pytest.mark.parametrize("customers", [10.0, 1e6])
def test_the_penalty_weighs_against_an_average_customer(customers):
    found = estimate(gaussian(customers), np.zeros(2), ["m", "n"], customers, penalty=0.5)
    assert found.theta == pytest.approx([1.0, 1.0])
    # the log-likelihood is reported without the penalty
    assert found.log_likelihood == pytest.approx(-0.25 * customers)


def test_a_sample_only_moves_the_start():
    found = estimate(
        gaussian(400.0), np.zeros(2), ["m", "n"], 400.0, sample=(gaussian(9.0, mean=9.0), 9.0)
    )
    assert found.theta == pytest.approx([1.5, 1.5])


def test_a_flat_direction_is_named_with_advice():
    def flat(theta):
        away = theta[0] - 1.0
        return Total(-(away**2), np.array([-2 * away, 0.0]), np.diag([-2.0, 0.0]))

    with pytest.warns(ConvergenceWarning, match=r"toy: .* identify n: .*Collect n\."):
        found = estimate(
            flat, np.zeros(2), ["m", "n"], 1.0, advice={"n": "Collect n."}, model="toy"
        )
    assert found.unidentified == ("n",)
    assert found.theta == pytest.approx([1.0, 0.0], abs=0.06)
    assert np.isfinite(found.covariance).all()


def test_terms_add_up_as_rows_do():
    weight = np.array([1.0, 2.0, 3.0])
    value = np.array([0.1, 0.2, 0.3])
    total = Total.zero(2)
    total.add(Terms(value, {0: value, 1: 2.0}, {(0, 1): value, (1, 1): 1.0}), weight)
    assert total.value == pytest.approx(1.4)
    assert total.gradient == pytest.approx([1.4, 12.0])
    assert total.hessian == pytest.approx(np.array([[0.0, 1.4], [1.4, 6.0]]))
    logs = total.in_logs(np.array([2.0, 0.5]))
    assert logs.gradient == pytest.approx([2.8, 6.0])
    assert logs.hessian == pytest.approx(np.array([[2.8, 1.4], [1.4, 7.5]]))
