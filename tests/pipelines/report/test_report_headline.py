"""What the first screen says: totals, and the past forecast most like today's."""

from __future__ import annotations

import math

import openpyxl
import pandas as pd
import pytest
from report_example import example_inputs, rows, section

from pipelines.backtesting import accuracy
from pipelines.report import page as render
from pipelines.report import summarize
from pipelines.report.wording import words

NBSP = "\N{NO-BREAK SPACE}"


def test_totals_are_the_sums_of_the_forecast(inputs, summary):
    cards = {card["quantity"]: card for card in summary["headline"]["forecast"]["totals"]}
    for quantity in ("revenue", "purchases"):
        for key, column in (("value", ""), ("low", "_low"), ("high", "_high")):
            total = inputs.cohort_forecast[quantity + column].sum()
            assert cards[quantity][key] == pytest.approx(total)
    assert cards["clv"]["value"] == pytest.approx(inputs.tiers["clv"].sum())
    assert cards["clv"]["interval_text"] is None
    assert cards["revenue"]["unit"] == "GBP"
    assert cards["revenue"]["text"].startswith("GBP 2")


def test_given_totals_win(inputs):
    totals = pd.DataFrame(
        {
            "quantity": ["revenue", "clv"],
            "value": [1_234_567.0, 90.0],
            "low": [1e6, 80.0],
            "high": [2e6, 99.0],
        }
    )
    cards = summarize(example_inputs(totals=totals))["headline"]["forecast"]["totals"]
    revenue, _, clv = cards
    assert revenue["text"] == "GBP 1.23 million"
    assert revenue["interval_text"] == f"90{NBSP}% interval 1.00 million to 2.00 million"
    assert clv["interval_text"] == f"90{NBSP}% interval 80 to 99"


def test_intervals_of_months_win_over_sums_of_the_cohorts(inputs):
    columns = [c for c in inputs.cohort_forecast if c not in ("cohort", "period")]
    months = inputs.cohort_forecast.groupby("period", as_index=False)[columns].sum()
    months["revenue_low"] = months["revenue"] * 0.95
    summary = summarize(example_inputs(months=months))
    found = rows(summary, "forecast_by_month")
    assert [row["revenue_low"] for row in found] == pytest.approx(list(months["revenue_low"]))
    low = summary["charts"]["headline_forecast"]["forecast"]["low"]
    assert low == pytest.approx(list(months["revenue_low"]))
    assert "cautious" not in section(summary, "forecast")["text"][0]
    assert "cautious" in section(summarize(inputs), "forecast")["text"][0]


def test_forecast_of_later_months_and_future_cohorts_is_left_out(inputs):
    extra = inputs.cohort_forecast.head(2).copy()
    extra["period"] = pd.Timestamp("2026-01-01")
    future = inputs.cohort_forecast.head(1).copy()
    future["cohort"] = pd.Timestamp("2025-01-01")
    longer = pd.concat([inputs.cohort_forecast, extra, future])
    assert (
        summarize(example_inputs(cohort_forecast=longer))["headline"]
        == summarize(inputs)["headline"]
    )


def test_a_month_cut_by_as_of_is_shown_whole(inputs):
    forecast = inputs.cohort_forecast.copy()
    december = forecast[forecast["period"] == pd.Timestamp("2025-01-01")].assign(
        period=pd.Timestamp("2024-12-01")
    )
    chart = summarize(example_inputs(cohort_forecast=pd.concat([december, forecast])))["charts"][
        "headline_forecast"
    ]
    history = inputs.cohort_months
    known = history.loc[history["period"] == pd.Timestamp("2024-12-01"), "revenue"].sum()
    assert chart["history"]["period"][-1] == "2024-11-01"
    assert chart["forecast"]["period"][0] == "2024-12-01"
    assert chart["forecast"]["revenue"][0] == pytest.approx(known + december["revenue"].sum())


def test_the_first_screen_shows_the_past_forecast_most_like_todays():
    reach = {"2020-05-31": 30, "2021-05-31": 14, "2022-05-31": 6}
    cells = pd.DataFrame(
        [(pd.Timestamp(o), 30 * n, month) for o, n in reach.items() for month in range(n)],
        columns=["origin", "horizon_days", "period"],
    )
    for months, origin in ((12, "2021-05-31"), (24, "2020-05-31"), (6, "2022-05-31")):
        assert accuracy.most_like(cells, months) == pd.Timestamp(origin)
    assert accuracy.most_like(cells.head(0), 12) is None


