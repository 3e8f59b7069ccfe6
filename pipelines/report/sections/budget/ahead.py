"""The company month by month: known customers and those still to come."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from pipelines.report.inputs import ReportInputs
from pipelines.report.section import DAYS, Section, money
from pipelines.report.sections.budget.notes import drive_acquisition, untold
from pipelines.report.sections.budget.past import add_past
from pipelines.report.tables import Column, Table, plain, table
from pipelines.report.wording import words

MONTHS_BACK = YEAR = 12

BASIS = {"plan": "planned", "recent level": "recent level", "stopped": "stopped"}


def budget(inputs: ReportInputs) -> Section:
    """Known customers and customers still to come, month by month, and how past totals did."""
    section = Section("budget", "Budget view: with customers still to come")
    months = inputs.dated("budget", "period")
    if months.empty:
        section.missing = (
            "The cohort forecast is switched off ([train] cohort_level), so nothing says how "
            "customers still to come would buy."
        )
        return section
    code = inputs.currency
    months = inputs.with_days(months)
    section.text = [_sums(months, inputs), *_rests_on(months, inputs)]
    sold = _sold(inputs)
    section.tables["budget_by_month"] = _by_month(_with_last_year(months, sold), code)
    section.tables["new_cohorts"] = _new_cohorts(inputs)
    section.workbook_only = ("new_cohorts",)
    if not months["new_customers"].any():
        section.tables.pop("new_cohorts")
        section.workbook_only = ()
    section.charts["budget"] = _chart(inputs, months, sold)
    if sold.isna().any():
        section.text.append(
            untold(pd.DatetimeIndex(sold.index[sold.isna()]), inputs.groups.customers)
        )
    add_past(section, inputs)
    return section


def _sums(months: pd.DataFrame, inputs: ReportInputs) -> str:
    code, ahead = inputs.currency, inputs.terms.economics.horizon_months
    from_known, new = float(months["known_revenue"].sum()), float(months["new_revenue"].sum())
    if not months["new_customers"].any():
        stopped = set(months["basis"]) == {"stopped"}
        why = (
            "the last months of the log brought hardly any, so it is taken for a sample of cohorts"
            if stopped
            else "the plan holds none"
        )
        return (
            f"No customers still to come are forecast: {why}. The company's revenue of the next "
            f"{words.counted(ahead, 'month')} is that of known customers, "
            f"{words.amount(from_known, code)}."
        )
    share = new / (from_known + new) if from_known + new > 0 else float("nan")
    return (
        f"Over the next {words.counted(ahead, 'month')}, to {words.day(inputs.last_day())}, the "
        "company's revenue is forecast at "
        f"{words.amount(from_known + new, code)}{_interval(inputs)}: "
        f"{words.amount(from_known, code)} from known "
        "customers and "
        f"{words.amount(new, code)} ({words.percent(share)}) from "
        f"{_how_many(float(months['new_customers'].sum()))} still to come, "
        f"{words.amount(float(months['new_first_revenue'].sum()), code)} of it in first purchases."
    )


def _interval(inputs: ReportInputs) -> str:
    """The 90 % interval of the company's revenue over the horizon, in brackets."""
    total = inputs.budget_total
    row = total[total["quantity"] == "revenue"] if len(total) else total
    if row.empty or row[["low", "high"]].isna().any(axis=None):
        return ""
    low, high = (words.amount(float(row[end].iloc[0])) for end in ("low", "high"))
    return f" ({words.percent(0.9)} interval {low} to {high})"


def _how_many(customers: float) -> str:
    """An expected number of customers, which may be less than one."""
    return words.counted(customers, "customer") if round(customers) else "less than 1 customer"


def _rests_on(months: pd.DataFrame, inputs: ReportInputs) -> list[str]:
    """What the numbers rest on, in words."""
    if not months["new_customers"].any():
        return []
    planned = months["basis"] == "plan"
    out = []
    if planned.any():
        out.append(
            f"How many customers will come is planned for {int(planned.sum())} of {len(months)} "
            "calendar months, in the file that the configuration names as [plan]; the plan is "
            "taken as given."
        )
    stopped = months["basis"] == "stopped"
    if stopped.any():
        out.append(
            "The other months have none: the last months of the log brought hardly any, so it is "
            "taken for a sample of cohorts."
        )
    if not (planned | stopped).all():
        other = "The other months go" if planned.any() else "How many customers will come goes"
        out.append(
            f"{other} on at the level of {_level_of(inputs)}, recent months counting more"
            f"{_moved_by(inputs)}; where the log starts mid-life, falling as it grows "
            "older, since some of its new customers are old ones seen for the first time. "
            f"{'Any other' if drive_acquisition(inputs) else 'A'} change of acquisition (budget, "
            "channels, price) is not foreseen: to tell the forecast, give the planned number by "
            "month (docs/data.md)."
        )
    out.append(
        f"How they will buy is what earlier cohorts did at the same age"
        f"{' and season' if inputs.learned.season else ''}, at the level of "
        "the latest ones. Intervals of the company take the number of customers still to come to "
        "be off as much as such numbers commonly are, more so further ahead, and a planned number "
        "as certain: a change of budget or channels is in neither."
    )
    return out


