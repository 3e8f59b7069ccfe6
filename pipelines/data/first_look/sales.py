"""Orders, currencies, and columns that nobody mapped."""

from __future__ import annotations

import dataclasses
import re

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Table

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Log
from pipelines.data import lines
from pipelines.data.first_look import amounts, attribution, dates
from pipelines.data.sales import currencies, orders, questions, selection
from pipelines.data.sales.found import Sales
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe


def sales_of(engine: Engine, raw: Table, log: Log) -> Sales:
    """Find out how the lines of a log become sales.

    Raises
    ------
    MissingColumnError
        If a mapped column is not in the table.
    ConfigError
        If a key can have no effect on such a log.
    DataError
        If there are several currencies, and nothing says what becomes of them.
    """
    lines.require_columns(raw, log, describe(log.source))
    sales = _dated(raw, log, _orders(raw, log))
    sales = dataclasses.replace(sales, questions=(*sales.questions, *_written(raw, log)))
    sales = dataclasses.replace(sales, notes=(*log.preset_notes, *sales.notes))
    sales = _currencies(raw, log, sales)
    sales = _attributed(engine, raw, log, sales)
    return _asked(raw, log, sales)


def _written(raw: Table, log: Log) -> list[str]:
    """What the texts of amounts ask."""
    name = log.columns.amount or log.columns.order_total or log.columns.price
    if name is None or (log.currencies is not None and log.currencies.converted):
        return []
    currency = log.currency if log.columns.currency is None else None
    return amounts.look(raw[name], log.source, currency, describe(log.source))


def _dated(raw: Table, log: Log, sales: Sales) -> Sales:
    """In which form days are written, where no format is given."""
    if log.columns.date_format is not None:
        return sales
    found, notes = {}, sales.notes
    for name in (log.columns.timestamp, log.columns.refunded_at):
        if name is None:
            continue
        form = dates.form_of(raw[name], log.calendar, describe(log.source))
        if form is not None:
            found[name] = form
            notes = (*notes, dates.note(name, form))
    return dataclasses.replace(sales, date_forms=found, notes=notes)


def _orders(raw: Table, log: Log) -> Sales:
    """Whether amounts are of lines or of orders."""
    columns = log.columns
    if columns.order_total is not None:
        return _per_order(log, Sales(per_order=True, order_column=columns.transaction_id))
    if columns.amount is None:
        return Sales()
    mapped = lines.mapped_columns(log).values()
    candidates = (
        [columns.transaction_id]
        if columns.transaction_id is not None
        else questions.named(raw, questions.ORDER, mapped)[:1]
    )
    if not candidates:
        return Sales()
    (name,) = candidates
    amount = lines.money(raw[columns.amount], log.source, describe(log.source))
    typed = raw.select(
        order=lines.customer_ids(raw[name]),
        amount=amount,
        blank=selection.is_blank(raw[columns.amount]),
    )
    facts = orders.facts(typed.order, typed.amount, typed.blank, typed)
    if facts is None:
        return Sales()
    found = Sales(order_column=name, orders=facts)
    if columns.transaction_id is None:
        asked = (
            f"column '{name}' looks like the order of a line; name it columns.transaction_id, so "
            "that orders are counted"
        )
        return dataclasses.replace(found, questions=(asked,)) if facts.several else Sales()
    if not facts.given_once:
        return found
    note = (
        f"'{columns.amount}' stands on one line of each order ({facts.once:,} orders of several "
        "lines): read as the total of the order"
    )
    return _per_order(log, dataclasses.replace(found, per_order=True, notes=(note,)))


def _per_order(log: Log, sales: Sales) -> Sales:
    if log.governance.non_product_codes:
        total = log.columns.order_total or log.columns.amount
        raise ConfigError(
            f"governance.non_product_codes: '{total}' is the total of an order, from which nothing "
            "can be left out by line. Take the codes out, or name values of lines columns.amount"
        )
    return sales


