"""What the report says of customers and cohorts: value, tiers, segments, fit."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from report_example import ORIGINS, example_inputs, rows, section

from pipelines.report import page as render
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
    for name in ("tiers", "rfm_segments", "segments", "cohort_value"):
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
    ]
    assert shown[1]["clv"] == pytest.approx((6 * 20 + 3 * 40 + 700) / 10)
    # two in the post: all less the shop would be theirs, so this dimension is not told
    few = summarize(example_inputs(segments=segments.tail(2)))
    assert "No two segments hold 10 customers" in section(few, "segments")["missing"]


def test_a_small_segment_takes_the_next_larger_along():
    segments = pd.DataFrame(
        {
            "dimension": "channel",
            "value": ["web", "shop", "post"],
            "customers": [500, 40, 2],
            "clv": [10.0, 5.0, 9.0],
        }
    )
    shown = rows(summarize(example_inputs(segments=segments)), "segments")
    assert [(row["value"], row["customers"]) for row in shown] == [
        ("web", 500),
        ("other (2 values)", 42),
    ]
    assert shown[1]["clv"] == pytest.approx((40 * 5 + 2 * 9) / 42)
    unknown = segments.assign(customers=[500, 40, None])
    shown = rows(summarize(example_inputs(segments=unknown)), "segments")
    assert [row["value"] for row in shown] == ["web", "other (2 values)"]


def with_a_lone_customer(inputs):
    """The example, and one customer who first bought in July 2022, alone in that month and year."""
    history, ahead = inputs.cohort_months, inputs.cohort_forecast
    alone = pd.Timestamp("2022-07-01")
    one = history[history["cohort"] == history["cohort"].min()].copy()
    one = one.assign(cohort=alone, customers=1, purchases=1, revenue=45.01, first_revenue=45.01)
    one["first_purchases"] = (one["period"] == one["period"].min()).astype(int)
    one["buyers"] = 1
    history = history.assign(buyers=history["purchases"].clip(upper=history["customers"]))
    last = ahead[ahead["cohort"] == ahead["cohort"].min()].assign(cohort=alone)
    return {
        "cohort_months": pd.concat([one, history], ignore_index=True),
        "cohort_forecast": pd.concat([last, ahead], ignore_index=True),
        "corrections": pd.DataFrame(
            [
                (alone, 3, 0.1, 1.0, 1.0),
                (history["cohort"].min(), 99, 0.5, 1.0, 1.0),
                (history["cohort"].max(), 99, 0.5, 1.0, 1.0),
            ],
            columns=["cohort", "purchases", "weight", "purchases_factor", "revenue_factor"],
        ),
    }


def test_no_cohort_of_page_or_workbook_tells_on_a_single_customer(inputs):
    lone = with_a_lone_customer(inputs)
    made = summarize(example_inputs(**lone))
    for name in ("cohort_value", "corrections"):
        shown = rows(made, name)
        assert shown
        assert not any(str(row["cohort"]).startswith("2022") for row in shown)
    # factors are no sums: who is with it is left out
    assert re.search(
        "Left out: [12] cohorts? of fewer than 10 customers, or put together",
        made["tables"]["corrections"]["note"],
    )
    # LTV is of both together, and counts from the month of the later one
    first = rows(made, "cohort_value")[0]
    history = lone["cohort_months"]
    both = history[history["cohort"] < "2024-01-01"]
    assert first["cohort"] == "2023"
    assert first["customers"] == both["first_purchases"].sum()
    assert "age counts from the month of the last" in made["tables"]["cohort_value"]["note"]
    assert all(
        not str(line["cohort"]).startswith("2022")
        for line in made["charts"]["cumulative_ltv"]["lines"]
    )
    for name, given in (("cohort_history", "cohort_months"), ("cohort_forecast",) * 2):
        shown = [row for row in rows(made, name) if row["cohort_to"]]
        assert {row["cohort"] for row in shown} == {"2022-07-01"}
        assert "put together with their neighbours" in made["tables"][name]["note"]
        # the one after it is with it, in one sum
        assert {row["cohort_to"] for row in shown} == {"2023-01-01"}
        both = lone[given]
        both = both[both["cohort"] <= pd.Timestamp("2023-01-01")]
        sums = both.groupby("period")["revenue"].sum()
        assert [row["revenue"] for row in shown] == pytest.approx(list(sums))
    first = [row["first_revenue"] for row in rows(made, "cohort_history") if row["cohort_to"]]
    whole = lone["cohort_months"].query("cohort <= '2023-01-01'")["first_revenue"].sum()
    assert [value for value in first if value is not None] == pytest.approx([whole])
    note = summarize(inputs)["tables"]["cohort_history"]["note"]
    assert "put together" not in note


def test_where_nobody_was_counted_no_small_cohort_is_told(inputs):
    """Without the number of buyers, nothing shows that others hide the lone one's months."""
    lone = with_a_lone_customer(inputs)
    lone["cohort_months"] = lone["cohort_months"].drop(columns="buyers")
    made = summarize(example_inputs(**lone))
    assert {row["cohort"] for row in rows(made, "cohort_history")} == {"2022-07-01"}
    assert {row["cohort_to"] for row in rows(made, "cohort_history")} == {"2024-12-01"}
    assert "tell on single ones" in section(made, "cohorts")["missing"]
    uncounted = inputs.cells.drop(columns="customers")
    past = summarize(example_inputs(cells=uncounted))
    assert "cells" not in past["tables"]
    assert "months_revenue" not in past["tables"]


