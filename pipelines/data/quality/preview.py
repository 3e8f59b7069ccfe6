"""Single rows, for people: how the first are read, and the first of those set aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
import pandas as pd
from ibis.expr.types import Column, Table

from pipelines.config.load import Columns, Log
from pipelines.data import lines
from pipelines.sources.connect import connect
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe, reading

EXAMPLES = 3
"""Rows shown of every reason."""
_SHOWN = {"no_id": "customer_id", "bad_date": "timestamp", "bad_amount": "amount"}


def examples(
    engine: Engine,
    raw: Table,
    log: Log,
    as_of: dt.date | None,
    set_aside: Mapping[str, int],
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
        "clv_row", **lines.typed_fields(typed, log), **_raw_texts(typed, log.columns)
    )
    coded = typed.mutate(reason=lines.reason_codes(typed, log, as_of))
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


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else "empty"


def _raw_texts(raw: Table, columns: Columns) -> dict[str, Column]:
    amount = columns.amount
    if amount is None:
        text = raw[columns.quantity].cast("string").fill_null("nothing")
        shown = text + " x " + raw[columns.price].cast("string").fill_null("nothing")
    else:
        shown = raw[amount].cast("string")
    return {
        "clv_customer_id": raw[columns.customer_id].cast("string"),
        "clv_timestamp": raw[columns.timestamp].cast("string"),
        "clv_amount": shown,
    }


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
        raw = engine.read(log.source, log.columns)
        lines.require_columns(raw, log.columns, describe(log.source))
        first = raw.limit(rows)
        used = dict.fromkeys(lines.mapped_columns(log.columns).values())
        typed = first.select(
            **{f"source: {name}": first[name].cast("string") for name in used},
            **lines.typed_fields(first, log),
        )
        coded = typed.mutate(reason=lines.reason_codes(typed, log, None))
        hidden = [name for name in ("product_code", "consent") if name in coded.columns]
        frame = coded.drop(*hidden).mutate(date=coded.date.cast("string")).execute()
    return frame.assign(reason=[lines.REASONS[code] for code in frame["reason"]])
