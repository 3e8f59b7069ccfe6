"""Calibration: mean forecast against mean actual, tenth by tenth of customers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines.report.groups.small import LEAST_CUSTOMERS, large_tenths
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import (
    Section,
    ordered_models,
)
from pipelines.report.sections.errors.models import sampled
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import words

MEANS_NOT_TOLD = (
    "Means of customers after a past date are not shown where they add up to a sum that, set "
    f"against the cohorts' history, would tell on fewer than {LEAST_CUSTOMERS} customers."
)

TENTH_COLUMNS = [
    Column("origin", "Origin", "date"),
    Column("label", "Model"),
    Column("quantity", "Quantity"),
    Column("decile", "Tenth (10 = best)", "integer"),
    Column("customers", "Customers", "integer"),
    Column("forecast_mean", "Forecast per customer", "ratio"),
    Column("actual_mean", "Actual per customer", "ratio"),
]


def calibration(inputs: ReportInputs) -> Section:
    """Mean forecast against mean actual of customers grouped by their forecast."""
    section = Section("calibration", "Calibration: do better forecasts buy more?")
    deciles = inputs.dated("deciles", "origin")
    if deciles.empty:
        section.missing = (
            "Customers could not be grouped by forecast: no backtest with customer forecasts ran."
        )
        return section
    tested, deciles = deciles["origin"].nunique(), deciles[deciles["origin"].isin(inputs.told)]
    if deciles.empty:
        section.missing = MEANS_NOT_TOLD
        return section
    left_out = tested - deciles["origin"].nunique()
    deciles = large_tenths(deciles, inputs.dated("samples", "origin"))
    if deciles.empty:
        section.missing = (
            f"A tenth of the customers is fewer than {LEAST_CUSTOMERS}, or all but so many are in "
            "it: its means would tell on single ones."
        )
        return section
    section.text = [
        "Customers are put into ten equal groups by their forecast, lowest first. In a well "
        "calibrated forecast the two bars of each group are equal, and they rise to the right."
        + sampled(inputs)
    ]
    named = deciles.assign(label=[words.model_label(m) for m in deciles["model"]])
    section.tables["deciles"] = table(
        named,
        TENTH_COLUMNS,
        title="Forecast and actual by tenth",
        sheet="Calibration",
        note=f"{MEANS_NOT_TOLD} It concerns {left_out} of {tested} past dates." if left_out else "",
    )
    section.workbook_only = ("deciles",)
    section.charts["calibration_deciles"] = _tenths_chart(deciles, inputs)
    return section


def _tenths_chart(deciles: pd.DataFrame, inputs: ReportInputs) -> dict[str, Any]:
    """Paired bars of this forecast, at the origin that looks ahead as far as today's."""
    model = ordered_models(deciles["model"].unique())[0]
    latest = deciles[deciles["model"] == model]
    alike = inputs.origin_like_today()
    if alike is None or not (latest["origin"] == alike).any():
        alike = pd.Timestamp(latest["origin"].min())
    latest = latest[latest["origin"] == alike].sort_values("decile")
    panels = []
    for quantity, part in latest.groupby("quantity", sort=False):
        unit = inputs.currency if quantity == "revenue" else "purchases"
        panels.append(
            {
                "quantity": words.QUANTITY_LABELS.get(str(quantity), str(quantity)),
                "unit": f"{unit} per customer",
                "decile": list(part["decile"]),
                "forecast": list(part["forecast_mean"]),
                "actual": list(part["actual_mean"]),
            }
        )
    top = panels[0]
    return plain(
        {
            "title": f"Calibration by tenth of customers, origin {words.day(alike.date())}",
            "alt": f"Paired bars by tenth of customers. In the best tenth, {top['unit']}: forecast "
            f"{words.amount(top['forecast'][-1])}, actual {words.amount(top['actual'][-1])}.",
            "panels": panels,
        }
    )
