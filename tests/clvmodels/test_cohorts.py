"""The cohort forecast on simulated logs whose season, age and cohort effects are known."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from cohort_tables import SEASON, simulated_table

from clvmodels.cohort_evidence import covariates_in_use
from clvmodels.cohort_rates import RateOptions
from clvmodels.cohorts import CohortForecaster
from clvmodels.exceptions import (
    DataError,
    InvalidValueError,
    MissingColumnError,
    ModelFileError,
    NotFittedError,
)

AS_OF = dt.date(2021, 12, 31)
UNTIL = dt.date(2022, 6, 30)


@pytest.fixture(scope="module")
def table():
    return simulated_table()


@pytest.fixture(scope="module")
def fitted(table):
    return CohortForecaster().fit(table, AS_OF)


def actual(table):
    later = (table["period"] > pd.Timestamp(AS_OF)) & (table["cohort"] <= pd.Timestamp(AS_OF))
    return table[later].groupby(["cohort", "period"])["purchases"].sum()


def test_forecast_is_near_the_truth_of_every_month(table, fitted):
    forecast = fitted.forecast(UNTIL, level="month").set_index("period")["purchases"]
    truth = actual(table).groupby("period").sum()
    np.testing.assert_allclose(forecast, truth, rtol=0.12)


def test_season_is_recovered(fitted):
    np.testing.assert_allclose(fitted.evidence_["season"], SEASON, atol=0.1)


def test_intervals_hold_about_nine_in_ten_actuals(table, fitted):
    forecast = fitted.forecast(UNTIL).set_index(["cohort", "period"])
    truth = actual(table).loc[forecast.index]
    inside = (truth >= forecast["purchases_low"]) & (truth <= forecast["purchases_high"])
    assert 0.8 <= inside.mean() <= 1.0
    width = forecast["purchases_high"] - forecast["purchases_low"]
    assert (width < 3 * forecast["purchases"] + 30).all()


def test_months_never_seen_are_forecast_with_more_doubt(table):
    young = CohortForecaster(select=False).fit(table, dt.date(2020, 9, 30))
    made = young.forecast(dt.date(2021, 9, 30), level="month").set_index("period")
    width = np.log(made["purchases_high"] / made["purchases_low"])
    unseen, seen = width.loc["2020-10":"2020-12"], width.loc["2021-01":"2021-03"]
    assert unseen.min() > 1.3 * seen.max()
    truth = table[(table["period"] > "2020-09-30") & (table["cohort"] <= "2020-09-30")]
    months = truth.groupby("period")["purchases"].sum().reindex(unseen.index)
    low, high = (made[f"purchases_{end}"].loc[unseen.index] for end in ("low", "high"))
    assert ((months >= low) & (months <= high)).all()


def test_levels_add_up(fitted):
    cells = fitted.forecast(UNTIL)
    for level in ("quarter_month", "month", "total"):
        other = fitted.forecast(UNTIL, level=level)
        for quantity in ("purchases", "revenue"):
            assert other[quantity].sum() == pytest.approx(cells[quantity].sum())
            assert (other[f"{quantity}_low"] <= other[quantity]).all()
            assert (other[f"{quantity}_high"] >= other[quantity]).all()


def test_the_future_changes_nothing(table, fitted):
    altered = table.copy()
    later = altered["period"] > pd.Timestamp(AS_OF)
    altered.loc[later, ["purchases", "revenue", "customer_days"]] *= 7
    again = CohortForecaster().fit(altered, AS_OF)
    assert again.to_dict() == fitted.to_dict()


def test_rows_in_any_order_and_cohorts_as_dates(table, fitted):
    shuffled = table.sample(frac=1.0, random_state=1)
    shuffled["cohort"] = shuffled["cohort"].dt.date
    again = CohortForecaster(select=False).fit(shuffled, AS_OF)
    assert again.model_.to_dict() == fitted.model_.to_dict()


def test_currency_scales_revenue_only(table, fitted):
    dear = table.assign(revenue=table["revenue"] * 100, first_revenue=table["first_revenue"] * 100)
    again = CohortForecaster(select=False).fit(dear, AS_OF).forecast(UNTIL)
    before = fitted.forecast(UNTIL)
    np.testing.assert_allclose(again["purchases"], before["purchases"])
    np.testing.assert_allclose(again["revenue"], 100 * before["revenue"])


def test_part_months_are_forecast_by_their_days(fitted):
    whole = fitted.forecast(dt.date(2022, 1, 31), level="total")["purchases"].iloc[0]
    part = fitted.forecast(dt.date(2022, 1, 10), level="total")["purchases"].iloc[0]
    assert part == pytest.approx(whole * 10 / 31)


def test_state_survives_json_and_holds_no_customer(fitted):
    state = json.loads(json.dumps(fitted.to_dict()))
    again = CohortForecaster.from_dict(state)
    pd.testing.assert_frame_equal(again.forecast(UNTIL), fitted.forecast(UNTIL))
    assert again.evidence_ == fitted.evidence_
    with pytest.raises(ModelFileError, match="version"):
        CohortForecaster.from_dict(state | {"version": 99})


def test_a_log_that_starts_mid_life_takes_its_season_from_the_company():
    table = simulated_table(mature=True)
    evidence = CohortForecaster(select=False).fit(table, AS_OF).evidence_
    assert evidence["company_series"] == "total"


def test_a_month_hardly_begun_does_not_speak_for_its_season():
    table = simulated_table(mature=True)
    late = {"as_of": AS_OF, "log_start": dt.date(2020, 1, 20)}
    before = CohortForecaster(select=False).fit(table, **late)
    first = table["period"] == "2020-01-01"
    altered = table.assign(first_purchases=table["first_purchases"] * np.where(first, 1.1, 1.0))
    after = CohortForecaster(select=False).fit(altered, **late)
    np.testing.assert_array_equal(
        after.model_.rates.fit.coefficients, before.model_.rates.fit.coefficients
    )
    whole = CohortForecaster(select=False).fit(altered, AS_OF)
    assert whole.evidence_["season"] != before.evidence_["season"]


def test_a_cohort_sample_has_no_company_series():
    table = simulated_table()
    sample = table[table["cohort"] < "2020-04-01"]
    evidence = CohortForecaster(select=False).fit(sample, AS_OF).evidence_
    assert evidence["company_series"] == "none"


def test_flat_purchases_show_hardly_any_season():
    table = simulated_table(season=np.zeros(12))
    seasonal = CohortForecaster(select=False).fit(table, AS_OF).evidence_["season"]
    assert np.abs(seasonal).max() < 0.05


@pytest.mark.parametrize("months", [1, 2, 5])
def test_a_short_log_falls_back_and_says_so(table, months):
    as_of = (pd.Timestamp("2020-01-01") + pd.DateOffset(months=months - 1)).date()
    as_of = (pd.Timestamp(as_of) + pd.offsets.MonthEnd(0)).date()
    fitted = CohortForecaster().fit(table, as_of)
    assert not fitted.options_.season
    assert any("cannot show a season" in note for note in fitted.evidence_["notes"])
    forecast = fitted.forecast((pd.Timestamp(as_of) + pd.DateOffset(months=2)).date())
    assert np.isfinite(forecast.drop(columns=["cohort", "period"]).to_numpy()).all()


def test_no_purchase_at_all_is_forecast_as_hardly_any(table):
    quiet = table.assign(purchases=0, revenue=0.0)
    forecast = CohortForecaster(select=False).fit(quiet, AS_OF).forecast(UNTIL, level="total")
    assert 0 <= forecast["purchases"].iloc[0] < 5


def test_a_driver_of_purchases_is_learned_and_needed(table):
    rng = np.random.default_rng(3)
    months = pd.date_range("2020-01-01", "2022-06-01", freq="MS")
    spend = pd.DataFrame({"period": months, "spend": rng.normal(size=months.size)})
    lift = np.exp(0.2 * spend.set_index("period")["spend"])
    driven = table.assign(purchases=rng.poisson(table["purchases"] * table["period"].map(lift)))
    fitted = CohortForecaster(select=False).fit(driven, AS_OF, period_covariates=spend)
    effect = fitted.model_.rates.fit.block("period_covariates")[0]
    scale = fitted.model_.rates.period_covariates.sd[0]
    assert effect / scale == pytest.approx(0.2, abs=0.06)
    with pytest.raises(DataError, match="period_covariates"):
        fitted.forecast(UNTIL)
    assert len(fitted.forecast(UNTIL, level="month", period_covariates=spend)) == 6


MONTHS = pd.date_range("2020-01-01", "2022-06-01", freq="MS")


def drivers(seed):
    """Log marketing spend by month, drawn at random."""
    draws = np.random.default_rng(seed).normal(7.0, 0.4, MONTHS.size)
    return pd.DataFrame({"period": MONTHS, "spend": draws})


def driven_by(table, spend, elasticity):
    lift = np.exp(elasticity * (spend.set_index("period")["spend"] - 7.0))
    counts = np.random.default_rng(3).poisson(table["purchases"] * table["period"].map(lift))
    return table.assign(purchases=counts, revenue=50.0 * counts)


def test_an_elasticity_lies_within_its_interval_nine_times_in_ten():
    inside = []
    for seed in range(20):
        spend = drivers(seed)
        driven = driven_by(simulated_table(months=24, seed=seed), spend, 0.2)
        fitted = CohortForecaster(select=False).fit(driven, AS_OF, period_covariates=spend)
        effect, value, won = fitted.evidence_["covariates"]
        assert (effect["name"], effect["key"], effect["quantity"]) == (
            "spend",
            "period",
            "purchases",
        )
        inside.append(effect["low"] <= 0.2 <= effect["high"])
        assert value["quantity"] == "value"
        assert abs(value["effect"]) < 0.02  # every order is worth 50
        assert won["quantity"] == "customers"
        assert abs(won["effect"]) < 0.2  # spend wins nobody here
        assert effect["high"] - effect["low"] < 0.3
    assert sum(inside) >= 16


def test_a_strong_driver_earns_its_place_and_forecasts_better(table):
    spend = drivers(1)
    driven = driven_by(table, spend, 0.5)
    fitted = CohortForecaster().fit(driven, AS_OF, period_covariates=spend)
    assert fitted.options_.period_covariates
    assert any("covariates by month are used" in note for note in fitted.evidence_["notes"])
    tried = fitted.evidence_["candidates"]
    assert tried["covariates by month"]["wape"] < tried["no covariates"]["wape"]
    assert tried["covariates by month"]["origins"] == tried["no covariates"]["origins"] == 12
    assert tried["default"]["origins"] == 6
    assert covariates_in_use(fitted.options_) == "covariates by month"
    truth = actual(driven)
    errors = []
    for model in (fitted, CohortForecaster().fit(driven, AS_OF)):
        made = model.forecast(UNTIL, period_covariates=spend).set_index(["cohort", "period"])
        errors.append(np.abs(made["purchases"] - truth.loc[made.index]).sum())
    assert errors[0] < 0.9 * errors[1]


def test_noise_does_no_harm(table, fitted):
    truth = actual(table)
    plain = fitted.forecast(UNTIL).set_index(["cohort", "period"])["purchases"]
    missed = np.abs(plain - truth.loc[plain.index]).sum()
    for seed in range(3):
        noise = drivers(seed)
        noisy = CohortForecaster().fit(table, AS_OF, period_covariates=noise)
        made = noisy.forecast(UNTIL, period_covariates=noise)["purchases"].to_numpy()
        assert np.abs(made - truth.loc[plain.index]).sum() < 1.1 * missed


def test_a_driver_that_stood_still_of_late_is_judged_on_a_year(table):
    spend = drivers(4)
    still = spend["period"].between("2021-07-01", "2021-12-01")
    spend.loc[still, "spend"] = 7.0
    driven = driven_by(table, spend, 0.5)
    fitted = CohortForecaster().fit(driven, AS_OF, period_covariates=spend)
    assert fitted.options_.period_covariates


def test_covariates_left_out_are_not_asked_for_again(table, fitted):
    flat = drivers(0).assign(spend=1.0)
    again = CohortForecaster().fit(table, AS_OF, period_covariates=flat)
    assert not again.options_.period_covariates
    assert any("left out" in note for note in again.evidence_["notes"])
    pd.testing.assert_frame_equal(again.forecast(UNTIL), fitted.forecast(UNTIL))


def test_a_log_too_short_to_try_covariates_leaves_them_out(table):
    early = dt.date(2020, 6, 30)
    fitted = CohortForecaster().fit(table, early, period_covariates=drivers(0))
    assert not fitted.options_.period_covariates
    assert any("2 earlier origins are too few to test" in n for n in fitted.evidence_["notes"])
    late = drivers(0).query("period > '2021-01-01'")
    with pytest.raises(DataError, match="no row up to the as-of date"):
        CohortForecaster(select=False).fit(table, early, period_covariates=late)


def test_planned_values_change_the_forecast_and_not_the_fit(table):
    spend = drivers(1)
    driven = driven_by(table, spend, 0.5)
    plan = spend.assign(spend=spend["spend"] + 1.0 * (spend["period"] > pd.Timestamp(AS_OF)))
    one, two = (CohortForecaster().fit(driven, AS_OF, period_covariates=s) for s in (spend, plan))
    assert one.to_dict() == two.to_dict()
    assert CohortForecaster.from_dict(json.loads(json.dumps(one.to_dict()))).to_dict() == (
        one.to_dict()
    )
    totals = [one.forecast(UNTIL, level="total", period_covariates=s) for s in (spend, plan)]
    assert totals[1]["purchases"].item() > 1.2 * totals[0]["purchases"].item()
    same = one.expected_acquisitions(UNTIL, period_covariates=spend)
    new = [
        one.forecast_new(UNTIL, same, period_covariates=s)["purchases"].sum() for s in (spend, plan)
    ]
    assert new[1] > 1.2 * new[0]


def test_spend_that_wins_customers_is_told_apart_from_spend_that_brings_them_back(table):
    spend = drivers(2)
    lift = np.exp(0.6 * (spend.set_index("period")["spend"] - 7.0))
    rng = np.random.default_rng(8)
    won = rng.poisson(table["first_purchases"] * table["period"].map(lift))
    driven = table.assign(first_purchases=won, first_revenue=40.0 * won)
    fitted = CohortForecaster(select=False).fit(driven, AS_OF, period_covariates=spend)
    found = {e["quantity"]: e for e in fitted.evidence_["covariates"]}
    assert found["customers"]["low"] <= 0.6 <= found["customers"]["high"]
    assert abs(found["purchases"]["effect"]) < 0.1
    plan = spend.assign(spend=spend["spend"] + 0.5 * (spend["period"] > pd.Timestamp(AS_OF)))
    one, two = (fitted.expected_acquisitions(UNTIL, period_covariates=s) for s in (spend, plan))
    np.testing.assert_allclose(two / one, np.exp(0.5 * found["customers"]["effect"]))
    truth = driven[driven["cohort"] > pd.Timestamp(AS_OF)].groupby("period")["first_purchases"]
    np.testing.assert_allclose(one, truth.sum(), rtol=0.35)
    assert fitted.forecast_new(UNTIL, period_covariates=plan)["customers"].sum() > one.sum()


def test_the_mix_of_a_cohort_is_learned_and_carried_to_new_ones(table):
    cohorts = pd.DatetimeIndex(table["cohort"].unique())
    share = np.random.default_rng(2).uniform(0.1, 0.6, len(cohorts))
    mix = pd.DataFrame({"cohort": cohorts, "web": share})
    lift = np.exp(1.5 * (mix.set_index("cohort")["web"] - 0.35))
    rng = np.random.default_rng(4)
    mixed = table.assign(purchases=rng.poisson(table["purchases"] * table["cohort"].map(lift)))
    known = mix[mix["cohort"] <= pd.Timestamp(AS_OF)]
    fitted = CohortForecaster(select=False).fit(mixed, AS_OF, cohort_covariates=known)
    (effect,) = fitted.evidence_["covariates"]
    assert effect["low"] <= 1.5 <= effect["high"]
    assert effect["low"] > 0.5
    assert np.isfinite(fitted.forecast_new(UNTIL)["purchases"]).all()


def test_no_new_customers_are_forecast_where_acquisition_has_stopped(table, fitted):
    sample = table[table["cohort"] < "2021-09-01"]
    stopped = CohortForecaster(select=False).fit(sample, AS_OF)
    assert stopped.acquisition_has_stopped
    assert not fitted.acquisition_has_stopped
    new = stopped.forecast_new(UNTIL)
    assert new.drop(columns=["cohort", "period"]).to_numpy().sum() == 0
    planned = pd.Series(50.0, index=pd.date_range("2022-01-01", "2022-06-01", freq="MS"))
    assert stopped.forecast_new(UNTIL, planned)["first_purchases"].sum() == pytest.approx(300)


def test_a_log_that_starts_mid_life_runs_out_of_old_customers_to_meet():
    table = simulated_table(mature=True)
    first = table.groupby("period")["first_purchases"].sum()
    for as_of in ("2020-05-31", "2020-09-30", "2021-02-28", "2021-12-31"):
        day = pd.Timestamp(as_of)
        fitted = CohortForecaster(select=False).fit(table, day.date())
        made = fitted.expected_acquisitions((day + pd.offsets.MonthEnd(6)).date())
        assert fitted.model_.acquired_slope < 0
        assert made.sum() == pytest.approx(first.reindex(made.index).sum(), rel=0.35)
    young = CohortForecaster(select=False).fit(simulated_table(), AS_OF)
    assert young.model_.acquired_slope == 0


def test_first_purchases_keep_their_own_value(table, fitted):
    new = fitted.forecast_new(UNTIL)
    np.testing.assert_allclose(new["first_revenue"], 40.0 * new["first_purchases"], rtol=0.02)
    np.testing.assert_allclose(new["revenue"], 50.0 * new["purchases"], rtol=0.02)


def test_few_customers_may_stay_away_by_chance():
    rare = simulated_table(new_customers=1.5, seed=5)
    quiet = rare[(rare["cohort"] < "2021-11-01") | (rare["cohort"] > pd.Timestamp(AS_OF))]
    assert not CohortForecaster(select=False).fit(quiet, AS_OF).acquisition_has_stopped


def test_new_cohorts_follow_the_old(table, fitted):
    new = fitted.forecast_new(UNTIL)
    assert (new["cohort"] <= new["period"]).all()
    truth = table[
        (table["cohort"] > pd.Timestamp(AS_OF)) & (table["period"] <= pd.Timestamp(UNTIL))
    ]
    assert new["purchases"].sum() == pytest.approx(truth["purchases"].sum(), rel=0.25)
    assert new["first_purchases"].sum() == pytest.approx(truth["first_purchases"].sum(), rel=0.15)
    given = fitted.forecast_new(UNTIL, 2 * fitted.expected_acquisitions(UNTIL))
    np.testing.assert_allclose(given["purchases"], 2 * new["purchases"])


def test_errors_name_the_remedy(table, fitted):
    with pytest.raises(NotFittedError, match="fit"):
        CohortForecaster().forecast(UNTIL)
    with pytest.raises(MissingColumnError, match="customer_days"):
        CohortForecaster().fit(table.drop(columns="customer_days"), AS_OF)
    with pytest.raises(DataError, match="none of them so early"):
        CohortForecaster().fit(table, dt.date(2019, 1, 1))
    with pytest.raises(InvalidValueError, match="twice"):
        CohortForecaster().fit(pd.concat([table, table.head(1)]), AS_OF)
    with pytest.raises(InvalidValueError, match="level"):
        fitted.forecast(UNTIL, level="week")
    with pytest.raises(InvalidValueError, match="after its as-of"):
        fitted.forecast(AS_OF)


def test_the_season_may_be_switched_off(table):
    plain = CohortForecaster(RateOptions(season=False), select=False).fit(table, AS_OF)
    assert plain.evidence_["season"] == [0.0] * 12
