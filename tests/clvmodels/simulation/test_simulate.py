"""The simulator against closed forms and against one customer at a time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.special import hyp2f1

from clvmodels.core.errors import InvalidValueError
from clvmodels.simulation.simulate import (
    BGNBDProcess,
    GammaGammaSpend,
    MBGNBDProcess,
    NBDProcess,
    ParetoNBDProcess,
    simulate_log,
)

N = 200_000
PROCESSES = {
    "nbd": NBDProcess(0.8, 60.0),
    "bgnbd": BGNBDProcess(0.5, 30.0, 0.8, 2.5),
    "mbgnbd": MBGNBDProcess(0.5, 30.0, 0.8, 2.5),
    "pareto_nbd": ParetoNBDProcess(0.55, 75.0, 1.6, 80.0),
}


@pytest.fixture(scope="module", params=PROCESSES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def log(family):
    return simulate_log(PROCESSES[family], N, days=200, acquisition=0, random_state=7)


def expected_repeats(family: str, t: float) -> float:
    """E[X(t)]: Fader et al. (2005) eq. 9, Batislam et al. (2007), Schmittlein et al. (1987)."""
    p = PROCESSES[family]
    if family == "nbd":
        return p.r * t / p.alpha
    if family == "pareto_nbd":
        return p.r * p.beta / (p.alpha * (p.s - 1)) * (1 - (p.beta / (p.beta + t)) ** (p.s - 1))
    z = t / (p.alpha + t)
    shrink = (p.alpha / (p.alpha + t)) ** p.r
    if family == "bgnbd":
        hyper = hyp2f1(p.r, p.b, p.a + p.b - 1, z)
        return (p.a + p.b - 1) / (p.a - 1) * (1 - shrink * hyper)
    hyper = hyp2f1(p.r, p.b + 1, p.a + p.b, z)
    return p.b / (p.a - 1) * (1 - shrink * hyper)


def share_without_repeat(family: str, t: float) -> float:
    p = PROCESSES[family]
    shrink = (p.alpha / (p.alpha + t)) ** p.r
    if family == "mbgnbd":
        return p.a / (p.a + p.b) + p.b / (p.a + p.b) * shrink
    if family == "pareto_nbd":
        # No purchase while alive: integrate over the dropout time.
        u = np.linspace(0, t, 20_001)
        density = p.s / p.beta * (p.beta / (p.beta + u)) ** (p.s + 1)
        quiet = (p.alpha / (p.alpha + u)) ** p.r
        return np.trapezoid(density * quiet, u) + (p.beta / (p.beta + t)) ** p.s * shrink
    return shrink


def test_mean_and_zero_share_match_the_closed_forms(family, log):
    frequency = log.summary()["frequency"]
    error = frequency.std() / np.sqrt(N)
    assert frequency.mean() == pytest.approx(expected_repeats(family, 200), abs=4 * error)
    share = share_without_repeat(family, 200)
    assert (frequency == 0).mean() == pytest.approx(share, abs=4 * np.sqrt(share / N))


def test_matches_one_customer_at_a_time(family):
    """An event loop per customer, by exponential gaps and coin flips, gives the same histogram."""
    rng = np.random.default_rng(11)
    process = PROCESSES[family]
    traits = process.draw(20_000, rng)
    slow = []
    for rate, dropout, lifetime in zip(traits.rate, traits.dropout, traits.lifetime, strict=True):
        count, clock = 0, 0.0
        alive = not (family == "mbgnbd" and rng.uniform() < dropout)
        while alive:
            clock += rng.exponential(1 / rate) if rate > 0 else np.inf
            if clock > min(lifetime, 100.0):
                break
            count += 1
            if family in ("bgnbd", "mbgnbd"):
                alive = rng.uniform() >= dropout
        slow.append(count)
    fast = simulate_log(process, 20_000, days=100, acquisition=0, random_state=12).summary()
    edges = [0, 1, 2, 3, 5, 8, np.inf]
    expected = np.histogram(slow, edges)[0]
    observed = np.histogram(fast["frequency"], edges)[0]
    statistic = ((observed - expected) ** 2 / (observed + expected)).sum()
    assert statistic < 22.5  # chi-square with 6 degrees of freedom, one in a thousand


def test_purchase_times_are_uniform_while_nobody_drops_out():
    log = simulate_log(NBDProcess(2.0, 10.0), 50_000, days=100, acquisition=0, random_state=3)
    repeat = log.day[log.day > 0]
    assert np.histogram(repeat, 10, (0, 100))[0] / repeat.size == pytest.approx(0.1, abs=0.002)


def test_same_seed_same_log(family):
    first = simulate_log(PROCESSES[family], 500, random_state=5).to_pandas()
    again = simulate_log(PROCESSES[family], 500, random_state=5).to_pandas()
    other = simulate_log(PROCESSES[family], 500, random_state=6).to_pandas()
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_log_is_ordered_inside_its_window_and_starts_with_the_first_purchase(family):
    log = simulate_log(
        PROCESSES[family], 5_000, start=dt.date(2021, 3, 15), days=90.5, random_state=1
    )
    frame = log.to_pandas()
    assert frame["timestamp"].is_monotonic_increasing is False
    assert frame.groupby("customer_id")["timestamp"].is_monotonic_increasing.all()
    assert frame["timestamp"].min() >= pd.Timestamp(2021, 3, 15)
    assert frame["timestamp"].max() < pd.Timestamp(2021, 3, 15) + pd.Timedelta(days=90.5)
    assert frame["timestamp"].max().date() <= log.as_of == dt.date(2021, 6, 13)
    assert (frame["date"] == frame["timestamp"].dt.normalize()).all()
    assert frame["customer_id"].nunique() == log.n_customers == 5_000


def test_summary_agrees_with_pandas_on_the_log():
    log = simulate_log(PROCESSES["bgnbd"], 3_000, days=300, random_state=2)
    until = 180.0
    summary = log.summary(until).set_index("customer_id")
    frame = pd.DataFrame({"customer": log.customer, "day": log.day, "amount": log.amount})
    grouped = frame[frame["day"] <= until].groupby("customer")
    assert len(summary) == grouped.ngroups
    assert (summary["frequency"].to_numpy() == grouped.size().to_numpy() - 1).all()
    np.testing.assert_allclose(
        summary["recency"], grouped["day"].max() - grouped["day"].min(), atol=1e-9
    )
    np.testing.assert_allclose(summary["T"], until - grouped["day"].min(), atol=1e-9)
    repeats = frame[(frame["day"] <= until) & frame["customer"].duplicated()]
    means = repeats.groupby("customer")["amount"].mean()
    np.testing.assert_allclose(summary.loc[summary["frequency"] > 0, "monetary_value"], means)
    assert (summary.loc[summary["frequency"] == 0, "monetary_value"] == 0).all()


def test_spend_has_the_gamma_gamma_moments():
    log = simulate_log(
        NBDProcess(1.0, 30.0), N, spend=GammaGammaSpend(6.0, 5.0, 20.0), days=60, random_state=4
    )
    assert log.amount.mean() == pytest.approx(6 * 20 / (5 - 1), rel=0.01)
    assert log.mean_spend.mean() == pytest.approx(30, rel=0.01)
    within = log.amount / log.mean_spend[log.customer]
    assert within.var() == pytest.approx(1 / 6.0, rel=0.02)  # Gamma of shape p and mean 1


def test_season_trend_and_cohort_effects_scale_the_purchases():
    season = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]
    common = {"days": 731, "acquisition": 0, "start": dt.date(2020, 1, 1), "random_state": 8}
    process = NBDProcess(4.0, 100.0)
    month = simulate_log(process, 20_000, season=season, **common)
    dates = month.to_pandas()["date"]
    repeats = dates[dates > pd.Timestamp(2020, 1, 1)]
    late = (repeats.dt.month > 6).mean()
    days_late = 184 * 2
    assert late == pytest.approx(1.5 * days_late / (1.5 * days_late + 0.5 * 363), abs=0.005)

    grown = simulate_log(process, 20_000, trend=np.log(2), **common)
    second = (grown.day > 365.25).sum() / (grown.day[grown.day > 0] <= 365.25).sum()
    assert second == pytest.approx(2.0, rel=0.02)

    cohorts = simulate_log(
        process,
        20_000,
        days=365,
        acquisition=60,
        cohort_effects=[1.0, 0.5],
        start=dt.date(2021, 1, 1),
        random_state=9,
    )
    frame = cohorts.summary()
    rate = frame["frequency"] / frame["T"]
    ratio = rate[cohorts.joined >= 31].mean() / rate[cohorts.joined < 31].mean()
    assert ratio == pytest.approx(0.5, rel=0.03)


def test_truth_says_who_is_still_active(family, log):
    truth = log.customers()
    p = PROCESSES[family]
    if family == "nbd":
        assert truth["alive"].all()
    if family == "pareto_nbd":
        assert truth["alive"].mean() == pytest.approx((p.beta / (p.beta + 200)) ** p.s, abs=0.005)
    if family == "bgnbd":
        assert truth["alive"][log.summary()["frequency"] == 0].all()
    if family == "mbgnbd":
        left_at_once = log.traits.most_repeats == 0
        assert left_at_once.mean() == pytest.approx(p.a / (p.a + p.b), abs=0.005)
        assert not truth["alive"][left_at_once].any()


def test_parts_have_distinct_ids():
    part = simulate_log(PROCESSES["nbd"], 10, random_state=1, first_number=10)
    assert part.customers()["customer_id"].tolist() == [f"C{n:08d}" for n in range(10, 20)]


def test_a_dropout_probability_near_zero_never_drops():
    log = simulate_log(BGNBDProcess(1.0, 10.0, 1e-6, 1e6), 1_000, days=100, random_state=1)
    assert log.customers()["alive"].all()
    assert np.isfinite(log.day).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_customers": 0}, "n_customers must be a whole number of 1 or more"),
        ({"days": -1}, "days must be positive"),
        ({"season": [1.0] * 11}, "12 positive factors"),
        ({"acquisition": [0.0, 0.0]}, "positive sum"),
        ({"acquisition": 1_000}, "exceeds"),
        ({"cohort_effects": []}, "one factor"),
    ],
)
def test_bad_arguments_say_what_was_expected(change, said):
    arguments = {"process": PROCESSES["nbd"], "n_customers": 10} | change
    with pytest.raises(InvalidValueError, match=said):
        simulate_log(**arguments)


def test_parameters_must_be_positive():
    with pytest.raises(InvalidValueError, match="needs alpha > 0"):
        BGNBDProcess(0.5, 0.0, 1.0, 1.0)
