"""The company totals that past dates forecast, against what was sold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clvmodels.core import metrics
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import NOT_TOLD, Section, money
from pipelines.report.sections.budget.notes import drive_acquisition, untold
from pipelines.report.tables import Column, table
from pipelines.report.wording import verdicts, words

ACTUAL = ("actual", "error", "wape", "plainest", "last_year", "customers", "new")
"""Columns of past totals from which what was sold can be had."""


def add_past(section: Section, inputs: ReportInputs) -> None:
    """The company total that past origins forecast, against what was sold."""
    past = inputs.dated("company", "origin", "period")
    if past.empty:
        section.text.append("No past forecast of the company's total could be tested.")
        return
    past = past[past["origin"].isin(inputs.told)]
    if past.empty:
        section.text.append(NOT_TOLD)
        return
    rows = [_score(origin, part) for origin, part in past.groupby("origin")]
    scored = pd.DataFrame(rows)
    told = past.groupby("origin")["period"].agg(inputs.groups.tells_nothing_in).astype(bool)
    newcomers = ["customers", "customers_forecast", "new", "new_forecast"]
    how = (
        "with new customers at the level known then and no plan: the company's revenue, new "
        "customers' included,"
    )
    if not scored[newcomers].any(axis=None):
        scored = scored.drop(columns=newcomers)
        how = "after which no customer was new, nor forecast to be: the company's revenue"
    # What is told of the total is of whole groups; error and forecast give the actual.
    scored.loc[~scored["origin"].map(told), [c for c in ACTUAL if c in scored]] = np.nan
    whole = past[past["origin"].map(told)]
    tested = int(told.sum())
    if tested:
        section.text.append(
            f"Tested on {tested} past date{'s' if tested > 1 else ''}, {how} was "
            f"{_total_misses(scored['error'])}. {_by_month(whole)}{_given_then(inputs)}"
        )
    section.text += _hidden(len(told) - tested)
    code = inputs.currency
    section.tables["company_totals"] = table(
        scored,
        _total_columns(code),
        title="The company's total from past origins",
        sheet="Company, past totals",
        note="All purchases after each origin: of customers known then, and of those who came "
        "later. Whole months only.",
    )
    hidden = past["period"].isin(inputs.groups.untold)
    actual = past.columns[past.columns.str.startswith("actual_")]
    past[actual] = past[actual].mask(hidden)
    if "last_year_revenue" in past:  # sales of a month that may not be shown, wherever they stand
        untold_months = {day.month for day in inputs.groups.untold}
        same = past["period"].dt.month.isin(untold_months)
        past["last_year_revenue"] = past["last_year_revenue"].mask(same)
    section.tables["company_months"] = table(
        past,
        _month_columns(code),
        title="The company by month from past origins",
        sheet="Company, past months",
        note=untold(pd.DatetimeIndex(past.loc[hidden, "period"].unique()), inputs.groups.customers)
        if hidden.any()
        else "",
    )
    section.workbook_only = (*section.workbook_only, "company_months")


def _by_month(past: pd.DataFrame) -> str:
    """How far off the company's months were, beside what a budgeter would have repeated."""
    wape = metrics.wape(past["actual_revenue"], past["revenue"])
    said = [
        f"Its months were off by {words.percent(wape)} on average; repeating the average of the "
        "last three months would have been off by "
        f"{words.percent(metrics.wape(past['actual_revenue'], past['last_months_revenue']))}"
    ]
    plain = {"the average of the last three months": (past, "last_months_revenue")}
    year = past[past["last_year_revenue"].notna()] if "last_year_revenue" in past else past.iloc[:0]
    if len(year):
        own, other = (
            metrics.wape(year["actual_revenue"], year[name])
            for name in ("revenue", "last_year_revenue")
        )
        there = (
            f" (this forecast: {words.percent(own)}), over the {len(year)} of {len(past)} months "
            "that the log then held a year before"
        )
        said.append(
            f"repeating the same month of the year before, by {words.percent(other)}"
            f"{there if len(year) < len(past) else ''}"
        )
        plain["the same month of the year before"] = (year, "last_year_revenue")
    nearer = [
        name
        for name, (rows, column) in plain.items()
        if metrics.wape(rows["actual_revenue"], rows[column])
        < metrics.wape(rows["actual_revenue"], rows["revenue"])
    ]
    held = ""
    if "company_revenue_low" in past:
        known = past[past["company_revenue_low"].notna()]
        if len(known):
            inside = known["actual_revenue"].between(
                known["company_revenue_low"], known["company_revenue_high"]
            )
            narrow = inside.mean() < verdicts.TOO_FEW_HELD
            held = (
                f" The {words.percent(0.9)} intervals of its months held {int(inside.sum())} of "
                f"{len(known)}{': intervals like these were too narrow' if narrow else ''}."
            )
    better = f" Repeating {words.listed(nearer)} was nearer than this forecast." if nearer else ""
    return f"{'; '.join(said)}.{held}{better}"


