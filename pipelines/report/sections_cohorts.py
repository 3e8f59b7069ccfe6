"""The section on cohorts: what their customers have brought so far, and will."""

from __future__ import annotations

import pandas as pd

from pipelines.report import words
from pipelines.report.headline import forecast_window
from pipelines.report.inputs import ReportInputs
from pipelines.report.sections import Section, money
from pipelines.report.small_groups import LEAST_CUSTOMERS, large_cohorts, left_out
from pipelines.report.tables import Column, Kind, plain, table

MOST_LINES = 8
"""Cohorts drawn as lines of one figure; more are summed to quarters, then to years."""


def cohort_value(inputs: ReportInputs) -> Section:
    """Cumulative revenue per acquired customer by cohort and age, observed and forecast."""
    section = Section("cohorts", "What a customer of each cohort is worth")
    if inputs.cohort_months.empty:
        section.missing = "No cohort history was given."
        return section
    ages, size = _cohort_ages(inputs)
    few = size[size < LEAST_CUSTOMERS]
    unit = {"M": "month", "Q": "quarter", "Y": "year"}[ages.attrs["group"]]
    ages = ages[~ages["cohort"].isin(few.index)]
    if ages.empty:
        section.missing = (
            f"No {unit} of first purchase holds {LEAST_CUSTOMERS} customers; fewer would tell on "
            "single ones."
        )
        return section
    section.text = [
        "LTV as cumulative revenue per acquired customer, the first purchase included, before "
        "any cost. Solid: observed; dashed: forecast."
    ]
    rows = []
    lines = []
    for cohort, part in ages.groupby("cohort"):
        known = part[~part["forecast"]]
        rows.append(
            {
                "cohort": cohort,
                "customers": size[cohort],
                "age": known["age"].max(),
                "ltv": known["ltv"].iloc[-1] if len(known) else None,
                "horizon_age": part["age"].max(),
                "ltv_horizon": part["ltv"].iloc[-1],
            }
        )
        lines.append(
            {
                "cohort": cohort,
                "age": list(part["age"]),
                "ltv": list(part["ltv"]),
                "forecast": list(part["forecast"]),
            }
        )
    kind: Kind = "month" if unit == "month" else "quarter"
    shown = pd.DataFrame(rows)
    if unit == "year":
        kind = "text"
        shown["cohort"] = shown["cohort"].dt.strftime("%Y")
    section.tables["cohort_value"] = table(
        shown,
        [
            Column("cohort", "Cohort", kind),
            Column("customers", "Customers", "integer"),
            Column("age", "Age seen (months)", "integer"),
            Column("ltv", money("LTV so far, revenue", inputs.currency), "currency"),
            Column("horizon_age", "Age forecast (months)", "integer"),
            Column("ltv_horizon", money("LTV forecast, revenue", inputs.currency), "currency"),
        ],
        title="Cumulative LTV per customer by cohort",
        sheet="Cohort LTV",
        note=f"Cohort: {unit} of first purchase; ages that all its months have reached."
        + left_out(few),
    )
    history, missing = large_cohorts(inputs, inputs.cohort_months)
    section.tables["cohort_history"] = table(
        history,
        [
            Column("cohort", "Cohort", "month"),
            Column("period", "Month", "month"),
            Column("customers", "Customers", "integer"),
            Column("purchases", "Repeat purchases", "integer"),
            Column("revenue", money("Repeat revenue", inputs.currency), "currency"),
            Column("first_purchases", "First purchases", "integer"),
            Column("first_revenue", money("First revenue", inputs.currency), "currency"),
        ],
        title="History by cohort and month",
        sheet="Cohort history",
        note=missing.strip(),
    )
    section.workbook_only = ("cohort_history",)
    first = rows[0]
    section.charts["cumulative_ltv"] = plain(
        {
            "title": f"Cumulative LTV (revenue) per customer by {unit} of first purchase",
            "alt": f"Lines of cumulative revenue per customer by age. The oldest cohort reaches "
            f"{words.amount(first['ltv'], inputs.currency)} at {first['age']} months.",
            "unit": inputs.currency,
            "group": unit,
            "lines": lines,
        }
    )
    return section


def _cohort_ages(inputs: ReportInputs) -> tuple[pd.DataFrame, pd.Series]:
    """LTV by cohort group and age, and the customers of each group."""
    history = inputs.dated("cohort_months", "cohort", "period")
    history["total"] = history["revenue"] + history["first_revenue"]
    parts = [history[["cohort", "period", "total"]].assign(forecast=False)]
    window = forecast_window(inputs)
    if not window.empty:
        ahead = window[["cohort", "period", "revenue"]].rename(columns={"revenue": "total"})
        parts.append(ahead.assign(forecast=True))
    cells = (
        pd.concat(parts)
        .groupby(["cohort", "period"], as_index=False)
        .agg(total=("total", "sum"), forecast=("forecast", "max"))
    )
    size = history.groupby("cohort")["first_purchases"].sum()
    cells["age"] = (
        (cells["period"].dt.year - cells["cohort"].dt.year) * 12
        + cells["period"].dt.month
        - cells["cohort"].dt.month
    )
    group = next((g for g in "MQ" if cells["cohort"].dt.to_period(g).nunique() <= MOST_LINES), "Y")
    to_group = {c: c.to_period(group).start_time for c in size.index}
    cells["group"] = cells["cohort"].map(to_group)
    # A group's line ends where its youngest month ends, so that every point is a full mean.
    last = cells.groupby("cohort")["age"].max().groupby(to_group).min()
    cells = cells[cells["age"] <= cells["group"].map(last)]
    grouped_size = size.groupby(to_group).sum()
    sums = (
        cells.groupby(["group", "age"], as_index=False)
        .agg(total=("total", "sum"), forecast=("forecast", "max"))
        .rename(columns={"group": "cohort"})
    )
    sums["ltv"] = sums.groupby("cohort")["total"].cumsum() / sums["cohort"].map(grouped_size)
    sums.attrs["group"] = group
    return sums, grouped_size
