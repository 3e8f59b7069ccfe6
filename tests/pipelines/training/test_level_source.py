"""The customers' own level is taken only where a year of log shows it to be plainly better."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from at_a_day import everybody_at, level_at, training_at
from shop import TRAINED_AS_OF, dataset_of

from clvmodels.core import metrics
from clvmodels.core.months import month_end
from clvmodels.simulation.simulate import ParetoNBDProcess, simulate_log
from pipelines.data import features
from pipelines.forecasting import customers as forecast
from pipelines.training import fit as train
from pipelines.training import level_source as level_choice
from pipelines.training.level_source import LevelSource

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
    return training_at(AS_OF, steady, config)


@pytest.fixture(scope="module")
def fitted(known, config):
    return train.estimate(known, config.train)


def test_steady_customers_without_season_keep_their_own_level(steady, known, fitted, config):
    assert fitted.level == "customers"
    assert any("sum of the customer models" in note for note in fitted.notes)
    level = level_at(AS_OF, steady, fitted, config)
    np.testing.assert_allclose(level.purchases, 1.0, rtol=1e-9)
    made = level.with_intervals(level.cells, "cohort_month")
    assert (made["purchases_low"] <= made["purchases"]).all()
    assert (made["purchases"] <= made["purchases_high"]).all()
    by_cohorts = fitted.cohorts.forecast(level.grid.until, level="month").set_index("period")
    value = by_cohorts["revenue"] / by_cohorts["purchases"]
    months = level.cells.groupby("period")[["purchases", "revenue"]].sum()
    assert (months["revenue"] / months["purchases"] / value).between(0.8, 1.25).all()


def test_errors_are_those_of_forecasts_made_at_the_earlier_origins(steady, known, fitted, config):
    models = train.fit_earlier(known.churn, fitted.choice.name)
    options = train.fit_cohorts(known, config.train.seed).options_
    errors = level_choice.errors_at_earlier_origins(known, models, options).set_index("origin")
    assert len(errors) == level_choice.LEAST_ORIGINS
    origin = known.churn[1].origin
    at = training_at(origin, steady, config)
    there = replace(train.estimate(replace(at, churn=()), config.train), level=LevelSource.COHORTS)
    grid = forecast.month_grid(origin, AS_OF)
    alone = replace(there, transactions=models[1])
    made = forecast.history_sums(alone, everybody_at(origin, steady), grid, "quarter")
    actual = features.cohort_actuals(steady.purchases, origin, AS_OF, cohort="quarter")
    both = actual.merge(made, on=["cohort", "period"], suffixes=("_actual", ""), validate="1:1")
    wape = metrics.wape(both["purchases_actual"], both["purchases"])
    assert errors.loc[origin, "customers"] == pytest.approx(wape, rel=1e-9)


def test_a_log_of_less_than_a_year_cannot_tell(known, fitted, config):
    models = train.fit_earlier(known.churn, fitted.choice.name)
    options = train.fit_cohorts(known, config.train.seed).options_
    late = known.cohort_months["cohort"] >= pd.Timestamp("2022-05-01")
    short = replace(known, history=replace(known.history, months=known.cohort_months[late]))
    assert level_choice.choose_level(short, models, options) == ("cohorts", None)


def test_a_shop_with_a_season_follows_its_cohorts(data, config):
    known = training_at(TRAINED_AS_OF, data, config)
    assert train.estimate(known, config.train).level is LevelSource.COHORTS
    assert all(part.origin == month_end(part.origin) for part in known.churn)
