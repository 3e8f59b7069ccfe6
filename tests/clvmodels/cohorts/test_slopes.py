"""How fast buying falls with age is learned from the log's own past."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close

from benchmarks import by_kind, kinds
from clvmodels.cohorts.learning.choice import Variant
from clvmodels.cohorts.learning.replay import Replay
from clvmodels.cohorts.learning.slopes import blended, slope_note, slope_weights, slopes
from clvmodels.cohorts.model.rates import RateOptions

NOTHING = np.zeros(0)


def replays(origins=6, **errors):
    names = {"usual": Variant.DEFAULT, "flat": Variant.FLAT, "steep": Variant.STEEP}
    one = np.array([100.0])
    return [
        Replay(
            dt.date(2020, month + 1, 28), names[name], one, one * (1 + error),
            NOTHING, NOTHING, one, one,
        )
        for name, error in errors.items()
        for month in range(origins)
    ]  # fmt: skip


def test_equal_errors_leave_the_usual_slope():
    assert slope_weights(replays(usual=0.1, flat=0.1, steep=0.1)) == {Variant.DEFAULT: 1.0}


def test_no_replay_leaves_the_usual_slope():
    assert slope_weights([]) == {Variant.DEFAULT: 1.0}
    assert slope_note([], {Variant.DEFAULT: 1.0}) == []


def test_a_slope_that_missed_by_a_fifth_takes_over():
    weights = slope_weights(replays(usual=0.1, flat=0.02, steep=0.3))
    assert weights[Variant.FLAT] > 0.95
    assert sum(weights.values()) == pytest.approx(1.0)
    (said,) = slope_note(replays(usual=0.1, flat=0.02, steep=0.3), weights)
    assert "at 6 earlier origins it missed cohort-months by 2.0%, the usual one by 10.0%" in said


@pytest.mark.parametrize("origins", [1, 3, 6])
def test_weight_falls_with_the_error_and_is_even_where_it_is_said_to_be(origins):
    errors = (0.02, 0.04, 0.05, 0.06, 0.09)
    weights = [
        slope_weights(replays(origins, usual=0.1, flat=error, steep=0.4)).get(Variant.FLAT, 0.0)
        for error in errors
    ]
    assert weights == sorted(weights, reverse=True)
    even = 0.55 * (0.1 + 0.005) - 0.005
    both = slope_weights(replays(origins, usual=0.1, flat=even, steep=0.9))
    assert both[Variant.FLAT] == pytest.approx(0.5, abs=0.02)


def test_a_blend_is_the_weighted_mean():
    options = {Variant.DEFAULT: RateOptions()} | slopes(RateOptions())
    made = blended(options, {Variant.DEFAULT: 0.25, Variant.STEEP: 0.75})
    expected = replace(RateOptions(), age_slope=0.25 * -0.35 + 0.75 * -0.7, damping=0.925)
    assert_close(made, expected)


def mean_errors(kind, seed=1):
    log = kinds.simulated(kind, seed)
    found = pd.DataFrame([by_kind.errors_of(log, origin) for origin in log.origins(2)])
    return found.mean()


@pytest.mark.parametrize("kind", [kinds.steady, kinds.one_cohort])
def test_logs_that_fade_unusually_are_forecast_as_they_do(kind):
    found = mean_errors(kind)
    assert found["forecast"] < 0.5 * found["usual slope of age"]


@pytest.mark.parametrize("kind", [kinds.seasonal, kinds.fading])
def test_usual_logs_keep_the_usual_slope(kind):
    found = mean_errors(kind)
    assert found["forecast"] < 1.1 * found["usual slope of age"]
    assert found["forecast"] < 1.1 * found["baseline"]
