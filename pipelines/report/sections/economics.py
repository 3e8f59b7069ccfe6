"""What a customer is worth, and may cost: unit economics, LTV in three steps, and by quarter."""

from __future__ import annotations

import pandas as pd

from clvmodels.finance import cohort_ltv
from pipelines.data.margins import of_history
from pipelines.finance.economics import complete_months
from pipelines.report.groups.cohorts import TOGETHER
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.sections.cohorts import FIRSTS
from pipelines.report.tables import Column, Table, table
from pipelines.report.wording import words

AGES = (0, 3, 6, 12, 24, 36)
"""Months of age at which LTV by cohort is shown on the page."""


def unit_economics(inputs: ReportInputs) -> Section:
    """LTV and CLV by the formulas of planners, LTV in three steps, and both churns by quarter."""
    section = Section("unit_economics", "What a customer is worth, and may cost")
    facts: pd.DataFrame = inputs.unit_economics
    if facts.empty:
        section.missing = "There is too little history for unit economics."
        return section
    section.text = _text(inputs)
    section.tables["unit_economics"] = table(
        facts,
        [
            Column("measure", "Measure"),
            Column("value", "Value", "ratio"),
            Column("unit", "Unit"),
            Column("meaning", "Meaning, and the formula with its numbers"),
        ],
        title="Unit economics",
        sheet="Unit economics",
    )
    section.tables |= _steps(inputs)
    section.tables |= _monitoring(inputs)
    section.workbook_only = tuple(name for name in section.tables if name == "ltv_by_age")
    return section


def _text(inputs: ReportInputs) -> list[str]:
    text = [
        "LTV is revenue or gross margin before the cost to serve; CLV is margin net of it: "
        "discounted where it is forecast, not discounted where it is worked by hand. The "
        "historical formulas assume that ARPU and churn stay as they were, for ever.",
        "Churn has two senses here. In the cohort's sense it is the fall of purchases per "
        "customer, so who pauses and comes back is not lost; in the customer's sense whoever skips "
        "a cycle is. Where people buy less often than once a cycle, the first is nearer the truth. "
        "The churn probability of the customer tables is another thing: the chance of no purchase "
        f"in the next {words.counted(inputs.churn_days, 'day')}.",
    ]
    found = inputs.unit_economics.set_index("measure")["value"]
    name = "Historical LTV, gross margin, cohort's sense,"
    without, with_first, to_date = (
        found.get(key)
        for key in (
            f"{name} without the first purchase",
            f"{name} with the first purchase",
            "LTV to date, gross margin",
        )
    )
    if pd.notna(without) and pd.notna(to_date):
        bare, whole, seen = (
            words.amount(one, inputs.currency) for one in (without, with_first, to_date)
        )
        text.append(
            f"Historical LTV without the first purchase ({bare}) counts repeat purchases alone. "
            f"LTV to date ({seen}) holds the first one, so what it compares with is the historical "
            f"LTV with the first purchase ({whole}). That may still be below LTV to date, though "
            "it has no end: it takes the ARPU of all customers known, most of them past their "
            "first months."
        )
    if inputs.terms.economics.acquisition_cost is None and inputs.acquired is None:
        text.append(
            "Name the spend under [acquisition], or set acquisition_cost under [economics], to see "
            "LTV against CAC and the payback."
        )
    return text


def _steps(inputs: ReportInputs) -> dict[str, Table]:
    """LTV in three steps by quarter of first purchase, and month by month of its life."""
    history = of_history(inputs.dated("cohort_months", "cohort", "period"), inputs.gross_margin)
    if history.empty:
        return {}
    cohorts = inputs.groups.summed(history, FIRSTS)
    if cohorts.empty:
        return {}
    several = f" {TOGETHER}" if cohorts["cohort_to"].notna().any() else ""
    size = cohorts.groupby("cohort")["first_purchases"].sum()
    cells = cohort_ltv.cells_of(cohorts).assign(forecast=False)
    until = complete_months(cohorts, inputs.as_of)["period"].max()
    ages = cohort_ltv.by_age(cells, size, "Q", until)
    ages["earned_to_date"] = ages.groupby("cohort")["earned"].cumsum()
    steps = cohort_ltv.to_date(cells, size, "Q")
    steps["age"] = steps["cohort"].map(ages.groupby("cohort")["age"].max())
    wide = ages.pivot_table(index="cohort", columns="age", values="ltv_margin")
    shown = [age for age in AGES if age in wide]
    for age in shown:
        steps[f"at_{age}"] = steps["cohort"].map(wide[age])
    code = inputs.currency
    return {
        "ltv_steps": _by_quarter(steps, shown, code, several),
        "ltv_by_age": _by_month(ages, code, several),
    }


def _by_quarter(steps: pd.DataFrame, ages: list[int], code: str, note: str) -> Table:
    return table(
        steps,
        [
            Column("cohort", "Quarter of first purchase", "quarter"),
            Column("earned", money("1. Gross margin to date", code), "cents"),
            Column("customers", "2. Customers acquired", "integer"),
            Column("ltv_margin", money("3. LTV to date, gross margin", code), "cents"),
            Column("ltv", money("LTV to date, revenue", code), "cents"),
            Column("age", "Months that all have reached", "integer"),
            *(
                Column(f"at_{age}", money(f"LTV by month {age}, gross margin", code), "cents")
                for age in ages
            ),
        ],
        title="LTV in three steps, by quarter of first purchase",
        sheet="LTV in three steps",
        note="Gross margin of all purchases to date, the first one too, over the customers who "
        "were acquired, whether they came back or not; then the same by the end of whole months "
        f"after that of the first purchase, as far as all customers have come.{note}",
    )


def _by_month(ages: pd.DataFrame, code: str, note: str) -> Table:
    return table(
        ages,
        [
            Column("cohort", "Quarter of first purchase", "quarter"),
            Column("age", "Months since the first purchase's", "integer"),
            Column("customers", "Customers acquired", "integer"),
            Column("earned", money("Gross margin of the month", code), "cents"),
            Column("earned_to_date", money("Gross margin by its end", code), "cents"),
            Column("ltv_margin", money("LTV, gross margin", code), "cents"),
            Column("ltv", money("LTV, revenue", code), "cents"),
        ],
        title="LTV by quarter of first purchase and month since",
        sheet="LTV by month of age",
        note=f"Whole months that all customers of the quarter have reached.{note}",
    )


def _monitoring(inputs: ReportInputs) -> dict[str, Table]:
    """ARPU, margin and churn of every quarter that has ended."""
    quarters = inputs.dated("monitoring", "period")
    if quarters.empty:
        return {}
    return {
        "monitoring": table(
            quarters,
            [
                Column("period", "Quarter", "quarter"),
                Column("customers", "Customers known by its end", "integer"),
                Column("buyers", "Buyers", "integer"),
                Column("arpu", money("ARPU a quarter", inputs.currency), "cents"),
                Column("margin", "Gross margin", "percent"),
                Column("cohort_churn", "Churn, cohort's sense", "percent"),
                Column("customer_churn", "Churn, customer's sense", "percent"),
            ],
            title="ARPU, margin and churn by quarter",
            sheet="Monitoring",
            note="Quarters that have ended. ARPU: repeat revenue per known customer; gross margin: "
            "of repeat revenue. Churn is from the quarter before, season included: in the cohort's "
            "sense the fall of purchases per customer (below zero where they rose), in the "
            "customer's the share of its buyers who bought nothing in this one.",
        )
    }
