"""Drivers by month and by cohort: read, used, saved, and never from after an origin."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from at_a_day import grid_at, level_at, training_at
from closeness import assert_close
from shop import altered, dataset_of

from clvmodels.core.errors import ConfigError, DataError
from clvmodels.finance.clv import UnitEconomics
from pipelines.backtesting.candidates import FORECASTS, Known
from pipelines.config.load import Config, Plan
from pipelines.data import features
from pipelines.data.features import drivers
from pipelines.data.features.histories import histories
from pipelines.jobs import stages
from pipelines.registry import store as registry
from pipelines.training import effects
from pipelines.training import fit as train

AS_OF = dt.date(2022, 6, 30)
MONTHS = pd.date_range("2021-01-01", "2023-06-01", freq="MS")


@pytest.fixture(scope="module")
def spend():
    draws = np.random.default_rng(6).lognormal(7.0, 0.4, MONTHS.size).round(2)
    return pd.DataFrame({"month": MONTHS.strftime("%Y-%m"), "spend": draws, "price": 100 + draws})


@pytest.fixture(scope="module")
def told(config, spend, tmp_path_factory) -> Config:
    """The shop's configuration with drivers by month and the mix of countries."""
    path = tmp_path_factory.mktemp("drivers") / "spend.csv"
    spend.to_csv(path, index=False)
    raw = config.model_dump(exclude={"from_preset"})
    raw["covariates"] = {
        "path": str(path),
        "period": "month",
        "columns": ["spend", "price"],
        "log": ["spend"],
        "by_cohort": ["country"],
    }
    return Config.model_validate(raw)


def extracted(data, config, as_of=AS_OF):
    return replace(training_at(as_of, data, config), churn=())


@pytest.fixture(scope="module")
def known(data, told):
    return extracted(data, told)


@pytest.fixture(scope="module")
def fitted(known, told):
    return train.estimate(known, told.train)


def test_drivers_by_month_are_the_file_s_and_transformed(known, spend):
    table = known.drivers.period
    assert list(table.columns) == ["period", "log(spend)", "price"]
    np.testing.assert_allclose(np.exp(table["log(spend)"]), spend["spend"])
    np.testing.assert_allclose(table["price"], spend["price"])


def test_the_mix_of_cohorts_is_that_of_the_raw_log(known, log):
    days = log.assign(day=pd.to_datetime(log["when"]))
    first = days[days["day"] <= pd.Timestamp("2022-06-30 23:59:59")].sort_values("day")
    first = first.groupby("who").first()
    cohort = first["day"].dt.to_period("M").dt.start_time
    share = pd.crosstab(cohort, first["land"], normalize="index")
    common = first["land"].value_counts()
    top = sorted(common.index, key=lambda land: (-common[land], land))[:2]
    mix = known.drivers.cohort.set_index("cohort")
    assert list(mix.columns) == [f"country = {land}" for land in top]
    np.testing.assert_allclose(mix, share[top])


def test_at_most_three_values_are_told_apart_and_the_rest_is_the_reference(data, config):
    summary = features.summary(data.purchases, AS_OF, people="all")
    many = summary.mutate(channel=summary.customer_id.right(1))
    mix = drivers._by_cohort(many, ("channel",))
    assert len(mix.columns) == 1 + drivers.TOP_VALUES
    assert (mix.drop(columns="cohort").sum(axis=1) <= 1).all()
    one = summary.mutate(channel=summary.customer_id.left(1))
    assert drivers._by_cohort(one, ("channel",)) is None


def test_a_value_of_fewer_than_ten_customers_names_no_covariate():
    """Its name would stand in the saved model and on its card."""
    values = ["web"] * 30 + ["shop"] * 10 + ["gift of Ann"] * 9 + ["post"]
    table = pd.DataFrame({"cohort": pd.Timestamp("2022-01-01"), "channel": values})
    mix = drivers._by_cohort(ibis.memtable(table), ("channel",))
    assert list(mix.columns) == ["cohort", "channel = web", "channel = shop"]
    np.testing.assert_allclose(mix.iloc[0, 1:].astype(float), [30 / 50, 10 / 50])
    few = table[table["channel"].isin(["gift of Ann", "post"])]
    assert drivers._by_cohort(ibis.memtable(few), ("channel",)) is None


def test_nothing_after_the_origin_is_fitted(data, log, told, known, fitted, spend, tmp_path):
    """Another future of the log and another plan change no parameter."""
    plan = spend.assign(spend=np.where(pd.Timestamp(AS_OF) < MONTHS, 9.0, spend["spend"]))
    plan.to_csv(tmp_path / "spend.csv", index=False)
    changed = told.covariates.model_copy(update={"path": str(tmp_path / "spend.csv")})
    planned = told.model_copy(update={"covariates": changed})
    with dataset_of(altered(log, AS_OF), told, tmp_path) as future:
        other = extracted(future, planned)
    assert_close(replace(other, drivers=known.drivers), known)
    pd.testing.assert_frame_equal(other.drivers.cohort, known.drivers.cohort)
    again = train.estimate(other, planned.train)
    assert_close(again.cohorts.to_dict(), fitted.cohorts.to_dict())
    assert again.notes == fitted.notes


