"""The cohort forecast on simulated logs whose season, age and cohort effects are known."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close
from cohort_tables import AS_OF, SEASON, UNTIL, actual, simulated_table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.core.errors import (
    DataError,
    InvalidValueError,
    MissingColumnError,
    ModelFileError,
    NotFittedError,
)


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


def test_months_never_seen_are_forecast_with_more_doubt():
    """On logs whose seasons hold the same months in other orders: one November proves nothing."""
    held = []
    for seed in range(24):
        season = np.random.default_rng(seed).permutation(SEASON)
        table = simulated_table(seed=seed, season=season)
        young = CohortForecaster(select=False).fit(table, dt.date(2020, 9, 30))
        made = young.forecast(dt.date(2021, 9, 30), level="month").set_index("period")
        width = np.log(made["purchases_high"] / made["purchases_low"])
        unseen, seen = width.loc["2020-10":"2020-12"], width.loc["2021-01":"2021-03"]
        assert unseen.min() > 1.3 * seen.max()
        truth = table[(table["period"] > "2020-09-30") & (table["cohort"] <= "2020-09-30")]
        months = truth.groupby("period")["purchases"].sum().reindex(unseen.index)
        low, high = (made[f"purchases_{end}"].loc[unseen.index] for end in ("low", "high"))
        held += list((months >= low) & (months <= high))
    assert 0.8 <= np.mean(held) <= 1.0


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
    assert_close(again.to_dict(), fitted.to_dict())


def test_rows_in_any_order_and_cohorts_as_dates(table, fitted):
    shuffled = table.sample(frac=1.0, random_state=1)
    shuffled["cohort"] = shuffled["cohort"].dt.date
    again = CohortForecaster(select=False).fit(shuffled, AS_OF)
    assert_close(again.model_.to_dict(), fitted.model_.to_dict())


@pytest.mark.parametrize("unit", [2.0**-10, 2.0**7])
def test_currency_scales_revenue_and_its_intervals_only(unit):
    """By powers of two, whose products are exact: what is drawn is then the same."""
    table = simulated_table(months=20, new_customers=15)
    as_of = dt.date(2021, 2, 28)
    table["revenue"] *= np.random.default_rng(2).lognormal(0.0, 1.0, len(table))
    money = ["revenue", "revenue_low", "revenue_high"]
    made = [
        CohortForecaster()
        .fit(table.assign(revenue=table["revenue"] * by), as_of)
        .forecast(dt.date(2021, 8, 31))
        for by in (1.0, unit)
    ]
    made[0][money] *= unit
    pd.testing.assert_frame_equal(made[0], made[1], rtol=1e-9)


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
    assert_close(after.model_.rates.fit.coefficients, before.model_.rates.fit.coefficients)
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
        assert fitted.model_.acquired_excess > 0
        assert made.sum() == pytest.approx(first.reindex(made.index).sum(), rel=0.35)
    young = CohortForecaster(select=False).fit(simulated_table(), AS_OF)
    assert young.model_.acquired_excess == 0


@pytest.mark.parametrize("months", [18, 24, 36])
def test_old_customers_run_out_and_new_ones_keep_coming(months):
    """As many new customers every month beside a stock of old ones who return at their rates."""
    rng = np.random.default_rng(months)
    age = np.arange(months + 6.0)
    old = 20_000 * (1 / (1 + age / 2.0) ** 0.8 - 1 / (1 + (age + 1) / 2.0) ** 0.8)
    met = rng.poisson(300 + 0.2 * old)
    table = simulated_table(months=months, new_customers=100, season=np.zeros(12))
    first = table["cohort"] == table["period"]
    table.loc[first, "first_purchases"] = met[:months]
    last = table["period"].max() + pd.offsets.MonthEnd(0)
    fitted = CohortForecaster(select=False).fit(table, last.date())
    made = fitted.expected_acquisitions((last + pd.offsets.MonthEnd(6)).date())
    assert made.sum() == pytest.approx(met[months:].sum(), rel=0.15)


@pytest.mark.parametrize(
    ("last", "usual"),
    [
        ([200, 200, 200, 200, 9000, 200, 200], 200),  # a campaign
        ([200, 200, 200, 200, 200, 9000, 200], 200),
        ([1500, 900, 500, 200, 90, 60, 50], 60),  # recruitment for a panel, nearly over
        ([0, 1, 0, 2, 0, 1, 0], 0.6),
    ],
)
def test_new_customers_go_on_as_in_usual_months_of_late(last, usual):
    table = simulated_table(months=24, season=np.zeros(12))
    first = table["cohort"] == table["period"]
    counts = np.concatenate([np.full(24 - len(last), last[0]), last])
    table.loc[first, "first_purchases"] = counts
    fitted = CohortForecaster(select=False).fit(table, AS_OF)
    made = fitted.expected_acquisitions(UNTIL)
    assert 0.4 * usual < made.mean() < 2.2 * usual


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


@pytest.mark.parametrize("day", [15, 29])
def test_a_fit_of_a_month_begun_survives_json(table, day):
    """What the month under way is found to be off by is learned too, and saved."""
    begun = table[table["period"] <= pd.Timestamp(AS_OF)].copy()
    counts = ["customer_days", "purchases", "revenue"]
    begun[counts] = begun[counts].astype(float)
    begun.loc[begun["period"] == begun["period"].max(), counts] *= day / 31
    fitted = CohortForecaster(select=False).fit(begun, AS_OF.replace(day=day))
    again = CohortForecaster.from_dict(json.loads(json.dumps(fitted.to_dict())))
    until = dt.date(2022, 1, 31)
    pd.testing.assert_frame_equal(again.forecast(until), fitted.forecast(until))
