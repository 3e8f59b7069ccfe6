"""The cohort forecast over the customer forecast: sums, intervals, and what a later day changes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines import features, forecast, train, training_data
from pipelines.cohort_level import cohort_level
from pipelines.histories import histories

AS_OF = dt.date(2022, 6, 30)


@pytest.fixture(scope="module")
def known(data, config):
    return training_data.extract(data.purchases, data.first_date, AS_OF, config)


@pytest.fixture(scope="module")
def fitted(known, config):
    return train.estimate(replace(known, churn=()), config)


def level_at(as_of, data, fitted, config):
    grid = forecast.default_grid(as_of, config)
    summary = features.summary(data.purchases, as_of, people="all")
    known = histories(summary)
    history = features.cohort_months(data.purchases, as_of)
    base = forecast.history_sums(fitted, known, grid)
    return base, grid, cohort_level(fitted, known, grid, history, data.first_date)


def test_company_and_cohorts_meet_the_cohort_forecast_in_every_month(data, fitted, config):
    _, grid, level = level_at(AS_OF, data, fitted, config)
    company = level.cells.groupby("period")[["purchases", "revenue"]].sum()
    wanted = fitted.cohorts.forecast(grid.until, level="month").set_index("period")
    np.testing.assert_allclose(company, wanted[["purchases", "revenue"]], rtol=1e-9)


def test_customers_add_up_to_their_scaled_cohort(data, fitted, config):
    _, grid, level = level_at(AS_OF, data, fitted, config)
    summary = features.summary(data.purchases, AS_OF).to_pandas()
    sums = forecast.cohort_sums(summary["cohort"], level.customer_months(fitted, summary), grid)
    pd.testing.assert_frame_equal(sums, level.cells, check_dtype=False, rtol=1e-9)


def test_intervals_hold_their_point_forecast_at_every_level(data, fitted, config):
    _, _, level = level_at(AS_OF, data, fitted, config)
    made = level.with_intervals(level.cells, "cohort_month")
    for quantity in ("purchases", "revenue"):
        assert (made[f"{quantity}_low"] <= made[quantity] + 1e-9).all()
        assert (made[quantity] <= made[f"{quantity}_high"] + 1e-9).all()
        assert (made[f"{quantity}_high"] > made[f"{quantity}_low"]).any()


def test_corrections_say_how_far_each_cohort_is_believed(data, fitted, config):
    base, _, level = level_at(AS_OF, data, fitted, config)
    assert list(level.corrections["cohort"]) == list(level.cohorts)
    assert level.corrections["weight"].between(0, 1).all()
    ratio = level.cells.groupby("cohort")["purchases"].sum()
    ratio /= base.groupby("cohort")["purchases"].sum()
    np.testing.assert_allclose(level.corrections["purchases_factor"], ratio, rtol=1e-9)
    unplaced = level.corrections[["purchases_unplaced", "revenue_unplaced"]]
    np.testing.assert_allclose(unplaced, 0.0, atol=1e-6)


def test_without_a_cohort_forecast_customers_stay_as_they_are(data, fitted, config):
    base, _, level = level_at(AS_OF, data, replace(fitted, cohorts=None), config)
    pd.testing.assert_frame_equal(level.cells, base, check_dtype=False, rtol=1e-12)
    assert level.with_intervals(base, "cohort_month")["revenue_low"].isna().all()
    assert level.corrections.empty


def test_a_later_day_learns_the_level_anew_and_keeps_what_was_chosen(data, fitted, config):
    later = dt.date(2022, 9, 30)
    _, _, level = level_at(later, data, fitted, config)
    assert level.forecaster is not fitted.cohorts
    assert level.forecaster.options_ == fitted.cohorts.options_
    assert level.forecaster.evidence_["as_of"] == later.isoformat()
