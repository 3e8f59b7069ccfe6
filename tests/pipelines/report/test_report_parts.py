"""Months of which only some days are sold or forecast: marked in every figure by month."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.report import ReportInputs, summarize
from pipelines.report.figures import customers as figures_customers
from pipelines.report.figures import forecasts as figures
from pipelines.report.figures.style import PALER, PART

AS_OF = dt.date(2024, 12, 4)


def cut_in_two(inputs: ReportInputs) -> ReportInputs:
    """The example as of 4 December, so that the last forecast month ends on the 4th."""
    earlier = {
        name: getattr(inputs, name).assign(
            period=getattr(inputs, name)["period"] - pd.DateOffset(months=1)
        )
        for name in ("cohort_forecast", "budget")
    }
    more = {}
    for name, table in earlier.items():
        last = table[table["period"] == table["period"].max()]
        more[name] = pd.concat([table, last.assign(period=pd.Timestamp("2025-12-01"))])
    end = pd.Timestamp(AS_OF)
    cells = inputs.cells.assign(horizon_days=(end - inputs.cells["origin"]).dt.days)
    return dataclasses.replace(inputs, as_of=AS_OF, cells=cells, **more)


@pytest.fixture(scope="module")
def charts(inputs: ReportInputs) -> dict[str, Any]:
    """Charts of a report whose as-of date is no month end."""
    charts: dict[str, Any] = summarize(cut_in_two(inputs))["charts"]
    return charts


def marked(periods: list[str], cut: list[bool]) -> list[str]:
    return [period for period, part in zip(periods, cut, strict=True) if part]


def test_the_charts_name_the_months_that_are_cut(charts, summary):
    chart = charts["headline_forecast"]
    # December is shown whole, sold and forecast together; the next one is forecast to the 4th.
    assert marked(chart["forecast"]["period"], chart["forecast"]["cut"]) == ["2025-12-01"]
    assert not any(chart["history"]["cut"])
    assert charts["budget"]["cut"] == ["2025-12-01"]
    for name in ("forecast_by_month_revenue", "forecast_by_month_purchases", "headline_backtest"):
        for panel in charts[name]["panels"]:
            assert marked(panel["period"], panel["cut"]) == ["2024-12-01"]
    fit = charts["tracking"]
    assert marked(fit["period"], fit["cut"]) == ["2024-12-01"]
    whole = summary["charts"]
    assert not any(whole["headline_forecast"]["forecast"]["cut"])
    assert not whole["budget"]["cut"]
    assert not any(any(panel["cut"]) for panel in whole["headline_backtest"]["panels"])
    assert not any(whole["tracking"]["cut"])


def test_the_log_s_first_month_counts_from_its_first_day(inputs):
    late = dataclasses.replace(inputs, account=inputs.account | {"first_date": "2023-01-09"})
    chart = summarize(late)["charts"]["headline_forecast"]["history"]
    assert marked(chart["period"], chart["cut"]) == ["2023-01-01"]


def test_a_month_under_way_that_no_forecast_completes_is_a_part(inputs):
    ahead = inputs.cohort_forecast
    alone = dataclasses.replace(inputs, as_of=AS_OF, cohort_forecast=ahead)
    chart = summarize(alone)["charts"]["headline_forecast"]["history"]
    assert marked(chart["period"], chart["cut"]) == ["2024-12-01"]


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (figures.history_and_forecast, "headline_forecast"),
        (figures.month_lines, "headline_backtest"),
        (figures.month_lines, "forecast_by_month_revenue"),
        (figures_customers.tracking, "tracking"),
    ],
)
def test_lines_do_not_run_into_a_part_of_a_month(charts, summary, draw, name):
    figure = draw(charts[name])
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert PART in {line.get_label() for line in hollow}
    for line in figure.axes[0].lines:
        joined = line.get_linestyle() != "None"
        last = np.asarray(line.get_ydata(), dtype=float)[-1:]
        if line not in hollow and joined and len(line.get_ydata()) > 2:
            in_history = name == "headline_forecast" and line.get_label() == "Actual"
            assert in_history or np.isnan(last).all()
    whole = draw(summary["charts"][name]).axes[0].lines
    assert not [line for line in whole if line.get_markerfacecolor() == "white"]


def test_bars_of_a_part_of_a_month_are_paler(charts, summary):
    ax = figures.company_revenue(charts["budget"]).axes[0]
    pale = {
        round(bar.get_x()) for bar in ax.patches if bar.get_alpha() == PALER and bar.get_height()
    }
    assert len(pale) == 1
    assert max(round(bar.get_x()) for bar in ax.patches) in pale
    whole = figures.company_revenue(summary["charts"]["budget"]).axes[0]
    assert not [bar for bar in whole.patches if bar.get_alpha() == PALER]


def test_reports_saved_before_parts_were_named_are_still_drawn(charts):
    older = {key: value for key, value in charts["budget"].items() if key != "cut"}
    assert figures.company_revenue(older).axes
    chart = charts["headline_forecast"]
    before = chart | {
        part: {key: value for key, value in chart[part].items() if key != "cut"}
        for part in ("history", "forecast")
    }
    assert figures.history_and_forecast(before).axes
