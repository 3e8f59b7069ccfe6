"""The whole company: known customers and those still to come, with intervals of their sum."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close
from cohort_tables import AS_OF, UNTIL, simulated_table

from benchmarks import by_kind, kinds
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.errors import InvalidValueError

QUANTITIES = ("purchases", "revenue")


@pytest.fixture(scope="module")
def fitted():
    return CohortForecaster(draws=400, select=False).fit(simulated_table(), AS_OF)


def width(table, name="revenue"):
    return float((table[f"{name}_high"] - table[f"{name}_low"]).sum())


def test_points_are_those_of_both_forecasts(fitted):
    company = fitted.forecast_company(UNTIL).set_index("period")
    known, new = fitted.forecast(UNTIL, level="month"), fitted.forecast_new(UNTIL)
    for name in QUANTITIES:
        coming = (new[name] + new[f"first_{name}"]).groupby(new["period"]).sum()
        assert_close(company[name].to_numpy(), known[name].to_numpy() + coming.to_numpy())
        assert (company[f"{name}_low"] <= company[name]).all()
        assert (company[name] <= company[f"{name}_high"]).all()
    total = fitted.forecast_company(UNTIL, level="total")
    assert total["revenue"].iloc[0] == pytest.approx(company["revenue"].sum())
    assert width(total) < width(company)


def test_a_plan_is_taken_as_given_and_nobody_adds_nothing(fitted):
    expected = fitted.expected_acquisitions(UNTIL)
    open_, planned = (
        fitted.forecast_company(UNTIL, expected, np.full(len(expected), plan), level="total")
        for plan in (False, True)
    )
    assert width(planned) < width(open_)
    assert planned["revenue"].iloc[0] == pytest.approx(open_["revenue"].iloc[0])
    none = fitted.forecast_company(UNTIL, 0.0 * expected)
    known = fitted.forecast(UNTIL, level="month")
    for name in QUANTITIES:
        assert_close(none[name].to_numpy(), known[name].to_numpy(), rtol=1e-6)


def test_the_same_seed_gives_the_same_intervals(fitted):
    one, two = (fitted.forecast_company(UNTIL) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_an_unknown_level_is_refused(fitted):
    with pytest.raises(InvalidValueError, match="month or total"):
        fitted.forecast_company(UNTIL, level="cohort_month")


@pytest.mark.slow
def test_intervals_hold_at_every_level_they_are_shown_for():
    """Over 99 simulated logs of nine kinds, at one past date each, drawn at random."""
    found = []
    for seed in range(900, 911):
        for kind in kinds.KINDS:
            log = kinds.simulated(kind, seed)
            found.append(by_kind.held(log, by_kind.some_origin(log, seed)))
    shares = pd.DataFrame(found).mean()
    # Two standard errors of a share of 0.9 over 99 logs, each of which counts once.
    doubt = 2 * np.sqrt(0.9 * 0.1 / len(found))
    assert shares.between(0.9 - doubt, 0.9 + doubt).all(), shares


def test_wide_intervals_hold_everything_and_none_holds_what_lies_beyond():
    log = kinds.simulated(kinds.short, 1)
    shares = by_kind.held(log, dt.date(2020, 6, 30), draws=50)
    assert len(shares) == 10
    more = log.days.assign(amount=1e6 * log.days["amount"].where(log.days["date"] > "2020-06-30"))
    beyond = kinds.KindOfLog(log.name, more.fillna({"amount": 1.0}), log.first, log.last)
    far = by_kind.held(beyond, dt.date(2020, 6, 30), draws=50)
    assert {share for (_, name), share in far.items() if name == "revenue"} == {0.0}
    assert far["month", "purchases"] == shares["month", "purchases"]
