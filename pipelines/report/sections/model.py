"""Sections on the foundations: parameters, assumptions, glossary."""

from __future__ import annotations

import pandas as pd

from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section
from pipelines.report.tables import Column, as_frame, table
from pipelines.report.wording import words


def model(inputs: ReportInputs) -> Section:
    """Parameters with standard errors, and the check against lifetimes."""
    section = Section("model", "The model and its parameters")
    parameters = as_frame(inputs.model.get("parameters"))
    if parameters.empty:
        section.missing = "No fitted model was given."
        return section
    section.text = _learned_until(inputs)
    section.text += [words.with_model_names(str(note)) for note in inputs.model.get("notes", ())]
    if not parameters.empty:
        named = parameters.assign(model=[words.model_name(str(m)) for m in parameters["model"]])
        section.tables["parameters"] = table(
            named,
            [
                Column("model", "Model"),
                Column("parameter", "Parameter"),
                Column("estimate", "Estimate", "ratio"),
                Column("standard_error", "Standard error", "ratio"),
                Column("low", "95 % low", "ratio"),
                Column("high", "95 % high", "ratio"),
            ],
            title="Parameters",
            sheet="Parameters",
            note="Time in days.",
        )
    parity = as_frame(inputs.model.get("parity"))
    if not parity.empty:
        parity = parity[parity["quantity"] != "seconds"]
        section.tables["parity"] = table(
            parity.assign(
                model=[words.model_name(str(m)) for m in parity["model"]],
                quantity=[str(q).replace("_", "-") for q in parity["quantity"]],
                difference=(parity["own"] - parity["lifetimes"]) / parity["lifetimes"].abs(),
            ),
            [
                Column("model", "Model"),
                Column("quantity", "Quantity"),
                Column("own", "This project", "ratio"),
                Column("lifetimes", "lifetimes", "ratio"),
                Column("difference", "Relative difference", "ratio"),
            ],
            title="Side by side with lifetimes",
            sheet="Check against lifetimes",
            note="The same data fitted by the open-source package lifetimes; a higher "
            "log-likelihood is the better fit.",
        )
    likelihood = inputs.model.get("log_likelihood") or {}
    if likelihood:
        section.tables["log_likelihood"] = table(
            pd.DataFrame(
                {
                    "model": [words.model_name(name) for name in likelihood],
                    "value": list(likelihood.values()),
                }
            ),
            [Column("model", "Model"), Column("value", "Log-likelihood", "number")],
            title="Log-likelihood",
            sheet="Log-likelihood",
        )
    return section


def _learned_until(inputs: ReportInputs) -> list[str]:
    """Until which day the models learned, where that is not the report's as-of date."""
    until = inputs.learned.until
    if until is None or until == inputs.as_of:
        return []
    said = f"The models below learned from the log up to {words.day(until)}"
    if until > inputs.as_of:
        return [f"{said}, later than the as-of date {words.day(inputs.as_of)}: no fair test."]
    level = "; the cohort forecast's effects were learned anew up to then"
    return [
        f"{said}; customers are scored with them as known on {words.day(inputs.as_of)}"
        + (level if not inputs.corrections.empty else "")
        + "."
    ]


def assumptions(inputs: ReportInputs) -> Section:
    """Return the assumptions that turn purchases into money, and what may be used."""
    section = Section("assumptions", "Assumptions")
    economics, governance = inputs.terms.economics, inputs.terms.governance
    code, margin = economics.currency, inputs.gross_margin
    cac = economics.acquisition_cost
    retention = governance.retention_days
    rows = [
        (
            "Gross margin",
            words.percent(margin.rate, 1),
            f"of revenue, {margin.said()}",
        ),
        ("Cost to serve", f"{code} {economics.cost_to_serve:,.2f}", "per purchase"),
        ("Discount rate", words.percent(economics.annual_discount_rate, 1), "a year"),
        (
            "Forecast horizon",
            words.counted(economics.horizon_months, "month"),
            "after the as-of date",
        ),
        (
            "Acquisition cost (CAC)",
            "not set" if cac is None else f"{code} {cac:,.2f}",
            "per customer; not part of CLV",
        ),
        ("Currency", code, "amounts are taken as given; none is converted"),
        ("Time zone", inputs.terms.time_zone, "decides which day a purchase is on"),
        ("Refunds", governance.refunds, _REFUNDS.get(governance.refunds, "")),
        ("Consent", governance.consent, _CONSENT.get(governance.consent, "")),
        (
            "Retention",
            "no limit" if retention is None else words.counted(retention, "day"),
            "older transactions are set aside",
        ),
        (
            "Churn horizon",
            words.counted(inputs.churn_days, "day"),
            "without a purchase counts as churn",
        ),
        ("Purchase", "one a customer and day", "a day's transactions are summed"),
        ("New customers", "in the budget view only", "all else is of those known at as-of"),
    ]
    section.text = [
        f"These are set in the configuration{_but_margin(inputs)}. Another margin, cost to serve "
        "or discount rate changes CLV directly; none has been checked against the books."
    ]
    section.tables["assumptions"] = table(
        pd.DataFrame(rows, columns=["name", "value", "meaning"]),
        [Column("name", "Assumption"), Column("value", "Value"), Column("meaning", "Meaning")],
        title="Assumptions",
        sheet="Assumptions",
    )
    return section


def _but_margin(inputs: ReportInputs) -> str:
    if not inputs.gross_margin.is_observed:
        return ""
    return (
        ", but the gross margin, which is the log's own: past margins are those recorded, "
        "forecasts take their share of revenue"
    )


_REFUNDS = {
    "net": "a refund reduces the value of its customer",
    "drop": "refunds are left out",
    "reject": "data with refunds are refused",
}
_CONSENT = {
    "ignore": "consent is not recorded in the source, or not used",
    "exclude": "customers without consent are left out everywhere",
    "aggregate_only": "customers without consent count in totals and are never scored alone",
}


def glossary(inputs: ReportInputs) -> Section:
    """Words and models, explained."""
    section = Section("glossary", "Glossary")
    ordered = sorted(words.GLOSSARY, key=lambda entry: entry[0].casefold())
    entries = pd.DataFrame(ordered, columns=["term", "meaning"])
    section.tables["glossary"] = table(
        entries,
        [Column("term", "Term"), Column("meaning", "Meaning")],
        title="Words",
        sheet="Glossary",
    )
    used = {str(m) for name in ("metrics", "cells") for m in getattr(inputs, name).get("model", ())}
    models = [(label, line) for name, (label, line) in words.MODELS.items() if name in used]
    if models:
        section.tables["models"] = table(
            pd.DataFrame(models, columns=["model", "meaning"]),
            [Column("model", "Model"), Column("meaning", "What it does")],
            title="Models and baselines",
            sheet="Models",
        )
    return section