def test_a_past_date_that_would_tell_on_a_late_customer_is_not_told(inputs, summary):
    """One customer came after the last origin: months known at it, less the history, are his."""
    history = inputs.cohort_months
    history = history.assign(buyers=history["purchases"].clip(upper=history["customers"]))
    late = history["cohort"] > "2024-09-30"
    kept = history[~late | (history["cohort"] == "2024-10-01")].copy()
    mine = kept["cohort"] == "2024-10-01"
    kept.loc[mine, ["customers", "first_purchases", "purchases", "buyers"]] = 1
    made = summarize(example_inputs(cohort_months=kept))
    for name in ("months_revenue", "totals_revenue", "cells", "company_months", "company_totals"):
        before, after = ({row["origin"] for row in rows(one, name)} for one in (summary, made))
        assert before - after == {"2024-09-30"}, name
    said = " ".join(section(made, "months")["text"])
    assert "It concerns 1 of 4 past dates." in said
    assert {row["origin"] for row in rows(made, "errors_by_origin")} == set(ORIGINS)
    panels = made["charts"]["forecast_by_month_revenue"]["panels"]
    assert "2024-09-30" not in {panel["origin"] for panel in panels}


def test_sales_of_months_with_few_new_customers_are_not_told(inputs):
    """All sales of a month less the repeat ones are what those who were new then paid first."""
    history = inputs.cohort_months
    history = history.assign(buyers=history["purchases"].clip(upper=history["customers"]))
    few = history["cohort"] == "2024-08-01"
    history.loc[few, "customers"] = 4
    history.loc[few, "buyers"] = history.loc[few, "purchases"] = 1
    first = few & (history["period"] == "2024-08-01")
    history.loc[first, "first_purchases"] = 4
    made = summarize(example_inputs(cohort_months=history))
    hidden = {row["period"]: row["actual_revenue"] for row in rows(made, "company_months")}
    untold = sorted(period for period, value in hidden.items() if value is None)
    assert untold[-1] == "2024-08-01"
    assert len(untold) == 2  # with the next smallest of its group, so that ten are in one sum
    assert "Sales of" in made["tables"]["company_months"]["note"]
    chart = made["charts"]["budget"]["history"]
    bars = dict(zip(chart["period"], chart["revenue"], strict=True))
    assert [day for day in sorted(bars) if bars[day] is None] == untold
    assert any("are not shown" in text for text in section(made, "budget")["text"])


