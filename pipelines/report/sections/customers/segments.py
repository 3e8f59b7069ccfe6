"""What customers of each channel, category, country or other dimension are worth."""

from __future__ import annotations

from pipelines.report.groups.small import LEAST_CUSTOMERS, fold_values
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, table


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
    return section


def too_few_to_tell() -> str:
    """Say why a table of customers is not shown."""
    return (
        f"Customers who are not profiled, or all together, are fewer than {LEAST_CUSTOMERS}: the "
        "difference to the report's totals would tell on single ones."
    )
