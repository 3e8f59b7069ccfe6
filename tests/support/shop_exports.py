"""Made-up exports of known shops, in the columns and forms that each writes; and what counts.

What counts is plain Python over the orders, written from docs/data.md.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

START = dt.datetime(2023, 1, 3, 9, 0)
DAYS = 540
SECRETS = ("@example.com", "cus_", "SQCUST")
"""What only ids of customers hold."""


@dataclass(frozen=True)
class Order:
    """An order; times are those of the clock in the shop."""

    number: int
    customer: int
    at: dt.datetime
    items: tuple[float, ...]
    shipping: float
    tax: float
    discount: float
    tip: float
    state: str  # paid, part, refunded, void
    back: float

    @property
    def subtotal(self) -> float:
        return round(sum(self.items) - self.discount, 2)

    @property
    def total(self) -> float:
        return round(self.subtotal + self.shipping + self.tax, 2)


def orders(customers: int = 60, seed: int = 3) -> list[Order]:
    """Orders of customers over eighteen months, by time."""
    rng = random.Random(seed)
    made = []
    for customer in range(customers):
        day, last = rng.uniform(0, DAYS * 0.6), rng.uniform(DAYS * 0.5, DAYS)
        while day < last:
            items = tuple(round(rng.uniform(8, 60), 2) for _ in range(rng.choice((1, 1, 2, 3))))
            discount = rng.choice((0.0, 0.0, 5.0))
            state = rng.choices(("paid", "part", "refunded", "void"), (80, 7, 6, 7))[0]
            tax = round(0.08 * (sum(items) - discount), 2)
            total = round(sum(items) - discount + 4.9 + tax, 2)
            made.append(
                Order(
                    0, customer, START + dt.timedelta(days=int(day), seconds=rng.randrange(36_000)),
                    items, 4.9, tax, discount, rng.choice((0.0, 2.0)), state,
                    {"part": 5.0, "refunded": total}.get(state, 0.0),
                )
            )  # fmt: skip
            day += rng.expovariate(1 / 35)
    made.sort(key=lambda order: order.at)
    return [Order(1001 + at, *list(vars(order).values())[1:]) for at, order in enumerate(made)]


@dataclass(frozen=True)
class Export:
    """An export as text, and (customer, day, amount) of all that counts in it."""

    text: str
    counted: list[tuple[str, dt.date, float]]


def _written(header: str, rows: Iterator[dict[str, Any]]) -> str:
    names = header.split(",")
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _email(order: Order) -> str:
    return f"shopper{order.customer}@example.com"


def shopify(made: list[Order]) -> Export:
    """One row a line item; what is of the order stands on the first row."""
    states = {"paid": "paid", "part": "partially_refunded", "refunded": "refunded"}

    def rows() -> Iterator[dict[str, Any]]:
        for order in made:
            first = {
                "Email": _email(order),
                "Financial Status": states.get(order.state, "voided"),
                "Fulfillment Status": "fulfilled",
                "Currency": "EUR",
                "Subtotal": f"{order.subtotal:.2f}",
                "Shipping": f"{order.shipping:.2f}",
                "Taxes": f"{order.tax:.2f}",
                "Total": f"{order.total:.2f}",
                "Discount Amount": f"{order.discount:.2f}",
                "Created at": f"{order.at} +0000",
                "Refunded Amount": f"{order.back:.2f}",
            }
            for at, price in enumerate(order.items):
                line = {"Lineitem quantity": 1, "Lineitem name": "Mug", "Lineitem price": price}
                yield {"Name": f"#{order.number}", **line, **(first if at == 0 else {})}

    header = (
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,"
        "Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,"
        "Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,"
        "Cancelled at,Payment Method,Refunded Amount,Vendor,Id,Source"
    )
    return Export(_written(header, rows()), _counted(made, _email))


def woocommerce(made: list[Order]) -> Export:
    """One row a line item; the total stands on each."""
    states = {"paid": "completed", "part": "processing", "refunded": "refunded"}

    def rows() -> Iterator[dict[str, Any]]:
        for order in made:
            for price in order.items:
                yield {
                    "order_id": order.number,
                    "order_number": order.number,
                    "order_date": order.at,
                    "status": states.get(order.state, "cancelled"),
                    "shipping_total": order.shipping,
                    "tax_total": order.tax,
                    "discount_total": order.discount,
                    "order_total": order.total,
                    "order_currency": "GBP",
                    "customer_email": _email(order),
                    "item_price": price,
                }

    header = (
        "order_id,order_number,order_date,paid_date,status,shipping_total,tax_total,"
        "discount_total,order_total,order_currency,customer_email,item_price"
    )
    whole = [order for order in made if order.state in ("paid", "part")]
    return Export(
        _written(header, rows()),
        [(_email(order), order.at.date(), order.total) for order in whole],
    )


def stripe(made: list[Order]) -> Export:
    """One row a payment, in UTC."""
    states = {"paid": "Paid", "part": "Paid", "refunded": "Refunded"}

    def rows() -> Iterator[dict[str, Any]]:
        for order in made:
            yield {
                "id": f"ch_{order.number}",
                "Created (UTC)": f"{order.at:%Y-%m-%d %H:%M}",
                "Amount": f"{order.total:.2f}",
                "Amount Refunded": f"{order.back:.2f}",
                "Currency": "usd",
                "Captured": "false" if order.state == "void" else "true",
                "Status": states.get(order.state, "Failed"),
                "Customer ID": _stripe_id(order),
                "Customer Email": _email(order),
                "Fee": "1.00",
            }

    header = (
        "id,Description,Created (UTC),Amount,Amount Refunded,Currency,Captured,Fee,Status,"
        "Customer ID,Customer Email,Invoice ID"
    )
    return Export(_written(header, rows()), _counted(made, _stripe_id))


def _stripe_id(order: Order) -> str:
    return f"cus_{order.customer:05d}"


def square(made: list[Order]) -> Export:
    """One row a payment or refund, a refund on its own day and negative."""

    def row(order: Order, at: dt.datetime, amount: float, event: str) -> dict[str, Any]:
        payment = event == "Payment"
        return {
            "Date": f"{at:%Y-%m-%d}",
            "Time": f"{at:%H:%M:%S}",
            "Time Zone": "Eastern Time (US & Canada)",
            "Gross Sales": _dollars(sum(order.items) if payment else amount),
            "Discounts": _dollars(-order.discount if payment else 0.0),
            "Net Sales": _dollars(order.subtotal if payment else amount),
            "Tax": _dollars(order.tax if payment else 0.0),
            "Tip": _dollars(order.tip if payment else 0.0),
            "Partial Refunds": _dollars(amount if order.state == "part" and not payment else 0.0),
            "Total Collected": _dollars(amount),
            "Fees": _dollars(-0.3),
            "Net Total": _dollars(amount - 0.3),
            "Transaction ID": f"T{order.number}{event[0]}",
            "Event Type": event,
            "Customer ID": _square_id(order),
            "Transaction Status": "Complete",
        }

    def rows() -> Iterator[dict[str, Any]]:
        for order in made:
            if order.state == "void":
                continue
            yield row(order, order.at, _collected(order), "Payment")
            if order.back:
                yield row(order, order.at + REFUNDED_AFTER, -order.back, "Refund")

    header = (
        "Date,Time,Time Zone,Gross Sales,Discounts,Service Charges,Net Sales,Gift Card Sales,Tax,"
        "Tip,Partial Refunds,Total Collected,Source,Card,Cash,Fees,Net Total,Transaction ID,"
        "Payment ID,Event Type,Location,Customer ID,Customer Name,Transaction Status"
    )
    counted = []
    for order in made:
        if order.state != "void":
            counted.append((_square_id(order), order.at.date(), _collected(order)))
        if order.state != "void" and order.back:
            counted.append((_square_id(order), (order.at + REFUNDED_AFTER).date(), -order.back))
    return Export(_written(header, rows()), counted)


REFUNDED_AFTER = dt.timedelta(days=12)


def _square_id(order: Order) -> str:
    return f"SQCUST{order.customer:04d}"


def _collected(order: Order) -> float:
    return round(order.subtotal + order.tax + order.tip, 2)


def _dollars(amount: float) -> str:
    return f"{'-' * (amount < 0)}${abs(amount):,.2f}"


def magento(made: list[Order]) -> Export:
    """One row an order, with the day in words."""
    states = {"paid": "complete", "part": "complete", "refunded": "closed"}

    def rows() -> Iterator[dict[str, Any]]:
        for order in made:
            yield {
                "ID": f"{order.number:09d}",
                "Purchase Point": "Main Website Main Website Store Default Store View",
                "Purchase Date": f"{order.at:%b} {order.at.day}, {order.at:%Y %I:%M:%S %p}",
                "Grand Total (Base)": f"{order.total:.4f}",
                "Grand Total (Purchased)": f"{order.total:.4f}",
                "Status": states.get(order.state, "canceled"),
                "Customer Email": _email(order),
                "Subtotal": f"{order.subtotal:.4f}",
                "Shipping and Handling": f"{order.shipping:.4f}",
                "Total Refunded": f"{order.back:.4f}" if order.back else "",
            }

    header = (
        "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),"
        "Grand Total (Purchased),Status,Customer Email,Customer Group,Subtotal,"
        "Shipping and Handling,Customer Name,Payment Method,Total Refunded"
    )
    return Export(_written(header, rows()), _counted(made, _email))


def _counted(made: list[Order], name: Callable[[Order], str]) -> list[tuple[str, dt.date, float]]:
    """Orders that are paid, wholly or in part, less what was paid back of them on their day."""
    rows = []
    for order in made:
        if order.state not in ("paid", "part"):
            continue
        rows.append((name(order), order.at.date(), order.total))
        if order.back:
            rows.append((name(order), order.at.date(), -order.back))
    return rows


EXPORTS: dict[str, Callable[[list[Order]], Export]] = {
    "shopify": shopify,
    "woocommerce": woocommerce,
    "stripe": stripe,
    "square": square,
    "magento": magento,
}
CURRENCY = {"shopify": "EUR", "woocommerce": "GBP"}
"""Of an export's column of currencies, where it is not USD."""
