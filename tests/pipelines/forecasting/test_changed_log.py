"""A saved model meets a log that has changed behind its day: late rows, erased persons."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cohort_tables import known_on, simulated_table
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from shop import ID_PREFIX, TRAINED_AS_OF

from clvmodels import BGNBD, GammaGamma
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.months import month_grid
from pipelines.data.features import CohortHistory
from pipelines.forecasting import deliver
from pipelines.forecasting.levelling import CohortLevel, cohort_level
from pipelines.training.fit import Fitted

DAY = str(TRAINED_AS_OF)


def first_months(log: pd.DataFrame) -> pd.Series:
    """Month of first purchase by customer, of those known on the training day."""
    when = pd.to_datetime(log["when"])
    known = log.assign(when=when)[when < pd.Timestamp(TRAINED_AS_OF) + pd.Timedelta(days=1)]
    return known.groupby("who")["when"].min().dt.to_period("M").dt.start_time


def late_new_cohort(log: pd.DataFrame) -> pd.DataFrame:
    """A row of a customer whose first purchase lies in a month that had no new customer."""
    assert pd.Timestamp("2022-07-01") not in set(first_months(log))
    row = {"who": f"{ID_PREFIX}late", "when": "2022-07-09 00:00:00", "paid": 20.0, "land": "DE"}
    return pd.concat([log, pd.DataFrame([row])])


def cohort_erased(log: pd.DataFrame) -> pd.DataFrame:
    """The whole of a cohort is gone from the source."""
    months = first_months(log)
    gone = months.index[months == months.iloc[[0]].item()]
    return log[~log["who"].isin(gone)]


def first_cohort_erased(log: pd.DataFrame) -> pd.DataFrame:
    """The log begins later than it did."""
    months = first_months(log)
    return log[~log["who"].isin(months.index[months == months.min()])]


def change(shop, how) -> pd.DataFrame:
    log = how(pd.read_csv(shop.log))
    log.to_csv(shop.log, index=False)
    return log


CHANGES = [late_new_cohort, cohort_erased, first_cohort_erased]


@pytest.mark.parametrize("how", CHANGES, ids=lambda how: how.__name__)
def test_forecast_of_the_training_day_follows_the_log(copied, how):
    log = change(copied, how)
    ran = copied.clv("forecast", "--as-of", DAY, "--quiet")
    assert ran.code == 0, ran.err
    assert "backtest.html there shows another forecast" in ran.out
    cohorts = pd.read_parquet(copied.reports / DAY / deliver.COHORTS)
    assert set(cohorts["cohort"]) == set(first_months(log))
    assert cohorts.notna().all(axis=None)
    customers = pd.read_parquet(copied.reports / DAY / deliver.CUSTOMERS)
    assert set(customers["customer_id"]) == set(first_months(log).index)
    for mine, theirs in (("expected_purchases", "purchases"), ("expected_revenue", "revenue")):
        assert customers[mine].sum() == pytest.approx(cohorts[theirs].sum(), rel=1e-9)


@pytest.mark.parametrize("how", [late_new_cohort, cohort_erased], ids=lambda how: how.__name__)
def test_refresh_of_the_training_day_follows_the_log(copied, how):
    log = change(copied, how)
    ran = copied.clv("refresh", "--as-of", DAY, "--quiet")
    assert ran.code == 0, ran.err
    cohorts = pd.read_parquet(copied.reports / DAY / deliver.COHORTS)
    assert set(cohorts["cohort"]) == set(first_months(log))


def test_restated_amounts_of_known_days_change_the_forecast_of_that_day(trained, copied):
    """Every amount twice as large: so is the revenue forecast, and purchases stay."""
    change(copied, lambda log: log.assign(paid=2.0 * log["paid"]))
    assert copied.clv("forecast", "--as-of", DAY, "--quiet").code == 0
    then, now = (
        pd.read_parquet(shop.reports / DAY / deliver.COHORTS)[["purchases", "revenue"]].sum()
        for shop in (trained, copied)
    )
    assert now["purchases"] == pytest.approx(then["purchases"], rel=1e-6)
    assert now["revenue"] == pytest.approx(2.0 * then["revenue"], rel=1e-4)


def test_tracking_leaves_out_the_erased_and_counts_the_late(copied):
    """A cohort that is gone has no actuals; one that came late was forecast at nothing."""
    made = pd.read_parquet(copied.reports / DAY / deliver.COHORTS)
    log = change(copied, lambda log: late_new_cohort(cohort_erased(log)))
    late = log[log["who"] == f"{ID_PREFIX}late"].assign(when="2022-09-05 00:00:00", paid=33.0)
    pd.concat([log, late]).to_csv(copied.log, index=False)
    ran = copied.clv("refresh", "--as-of", "2022-09-30", "--json", "--quiet")
    assert ran.code == 0, ran.err
    facts = ran.json()
    assert any("1 cohort came into the log after that forecast" in w for w in facts["warnings"])
    assert any("1 cohort of that forecast had no customer left" in w for w in facts["warnings"])
    kept = made[made["cohort"].isin(first_months(log)) & (made["period"] == "2022-09-01")]
    months = first_months(log)
    when = pd.to_datetime(log["when"])
    sold = log[(when >= "2022-09-01") & (when < "2022-10-01") & log["who"].isin(months.index)]
    bought = sold.assign(day=when.dt.normalize()).groupby(["who", "day"]).ngroups + 1
    bias = (kept["purchases"].sum() - bought) / bought
    assert facts["tracking"]["purchases"]["bias"] == pytest.approx(bias, abs=1e-9)


AS_OF = dt.date(2020, 12, 31)
UNTIL = dt.date(2021, 6, 30)
TABLE = known_on(simulated_table(months=12, new_customers=60, seed=4), AS_OF)
MONTHS = sorted(TABLE["cohort"].unique())


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    forecaster = CohortForecaster(select=False, draws=50).fit(TABLE, AS_OF)
    purchases = BGNBD.from_params(r=1.0, alpha=30.0, a=0.5, b=8.0)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=25.0)
    return Fitted(AS_OF, purchases, spend, cohorts=forecaster)


def everybody(table: pd.DataFrame) -> pd.DataFrame:
    """Histories of a table's customers: half of each cohort has come back, until lately."""
    customers = table.groupby("cohort")["customers"].max()
    age = (pd.Timestamp(AS_OF) - customers.index).days.to_numpy(dtype=float)
    parts = [
        pd.DataFrame(
            {
                "cohort": customers.index, "frequency": times, "recency": times * age / 10,
                "T": age, "weight": customers.to_numpy() / 2, "value_all": 45.0,
                "value_repeat": 50.0,
            }
        )
        for times in (0, 9)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def level_of(fitted: Fitted, table: pd.DataFrame) -> CohortLevel:
    first = pd.Timestamp(table["period"].min()).date()
    history = CohortHistory(table, first, AS_OF)
    return cohort_level(fitted, everybody(table), history, month_grid(AS_OF, UNTIL))


@settings(max_examples=examples(12))
@given(
    removed=st.sets(st.sampled_from(MONTHS), max_size=len(MONTHS) - 1),
    shrunk=st.sets(st.sampled_from(MONTHS)),
)
def test_the_cohort_forecast_covers_the_cohorts_of_the_day(fitted, removed, shrunk):
    """Cohorts that come, go or change, in any number: all of today's are forecast, none other."""
    counts = [name for name in TABLE if name not in ("cohort", "period", "revenue")]
    small = TABLE["cohort"].isin(shrunk)
    table = TABLE.assign(**{name: TABLE[name].mask(small, 0.5 * TABLE[name]) for name in counts})
    table = table[~table["cohort"].isin(removed)]
    level = level_of(fitted, table)
    assert set(level.cohorts) == set(table["cohort"])
    made = level.forecaster.forecast(UNTIL, level="month").set_index("period")
    assert level.with_intervals(level.cells, "cohort_month").notna().all(axis=None)
    sums = level.cells.groupby("period")["purchases"].sum()
    np.testing.assert_allclose(sums, made["purchases"], rtol=1e-9)
    unchanged = not removed and not shrunk
    assert (level.forecaster is fitted.cohorts) == unchanged
    # Those who come back after an erasure was undone, or late, are forecast as well.
    other = replace(fitted, cohorts=level.forecaster)
    again = level_of(other, TABLE)
    assert set(again.cohorts) == set(MONTHS)


def test_what_was_learned_from_outlives_the_file(fitted):
    again = CohortForecaster.from_dict(fitted.cohorts.to_dict())
    assert again.has_learned_from(TABLE, AS_OF)
    assert again.has_learned_from(TABLE.sample(frac=1.0, random_state=1), AS_OF)
    later = TABLE.assign(period=TABLE["period"] + pd.DateOffset(years=3)).assign(purchases=7.0)
    assert again.has_learned_from(pd.concat([TABLE, later]), AS_OF)
    assert not again.has_learned_from(TABLE, dt.date(2020, 11, 30))
    assert not again.has_learned_from(TABLE, AS_OF, log_start=dt.date(2020, 1, 2))
    for name in ("purchases", "revenue", "first_purchases", "first_revenue"):
        other = TABLE.assign(**{name: TABLE[name].mask(TABLE.index == 5, TABLE[name] + 1)})
        assert not again.has_learned_from(other, AS_OF)


def test_files_of_earlier_releases_are_learned_anew(fitted):
    state = {k: v for k, v in fitted.cohorts.to_dict().items() if k != "learned_from"}
    old = replace(fitted, cohorts=CohortForecaster.from_dict(state))
    level = level_of(old, TABLE)
    assert level.forecaster is not old.cohorts
    made, same = (one.forecast(UNTIL, level="total") for one in (level.forecaster, fitted.cohorts))
    pd.testing.assert_frame_equal(made, same, rtol=1e-9)
