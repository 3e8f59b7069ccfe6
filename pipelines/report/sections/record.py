"""The section on the record: every forecast that was delivered, against what came true."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clvmodels.evaluation.vintages import STEADY, VintageLevel
from pipelines.monitoring.judged import Judged
from pipelines.report.groups.origins import coarse
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import record as wording
from pipelines.report.wording import words

NO_ALARM = "No alarm: the latest forecasts do not err to one side by more than chance."
NO_SIGNAL = (
    "Without intervals nothing tells errors from chance: forecasts have them where [train] "
    "cohort_level is on."
)

AHEAD = {1: "Said the month before", 3: "Said three months before"}

MONTHS_SHOWN = 6
FORECASTS_SHOWN = 3
"""On the page: of the latest months, the latest forecasts. The workbook has them all."""


def record(inputs: ReportInputs) -> Section:
    """What was said in one month and the next, and what came true."""
    section = Section("record", "What was forecast, and what came true")
    judged = inputs.judged
    if judged is None or not judged.forecasts:
        section.missing = (
            "The ledger keeps every forecast that is delivered. Once a month has ended after the "
            "first of them, the monthly run judges them here."
        )
        return section
    calm = NO_ALARM if judged.signals else NO_SIGNAL
    section.text = [
        *(wording.alarms(judged).values() or [calm]),
        *(words.sentence(said) for said in wording.restated(judged, inputs.currency)),
        "Each ended month is judged by every forecast that spoke of it.",
    ]
    if judged.signals:
        section.text[-1] += (
            " The tracking signal takes the latest one: it sums errors measured in the forecasts' "
            "own intervals, and is about standard normal while these are honest."
        )
        section.tables["record_signals"] = _signals(judged)
    section.tables["record_by_horizon"] = _horizons(judged.horizons)
    months = _company(judged.months)
    if len(months):
        section.tables["record_by_month"] = _months(_latest(months), inputs.currency, "Vintages")
        section.tables["record_all"] = _months(months, inputs.currency, "All vintages")
        section.workbook_only = ("record_all",)
        section.charts["record"] = _chart(months, inputs.currency)
    return section


def _signals(judged: Judged) -> dict[str, object]:
    rows = [
        {
            "level": wording.WHOSE[VintageLevel(signal.level)],
            "quantity": signal.quantity,
            "months": signal.months,
            "bias": coarse(signal.bias),
            "signal": signal.signal,
            "alarm": ", ".join(signal.alarms) or "none",
        }
        for signal in judged.signals
    ]
    return table(
        pd.DataFrame(rows, columns=["level", "quantity", "months", "bias", "signal", "alarm"]),
        [
            Column("level", "Of"),
            Column("quantity", "What"),
            Column("months", "Ended months", "integer"),
            Column("bias", "Forecast too high (+) or low (-)", "percent"),
            Column("signal", "Tracking signal", "number"),
            Column("alarm", "Alarm"),
        ],
        title="Whether the latest forecasts err to one side",
        sheet="Tracking signals",
        note=f"A signal beyond {STEADY:g} either side is hardly chance.",
    )


def _chart(months: pd.DataFrame, code: str) -> dict[str, Any]:
    """Actual revenue by month, and what was said of it one month and a quarter ahead."""
    wide = months.pivot_table("value", "period", "horizon")
    actual = months.groupby("period")["actual"].first()
    said = {name: wide[ahead] for ahead, name in AHEAD.items() if ahead in wide}
    return plain(
        {
            "title": "What was said of each month, and what came true",
            "alt": f"Line chart of the company's monthly revenue in {code}: actual, and what was "
            "forecast ahead of it; the numbers are in the table that follows.",
            "unit": code,
            "panels": [
                {
                    "origin": months["origin"].min(),
                    "period": list(actual.index),
                    "actual": actual.to_numpy(),
                    "forecasts": {name: line.to_numpy() for name, line in said.items()},
                }
            ],
        }
    )


def _horizons(horizons: pd.DataFrame) -> dict[str, object]:
    ahead = [
        f"{a}" if a == b else f"{a} to {b}"
        for a, b in zip(horizons["from_month"], horizons["to_month"], strict=True)
    ]
    return table(
        coarse(horizons).assign(ahead=ahead, level=horizons["level"].map(dict(wording.WHOSE))),
        [
            Column("level", "Of"),
            Column("quantity", "What"),
            Column("ahead", "Months ahead"),
            Column("forecasts", "Forecasts", "integer"),
            Column("wape", "Error (WAPE)", "percent"),
            Column("bias", "Too high (+) or low (-)", "percent"),
            Column("coverage_90", "Inside the 90 % interval", "percent"),
        ],
        title="Delivered forecasts by how far ahead they were",
        sheet="Record by horizon",
        note="Whole months that have ended; cells of the level named.",
    )


def _company(months: pd.DataFrame) -> pd.DataFrame:
    """Months of the company's revenue, the latest month and forecast first."""
    rows = months[(months["level"] == VintageLevel.COMPANY) & (months["quantity"] == "revenue")]
    rows = rows.sort_values(["period", "origin"], ascending=False)
    inside = rows["actual"].between(rows["low"], rows["high"])
    return rows.assign(
        error=rows["value"] / rows["actual"].where(rows["actual"] > 0) - 1,
        inside=inside.map({True: "yes", False: "no"}).where(rows["low"].notna()),
    )


def _latest(months: pd.DataFrame) -> pd.DataFrame:
    some = months[months["period"].isin(months["period"].drop_duplicates().head(MONTHS_SHOWN))]
    return some.groupby("period", sort=False).head(FORECASTS_SHOWN)


def _months(months: pd.DataFrame, code: str, sheet: str) -> dict[str, object]:
    return table(
        months,
        [
            Column("period", "Month", "month"),
            Column("origin", "Forecast of", "date"),
            Column("value", money("Forecast", code), "currency"),
            Column("low", "Low", "currency"),
            Column("high", "High", "currency"),
            Column("actual", money("Actual", code), "currency"),
            Column("error", "Error", "percent"),
            Column("inside", "Inside"),
        ],
        title="Revenue of the whole company: what was said, and what came true",
        sheet=sheet,
        note="New customers and first purchases included. Low and high: 90 % interval.",
    )
