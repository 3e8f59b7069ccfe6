"""Replays of earlier origins, and the choices that rest on them."""

import datetime as dt

import numpy as np
import pytest
from closeness import assert_close
from cohort_tables import simulated_table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.learning import covariates as learned_covariates
from clvmodels.cohorts.learning import replay as rolling
from clvmodels.cohorts.learning.choice import choose
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.learning.replay import Replay
from clvmodels.cohorts.model.rates import RateOptions

NOTHING = np.zeros(0)


def made(candidate, month, wape, revenue=0.0):
    return Replay(
        dt.date(2020, month, 28), candidate, np.array([100.0]), np.array([100.0 * (1 + wape)]),
        NOTHING, NOTHING, np.array([100.0]), np.array([100.0 * (1 + revenue)]),
    )  # fmt: skip


def both(default, other):
    return [made("default", m + 1, w) for m, w in enumerate(default)] + [
        made("other", m + 1, w) for m, w in enumerate(other)
    ]


def test_intervals_are_stretched_by_the_errors_of_what_is_used():
    table = simulated_table(months=30, slope=-0.8, season=np.zeros(12), seed=0)
    as_of = dt.date(2021, 12, 31)
    fitted = CohortForecaster(draws=10).fit(table, as_of)
    assert fitted.evidence_["chosen"] == "no season"
    assert any("better without a season" in note for note in fitted.evidence_["notes"])
    alone = {"this": fitted.options_}
    history = History.of(table, as_of)
    replays = rolling.replay(history, alone, reach_of="this")
    assert_close(fitted.spread_, rolling.spread_of(replays), rtol=1e-6)
    other = rolling.replay(history, {"default": RateOptions()}, reach_of="default")
    assert fitted.spread_.purchases != pytest.approx(rolling.spread_of(other).purchases, rel=1e-3)


def test_a_steady_gain_is_taken():
    assert choose(both([0.3] * 6, [0.2, 0.21, 0.19, 0.2, 0.2, 0.21]), "default") == "other"


@pytest.mark.parametrize(
    "other",
    [
        [0.2, 0.6, 0.1, 0.3, 0.0, 0.3],  # better on average, not steadily
        [0.3] * 6,  # no better
        [0.3 - 1e-9] * 6,  # by rounding only
        [0.4] * 6,  # worse
    ],
)
def test_the_default_stays_otherwise(other):
    assert choose(both([0.3] * 6, other), "default") == "default"


def test_few_origins_choose_nothing():
    assert choose(both([0.3] * 5, [0.1] * 5), "default") == "default"
    assert choose([], "default") == "default"


def trials(plain, driven):
    return [made("plain", m + 1, *errors) for m, errors in enumerate(plain)] + [
        made("driven", m + 1, *errors) for m, errors in enumerate(driven)
    ]


PLAIN = [(0.3, 0.4)] * 3


@pytest.mark.parametrize(
    ("driven", "taken"),
    [
        ([(0.25, 0.4), (0.2, 0.4), (0.25, 0.4)], True),
        ([(0.3, 0.3), (0.3, 0.2), (0.3, 0.3)], True),  # better at order values only
        ([(0.2, 0.4), (0.5, 0.4), (0.15, 0.4)], False),  # by chance
        ([(0.2, 0.6)] * 3, False),  # better at purchases, worse in all
        (PLAIN, False),
    ],
)
def test_covariates_must_earn_their_place(driven, taken):
    assert learned_covariates.earned(trials(PLAIN, driven), "plain") == (
        "driven" if taken else "plain"
    )


def test_covariates_tried_on_few_origins_are_left_out():
    assert learned_covariates.earned(trials(PLAIN[:2], [(0.0, 0.0)] * 2), "plain") == "plain"
    assert learned_covariates.earned([], "plain") == "plain"


def test_replays_see_nothing_after_the_as_of_date():
    table = simulated_table(months=16)
    as_of = dt.date(2021, 1, 31)
    altered = table.copy()
    altered.loc[altered["period"] > "2021-01-01", ["purchases", "revenue"]] *= 9
    candidates = {"default": RateOptions()}
    one, two = (
        rolling.replay(History.of(t, as_of), candidates, reach_of="default")
        for t in (table, altered)
    )
    assert [r.origin for r in one][-1] == dt.date(2020, 12, 31)
    for a, b in zip(one, two, strict=True):
        assert_close(a, b)


def test_actuals_are_those_of_the_customers_known_then():
    table = simulated_table(months=8)
    as_of = dt.date(2020, 8, 31)
    replays = rolling.replay(History.of(table, as_of), {"default": RateOptions()})
    first = replays[0]
    known = table[(table["cohort"] <= "2020-04-01") & (table["period"] > "2020-04-01")]
    assert first.origin == dt.date(2020, 4, 30)
    assert first.actual.sum() == known["purchases"].sum()
