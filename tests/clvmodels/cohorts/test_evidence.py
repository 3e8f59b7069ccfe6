"""What a log can afford to estimate, and the words for it."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest
from cohort_tables import simulated_table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.learning.choice import affordable
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.numerics import loglinear


def note(first: int, months: int) -> list[str]:
    """The notes on a log of so many months, the first one counted from January as 0."""
    table = SimpleNamespace(whole_months=np.arange(2020 * 12 + first, 2020 * 12 + first + months))
    return affordable(RateOptions(), table)[1]


@pytest.mark.parametrize(
    ("first", "months", "said"),
    [
        (0, 6, "show no month of the year twice; the season of 6 rests on one sight"),
        (0, 6, "; July to December have not been seen: they are forecast without season"),
        (10, 6, "; May to October have not been seen"),
        (3, 7, "; November to March have not been seen"),
        (1, 11, "; January has not been seen: it is forecast without season"),
        (4, 13, "show 1 month of the year twice; the season of 11 rests on one sight"),
        (4, 23, "show 11 months of the year twice; the season of 1 rests on one sight"),
    ],
)
def test_months_of_the_year_are_counted_as_the_log_has_seen_them(first, months, said):
    (told,) = note(first, months)
    assert told.startswith(f"{months} months of log ")
    assert said in told


def test_a_year_of_log_leaves_no_month_unseen():
    assert "not been seen" not in note(4, 12)[0]
    assert note(4, 24) == []


def test_too_short_a_log_has_no_season():
    options, (told,) = affordable(RateOptions(), SimpleNamespace(whole_months=np.arange(5)))
    assert not options.season
    assert "cannot show a season" in told


def test_a_season_that_is_dropped_is_not_told_as_if_it_were_used():
    table = simulated_table(season=np.zeros(12), seed=0)
    fitted = CohortForecaster(draws=10).fit(table, dt.date(2021, 11, 30))
    assert fitted.evidence_["chosen"] == "no season"
    assert "one sight" not in " ".join(fitted.evidence_["notes"])


def test_a_fit_that_has_not_settled_is_told(monkeypatch):
    table = simulated_table(season=np.zeros(12), seed=0)
    settled = CohortForecaster(select=False, draws=10).fit(table, dt.date(2021, 11, 30))
    assert "not settled" not in " ".join(settled.evidence_["notes"])
    monkeypatch.setattr(loglinear, "MOST_ROUNDS", 2)
    hasty = CohortForecaster(select=False, draws=10).fit(table, dt.date(2021, 11, 30))
    assert "the spread of effects in rates had not settled" in " ".join(hasty.evidence_["notes"])
