"""What a plan reads of the log, and how long it says that it takes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from shop import dataset_of

from clvmodels.core.errors import ConfigError, DataError
from clvmodels.finance.clv import UnitEconomics
from pipelines.config.experiment import Experiment
from pipelines.experiments import planning
from pipelines.experiments.planning import History

PAST = History(1000, 2.0, 5.0, 4.0, 3000, 10.0)


def experiment(**changes):
    arms = {"none": {}, "mail": {}}
    raw = {
        "name": "t",
        "metrics": ["purchases"],
        "core_metric": "purchases",
        "factors": {"arm": {"control": "none", "arms": arms}},
        "plan": {"effect": 0.5},
    }
    return Experiment.model_validate(raw | changes)


def test_a_plan_by_hand():
    """n = 2 (z + z)² 2 σ² / δ² of normal theory, and one or two customers more for Student's t."""
    told = planning.plan(experiment(), PAST, None)
    (row,) = told["comparisons"]
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert row["customers"] == pytest.approx(4 * z**2 * 16 / 0.25, abs=5)
    assert row["customers_without_forecast"] == pytest.approx(4 * z**2 * 25 / 0.25, abs=5)
    assert told["variance_gain"] == pytest.approx(0.36)
    assert row["days"] == 14
    assert row["least_effect_with_all_known"] == pytest.approx(2 * z * 4 / 3000**0.5, rel=2e-3)


def test_more_metrics_arms_and_uneven_shares_need_more():
    def needed(**changes):
        return planning.plan(experiment(**changes), PAST, None)["comparisons"][0]["customers"]

    arms = {"none": {}, "mail": {}, "call": {}}
    uneven = {"none": {"share": 9}, "mail": {"share": 1}}
    one = needed()
    assert needed(metrics=["purchases", "revenue"]) > one
    assert needed(factors={"arm": {"control": "none", "arms": arms}}) > 1.5 * one
    ratio = needed(factors={"arm": {"control": "none", "arms": uneven}}) / one
    assert ratio == pytest.approx((1 / 0.9 + 1 / 0.1) / 4, rel=1e-2)


def test_days_go_by_who_is_known_and_who_comes():
    assert planning.days_for(3000, PAST, 14, "known") == 14
    assert planning.days_for(3015, PAST, 14, "known") == 14 + 2
    assert planning.days_for(3015, PAST, 14, "new") == 14 + 302
    none = History(1000, 2.0, 5.0, 4.0, 3000, 0.0)
    assert planning.days_for(3001, none, 14, "known") is None


def test_what_cannot_be_planned_is_refused():
    bare = experiment(factors={"arm": {"control": "none"}})
    with pytest.raises(ConfigError, match=r"needs the arms of \[factors.arm\]"):
        planning.plan(bare, PAST, None)
    lift = experiment(plan={"lift": 0.1})
    with pytest.raises(ConfigError, match="share of the mean purchases"):
        planning.plan(lift, History(10, -1.0, 5.0, 4.0, 10, 1.0), None)
    with pytest.raises(DataError, match="for every one of 10 customers"):
        planning.plan(lift, History(10, 1.0, 0.0, 0.0, 10, 1.0), None)
    tiny = experiment(plan={"effect": 1e-9})
    with pytest.raises(DataError, match="mail against none: an effect of 1e-09 is too small"):
        planning.plan(tiny, PAST, None)


@pytest.mark.parametrize("enrol", ["known", "new"])
def test_history_is_the_last_window_of_the_log(log, config, tmp_path, enrol):
    """Counted again from the rows of the log, as it was early on, while customers still came."""
    early = log[log["when"] < "2021-12-01"]
    asked = experiment(plan={"effect": 0.5, "enrol": enrol}, window_days=30)
    with dataset_of(early, config, tmp_path) as data:
        as_of = pd.Timestamp(data.as_of)
        found = planning.history(
            data.snapshot,
            asked,
            settings=config.train,
            economics=UnitEconomics(0.4, 0.0, 0.1),
            horizon_months=6,
        )
    days = early.assign(day=pd.to_datetime(early["when"]).dt.normalize())
    days = days.drop_duplicates(["who", "day"])
    first = days.groupby("who")["day"].min()
    begins = as_of - pd.Timedelta(days=30)
    chosen = first[first <= begins]
    start = pd.Series(begins + pd.Timedelta(days=1), index=chosen.index)
    if enrol == "new":
        chosen = chosen[chosen > begins - pd.Timedelta(days=90)]
        start = chosen + pd.Timedelta(days=1)
    since = days["who"].map(start)
    inside = days[(days["day"] >= since) & (days["day"] < since + pd.Timedelta(days=30))]
    values = inside.groupby("who").size().reindex(chosen.index, fill_value=0)
    assert found.customers == len(chosen)
    assert found.mean == pytest.approx(values.mean())
    assert found.deviation == pytest.approx(values.std())
    assert found.available == len(first)
    assert found.arrivals == pytest.approx((first > as_of - pd.Timedelta(days=90)).sum() / 90)
    assert found.arrivals > 0
    if enrol == "known":
        assert found.adjusted_deviation < found.deviation
    else:
        assert found.adjusted_deviation == pytest.approx(found.deviation)
    assert math.isfinite(np.sum([found.mean, found.adjusted_deviation]))
