"""Errors of this forecast, cohort by month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.headline import NO_TEST, PRODUCT
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import (
    NOT_TOLD,
    Section,
    money,
    together,
)
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import words


def heat_map(inputs: ReportInputs) -> Section:
    """Relative error of each cohort-month of this forecast."""
    section = Section("heatmap", "Where the forecast missed: cohort by month")
    cells = inputs.accuracy.cells
    cells = cells[cells["model"] == PRODUCT] if not cells.empty else cells
    if cells.empty:
        section.missing = NO_TEST
        return section
    cells = inputs.groups.of_quarters(cells[cells["origin"].isin(inputs.told)])
    few = cells[~(cells["customers"] >= LEAST_CUSTOMERS)] if "customers" in cells else cells
    cells = cells.drop(few.index).sort_values(["origin", "cohort", "period"])
    if cells.empty:
        section.missing = NOT_TOLD
        return section
    section.text = [
        "Revenue forecast against actual for each cohort (quarter of first purchase) and month. "
        "Orange: forecast too high; blue: too low; grey: nothing was sold."
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = (cells["revenue"] - cells["actual_revenue"]) / cells["actual_revenue"]
    cells = cells.assign(error=error.where(cells["actual_revenue"] > 0))
    left = f"Left out: {len(few):,} of cohorts of fewer than {LEAST_CUSTOMERS} customers."
    section.tables["cells"] = table(
        cells,
        _cell_columns(inputs.currency),
        title="Every cohort-month of this forecast",
        sheet="Cohort-months",
        note=((left if len(few) else "") + together(cells, intervals=True)).strip(),
    )
    section.workbook_only = ("cells",)
    section.charts["error_heatmap"] = _error_chart(cells)
    return section


def _error_chart(cells: pd.DataFrame) -> dict[str, Any]:
    """Relative errors, a row for each origin and cohort, a column for each month."""
    row = ["origin", "cohort", "cohort_to"]
    cells = cells.assign(cohort_to=cells["cohort_to"].fillna(cells["cohort"]))
    wide = cells.pivot_table(index=row, columns="period", values="error")
    wide = wide.reindex(
        pd.MultiIndex.from_frame(cells[row].drop_duplicates()),
        columns=sorted(cells["period"].unique()),
    )
    asked = cells.pivot_table(
        index=row, columns="period", values="actual_revenue", aggfunc="count"
    ).reindex(index=wide.index, columns=wide.columns)
    inside = np.abs(cells["error"].dropna())
    return plain(
        {
            "title": "Error of the revenue forecast by cohort and month",
            "alt": f"Heat map of {len(cells)} cohort-months; half of the errors are below "
            f"{words.percent(float(inside.median()) if len(inside) else None)}, nine in ten below "
            f"{words.percent(float(inside.quantile(0.9)) if len(inside) else None)}.",
            "rows": [
                {"origin": o, "cohort": c, "cohort_to": None if c == to else to}
                for o, c, to in wide.index
            ],
            "periods": list(wide.columns),
            "error": wide.to_numpy(),
            "asked": asked.notna().to_numpy(),
        }
    )


def _cell_columns(code: str) -> list[Column]:
    return [
        Column("origin", "Origin", "date"),
        Column("cohort", "Cohort", "quarter"),
        Column("cohort_to", "To cohort", "quarter"),
        Column("period", "Month", "month"),
        Column("customers", "Customers", "integer"),
        Column("revenue", money("Revenue forecast", code), "currency"),
        Column("revenue_low", "Revenue, low", "currency"),
        Column("revenue_high", "Revenue, high", "currency"),
        Column("actual_revenue", money("Revenue actual", code), "currency"),
        Column("error", "Revenue error", "percent"),
        Column("purchases", "Purchases forecast", "number"),
        Column("purchases_low", "Purchases, low", "number"),
        Column("purchases_high", "Purchases, high", "number"),
        Column("actual_purchases", "Purchases actual", "number"),
    ]
