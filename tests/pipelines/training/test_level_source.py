"""The customers' own level is taken only where a year of log shows it to be plainly better."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from shop import TRAINED_AS_OF, dataset_of

from clvmodels.core import metrics
from clvmodels.core.months import month_end
from clvmodels.simulation.simulate import ParetoNBDProcess, simulate_log
from pipelines.data.features import cohorts as features
from pipelines.data.features.histories import histories
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.levelling import cohort_level
from pipelines.training import fit as train
from pipelines.training import level_source as level_choice
from pipelines.training import snapshot as training_data

AS_OF = dt.date(2023, 3, 31)

QUICK_TO_LEAVE = ParetoNBDProcess(r=3, alpha=15, s=50, beta=7500)
"""Everybody leaves at nearly the same steady rate, within half a year on average, and without
season: what the customer models know exactly, and no power of age does."""


@pytest.fixture(scope="module")
def steady(config, tmp_path_factory):
    log = simulate_log(QUICK_TO_LEAVE, 400, start=dt.date(2022, 1, 1), days=455, random_state=2)
    bought = log.to_pandas()
    log = pd.DataFrame(
        {
            "who": bought["customer_id"],
            "when": bought["date"],
            "paid": 20.0,
            "land": "here",
        }
    )
    with dataset_of(log, config, tmp_path_factory.mktemp("steady")) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def known(steady, config):
    return training_data.extract(steady.purchases, steady.first_date, AS_OF, config)


@pytest.fixture(scope="module")
def fitted(known, config):
    return train.estimate(known, config)


def test_steady_customers_without_season_keep_their_own_level(steady, known, fitted, config):
    assert fitted.level == "customers"
    assert any("sum of the customer models" in note for note in fitted.notes)
    grid = forecast.default_grid(AS_OF, config)
    summary = features.summary(steady.purchases, AS_OF, people="all")
    level = cohort_level(fitted, histories(summary), grid, known.cohort_months, steady.first_date)
    np.testing.assert_allclose(level.purchases, 1.0, rtol=1e-9)
    made = level.with_intervals(level.cells, "cohort_month")
    assert (made["purchases_low"] <= made["purchases"]).all()
    assert (made["purchases"] <= made["purchases_high"]).all()
    by_cohorts = fitted.cohorts.forecast(grid.until, level="month").set_index("period")
    value = by_cohorts["revenue"] / by_cohorts["purchases"]
    months = level.cells.groupby("period")[["purchases", "revenue"]].sum()
    assert (months["revenue"] / months["purchases"] / value).between(0.8, 1.25).all()


def test_errors_are_those_of_forecasts_made_at_the_earlier_origins(steady, known, config):
    models = train.fit_earlier(known.churn, config)
    options = train.fit_cohorts(known, config).options_
    errors = level_choice.replayed(known, models, options).set_index("origin")
    assert len(errors) == level_choice.LEAST_ORIGINS
    origin = known.churn[1].origin
    at = training_data.extract(steady.purchases, steady.first_date, origin, config)
    there = replace(train.estimate(replace(at, churn=()), config), level="cohorts")
    grid = forecast.month_grid(origin, AS_OF)
    summary = features.summary(steady.purchases, origin, people="all")
    alone = replace(there, transactions=models[1])
    made = forecast.history_sums(alone, histories(summary), grid, "quarter")
    actual = features.cohort_actuals(steady.purchases, origin, AS_OF, cohort="quarter")
    both = actual.merge(made, on=["cohort", "period"], suffixes=("_actual", ""), validate="1:1")
    wape = metrics.wape(both["purchases_actual"], both["purchases"])
    assert errors.loc[origin, "customers"] == pytest.approx(wape, rel=1e-9)


def test_a_log_of_less_than_a_year_cannot_tell(known, config):
    models = train.fit_earlier(known.churn, config)
    options = train.fit_cohorts(known, config).options_
    late = known.cohort_months["cohort"] >= pd.Timestamp("2022-05-01")
    short = replace(known, cohort_months=known.cohort_months[late])
    assert level_choice.choose_level(short, models, options) == ("cohorts", None)


def test_a_shop_with_a_season_follows_its_cohorts(data, config):
    known = training_data.extract(data.purchases, data.first_date, TRAINED_AS_OF, config)
    assert train.estimate(known, config).level == "cohorts"
    assert all(part.origin == month_end(part.origin) for part in known.churn)