def test_tracked_months_are_told_where_counts_allow(inputs):
    day = pd.Timestamp("2024-09-30")
    ended = inputs.cohort_months[
        (inputs.cohort_months["cohort"] <= day) & (inputs.cohort_months["period"] > day)
    ]
    made = ended[["cohort", "period", "customers"]].assign(
        purchases=1.0, revenue=31.0, actual_purchases=ended["purchases"],
        actual_revenue=ended["revenue"],
    )  # fmt: skip
    tracked = {"tracked_from": day.date()}
    shown = summarize(example_inputs(tracking=made, **tracked))
    assert len(rows(shown, "tracking_cells")) == len(made)
    uncounted = summarize(example_inputs(tracking=made.drop(columns="customers"), **tracked))
    assert "tracking_cells" not in uncounted["tables"]
    assert section(uncounted, "tracking")["text"]


@pytest.mark.parametrize(("rest", "told"), [(0, True), (1, False), (9, False), (10, True)])
def test_profiled_customers_are_told_where_the_rest_are_many(inputs, rest, told):
    """Totals hold everybody: less the tiers or the segments, they are of who is not profiled."""
    account = inputs.account | {"customers": int(inputs.tiers["customers"].sum()) + rest}
    made = summarize(example_inputs(account=account))
    assert ("tiers" in made["tables"]) == told
    assert ("segments" in made["tables"]) == told


def test_tiers_of_few_customers_are_one(inputs):
    few = inputs.tiers.assign(customers=[1, 4, 5, 90])
    made = rows(summarize(example_inputs(tiers=few, account={})), "tiers")
    assert [(row["tier"], row["customers"]) for row in made] == [
        ("top 1 % to top 10 %", 10),
        ("other 90 %", 90),
    ]
    assert made[0]["clv"] == pytest.approx(few["clv"].head(3).sum())
    said = section(summarize(example_inputs(tiers=few, account={})), "tiers")["text"][0]
    assert "Tiers of fewer than 10 customers are put together" in said
    assert "below the top 1 %" not in said
    assert "below the top 1 %" in section(summarize(example_inputs()), "tiers")["text"][0]


def test_the_standard_error_of_a_mean_survives_putting_rows_together():
    rng = np.random.default_rng(3)
    values = [rng.gamma(4.0, 8.0, size) for size in (40, 3, 9)]
    frame = pd.DataFrame(
        {
            "frequency": ["1", "2", "3+"],
            "customers": [len(v) for v in values],
            "mean_value": [v.mean() for v in values],
            "standard_error": [v.std(ddof=1) / len(v) ** 0.5 for v in values],
        }
    )
    made = rows(summarize(example_inputs(diagnostics={"spend_by_frequency": frame})),
                "spend_by_frequency")  # fmt: skip
    assert [row["frequency"] for row in made] == ["1", "2 to 3+"]
    both = np.concatenate(values[1:])
    assert made[1]["mean_value"] == pytest.approx(both.mean())
    assert made[1]["standard_error"] == pytest.approx(both.std(ddof=1) / len(both) ** 0.5)


@pytest.mark.parametrize(
    ("sizes", "names"),
    [
        ([50, 40, 30, 20, 60], ["none", "up to 17", "17 to 25", "25 to 36.5", "above 36.5"]),
        ([50, 4, 6, 20, 60], ["none", "up to 25", "25 to 36.5", "above 36.5"]),
        ([50, 40, 4, 6, 60], ["none", "up to 17", "17 to 36.5", "above 36.5"]),
        ([50, 40, 30, 6, 6], ["none", "up to 17", "17 to 25", "above 25"]),
        ([5, 4, 6, 20, 60], ["none or up to 25", "25 to 36.5", "above 36.5"]),
        ([5, 1, 1, 1, 9], ["all"]),
    ],
)
def test_groups_of_days_that_are_put_together_are_named_by_their_ends(sizes, names):
    labels = ["none", "up to 17", "17 to 25", "25 to 36.5", "above 36.5"]
    frame = pd.DataFrame({"group": labels, "customers": sizes, "actual": 1.0, "expected": 1.1})
    made = summarize(example_inputs(diagnostics={"conditional_recency": frame}))
    assert [row["group"] for row in rows(made, "conditional_recency")] == names
    chart = made["charts"]["conditional_recency"]["names"]
    assert [name.split("\n")[0] for name in chart] == names


