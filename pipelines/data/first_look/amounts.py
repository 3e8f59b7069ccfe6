"""Amounts kept as text: which decimal mark, which currency, told by the values themselves."""

from __future__ import annotations

import re

from ibis import _
from ibis.expr.types import Column

from clvmodels.core.errors import DataError
from pipelines.config.load import Source
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.values import numbers

SAMPLE = 1000
"""Rows that tell whether a column is worth a look at all of its values."""

OF_SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₩": "KRW"}
"""Currencies of signs that only one currency has."""


def look(column: Column, source: Source, currency: str | None, place: str) -> list[str]:
    """Ask what only the business can answer of a column of amounts; one of numbers tells nothing.

    Parameters
    ----------
    column : ibis Column
        Of a table of the engine.
    source : Source
        Its decimal mark.
    currency : str
        ``economics.currency``; None where a column names each row's.
    place : str
        What is read, for messages.

    Raises
    ------
    DataError
        If amounts are in several currencies by their signs.
    """
    if not column.type().is_string():
        return []
    text = engine_of(column).stripped(column)
    table = text.name("text").as_table().filter(_.text.notnull() & (_.text != ""))
    some = [str(value) for value in table.limit(SAMPLE).execute()["text"]]
    asked: list[str] = []
    if currency is not None and any(re.search(numbers.CURRENCY, value) for value in some):
        signs = table.select(sign=numbers.currency_of(table.text)).filter(_.sign != "")
        found = signs.group_by("sign").agg(rows=_.count()).execute().sort_values("sign")
        asked += _currencies(dict(zip(found["sign"], found["rows"], strict=True)), currency, place)
    mark = source.decimal
    if _may_be_thousands(some, mark):
        asked += _thousands(table.text, mark, column.get_name())
    return asked


def _currencies(signs: dict[str, int], currency: str, place: str) -> list[str]:
    """Refuse several currencies; ask where the only one is not the report's."""
    codes = {OF_SIGNS.get(sign, sign.upper()) for sign in signs}
    if len(codes) > 1:
        told = ", ".join(f"{sign} ({rows:,} rows)" for sign, rows in signs.items())
        raise DataError(
            f"{place}: amounts are written in several currencies, which cannot be summed: {told}. "
            "Give each row's currency a column of its own (columns.currency) and [currencies] rates"
        )
    (code,) = codes
    if re.fullmatch("[A-Z]{3}", code) and code != currency:
        (sign,) = signs
        return [
            f"amounts are written with {sign!r}, and economics.currency is {currency}: set it to "
            f"'{code}' if that is what they are in"
        ]
    return []


def _may_be_thousands(values: list[str], mark: str) -> bool:
    """Whether every value with a decimal mark has exactly three digits after it."""
    after = [re.search(rf"{re.escape(mark)}([0-9]*)[^0-9]*$", value) for value in values]
    digits = [len(found.group(1)) for found in after if found]
    return bool(digits) and set(digits) == {3}


def _thousands(text: Column, mark: str, name: str) -> list[str]:
    """Ask, with both sums, where amounts have three decimals and never another number of them."""
    escaped = "\\." if mark == "." else ","
    other = "," if mark == "." else "."
    three = text.re_search(f"{escaped}[0-9]{{3}}[^0-9]*$")
    fewer = text.re_search(f"{escaped}([0-9]{{0,2}}|[0-9]{{4,}})[^0-9]*$")
    facts = text.name("text").as_table().mutate(three=three, fewer=fewer)
    row = (
        facts.agg(
            three=_.three.sum(),
            fewer=_.fewer.sum(),
            decimals=numbers.number_of(_.text, mark).sum().round(2),
            thousands=numbers.number_of(_.text, other).sum().round(2),
        )
        .execute()
        .iloc[0]
    )
    if not row["three"] or row["fewer"]:
        return []
    shown = facts.filter(facts.three).limit(1).execute()["text"].iloc[0]
    return [
        f"{int(row['three']):,} amounts in '{name}', such as {str(shown)!r}, have three digits "
        f"after the {'point' if mark == '.' else 'comma'} and none has two. Read as decimals all "
        f"sum to {row['decimals']:,.2f}, as thousands to {row['thousands']:,.2f}: for thousands "
        f"set source.decimal = '{other}'"
    ]


def hint(values: list[str], mark: str) -> str | None:
    """Name the decimal mark by which amounts can be read that cannot be by this one."""
    other = "," if mark == "." else "."
    unread = [value for value in values if not numbers.reads(value, mark)]
    if unread and all(numbers.reads(value, other) for value in unread):
        shown = ", ".join(repr(value) for value in unread[:2])
        return f"{shown} can be read with source.decimal = '{other}'"
    return None
