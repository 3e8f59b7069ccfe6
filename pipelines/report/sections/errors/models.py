"""Errors model by model: pooled, by origin, and customer by customer."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clvmodels.core.schema import MARGIN_AND_CLV
from pipelines.backtesting.accuracy import Accuracy
from pipelines.report.headline import NO_TEST, PRODUCT
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import (
    CHURN_METRICS,
    PAGE_ORDER,
    Section,
    ordered_models,
)
from pipelines.report.tables import Column, Table, plain, records, table
from pipelines.report.wording import words

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
    earned = [q for q, _ in MARGIN_AND_CLV if q in inputs.accuracy.quantities]
    if earned:
        section.tables["errors_earned"] = _of_margin_and_clv(inputs, earned)
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


def _of_margin_and_clv(inputs: ReportInputs, quantities: list[str]) -> Table:
    rows = [
        {"label": words.QUANTITY_LABELS[quantity], **inputs.accuracy.pooled(PRODUCT, quantity)}
        for quantity in quantities
    ]
    observed = inputs.gross_margin.is_observed
    at_rate = "as the log records it" if observed else "at the configured rate, as the forecast"
    return table(
        pd.DataFrame(inputs.guarded(rows)),
        [
            Column("label", "Of this forecast"),
            *MODEL_COLUMNS[1:4],
            Column("coverage_90", "Cohort-months in the 90 % interval", "percent"),
            Column("coverage_90_month", "Months in the 90 % interval", "percent"),
            *MODEL_COLUMNS[5:7],
        ],
        title="What revenue leaves: gross margin and CLV",
        sheet="Errors, margin and CLV",
        note=f"Margin {at_rate}; CLV is discounted to each origin and net of the cost to serve. "
        "The forecast takes the rate that was known at the origin.",
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
