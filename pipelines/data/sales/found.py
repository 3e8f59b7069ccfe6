"""What was found out about the sales of a log before it is read: orders, currencies, questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ibis.expr.types import Table

from pipelines.config.load import Governance
from pipelines.data.sales.currencies import Rates
from pipelines.data.sales.orders import OrderFacts


@dataclass(frozen=True)
class Sales:
    """How lines become sales.

    Attributes
    ----------
    per_order : bool
        Amounts are totals of orders, and count once an order.
    order_column : str, optional
        Column of the order, mapped or looked at because of its name.
    orders : OrderFacts, optional
        How lines and orders stand to each other, where amounts are not declared as totals.
    date_forms : dict of str to str
        In which form the days of a column are written, where it is not ISO 8601.
    attributed : ibis Table, optional
        The value of another table's dimension by customer or order, in the engine.
    rates : Rates, optional
        Where there are several currencies.
    currencies : dict
        Rows and money by currency, where a column names it.
    left_out : dict of str to dict
        Rows and money by value, of each column of ``governance.keep``.
    parts : dict of str to float
        Sum of each part of the price that has a column.
    notes : tuple of str
        What was read in a way that a reader should know.
    questions : tuple of str
        What only the business can answer.
    """

    per_order: bool = False
    order_column: str | None = None
    orders: OrderFacts | None = None
    date_forms: dict[str, str] = field(default_factory=dict)
    attributed: Table | None = None
    rates: Rates | None = None
    currencies: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()

    def broken_limits(self, governance: Governance) -> list[str]:
        """Return one sentence for everything that keeps the log from being summed."""
        if self.orders is None or self.per_order:
            return []
        if self.orders.equal_share <= governance.max_equal_line_share:
            return []
        return [
            f"all lines of {self.orders.equal:,} of {self.orders.several:,} orders of several "
            f"lines (column '{self.order_column}') carry one and the same amount: as amounts "
            f"of lines they sum to {self.orders.line_sum:,.2f}, as totals of orders to "
            f"{self.orders.order_sum:,.2f}. Where they are totals, name the column "
            "columns.order_total in place of columns.amount, and the order's column "
            "columns.transaction_id; where they are not, set "
            "governance.max_equal_line_share = 1"
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return what files keep of it."""
        return {
            "amounts_are": "totals of orders" if self.per_order else "values of lines",
            "currencies": self.currencies,
            "left_out": self.left_out,
            "parts": self.parts,
            "notes": list(self.notes),
            "questions": list(self.questions),
        }
