"""The cohort forecast over the customer forecast: sums, intervals, and what a later day changes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from at_a_day import everybody_at, grid_at, history_at, training_at

from clvmodels.core.errors import DataError
from pipelines.data import features
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.levelling import cohort_level
from pipelines.training import fit as train

AS_OF = dt.date(2022, 6, 30)


@pytest.fixture(scope="module")
def known(data, config):
    return training_at(AS_OF, data, config)


@pytest.fixture(scope="module")
def fitted(known, config):
    return train.estimate(replace(known, churn=()), config.train)


def level_at(as_of, data, fitted, config):
    grid, everybody = grid_at(as_of, config), everybody_at(as_of, data)
    base = forecast.history_sums(fitted, everybody, grid)
    return base, grid, cohort_level(fitted, everybody, history_at(as_of, data), grid)


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


def test_a_customer_of_no_known_cohort_is_refused(data, fitted, config):
    """Instead of scaled as the last cohort is."""
    _, _, level = level_at(AS_OF, data, fitted, config)
    summary = features.summary(data.purchases, AS_OF).to_pandas().head(3)
    strange = summary.assign(cohort=pd.Timestamp(1999, 5, 1))
    with pytest.raises(DataError, match=r"3 customers belong to cohorts without factors.*1999-05"):
        level.customer_months(fitted, strange)


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


class Louder:
    """A cohort forecast of so many times as much."""

    def __init__(self, forecaster, purchases, revenue):
        self.forecaster, self.times = forecaster, {"purchases": purchases, "revenue": revenue}

    def __getattr__(self, name):
        return getattr(self.forecaster, name)

    def forecast(self, *given, **more):
        made = self.forecaster.forecast(*given, **more)
        for quantity, times in self.times.items():
            columns = [name for name in made if str(name).startswith(quantity)]
            made[columns] *= times
        return made


@pytest.mark.parametrize("times", [(40.0, 40.0), (1.0, 40.0), (1.0, 0.01)])
def test_what_nobody_can_carry_is_given_back_and_every_table_follows(data, fitted, config, times):
    louder = replace(fitted, cohorts=Louder(fitted.cohorts, *times))
    _, grid, level = level_at(AS_OF, data, louder, config)
    customers = features.summary(data.purchases, AS_OF).to_pandas()
    months = level.customer_months(louder, customers)
    sums = forecast.cohort_sums(customers["cohort"], months, grid)
    pd.testing.assert_frame_equal(sums, level.cells, check_dtype=False, rtol=1e-9)
    asked = louder.cohorts.forecast(grid.until)
    most = forecast.bounds(louder, customers, grid).purchases.sum()
    for quantity in ("purchases", "revenue"):
        left = level.corrections[f"{quantity}_unplaced"].sum()
        assert left == pytest.approx(asked[quantity].sum() - level.cells[quantity].sum(), rel=1e-9)
    made = level.cells[["purchases", "revenue"]].sum()
    if times[0] > 1:
        assert made["purchases"] == pytest.approx(most, rel=1e-6)
    else:
        assert made["purchases"] == pytest.approx(asked["purchases"].sum(), rel=1e-9)
        value = (months.purchases.sum(axis=1) * months.spend).sum()
        assert made["revenue"] == pytest.approx(value, rel=1e-9)
        # a cohort's orders are at most three times, at least a third of those of its customers
        alone = (months.purchases.sum(axis=1) * louder.spend.expected_spend(
            forecast.spend_table(customers, louder.spend_from))).sum()  # fmt: skip
        assert alone / 3 < made["revenue"] < 3 * alone
    for scope, keys in (("cohort_month", ["cohort", "period"]), ("month", ["period"])):
        cells = level.cells.groupby(keys, as_index=False)[["purchases", "revenue"]].sum()
        ends = level.with_intervals(cells, scope)
        assert (ends["purchases_low"] <= ends["purchases"] + 1e-9).all()
        assert (ends["purchases"] <= ends["purchases_high"] + 1e-9).all()
        assert ends["purchases_high"].sum() < 30 * made["purchases"]


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
