"""Effects against independent computations, and their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from trials import SQUARE, THREE, TWO, by_hand, of_shop, only

from clvmodels.core.errors import InvalidValueError
from clvmodels.experiments.cells import cell_means, usable
from clvmodels.experiments.compare import Method, compare
from clvmodels.experiments.contrasts import Factor, Kind, cells_of, contrasts
from clvmodels.experiments.effects import effect


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_two_arms_without_covariates_are_welch_s_test(rng):
    cell = rng.permutation(np.arange(90) % 3 == 0).astype(int)
    outcome = rng.gamma(2, 3, 90) * (1 + cell)
    found = effect(cell_means(outcome, cell, 2), only(TWO))
    told = stats.ttest_ind(outcome[cell == 1], outcome[cell == 0], equal_var=False)
    assert found.p_value == pytest.approx(told.pvalue, rel=1e-10)
    assert found.freedom == pytest.approx(told.df, rel=1e-10)
    ends = told.confidence_interval(0.9)
    assert found.interval(0.9) == pytest.approx((ends.low, ends.high), rel=1e-10)


def test_cells_with_covariates_are_one_regression_with_interactions(rng):
    cell = rng.permutation(np.arange(120) % 4)
    x = np.column_stack([rng.gamma(2, 1, 120), rng.random(120) < 0.4]).astype(float)
    outcome = 2 + (1 + 0.4 * cell) * x[:, 0] - x[:, 1] + rng.standard_t(4, 120)
    found = cell_means(outcome, cell, 4, x)
    means, covariance = by_hand(outcome, cell, 4, x)
    assert found.means == pytest.approx(means, rel=1e-9)
    assert found.variances == pytest.approx(np.diag(covariance), rel=1e-9)
    assert covariance == pytest.approx(np.diag(np.diag(covariance)), abs=1e-12)
    inside = [found.adjusted[cell == k].mean() for k in range(4)]
    assert inside == pytest.approx(found.means, rel=1e-9)


def test_the_variance_holds_that_of_the_covariate_s_mean_where_slopes_differ(rng):
    trial = of_shop(rng, 60)
    x = trial.covariate[:, None]
    found = effect(cell_means(trial.outcome, trial.cell, 2, x), only(TWO))
    slopes = [
        np.polyfit(x[trial.cell == k, 0], trial.outcome[trial.cell == k], 1)[0] for k in (0, 1)
    ]
    _, covariance = by_hand(trial.outcome, trial.cell, 2, x)
    added = (slopes[1] - slopes[0]) ** 2 * x.var(ddof=1) / 60
    assert found.standard_error**2 == pytest.approx(covariance.trace() + added, rel=1e-9)


def test_two_factors_are_a_saturated_regression(rng):
    """Effect coding: the regression's coefficients are half the main effects, a quarter of both."""
    cell = rng.integers(0, 4, 200)
    first, second = cell // 2 - 0.5, cell % 2 - 0.5
    outcome = 3 + first + 2 * second + 4 * first * second + rng.normal(size=200)
    design = np.column_stack([np.ones(200), first, second, first * second])
    told, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    means = cell_means(outcome, cell, 4)
    found = {one.of: effect(means, one) for one in contrasts(SQUARE)}
    offer, subject = ("offer", "ten percent"), ("subject", "funny")
    assert found[offer,].estimate == pytest.approx(told[1], rel=1e-9)
    assert found[subject,].estimate == pytest.approx(told[2], rel=1e-9)
    assert found[offer, subject].estimate == pytest.approx(told[3], rel=1e-9)


def test_comparisons_of_factors():
    assert [one.kind for one in contrasts(THREE)] == [Kind.ARM, Kind.ARM]
    assert cells_of(SQUARE)[1] == ("none", "funny")
    wide = (Factor("a", ("0", "1", "2")), Factor("b", ("x", "y")))
    found = contrasts(wide)
    assert [one.kind for one in found] == [Kind.MAIN] * 3 + [Kind.INTERACTION] * 2
    for one in found:
        assert one.weights.sum() == pytest.approx(0, abs=1e-12)
        assert one.weights.size == 6
    with pytest.raises(InvalidValueError, match="one factor or two"):
        contrasts((*wide, TWO[0]))
    with pytest.raises(InvalidValueError, match="two levels"):
        Factor("a", ("0",))


