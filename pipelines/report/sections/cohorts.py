"""The section on cohorts: what their customers have brought so far, and will."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clvmodels.finance import cohort_ltv
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.headline import forecast_window
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money, together
from pipelines.report.tables import Column, Kind, Table, plain, table
from pipelines.report.wording import words

MOST_LINES = 8
"""Cohorts drawn as lines of one figure; more are summed to quarters, then to years."""

FIRSTS = ("first_purchases", "first_revenue", "first_margin")
"""What a first purchase brings; of cohorts put together it is told in one sum."""


def cohort_value(inputs: ReportInputs) -> Section:
    """Cumulative revenue per acquired customer by cohort and age, observed and forecast."""
    section = Section("cohorts", "What a customer of each cohort is worth")
    if inputs.cohort_months.empty:
        section.missing = "No cohort history was given."
        return section
    section.tables["cohort_history"] = _history(inputs)
    section.workbook_only = ("cohort_history",)
    if not section.tables["cohort_history"]["rows"]:
        section.tables.clear()
        section.workbook_only = ()
    cohorts = inputs.groups.summed(inputs.dated("cohort_months", "cohort", "period"), FIRSTS)
    one = len(cohorts.drop_duplicates("cohort")) == 1
    if cohorts.empty or (one and cohorts["cohort_to"].notna().all()):
        section.missing = (
            f"No month of first purchase holds {LEAST_CUSTOMERS} customers and can be shown by "
            "itself or with its neighbours; fewer would tell on single ones."
        )
        return section
    with_others = together(cohorts)
    if with_others:
        with_others += " Their age counts from the month of the last of them."
    ages, group = _cohort_ages(cohorts, inputs)
    unit = {"M": "month", "Q": "quarter", "Y": "year"}[group]
    section.text = [
        "LTV as cumulative revenue per acquired customer, the first purchase included, before "
        "any cost. Solid: observed; dashed: forecast."
    ]
    last = cohorts.groupby("cohort")["cohort_to"].first() if unit == "month" else pd.Series()
    rows, lines = _by_cohort(ages, last)
    section.tables["cohort_value"] = _worth(
        pd.DataFrame(rows), unit, inputs.currency, "margin" in cohorts, with_others
    )
    first = rows[0]
    section.charts["cumulative_ltv"] = plain(
        {
            "title": f"Cumulative LTV (revenue) per customer by {unit} of first purchase",
            "alt": f"Lines of cumulative revenue per customer by age. The oldest cohort reaches "
            f"{words.amount(first['ltv'], inputs.currency)} at "
            f"{words.counted(first['age'], 'month')}.",
            "unit": inputs.currency,
            "group": unit,
            "lines": lines,
        }
    )
    return section


def _by_cohort(
    ages: pd.DataFrame, last: pd.Series
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What each cohort has brought and will, as a row of the table and a line of the chart."""
    rows, lines = [], []
    for cohort, part in ages.groupby("cohort"):
        seen = part[~part["forecast"]]
        rows.append(
            {
                "cohort": cohort,
                "cohort_to": last.get(cohort),
                "customers": part["customers"].iloc[0],
                "age": seen["age"].max(),
                "ltv": seen["ltv"].iloc[-1] if len(seen) else None,
                "ltv_margin": seen["ltv_margin"].iloc[-1] if len(seen) else None,
                "horizon_age": part["age"].max(),
                "ltv_horizon": part["ltv"].iloc[-1],
            }
        )
        lines.append(
            {
                "cohort": cohort,
                "cohort_to": last.get(cohort),
                "age": list(part["age"]),
                "ltv": list(part["ltv"]),
                "forecast": list(part["forecast"]),
            }
        )
    return rows, lines


def _worth(shown: pd.DataFrame, unit: str, code: str, has_margin: bool, with_others: str) -> Table:
    earned = Column("ltv_margin", money("LTV so far, gross margin", code), "currency")
    kind: Kind = "month" if unit == "month" else "quarter"
    if unit == "year":
        kind = "text"
        shown["cohort"] = shown["cohort"].dt.strftime("%Y")
    return table(
        shown,
        [
            Column("cohort", "Cohort", kind),
            Column("cohort_to", "To cohort", kind),
            Column("customers", "Customers", "integer"),
            Column("age", "Age seen (months)", "integer"),
            Column("ltv", money("LTV so far, revenue", code), "currency"),
            *([earned] if has_margin else []),
            Column("horizon_age", "Age forecast (months)", "integer"),
            Column("ltv_horizon", money("LTV forecast, revenue", code), "currency"),
        ],
        title="Cumulative LTV per customer by cohort",
        sheet="Cohort LTV",
        note=f"Cohort: {unit} of first purchase; ages that all its months have reached."
        + with_others,
    )


def _history(inputs: ReportInputs) -> Table:
    """What each cohort bought month by month, with the margins that the log records."""
    history = inputs.groups.summed(inputs.dated("cohort_months", "cohort", "period"), FIRSTS)
    note = together(history)
    if note:
        note += " Their first purchases stand in the month of the last of them, in one sum."
    return table(
        history,
        [
            Column("cohort", "Cohort", "month"),
            Column("cohort_to", "To cohort", "month"),
            Column("period", "Month", "month"),
            Column("customers", "Customers", "integer"),
            Column("purchases", "Repeat purchases", "integer"),
            Column("revenue", money("Repeat revenue", inputs.currency), "currency"),
            Column("margin", money("Repeat gross margin", inputs.currency), "currency"),
            Column("first_purchases", "First purchases", "integer"),
            Column("first_revenue", money("First revenue", inputs.currency), "currency"),
            Column("first_margin", money("First gross margin", inputs.currency), "currency"),
        ],
        title="History by cohort and month",
        sheet="Cohort history",
        note=note.strip(),
    )


def _cohort_ages(
    history: pd.DataFrame, inputs: ReportInputs
) -> tuple[pd.DataFrame, cohort_ltv.Group]:
    """LTV by cohort group and age, observed and forecast, and what the groups are."""
    parts = [cohort_ltv.cells_of(history).assign(forecast=False)]
    window = inputs.groups.summed(forecast_window(inputs))
    if not window.empty:
        ahead = window.rename(columns={"revenue": "total"}).assign(earned=0.0)
        parts.append(ahead[[c for c in parts[0] if c != "forecast"]].assign(forecast=True))
    cells = pd.concat([part for part in parts if len(part)])
    size = history.groupby("cohort")["first_purchases"].sum()
    group: cohort_ltv.Group = "Y"
    for finer in ("Q", "M"):
        if cells["cohort"].dt.to_period(finer).nunique() <= MOST_LINES:
            group = finer
    return cohort_ltv.by_age(cells, size, group, cells["period"].max()), group
