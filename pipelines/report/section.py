"""What a section is, and the two that show months: the forecast, and past ones against actual."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from clvmodels.core.schema import VALUED
from pipelines.backtesting import accuracy
from pipelines.report.groups.cohorts import TOGETHER
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.headline import BASELINES, NO_TEST, PRODUCT, forecast_window
from pipelines.report.inputs import ReportInputs
from pipelines.report.tables import Column, Table, plain, table
from pipelines.report.wording import words

PAGE_ORDER = ("revenue", "purchases")
"""Quantities as the page shows them: finance asks for revenue first."""
CHURN_METRICS = words.CHURN_METRICS
NOT_TOLD = (
    "Months after a past date are not shown where, set against the cohorts' history, they would "
    f"tell on fewer than {LEAST_CUSTOMERS} customers; errors are shown."
)
NO_COHORTS = (
    f"Cohorts are not shown: all together hold fewer than {LEAST_CUSTOMERS} customers, and lines "
    "would tell on single ones."
)
DAYS = Column("days", "Days covered")
"""Where the as-of date cuts months, how much of each is forecast; left out where it cuts none."""


@dataclass
class Section:
    """One part of the report: words, tables and what its figures are drawn from.

    ``missing`` says why the section is empty; ``workbook_only`` names tables too long for a page.
    """

    id: str
    title: str
    text: list[str] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: str | None = None
    workbook_only: tuple[str, ...] = ()


def together(frame: pd.DataFrame, intervals: bool = False) -> str:
    """Say that small cohorts are put together, as a sentence after a blank; where some are."""
    if frame.empty or frame["cohort_to"].isna().all():
        return ""
    wide = " Their intervals are sums of the cohorts' own, so wider." if intervals else ""
    return f" {TOGETHER}{wide}"


def money(label: str, currency: str) -> str:
    """Heading of a column of money."""
    return f"{label} ({currency})"


def history_and_forecast(inputs: ReportInputs) -> Section:
    """Month by month: what was bought, and what is forecast."""
    section = Section("forecast", "The forecast by month")
    window = forecast_window(inputs)
    if window.empty:
        section.missing = "No cohort forecast was made."
        return section
    values = [c for c in window.columns if c.startswith(("purchases", "revenue", "margin"))]
    monthly = inputs.dated("months", "period")
    cautious = monthly.empty
    if cautious:
        monthly = window.groupby("period")[values].sum(min_count=1).reset_index()
    code = inputs.currency
    section.text = [
        f"Customers known on {words.day(inputs.as_of)} only: what customers acquired later will "
        "buy is in the budget view."
    ]
    has_intervals = bool(monthly[["revenue_low", "purchases_low"]].notna().any(axis=None))
    if has_intervals and cautious:
        section.text[0] += " Intervals are sums of the cohorts' intervals, so they are cautious."
    shown = _forecast_columns(code)
    section.tables["forecast_by_month"] = table(
        inputs.with_days(monthly),
        [Column("period", "Month", "month"), DAYS, *shown],
        title="Forecast by calendar month",
        sheet="Forecast by month",
        note=("Low and high: 90 % interval. " if has_intervals else "")
        + "Revenue and margin are LTV, before cost to serve.",
    )
    section.charts["headline_forecast"] = _history_chart(inputs, monthly)
    cohorts = inputs.with_days(inputs.groups.summed(window))
    if cohorts.empty:
        section.text.append(NO_COHORTS)
        return section
    section.tables["cohort_forecast"] = table(
        cohorts,
        [
            Column("cohort", "Cohort", "month"),
            Column("cohort_to", "To cohort", "month"),
            Column("period", "Month", "month"),
            DAYS,
            *shown,
        ],
        title="Forecast by cohort and month",
        sheet="Cohort forecast",
        note="Cohort: month of first purchase." + together(cohorts, intervals=has_intervals),
    )
    section.workbook_only = ("cohort_forecast",)
    return section


def _forecast_columns(code: str) -> list[Column]:
    columns = []
    for key, _ in VALUED:
        label = words.QUANTITY_LABELS[key]
        heading = label if key == "purchases" else money(label, code)
        kind: Any = "number" if key == "purchases" else "currency"
        columns += [
            Column(key, heading, kind),
            Column(f"{key}_low", f"{label}, low", kind),
            Column(f"{key}_high", f"{label}, high", kind),
        ]
    return columns


def _history_chart(inputs: ReportInputs, monthly: pd.DataFrame) -> dict[str, Any]:
    history = inputs.dated("cohort_months", "period")
    past = pd.Series(dtype=float)
    if not history.empty:
        past = history.groupby("period")["revenue"].sum()
    future = monthly.set_index("period")[["revenue", "revenue_low", "revenue_high"]]
    # A month that as_of cuts in two is shown whole: its known part plus its forecast part.
    shared = past.index.intersection(future.index)
    future.loc[shared] = future.loc[shared].add(past[shared], axis=0)
    past = past.drop(shared)
    start = inputs.as_of + dt.timedelta(days=1)
    if not history.empty:
        start = inputs.first_day(history["period"])
    ahead = inputs.terms.economics.horizon_months
    total, before = float(future["revenue"].sum()), float(past.tail(len(future)).sum())
    return plain(
        {
            "title": f"Repeat revenue by month, and the next {words.counted(ahead, 'month')}",
            "alt": (
                f"Line chart of monthly repeat revenue in {inputs.currency}. The last "
                f"{words.counted(min(len(future), len(past)), 'month')} known "
                f"{'sums' if min(len(future), len(past)) == 1 else 'sum'} to "
                f"{words.amount(before)}; the {words.counted(len(future), 'calendar month')} shown "
                f"after that to {words.amount(total)}."
            ),
            "unit": inputs.currency,
            "history": {
                "period": list(past.index),
                "revenue": past.to_numpy(),
                "cut": words.cut(pd.DatetimeIndex(past.index).date, start, inputs.as_of)
                if len(past)
                else [],
            },
            "forecast": {
                "period": list(future.index),
                "cut": words.cut(pd.DatetimeIndex(future.index).date, start, inputs.last_day()),
                "revenue": future["revenue"].to_numpy(),
                "low": future["revenue_low"].to_numpy(),
                "high": future["revenue_high"].to_numpy(),
            },
        }
    )


def ordered_models(models: Any) -> list[str]:
    """Names of models, this forecast first, then the baselines of the first screen."""
    order = [PRODUCT, *BASELINES, *words.MODELS]
    return sorted(models, key=lambda m: (order.index(m) if m in order else len(order), m))


def by_month(inputs: ReportInputs) -> Section:
    """Forecast against actual by calendar month, for each origin."""
    section = Section("months", "Forecast and actual by month")
    cells = inputs.accuracy.cells
    if cells.empty:
        section.missing = NO_TEST
        return section
    tested, cells = cells["origin"].nunique(), cells[cells["origin"].isin(inputs.told)]
    if cells.empty:
        section.missing = f"{NOT_TOLD} It concerns every past date tested."
        return section
    section.text = [
        "Each panel starts at one origin. Forecast and actual cover the same people: the "
        "customers known at that origin, without those acquired later."
    ]
    left_out = tested - cells["origin"].nunique()
    if left_out:
        section.text.append(f"{NOT_TOLD} It concerns {left_out} of {tested} past dates.")
    for quantity in PAGE_ORDER:
        _add_months(section, cells, quantity, inputs.currency)
    tested = section.charts["forecast_by_month_revenue"]["panels"]
    chosen = plain(accuracy.most_like(cells, inputs.terms.economics.horizon_months))
    alike = next(panel for panel in tested if panel["origin"] == chosen)
    origin = words.day(chosen)
    section.charts["headline_backtest"] = {
        "title": f"Tested: the forecast of {origin}",
        "alt": f"Line chart of monthly revenue in {inputs.currency} after {origin}: what was "
        "forecast then, and what happened.",
        "unit": inputs.currency,
        "panels": [alike],
    }
    section.workbook_only = tuple(section.tables)
    section.tables |= {f"totals_{q}": _totals(cells, q, inputs) for q in PAGE_ORDER}
    return section


def _add_months(section: Section, cells: pd.DataFrame, quantity: str, code: str) -> None:
    """A table of one quantity by origin and month, and a panel for each origin."""
    shown = [m for m in (PRODUCT, *BASELINES) if m in set(cells["model"])]
    name = words.QUANTITY_LABELS[quantity]
    unit = code if quantity == "revenue" else "purchases"
    wide = accuracy.by_month(cells, quantity)
    columns = [
        Column(m, words.model_label(m), "currency" if quantity == "revenue" else "number")
        for m in ordered_models(cells["model"].unique())
    ]
    section.tables[f"months_{quantity}"] = table(
        wide,
        [
            Column("origin", "Origin", "date"),
            Column("period", "Month", "month"),
            Column("actual", "Actual", columns[0].kind),
            *columns,
        ],
        title=f"{name} by month, forecast and actual",
        sheet=f"Months, {quantity}",
    )
    panels = [
        {
            "origin": origin,
            "period": list(part["period"]),
            "cut": _cut(cells, origin, part["period"]),
            "actual": part["actual"].to_numpy(),
            "forecasts": {words.model_label(m): part[m].to_numpy() for m in shown},
        }
        for origin, part in wide.groupby("origin")
    ]
    section.charts[f"forecast_by_month_{quantity}"] = plain(
        {
            "title": f"{name} by month: forecast and actual",
            "alt": f"One line chart per origin of monthly {quantity}, forecast and actual; "
            "the numbers are in the table that follows.",
            "unit": unit,
            "panels": panels,
        }
    )


def _cut(cells: pd.DataFrame, origin: Any, periods: pd.Series[Any]) -> list[bool]:
    """Which months of a past forecast it covers in part: the day after the origin to its end."""
    days = int(cells.loc[cells["origin"] == origin, "horizon_days"].max())
    first, last = (origin + pd.Timedelta(days=n) for n in (1, days))
    return words.cut(periods.dt.date, first.date(), last.date())


def _totals(cells: pd.DataFrame, quantity: str, inputs: ReportInputs) -> Table:
    """All months together: the total that each origin forecast, and what it came to."""
    wide = accuracy.by_month(cells, quantity)
    models = [name for name in wide.columns if name not in ("origin", "period", "actual")]
    # A model that lacks a month has no total to compare.
    sums = wide.groupby("origin").agg(
        months=("period", "size"),
        **{name: (name, lambda part: part.sum(skipna=False)) for name in ["actual", *models]},
    )
    unit = f" ({inputs.currency})" if quantity == "revenue" else ""
    kind: Any = "currency" if quantity == "revenue" else "integer"
    return table(
        sums.reset_index(),
        [
            Column("origin", "Origin", "date"),
            Column("months", "Months", "integer"),
            Column("actual", "Actual", kind),
            *(Column(name, words.model_label(name), kind) for name in ordered_models(models)),
        ],
        title=f"{words.QUANTITY_LABELS[quantity]} over all months after each origin{unit}",
        sheet=f"Totals, {quantity}",
    )
