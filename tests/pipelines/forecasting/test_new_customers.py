"""Customers still to come: how many, what they buy, and how past totals of the company did."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from at_a_day import grid_at, history_at, training_at
from cohort_tables import known_on, simulated_table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.months import month_grid
from clvmodels.core.schema import NEW_COHORTS
from pipelines.data import features
from pipelines.data.features.drivers import Drivers
from pipelines.forecasting import new_customers as budget
from pipelines.training import fit as train

AS_OF = dt.date(2021, 12, 31)
UNTIL = dt.date(2022, 6, 30)
NOBODY = {"transactions": None, "spend": None}


@pytest.fixture(scope="module")
def table():
    return simulated_table()


@pytest.fixture(scope="module")
def forecaster(table):
    return CohortForecaster(select=False).fit(table, AS_OF)


def plan(**months):
    periods = [f"{name[1:5]}-{name[5:]}-01" for name in months]
    return pd.DataFrame({"period": pd.to_datetime(periods), "new_customers": [*months.values()]})


def test_without_a_plan_acquisition_goes_on(table, forecaster):
    made = budget.new_customers(forecaster, UNTIL, Drivers())
    assert set(made.acquisitions["basis"]) == {"recent level"}
    truth = table[table["cohort"] > pd.Timestamp(AS_OF)]
    months = made.by_month().set_index("period")
    sold = truth["first_revenue"] + truth["revenue"]
    assert months["new_revenue"].sum() == pytest.approx(sold.sum(), rel=0.2)
    assert months["new_customers"].sum() == pytest.approx(truth["first_purchases"].sum(), rel=0.15)


def test_months_add_up_to_the_cohorts(forecaster):
    made = budget.new_customers(forecaster, UNTIL, Drivers())
    months = made.by_month()
    cohorts = made.cohorts
    assert months["new_revenue"].sum() == pytest.approx(
        cohorts["first_revenue"].sum() + cohorts["revenue"].sum()
    )
    assert months["new_first_revenue"].sum() == pytest.approx(cohorts["first_revenue"].sum())
    assert months["new_customers"].sum() == pytest.approx(cohorts["first_purchases"].sum())


def test_planned_months_take_the_plan_and_the_others_go_on(forecaster):
    expected = forecaster.expected_acquisitions(UNTIL)
    told = Drivers(plan=plan(m202202=900.0, m202204=0.0, m202311=5.0))
    made = budget.new_customers(forecaster, UNTIL, told)
    basis = made.acquisitions.set_index("period")["basis"]
    assert [p.month for p in basis.index[basis == "plan"]] == [2, 4]
    acquired = made.acquisitions.set_index("period")["new_customers"]
    assert acquired["2022-02-01"] == 900
    assert acquired["2022-04-01"] == 0
    np.testing.assert_allclose(acquired["2022-03-01"], expected["2022-03-01"])
    assert pd.Timestamp("2022-04-01") not in set(made.cohorts["cohort"])


def test_a_month_begun_or_cut_short_takes_its_share_of_the_plan(table):
    as_of = dt.date(2021, 12, 11)
    forecaster = CohortForecaster(select=False).fit(known_on(table, as_of), as_of)
    told = Drivers(plan=plan(m202112=310.0, m202201=310.0, m202202=280.0))
    made = budget.new_customers(forecaster, dt.date(2022, 2, 7), told)
    np.testing.assert_allclose(made.acquisitions["new_customers"], [200.0, 310.0, 70.0])


def test_where_acquisition_has_stopped_there_are_none_but_planned_ones(table, tmp_path):
    sample = table[table["cohort"] < "2021-08-01"]
    forecaster = CohortForecaster(select=False).fit(sample, AS_OF)
    made = budget.new_customers(forecaster, UNTIL, Drivers())
    assert made.cohorts.empty
    assert set(made.acquisitions["basis"]) == {"stopped"}
    assert (made.by_month()[["new_customers", "new_revenue", "new_purchases"]] == 0).all(axis=None)
    planned = budget.new_customers(forecaster, UNTIL, Drivers(plan=plan(m202203=50.0)))
    assert planned.by_month()["new_customers"].sum() == 50


@pytest.fixture
def written(forecaster, tmp_path):
    fitted = train.Fitted(AS_OF, **NOBODY, cohorts=forecaster)
    grid = month_grid(AS_OF, UNTIL)
    return fitted, grid, budget.write(forecaster, UNTIL, fitted.drivers, tmp_path)


def test_the_file_is_the_schema_s_and_holds_no_customer(written, tmp_path):
    _, _, made = written
    saved = pd.read_parquet(tmp_path / budget.FILE)
    assert list(saved.columns) == NEW_COHORTS.names
    pd.testing.assert_frame_equal(saved, made.cohorts, check_dtype=False)


def test_without_a_cohort_forecast_the_file_is_there_and_empty(tmp_path):
    fitted = train.Fitted(AS_OF, **NOBODY)
    grid = month_grid(AS_OF, UNTIL)
    made = budget.write(None, UNTIL, fitted.drivers, tmp_path)
    assert made.by_month().empty
    saved = pd.read_parquet(tmp_path / budget.FILE)
    assert list(saved.columns) == NEW_COHORTS.names
    assert saved.empty
    cells = pd.DataFrame({"period": grid.index(), "purchases": 1.0, "revenue": 1.0})
    assert budget.company_forecast(cells, fitted, grid).empty


def test_the_plan_is_no_part_of_the_test(written):
    fitted, grid, _ = written
    cells = pd.DataFrame({"period": grid.index(), "purchases": 10.0, "revenue": 500.0})
    planned = replace(fitted, drivers=Drivers(plan=plan(m202202=9e6)))
    one, two = (budget.company_forecast(cells, f, grid) for f in (fitted, planned))
    pd.testing.assert_frame_equal(one, two)
    np.testing.assert_array_equal(one["known_revenue"], 500.0)


def test_months_that_the_origin_or_the_end_of_the_log_cuts_are_left_out(table):
    """The average of whole months would be compared with a part of one."""
    as_of = dt.date(2021, 12, 11)
    forecaster = CohortForecaster(select=False).fit(known_on(table, as_of), as_of)
    grid = month_grid(as_of, dt.date(2022, 6, 9))
    cells = pd.DataFrame({"period": grid.index(), "purchases": 10.0, "revenue": 500.0})
    made = budget.company_forecast(cells, train.Fitted(as_of, **NOBODY, cohorts=forecaster), grid)
    assert list(made["period"]) == list(pd.date_range("2022-01-01", "2022-05-01", freq="MS"))
    every = budget.new_customers(forecaster, grid.until, Drivers()).by_month()
    every = every[every["period"].isin(made["period"])].reset_index(drop=True)
    for quantity in ("purchases", "revenue"):
        # The rest of December's cohort goes with those of December who are known.
        moved = made[f"known_{quantity}"] - cells[quantity].iloc[0]
        assert (moved > 0).all()
        np.testing.assert_allclose(made[f"new_{quantity}"] + moved, every[f"new_{quantity}"])


def test_actuals_of_the_company_are_those_of_the_raw_log(data, log, config):
    """Everybody's purchases after the origin, one by one."""
    origin = dt.date(2022, 6, 30)
    known = replace(training_at(origin, data, config), churn=())
    fitted = train.estimate(known, config.train)
    grid = month_grid(origin, data.last_date)
    periods = grid.index()
    cells = pd.DataFrame({"period": periods, "purchases": 1.0, "revenue": 2.0})
    made = budget.company_forecast(cells, fitted, grid).assign(origin=pd.Timestamp(origin))
    cohort_months = features.cohort_months(data.snapshot)
    found = budget.with_actuals(made, cohort_months).set_index("period")
    when = pd.to_datetime(log["when"])
    days = log.assign(day=when.dt.normalize(), month=when.dt.to_period("M").dt.start_time)
    first = days.groupby("who")["day"].min()
    for period in periods:
        rows = days[days["month"] == period]
        new = rows[rows["who"].map(first) > pd.Timestamp(origin)]
        row = found.loc[period]
        assert row["actual_revenue"] == pytest.approx(rows["paid"].sum())
        assert row["actual_purchases"] == len(rows.drop_duplicates(["who", "day"]))
        assert row["actual_new_revenue"] == pytest.approx(new["paid"].sum())
        assert (
            row["actual_new_customers"] == (first.dt.to_period("M").dt.start_time == period).sum()
        )
    before = days[(days["month"] >= "2022-04-01") & (days["day"] <= pd.Timestamp(origin))]
    np.testing.assert_allclose(found["last_months_revenue"], before["paid"].sum() / 3)
    for period in periods:
        year = days[days["month"] == period - pd.DateOffset(years=1)]
        held = found.loc[period, "last_year_revenue"]
        assert held == pytest.approx(year["paid"].sum()) if len(year) else np.isnan(held)
    np.testing.assert_allclose(found["revenue"], 2.0 + found["new_revenue"])


def test_known_and_new_share_one_grid(data, config):
    """What is forecast of the company starts where the forecast of known customers starts."""
    grid = grid_at(dt.date(2022, 6, 30), config)
    history = history_at(grid.as_of, data).months
    forecaster = CohortForecaster(select=False).fit(history, grid.as_of)
    made = budget.new_customers(forecaster, grid.until, Drivers())
    assert list(made.acquisitions["period"]) == list(grid.index())
