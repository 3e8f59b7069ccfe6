"""The budget view and the effects of covariates, asserted on the dictionary."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import matplotlib.dates as mdates
import pandas as pd
import pytest
from report_example import example_inputs, section

from pipelines.report import page as render
from pipelines.report import summarize
from pipelines.report.figures import forecasts as figures
from pipelines.report.groups.cohorts import Groups
from pipelines.report.tables import records
from pipelines.report.wording import words


def text(summary, name):
    return " ".join(section(summary, name)["text"]).replace("\N{NO-BREAK SPACE}", " ")


def test_known_and_new_add_up_to_the_company_in_every_month(inputs, summary):
    rows = records(summary["tables"]["budget_by_month"])
    assert len(rows) == 12
    for row, given in zip(rows, inputs.budget.to_dict("records"), strict=True):
        assert row["company_revenue"] == pytest.approx(row["known_revenue"] + row["new_revenue"])
        assert row["new_customers"] == pytest.approx(given["new_customers"])
    chart = summary["charts"]["budget"]["forecast"]
    assert sum(chart["known"]) == pytest.approx(inputs.cohort_forecast["revenue"].sum())
    assert chart["new"] == pytest.approx(list(inputs.budget["new_revenue"]))


def test_the_words_say_the_sums_and_what_they_rest_on(inputs, summary):
    said = text(summary, "budget")
    known, new = inputs.budget["known_revenue"].sum(), inputs.budget["new_revenue"].sum()
    assert f"GBP {known + new:,.0f} (90 % interval " in said
    assert f"): GBP {known:,.0f} from known customers" in said
    assert f"({new / (known + new):.0%}".replace("%", " %") in said
    assert "planned for 6 of 12 calendar months" in said
    assert "The other months go on at the level of the last year" in said
    assert "Intervals of the company take the number of customers still to come" in said


def test_the_source_of_each_month_is_shown_only_where_it_differs(inputs, summary):
    rows = records(summary["tables"]["budget_by_month"])
    assert [row["source"] for row in rows] == ["planned"] * 6 + ["recent level"] * 6
    alike = summarize(example_inputs(budget=inputs.budget.assign(basis="recent level")))
    assert "source" not in records(alike["tables"]["budget_by_month"])[0]
    assert "How many customers will come goes on" in text(alike, "budget")


def test_where_acquisition_has_stopped_the_page_says_so(inputs):
    zero = dict.fromkeys(("new_customers", "new_revenue", "new_first_revenue"), 0.0)
    stopped = inputs.budget.assign(basis="stopped", **zero)
    stopped["company_revenue"] = stopped["known_revenue"]
    made = summarize(example_inputs(budget=stopped, new_cohorts=pd.DataFrame()))
    said = text(made, "budget")
    assert said.startswith("No customers still to come are forecast: the last months of the log")
    assert "recent months counting more" not in said
    assert "new_cohorts" not in made["tables"]
    keys = {c["key"] for c in made["tables"]["budget_by_month"]["columns"]}
    assert "company_revenue" in keys
    assert not {key for key in keys if key.startswith("new_")}
    never = dict.fromkeys(("new_customers", "new_revenue"), 0.0)
    never |= {f"actual_{key}": 0.0 for key in never}
    past = summarize(example_inputs(company=inputs.company.assign(**never)))
    assert "customers" not in records(past["tables"]["company_totals"])[0]
    assert "after which no customer was new, nor forecast to be" in text(past, "budget")
    assert "new customers at the level known then" not in text(past, "budget")
    planned = summarize(example_inputs(budget=stopped.assign(basis="plan")))
    assert "the plan holds none" in text(planned, "budget")


def test_months_without_a_plan_where_acquisition_has_stopped_are_said_to_have_none(inputs):
    basis = ["plan"] + ["stopped"] * (len(inputs.budget) - 1)
    said = text(summarize(example_inputs(budget=inputs.budget.assign(basis=basis))), "budget")
    assert "is planned for 1 of" in said
    assert "The other months have none" in said
    assert "at the level of the last year" not in said


def test_past_totals_are_scored_origin_by_origin(inputs, summary):
    rows = records(summary["tables"]["company_totals"])
    assert len(rows) == inputs.company["origin"].nunique()
    for row in rows:
        assert row["error"] == pytest.approx(-0.1)
        assert row["wape"] == pytest.approx(0.1)
        assert row["plainest"] == pytest.approx(0.25)
        assert row["last_year"] == pytest.approx(0.05)
        assert row["customers"] == 200 * row["months"]
        assert row["new"] == pytest.approx(0.3 * row["actual"])
    said = text(summary, "budget")
    assert "too low in total every time, by 10 %; the mean miss was 10 %" in said
    assert "Its months were off by 10 % on average" in said
    assert "off by 25 %; repeating the same month of the year before, by 5 %" in said
    assert "Repeating the same month of the year before was nearer than this forecast." in said
    none = summarize(example_inputs(company=pd.DataFrame()))
    assert "No past forecast of the company's total could be tested" in text(none, "budget")


def test_a_year_that_the_log_did_not_hold_is_not_compared(inputs):
    past = inputs.company.copy()
    past.loc[past["period"] >= past["period"].max(), "last_year_revenue"] = float("nan")
    made = summarize(example_inputs(company=past))
    said = text(made, "budget")
    assert "(this forecast: 10 %), over the" in said
    assert all(row["last_year"] is None for row in records(made["tables"]["company_totals"]))
    earlier = summarize(example_inputs(company=past.drop(columns="last_year_revenue")))
    assert "the year before" not in text(earlier, "budget")


def test_the_budget_shows_the_same_month_last_year(inputs, summary):
    sold = inputs.cohort_months.groupby("period")[["revenue", "first_revenue"]].sum().sum(axis=1)
    rows = records(summary["tables"]["budget_by_month"])
    assert rows
    for row in rows:
        month = pd.Timestamp(row["period"]) - pd.DateOffset(years=1)
        if row["last_year"] is not None:
            assert row["last_year"] == pytest.approx(sold[month])
    assert any(row["last_year"] is not None for row in rows)


def test_the_company_has_intervals_by_month_in_total_and_past(inputs, summary):
    rows = records(summary["tables"]["budget_by_month"])
    for row in rows:
        assert row["company_revenue_low"] == pytest.approx(0.8 * row["company_revenue"])
        assert row["company_revenue_high"] == pytest.approx(1.3 * row["company_revenue"])
    said = text(summary, "budget")
    low, high = (words.amount(float(inputs.budget_total[end].iloc[1])) for end in ("low", "high"))
    assert f"interval {low} to {high})" in said
    count = len(inputs.company)
    assert f"intervals of its months held {count} of {count}." in said
    assert "low" in summary["charts"]["budget"]["forecast"]
    missed = inputs.company.assign(company_revenue_high=inputs.company["revenue"])
    assert "intervals like these were too narrow" in text(
        summarize(example_inputs(company=missed)), "budget"
    )
    bare = inputs.budget.drop(
        columns=[c for c in inputs.budget if c.startswith("company_revenue_")]
    )
    past = inputs.company.drop(columns=["company_revenue_low", "company_revenue_high"])
    earlier = summarize(example_inputs(budget=bare, budget_total=pd.DataFrame(), company=past))
    assert "interval" not in text(earlier, "budget").split("Intervals of the company")[0]
    assert "low" not in earlier["charts"]["budget"]["forecast"]


def test_past_totals_that_cancel_are_not_told_as_right(inputs):
    past = inputs.company.copy()
    for k, (_, part) in enumerate(past.groupby("origin")):
        past.loc[part.index, "revenue"] = part["actual_revenue"] * (1.14, 0.85, 1.05, 0.98)[k]
    said = text(summarize(example_inputs(company=past)), "budget")
    assert "right in total" not in said
    assert "in total from 15 % too low to 14 % too high; the mean miss was 9 %" in said


def test_long_tables_are_for_the_workbook(summary):
    part = section(summary, "budget")
    assert part["workbook_only"] == ["new_cohorts", "company_months"]
    assert part["tables"] == ["budget_by_month", "company_totals"]


def test_effects_in_use_are_told_in_words_and_all_stand_in_the_table(summary):
    said = text(summary, "drivers")
    assert (
        "+10 % marketing_spend goes with +1.2 % repeat purchases (90 % interval +0.4 to +2.0)."
        in said
    )
    assert "channel = web" not in said
    assert "not proven causes" in said
    assert "test the model, not the plan" in said
    rows = records(summary["tables"]["effects"])
    assert [row["used"] for row in rows] == ["yes", "yes", "no"]
    assert rows[0]["doubling"] == pytest.approx(0.09)


def test_effects_that_the_log_does_not_show_stand_without_numbers(inputs):
    ends = ["effect", "low", "high"]
    twice = ["doubling", "doubling_low", "doubling_high"]
    found = inputs.effects.copy()
    found.loc[0, ends] = float("nan")
    found.loc[2, ends] = [0.1, -0.1, 0.3]
    made = summarize(example_inputs(effects=found.assign(**dict.fromkeys(twice, float("nan")))))
    assert "The log does not tell what +10 % marketing_spend goes with" in text(made, "drivers")
    rows = records(made["tables"]["effects"])
    assert rows[0]["told"] == "nothing"
    assert rows[0]["effect"] is None
    assert rows[2]["told"] == "perhaps no effect"
    assert not set(twice) & set(rows[0])
    assert rows[0]["used"] == "yes"


def test_covariates_that_are_not_used_are_not_told_as_if_they_were(inputs):
    unused = inputs.effects.assign(used=False)
    said = text(summarize(example_inputs(effects=unused)), "drivers")
    assert "the forecast does without" in said
    assert "goes with" not in said


@pytest.mark.parametrize(("field", "identity"), [("budget", "budget"), ("effects", "drivers")])
def test_what_is_not_there_is_explained(field, identity):
    made = summarize(example_inputs(**{field: pd.DataFrame()}))
    part = section(made, identity)
    assert part["missing"]
    assert not part["charts"]
    assert not part["tables"]


def test_the_picture_holds_history_and_forecast_of_a_month_cut_in_two(inputs):
    cut = dataclasses.replace(inputs, budget=inputs.budget.assign(
        period=inputs.budget["period"] - pd.DateOffset(months=1)))  # fmt: skip
    chart = summarize(cut)["charts"]["budget"]
    assert chart["history"]["period"][-1] == chart["forecast"]["period"][0] == "2024-12-01"
    ax = figures.company_revenue(chart).axes[0]
    top = max(bar.get_y() + bar.get_height() for bar in ax.patches if bar.get_x() > 0)
    whole = chart["history"]["revenue"][-1] + sum(chart["forecast"][k][0] for k in ("known", "new"))
    assert top == pytest.approx(max(whole, max(chart["history"]["revenue"])))


def with_few(inputs, *months):
    """The inputs where so few customers were new in some months that they are shown together."""
    history = inputs.cohort_months
    history = history.assign(buyers=history["purchases"].clip(upper=history["customers"]))
    for month in months:
        few = history["cohort"] == month
        history.loc[few, "customers"] = 4
        history.loc[few, "buyers"] = history.loc[few, "purchases"] = 1
        history.loc[few & (history["period"] == month), "first_purchases"] = 4
    return dataclasses.replace(inputs, cohort_months=history)


def bands(ax):
    """Months that are hatched from the bottom to the top, by the middle of each."""
    shown = [bar for bar in ax.patches if bar.get_hatch() == "xxx"]
    assert all((bar.get_y(), bar.get_height()) == (0.0, 1.0) for bar in shown)
    assert all(bar.get_transform() != ax.transData for bar in shown)
    middles = (mdates.num2date(bar.get_x() + bar.get_width() / 2) for bar in shown)
    return [day.date().isoformat() for day in middles]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_months_that_are_not_shown_are_marked_and_not_drawn_as_without_sales(inputs, summary):
    chart = summarize(with_few(inputs, "2024-08-01"))["charts"]["budget"]
    past = dict(zip(chart["history"]["period"], chart["history"]["revenue"], strict=True))
    hidden = [day for day, value in past.items() if value is None]
    assert "2024-08-01" in hidden
    assert chart["alt"].startswith("Stacked bars of monthly company revenue: what was sold, where")
    figure = figures.company_revenue(chart)
    assert bands(figure.axes[0]) == hidden
    assert "Sales not shown" in legend(figure)
    whole = figures.company_revenue(summary["charts"]["budget"])
    assert not bands(whole.axes[0])
    assert "Sales not shown" not in legend(whole)
    assert "where it is shown" not in summary["charts"]["budget"]["alt"]


def test_the_picture_starts_at_the_first_month_that_is_shown(inputs):
    periods = pd.date_range("2023-12-01", "2024-12-01", freq="MS")
    assert list(summarize(inputs)["charts"]["budget"]["history"]["period"]) == [
        day.date().isoformat() for day in periods
    ]
    groups = inputs.groups
    early = sum(groups.customers.index < "2024-03-01")
    few = groups.customers.where(groups.customers.index >= "2024-03-01", 4)
    first, last = groups.first.copy(), groups.last.copy()
    first.iloc[:early], last.iloc[:early] = first.iloc[0], last.iloc[early - 1]
    some = dataclasses.replace(inputs)
    some.__dict__["groups"] = Groups(first, last, few)
    made = summarize(some)
    chart = made["charts"]["budget"]
    assert chart["history"]["period"][0] == "2024-03-01"
    assert None not in chart["history"]["revenue"]
    assert "Sales of Dec 2023, Jan 2024 and Feb 2024 are not shown" in text(made, "budget")


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((4,), "customers were new in it, and"),
        ((4, 5, 6), "customers were new in each of them, and"),
        ((4, 30), "customers were new in one of them, and"),
        ((3, 3, 30), "customers were new in some of them, and"),
        ((None, 30), "customers were new in a month put together with it, and"),
    ],
)
def test_the_note_on_months_not_shown_says_in_how_many_few_were_new(inputs, sizes, said):
    """A size of None is of a month before those that the page shows, where four were new."""
    groups = inputs.groups
    months = pd.date_range("2024-08-01", periods=len(sizes), freq="MS")
    earlier = groups.customers.index[0]
    places = [earlier if size is None else month for size, month in zip(sizes, months, strict=True)]
    customers, first, last = (s.copy() for s in (groups.customers, groups.first, groups.last))
    customers[:] = 1000
    first[:], last[:] = first.index, first.index
    customers[places] = [4 if size is None else size for size in sizes]
    others = groups.customers.index[1]  # many, before the months that the page shows
    together = [*places, others]
    first[together], last[together] = min(together), max(together)
    some = dataclasses.replace(inputs)
    some.__dict__["groups"] = Groups(first, last, customers)
    assert {day for day in some.groups.untold if day >= months[0]} == set(places) - {earlier}
    sentence = next(t for t in section(summarize(some), "budget")["text"] if "are not shown" in t)
    assert said in sentence


def test_where_no_month_is_shown_the_picture_speaks_of_none(inputs):
    """The month under way is then a part: only its rest is drawn."""
    nobody = inputs.cohort_months.assign(customers=3, first_purchases=0)
    cut = inputs.budget.assign(period=inputs.budget["period"] - pd.DateOffset(months=1))
    short = dataclasses.replace(
        inputs, cohort_months=nobody, as_of=dt.date(2024, 12, 4), budget=cut
    )
    short.__dict__["groups"] = Groups(
        *(
            pd.Series(day, index=inputs.groups.first.index)
            for day in pd.to_datetime(["2023-01-01", "2024-12-01"])
        ),
        pd.Series(1, index=inputs.groups.first.index),
    )
    made = summarize(short)
    chart = made["charts"]["budget"]
    assert chart["history"] == {"period": [], "revenue": []}
    assert "sold" not in chart["alt"]
    assert chart["cut"] == ["2024-12-01"]
    assert "Sales of 13 months are not shown" in text(made, "budget")
    figure = figures.company_revenue(chart)
    patches = figure.legends[0].get_patches()
    named = [name for name in legend(figure) if "interval" not in name]
    alpha = dict(zip(named, (patch.get_alpha() for patch in patches), strict=True))
    assert alpha["Known customers"] is None  # though the first bar is paler
    assert not {"Sold", "Sales not shown"} & set(legend(figure))
    assert not bands(figure.axes[0])


def test_the_words_of_a_picture_without_new_customers_name_none(inputs):
    nobody = dict.fromkeys(("new_customers", "new_revenue", "new_first_revenue"), 0.0)
    known = inputs.budget["known_revenue"]
    alone = inputs.budget.assign(company_revenue=known, **nobody)
    made = summarize(example_inputs(budget=alone))["charts"]["budget"]
    assert made["alt"] == (
        f"Bars of monthly company revenue: what was sold, then GBP {known.sum():,.0f} forecast "
        "from known customers; the forecast's numbers are in the table that follows."
    )


@pytest.mark.parametrize(
    ("customers", "said"),
    [(1.0, "from 1 customer still"), (1.4, "from 1 customer still"), (2.0, "from 2 customers"),
     (0.2, "from less than 1 customer still"), (1234.0, "from 1,234 customers still")],
)  # fmt: skip
def test_one_customer_still_to_come_is_one(inputs, customers, said):
    share = inputs.budget["new_customers"] / inputs.budget["new_customers"].sum()
    few = inputs.budget.assign(new_customers=share * customers)
    assert said in text(summarize(example_inputs(budget=few)), "budget")


def test_the_first_screen_names_the_company_s_total(inputs, summary):
    said = summary["headline"]["company"]
    total, new = inputs.budget["company_revenue"].sum(), inputs.budget["new_revenue"].sum()
    assert said.endswith(f"forecast at GBP {total:,.0f}")
    assert f"(GBP {new:,.0f})" in said
    nobody = inputs.budget.assign(new_customers=0.0)
    assert summarize(example_inputs(budget=nobody))["headline"]["company"] is None
    older = {**summary, "headline": dict(summary["headline"])}
    del older["headline"]["company"]
    assert "budget view" in render.html(summary, {})
    assert 'class="company"' not in render.html(older, {})


def test_parts_and_covariates_are_two_choices():
    tried = pd.DataFrame(
        [
            ("age undamped", 0.1578, 0.01, 0.20, 6, "yes"),
            ("default", 0.1581, 0.01, 0.20, 6, ""),
            ("no covariates", 0.12, 0.02, 0.15, 12, "yes"),
            ("covariates by month", 0.13, 0.02, 0.16, 12, ""),
        ],
        columns=["candidate", "wape", "mean_absolute_bias", "joint_wape", "origins", "chosen"],
    )
    corrections = pd.DataFrame(
        [("2024-01-01", 10, 0.5, 1.0, 1.0)],
        columns=["cohort", "purchases", "weight", "purchases_factor", "revenue_factor"],
    )
    tables = summarize(example_inputs(selection=tried, corrections=corrections))["tables"]
    for name in ("selection", "covariates_tried"):
        assert [row["chosen"] for row in records(tables[name])].count("yes") == 1
        assert "not those of the first screen" in tables[name]["note"]
    assert "more than 4 standard errors" in tables["selection"]["note"]
    assert "at least 3 origins" in tables["covariates_tried"]["note"]
    untested = {"cells": pd.DataFrame(), "metrics": pd.DataFrame()}
    without = summarize(example_inputs(selection=tried, corrections=corrections, **untested))
    assert "too little to say how wrong" in without["tables"]["selection"]["note"]
    assert "first screen" not in without["tables"]["selection"]["note"]
    assert "tested in full" in without["headline"]["sentences"][0]
    before = tried.head(2).drop(columns="joint_wape")  # of a model saved before it was kept
    tables = summarize(example_inputs(selection=before, corrections=corrections))["tables"]
    assert len(records(tables["selection"])) == 2
    assert "covariates_tried" not in tables


def test_is_json(summary):
    json.dumps(summary, allow_nan=False)


def test_a_past_total_that_parts_a_group_is_not_told(inputs):
    """An origin within a month: the whole months after it hold the second cohort of a group.

    Its first purchases are the total less repeat sales, which are shown, and less the others'.
    """
    history = inputs.cohort_months.copy()
    company = inputs.dated("company", "origin", "period")
    origin = company["origin"].min()
    after = origin + pd.offsets.MonthBegin(1)
    few = history["cohort"] == after
    assert few.any()
    history.loc[few, "customers"] = 3
    history["buyers"] = history["purchases"].clip(upper=history["customers"])
    made = example_inputs(cohort_months=history)
    before = after - pd.offsets.MonthBegin(1)
    assert made.groups.first[after] == made.groups.first[before] == before
    assert after in made.groups.untold
    periods = company.loc[company["origin"] == origin, "period"]
    assert not made.groups.tells_nothing_in(periods)
    assert made.groups.tells_nothing_in(pd.Series([before, *periods]))
    # as if nothing else forbade to tell it
    made.__dict__["told"] = frozenset(company["origin"])
    summary = summarize(made)
    shown = {row["origin"]: row for row in records(summary["tables"]["company_totals"])}
    hidden = shown.pop(origin.date().isoformat())
    for name in ("actual", "error", "wape", "plainest", "last_year", "customers", "new"):
        assert hidden[name] is None
        assert all(row[name] is not None for row in shown.values())
    assert hidden["forecast"] is not None
    assert f"Tested on {len(shown)} past date" in text(summary, "budget")
    assert "sales after 1 past date are not shown" in text(summary, "budget")
