"""Sections for planning: how the last forecast did since, and what this one rests on."""

from __future__ import annotations

import math

import pandas as pd

from clvmodels.cohorts.learning.choice import CLEAR_ERRORS, Variant
from clvmodels.cohorts.learning.covariates import LEAST_TRIALS, is_of_covariates
from clvmodels.cohorts.learning.replay import MOST_ORIGINS
from clvmodels.core import metrics
from pipelines.backtesting import accuracy
from pipelines.report.groups.cohorts import left_out
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import (
    DAYS,
    NO_COHORTS,
    NOT_TOLD,
    PAGE_ORDER,
    Section,
    money,
    together,
)
from pipelines.report.tables import Column, Table, table
from pipelines.report.wording import carried, words
from pipelines.training.level_source import LevelSource


def tracking(inputs: ReportInputs) -> Section:
    """The last delivered forecast against the months that have ended since."""
    section = Section("tracking", "How the last forecast did")
    tracked = inputs.dated("tracking", "cohort", "period")
    if inputs.tracked_from is None:
        section.missing = (
            "No earlier forecast was delivered to this folder. From the next monthly run on, this "
            "section compares the forecast with what happened."
        )
        return section
    origin = words.day(inputs.tracked_from)
    if tracked.empty:
        unended = f"No month has ended since the forecast of {origin}."
        section.missing = " ".join(inputs.tracking_notes) or unended
        return section
    columns = [*PAGE_ORDER, *(f"actual_{q}" for q in PAGE_ORDER)]
    months = tracked.groupby("period", as_index=False)[columns].sum()
    for quantity in PAGE_ORDER:
        months[f"{quantity}_error"] = months[quantity] / months[f"actual_{quantity}"] - 1
        actual, forecast = tracked[f"actual_{quantity}"], tracked[quantity]
        section.text.append(
            f"{quantity.capitalize()}: the forecast of {origin} was "
            f"{words.percent(abs(metrics.bias(actual, forecast)))} too "
            f"{'high' if metrics.bias(actual, forecast) > 0 else 'low'} in total over "
            f"{words.since(inputs.tracked_from, len(months))}, and off by "
            f"{words.percent(metrics.wape(actual, forecast))} per cohort-month"
            f"{_held(tracked, quantity)}."
        )
    section.text += inputs.tracking_notes
    if not inputs.tells_tracking:
        section.text.append(NOT_TOLD)
        return section
    code = inputs.currency
    shown = _tracked_columns(code)
    section.tables["tracking_months"] = table(
        inputs.with_days(months, inputs.tracked_from),
        shown,
        title=f"The forecast of {origin} and what happened",
        sheet="Tracking",
        note="Customers known at that date, who bought after it; months that have ended.",
    )
    cells = inputs.with_days(inputs.groups.summed(tracked), inputs.tracked_from)
    if cells.empty:
        section.text.append(NO_COHORTS)
        return section
    section.tables["tracking_cells"] = table(
        cells,
        [
            Column("cohort", "Cohort", "month"),
            Column("cohort_to", "To cohort", "month"),
            *(c for c in shown if not c.key.endswith("error")),
        ],
        title=f"The forecast of {origin} by cohort",
        sheet="Tracking by cohort",
        note=together(cells).strip(),
    )
    section.workbook_only = ("tracking_cells",)
    return section


def _tracked_columns(code: str) -> list[Column]:
    return [
        Column("period", "Month", "month"),
        DAYS,
        Column("purchases", "Purchases, forecast", "integer"),
        Column("actual_purchases", "Purchases, actual", "integer"),
        Column("purchases_error", "Error", "percent"),
        Column("revenue", money("Revenue, forecast", code), "currency"),
        Column("actual_revenue", money("Revenue, actual", code), "currency"),
        Column("revenue_error", "Error", "percent"),
    ]


def _held(tracked: pd.DataFrame, quantity: str) -> str:
    """How often the tracked forecast's own intervals held what happened."""
    share = accuracy.coverage(tracked, quantity)
    if not math.isfinite(share):
        return ""
    return f"; {words.percent(share)} of cohort-months fell inside their 90 % interval"


def cohort_level(inputs: ReportInputs) -> Section:
    """What the cohort forecast rests on, and how customers were carried to it."""
    learned = inputs.learned
    full = learned.season and learned.level == LevelSource.COHORTS
    title = "Season, trend and cohorts" if full else "Customers and cohorts"
    section = Section("cohort_level", title)
    if inputs.corrections.empty:
        section.missing = (
            "The cohort forecast is switched off ([train] cohort_level): customers are summed as "
            "they are."
        )
        return section
    of_all = inputs.dated("corrections", "cohort")
    corrections = inputs.groups.alone(of_all)
    missing = left_out(len(of_all) - len(corrections))
    section.text = [
        _carried(inputs),
        *carried.departures(of_all, inputs.totals, inputs.terms.economics.currency),
    ]
    if corrections.empty:
        section.text.append(
            f"Corrections by cohort are not shown: no cohort holds {LEAST_CUSTOMERS} customers and "
            "can be shown by itself; fewer would tell on single ones."
        )
    else:
        section.tables["corrections"] = _corrections(corrections, missing)
    section.tables |= _variants(inputs.selection, _how_short(inputs))
    return section


