"""Every candidate's forecast: blind to the future, whole, and what its name says."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from at_a_day import observe
from closeness import assert_close
from shop import altered, dataset_of

from clvmodels import BGNBD, GammaGamma
from clvmodels.core.metrics import wape
from clvmodels.core.months import month_grid
from clvmodels.finance.clv import UnitEconomics
from pipelines.backtesting import run as backtest
from pipelines.backtesting.candidates import FORECASTS, Known, scaled_up
from pipelines.forecasting.customers import CustomerMonths
from pipelines.training import fit as train

ORIGIN = dt.date(2022, 6, 30)
LAST = dt.date(2022, 12, 31)


@pytest.fixture(scope="module")
def observed(data, config):
    return observe(ORIGIN, data, config, LAST)


@pytest.fixture(scope="module")
def known(observed) -> Known:
    return observed[0]


@pytest.fixture(scope="module")
def fitted(known, config):
    return train.estimate(known.training, config.train)


@pytest.fixture(scope="module")
def made(known, fitted, config):
    return {name: make(known, fitted, config.train) for name, make in FORECASTS.items()}


@pytest.fixture(scope="module")
def made_with_another_future(log, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("future")
    with dataset_of(altered(log, ORIGIN), config, folder) as data:
        known, truth = observe(ORIGIN, data, config, LAST)
    fitted = train.estimate(known.training, config.train)
    return (
        known,
        truth,
        {name: make(known, fitted, config.train) for name, make in FORECASTS.items()},
    )


def test_the_other_future_is_another(observed, made_with_another_future):
    assert not observed[1].cells.equals(made_with_another_future[1].cells)


def test_nothing_after_the_origin_is_known(known, made_with_another_future):
    assert_close(known, made_with_another_future[0])


@pytest.mark.parametrize("name", FORECASTS)
def test_no_forecast_sees_what_happens_after_its_origin(made, made_with_another_future, name):
    assert_close(made[name], made_with_another_future[2][name])


@pytest.mark.parametrize("name", FORECASTS)
def test_a_forecast_holds_every_cohort_and_month_once(made, observed, name):
    cells = made[name].cells
    assert not cells.duplicated(["cohort", "period"]).any()
    pd.testing.assert_frame_equal(
        cells[["cohort", "period"]].sort_values(["cohort", "period"], ignore_index=True),
        observed[1].cells[["cohort", "period"]],
        check_dtype=False,
    )
    values = cells[["purchases", "revenue"]].to_numpy(dtype=float)
    assert np.isfinite(values).all()
    assert (values >= 0).all()


@pytest.mark.parametrize("name", FORECASTS)
def test_customers_add_up_to_cells(made, known, name):
    if made[name].customers is None:
        pytest.skip("a model of cohorts alone")
    assert len(made[name].customers) == len(known.customers)
    by_cohort = made[name].customers.groupby(known.customers["quarter"].to_numpy()).sum()
    cells = made[name].cells.groupby("cohort")[["purchases", "revenue"]].sum()
    np.testing.assert_allclose(by_cohort.to_numpy(), cells.to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("name", ["clv", "lifetimes"])
def test_a_forecast_is_better_than_nobody_comes_back(made, observed, name):
    both = made[name].cells.merge(observed[1].cells, on=["cohort", "period"])
    assert wape(both["purchases_y"], both["purchases_x"]) < 0.6


def test_lifetimes_is_what_the_package_predicts(made, known):
    """Fitted and predicted by lifetimes' own functions, one month's end after the other."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    table = known.customers
    fitter = BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"])
    repeat = table[table["frequency"] > 0]
    spend = GammaGammaFitter().fit(repeat["frequency"], repeat["monetary_value"])
    value = spend.conditional_expected_average_profit(table["frequency"], table["monetary_value"])
    before, total = 0.0, 0.0
    periods = known.grid.index()
    for k, end in enumerate(known.grid.edges):
        until = fitter.conditional_expected_number_of_purchases_up_to_time(
            end, table["frequency"], table["recency"], table["T"]
        )
        cells = made["lifetimes"].cells
        month = cells[cells["period"] == periods[k]]
        assert month["purchases"].sum() == pytest.approx((until - before).sum(), rel=2e-3)
        assert month["revenue"].sum() == pytest.approx(((until - before) * value).sum(), rel=2e-3)
        before = until
        total += month["purchases"].sum()
    assert total > 0


