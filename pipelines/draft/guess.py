"""Which column means what: names weighed, values asked, doubts kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.config.sections import PARTS, USUAL_DIMENSIONS
from pipelines.data.sales import questions
from pipelines.draft import fields as looks
from pipelines.draft.fields import Field
from pipelines.draft.names import NAMES, weight

SURE = 8
"""Weight of a name from which on it needs no remark."""
LEAST = 4
"""Weight of a name below which values alone would have to tell."""
MOST_CURRENCIES = 10
MOST_GROUPS = 200
"""Values that a dimension has at most."""


@dataclass(frozen=True)
class Guess:
    """What is taken for what.

    Attributes
    ----------
    columns : dict of str to str
        Key of ``[columns]`` -> column.
    unsure : dict of str to str
        Key -> what there is to look at.
    missing : tuple of str
        Keys that are needed and that no column qualifies for.
    date_format : str, optional
    or_date_format : str, optional
        Reads all days too.
    offsets : tuple of str
        From UTC, of the times.
    decimal : str
    thousands : str, optional
        A mark in amounts that is taken to stand between thousands, and may be the decimal one.
    currencies : tuple of str
        Codes in a column, the commonest first, or of a sign beside the numbers.
    aside : dict of str to str
        Keys that may be mapped too, and are not: parts of a price.
    """

    columns: dict[str, str]
    unsure: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    date_format: str | None = None
    or_date_format: str | None = None
    offsets: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    currencies: tuple[str, ...] = ()
    aside: dict[str, str] = field(default_factory=dict)


@dataclass
class _Look:
    """A search under way: what is taken, and what is doubtful."""

    fields: Sequence[Field]
    columns: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, str] = field(default_factory=dict)

    def free(self) -> list[Field]:
        taken = set(self.columns.values())
        return [one for one in self.fields if one.name not in taken]

    def take(
        self,
        key: str,
        score: Callable[[Field], float],
        by_values: Callable[[Field], float] = lambda one: 0.0,
    ) -> Field | None:
        """Take the column with the best score; by its values alone where no name says it."""
        ranked = _ranked(self.free(), score)
        if ranked:
            best, points = ranked[0]
            others = [one.name for one, close in ranked[1:4] if close > points - 1]
            if others:
                self.unsure[key] = f"or {', '.join(map(repr, others))}"
            elif points < SURE:
                self.unsure[key] = "by a name that is not quite it"
        else:
            unnamed = [one for one in self.free() if not any(weight(k, one.words) for k in NAMES)]
            ranked = _ranked(unnamed, by_values)
            if not ranked:
                return None
            best = ranked[0][0]
            self.unsure[key] = "by its values: the name does not say it"
        self.columns[key] = best.name
        return best


def _ranked(some: Iterable[Field], score: Callable[[Field], float]) -> list[tuple[Field, float]]:
    scored = [(one, points) for one in some if (points := score(one)) > 0]
    return sorted(scored, key=lambda pair: -pair[1])


def guess(fields: Sequence[Field]) -> Guess:
    """Say what the columns of a source are taken for."""
    look = _Look(fields)
    when = look.take(
        "timestamp", _is_time, lambda one: float(one.dates is not None and one.dates.is_evident)
    )
    order = look.take("transaction_id", _is_order)
    who = look.take("customer_id", _is_customer, _like_customer)
    found = _value(look, order)
    for key in ("refunded", "refunded_at", "product_code"):
        look.take(key, lambda one, key=key: _named(one, key) if one.share > 0 else 0)  # type: ignore[misc]
    if "refunded_at" in look.columns and "refunded" not in look.columns:
        del look.columns["refunded_at"]
    for key in USUAL_DIMENSIONS:
        look.take(key, lambda one, key=key: _is_group(one, key))  # type: ignore[misc]
    currencies = _currencies(look, found)
    parts: dict[str, str] = {part: one for part in PARTS if (one := _part(look, part))}
    needed = {"customer_id": who, "timestamp": when, "amount": found}
    days = when.dates if when is not None else None
    if "product_code" in look.columns:  # of use with governance.non_product_codes alone
        parts["product_code"] = look.columns.pop("product_code")
    return Guess(
        {key: look.columns[key] for key in _ORDER if key in look.columns},
        {key: said for key, said in look.unsure.items() if key in look.columns},
        tuple(key for key, one in needed.items() if one is None),
        date_format=days.form if days else None,
        or_date_format=days.or_form if days else None,
        offsets=days.offsets if days else (),
        decimal=found.numbers.decimal if found is not None and found.kind == "text" else ".",
        thousands=found.numbers.thousands if found is not None and found.kind == "text" else None,
        currencies=currencies,
        aside=parts,
    )


_ORDER = (
    "customer_id", "timestamp", "transaction_id", "amount", "order_total", "quantity", "price",
    "currency", "refunded", "refunded_at", *USUAL_DIMENSIONS,
)  # fmt: skip


def _named(one: Field, key: str) -> int:
    found = weight(key, one.words)
    return found if found >= LEAST else 0


def _is_time(one: Field) -> float:
    return _named(one, "timestamp") if one.share >= 0.3 and one.dates is not None else 0


def _is_order(one: Field) -> float:
    fits = one.distinct > 1 and one.share >= 0.5 and one.numbers.money < 0.3
    return _named(one, "transaction_id") if fits else 0


def _is_customer(one: Field) -> float:
    if one.distinct < 2 or one.share < 0.2 or one.numbers.money > 0.3:
        return 0
    name = weight("customer_id", one.words)
    # one customer a row all over: a row's own number, or customers who never come back
    return name - 3 * (one.unique > 0.98 and one.distinct > 50) if name else 0


def _like_customer(one: Field) -> float:
    """By values: many that come back, none a sum of money, a day or a sentence."""
    fits = (
        one.share >= 0.9
        and one.distinct >= 10
        and 0.02 <= one.unique <= 0.8
        and one.numbers.money < 0.1
        and (one.dates is None or not one.dates.is_evident)
        and max(map(len, one.filled)) <= 64
    )
    return one.unique if fits else 0


def _is_amount(one: Field) -> float:
    if one.numbers.share < 0.9:
        return 0
    name = _named(one, "amount")
    return name + (one.numbers.money > 0.2) if name else 0


def _like_money(one: Field) -> float:
    return one.numbers.money if one.numbers.share >= 0.9 and one.distinct > 10 else 0


def _value(look: _Look, order: Field | None) -> Field | None:
    """Find the value: of a line, of an order, or of a piece and how many."""
    amounts = _ranked(look.free(), _is_amount)
    prices = _ranked(look.free(), lambda one: _named(one, "price") * (one.numbers.share >= 0.9))
    pieces = _ranked(look.free(), lambda one: _named(one, "quantity") * (one.numbers.share >= 0.9))
    if not amounts and prices and pieces:
        look.columns |= {"quantity": pieces[0][0].name, "price": prices[0][0].name}
        return prices[0][0]
    if not amounts and prices:
        look.columns["amount"] = prices[0][0].name
        look.unsure["amount"] = "the value of a whole line, or the price of one piece?"
        return prices[0][0]
    found = look.take("amount", _is_amount, _like_money)
    if found is not None and not found.numbers.nonzero:
        look.unsure["amount"] = "all of its values are 0"
    if found is None or order is None:
        return found
    form = looks.by_order(order, found)
    if form in ("every", "first"):
        look.columns["order_total"] = look.columns.pop("amount")
        if "amount" in look.unsure:
            look.unsure["order_total"] = look.unsure.pop("amount")
        elif form == "every" and not re.search("order|grand|invoice", found.words):
            look.unsure["order_total"] = (
                "all lines of an order carry one amount, taken for the order's; name it amount "
                "where it is the line's"
            )
    return found


def _is_group(one: Field, key: str) -> float:
    return _named(one, key) if 1 < one.distinct <= MOST_GROUPS and one.share > 0.2 else 0


def _part(look: _Look, part: str) -> str | None:
    for one in look.free():
        if _named(one, part) and one.numbers.share >= 0.9:
            return one.name
    return None


def _currencies(look: _Look, value: Field | None) -> tuple[str, ...]:
    for one in look.free():
        if questions.CURRENCY.fullmatch(one.name.strip()) is None or not one.filled:
            continue
        codes = [cell.upper() for cell in one.filled]
        told = sorted(set(codes), key=lambda code: (-codes.count(code), code))
        if len(told) <= MOST_CURRENCIES and all(re.fullmatch("[A-Z]{3}", code) for code in told):
            look.columns["currency"] = one.name
            return tuple(told)
    sign = value.numbers.currency if value is not None else None
    return (sign,) if sign else ()
