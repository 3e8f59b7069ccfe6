"""The dictionary that page and workbook are made of, before anything is rendered."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from report_example import AS_OF, config, example_inputs, rows, section

from clvmodels.core.errors import MissingColumnError
from pipelines.report import ReportInputs, summarize
from pipelines.report.wording import words

NBSP = "\N{NO-BREAK SPACE}"


def test_is_json_and_equal_for_equal_inputs(inputs, summary):
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == summary
    assert summarize(inputs) == summary


def test_does_not_write_into_the_callers_tables(inputs):
    before = {name: getattr(inputs, name).copy() for name in ("cells", "cohort_months", "tiers")}
    summarize(inputs)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(inputs, name), frame)


def test_data_account_names_reasons_in_words(summary):
    account = {row["item"]: row for row in rows(summary, "account")}
    assert account["rows read"]["count"] == 30_000
    assert account["set aside: no customer id"]["share"] == pytest.approx(700 / 30_000)
    assert account["customers"]["share"] is None
    assert account["revenue (GBP)"] == {
        "item": "revenue (GBP)",
        "count": 663_524.0,
        "share": None,
    }
    assert not any("bad date" in item or "unreadable" in item for item in account)


def test_the_bridge_leads_from_the_source_s_total_to_the_revenue(summary):
    steps = rows(summary, "bridge")
    assert steps[0]["step"] == "sum of the source's amounts"
    assert steps[-1] == {"step": "revenue as reported", "rows": 29_000, "amount": 663_524.0}
    assert [step["step"] for step in steps[1:-1]] == [
        "less: no customer id",
        "less: equal to another row in every column",
    ]
    assert steps[0]["amount"] - sum(s["amount"] for s in steps[1:-1]) == steps[-1]["amount"]


def test_the_data_account_says_what_looks_implausible(summary):
    text = " ".join(section(summary, "data")["text"])
    assert "To look at: No purchase in 2023-05: is a file missing? " in text
    assert "hold 5\u00a0% of it, the ten with most rows 2\u00a0% of the rows." in text


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "The last one is on the as-of date."),
        (1, "The last one is the day before the as-of date."),
        (42, "The last one is 42 days before the as-of date."),
    ],
)
def test_the_age_of_the_data_is_told(inputs, days, said):
    made = summarize(example_inputs(account=inputs.account | {"stale_days": days}))
    assert said in " ".join(section(made, "data")["text"])


def test_assumptions_are_printed(summary):
    found = {row["name"]: row["value"].replace(NBSP, " ") for row in rows(summary, "assumptions")}
    assert found["Gross margin"] == "40.0 %"
    assert found["Cost to serve"] == "GBP 1.50"
    assert found["Acquisition cost (CAC)"] == "not set"


@pytest.mark.parametrize(
    ("field", "identity"),
    [
        ("deciles", "calibration"),
        ("churn_reliability", "churn"),
        ("cohort_months", "cohorts"),
        ("cohort_forecast", "forecast"),
        ("tiers", "tiers"),
        ("segments", "segments"),
        ("alive_matrix", "alive"),
    ],
)
def test_an_empty_table_is_explained(field, identity):
    part = section(summarize(example_inputs(**{field: pd.DataFrame()})), identity)
    assert part["missing"].endswith((".", ")."))
    assert not part["charts"]


def test_nothing_but_a_configuration_still_makes_a_report():
    summary = summarize(ReportInputs(terms=config().terms, as_of=AS_OF))
    json.dumps(summary, allow_nan=False)
    assert not summary["charts"]
    assert section(summary, "assumptions")["tables"] == ["assumptions"]


def test_tables_and_charts_are_all_placed_once(summary):
    tables = [t for s in summary["sections"] for t in (*s["tables"], *s["workbook_only"])]
    charts = [c for s in summary["sections"] for c in s["charts"]] + summary["headline"]["charts"]
    assert sorted(tables) == sorted(summary["tables"])
    assert sorted(charts) == sorted(summary["charts"])
    sheets = [table["sheet"] for table in summary["tables"].values()]
    assert len({sheet.lower() for sheet in sheets}) == len(sheets)
    assert max(map(len, sheets)) <= 31
    assert all(chart["alt"] for chart in summary["charts"].values())


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(MissingColumnError, match="the tiers table needs the column clv"):
        example_inputs(tiers=pd.DataFrame({"tier": ["a"], "customers": [1]}))


def test_intervals_that_nobody_has_leave_no_empty_columns(inputs):
    forecast = inputs.cohort_forecast.copy()
    cells = inputs.cells.copy()
    for frame in (forecast, cells):
        ends = [c for c in frame if c.endswith(("_low", "_high"))]
        frame[ends] = np.nan
    totals = pd.DataFrame({"quantity": ["revenue"], "value": [5.0], "low": [np.nan]})
    none = pd.DataFrame()
    bare = summarize(
        example_inputs(
            cohort_forecast=forecast, cells=cells, totals=totals, budget=none, effects=none
        )
    )
    keys = {c["key"] for t in bare["tables"].values() for c in t["columns"]}
    assert not {k for k in keys if k.endswith(("_low", "_high"))}
    assert "coverage_90" not in keys
    cards = bare["headline"]["forecast"]["totals"]
    assert [card["interval_text"] for card in cards] == [None, None, None]
    assert not any("interval" in sentence for sentence in bare["headline"]["sentences"])
    assert "nterval" not in " ".join(section(bare, "forecast")["text"])


def test_months_that_as_of_cuts_are_marked(inputs, summary):
    for name in ("forecast_by_month", "cohort_forecast", "budget_by_month", "new_cohorts"):
        assert "days" not in {c["key"] for c in summary["tables"][name]["columns"]}
    cut = summarize(dataclasses.replace(inputs, as_of=dt.date(2025, 1, 20)))
    months = {row["period"]: row["days"] for row in rows(cut, "forecast_by_month")}
    assert months["2025-01-01"] == "from the 21st"
    assert months["2025-02-01"] == "all"
    assert "next 12 months, to 20 January 2026" in " ".join(section(cut, "budget")["text"])
    assert cut["charts"]["headline_forecast"]["title"].endswith("the next 12 months")
    until = dt.date(2025, 12, 20)
    assert words.days_covered(dt.date(2025, 12, 1), AS_OF, until) == "to the 20th"
