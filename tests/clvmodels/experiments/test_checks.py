"""Bootstrap, Holm, sample ratio and power against published and independent figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from trials import SQUARE, THREE, TWO, heavy_tailed, only

from clvmodels.core.errors import InvalidValueError
from clvmodels.experiments.bootstrap import (
    bootstrap_interval,
    bootstrap_p_value,
    draws_for,
    has_heavy_tails,
    studentised_draws,
)
from clvmodels.experiments.cells import cell_means
from clvmodels.experiments.compare import Method, compare
from clvmodels.experiments.contrasts import contrasts
from clvmodels.experiments.effects import effect
from clvmodels.experiments.multiplicity import holm, simultaneous_level
from clvmodels.experiments.power import customers_needed, detectable_effect, power_of
from clvmodels.experiments.sample_ratio import sample_ratio_p_value


def test_the_bootstrap_is_drawn_by_the_book():
    trial = heavy_tailed(np.random.default_rng(1), 400, 2.0)
    cells, contrast = cell_means(trial.outcome, trial.cell, 2), only(TWO)
    found = effect(cells, contrast)
    draws = studentised_draws(cells, [contrast], 1999, 5)[:, 0]
    rng, slow = np.random.default_rng(9), []
    arms = [trial.outcome[trial.cell == k] for k in (0, 1)]
    for _ in range(1999):
        none, mail = (rng.choice(arm, arm.size) for arm in arms)
        error = np.sqrt(none.var(ddof=1) / none.size + mail.var(ddof=1) / mail.size)
        slow.append((mail.mean() - none.mean() - found.estimate) / error)
    # Two samples of one law, and the interval's ends within the noise of 2,000 draws.
    assert stats.ks_2samp(draws, slow).pvalue > 0.01
    low, high = bootstrap_interval(found, draws, 0.9)
    upper, lower = np.quantile(slow, [0.95, 0.05])
    assert low == pytest.approx(
        found.estimate - upper * found.standard_error, abs=0.15 * (high - low)
    )
    assert high == pytest.approx(
        found.estimate - lower * found.standard_error, abs=0.15 * (high - low)
    )


def test_the_bootstrap_repeats_itself_and_its_p_value_is_the_interval_that_ends_at_nothing():
    trial = heavy_tailed(np.random.default_rng(2), 300, 4.0)
    cells, contrast = cell_means(trial.outcome, trial.cell, 2), only(TWO)
    found = effect(cells, contrast)
    one, two = (studentised_draws(cells, [contrast], 1999, 5)[:, 0] for _ in range(2))
    assert np.array_equal(one, two)
    p_value = bootstrap_p_value(found, one)
    assert 0.01 < p_value < 0.5
    low, high = bootstrap_interval(found, one, 1 - p_value / 1.2)
    assert low < 0 < high
    low, high = bootstrap_interval(found, one, 1 - p_value * 1.2)
    assert low > 0 or high < 0


def test_a_draw_without_spread_widens_the_interval():
    outcome = np.r_[np.zeros(9), 1.0, np.zeros(10)]
    cells, contrast = cell_means(outcome, np.repeat([0, 1], 10), 2), only(TWO)
    draws = studentised_draws(cells, [contrast], 1999, 0)[:, 0]
    assert not np.isnan(draws).any()
    low, high = bootstrap_interval(effect(cells, contrast), draws, 0.95)
    assert not low > 0
    assert not high < 0
    assert has_heavy_tails(cells, contrast)


def test_only_skewed_outcomes_have_heavy_tails():
    rng = np.random.default_rng(3)
    cell = np.arange(400) % 2
    normal, skewed = rng.normal(size=400), rng.lognormal(0, 1.5, 400)
    assert not has_heavy_tails(cell_means(normal, cell, 2), only(TWO))
    assert has_heavy_tails(cell_means(skewed, cell, 2), only(TWO))


def test_draws_go_with_the_level():
    assert draws_for(0.95) == 1999
    assert draws_for(0.999) == 9999


def test_holm_by_the_published_example():
    """R: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm") gives 0.04 0.06 0.06 0.06."""
    assert holm([0.02, 0.01, 0.04, 0.03]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.02, np.nan, 0.01]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_s_laws(p_values):
    found = holm(p_values)
    assert np.all(found >= np.array(p_values) - 1e-15)
    assert np.all(found <= 1)
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(found[order]) >= 0)
    # step down, as written: reject the smallest while p <= alpha / (m - i)
    alpha, rejected = 0.05, set()
    for place, at in enumerate(order):
        if p_values[at] * (len(p_values) - place) > alpha:
            break
        rejected.add(int(at))
    assert {int(at) for at in np.flatnonzero(found <= alpha)} == rejected