def _level_of(inputs: ReportInputs) -> str:
    months = inputs.months_of_log
    if not 0 < months < YEAR:
        return "the last year"
    return f"the log's {months} months" if months > 1 else "the log's only month"


def _moved_by(inputs: ReportInputs) -> str:
    """What moves new customers beside their level: the season, and covariates by month."""
    by = ["the season learned from the log"] if inputs.learned.season else []
    if drive_acquisition(inputs):
        by.append("what the planned covariates go with")
    return f", with {words.listed(by)}" if by else ", without a season"


def _with_last_year(months: pd.DataFrame, sold: pd.Series[float]) -> pd.DataFrame:
    """Add what the company sold in the same month of the year before, of whole months."""
    before = pd.DatetimeIndex(months["period"]) - pd.DateOffset(years=1)
    told = sold.reindex(before).to_numpy(float)
    cut = months["days"].ne("all").to_numpy() & months["days"].notna().to_numpy()
    return months.assign(last_year=np.where(cut, np.nan, told))


def _by_month(months: pd.DataFrame, code: str) -> Table:
    if len(set(months["basis"])) > 1:
        months = months.assign(source=months["basis"].map(BASIS))
    if not months["new_customers"].any():
        months = months.drop(columns=["new_revenue", "new_first_revenue", "new_customers"])
    return table(
        months,
        [
            Column("period", "Month", "month"),
            DAYS,
            Column("company_revenue", money("Company revenue", code), "currency"),
            Column("company_revenue_low", "Company, low", "currency"),
            Column("company_revenue_high", "Company, high", "currency"),
            Column("known_revenue", money("Known customers", code), "currency"),
            Column("known_revenue_low", "Known, low", "currency"),
            Column("known_revenue_high", "Known, high", "currency"),
            Column("new_revenue", money("Customers still to come", code), "currency"),
            Column("new_first_revenue", "Of it first purchases", "currency"),
            Column("new_customers", "New customers", "integer"),
            Column("last_year", money("Same month last year", code), "currency"),
            Column("source", "New customers are"),
            Column("company_purchases", "Company purchases", "integer"),
        ],
        title="Company revenue by calendar month",
        sheet="Budget",
        note="Low and high: 90 % intervals. Those of months do not add up: their errors partly "
        "cancel.",
    )


def _new_cohorts(inputs: ReportInputs) -> Table:
    code = inputs.currency
    return table(
        inputs.with_days(inputs.dated("new_cohorts", "cohort", "period")),
        [
            Column("cohort", "Cohort", "month"),
            Column("period", "Month", "month"),
            DAYS,
            Column("customers", "New customers", "number"),
            Column("first_purchases", "First purchases", "number"),
            Column("first_revenue", money("Revenue of first purchases", code), "currency"),
            Column("purchases", "Repeat purchases", "number"),
            Column("revenue", money("Revenue of repeat purchases", code), "currency"),
        ],
        title="Customers still to come, by cohort and month",
        sheet="New cohorts",
        note="Also in new_cohorts.parquet.",
    )


def _sold(inputs: ReportInputs) -> pd.Series[float]:
    """What the company sold in its last months; not a number in those that are not shown."""
    history = inputs.dated("cohort_months", "period")
    if history.empty:
        return pd.Series(dtype=float)
    every = history.assign(all=history["revenue"] + history["first_revenue"])
    past = every.groupby("period")["all"].sum().tail(MONTHS_BACK + 1)
    return past.where(~past.index.isin(inputs.groups.untold))


def _chart(inputs: ReportInputs, months: pd.DataFrame, sold: pd.Series[float]) -> dict[str, Any]:
    from_known, new = months["known_revenue"].to_numpy(), months["new_revenue"].to_numpy()
    told = sold.dropna()
    # The picture starts where something is known; what is not shown after that is marked.
    past = sold[sold.index >= told.index[0]] if len(told) else told
    start = tomorrow = inputs.as_of + dt.timedelta(days=1)
    if len(told):
        start = inputs.first_day(inputs.dated("cohort_months", "period")["period"])
    # Of the month under way only the rest has a bar where what was sold of it is not shown.
    cut = [
        day
        for day in sorted({*told.index, *months["period"]})
        if any(words.cut([day.date()], start if day in told.index else tomorrow, inputs.last_day()))
    ]
    said = [f"{words.amount(from_known.sum(), inputs.currency)} forecast from known customers"]
    if new.any():
        said.append(f"{words.amount(new.sum(), inputs.currency)} from customers still to come")
    before = "what was sold, then " if len(told) else ""
    if past.isna().any():
        before = "what was sold, where it is shown, then "
    return plain(
        {
            "title": "Company revenue by month",
            "alt": (
                f"{'Stacked bars' if new.any() else 'Bars'} of monthly company revenue: {before}"
                f"{words.listed(said)}; the forecast's numbers are in the table that follows."
            ),
            "unit": inputs.currency,
            "history": {"period": list(past.index), "revenue": past.to_numpy()},
            "forecast": {
                "period": list(months["period"]),
                "known": from_known,
                "new": new,
                **{
                    end: list(months[f"company_revenue_{end}"])
                    for end in ("low", "high")
                    if f"company_revenue_{end}" in months
                },
            },
            "cut": cut,
        }
    )