def test_own_models_alone_are_bgnbd_and_gamma_gamma(made, known):
    table = known.customers
    repeat = table[table["frequency"] > 0]
    purchases = BGNBD().fit(table).expected_purchases(table, horizon=known.grid.edges[-1])
    spend = GammaGamma().fit(repeat).expected_spend(table)
    assert made["bgnbd"].cells["purchases"].sum() == pytest.approx(purchases.sum(), rel=1e-6)
    assert made["bgnbd"].cells["revenue"].sum() == pytest.approx(
        (purchases * spend).sum(), rel=1e-6
    )


def test_a_sample_is_scaled_up_cohort_by_cohort():
    quarters = pd.to_datetime(["2022-01-01", "2022-04-01", "2022-07-01"]).astype("datetime64[s]")
    histories = pd.DataFrame({"quarter": quarters, "weight": [4.0, 2.0, 10.0]})
    drawn = pd.DataFrame({"quarter": quarters[[0, 0, 1, 1]]})  # none of the last
    grid = month_grid(dt.date(2022, 7, 31), dt.date(2022, 9, 30))
    known = Known(None, grid, histories, drawn, UnitEconomics(0.4, 0.0, 0.0))
    purchases = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    months = CustomerMonths(purchases, 10 * purchases, np.empty(0))
    made = scaled_up(known, months)
    assert made["cohort"].tolist() == [day for day in quarters for _ in range(2)]
    # twice the sum; the sum itself; ten times the average of the four
    assert made["purchases"].tolist() == [8.0, 12.0, 12.0, 14.0, 40.0, 50.0]
    assert made["revenue"].tolist() == [80.0, 120.0, 120.0, 140.0, 400.0, 500.0]
    assert known.population == 16


def average_oracle(log: pd.DataFrame, origin: dt.date) -> dict[pd.Timestamp, float]:
    """Repeat purchases a day in the three months to the origin, of a quarter's customers.

    Each cohort, a month of first purchase, has the rate of its customer-days times its customers.
    """
    days = log.assign(day=pd.to_datetime(log["when"]).dt.normalize())
    days = days[days["day"] <= pd.Timestamp(origin)].drop_duplicates(["who", "day"])
    start = pd.Timestamp(origin).replace(day=1) - pd.DateOffset(months=2)
    bought: Counter[pd.Timestamp] = Counter()
    exposed: Counter[pd.Timestamp] = Counter()
    size: Counter[pd.Timestamp] = Counter()
    for _, rows in days.groupby("who"):
        first = rows["day"].min()
        cohort = first.to_period("M").start_time
        begin = max(first + pd.Timedelta(days=1), start)
        size[cohort] += 1
        exposed[cohort] += (pd.Timestamp(origin) - begin).days + 1
        bought[cohort] += int((rows["day"][rows["day"] > first] >= start).sum())
    rate: Counter[pd.Timestamp] = Counter()
    for cohort in size:
        quarter = cohort.to_period("Q").start_time
        rate[quarter] += size[cohort] * bought[cohort] / exposed[cohort]
    return dict(rate)


def test_the_average_goes_on_as_in_the_last_three_months(log, made):
    rate = average_oracle(log, ORIGIN)
    for cell in made["last_months_average"].cells.itertuples():
        expected = rate[cell.cohort] * cell.period.days_in_month
        assert cell.purchases == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "origin", [dt.date(2022, 4, 1), dt.date(2021, 10, 1), dt.date(2022, 3, 31)]
)
def test_a_cohort_that_first_bought_on_the_origin_itself_is_forecast(log, config, tmp_path, origin):
    """It has no day of history yet: finite forecasts all the same, by every candidate."""
    first = log.groupby("who")["when"].transform("min")
    newcomers = log[(first == log["when"]) & (pd.to_datetime(log["when"]).dt.date <= origin)]
    newcomers = newcomers.head(5).assign(who=lambda t: "new" + t["who"], when=f"{origin} 10:00:00")
    later = pd.to_datetime(first).dt.date != origin
    both = pd.concat([log[later & (pd.to_datetime(first).dt.date < origin)], newcomers])
    with dataset_of(both, config, tmp_path) as data:
        known, truth = observe(origin, data, config, LAST)
    result = backtest.judge(known, truth, config.train, explain=False)
    values = result.cells[["purchases", "revenue"]].to_numpy(dtype=float)
    assert np.isfinite(values).all()
    assert set(result.cells["model"]) == set(FORECASTS)