def test_the_notes_say_whether_they_are_used(fitted):
    notes = [note for note in fitted.notes if "with them" in note]
    assert len(notes) == 1
    assert "earlier origins the error per cohort-month" in notes[0]


def forced(known, told):
    """A model that uses its covariates, whatever the replays say."""
    fitted = train.estimate(known, told.train)
    forecaster = type(fitted.cohorts)(select=False, random_state=1).fit(
        known.cohort_months,
        AS_OF,
        log_start=known.first_date,
        period_covariates=known.drivers.period,
        cohort_covariates=known.drivers.cohort,
    )
    return replace(fitted, cohorts=forecaster)


@pytest.fixture(scope="module")
def using(known, told):
    return forced(known, told)


def test_a_plan_of_more_spend_changes_the_forecast_by_the_effect_found(data, using, told, known):
    level = level_at(AS_OF, data, using, told)
    table = known.drivers.period
    more = table.assign(price=table["price"] + 100.0 * (table["period"] > pd.Timestamp(AS_OF)))
    dear = replace(using, drivers=replace(known.drivers, period=more))
    other = level_at(AS_OF, data, dear, told)
    found = {(e["name"], e["quantity"]): e["effect"] for e in using.cohorts.evidence_["covariates"]}
    ratio = np.exp(100.0 * found["price", "purchases"])
    sums = [lv.cells.groupby("period")["purchases"].sum() for lv in (level, other)]
    np.testing.assert_allclose(sums[1] / sums[0], ratio, rtol=1e-6)


def test_a_later_day_refits_with_the_covariates(data, using, told):
    level = level_at(dt.date(2022, 9, 30), data, using, told)
    assert level.forecaster.evidence_["as_of"] == "2022-09-30"
    assert level.forecaster.model_.rates.period_covariates.names == ("log(spend)", "price")
    made = level.with_intervals(level.cells, "cohort_month")
    assert made["purchases_low"].notna().all()


def test_a_dimension_that_all_customers_share_by_now_is_left_out(data, using, told, log, tmp_path):
    """Those of every other country are erased: the saved model goes on without the countries."""
    left = log[log["land"] == log["land"].iloc[0]]
    with dataset_of(left, told, tmp_path) as rest:
        with rest.snapshot.earlier(AS_OF) as then:
            now = stages.drivers_at(told)(then)
        assert now.cohort is None
        assert drivers.notes(now, AS_OF)[0] == (
            "note: all customers share one country, so nothing tells cohorts apart by it"
        )
        level = level_at(AS_OF, rest, train.with_drivers(using, now), told)
    rates = level.forecaster.model_.rates
    assert rates.cohort_covariates.names == ()
    assert rates.period_covariates.names == ("log(spend)", "price")


def test_the_effects_told_are_those_the_forecast_used(data, using, told):
    """A later day learns them anew; what was left out at training keeps what was found then."""
    level = level_at(dt.date(2022, 9, 30), data, using, told)
    anew = replace(using, cohorts=level.forecaster)
    found = effects.table(using, None, level.forecaster)
    pd.testing.assert_frame_equal(found, effects.table(anew))
    assert not np.allclose(found["effect"], effects.table(using)["effect"], rtol=1e-6)
    pd.testing.assert_frame_equal(effects.table(using, None, using.cohorts), effects.table(using))
    plain = type(using.cohorts).from_dict(using.cohorts.to_dict())
    unused = [{**one, "used": False} for one in plain.evidence_["covariates"]]
    plain.evidence_ = {**plain.evidence_, "covariates": unused}
    later = type(plain).from_dict({**plain.to_dict(), "evidence": {"covariates": []}})
    told_of = effects.table(replace(using, cohorts=plain), None, later)
    assert len(told_of) == len(unused)
    assert not told_of["used"].any()


def test_what_no_origin_has_tried_is_not_used_on_a_later_day(data, using, known, told):
    """Covariates named after the training wait for the next one."""
    later = dt.date(2022, 9, 30)
    table = known.cohort_months
    plain = type(using.cohorts)(select=False, random_state=1).fit(
        table, AS_OF, log_start=known.first_date
    )
    level = level_at(later, data, replace(using, cohorts=plain), told)
    expected = level_at(later, data, replace(using, cohorts=plain, drivers=drivers.Drivers()), told)
    assert_close(level.purchases, expected.purchases)
    more = known.drivers.period.assign(trading_days=known.drivers.period["price"] ** 2)
    level = level_at(later, data, replace(using, drivers=replace(known.drivers, period=more)),
                        told)  # fmt: skip
    assert level.forecaster.model_.rates.period_covariates.names == ("log(spend)", "price")


