"""What was sold by calendar month, and by month to each value of a dimension."""

from __future__ import annotations

from pipelines.data.features.sales_months import EVERYTHING
from pipelines.report.groups.small import LEAST_CUSTOMERS, fold_months
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, table


def sales(inputs: ReportInputs) -> Section:
    """Sales, refunds and margin by month, as the kept lines of the source add up."""
    section = Section("sales", "What was sold, by month and segment")
    frame = inputs.dated("sales", "period")
    if frame.empty:
        section.missing = "The lines of the source were not read."
        return section
    frame = fold_months(frame, EVERYTHING)
    if frame.empty:
        section.missing = f"No month has {LEAST_CUSTOMERS} buyers; fewer would tell on single ones."
        return section
    code = inputs.currency
    section.text = [
        "Every line that counts, first purchases too, by the day it was sold or paid back. A line "
        "belongs to its own category or channel, not to that of the customer\u2019s first purchase."
    ]
    columns = [
        Column("purchases", "Purchases", "integer"),
        Column("orders", "Orders", "integer"),
        Column("sold", money("Sold", code), "cents"),
        Column("paid_back", money("Paid back", code), "cents"),
        Column("revenue", money("Revenue", code), "cents"),
        Column("margin", money("Gross margin", code), "cents"),
    ]
    whole = frame[frame["dimension"] == EVERYTHING]
    parts = frame[frame["dimension"] != EVERYTHING]
    section.tables["sales_by_month"] = table(
        whole,
        [Column("period", "Month", "month"), *columns],
        title="Sales by month",
        sheet="Sales by month",
        note=_margins(inputs),
    )
    if len(parts):
        section.tables["sales_by_segment"] = table(
            parts.assign(dimension=parts["dimension"].str.replace("_", " ")),
            [
                Column("dimension", "Dimension"),
                Column("value", "Value"),
                Column("period", "Month", "month"),
                *columns,
            ],
            title="Sales by segment and month",
            sheet="Sales by segment",
            note=(
                f"Values with a month of fewer than {LEAST_CUSTOMERS} buyers are put together. "
                + _margins(inputs)
            ),
        )
    section.workbook_only = ("sales_by_segment", "sales_by_month")
    return section


def _margins(inputs: ReportInputs) -> str:
    if inputs.gross_margin.is_observed:
        return "Margins are those that the source records."
    return "Gross margin is revenue times the configured margin."
