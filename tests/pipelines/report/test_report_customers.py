"""What the report says of customers and cohorts: value, tiers, segments, fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_example import example_inputs, rows, section

from pipelines.report import summarize


def test_cumulative_ltv_per_customer(inputs, summary):
    line = summary["charts"]["cumulative_ltv"]["lines"][0]
    history = inputs.cohort_months
    first = history[history["cohort"].dt.to_period("Q") == pd.Period("2023Q1")].copy()
    first["age"] = (
        (first["period"].dt.year - first["cohort"].dt.year) * 12
        + first["period"].dt.month
        - first["cohort"].dt.month
    )
    value = (first["revenue"] + first["first_revenue"])[first["age"] <= 2].sum()
    assert line["ltv"][2] == pytest.approx(value / first["first_purchases"].sum())
    # The youngest month of the quarter has been seen for 21 months: later ages are a forecast.
    assert line["forecast"].index(True) == 22
    assert np.all(np.diff(line["ltv"]) > 0)


def test_tiers_sum_to_one(summary):
    tiers = rows(summary, "tiers")
    for share in ("share_of_clv", "share_of_customers"):
        assert sum(row[share] for row in tiers) == pytest.approx(1)


def test_money_is_labelled_ltv_or_clv(summary):
    """No column of customer value goes without saying which of the two it is."""
    for name in ("tiers", "segments", "cohort_value"):
        money = [c for c in summary["tables"][name]["columns"] if c["kind"] == "currency"]
        assert money
        assert all("LTV" in c["label"] or "CLV" in c["label"] for c in money)


def test_fit_shows_what_it_is_given(summary):
    part = section(summary, "fit")
    assert {"frequency_histogram", "tracking", "spend_distribution"} <= set(part["charts"])
    assert "Correlation: 0.06" in summary["tables"]["spend_by_frequency"]["note"]
    compared = rows(summary, "model_comparison")
    assert [row["model"] for row in compared] == ["BG/NBD", "NBD"]
    few = summarize(example_inputs(diagnostics={}))
    assert section(few, "fit")["charts"] == ["frequency_histogram"]
    none = summarize(example_inputs(diagnostics={}, frequency_histogram=pd.DataFrame()))
    assert section(none, "fit")["missing"]


def test_bars_by_history_say_how_many_customers_they_stand_on(inputs, summary):
    names = summary["charts"]["conditional_frequency"]["names"]
    groups = inputs.diagnostics["conditional_frequency"]
    assert names[0] == f"{groups['group'].iloc[0]}\n({groups['customers'].iloc[0]:,})"
    assert len(names) == len(groups)


def test_no_segment_tells_on_a_single_customer():
    segments = pd.DataFrame(
        {
            "dimension": ["country"] * 4 + ["channel"] * 2,
            "value": ["UK", "Malta", "Korea", "Iceland", "shop", "post"],
            "customers": [500, 6, 3, 1, 40, 2],
            "clv": [10.0, 20.0, 40.0, 700.0, 5.0, 9.0],
        }
    )
    shown = rows(summarize(example_inputs(segments=segments)), "segments")
    assert [(row["value"], row["customers"]) for row in shown] == [
        ("UK", 500),
        ("other (3 values)", 10),
        ("shop", 40),
    ]
    assert shown[1]["clv"] == pytest.approx((6 * 20 + 3 * 40 + 700) / 10)
    few = summarize(example_inputs(segments=segments.tail(1)))
    assert "No segment holds 10 customers" in section(few, "segments")["missing"]
