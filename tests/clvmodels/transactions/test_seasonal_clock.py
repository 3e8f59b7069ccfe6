"""The seasonal clock: exact likelihood, recovery, and the calendar it runs on."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodels import BGNBD, MBGNBD
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError, NotFittedError
from clvmodels.transactions.seasonal_clock import SeasonalClock, _DaysByMonth

START, END = pd.Timestamp("2019-01-01"), pd.Timestamp("2020-12-31")
SEASON = np.array([0.6, 0.7, 0.9, 1.0, 0.9, 0.9, 0.9, 0.8, 1.1, 1.3, 1.9, 1.0])


def simulate(customers=4000, seed=0):
    """BG/NBD on a clock that runs with the season; days as dates."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(START, END)
    clock = np.concatenate([[0.0], np.cumsum(SEASON[days.month - 1])])
    first = rng.integers(0, 300, customers)
    rate = rng.gamma(0.8, 1 / 40.0, customers)
    drop = rng.beta(0.5, 4.0, customers)
    rows, months = [], []
    for i in range(customers):
        at, last, count = clock[first[i] + 1], first[i], 0
        while True:
            at += rng.exponential(1 / rate[i])
            day = int(np.searchsorted(clock, at)) - 1
            if at > clock[-1] or day >= days.size:
                break
            last, count = max(day, last + 1), count + 1
            if last >= days.size:
                count, last = count - 1, days.size - 1
                break
            months.append(days[last].replace(day=1))
            if rng.random() < drop[i]:
                break
        rows.append(
            (count, last - first[i] if count else 0, days.size - 1 - first[i], days[first[i]])
        )
    summary = pd.DataFrame(rows, columns=["frequency", "recency", "T", "first_purchase"])
    return summary, pd.Series(months).value_counts()


@pytest.fixture(scope="module")
def log():
    return simulate()


@pytest.fixture(scope="module")
def clock(log):
    return SeasonalClock().fit(*log)


def test_season_is_recovered(clock):
    np.testing.assert_allclose(np.log(clock.season_ / (SEASON / SEASON.mean())), 0, atol=0.15)
    assert clock.log_likelihood_ - clock.plain_log_likelihood_ > 100


@pytest.mark.parametrize("model", [BGNBD, MBGNBD])
def test_season_maximises_the_likelihood_by_finite_differences(log, model, monkeypatch):
    monkeypatch.setattr("clvmodels.transactions.seasonal_clock.PRIOR_PURCHASES", 0.0)
    summary, months = log
    clock = SeasonalClock(model(), rounds=300, tolerance=1e-7).fit(summary, months)
    counts = months.groupby(months.index.month).sum().to_numpy()
    best = clock.season_.copy()

    def log_likelihood(season):
        clock.season_ = season
        plain = model().fit(clock.operational(summary)).log_likelihood_
        return plain + counts @ np.log(season)

    for month in (0, 5, 10):
        step = np.where(np.arange(12) == month, 0.01, 0.0)
        up, down = log_likelihood(best * np.exp(step)), log_likelihood(best * np.exp(-step))
        assert abs(up - down) / 0.02 < 0.5  # of several hundred purchases a month
    clock.season_ = best


def test_a_flat_season_is_the_plain_model(log, clock):
    summary, _ = log
    flat = SeasonalClock()
    flat.season_, flat.model_ = np.ones(12), clock.model_
    pd.testing.assert_frame_equal(
        flat.operational(summary), summary.astype({"recency": float, "T": float})
    )
    np.testing.assert_allclose(flat.horizons(END.date(), [10, 30]), [10, 30])


def test_horizons_run_with_the_calendar(clock):
    lengths = clock.horizons(dt.date(2020, 10, 31), [30, 61])
    assert lengths[0] == pytest.approx(30 * clock.season_[10])
    assert lengths[1] - lengths[0] == pytest.approx(31 * clock.season_[11])


def test_expected_purchases_follow_the_season(log, clock):
    made = clock.expected_purchases(log[0], END.date(), [31, 304, 334]).sum(axis=0)
    january, november = made[0], made[2] - made[1]
    ratio = clock.season_[10] * 30 / (clock.season_[0] * 31)
    assert 0.6 * ratio < november / january < 1.05 * ratio


def test_errors_name_what_is_wrong(log):
    summary, months = log
    with pytest.raises(MissingColumnError, match="first_purchase"):
        SeasonalClock().fit(summary.drop(columns="first_purchase"), months)
    with pytest.raises(DataError, match="same log"):
        SeasonalClock().fit(summary, months * 2)
    with pytest.raises(NotFittedError, match="fit"):
        SeasonalClock().horizons(END.date(), 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, m: (s.assign(weight="1"), m), "weight must be numeric"),
        (lambda s, m: (s.assign(T=np.nan), m), "T must be a finite number"),
        (lambda s, m: (s, m.astype(str)), "purchases_by_month must hold numbers"),
    ],
)
def test_text_and_gaps_are_refused(log, change, message):
    with pytest.raises(InvalidValueError, match=message):
        SeasonalClock().fit(*change(*log))


def test_edges_are_days(clock):
    with pytest.raises(InvalidValueError, match="edges must hold numbers"):
        clock.horizons(END.date(), ["30"])


def test_with_covariates_each_customer_has_a_rate_of_her_own(log):
    summary = log[0].assign(online=np.arange(len(log[0])) % 2)
    known = {"r": 0.8, "alpha": 40.0, "a": 0.5, "b": 4.0}
    description = BGNBD.from_params(**known).to_dict()
    description["settings"]["purchase_covariates"] = ["online"]
    description["params"]["purchase:online"] = 1.0
    clock = SeasonalClock()
    clock.season_, clock.model_ = SEASON, BGNBD.from_dict(description)

    def expected(clock, rows):
        return clock._expected_at_one(rows, np.ones(len(rows)), _DaysByMonth.of(rows))

    # Rows of one first day, so that parts of the table have the calendar of the whole.
    rows = summary[summary["first_purchase"] == summary["first_purchase"].iloc[0]]
    apart = []
    for online, group in rows.groupby("online"):
        plain = SeasonalClock()
        plain.season_ = SEASON
        plain.model_ = BGNBD.from_params(**known | {"alpha": 40.0 * np.exp(-online)})
        apart.append(expected(plain, group))
    np.testing.assert_allclose(expected(clock, rows), sum(apart), rtol=1e-12)
