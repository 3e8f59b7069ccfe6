"""Sections on the foundations: parameters, data account, assumptions, glossary."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines.data.quality.account import MEANING
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, as_frame, plain, table
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


def data_account(inputs: ReportInputs) -> Section:
    """Return what was read, kept and set aside."""
    section = Section("data", "Where the numbers come from")
    account = plain(inputs.account)
    if not account:
        section.missing = "No data-quality account was given."
        return section
    read = account.get("read", account.get("rows_read"))
    kept = account.get("kept", account.get("rows_kept"))
    rows: list[dict[str, Any]] = [{"item": "rows read", "count": read}]
    rows += [
        {"item": f"set aside: {_reason(reason)}", "count": count}
        for reason, count in (account.get("set_aside") or {}).items()
        if count
    ]
    rows += [
        {"item": "rows kept", "count": kept},
        {"item": "purchases (customer and day)", "count": account.get("purchases")},
        {"item": "customers", "count": account.get("customers")},
        {"item": f"revenue ({inputs.currency})", "count": account.get("revenue")},
    ]
    frame = pd.DataFrame([row for row in rows if row["count"] is not None])
    of_rows = frame["item"].str.contains("rows|set aside")
    frame["share"] = (frame["count"] / (read or float("nan"))).where(of_rows)
    first, last = account.get("first_date"), account.get("last_date")
    if first and last:
        section.text.append(
            f"Transactions from {words.day(str(first)[:10])} to {words.day(str(last)[:10])}. "
            f"{_freshness(account.get('stale_days'))}"
            "Every row read is kept or set aside for one reason."
        )
    section.text += _plausible(account.get("plausibility") or {})
    section.tables["account"] = table(
        frame,
        [
            Column("item", "What"),
            Column("count", "Count", "integer"),
            Column("share", "Share of rows read", "percent"),
        ],
        title="Data-quality account",
        sheet="Data account",
    )
    bridge = as_frame(account.get("bridge"))
    if not bridge.empty:
        bridge["step"] = [
            words.BRIDGE.get(str(s), f"less: {_reason(str(s))}") for s in bridge["step"]
        ]
        section.tables["bridge"] = table(
            bridge,
            [
                Column("step", "Step"),
                Column("rows", "Rows", "integer"),
                Column("amount", money("Amount", inputs.currency), "number"),
            ],
            title="From the source's total to the revenue",
            sheet="Revenue bridge",
            note="To the cent. What cannot be read has no amount, and is in neither total.",
        )
    controls = as_frame(account.get("control"))
    if not controls.empty:
        code = inputs.currency
        section.text += [words.sentence(str(said)) for said in account.get("control_broken", ())]
        section.tables["control"] = table(
            controls.assign(period=pd.to_datetime(controls["period"])),
            [
                Column("period", "Month", "month"),
                Column("revenue", money("In the log", code), "number"),
                Column("control", money("In the other system", code), "number"),
                Column("difference", money("Difference", code), "number"),
                Column("share", "Share", "percent"),
            ],
            title="Against the totals of another system",
            sheet="Control totals",
            note="Revenue by month, net of refunds in the month of the refund.",
        )
    return section


def _reason(reason: str) -> str:
    return MEANING.get(reason, reason.replace("_", " "))


def _plausible(found: dict[str, Any]) -> list[str]:
    """What the largest customers hold together, and what looks implausible."""
    text = [f"To look at: {words.sentence(str(said))}" for said in found.get("warnings", ())]
    if found.get("ten_revenue") is not None:
        text.append(
            f"The ten customers with most revenue hold {words.percent(found['ten_revenue'])} of "
            f"it, the ten with most rows {words.percent(found['ten_rows'])} of the rows."
        )
    return text


def _freshness(days: int | None) -> str:
    """Say how old the last transaction was at the as-of date."""
    if days is None:
        return ""
    age = f"{days} days before" if days > 1 else "the day before" if days else "on"
    return f"The last one is {age} the as-of date. "


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