finite = st.floats(-1e3, 1e3).map(lambda x: round(x, 3))


@given(
    st.lists(finite, min_size=6, max_size=40), st.floats(-50, 50), st.sampled_from([0.01, 7, 1e6])
)
def test_effects_move_and_scale_with_outcomes(values, shift, scale):
    outcome = np.array(values)
    cell = np.arange(outcome.size) % 2
    here = effect(cell_means(outcome, cell, 2), only(TWO))
    moved = effect(cell_means(scale * (outcome + shift), cell, 2), only(TWO))
    size = scale * (np.abs(outcome).max() + abs(shift) + 1)
    assert moved.estimate == pytest.approx(scale * here.estimate, rel=1e-7, abs=1e-9 * size)
    assert moved.standard_error == pytest.approx(
        scale * here.standard_error, rel=1e-6, abs=1e-6 * size
    )


@given(st.integers(0, 2**31))
def test_effects_do_not_depend_on_order_or_on_units_of_covariates(seed):
    rng = np.random.default_rng(seed)
    trial = of_shop(rng, 80, truth=0.3)
    order = rng.permutation(80)
    here = effect(cell_means(trial.outcome, trial.cell, 2, trial.covariate[:, None]), only(TWO))
    there = effect(
        cell_means(
            trial.outcome[order], trial.cell[order], 2, 5 - 100 * trial.covariate[order, None]
        ),
        only(TWO),
    )
    assert there.estimate == pytest.approx(here.estimate, rel=1e-8, abs=1e-10)
    assert there.standard_error == pytest.approx(here.standard_error, rel=1e-8)


def test_outcomes_that_are_all_alike_tell_nothing():
    (found,) = compare(np.full(50, 0.1), np.arange(50) % 2, contrasts(TWO))
    assert not found.plain.is_told
    assert np.isnan([*found.interval, *found.together, found.p_value, found.gain]).all()


def test_covariates_that_cannot_be_told_apart_are_left_out(rng):
    x = rng.gamma(2, 1, 100)
    cell = np.arange(100) % 2
    one_cell = np.where(cell == 0, rng.random(100), 0.0)
    assert usable(np.column_stack([x, 2 * x + 1, one_cell, np.ones(100)]), cell, 2) == [0]
    assert usable(x[:30, None], cell[:30], 2) == []  # 15 customers a cell, two coefficients
    outcome = rng.uniform(size=100)
    left, none = (compare(outcome, cell, contrasts(TWO), x_)[0] for x_ in (np.ones((100, 1)), None))
    assert left.method is Method.WELCH
    assert left.best == none.best


def test_a_customer_whom_a_slope_follows_alone_breaks_nothing():
    outcome = np.r_[np.arange(29.0), 500.0, np.arange(30.0)]
    x = np.r_[np.zeros(29), 1.0, np.tile([0.0, 1.0], 15)][:, None]
    cell = np.repeat([0, 1], 30)
    found = cell_means(outcome, cell, 2, x)
    assert np.isfinite(found.variances).all()


@pytest.mark.parametrize(
    ("outcome", "cell", "says"),
    [
        ([1.0, np.nan, 2.0, 3.0], [0, 0, 1, 1], "finite"),
        ([1.0, 2.0, 3.0], [0, 0, 1], "customers or more"),
        ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 2], "from 0 to 1"),
        ([1.0, 2.0, 3.0], [0, 0, 1, 1], "one length"),
    ],
)
def test_what_cannot_be_compared_is_refused(outcome, cell, says):
    with pytest.raises(InvalidValueError, match=says):
        cell_means(outcome, cell, 2)
