"""Intervals: their laws, and the stretch learned from past errors."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from cohort_tables import simulated_table
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.cohorts import intervals
from clvmodels.cohorts.forecaster import CohortForecaster

RNG = np.random.default_rng(0)
DRAWS = RNG.gamma(4.0, 25.0, (3, 4000))


def test_the_models_own_interval_holds_nine_tenths_of_its_draws():
    low, high = intervals.interval(DRAWS)
    inside = (low[:, None] <= DRAWS) & (high[:, None] >= DRAWS)
    np.testing.assert_allclose(inside.mean(axis=1), 0.9, atol=0.002)


@settings(deadline=None)
@given(st.floats(0.1, 5.0), st.floats(0.1, 3.0))
def test_stretching_widens_and_never_passes_zero(spread, more):
    low, high = intervals.interval(DRAWS, spread)
    wider_low, wider_high = intervals.interval(DRAWS, spread + more)
    assert (wider_low <= low).all()
    assert (wider_high >= high).all()
    assert (wider_low >= 0).all()


@settings(deadline=None)
@given(st.floats(0.0, 1e6))
def test_reach_is_the_stretch_that_just_holds_the_actual(actual):
    reach = intervals.reach(np.full(3, actual), DRAWS)
    for row in np.flatnonzero(reach < intervals.MOST_REACH):
        low, high = intervals.interval(DRAWS[row : row + 1], reach[row] + 1e-6)
        assert low[0] - 1e-6 <= actual <= high[0] * (1 + 1e-6) + 1e-6
        if reach[row] > 0.01:
            low, high = intervals.interval(DRAWS[row : row + 1], 0.99 * reach[row])
            assert not low[0] < actual < high[0]


def test_a_model_that_had_no_idea_stretches_no_further():
    reach = intervals.reach(np.array([1e300, 5.0]), np.zeros((2, 10)))
    assert reach.tolist() == [intervals.MOST_REACH] * 2


def test_spread_moves_from_the_prior_to_the_evidence():
    cells = [np.full(50, 3.0)]
    few, more = (intervals.learn_spread(cells * n, cells * n).purchases for n in (1, 6))
    assert intervals.PRIOR_SPREAD < few < more < 3.0
    assert intervals.learn_spread([], []) == intervals.Spread()


def test_the_company_s_months_have_a_stretch_of_their_own():
    cells = [np.full(50, 1.0)] * 6
    made = intervals.learn_spread(cells, cells, [(np.full(4, 5.0), np.full(4, 0.2))] * 6)
    assert made.company_purchases > 2 * intervals.PRIOR_COMPANY
    assert made.company_revenue < intervals.PRIOR_COMPANY
    assert made.at("company_total")[0] == pytest.approx(
        made.company_purchases * intervals.AT_LEVEL["company_total"]
    )
    assert made.at("month")[0] == pytest.approx(made.purchases * intervals.AT_LEVEL["month"])
    alone = intervals.learn_spread(cells, cells)
    assert alone.company_revenue == intervals.PRIOR_COMPANY


def test_late_errors_count_more_than_early_ones():
    early_bad = [np.full(20, 4.0)] + [np.full(20, 1.0)] * 5
    late_bad = early_bad[::-1]
    better = intervals.learn_spread(early_bad, late_bad)
    assert better.purchases <= better.revenue
    assert better.purchases < intervals.learn_spread(late_bad, late_bad).purchases


def test_equal_weights_give_the_plain_quantile(monkeypatch):
    monkeypatch.setattr(intervals, "HALF_LIFE_ORIGINS", 1e9)
    monkeypatch.setattr(intervals, "PRIOR_ORIGINS", 0.0)
    reaches = [np.arange(1.0, 51.0), np.arange(51.0, 101.0)]
    assert intervals.learn_spread(reaches, reaches).purchases == pytest.approx(90.5, abs=0.6)


def test_counts_have_the_variance_asked_for():
    counts = intervals.draw_counts(
        np.array([50.0]), np.zeros((1, 200_000)), 0.04, np.random.default_rng(1)
    )
    assert counts.mean() == pytest.approx(50, rel=0.01)
    assert counts.var() == pytest.approx(50 + 0.04 * 2500, rel=0.03)


def test_revenue_has_the_variance_asked_for():
    counts = np.full((1, 200_000), 10.0)
    revenue = intervals.draw_revenue(
        counts, np.array([2.0]), np.zeros((1, 200_000)), 3.0, 0.01, np.random.default_rng(2)
    )
    assert revenue.mean() == pytest.approx(20, rel=0.01)
    assert revenue.var() == pytest.approx(3 * 20 + 0.01 * 400, rel=0.03)
    none = intervals.draw_revenue(
        np.zeros((1, 5)), np.ones(1), np.zeros((1, 5)), 1.0, 0.0, np.random.default_rng(3)
    )
    assert (none == 0).all()


def test_what_was_never_seen_has_the_spread_asked_for():
    unseen = intervals.Unseen(season_sd=0.25, age_sd=0.2)
    season = np.zeros((3, 12))
    season[1, 4] = 1.0
    beyond = np.array([[0.0], [0.0], [0.7]])
    drawn = unseen.draw(season, beyond, 0.15, 100_000, np.random.default_rng(1))
    assert (drawn[0] == 0).all()  # a month and an age that the log has shown
    assert drawn[1].std() == pytest.approx(0.2, rel=0.02)  # 0.15 of 0.25 is drawn elsewhere
    assert drawn[2].std() == pytest.approx(0.14, rel=0.02)
    known = unseen.draw(season, beyond, 0.4, 100, np.random.default_rng(1))
    assert (known[1] == 0).all()


def test_draws_do_not_turn_with_the_last_digit_of_the_covariance():
    """Many effects are about equally uncertain, and such axes are any machine's to choose."""
    model = CohortForecaster(select=False).fit(simulated_table(), dt.date(2020, 9, 30)).model_
    cells = model.cells(dt.date(2021, 9, 30))
    design, fit = model.rates.design(cells), model.rates.fit
    noise = 1e-14 * np.random.default_rng(1).standard_normal(fit.covariance.shape)
    turned = replace(fit, covariance=fit.covariance * (1 + noise + noise.T))
    one, two = (
        intervals.draw_log_means(each, design, cells.period, 50, np.random.default_rng(2))
        for each in (fit, turned)
    )
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)
