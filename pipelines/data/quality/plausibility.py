"""What looks implausible in a log that can be read: its largest ids and rows, twins, gaps, jumps.

Nothing here changes a number; it says what a person who knows the business should look at.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ibis.expr.types import Table

from clvmodels.core.schema import LEAST_CUSTOMERS
from pipelines.data import lines
from pipelines.data.quality import jumps
from pipelines.sources.engines.base import Engine

TOP = LEAST_CUSTOMERS
"""The largest that are told of together, as they are in a report."""
IMPLAUSIBLE_SHARE = 0.05
IMPLAUSIBLE_RATIO = 10
"""No customer: an id of this share of all rows, and as many times the rows of the tenth largest."""
LEAST_DAYS = 10
"""Customer-days that there have to be before one can be called the sum of the others."""

PLACEHOLDERS = frozenset(
    [
        "#n/a",
        "(none)",
        "(notset)",
        "(unknown)",
        "-",
        "--",
        "?",
        "??",
        "anon",
        "anonym",
        "anonymous",
        "anonymus",
        "cash",
        "default",
        "deleted",
        "dummy",
        "gast",
        "gesamt",
        "grandtotal",
        "guest",
        "guests",
        "invite",
        "missing",
        "n.a.",
        "n/a",
        "na",
        "nil",
        "nobody",
        "noid",
        "none",
        "not_available",
        "notavailable",
        "notset",
        "null",
        "other",
        "others",
        "placeholder",
        "sum",
        "summe",
        "test",
        "tester",
        "total",
        "totals",
        "unbekannt",
        "undefined",
        "unknown",
        "walk-in",
        "walkin",
        "xxx",
    ]
)
"""Ids, folded, that are no person, however few rows they hold."""
NUMBERS = frozenset(["0", "00", "000", "0000", "-1", "-99", "-999", "999", "9999", "99999"])
"""Ids that may be a person's, and are shown where their rows are too many for one."""

REMEDY = (
    "put it into source.null_values (of CSV and workbooks), or make it empty in the source, and "
    "its rows are set aside as without a customer id"
)


@dataclass(frozen=True)
class Largest:
    """What the largest customer and the largest ten hold, as shares of all.

    Attributes
    ----------
    rows, revenue : float
        Of the customer with most rows, and of the one with most revenue.
    row : float
        Share of revenue in the largest customer-day.
    ten_rows, ten_revenue : float or None
        Of the ten customers with most; None where fewer than twice as many are known.
    """

    rows: float
    revenue: float
    row: float
    ten_rows: float | None
    ten_revenue: float | None


@dataclass(frozen=True)
class Plausibility:
    """What looks implausible.

    Attributes
    ----------
    largest : Largest
    twins : int
        Customers fewer if ids that differ only in case or white space were one.
    warnings : tuple of str
        Sentences. They name an id only where it is no person's.
    told : tuple of str
        The same for a report: without an id, and without what a single customer holds.
    broken : tuple of str
        What no log may hold.
    """

    largest: Largest
    twins: int
    warnings: tuple[str, ...]
    told: tuple[str, ...]
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return asdict(self)

    def for_report(self) -> dict[str, Any]:
        """Return what tells on no single customer."""
        return {
            "ten_rows": self.largest.ten_rows,
            "ten_revenue": self.largest.ten_revenue,
            "warnings": [*self.told, *self.broken],
        }


def look(engine: Engine, days: Table) -> Plausibility:
    """Look at customer-days: one pass over them by customer, one by day.

    Parameters
    ----------
    engine : Engine
    days : ibis Table
        Customer-days of the rows kept: customer_id, date, amount, rows.
    """
    by_customer = days.group_by("customer_id").agg(
        rows=days.rows.sum(), days=days.count(), revenue=days.amount.sum(), most=days.amount.max()
    )
    with engine.held(by_customer) as customers:
        total = _totals(customers)
        twins = int(total["customers"]) - int(total["folded"])
        words = _placeholders(customers)
        rows, revenue = (_top(customers, name) for name in ("rows", "revenue"))
        top = customers.order_by([customers.rows.desc(), customers.customer_id]).limit(1)
        top_id = str(top.customer_id.execute().iloc[0])
    largest = _largest(total, rows, revenue)
    of_ids, told_of_ids = _of_ids(total, rows, words, top_id)
    both = []
    if twins:
        both.append(
            f"{int(total['customers']):,} customer ids are {int(total['folded']):,} where case and "
            "white space make no difference; [columns] fold_ids = true takes such ids for one "
            "customer"
        )
    both += jumps.warnings(jumps.by_day(days))
    return Plausibility(largest, twins, (*of_ids, *both), (*told_of_ids, *both), _footer(total))


