"""Margin and CLV of past forecasts: at the rate known then, beside what was earned."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from clvmodels.core.months import month_grid
from clvmodels.finance.clv import UnitEconomics
from pipelines.backtesting.candidates import Candidate
from pipelines.backtesting.cell_scores import cell_scores, with_actuals
from pipelines.backtesting.margin_and_clv import valued, with_margin_and_clv

GRID = month_grid(dt.date(2022, 6, 30), dt.date(2022, 8, 31))
ECONOMICS = UnitEconomics(margin=0.5, cost_to_serve=2.0, annual_discount_rate=0.21)
PERIODS = pd.to_datetime(["2022-07-01", "2022-08-01"])
DISCOUNT = [1.21 ** (-15.5 / 365.25), 1.21 ** (-46.5 / 365.25)]


def forecast(**columns):
    table = {"period": PERIODS, "purchases": [4.0, 2.0], "revenue": [100.0, 4.0]}
    return pd.DataFrame({"cohort": pd.Timestamp("2022-01-01")} | table | columns)


def happened(**columns):
    table = {"period": PERIODS, "purchases": [5, 1], "revenue": [90.0, 10.0], "customers": 9}
    return pd.DataFrame({"cohort": pd.Timestamp("2022-01-01")} | table | columns)


def test_margin_and_clv_by_hand():
    made = with_margin_and_clv(forecast(), GRID, ECONOMICS)
    assert made["margin"].tolist() == pytest.approx([50.0, 2.0])
    assert made["clv"].tolist() == pytest.approx([42.0 * DISCOUNT[0], -2.0 * DISCOUNT[1]])
    assert "clv_low" not in made
    actual = with_margin_and_clv(happened(), GRID, ECONOMICS)
    assert actual["margin"].tolist() == pytest.approx([45.0, 5.0])
    assert actual["clv"].tolist() == pytest.approx([35.0 * DISCOUNT[0], 3.0 * DISCOUNT[1]])


def test_intervals_are_those_of_revenue_and_never_upside_down():
    table = forecast(revenue_low=[80.0, 2.0], revenue_high=[150.0, 6.0])
    made = with_margin_and_clv(table, GRID, ECONOMICS)
    assert made["margin_low"].tolist() == pytest.approx([40.0, 1.0])
    assert made["clv_high"].tolist() == pytest.approx([63.0 * DISCOUNT[0], -1.0 * DISCOUNT[1]])
    for name in ("margin", "clv"):
        assert (made[f"{name}_low"] <= made[name]).all()
        assert (made[name] <= made[f"{name}_high"]).all()


def test_what_the_log_records_counts_and_the_rest_earns_the_rate_known():
    table = happened(margin=[60.0, 1.0], without_margin=[0.0, 4.0])
    made = with_margin_and_clv(table, GRID, ECONOMICS)
    assert made["margin"].tolist() == pytest.approx([60.0, 3.0])
    assert made["clv"].tolist() == pytest.approx([50.0 * DISCOUNT[0], 1.0 * DISCOUNT[1]])


def test_rows_of_the_record_may_stand_in_any_order():
    table = happened(margin=[60.0, 1.0], without_margin=[0.0, 4.0])
    actual = with_margin_and_clv(table.iloc[::-1], GRID, ECONOMICS)
    made = with_actuals(valued(Candidate(forecast()), GRID, ECONOMICS), actual)
    assert made["actual_margin"].tolist() == pytest.approx([60.0, 3.0])
    assert made["margin"].tolist() == pytest.approx([50.0, 2.0])


def test_a_margin_that_nobody_knew_is_not_judged():
    unknown = UnitEconomics(math.nan, 2.0, 0.1)
    table = happened(margin=[60.0, 1.0], without_margin=[0.0, 4.0])
    candidate = valued(Candidate(forecast()), GRID, unknown)
    made = with_actuals(candidate, with_margin_and_clv(table, GRID, unknown))
    assert made[["margin", "clv"]].isna().all(axis=None)
    assert made["actual_margin"].tolist()[0] == pytest.approx(60.0)
    scored = {quantity for _, quantity, *_ in cell_scores("clv", made, None, GRID.whole())}
    assert scored == {"purchases", "revenue"}


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_at_a_constant_rate_margin_errs_as_revenue_does(rate):
    economics = UnitEconomics(rate, 0.0, 0.0)
    made = with_margin_and_clv(forecast(), GRID, economics)
    made = with_actuals(Candidate(made), with_margin_and_clv(happened(), GRID, economics))
    off = made["margin"] - made["actual_margin"]
    assert off.tolist() == pytest.approx(rate * np.array([10.0, -6.0]))
    assert made["clv"].tolist() == pytest.approx(made["margin"].tolist())
