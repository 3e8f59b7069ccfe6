"""What the report says, asserted on the dictionary before anything is rendered."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from report_example import AS_OF, ORIGINS, config, example_inputs

from clvmodels.exceptions import MissingColumnError
from pipelines.candidates import CANDIDATES
from pipelines.report import ReportInputs, accuracy, summarize, words
from pipelines.report.tables import plain, records

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return example_inputs()


@pytest.fixture(scope="module")
def summary(inputs):
    return summarize(inputs)


def section(summary, name):
    return next(part for part in summary["sections"] if part["id"] == name)


def rows(summary, name):
    return records(summary["tables"][name])


def test_is_json_and_equal_for_equal_inputs(inputs, summary):
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == summary
    assert summarize(inputs) == summary


def test_does_not_write_into_the_callers_tables(inputs):
    before = {name: getattr(inputs, name).copy() for name in ("cells", "cohort_months", "tiers")}
    summarize(inputs)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(inputs, name), frame)


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
    assert f"{score['bias'] * 100:.0f} % too high in total" in text
    better = -score["against"]["lifetimes"]["change"] * 100
    assert f"{better:.0f} % smaller error than the lifetimes package" in text
    assert "4 past dates (31 December 2023 to 30 September 2024)" in text


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
    assert "60 % too low in total" in text
    assert "larger error than the lifetimes package" in text


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


def test_tiers_sum_to_one(summary):
    tiers = rows(summary, "tiers")
    for share in ("share_of_clv", "share_of_customers"):
        assert sum(row[share] for row in tiers) == pytest.approx(1)


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


def test_assumptions_are_printed(summary):
    found = {row["name"]: row["value"].replace(NBSP, " ") for row in rows(summary, "assumptions")}
    assert found["Gross margin"] == "40.0 %"
    assert found["Cost to serve"] == "GBP 1.50"
    assert found["Acquisition cost (CAC)"] == "not set"


def test_money_is_labelled_ltv_or_clv(summary):
    """No column of customer value goes without saying which of the two it is."""
    for name in ("tiers", "segments", "cohort_value"):
        money = [c for c in summary["tables"][name]["columns"] if c["kind"] == "currency"]
        assert money
        assert all("LTV" in c["label"] or "CLV" in c["label"] for c in money)


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


def test_nothing_but_a_configuration_still_makes_a_report():
    summary = summarize(ReportInputs(config=config(), as_of=AS_OF))
    json.dumps(summary, allow_nan=False)
    assert not summary["charts"]
    assert section(summary, "assumptions")["tables"] == ["assumptions"]


def test_a_missing_churn_model_says_why():
    model = {"notes": ["No churn classifier: a churn horizon of 90 days needs more history."]}
    part = section(
        summarize(example_inputs(churn_reliability=pd.DataFrame(), model=model)), "churn"
    )
    assert "needs more history" in part["missing"]


@pytest.mark.parametrize(("shift", "closer"), [(-0.01, 4), (0.01, 0)])
def test_the_classifier_is_told_when_it_loses(inputs, shift, closer):
    brier = inputs.metrics["metric"] == "brier"
    own = inputs.metrics.loc[brier & (inputs.metrics["model"] == "bgnbd"), "value"].iloc[0]
    scores = inputs.metrics.copy()
    scores.loc[brier & (scores["model"] == "churn"), "value"] = own + shift
    said = " ".join(section(summarize(example_inputs(metrics=scores)), "churn")["text"])
    assert f"(BG/NBD alone) at {closer} of 4 past dates." in said


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
    with pytest.raises(MissingColumnError, match="the report's table tiers needs the column clv"):
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (-0.40, "a 40 % smaller error than the lifetimes package"),
        (0.08, "an 8 % larger error than the lifetimes package"),
        (0.18, "an 18 % larger error than the lifetimes package"),
        (-0.004, "about the same error as the lifetimes package"),
        (None, "an error that cannot be compared with that of the lifetimes package"),
    ],
)
def test_against_a_baseline(change, said):
    assert words.against("lifetimes", change).replace(NBSP, " ") == said


def test_every_model_of_the_backtest_has_a_label_and_a_line():
    for name in CANDIDATES:
        assert words.model_label(name) != name or name == "lifetimes"
        assert words.model_line(name).endswith(".")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("BGNBD", "BG/NBD"), ("LifetimesGammaGamma", "Gamma-Gamma (lifetimes)"), ("Other", "Other")],
)
def test_model_names(kind, said):
    assert words.model_name(kind) == said


@pytest.mark.parametrize(
    ("origin", "ended", "said"),
    [
        ("2024-04-30", 2, "2 full months"),
        ("2024-02-29", 1, "1 full month"),
        ("2024-04-20", 1, "the rest of Apr 2024"),
        ("2024-04-20", 3, "the rest of Apr 2024 and 2 full months"),
    ],
)
def test_how_far_a_forecast_has_come(origin, ended, said):
    assert words.since(dt.date.fromisoformat(origin), ended) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (22, "22nd"), (30, "30th")],
)
def test_ordinals(number, said):
    assert words.ordinal(number) == said


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


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.093, "9 %"), (0.004, "0.4 %"), (0.0, "0 %"), (-0.0001, "0.0 %"), (None, "not known")],
)
def test_percent(share, said):
    assert words.percent(share).replace(NBSP, " ") == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1_234_567.0, "USD 1.23 million"),
        (2.5e9, "USD 2.50 billion"),
        (51_234.4, "USD 51,234"),
        (12.345, "USD 12.35"),
        (-3_000_000.0, "USD -3.00 million"),
        (float("nan"), "not known"),
    ],
)
def test_amount(value, said):
    assert words.amount(value, "USD") == said


def test_plain_values():
    found = plain(
        {"a": np.float64("nan"), "b": np.int64(3), "c": pd.Timestamp("2024-02-01"), "d": [np.inf]}
    )
    assert found == {"a": None, "b": 3, "c": "2024-02-01", "d": [None]}
    assert plain(np.bool_(True)) is True
    assert plain(pd.NaT) is None