def _totals(customers: Table) -> dict[str, Any]:
    sums = customers.agg(
        customers=customers.count(),
        folded=lines.folded(customers.customer_id).nunique(),
        rows=customers.rows.sum(),
        days=customers.days.sum(),
        revenue=customers.revenue.sum(),
        most=customers.most.max(),
    )
    found = sums.execute().iloc[0].to_dict()
    return {name: 0 if value is None or value != value else value for name, value in found.items()}


def _top(customers: Table, name: str) -> list[float]:
    """The largest values, one more than are told of together."""
    ranked = customers.order_by(customers[name].desc()).limit(TOP + 1)
    return [float(value) for value in ranked[name].execute()]


def _placeholders(customers: Table) -> list[tuple[str, int]]:
    """Ids that are no person and more than one row, with their rows; most first."""
    named = customers.mutate(word=lines.folded(customers.customer_id))
    found = named.filter(named.word.isin(sorted(PLACEHOLDERS)), named.rows > 1)
    held = found.select("customer_id", "rows").execute()
    pairs = [(str(row.customer_id), int(row.rows)) for row in held.itertuples()]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def _largest(total: dict[str, Any], rows: list[float], revenue: list[float]) -> Largest:
    enough = total["customers"] >= 2 * TOP
    return Largest(
        rows=_share(rows[0], total["rows"]),
        revenue=_share(revenue[0], total["revenue"]),
        row=_share(total["most"], total["revenue"]),
        ten_rows=_share(math.fsum(rows[:TOP]), total["rows"]) if enough else None,
        ten_revenue=_share(math.fsum(revenue[:TOP]), total["revenue"]) if enough else None,
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _of_ids(
    total: dict[str, Any],
    rows: list[float],
    words: list[tuple[str, int]],
    top_id: str,
) -> tuple[list[str], list[str]]:
    """Return warnings of ids: as the console says them, and as a report does, without an id."""
    everything = f"{int(total['rows']):,} rows"
    named = [
        f"one id, {word!r}, holds {count:,} of {everything}, and is no person: {REMEDY}"
        for word, count in words
    ]
    told = [
        f"an id that is no person's (a word such as guest) holds {count:,} of {everything}; `clv "
        "check` names it"
        for _, count in words
    ]
    many = (
        total["customers"] >= 2 * TOP
        and rows[0] >= IMPLAUSIBLE_SHARE * total["rows"]
        and rows[0] >= IMPLAUSIBLE_RATIO * rows[TOP - 1]
    )
    if not many or (words and words[0][1] == rows[0]):
        return named, told
    told.append("one id holds more rows than a customer can; `clv check` says how many")
    shown = f", {top_id!r}," if lines.folded_text(top_id) in NUMBERS else ""
    return [
        *named,
        f"one id{shown} holds {int(rows[0]):,} of {everything}, {rows[0] / rows[TOP - 1]:.0f} "
        f"times what the tenth largest holds; if it stands for many buyers, {REMEDY}",
    ], told


def _footer(total: dict[str, Any]) -> tuple[str, ...]:
    """A row that is the sum of all others, which counts every sale twice."""
    others = total["revenue"] - total["most"]
    if (
        total["days"] <= LEAST_DAYS
        or not total["most"]
        or not math.isclose(total["most"], others, rel_tol=1e-9, abs_tol=0.005)
    ):
        return ()
    return (
        f"one row holds {total['most']:,.2f}, to the cent the sum of all others: a total line, by "
        "which every sale counts twice. Take it out of the source",
    )
