"""The section on the data: the account in rows and money, what looks implausible, controls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines.data.quality.account import MEANING
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, as_frame, plain, table
from pipelines.report.wording import words


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
        {"item": "orders (transactions) on these days", "count": account.get("orders")},
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
    section.text += _notes(account)
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
    _sales(section, account.get("sales") or {}, inputs.currency)
    _bridge(section, account, inputs.currency)
    _control(section, account, inputs.currency)
    return section


def _notes(account: dict[str, Any]) -> list[str]:
    """How lines became sales, in sentences."""
    said = [words.sentence(str(n)) for n in (account.get("sales") or {}).get("notes", ())]
    orders, purchases = account.get("orders"), account.get("purchases")
    if orders and purchases:
        said.append(
            f"A purchase is a customer's day and holds {orders / purchases:.2f} orders on average; "
            "forecasts count purchases."
        )
    return said


def _sales(section: Section, sales: dict[str, Any], code: str) -> None:
    """What is no sale by value, and the currencies and parts of prices of the source."""
    left_out = [
        {"column": column, "value": value, **facts}
        for column, values in (sales.get("left_out") or {}).items()
        for value, facts in _told(values).items()
    ]
    if left_out:
        section.tables["no_sales"] = table(
            pd.DataFrame(left_out),
            [
                Column("column", "Column"),
                Column("value", "Value"),
                Column("rows", "Rows", "integer"),
                Column("amount", money("Amount", code), "cents"),
            ],
            title="Rows that are no sale, by value",
            sheet="No sales",
            note=f"Values of fewer than {LEAST_CUSTOMERS} rows are put together, without amount "
            "where they are too few still.",
        )
    found = _told(sales.get("currencies") or {})
    if len(found) > 1:
        section.tables["currencies"] = table(
            pd.DataFrame([{"currency": name or "none named", **f} for name, f in found.items()]),
            [
                Column("currency", "Currency"),
                Column("rows", "Rows", "integer"),
                Column("amount", "Amount, in that currency", "cents"),
            ],
            title="Currencies of the source",
            sheet="Currencies",
            note=f"Everything else on this page is in {code}.",
        )


def _told(values: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Put values of few rows together, without their amount where they are few still."""
    small = {name: f for name, f in values.items() if f["rows"] < LEAST_CUSTOMERS}
    told = {name: f for name, f in values.items() if name not in small}
    if small:
        rows = sum(f["rows"] for f in small.values())
        amount = sum(f["amount"] for f in small.values()) if rows >= LEAST_CUSTOMERS else None
        told[f"other ({len(small)} values)"] = {"rows": rows, "amount": amount}
    return told


def _bridge(section: Section, account: dict[str, Any], code: str) -> None:
    """From the source's total to the revenue."""
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
                Column("amount", money("Amount", code), "cents"),
            ],
            title="From the source's total to the revenue",
            sheet="Revenue bridge",
            note="To the cent. What cannot be read has no amount, and is in neither total.",
        )


def _control(section: Section, account: dict[str, Any], code: str) -> None:
    """Months against the totals of another system."""
    controls = as_frame(account.get("control"))
    if not controls.empty:
        section.text += [words.sentence(str(said)) for said in account.get("control_broken", ())]
        section.tables["control"] = table(
            controls.assign(period=pd.to_datetime(controls["period"])),
            [
                Column("period", "Month", "month"),
                Column("revenue", money("In the log", code), "cents"),
                Column("control", money("In the other system", code), "cents"),
                Column("difference", money("Difference", code), "cents"),
                Column("share", "Share", "percent"),
            ],
            title="Against the totals of another system",
            sheet="Control totals",
            note="Revenue by month, net of refunds in the month of the refund.",
        )


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
