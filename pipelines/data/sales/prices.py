"""From what a source calls an amount to what counts: parts of a price, signs, money paid back."""

from __future__ import annotations

import ibis
from ibis.expr.types import NumericValue, Table

from pipelines.config.load import Columns, Governance


def adjusted(lines: Table, columns: Columns, governance: Governance) -> Table:
    """Turn the sign of refunds, and add or take off the parts of a price that count or do not.

    Parameters
    ----------
    lines : ibis Table
        Typed lines or orders, with ``turned`` where ``governance.refund_rows`` is set.
    """
    amount = lines.amount
    for part, sign in change_of_parts(columns, governance).items():
        amount = amount + sign * _signed(lines, part)
    if "turned" in lines.columns:
        amount = ibis.ifelse(lines.turned.fill_null(False), -amount.abs(), amount)
    return lines.mutate(amount=amount)


def change_of_parts(columns: Columns, governance: Governance) -> dict[str, int]:
    """Return the parts that are added (1) to the source's amounts, or taken off (-1)."""
    held = set(governance.amount_includes or ())
    wanted = held if governance.revenue_includes is None else set(governance.revenue_includes)
    return {
        part: 1 if part in wanted else -1
        for part in columns.parts
        if (part in wanted) != (part in held)
    }


def _signed(lines: Table, part: str) -> NumericValue:
    """What a part adds to a price; nothing where it is blank."""
    value = lines[part].fill_null(0.0)
    return -value.abs() if part == "discount" else value


def converted(lines: Table, factor: NumericValue) -> Table:
    """Multiply every amount of a line by the rate of its currency."""
    rated = lines.mutate(rate=factor)
    names = [
        name
        for name in ("amount", "margin", "cost", "refunded", "tax", "shipping", "discount", "tip")
        if name in lines.columns
    ]
    return rated.mutate(**{name: rated[name] * rated.rate for name in names})


def margin_of(amount: NumericValue, cost: NumericValue) -> NumericValue:
    """Gross margin of a line from its cost, whose sign is that of the amount."""
    return amount - ibis.ifelse(amount < 0, -cost.abs(), cost.abs())


def with_paid_back(lines: Table) -> Table:
    """Add a line for what was paid back of each, on its own day; it stands for no row.

    The margin of what was paid back is lost in proportion.
    """
    counted = lines if "lines" in lines.columns else lines.mutate(lines=ibis.literal(1, "int64"))
    refunds = counted.filter(counted.refunded.fill_null(0.0) > 0)
    changed = {
        "amount": -refunds.refunded,
        "lines": ibis.literal(0, "int64"),
    }
    if "refunded_on" in lines.columns:
        changed["date"] = ibis.coalesce(refunds.refunded_on, refunds.date)
    if "copies" in lines.columns:
        changed["copies"] = ibis.literal(0, "int64")
    if "margin" in lines.columns:
        share = refunds.refunded / refunds.amount.nullif(0)
        changed["margin"] = -refunds.margin * share
    if "consent" in lines.columns:
        changed["consent"] = ibis.null(lines.consent.type())
    refunds = refunds.mutate(**changed).select(counted.columns)
    typed = refunds.cast(dict(counted.schema().items()))
    return counted.union(typed)
