"""The section on covariates: what goes with purchases, and with new customers."""

from __future__ import annotations

import math

from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section
from pipelines.report.tables import Column, table
from pipelines.training import effects


def drivers(inputs: ReportInputs) -> Section:
    """What the covariates were found to do."""
    section = Section("drivers", "What goes with purchases: spend, price, channel mix")
    found = inputs.effects
    if found.empty:
        section.missing = (
            "None were given. Name under [covariates] marketing spend or prices by month, or "
            "dimensions whose mix tells cohorts apart (docs/data.md)."
        )
        return section
    if found["used"].any():
        section.text = [*effects.sentences(found[found["used"]]), effects.CAUTION]
        section.text.append(
            "The forecast takes the values planned after the as-of date as given. Past forecasts "
            "in this report were given the values that came true: they test the model, not the "
            "plan."
        )
    else:
        section.text.append(
            "Earlier origins of this log were not forecast clearly better with the covariates, so "
            "the forecast does without. What they seem to go with is in the table."
        )
    if found["doubling"].isna().all():
        found = found.drop(columns=["doubling", "doubling_low", "doubling_high"])
    section.tables["effects"] = table(
        found.assign(
            quantity=found["quantity"].map(effects.QUANTITY),
            used=[effects.in_forecast(row).value for row in found.to_dict("records")],
            told=[_told(*ends) for ends in zip(found["low"], found["high"], strict=True)],
        ),
        [
            Column("driver", "Driver"),
            Column("change", "Change"),
            Column("quantity", "Of"),
            Column("effect", "Goes with", "percent"),
            Column("low", "90 % low", "percent"),
            Column("high", "90 % high", "percent"),
            Column("told", "The log tells of"),
            Column("doubling", "Twice as much goes with", "percent"),
            Column("doubling_low", "Twice, low", "percent"),
            Column("doubling_high", "Twice, high", "percent"),
            Column("used", "In the forecast"),
        ],
        title="Effects of the covariates",
        sheet="Covariates",
        note="Associations, not proven causes. Changes are no larger than the log has seen; no "
        "number stands where its interval would be wider than -50 % to +100 %.",
    )
    return section


def _told(low: float, high: float) -> str:
    """What an interval says in a word."""
    if not math.isfinite(low):
        return "nothing"
    return "more" if low > 0 else "less" if high < 0 else "perhaps no effect"
