"""What customers of each channel, category, country or other dimension are worth."""

from __future__ import annotations

import pandas as pd

from clvmodels.segments.values import OTHERS
from pipelines.backtesting.candidates import Compared
from pipelines.report.groups.small import LEAST_CUSTOMERS, fold_values
from pipelines.report.headline import PRODUCT
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, table
from pipelines.report.wording import words

BASELINE = Compared.LIFETIMES.value

LEAST_PURCHASES = 100
"""Afterwards, of a segment: of fewer the error is chance."""

AMOUNTS = ("revenue", "actual_revenue", "actual_purchases")


def profiled_only(inputs: ReportInputs) -> str:
    """Say that a table holds fewer people than the totals, where it does."""
    if not inputs.terms.governance.totals_only_for_some:
        return ""
    return " Only customers who may be profiled are in it; the report's totals hold everybody."


def segments(inputs: ReportInputs) -> Section:
    """Value by channel, category, country or whatever dimension the source holds."""
    section = Section("segments", "Value by segment")
    frame = inputs.segments
    if frame.empty:
        section.missing = (
            "The source names no channel, product category, country or other dimension (see "
            "[columns])."
        )
        return section
    code = inputs.currency
    if not inputs.profiled_hide_the_rest:
        section.missing = too_few_to_tell()
        return section
    frame = fold_values(frame)
    if frame.empty:
        section.missing = (
            f"No two segments hold {LEAST_CUSTOMERS} customers each; fewer would tell on single "
            "ones."
        )
        return section
    frame = frame.assign(dimension=[str(d).replace("_", " ") for d in frame["dimension"]])
    section.text = [
        "Means per customer: LTV to date, before any cost; and what is forecast over the horizon, "
        "where CLV is net of cost to serve and discounted. Values with fewer than "
        f"{LEAST_CUSTOMERS} customers are put together, with the next larger one where they are "
        "too few still, so that no line tells on a single customer, nor all lines less the others."
        + profiled_only(inputs)
    ]
    if not inputs.gross_margin.is_observed:
        section.text.append("Gross margin is revenue times the configured margin.")
    section.tables["segments"] = table(
        frame,
        [
            Column("dimension", "Dimension"),
            Column("value", "Value"),
            Column("customers", "Customers", "integer"),
            Column("ltv_revenue", money("LTV to date, revenue", code), "currency"),
            Column("ltv_margin", money("LTV to date, gross margin", code), "currency"),
            Column("expected_revenue", money("LTV forecast, revenue", code), "currency"),
            Column("clv", money("CLV", code), "currency"),
            Column("churn", "Churn probability", "percent"),
        ],
        title="Segments",
        sheet="Segments",
    )
    _past(inputs, section)
    return section


def _past(inputs: ReportInputs, section: Section) -> None:
    """Say how wrong past forecasts of each segment were, where months may be told at all."""
    cells = told_cells(inputs)
    if cells.empty:
        return
    keys = ["dimension", "value"]
    rows = {
        model: cells[cells["model"] == model].groupby(keys)[list(AMOUNTS)].sum()
        for model in (PRODUCT, BASELINE)
    }
    own = rows[PRODUCT]
    customers = cells.groupby([*keys, "origin"])["customers"].first().groupby(keys).last()
    enough = own["actual_purchases"] >= LEAST_PURCHASES
    found = own.assign(customers=customers.reindex(own.index))
    for model, name in ((PRODUCT, "error"), (BASELINE, "baseline")):
        table_ = rows[model].reindex(own.index)
        off = table_["revenue"] / own["actual_revenue"] - 1
        found[name] = off.where(enough & (own["actual_revenue"] > 0))
    frame = found.reset_index().sort_values(
        ["dimension", "customers"], ascending=[True, False], kind="stable", ignore_index=True
    )
    frame["dimension"] = [str(name).replace("_", " ") for name in frame["dimension"]]
    origins = cells["origin"].nunique()
    few = int((~enough).sum())
    section.text.append(
        f"Past forecasts of segments, over {origins} past date{'s' * (origins > 1)} together: "
        f"{_worst(frame)}"
        + (
            f" {few} segment{'s' * (few > 1)} of fewer than {LEAST_PURCHASES} purchases "
            "afterwards cannot be judged."
            if few
            else ""
        )
    )
    section.tables["segment_errors"] = table(
        frame,
        [
            Column("dimension", "Dimension"),
            Column("value", "Value"),
            Column("customers", "Customers (last date)", "integer"),
            Column("revenue", money("Revenue forecast", inputs.currency), "currency"),
            Column("actual_revenue", money("Revenue actual", inputs.currency), "currency"),
            Column("error", "Error", "percent"),
            Column("baseline", "Error of lifetimes", "percent"),
        ],
        title="Past forecasts of segments",
        sheet="Segment errors",
        note="Revenue of customers known at each past date, all past dates together. lifetimes "
        "knows no segment.",
    )


def told_cells(inputs: ReportInputs) -> pd.DataFrame:
    """Months of segments that tell on nobody: every past date, or none, may be told.

    Where those who are put together as others are too few, the smallest segment goes with them.
    """
    cells = inputs.dated("segment_cells", "origin", "period")
    if cells.empty or not set(cells["origin"]) <= inputs.told:
        return cells.iloc[:0]
    sizes = cells.drop_duplicates(["origin", "dimension", "value"])
    hidden = set()
    for (_, dimension), part in sizes.groupby(["origin", "dimension"]):
        rest = part.loc[part["value"] == OTHERS, "customers"].sum()
        if 0 < rest < LEAST_CUSTOMERS:
            known = part[part["value"] != OTHERS].sort_values("customers")
            hidden.add((dimension, known["value"].iloc[0]))
    kept = [
        value != OTHERS and (dimension, value) not in hidden
        for dimension, value in zip(cells["dimension"], cells["value"], strict=True)
    ]
    return cells[kept]


def _worst(frame: pd.DataFrame) -> str:
    judged = frame.dropna(subset=["error", "baseline"])
    if judged.empty:
        return "none saw enough purchases afterwards to be judged."
    own, other = (float(judged[name].abs().median()) for name in ("error", "baseline"))
    off = judged["error"].abs().to_numpy(dtype=float)
    at = int(off.argmax())
    return (
        f"half of them were off by {words.percent(own)} or less in revenue (lifetimes: "
        f"{words.percent(other)}), the worst, {judged['value'].iloc[at]}, by "
        f"{words.percent(float(off[at]))}."
    )


def too_few_to_tell() -> str:
    """Say why a table of customers is not shown."""
    return (
        f"Customers who are not profiled, or all together, are fewer than {LEAST_CUSTOMERS}: the "
        "difference to the report's totals would tell on single ones."
    )
