"""Orders: lines of one transaction, and whether an amount is that of a line or of the order.

An order is a transaction, a purchase a customer's day; both are counted. Exports write the total
of an order on its first line only, or again on every line: such a total counts once an order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
from ibis import _
from ibis.expr.types import Column, StringValue, Table, Value

from pipelines.config.load import Attribution
from pipelines.sources.dialect import md5

LEAST_SEVERAL = 5
"""Orders of several lines from which on equal amounts are no chance."""

TOLERANCE = 0.005
"""Totals of one order that differ by less are one."""


@dataclass(frozen=True)
class OrderFacts:
    """How the amounts of the lines of one order stand to each other.

    Attributes
    ----------
    orders, several : int
        Orders, and those of several lines.
    once : int
        Orders of several lines of which exactly one holds an amount and the others none.
    twice : int
        Orders of which at least two lines hold an amount.
    equal : int
        Orders of several lines that all hold one and the same amount.
    line_sum, order_sum : float
        Sum of all lines, and of one amount an order, in currency.
    """

    orders: int
    several: int
    once: int
    twice: int
    equal: int
    line_sum: float
    order_sum: float

    @property
    def given_once(self) -> bool:
        """Whether amounts are totals that stand on one line of each order."""
        return self.once > 0 and self.twice == 0

    @property
    def equal_share(self) -> float:
        """Share of the orders of several lines whose lines all carry one amount."""
        return self.equal / self.several if self.several >= LEAST_SEVERAL else 0.0


def facts(orders: StringValue, amount: Column, blank: Value, table: Table) -> OrderFacts | None:
    """Look at all lines, order by order; None where no line names an order.

    Parameters
    ----------
    orders : ibis string column
        Of ``table``: the order of a line, null where it names none.
    amount : ibis column
        Of the line, null where it has none that can be read.
    blank : ibis boolean column
        Whether the line has none at all.
    """
    told = table.select(order=orders, amount=amount, blank=blank)
    by_order = (
        told.filter(_.order.notnull())
        .group_by("order")
        .agg(
            lines=_.count(),
            filled=_.amount.count(),
            blank=_.blank.sum(),
            least=_.amount.min(),
            most=_.amount.max(),
            total=_.amount.sum(),
        )
    )
    several = by_order.lines > 1
    row = (
        by_order.agg(
            orders=_.count(),
            several=several.sum(),
            once=(several & (_.filled == 1) & (_.blank == _.lines - 1)).sum(),
            twice=(_.filled > 1).sum(),
            equal=(several & (_.filled == _.lines) & (_.least == _.most) & (_.most != 0)).sum(),
            line_sum=_.total.sum().round(2),
            order_sum=_.most.sum().round(2),
        )
        .fill_null(0)
        .execute()
        .iloc[0]
    )
    if not row["orders"]:
        return None
    counts = {name: int(row[name]) for name in ("orders", "several", "once", "twice", "equal")}
    return OrderFacts(**counts, line_sum=float(row["line_sum"]), order_sum=float(row["order_sum"]))


def collapsed(lines: Table) -> Table:
    """Put the lines of each order together, its total counted once.

    Parameters
    ----------
    lines : ibis Table
        Typed lines with ``transaction_id``; ``copies`` where duplicates are dropped.

    Returns
    -------
    ibis Table
        One row an order, with ``lines`` (how many it had) and ``mixed`` (whether they name several
        customers or totals). Lines without a ``transaction_id`` are one row, which is no order.
    """
    fields = _of_order(lines, lambda value: value)
    fields["lines"] = lines.count()
    for name in ("copies", "margin", "cost"):
        if name in lines.columns:
            fields[name] = lines[name].sum()
    labels = set(lines.columns) - set(fields) - {"transaction_id", "margin", "cost"}
    for name in sorted(labels):
        # sorts alike whatever the engine's collation
        fields[name] = lines[name].argmax(md5(lines[name].cast("string")))
    return lines.group_by("transaction_id").agg(**fields)


def filled(lines: Table) -> Table:
    """Give every line what :func:`collapsed` says of its order, for showing single lines."""
    window = ibis.window(group_by="transaction_id")
    return lines.mutate(**_of_order(lines, lambda value: value.over(window)))


def _of_order(lines: Table, each: Callable[[Value], Value]) -> dict[str, Value]:
    """What an order says as a whole, from what some of its lines say."""
    out = {
        "customer_id": each(lines.customer_id.min()),
        "date": each(lines.date.min()),
        "amount": each(lines.amount.max()),
        "mixed": (each(lines.customer_id.min()) != each(lines.customer_id.max())).fill_null(False)
        | (each(lines.amount.max()) - each(lines.amount.min()) > TOLERANCE).fill_null(False),
    }
    once = ("currency", "refunded", "refunded_on", "tax", "shipping", "discount", "tip")
    out |= {name: each(lines[name].max()) for name in once if name in lines.columns}
    for name in ("sale", "turned", "refund_unread", "consent"):
        if name in lines.columns:
            # a refund or a withdrawal on one line is one of the order; a sale on one line too
            number = lines[name].cast("int32")
            said = each(number.min() if name == "consent" else number.max())
            out[name] = said.cast("boolean")
    return out


def count(lines: Table) -> Value:
    """Aggregate lines of a customer's day to the number of its orders; refunds are none."""
    return lines.transaction_id.nunique(where=lines.amount >= 0)


def attributed(typed: Table, told: Table, wanted: Attribution) -> Table:
    """Give lines the dimension of their customer or order; null where the table has none."""
    key = typed.customer_id if wanted.customer_id is not None else typed.transaction_id
    joined = typed.left_join(told, key == told.attributed)
    return joined.mutate(**{wanted.dimension: joined.attributed_value}).drop(
        "attributed", "attributed_value"
    )