def test_bonferroni():
    assert simultaneous_level(0.95, 10) == pytest.approx(0.995)


def test_the_sample_ratio_by_hand():
    """Chi-square of 520 and 480 against halves: 20²/500 twice, 1.6 with one degree of freedom."""
    assert sample_ratio_p_value([520, 480], [1, 1]) == pytest.approx(stats.chi2.sf(1.6, 1))
    assert sample_ratio_p_value([600, 300], [2, 1]) == pytest.approx(1.0)
    with pytest.raises(InvalidValueError, match="above 0"):
        sample_ratio_p_value([1, 2], [0, 1])
    with pytest.raises(InvalidValueError, match="two cells"):
        sample_ratio_p_value([1], [1])


def test_the_sample_ratio_raises_few_false_alarms():
    rng = np.random.default_rng(4)
    p_values = [
        sample_ratio_p_value(rng.multinomial(900, [1 / 3] * 3), [1] * 3) for _ in range(2000)
    ]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.015)
    lost = [
        sample_ratio_p_value(rng.multinomial(6000, [0.37, 0.315, 0.315]), [1] * 3)
        for _ in range(200)
    ]
    assert np.mean(np.array(lost) < 0.001) > 0.9


@pytest.mark.parametrize(
    ("d", "alpha", "power", "each"),
    [(0.5, 0.05, 0.8, 64), (0.2, 0.05, 0.8, 394), (0.8, 0.05, 0.8, 26)],
)
def test_published_sample_sizes(d, alpha, power, each):
    """Cohen (1988), table 2.4.1; R: power.t.test(delta = d, power = 0.8) rounded up."""
    assert customers_needed(d, 1.0, only(TWO), [1, 1], 0.05, 0.8) in (2 * each, 2 * each - 1)


def test_power_is_how_often_effects_are_found():
    rng = np.random.default_rng(6)
    share, customers, runs = 0.25, 200, 4000
    told = power_of(0.5, 1.2, customers, only(TWO), [1 - share, share], 0.05)
    treated = rng.normal(0.5, 1.2, (runs, 50))
    control = rng.normal(0.0, 1.2, (runs, 150))
    found = np.mean(stats.ttest_ind(treated, control, axis=1).pvalue < 0.05)
    assert told == pytest.approx(found, abs=4 * np.sqrt(told * (1 - told) / runs))


@given(
    st.floats(0.05, 3),
    st.floats(0.1, 10),
    st.sampled_from([TWO, THREE, SQUARE]),
    st.floats(0.5, 0.95),
)
def test_sample_size_and_detectable_effect_are_each_other_s_inverse(effect_, sd, factors, power):
    contrast = contrasts(factors)[-1]
    shares = np.ones(contrast.weights.size)
    needed = customers_needed(effect_, sd, contrast, shares, 0.02, power)
    assert power_of(effect_, sd, needed, contrast, shares, 0.02) >= power
    least = detectable_effect(sd, needed, contrast, shares, 0.02, power)
    assert least <= effect_ * (1 + 1e-6)
    if needed > shares.size + 2:
        assert power_of(effect_, sd, needed - 1, contrast, shares, 0.02) < power


def test_power_without_an_effect_is_the_level():
    assert power_of(0.0, 1.0, 500, only(TWO), [1, 1], 0.05) == pytest.approx(0.05, rel=1e-6)
    assert np.isnan(detectable_effect(1.0, 2, only(TWO), [1, 1], 0.05, 0.8))
    with pytest.raises(InvalidValueError, match="must not be 0"):
        customers_needed(0.0, 1.0, only(TWO), [1, 1], 0.05, 0.8)
    with pytest.raises(InvalidValueError, match="too small"):
        customers_needed(1e-9, 1.0, only(TWO), [1, 1], 0.05, 0.8)


def test_rounding_is_no_heavy_tail():
    """Nobody of one arm bought: what adjusting leaves of equal outcomes is rounding."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cell, x = np.repeat([0, 1], 100), rng.gamma(1, 1, 200)
        outcome = np.where(cell == 1, rng.uniform(0, 1, 200), -0.4)
        assert not has_heavy_tails(cell_means(outcome, cell, 2, x[:, None]), only(TWO))


def test_the_bootstrap_is_never_surer_than_student():
    outcome = np.r_[np.zeros(200), np.ones(4), np.zeros(196)]
    (found,) = compare(outcome, np.repeat([0, 1], 200), contrasts(TWO))
    assert found.method is Method.BOOTSTRAP
    low, high = found.best.interval(0.95)
    assert found.interval[0] <= low
    assert found.interval[1] >= high
    assert found.p_value >= found.best.p_value