def test_pictures_of_a_past_forecast_show_the_same_one(inputs, summary):
    origin = words.day(inputs.origin_like_today().date())
    for name in ("headline_backtest", "calibration_deciles"):
        assert origin in summary["charts"][name]["title"]


def test_without_a_backtest_the_first_screen_says_so():
    summary = summarize(example_inputs(cells=pd.DataFrame(), metrics=pd.DataFrame()))
    assert "No past forecast could be tested" in summary["headline"]["sentences"][0]
    assert {"accuracy", "months", "heatmap"} <= {
        part["id"] for part in summary["sections"] if part["missing"]
    }
    assert summary["headline"]["charts"] == ["headline_forecast"]


def test_the_share_of_months_held_weighs_origins_by_their_days():
    rows = [
        ("2022-03-31", 300, "total_month", "revenue", "clv", "coverage_90", 0.9),
        ("2022-09-30", 100, "total_month", "revenue", "clv", "coverage_90", 0.5),
        ("2022-09-30", 30, "total_month", "revenue", "clv", "coverage_90", 0.0),
        ("2022-09-30", 100, "cohort_month", "revenue", "clv", "coverage_90", 0.1),
        ("2022-09-30", 100, "total_month", "revenue", "cohort", "coverage_90", 0.1),
    ]
    names = ["origin", "horizon_days", "level", "quantity", "model", "metric", "value"]
    scores = pd.DataFrame(rows, columns=names)
    assert accuracy.month_coverage(scores, "clv", "revenue") == pytest.approx(0.8)
    assert math.isnan(accuracy.month_coverage(scores, "clv", "purchases"))
    assert math.isnan(accuracy.month_coverage(scores.iloc[:0], "clv", "revenue"))
    inputs = example_inputs(metrics=scores)
    said = " ".join(summarize(inputs)["headline"]["sentences"])
    assert f"of cohort-months and of 80{NBSP}% of calendar months instead of 90{NBSP}%" in said
    assert "intervals like these were too narrow." in said


def test_intervals_that_failed_in_the_past_are_told_where_they_are_offered(
    inputs, summary, tmp_path
):
    cards = summary["headline"]["forecast"]["totals"]
    assert [card["interval_past"] for card in cards] == [None, None, None]
    assert "too narrow" not in " ".join(summary["headline"]["sentences"])
    cells = inputs.cells.copy()
    cells["revenue_low"] = cells["revenue"] * 0.999
    cells["revenue_high"] = cells["revenue"] * 1.001
    narrow = summarize(example_inputs(cells=cells))
    revenue, purchases, clv = narrow["headline"]["forecast"]["totals"]
    assert "too narrow: they held" in revenue["interval_past"]
    assert purchases["interval_past"] is None
    assert clv["interval_past"] is None  # it has no interval here
    page = render.html(narrow, {})
    assert page.count('class="narrow"') == 1
    render.workbook(narrow, tmp_path / "book.xlsx")
    cells = openpyxl.load_workbook(tmp_path / "book.xlsx")["Read me"]["B"]
    assert [revenue["interval_past"] in str(cell.value) for cell in cells].count(True) == 1
    del revenue["interval_past"]
    assert 'class="narrow"' not in render.html(narrow, {})


def test_a_baseline_that_was_nearer_is_named_on_page_and_console(inputs):
    cells = inputs.cells.copy()
    nearer = cells["model"] == "last_months_average"
    for quantity in ("purchases", "revenue"):
        cells.loc[nearer, quantity] = 1.01 * cells.loc[nearer, f"actual_{quantity}"]
    made = summarize(example_inputs(cells=cells))
    (said,) = [s for s in made["headline"]["sentences"] if "nearer" in s and "revenue" in s]
    assert said.startswith("A simpler forecast was nearer than this one for revenue")
    assert f"Average of the last months (1{NBSP}% against " in said
    found = accuracy.Accuracy.of(cells, inputs.metrics).nearer("clv", "revenue")
    assert list(found) == ["last_months_average"]
    usual = accuracy.Accuracy.of(inputs.cells, inputs.metrics)
    assert usual.nearer("clv", "revenue") == {}
    assert list(usual.nearer("last_months_average", "revenue")) == ["lifetimes"]
    assert not [s for s in summarize(inputs)["headline"]["sentences"] if "nearer than" in s]