def test_cohort_months_of_few_customers_are_left_out_of_the_past_too(inputs, summary):
    cells = inputs.cells.copy()
    lone = (cells["cohort"] == cells["cohort"].min()) & (cells["model"] == "clv")
    cells.loc[lone, "customers"] = 9
    made = summarize(example_inputs(cells=cells))
    before, after = rows(summary, "cells"), rows(made, "cells")
    assert 0 < len(after) < len(before)
    assert min(row["customers"] for row in after) >= 10
    assert f"Left out: {len(before) - len(after)}" in made["tables"]["cells"]["note"]


def test_where_no_cohort_is_large_enough_the_page_says_so(inputs):
    history = inputs.cohort_months
    few = history[history["cohort"] == history["cohort"].min()].assign(customers=5)
    few["first_purchases"] = (few["period"] == few["period"].min()) * 5
    part = section(
        summarize(example_inputs(cohort_months=few, cohort_forecast=pd.DataFrame())), "cohorts"
    )
    assert "holds 10 customers" in part["missing"]
    assert not part["tables"]


def test_cohorts_of_a_year_are_named_by_the_year(inputs):
    history = inputs.cohort_months
    earlier = history.assign(
        cohort=history["cohort"] - pd.DateOffset(years=2),
        period=history["period"] - pd.DateOffset(years=2),
    )
    made = summarize(example_inputs(cohort_months=pd.concat([earlier, history])))
    assert [row["cohort"] for row in rows(made, "cohort_value")] == ["2021", "2022", "2023", "2024"]


def small_cohorts(inputs, size):
    """Inputs in which no cohort can be shown by itself, tracked and corrected."""
    history = inputs.cohort_months
    history = history.assign(customers=size, buyers=1.0)
    history["first_purchases"] = size * (history["cohort"] == history["period"])
    if size < 4:  # all cohorts together are too few
        history = history[history["cohort"] <= history["cohort"].unique()[2]]
    cohorts = history["cohort"].unique()
    day = pd.Timestamp("2024-09-30")
    ended = history[(history["cohort"] <= day) & (history["period"] > day)]
    tracking = ended[["cohort", "period", "customers", "purchases", "revenue"]].assign(
        actual_purchases=ended["purchases"], actual_revenue=ended["revenue"]
    )
    corrections = pd.DataFrame({"cohort": cohorts, "purchases": 10, "weight": 0.5})
    ahead = inputs.cohort_forecast
    return example_inputs(
        cohort_months=history,
        cohort_forecast=ahead[ahead["cohort"].isin(cohorts)],
        corrections=corrections.assign(purchases_factor=1.0, revenue_factor=1.0),
        tracking=tracking,
        tracked_from=day.date(),
    )


@pytest.mark.parametrize("size", [3, 4])
def test_no_table_is_a_heading_over_nothing(inputs, size):
    made = summarize(small_cohorts(inputs, size))
    assert not [name for name, table in made["tables"].items() if not table["rows"]]
    assert "corrections" not in made["tables"]
    said = " ".join(section(made, "cohort_level")["text"])
    assert "Corrections by cohort are not shown: no cohort holds 10 customers" in said
    together = " ".join(section(made, "forecast")["text"])
    assert ("cohort_forecast" in made["tables"]) == (size == 4)
    assert ("all together hold fewer than 10 customers" in together) == (size == 3)
    assert made["charts"]["headline_forecast"]["forecast"]["period"]
    page = render.html(made, {})
    assert "Corrections by cohort</p>" not in page
    assert "<tbody>\n</tbody>" not in page


def test_the_full_report_has_no_empty_table(summary):
    assert not [name for name, table in summary["tables"].items() if not table["rows"]]
