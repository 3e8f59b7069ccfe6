"""Drivers of purchases by month and by cohort: learned, chosen, planned."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close
from cohort_tables import AS_OF, UNTIL, actual, simulated_table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.learning.covariates import covariates_in_use
from clvmodels.core.errors import DataError


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
    assert_close(one.to_dict(), two.to_dict())
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


@pytest.mark.parametrize("seed", range(3))
def test_a_price_that_never_moved_says_nothing_of_another(seed):
    """Equal numbers may differ by rounding, which is no driver and saves no error."""
    table = simulated_table(months=25, new_customers=100, seed=seed)
    price = pd.DataFrame({"period": MONTHS, "price": 9.99})
    dearer = price.assign(price=price["price"] + 0.5 * (price["period"] > pd.Timestamp(AS_OF)))
    as_of, until = dt.date(2021, 11, 30), dt.date(2022, 5, 31)
    chosen = CohortForecaster().fit(table, as_of, period_covariates=price)
    assert not chosen.options_.period_covariates
    forced = CohortForecaster(select=False).fit(table, as_of, period_covariates=price)
    made = [forced.forecast(until, period_covariates=plan)["purchases"] for plan in (price, dearer)]
    np.testing.assert_allclose(*made)


def test_a_plan_far_outside_what_was_seen_counts_as_at_its_edge(table):
    spend = drivers(1)
    driven = driven_by(table, spend, 0.5)
    fitted = CohortForecaster(select=False).fit(driven, AS_OF, period_covariates=spend)
    later = spend["period"] > pd.Timestamp(AS_OF)
    past = spend.loc[~later, "spend"]
    edge = 2 * past.max() - past.min()
    totals = [
        fitted.forecast(
            UNTIL,
            level="total",
            period_covariates=spend.assign(spend=spend["spend"].mask(later, to)),
        )["purchases"].item()
        for to in (past.max(), edge, edge + 0.1, 1e6)
    ]
    assert totals[0] < totals[1]
    assert totals[1:] == pytest.approx([totals[1]] * 3)


@pytest.mark.parametrize(("shift", "scale"), [(2021.0, 1.0), (-3.0, 1e6), (0.0, 1e-3)])
def test_origin_and_unit_of_a_covariate_change_no_forecast(table, shift, scale):
    spend = drivers(2)
    mix = pd.DataFrame({"cohort": MONTHS, "online": np.random.default_rng(5).random(MONTHS.size)})
    driven = driven_by(table, spend, 0.3)

    def forecasts(spend, mix):
        fitted = CohortForecaster(select=False, draws=200).fit(
            driven, AS_OF, period_covariates=spend, cohort_covariates=mix
        )
        known = fitted.forecast(UNTIL, level="month", period_covariates=spend)
        return known, fitted.forecast_new(UNTIL, period_covariates=spend)

    moved = spend.assign(spend=scale * (spend["spend"] + shift))
    moved_mix = mix.assign(online=scale * (mix["online"] + shift))
    for here, there in zip(forecasts(spend, mix), forecasts(moved, moved_mix), strict=True):
        ends = [name for name in here if name.endswith(("_low", "_high"))]
        pd.testing.assert_frame_equal(there.drop(columns=ends), here.drop(columns=ends), rtol=1e-6)
        # The draws behind the ends turn with the last digit of the covariance.
        np.testing.assert_allclose(there[ends], here[ends], rtol=0.2)


def test_months_after_the_as_of_date_are_not_read(table):
    """Neither their values nor whether they can be used at all."""
    spend = drivers(1)
    later = spend["period"] > pd.Timestamp(AS_OF)
    unknown = spend.assign(spend=spend["spend"].mask(later))
    one, two = (
        CohortForecaster(select=False).fit(table, AS_OF, period_covariates=s)
        for s in (spend, unknown)
    )
    assert_close(one.to_dict(), two.to_dict())
    with pytest.raises(DataError, match="finite numbers"):
        two.forecast(UNTIL, period_covariates=unknown)