def _hidden(dates: int) -> list[str]:
    if not dates:
        return []
    return [
        f"The company's sales after {dates} past date{'s' if dates > 1 else ''} are not "
        f"shown: they hold a part of months of first purchase that are put together, and the "
        f"rest would tell on fewer than {LEAST_CUSTOMERS} customers."
    ]


def _total_columns(code: str) -> list[Column]:
    return [
        Column("origin", "Origin", "date"),
        Column("months", "Months", "integer"),
        Column("actual", money("Actual revenue", code), "currency"),
        Column("forecast", money("Forecast", code), "currency"),
        Column("error", "Error of the total", "percent"),
        Column("wape", "Error by month (WAPE)", "percent"),
        Column("plainest", "Average of last months (WAPE)", "percent"),
        Column("last_year", "Same month last year (WAPE)", "percent"),
        Column("customers", "New customers, actual", "integer"),
        Column("customers_forecast", "New customers, forecast", "integer"),
        Column("new", money("Their revenue, actual", code), "currency"),
        Column("new_forecast", money("Their revenue, forecast", code), "currency"),
    ]


def _month_columns(code: str) -> list[Column]:
    return [
        Column("origin", "Origin", "date"),
        Column("period", "Month", "month"),
        Column("actual_revenue", money("Actual revenue", code), "currency"),
        Column("revenue", money("Forecast", code), "currency"),
        Column("company_revenue_low", "Forecast, low", "currency"),
        Column("company_revenue_high", "Forecast, high", "currency"),
        Column("known_revenue", money("Forecast of known customers", code), "currency"),
        Column("new_revenue", money("Forecast of new customers", code), "currency"),
        Column("last_year_revenue", money("Same month last year", code), "currency"),
        Column("actual_purchases", "Purchases, actual", "integer"),
        Column("purchases", "Purchases, forecast", "integer"),
        Column("actual_new_customers", "New customers, actual", "integer"),
        Column("new_customers", "New customers, forecast", "integer"),
    ]


def _given_then(inputs: ReportInputs) -> str:
    """What past dates were told that nobody knew then."""
    if not inputs.terms.covariates:
        return ""
    too = ", and new customers moved with them" if drive_acquisition(inputs) else ""
    return (
        " Where covariates by month were used, these dates were given the values that later came "
        f"true, which nobody knew then{too}."
    )


def _total_misses(errors: pd.Series[float]) -> str:
    """Mean size of the misses and their range: pooled, misses of both signs would cancel."""
    said = verdicts.misses(errors)
    sizes = errors.dropna().abs()
    return said if len(sizes) < 2 else f"{said}; the mean miss was {words.percent(sizes.mean())}"


def _score(origin: Any, part: pd.DataFrame) -> dict[str, Any]:
    return {
        "origin": origin,
        "months": len(part),
        "actual": part["actual_revenue"].sum(),
        "forecast": part["revenue"].sum(),
        "error": metrics.bias(part["actual_revenue"], part["revenue"]),
        "wape": metrics.wape(part["actual_revenue"], part["revenue"]),
        "plainest": metrics.wape(part["actual_revenue"], part["last_months_revenue"]),
        "last_year": _of_last_year(part),
        "customers": float(part["actual_new_customers"].sum()),
        "customers_forecast": part["new_customers"].sum(),
        "new": part["actual_new_revenue"].sum(),
        "new_forecast": part["new_revenue"].sum(),
    }


def _of_last_year(part: pd.DataFrame) -> float:
    """Error of repeating the year before; nan where a month of it is not in the log."""
    if "last_year_revenue" not in part or part["last_year_revenue"].isna().any():
        return float("nan")
    return metrics.wape(part["actual_revenue"], part["last_year_revenue"])
