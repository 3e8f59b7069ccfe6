"""Sections on past errors: model by model, cohort by month, tenth by tenth of customers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipelines.backtesting.accuracy import Accuracy
from pipelines.report.groups.small import LEAST_CUSTOMERS, large_tenths
from pipelines.report.headline import NO_TEST, PRODUCT
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import (
    CHURN_METRICS,
    NOT_TOLD,
    PAGE_ORDER,
    Section,
    money,
    ordered_models,
    together,
)
from pipelines.report.tables import Column, Table, plain, records, table
from pipelines.report.wording import words

MEANS_NOT_TOLD = (
    "Means of customers after a past date are not shown where they add up to a sum that, set "
    f"against the cohorts' history, would tell on fewer than {LEAST_CUSTOMERS} customers."
)


MODEL_COLUMNS = [
    Column("label", "Model"),
    Column("wape", "Error (WAPE) per cohort-month", "percent"),
    Column("bias", "Bias in total", "percent"),
    Column("wape_month", "Error (WAPE) per month", "percent"),
    Column("coverage_90", "Actuals in the 90 % interval", "percent"),
    Column("origins", "Origins", "integer"),
    Column("cells", "Cohort-months", "integer"),
    Column("change", "This forecast's error against it", "percent"),
]


METRIC_COLUMNS = [
    Column("origin", "Origin", "date"),
    Column("horizon_days", "Horizon (days)", "integer"),
    Column("level", "Level"),
    Column("quantity", "Quantity"),
    Column("model", "Model"),
    Column("metric", "Metric"),
    Column("value", "Value", "ratio"),
]


def errors_by_model(inputs: ReportInputs) -> Section:
    """Errors of every model over the same past, and of this forecast origin by origin."""
    section = Section("accuracy", "How wrong past forecasts were, model by model")
    models = ordered_models(inputs.accuracy.models)
    if not models:
        section.missing = NO_TEST
        return section
    section.text = [
        "Each line is one way to forecast, tried on the same past. Error (WAPE) is the sum of "
        "the misses over the sum of the actual; bias above zero is too high in total. The last "
        "column compares on the cohort-months that both models forecast."
    ]
    chart: dict[str, Any] = {"models": [words.model_label(m) for m in models], "wape": {}}
    for quantity in PAGE_ORDER:
        rows = pd.DataFrame(
            inputs.guarded([_model_row(inputs.accuracy, model, quantity) for model in models])
        )
        name = words.QUANTITY_LABELS[quantity]
        section.tables[f"errors_{quantity}"] = table(
            rows,
            MODEL_COLUMNS,
            title=f"{name}: errors by model",
            sheet=f"Errors, {quantity}",
        )
        chart["wape"][name] = [plain(value) for value in rows["wape"]]
    best = {q: records(section.tables[f"errors_{q}"]) for q in PAGE_ORDER}
    chart["title"] = "Error per cohort-month by model"
    chart["alt"] = "Bar chart of the error (WAPE) per cohort-month. " + " ".join(
        f"{words.QUANTITY_LABELS[q]}: "
        + ", ".join(f"{r['label']} {words.percent(r['wape'])}" for r in best[q])
        + "."
        for q in PAGE_ORDER
    )
    section.charts["errors_by_model"] = chart
    section.tables["errors_by_origin"] = _errors_by_origin(inputs)
    customer = inputs.told_metrics
    if not customer.empty:
        customer = customer[customer["level"] == "customer"]
        section.tables |= _customer_level(
            customer[~customer["metric"].isin(CHURN_METRICS)], sampled(inputs)
        )
        section.tables["metrics"] = table(
            inputs.told_metrics,
            METRIC_COLUMNS,
            title="Every metric",
            sheet="Metrics",
            note="As in backtest.json.",
        )
        section.workbook_only = ("metrics",)
    return section


def _model_row(past: Accuracy, model: str, quantity: str) -> dict[str, Any]:
    row = {"label": words.model_label(model), **past.pooled(model, quantity)}
    if model != PRODUCT and PRODUCT in past.models:
        row["change"] = past.against(PRODUCT, model, quantity)["change"]
    return row


def _errors_by_origin(inputs: ReportInputs) -> Table:
    place = ["origin", "horizon_days"]
    scores = [
        inputs.accuracy.by_origin(PRODUCT, q).set_index(place)[["wape", "bias"]].add_prefix(f"{q}_")
        for q in PAGE_ORDER
    ]
    return table(
        inputs.guarded(pd.concat(scores, axis=1)).reset_index(),
        [
            Column("origin", "Origin", "date"),
            Column("horizon_days", "Horizon (days)", "integer"),
            Column("revenue_wape", "Revenue: error (WAPE)", "percent"),
            Column("revenue_bias", "Revenue: bias", "percent"),
            Column("purchases_wape", "Purchases: error (WAPE)", "percent"),
            Column("purchases_bias", "Purchases: bias", "percent"),
        ],
        title="This forecast, origin by origin",
        sheet="Errors by origin",
        note="Errors per cohort-month.",
    )


def sampled(inputs: ReportInputs) -> str:
    """Say how many customers the figures customer by customer stand on; nothing where on all."""
    samples = inputs.dated("samples", "origin")
    parts = samples[samples["sampled"] < samples["customers"]] if not samples.empty else samples
    if parts.empty:
        return ""
    shares = (
        f"{s.sampled:,} of {s.customers:,} at {s.origin:%Y-%m-%d}" for s in parts.itertuples()
    )
    some = "a sample of the customers"
    if inputs.terms.governance.totals_only_for_some:
        some = "customers who may be profiled, of many a sample"
    return f" On {some}: {', '.join(shares)}."


def _customer_level(customer: pd.DataFrame, on_sample: str) -> dict[str, Table]:
    if customer.empty:
        return {}
    wide = customer.pivot_table(
        index=["quantity", "model"], columns="metric", values="value", aggfunc="mean"
    ).reset_index()
    wide["rank"] = [ordered_models(set(wide["model"])).index(m) for m in wide["model"]]
    wide = wide.sort_values(["quantity", "rank"], ascending=[False, True])
    wide["label"] = [words.model_label(m) for m in wide["model"]]
    wide["quantity"] = [words.QUANTITY_LABELS.get(q, str(q)) for q in wide["quantity"]]
    return {
        "errors_customer": table(
            wide,
            [
                Column("quantity", "Quantity"),
                Column("label", "Model"),
                Column("gini", "Ranking (Gini)", "score"),
                Column("mae", "Mean absolute error", "ratio"),
                Column("rmse", "Root mean squared error", "ratio"),
                Column("wape", "Error (WAPE)", "percent"),
                Column("bias", "Bias", "percent"),
                Column("coverage_90", "Actuals in the 90 % interval", "percent"),
            ],
            title="Customer by customer",
            sheet="Errors by customer",
            note="Mean over origins. One customer is hard to foresee; ranking is what counts here."
            + on_sample,
        )
    }


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
