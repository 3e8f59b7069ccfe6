"""A made-up export with orders, statuses, refunds, currencies and parts of prices; and an oracle.

The oracle is plain Python over plain rows, written from docs/data.md, not from the code it checks.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter, defaultdict
from typing import Any

import pandas as pd

START = dt.date(2023, 1, 2)
STATUSES = ("completed", "Completed ", "processing", "cancelled", "failed", "")
SALES = ("completed", "processing")
RATES = {"EUR": 1.1, "JPY": 0.007}
MAPPED = {
    "customer_id": "customer",
    "timestamp": "day",
    "transaction_id": "order",
    "currency": "currency",
    "refunded": "refunded",
    "refunded_at": "refunded_at",
    "tax": "tax",
    "shipping": "shipping",
    "discount": "discount",
    "cost": "cost",
}
GOVERNANCE = {
    "keep": {"status": list(SALES)},
    "refund_rows": {"type": ["refund"]},
    "amount_includes": ["tax", "shipping", "discount"],
    "revenue_includes": ["shipping", "discount"],
    "max_bad_row_share": 1.0,
}


def orders(customers: int = 60, seed: int = 7) -> list[dict[str, Any]]:
    """Orders as they were, each with its lines."""
    rng = random.Random(seed)
    made = []
    for number in range(customers * 5):
        day = START + dt.timedelta(days=rng.randrange(500))
        lines = [round(rng.uniform(3, 90), 2) for _ in range(rng.choice((1, 1, 2, 3)))]
        tax = round(0.2 * sum(lines), 2)
        total = round(sum(lines) + tax + 4.5, 2)
        refunded = rng.choice((0.0, 0.0, 0.0, 5.0, total))
        later = day + dt.timedelta(days=rng.randrange(40))
        made.append(
            {
                "order": f"A{number:05d}",
                "customer": f"c{rng.randrange(customers):03d}",
                "day": day,
                "lines": lines,
                "tax": tax,
                "shipping": 4.5,
                "discount": rng.choice((0.0, 2.0)),
                "total": total,
                "status": rng.choice(STATUSES),
                "type": "refund" if rng.random() < 0.05 else "sale",
                "currency": rng.choice(("USD", "usd", "EUR", "JPY", "")),
                "refunded": refunded,
                "refunded_at": later if refunded and rng.random() < 0.5 else None,
                "cost": round(0.4 * total, 2),
                "channel": rng.choice(("web", "shop", "web")),
                "category": rng.choice(("tea", "cups")),
            }
        )
    return made


def lines_of(made: list[dict[str, Any]], style: str) -> pd.DataFrame:
    """Write orders as an export does.

    Parameters
    ----------
    style : {'first', 'every', 'one'}
        The total on the first line, the others blank in all but order and customer; the total and
        all else on every line; or one line an order.
    """
    rows = []
    for order in made:
        count = 1 if style == "one" else len(order["lines"])
        for at in range(count):
            row = {key: value for key, value in order.items() if key != "lines"}
            row["cost"] = order["cost"] / count
            if style == "first" and at:
                row |= dict.fromkeys(("total", "tax", "shipping", "discount", "refunded"))
                row |= {"status": "", "type": "", "currency": "", "refunded_at": None}
            rows.append(row)
    frame = pd.DataFrame(rows)
    frame["day"] = pd.to_datetime(frame["day"]).astype("datetime64[us]")
    frame["refunded_at"] = pd.to_datetime(frame["refunded_at"]).astype("datetime64[us]")
    return frame


def expected(made: list[dict[str, Any]]) -> dict[str, Any]:
    """What counts: amounts by customer and day, margins, orders, and orders left out."""
    rows: list[tuple[str, dt.date, float]] = []
    sales: list[tuple[Any, ...]] = []
    margin: dict[tuple[str, dt.date], list[float]] = defaultdict(list)
    counts: Counter[tuple[str, dt.date]] = Counter()
    left_out: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    for order in made:
        status = order["status"].strip().lower()
        if status not in SALES:
            left_out[status or "(empty)"][0] += 1
            left_out[status or "(empty)"][1] += order["total"]
            continue
        rate = RATES.get(order["currency"].upper(), 1.0)
        amount, cost = (order["total"] - order["tax"]) * rate, order["cost"] * rate
        if order["type"] == "refund":
            amount, cost = -amount, -cost
        else:
            counts[order["customer"], order["day"]] += 1
        where = order["customer"], order["day"]
        rows.append((*where, amount))
        labels = order["channel"], order["category"]
        sales.append((*where, amount, amount - cost, *labels))
        margin[where].append(amount - cost)
        if order["refunded"]:
            back = order["refunded"] * rate
            where = order["customer"], order["refunded_at"] or order["day"]
            rows.append((*where, -back))
            sales.append((*where, -back, -(amount - cost) * back / amount, *labels))
            margin[where].append(-(amount - cost) * back / amount)
    return {
        "rows": rows,
        "sales": sales,
        "margin": {where: math.fsum(parts) for where, parts in margin.items()},
        "orders": counts,
        "left_out": {name: tuple(facts) for name, facts in left_out.items()},
    }
