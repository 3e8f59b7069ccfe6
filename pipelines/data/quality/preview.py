"""Single rows, for people: how the first are read, and the first of those set aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
import pandas as pd
from ibis.expr.types import Column, Table

from clvmodels.core.errors import DataError
from pipelines.config.load import Columns, Log
from pipelines.data import lines
from pipelines.data.first_look.sales import sales_of
from pipelines.data.sales import orders, prices
from pipelines.data.sales.found import Sales
from pipelines.sources.connect import connect
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe, reading

_NOT_SHOWN = ("product_code", "consent", "sale", "turned", "mixed", "rate", "refund_unread")
"""What a row is tested by; its reason says the outcome."""

EXAMPLES = 3
"""Rows shown of every reason."""
_SHOWN = {
    "no_id": "customer_id",
    "bad_date": "timestamp",
    "bad_amount": "amount",
    "bad_refund": "refund",
}


def examples(
    engine: Engine,
    raw: Table,
    log: Log,
    as_of: dt.date | None,
    set_aside: Mapping[str, int],
    sales: Sales,
) -> dict[str, list[str]]:
    """Return the first rows that a customer id, date or amount set aside, as text.

    Rows are numbered from 1 after the header; only files have numbers, tables of a database
    have no order.
    """
    wanted = [reason for reason in _SHOWN if set_aside.get(reason, 0) > 0]
    if not wanted:
        return {}
    numbered = engine.numbers_rows
    row = ibis.row_number() + 1 if numbered else ibis.literal(0)
    typed = raw.mutate(clv_row=row)
    typed = typed.select(
        "clv_row",
        **lines.typed_fields(typed, log, sales),
        **_raw_texts(typed, log.columns),
    )
    coded = coded_rows(typed, log, as_of, sales)
    found = {}
    for reason in wanted:
        text = f"clv_{_SHOWN[reason]}"
        those = coded.filter(coded.reason == lines.REASONS.index(reason))
        # Not the date: one before year 1 or after 9999 is none in Python.
        rows = those.select("clv_row", text).limit(EXAMPLES).execute()
        found[reason] = [
            (f"row {line.clv_row} " if numbered else "") + _shown(getattr(line, text))
            for line in rows.sort_values("clv_row").itertuples()
        ]
    return found


def coded_rows(typed: Table, log: Log, as_of: dt.date | None, sales: Sales) -> Table:
    """Give typed rows the code of their reason; a line of an order says what the order says."""
    told = orders.filled(typed) if sales.per_order else typed
    told = prices.adjusted(told, log.columns, log.governance)
    if sales.rates is not None:
        told = prices.converted(told, sales.rates.factor(told))
    return told.mutate(reason=lines.reason_codes(told, log, as_of, sales))


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else "empty"


def _raw_texts(raw: Table, columns: Columns) -> dict[str, Column]:
    amount = columns.amount or columns.order_total
    if amount is None:
        text = raw[columns.quantity].cast("string").fill_null("nothing")
        shown = text + " x " + raw[columns.price].cast("string").fill_null("nothing")
    else:
        shown = raw[amount].cast("string")
    return {
        "clv_customer_id": raw[columns.customer_id].cast("string"),
        "clv_timestamp": raw[columns.timestamp].cast("string"),
        "clv_amount": shown,
        "clv_refund": _refund(raw, columns),
    }


def _refund(raw: Table, columns: Columns) -> Column:
    """What a row says of money paid back."""
    told = [raw[name] for name in (columns.refunded, columns.refunded_at) if name is not None]
    texts = [said.cast("string").fill_null("nothing") for said in told]
    return ibis.literal(" on ").join(texts) if texts else ibis.null("string")


def preview(log: Log, rows: int = 20) -> pd.DataFrame:
    """Show how the first rows of the source are read.

    Duplicates are not looked for, and refunds are not netted.

    Returns
    -------
    DataFrame
        The mapped columns as the source holds them (``source: <name>``), then customer_id, date
        (as text, whatever its year), amount, and the other fields as they are read, and
        ``reason``: ``kept`` or why the row is set aside.
    """
    with connect(log) as engine, reading(log.source):
        raw, log = lines.read(engine, log)
        lines.require_columns(raw, log, describe(log.source))
        try:
            sales = sales_of(engine, raw, log)
        except DataError:  # what ends the run is the run's to say
            sales = Sales()
        first = raw.limit(rows)
        used = dict.fromkeys(lines.mapped_columns(log).values())
        typed = first.select(
            **{f"source: {name}": first[name].cast("string") for name in used},
            **lines.typed_fields(first, log, sales),
        )
        coded = coded_rows(typed, log, None, sales)
        hidden = [name for name in _NOT_SHOWN if name in coded.columns]
        frame = coded.drop(*hidden).mutate(date=coded.date.cast("string")).execute()
    return frame.assign(reason=[lines.REASONS[code] for code in frame["reason"]])