def _currencies(raw: Table, log: Log, sales: Sales) -> Sales:
    """Which currencies there are, and what becomes of them."""
    place, column = describe(log.source), log.columns.currency
    if column is None:
        asked = _unmapped_currencies(raw, log, sales)
        return dataclasses.replace(sales, questions=(*sales.questions, *asked))
    if log.currencies is not None and log.currencies.converted:
        return sales
    typed = lines.typed_lines(raw, log, sales)
    table = orders.collapsed(typed) if sales.per_order else typed
    found = currencies.sums(table.filter(_is_sale(table)))
    rates = currencies.rates(found, log.currencies, log.currency, column, place)
    notes = sales.notes
    if "" in found and len(found) > 1:
        notes += (
            f"{found['']['rows']:,} rows name no currency in '{column}': taken for {log.currency}",
        )
    return dataclasses.replace(sales, rates=rates, currencies=found, notes=notes)


def _unmapped_currencies(raw: Table, log: Log, sales: Sales) -> tuple[str, ...]:
    """Refuse a log with several currencies in a column that is not mapped; ask of another one."""
    if log.currencies is not None:  # they are converted: the only key without a column
        return ()
    mapped, place = lines.mapped_columns(log).values(), describe(log.source)
    for name in questions.named(raw, questions.CURRENCY, mapped):
        codes = currencies.codes(raw[name])
        amount = lines.typed_fields(raw, log, sales)["amount"]
        found = currencies.sums(raw.select(currency=codes, amount=amount))
        told = [code for code in found if code]
        if not told or not all(re.fullmatch("[A-Z]{3}", code) for code in told):
            continue
        if len(told) > 1:
            raise DataError(
                f"{currencies.several(found, log.currency, name, place)} Name the column "
                "columns.currency."
            )
        if told != [log.currency]:
            return (
                f"column '{name}' says {told[0]}, and economics.currency {log.currency}: which "
                "one are the amounts in? Name the column columns.currency, or set "
                f"economics.currency = '{told[0]}'",
            )
    return ()


def _attributed(engine: Engine, raw: Table, log: Log, sales: Sales) -> Sales:
    """The dimension that another table knows, and for how many it does not."""
    wanted = log.attribution
    if wanted is None:
        return sales
    told = attribution.read(engine, log, wanted)
    note = attribution.note(lines.typed_lines(raw, log, sales), told, wanted)
    notes = sales.notes if note is None else (*sales.notes, note)
    return dataclasses.replace(sales, attributed=told, notes=notes)


def _asked(raw: Table, log: Log, sales: Sales) -> Sales:
    """Ask of columns that look like a status, and count what governance.keep leaves out."""
    mapped = lines.mapped_columns(log).values()
    amount = lines.typed_fields(raw, log, sales)["amount"]
    told = raw.filter(amount.notnull()) if sales.per_order else raw  # the line with the total
    asked = questions.of_statuses(told, lines.typed_fields(told, log, sales)["amount"], mapped)
    left_out = {name: _left_out(raw, log, sales, name) for name in log.governance.keep}
    return dataclasses.replace(
        sales,
        left_out=left_out,
        parts=_parts(raw, log, sales),
        questions=(*sales.questions, *asked),
    )


def _left_out(raw: Table, log: Log, sales: Sales, name: str) -> dict[str, dict[str, float]]:
    """What is no sale, by what one column says of it."""
    fields = lines.typed_fields(raw, log, sales)
    wanted = [key for key in ("transaction_id", "amount", "sale") if key in fields]
    table = raw.select(value=selection.word(raw[name]), **{key: fields[key] for key in wanted})
    table = table.mutate(rows=ibis.literal(1, "int64"))
    if sales.per_order:
        table = table.group_by("transaction_id").agg(
            value=_.value.max(),
            amount=_.amount.max(),
            sale=_.sale.cast("int32").max().cast("boolean"),
            rows=_.count(),
        )
    return selection.by_value(table.filter(~table.sale.fill_null(False)))


def _parts(raw: Table, log: Log, sales: Sales) -> dict[str, float]:
    """Sum each part of the price that has a column, over the lines that are sales."""
    if not log.columns.parts:
        return {}
    typed = lines.typed_lines(raw, log, sales)
    table = orders.collapsed(typed) if sales.per_order else typed
    table = table.filter(_is_sale(table))
    sums = table.agg(**{name: table[name].sum().fill_null(0.0) for name in log.columns.parts})
    row = sums.execute().iloc[0]
    return {name: round(float(row[name]), 2) for name in log.columns.parts}


def _is_sale(table: Table) -> BooleanValue:
    counted = table.amount.notnull()
    return counted & table.sale.fill_null(False) if "sale" in table.columns else counted