def test_the_backtest_s_candidates_take_them(data, using, known, told):
    summary = features.summary(data.purchases, AS_OF)
    customers = summary.to_pandas()
    customers["quarter"] = pd.to_datetime(customers["cohort"]).dt.to_period("Q").dt.start_time
    everybody = histories(summary, known.segments.values)
    seen = Known(known, grid_at(AS_OF, told), everybody, customers, UnitEconomics(0.4, 0.0, 0.0))
    for name in ("clv", "cohort"):
        cells = FORECASTS[name](seen, using, told.train).cells
        assert np.isfinite(cells["purchases"]).all()


def test_a_saved_model_needs_the_covariates_it_was_fitted_with(using, told, known, tmp_path):
    registry.save(tmp_path / "shop", using, config={}, card="", metrics=[], data={})
    loaded, _ = registry.load(tmp_path / "shop")
    assert loaded.drivers == drivers.Drivers()
    again = train.with_drivers(loaded, known.drivers)
    assert_close(again.cohorts.to_dict(), using.cohorts.to_dict())
    with pytest.raises(ConfigError, match="fitted with the covariates by month"):
        train.with_drivers(loaded, drivers.Drivers())
    raw = known.drivers.period.rename(columns={"log(spend)": "spend"})
    with pytest.raises(ConfigError, match=r"log\(spend\); \[covariates\] gives spend, price"):
        train.with_drivers(loaded, replace(known.drivers, period=raw))
    with pytest.raises(ConfigError, match="fitted with the covariates by cohort"):
        train.with_drivers(loaded, replace(known.drivers, cohort=None))


def test_a_plan_too_short_for_the_horizon_is_refused(data, told, spend, tmp_path):
    path = tmp_path / "short.csv"
    spend.iloc[:20].to_csv(path, index=False)
    covariates = told.covariates.model_copy(update={"path": str(path)})
    with pytest.raises(DataError, match=r"no row for 2022-09.*Add planned values"):
        extracted(data, told.model_copy(update={"covariates": covariates}))


def test_months_without_spend_have_no_logarithm(data, told, spend, tmp_path):
    path = tmp_path / "zero.csv"
    spend.assign(spend=spend["spend"].where(MONTHS != "2021-05-01", 0.0)).to_csv(path, index=False)
    covariates = told.covariates.model_copy(update={"path": str(path)})
    with pytest.raises(DataError, match="holds 0 in 'spend' for 2021-05"):
        extracted(data, told.model_copy(update={"covariates": covariates}))


def test_what_was_read_is_said_in_a_line_each(known):
    lines = drivers.described(known.drivers)
    assert lines[0] == "covariates by month: log(spend), price, 2021-01 to 2023-06"
    assert lines[1].startswith("covariates by cohort: country = ")
    assert drivers.described(drivers.Drivers()) == []


def test_a_plan_far_outside_what_was_seen_is_told(known):
    table = known.drivers.period
    assert drivers.far_plans(known.drivers, known.as_of) == []
    past = table[table["period"] <= pd.Timestamp(known.as_of)]["price"]
    far = table.assign(price=table["price"].mask(table["period"] == "2022-09-01", 1e4))
    (line,) = drivers.far_plans(replace(known.drivers, period=far), known.as_of)
    assert "price is planned at 10000 for 2022-09" in line
    assert f"counts it as {2 * past.max() - past.min():g}" in line
    assert drivers.far_plans(drivers.Drivers(), known.as_of) == []


def test_one_value_for_all_is_noted(known, told):
    shared = replace(known.drivers, cohort=None, shared=("country",))
    fitted = train.estimate(replace(known, drivers=shared), told.train)
    assert any("share one country: nothing tells cohorts apart" in n for n in fitted.notes)


def with_plan(told, folder, numbers):
    path = folder / "plan.csv"
    pd.DataFrame({"month": MONTHS.strftime("%Y-%m"), "n": numbers}).to_csv(path, index=False)
    return told.model_copy(update={"plan": Plan(path=str(path), period="month", new_customers="n")})


def test_the_plan_is_read_as_it_is(data, told, tmp_path):
    planned = extracted(data, with_plan(told, tmp_path, range(len(MONTHS)))).drivers.plan
    assert list(planned.columns) == ["period", "new_customers"]
    np.testing.assert_array_equal(planned["new_customers"], range(len(MONTHS)))
    told_of = drivers.described(drivers.Drivers(plan=planned))
    assert told_of == ["plan: new_customers, 2021-01 to 2023-06"]


def test_a_plan_below_nothing_is_refused(data, told, tmp_path):
    numbers = np.where(pd.Timestamp("2022-03-01") == MONTHS, -4, 10)
    with pytest.raises(DataError, match="plans -4 new customers for 2022-03; expected 0 or more"):
        extracted(data, with_plan(told, tmp_path, numbers))
