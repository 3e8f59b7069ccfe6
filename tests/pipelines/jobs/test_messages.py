"""What the command line says, line by line."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from clvmodels.core.schema import NEW_COHORTS
from pipelines.backtesting.candidates import FORECASTS
from pipelines.backtesting.run import BacktestResult
from pipelines.data.margins import Margin, MarginSource
from pipelines.forecasting.new_customers import NewCustomers
from pipelines.jobs import messages


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (0, False), (1, False)])
def test_only_a_model_that_learned_later_days_is_warned_of(days, warned):
    learned = dt.date(2022, 6, 30)
    fitted = SimpleNamespace(as_of=learned)
    said = messages.hindsight(fitted, learned + dt.timedelta(days=days))
    assert bool(said) == warned


def test_only_an_observed_margin_is_named(config):
    assert messages.margin_line(Margin(config.economics.margin)) == []
    day = dt.date(2022, 6, 30)
    observed = Margin(0.425, MarginSource.OBSERVED, day, day, purchases=1200, without=3)
    assert messages.margin_line(observed) == [
        "gross margin: 42.5% of revenue, as observed in the log (1,200 customer-days with a "
        "margin, 2022-06-30 to 2022-06-30; 3 record none)"
    ]


@pytest.mark.parametrize(
    ("basis", "says"),
    [
        ([], "not forecast ([train] cohort_level is off)"),
        (["stopped"], "none, acquisition has stopped"),
        (["plan"], "none"),
    ],
)
def test_why_nobody_is_still_to_come_is_said(config, basis, says):
    period = pd.date_range("2022-01-01", periods=len(basis), freq="MS")
    acquisitions = pd.DataFrame({"period": period, "new_customers": 0.0, "basis": basis})
    none = NewCustomers(pd.DataFrame(columns=NEW_COHORTS.names), acquisitions)
    assert messages.budget_line(none, config) == f"customers still to come: {says}"


def result(origins=("2022-03-31", "2022-06-30"), models=tuple(FORECASTS), sold=10.0):
    """A backtest of one cohort and month for each origin and model."""
    rows = [
        (model, pd.Timestamp(origin), 90, pd.Timestamp("2021-01-01"), pd.Timestamp("2022-07-01"))
        for model in models
        for origin in origins
        if not (model == "gradient_boosting" and origin == origins[0])
    ]
    cells = pd.DataFrame(rows, columns=["model", "origin", "horizon_days", "cohort", "period"])
    for name in ("purchases", "revenue"):
        cells[name], cells[f"actual_{name}"] = 12.0, sold
        cells[f"{name}_low"], cells[f"{name}_high"] = 5.0, 20.0
    return replace(
        BacktestResult.nothing(),
        cells=cells,
        samples=pd.DataFrame({"sampled": [5], "customers": [5]}),
    )


def test_the_headline_says_what_was_left_out(config):
    asked = (dt.date(2022, 3, 31), dt.date(2022, 6, 30), dt.date(2030, 1, 1))
    asking = config.model_copy(
        update={"backtest": config.backtest.model_copy(update={"origins": asked})}
    )
    purchases, _, late, boosted = messages.headline(result(), asking)
    assert purchases.startswith("purchases: off by 20.0% per cohort-month over all 2 past")
    assert late == ("[backtest] origins left out, as nothing after them is known yet: 2030-01-01")
    assert boosted.startswith("gradient_boosting: left out at 1 of 2 origins")


def test_the_headline_of_one_forecast_and_of_months_without_sales(config):
    one, *_ = messages.headline(result(["2022-06-30"], ["clv", "lifetimes"]), config)
    assert "over one past forecast, +20.0% in total" in one
    none, *_ = messages.headline(result(sold=0.0), config)
    assert none == "purchases: the tested months held none, so no error can be given"


def test_totals_of_everybody_name_those_who_are_scored_alone(config):
    grid = SimpleNamespace(as_of=dt.date(2022, 6, 30), until=dt.date(2023, 6, 30))
    totals = pd.DataFrame({"quantity": ["purchases", "revenue", "clv"], "value": [9.0, 90.0, 8.0]})
    made = SimpleNamespace(grid=grid, totals=totals, customers=80, corrections=pd.DataFrame())
    (all_alone,) = messages.forecast_lines(made, 80, config)
    assert all_alone.startswith("80 customers, 2022-07-01 to 2023-06-30: 9 purchases")
    (some,) = messages.forecast_lines(made, 100, config)
    assert some.startswith("100 customers (80 of them scored alone), 2022-07-01")


def test_what_customers_cannot_carry_is_told_where_it_is_material(config):
    grid = SimpleNamespace(as_of=dt.date(2022, 6, 30), until=dt.date(2023, 6, 30))
    totals = pd.DataFrame(
        {"quantity": ["purchases", "revenue", "clv"], "value": [400.0, 9000.0, 8.0]}
    )
    corrections = pd.DataFrame(
        {"purchases_unplaced": [20.0, 0.0], "revenue_unplaced": [89.0, -450.0]}
    )
    made = SimpleNamespace(grid=grid, totals=totals, customers=80, corrections=corrections)
    _, left_out, kept = messages.forecast_lines(made, 80, config)
    assert left_out.startswith("Left out of cohorts and company: 20 purchases (5 % of this")
    assert kept.startswith("Kept in cohorts and company: revenue of EUR 450 (5 % of this")
    little = replace_unplaced(made, 0.009)
    assert len(messages.forecast_lines(little, 80, config)) == 1
    assert len(messages.forecast_lines(replace_unplaced(made, 0.011), 80, config)) == 2


def replace_unplaced(made, share):
    corrections = pd.DataFrame({"purchases_unplaced": [400.0 * share], "revenue_unplaced": [0.0]})
    return SimpleNamespace(**{**vars(made), "corrections": corrections})


def test_those_who_may_be_profiled_are_no_sample(config):
    kept = result()
    kept = replace(
        kept,
        samples=pd.DataFrame(
            {"origin": [pd.Timestamp("2022-06-30")], "sampled": [40], "customers": [50]}
        ),
    )
    asked = config.model_copy(
        update={"governance": config.governance.model_copy(update={"consent": "aggregate_only"})}
    )
    assert messages.headline(kept, config)[-1].endswith("on a sample of 40 of 50 customers")
    said = messages.headline(kept, asked)[-1]
    assert said.endswith("on 40 of 50 customers (those who may be profiled, of many a sample)")
