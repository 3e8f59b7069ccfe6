"""What the report says of past errors, by cohort, month, model and customer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_example import ORIGINS, example_inputs, rows, section

from pipelines.backtesting import accuracy
from pipelines.backtesting.customer_scores import NOT_EARNED
from pipelines.report import summarize
from pipelines.report.wording import words

NBSP = "\N{NO-BREAK SPACE}"


def slow_wape(cells: pd.DataFrame, model: str, quantity: str) -> float:
    missed = actual = 0.0
    for row in cells.to_dict("records"):
        if row["model"] == model:
            missed += abs(row[quantity] - row[f"actual_{quantity}"])
            actual += row[f"actual_{quantity}"]
    return missed / actual


@pytest.mark.parametrize("quantity", ["revenue", "purchases"])
def test_errors_are_pooled_over_all_cells(inputs, summary, quantity):
    found = {row["label"]: row for row in rows(summary, f"errors_{quantity}")}
    for model in ("clv", "bgnbd", "lifetimes", "last_months_average"):
        expected = slow_wape(inputs.cells, model, quantity)
        assert found[words.model_label(model)]["wape"] == pytest.approx(expected)
    mine = slow_wape(inputs.cells, "clv", quantity)
    theirs = slow_wape(inputs.cells, "lifetimes", quantity)
    assert found["lifetimes"]["change"] == pytest.approx(mine / theirs - 1)
    assert found["This forecast"]["change"] is None
    assert summary["headline"]["accuracy"][quantity]["wape"] == pytest.approx(mine)


def test_sentences_say_size_direction_and_baseline(summary):
    text = " ".join(summary["headline"]["sentences"]).replace(NBSP, " ")
    score = summary["headline"]["accuracy"]["revenue"]
    assert f"off by {score['wape'] * 100:.0f} % on average per cohort-month" in text
    better = -score["against"]["lifetimes"]["change"] * 100
    assert f"{better:.0f} % smaller error than the lifetimes package" in text
    assert "4 past dates (31 December 2023 to 30 September 2024)" in text


def test_sentences_say_how_the_past_dates_differ(inputs):
    cells = inputs.cells.copy()
    factors = dict(zip(ORIGINS, (3.21, 1.4, 1.1, 0.81), strict=True))
    mine = cells["model"] == "clv"
    for quantity in ("revenue", "purchases"):
        times = cells["origin"].dt.strftime("%Y-%m-%d").map(factors)
        cells.loc[mine, quantity] = (cells[f"actual_{quantity}"] * times)[mine]
        lifetimes = cells["model"] == "lifetimes"
        cells.loc[lifetimes, quantity] = 1.38 * cells.loc[lifetimes, f"actual_{quantity}"]
    text = " ".join(summarize(example_inputs(cells=cells))["headline"]["sentences"])
    text = text.replace(NBSP, " ")
    assert (
        ": 221 % as of 31 December 2023, the oldest date, and 19 % as of 30 September 2024" in text
    )
    assert "in total from 19 % too low to 221 % too high" in text
    assert "times the error of the lifetimes package" in text
    assert "at the latest date alone, a 50 % smaller error than the lifetimes package" in text
    last = cells[cells["origin"] == pd.Timestamp(ORIGINS[-1])]
    text = " ".join(summarize(example_inputs(cells=last))["headline"]["sentences"])
    assert "; 19 % too low in total." in text.replace(NBSP, " ")
    assert "oldest" not in text
    assert "latest" not in text


def test_a_sample_of_customers_is_said_to_be_one(inputs, summary):
    def said(summary):
        note = summary["tables"]["errors_customer"]["note"]
        return note, " ".join(section(summary, "calibration")["text"])

    samples = pd.DataFrame(
        {"origin": ORIGINS[:2], "customers": [90, 250_000], "sampled": [90, 100_100]}
    )
    some = said(summarize(example_inputs(samples=samples)))
    for text, before in zip(some, said(summary), strict=True):
        added = text.removeprefix(before)
        assert added == f" On a sample of the customers: 100,100 of 250,000 at {ORIGINS[1]}."
    everybody = samples.assign(sampled=samples["customers"])
    assert said(summarize(example_inputs(samples=everybody))) == said(summary)


def test_a_worse_forecast_is_called_worse(inputs):
    cells = inputs.cells.copy()
    mine = cells["model"] == "clv"
    for quantity in ("revenue", "purchases"):
        cells.loc[mine, quantity] = cells.loc[mine, f"actual_{quantity}"] * 0.4
    text = " ".join(summarize(example_inputs(cells=cells))["headline"]["sentences"])
    text = text.replace(NBSP, " ")
    assert "off by 60 % on average" in text
    assert "too low in total every time, by 60 %" in text
    assert "times the error of the lifetimes package" in text


def test_a_baseline_that_lacks_cells_is_compared_on_the_shared_ones(inputs):
    cells = inputs.cells[
        (inputs.cells["model"] == "clv") | (inputs.cells["origin"] == pd.Timestamp(ORIGINS[0]))
    ]
    compared = accuracy.change_of_error(cells, "clv", "lifetimes", "revenue")
    shared = cells[cells["origin"] == pd.Timestamp(ORIGINS[0])]
    assert compared["origins"] == 1
    assert compared["wape"] == pytest.approx(slow_wape(shared, "clv", "revenue"))


def test_only_the_longest_horizon_of_an_origin_counts(inputs):
    short = inputs.cells.assign(horizon_days=30, revenue=0.0)
    both = pd.concat([inputs.cells, short])
    pd.testing.assert_frame_equal(accuracy.longest_horizon(both), inputs.cells)


def test_by_month_sums_cohorts_and_counts_the_actual_once(inputs):
    months = accuracy.by_month(inputs.cells, "revenue").set_index(["origin", "period"])
    clv = inputs.cells[inputs.cells["model"] == "clv"]
    grouped = clv.groupby(["origin", "period"])
    pd.testing.assert_series_equal(
        months["actual"], grouped["actual_revenue"].sum(), check_names=False
    )
    pd.testing.assert_series_equal(months["clv"], grouped["revenue"].sum(), check_names=False)


def test_a_model_without_a_month_has_no_total(inputs):
    cells = inputs.cells
    gap = (cells["model"] == "lifetimes") & (cells["period"] == pd.Timestamp("2024-12-01"))
    totals = rows(summarize(example_inputs(cells=cells[~gap])), "totals_revenue")
    assert all(row["lifetimes"] is None for row in totals)
    assert all(row["clv"] is not None for row in totals)


def test_heat_map_leaves_cells_without_sales_open(inputs):
    cells = inputs.cells.copy()
    cells.loc[cells["period"] == pd.Timestamp("2024-12-01"), "actual_revenue"] = 0.0
    chart = summarize(example_inputs(cells=cells))["charts"]["error_heatmap"]
    december = chart["periods"].index("2024-12-01")
    assert all(row[december] is None for row in chart["error"])
    assert all(row[december] for row in chart["asked"])
    january = chart["periods"].index("2024-01-01")
    asked = [row[january] for row in chart["asked"]]
    assert asked.count(True) == 4  # only the first origin's four cohorts look at January


@pytest.mark.parametrize(("shift", "closer"), [(-0.01, 4), (0.01, 0)])
def test_the_classifier_is_told_when_it_loses(inputs, shift, closer):
    brier = inputs.metrics["metric"] == "brier"
    own = inputs.metrics.loc[brier & (inputs.metrics["model"] == "customers"), "value"].iloc[0]
    scores = inputs.metrics.copy()
    scores.loc[brier & (scores["model"] == "churn"), "value"] = own + shift
    said = " ".join(section(summarize(example_inputs(metrics=scores)), "churn")["text"])
    assert f"(Customer models alone) at {closer} of 4 past dates." in said


def test_the_page_says_which_probability_is_delivered(inputs):
    note = f"{NOT_EARNED}: over 4 past dates its Brier score was 0.1, the classifier's 0.2."
    made = example_inputs(model=inputs.model | {"notes": [note]})
    assert note in section(summarize(made), "churn")["text"]


def test_a_missing_churn_model_says_why():
    model = {"notes": ["No churn classifier: a churn horizon of 90 days needs more history."]}
    part = section(
        summarize(example_inputs(churn_reliability=pd.DataFrame(), model=model)), "churn"
    )
    assert "needs more history" in part["missing"]


def with_few_newcomers(inputs, day):
    """Three customers were new in the month after an origin, so it parts a group of cohorts."""
    history = inputs.cohort_months.copy()
    month = pd.Timestamp(day) + pd.offsets.MonthBegin(1)
    assert (history["cohort"] == month).any()
    few = history["cohort"] == month
    history.loc[few, "customers"] = 3
    history.loc[few, "first_purchases"] = history.loc[few, "first_purchases"].clip(upper=3)
    history["buyers"] = history["purchases"].clip(upper=history["customers"])
    return example_inputs(cohort_months=history)


def test_errors_of_an_origin_that_is_not_told_give_no_amount(inputs):
    day = pd.Timestamp(ORIGINS[0])
    made = with_few_newcomers(inputs, day)
    assert made.told == {pd.Timestamp(other) for other in ORIGINS} - {day}
    given, shown = inputs.metrics, made.told_metrics
    summary = summarize(made)
    written = pd.DataFrame(rows(summary, "metrics"))
    for frame in (shown, written):
        hidden = frame[pd.to_datetime(frame["origin"]) == day]
        assert set(hidden["metric"]) == set(given["metric"]) - {"mae", "rmse"}
        shares = hidden.loc[~hidden["metric"].isin(["auc", "brier", "log_loss"]), "value"]
        np.testing.assert_allclose(shares * 100, (shares * 100).round(), atol=1e-9)
        rest = frame[pd.to_datetime(frame["origin"]) != day]
        assert len(rest) == (pd.to_datetime(given["origin"]) != day).sum()
    # nor do errors over all origins, less those of the others
    pooled = summary["headline"]["accuracy"]["revenue"]
    shares = [pooled[key] for key in ("wape", "bias", "wape_month")]
    shares += [row["wape"] for row in rows(summary, "errors_revenue")]
    shares += [row["revenue_bias"] for row in rows(summary, "errors_by_origin")]
    np.testing.assert_allclose(shares, np.round(shares, 2), atol=1e-12)
    assert day.date().isoformat() not in {row["origin"] for row in rows(summary, "deciles")}
    assert summary["tables"]["deciles"]["note"].endswith("It concerns 1 of 4 past dates.")


def test_means_of_a_holdout_that_is_not_told_are_not_shown(inputs):
    day = pd.Timestamp(ORIGINS[0])
    made = with_few_newcomers(inputs, day)
    found = {
        name: frame.assign(origin=day) if name.startswith("conditional_") else frame
        for name, frame in inputs.diagnostics.items()
    }
    whole = summarize(dataclasses.replace(inputs, diagnostics=found))
    assert {"conditional_frequency", "conditional_recency"} <= set(whole["tables"])
    less = summarize(dataclasses.replace(made, diagnostics=found))
    assert not {"conditional_frequency", "conditional_recency"} & set(less["tables"])


def test_where_every_origin_is_told_errors_are_as_they_were(inputs):
    told = example_inputs(cohort_months=inputs.cohort_months.assign(buyers=99))
    assert told.told == {pd.Timestamp(day) for day in ORIGINS}
    pd.testing.assert_frame_equal(told.told_metrics, inputs.metrics)
