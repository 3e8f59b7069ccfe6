"""A thousand trials with known effects: intervals hold the truth, false alarms keep their level."""

import numpy as np
import pytest
from trials import SQUARE, THREE, TWO, Trial, heavy_tailed, of_shop

from clvmodels.experiments import bootstrap
from clvmodels.experiments.compare import Method, compare
from clvmodels.experiments.contrasts import contrasts
from clvmodels.experiments.multiplicity import holm

RUNS = 1000


def run(factors, draw, with_covariate, seed, runs=RUNS):
    """Of every run and comparison: the comparison, and its true effect."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(runs):
        trial = draw(rng)
        covariates = trial.covariate[:, None] if with_covariate else None
        made = compare(
            trial.outcome, trial.cell, contrasts(factors), covariates, random_state=number
        )
        found.append(list(zip(made, trial.truth, strict=True)))
    return found


def held(found, which="interval"):
    return np.mean(
        [
            getattr(one, which)[0] <= truth <= getattr(one, which)[1]
            for row in found
            for one, truth in row
        ]
    )


def alarms(found, alpha=0.05):
    return np.mean([one.p_value < alpha for row in found for one, _ in row])


@pytest.mark.parametrize("with_covariate", [False, True])
@pytest.mark.parametrize("truth", [0.0, 0.2])
def test_intervals_hold_the_truth_and_false_alarms_their_level(with_covariate, truth):
    found = run(TWO, lambda rng: of_shop(rng, 800, truth), with_covariate, seed=1)
    assert 0.93 <= held(found) <= 0.97
    if truth == 0:
        assert 0.03 <= alarms(found) <= 0.07
    methods = {one.method for row in found for one, _ in row}
    assert methods == {Method.ADJUSTED if with_covariate else Method.WELCH}


def test_the_covariate_s_gain_in_variance_is_what_it_explains():
    """Within arms variances are slope² / 4 + 0.36, 0.61 and 0.9225; with the covariate 0.36 each.

    To these the covariate's mean adds (1.5 - 1)² / 4 / n, where an arm is n / 2.
    """
    expected = 1 - (2 * (0.36 + 0.36) + 0.25 / 4) / (2 * (0.61 + 0.9225))
    found = run(TWO, lambda rng: of_shop(rng, 800, 0.2), True, seed=2)
    assert np.mean([row[0][0].gain for row in found]) == pytest.approx(expected, abs=0.01)
    # The estimates themselves scatter less by as much.
    plain, best = (
        np.var([getattr(row[0][0], name).estimate for row in found]) for name in ("plain", "best")
    )
    assert 1 - best / plain == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("truth", [0.0, 4.0])
def test_heavy_tails_are_left_to_the_bootstrap(monkeypatch, truth):
    """Student's interval misses the truth mostly on one side; the bootstrap's on both alike."""
    monkeypatch.setattr(bootstrap, "LEAST_DRAWS", 599)
    found = run(TWO, lambda rng: heavy_tailed(rng, 1200, truth), False, seed=3)
    assert {one.method for row in found for one, _ in row} == {Method.BOOTSTRAP}
    assert 0.93 <= held(found) <= 0.97
    if truth == 0:
        assert 0.03 <= alarms(found) <= 0.07
    ends = {
        "drawn": np.array([one.interval for ((one, _),) in found]),
        "student": np.array([one.best.interval(0.95) for ((one, _),) in found]),
    }
    lopsided = {
        name: abs(np.mean(end[:, 0] > truth) - np.mean(end[:, 1] < truth))
        for name, end in ends.items()
    }
    assert lopsided["drawn"] < lopsided["student"]


def of_square(rng):
    cell = rng.permutation(np.arange(800) % 4)
    effects = np.array([0.0, 0.3, 0.1, 0.9])  # main 0.35 and 0.55, interaction 0.5
    x = rng.gamma(2, 0.5, 800)
    return Trial(effects[cell] + x + rng.normal(0, 1, 800), cell, x, [0.35, 0.55, 0.5])


def test_main_effects_and_interaction_are_held():
    found = run(SQUARE, of_square, True, seed=4)
    assert 0.93 <= held(found) <= 0.97
    for number, truth in enumerate([0.35, 0.55, 0.5]):
        estimates = [row[number][0].best.estimate for row in found]
        assert np.mean(estimates) == pytest.approx(truth, abs=4 * np.std(estimates) / RUNS**0.5)


def of_nothing(rng):
    cell = rng.permutation(np.arange(900) % 3)
    return Trial(rng.normal(size=900), cell, np.zeros(900), [0.0, 0.0])


def test_several_arms_raise_a_false_alarm_no_more_often_than_one():
    found = run(THREE, of_nothing, False, seed=5)
    single = np.mean([min(one.p_value for one, _ in row) < 0.05 for row in found])
    together = np.mean([holm([one.p_value for one, _ in row]).min() < 0.05 for row in found])
    assert single > 0.07
    assert together <= 0.065
    every = np.mean(
        [all(one.together[0] <= t <= one.together[1] for one, t in row) for row in found]
    )
    assert 0.935 <= every <= 0.975


def of_few_buyers(rng, customers, share, skew):
    """Two arms alike, in which few buy, for 1 each or for amounts with a long tail."""
    paid = rng.lognormal(0, skew, customers)
    outcome = np.where(rng.random(customers) < share, paid, 0.0)
    cell = rng.permutation(np.arange(customers) % 2)
    return Trial(outcome, cell, np.zeros(customers), [0.0])


@pytest.mark.parametrize(("share", "skew"), [(0.01, 0.0), (0.02, 1.0)])
def test_few_buyers_raise_no_more_false_alarms(monkeypatch, share, skew):
    """The bootstrap alone raises one in 15 and 16 % of such trials."""
    monkeypatch.setattr(bootstrap, "LEAST_DRAWS", 599)
    found = run(TWO, lambda rng: of_few_buyers(rng, 400, share, skew), False, seed=7, runs=500)
    assert alarms(found) <= 0.07
    assert held([row for row in found if row[0][0].best.is_told]) >= 0.93