def _corrections(corrections: pd.DataFrame, missing: str) -> Table:
    return table(
        corrections,
        [
            Column("cohort", "Cohort", "month"),
            Column("purchases", "Repeat purchases seen", "integer"),
            Column("weight", "Weight of its own correction", "percent"),
            Column("purchases_factor", "Factor of purchases", "ratio"),
            Column("revenue_factor", "Factor of revenue", "ratio"),
        ],
        title="Corrections by cohort",
        sheet="Corrections",
        note="Factors over all forecast months; 1 leaves the customer models as they are."
        + missing,
    )


def _carried(inputs: ReportInputs) -> str:
    """How customers were carried to the cohort forecast, and what it knows."""
    believed = (
        "A cohort's own correction of purchases is believed as far as it is not a single "
        "customer's, whose own history says more; the rest is the company's."
    )
    if inputs.learned.level == LevelSource.CUSTOMERS:
        season = ", with its season" if inputs.learned.season else ""
        return (
            "On this log the purchases of the customer models stand as they are, without a season: "
            "at earlier dates their sum was far closer than the cohort forecast, so every factor "
            "of purchases is 1. The cohort forecast gives the value of an order only"
            f"{season}: every customer's revenue of a month is multiplied by a factor of its "
            f"cohort and month. {believed}"
        )
    multiplied = (
        "Every customer's month is multiplied by a factor of its cohort and month, as far as the "
        "customer's own history bears it, so that customers add up to cohorts and cohorts to the "
        f"company. {believed}"
    )
    if inputs.learned.season:
        return (
            "Customer models rank customers but know no season; the cohort forecast does. "
            + multiplied
        )
    tried = inputs.selection
    dropped = not tried.empty and Variant.NO_SEASON in set(
        tried.loc[tried["chosen"].eq("yes"), "candidate"]
    )
    why = (
        "earlier origins were forecast better without"
        if dropped
        else "the log is too short to show one"
    )
    return (
        "Customer models rank customers; the cohort forecast knows how buying changes with age and "
        f"how cohorts differ. No season is in the forecast: {why}. {multiplied}"
    )


def _how_short(inputs: ReportInputs) -> str:
    """Say why the errors of a selection are not those of the backtest."""
    short = (
        "Its origins are the last month ends before the as-of date only, so each looks a "
        "short way ahead"
    )
    if inputs.cells.empty:
        return f"{short}: enough to choose by, too little to say how wrong the forecast may be."
    return (
        f"{short}: the errors are not those of the first screen, whose past dates reach further "
        "back and are judged over all months since, and say less of a whole horizon."
    )


def _variants(tried: pd.DataFrame, short: str) -> dict[str, Table]:
    """What earlier origins were asked, one table a question: which parts, which covariates."""
    if tried.empty:
        return {}
    driven = tried["candidate"].map(is_of_covariates)
    columns = [
        Column("candidate", "Variant"),
        Column("wape", "Purchases: error (WAPE)", "percent"),
        Column("mean_absolute_bias", "Purchases: mean size of bias", "percent"),
        Column("joint_wape", "Purchases and revenue: mean error", "percent"),
        Column("origins", "Earlier origins", "integer"),
        Column("chosen", "In use"),
    ]
    asked = {
        "selection": (
            tried[~driven],
            "Parts of the cohort forecast, tried on earlier origins of this log",
            "Selection",
            "Errors per cohort-month, mean of the origins. Another variant takes the default's "
            f"place only if its error of purchases is lower by more than {CLEAR_ERRORS:.0f} "
            f"standard errors of the difference, on {MOST_ORIGINS} origins: how steady the gain "
            "is decides, so it may be small. How fast buying falls with age (flat, as usual, "
            f"steep) is the mean of the three, weighted by their errors. {short}",
        ),
        "covariates_tried": (
            tried[driven],
            "Covariates, tried on earlier origins of this log",
            "Covariates tried",
            "A choice of its own, made before that of the parts, so the two tables do not "
            "compare. Covariates are used only if the mean error of purchases and revenue is lower "
            "with them, by more than one standard error of the difference, on at least "
            f"{LEAST_TRIALS} origins. {short}",
        ),
    }
    return {
        name: table(rows, columns, title=title, sheet=sheet, note=note)
        for name, (rows, title, sheet, note) in asked.items()
        if len(rows)
    }
