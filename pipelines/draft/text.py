"""The configuration as a commented text: what was found, what is unsure, what is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.config.presets import Preset
from pipelines.data.sales import questions
from pipelines.draft.guess import Guess

REFUND = re.compile(
    r".*(refund|return|charge_?back|credit|gutschrift|retoure|erstatt|avoir|rembours|reembolso).*",
    re.IGNORECASE,
)
_NEEDED = {
    "customer_id": "which column says who bought?",
    "timestamp": "which column says when?",
    "amount": "which column holds the value of a line? Or name quantity and price, or order_total",
}
_ASKED = {
    "tax": "parts of the price: name them, and say whether the amounts hold them",
    "product_code": "codes of products: of use with governance.non_product_codes (postage, fees)",
}


@dataclass(frozen=True)
class Draft:
    """What a first configuration says.

    Attributes
    ----------
    name : str
        Of the business.
    place : str
        What was looked at, in words.
    file : str
        The configuration's own name.
    source : dict
        Keys of ``[source]``.
    of_source : dict of str to str
        What is unsure of them.
    guess : Guess
        Where there is a preset, of what it does not say.
    statuses : dict of str to dict
        Column -> value -> rows, of columns that look like a status and are not mapped; where there
        is a preset, of those by which it tells sales.
    preset : Preset, optional
    notes : tuple of str
        Further remarks, each a comment.
    """

    name: str
    place: str
    file: str
    source: Mapping[str, Any]
    of_source: Mapping[str, str]
    guess: Guess
    statuses: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    preset: Preset | None = None
    notes: tuple[str, ...] = ()


def toml(draft: Draft) -> str:
    """Write a draft as TOML; no value of a row is in it but those of statuses and currencies."""
    lines = [
        f"# A first configuration, written by `clv init` from {_shown(draft.place)}.",
        '# "unsure" and "question" mark what to look at. Every key: docs/data.md.',
        *(f"# {note}" for note in draft.notes),
        f"name = {_text(draft.name)}",
        "",
        *_source(draft),
        "",
        *_columns(draft),
        "",
        *_calendar(draft.guess),
        "",
        *_economics(draft.guess),
        *_governance(draft),
    ]
    return "\n".join(lines) + "\n"


def doubts(text: str) -> int:
    """Count the remarks of a draft that ask for a look."""
    return len(re.findall(r"# (?:unsure|question):", text))


def _text(value: str) -> str:
    """A string of TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shown(text: str) -> str:
    """A text for a comment, which ends with its line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _key(key: str, value: Any, remark: str | None = None) -> str:
    shown = _text(value) if isinstance(value, str) else json.dumps(value)
    return f"{key} = {shown}" + (f"  # {_shown(remark)}" if remark else "")


def _source(draft: Draft) -> Iterator[str]:
    yield "[source]"
    for key, value in draft.source.items():
        said = draft.of_source.get(key)
        yield _key(key, value, f"unsure: {said}" if said else None)
    if draft.preset is not None:
        known = draft.preset
        yield _key("preset", known.name, f"{known.export}, as of {known.checked}")
    mark, said = draft.guess.thousands, None
    if mark is not None:
        said = f"unsure: is {_text(mark)}, always with three digits after it, between thousands?"
        said += f" Otherwise {_text(mark)}"
    if draft.guess.decimal != "." or said:
        yield _key("decimal", draft.guess.decimal, said)


def _columns(draft: Draft) -> Iterator[str]:
    guess = draft.guess
    yield "[columns]"
    if draft.preset is not None:
        yield f"# as the preset says; a key here wins, {_text('')} takes one out"
    for key, column in guess.columns.items():
        said = guess.unsure.get(key)
        yield _key(key, column, f"unsure: {said}" if said else None)
        if key == "timestamp":
            yield from _date_format(guess)
    if "timestamp" not in guess.columns:
        yield from _date_format(guess)
    for key in guess.missing:
        yield f"# question: {_NEEDED[key]}"
        yield f'# {key} = "..."'
    asked = ""
    for key, column in guess.aside.items():
        why = _ASKED.get(key, _ASKED["tax"])
        if why != asked:
            yield f"# {why}"
            asked = why
        yield f"# {_key(key, column)}"


def _date_format(guess: Guess) -> Iterator[str]:
    if guess.date_format is None:
        return
    other = guess.or_date_format
    yield _key(
        "date_format",
        guess.date_format,
        f"unsure: {_text(other)} reads them too; which one is it?" if other else None,
    )


def _calendar(guess: Guess) -> Iterator[str]:
    yield "[calendar]"
    asked = "question: where the business is (such as Europe/Berlin); a day begins at its midnight"
    if guess.offsets:
        asked += f". Times are {', '.join(guess.offsets)} from UTC"
    yield _key("time_zone", "UTC", asked)


def _economics(guess: Guess) -> Iterator[str]:
    yield "[economics]"
    found = guess.currencies
    said = None
    if not found:
        said = "question: no column says which currency it is"
    elif len(found) > 1:
        said = f"question: the source also holds {', '.join(found[1:])}; see [currencies] below"
    elif "currency" not in guess.columns:
        said = "unsure: by the sign beside the amounts" if guess.columns else None
    yield _key("currency", found[0] if found else "USD", said)
    yield _key("margin", 0.3, "question: gross margin as a share of revenue; assumed")
    if len(found) > 1:
        yield ""
        yield "# Several currencies are not summed: give a rate each, or keep one of them."
        yield "# [currencies]"
        yield f"# rates = {{ {', '.join(f'{code} = 1.0' for code in found[1:])} }}"
        yield "# only = true  # in place of rates"


def _governance(draft: Draft) -> Iterator[str]:
    parts = [part for part in draft.guess.aside if part != "product_code"]
    if parts:
        yield ""
        yield "# [governance]"
        yield f"# amount_includes = {json.dumps(parts)}  # of the parts above, those in the amounts"
    for column, values in draft.statuses.items():
        told = ", ".join(f"{_text(value)} {rows:,} rows" for value, rows in values.items())
        if draft.preset is not None:
            yield ""
            yield f"# {_text(column)} has {told}."
            yield "# Sales are those that the preset names; [governance.keep] takes their place."
            continue
        sales = [value for value in values if questions.SALE.fullmatch(value)]
        backs = [value for value in values if REFUND.fullmatch(value)]
        of_kind = bool(backs) and re.search("type|kind|event", column, re.IGNORECASE)
        yield ""
        yield f"# question: {_text(column)} looks like a status; all its values count: {told}"
        if of_kind:
            yield "# Rows that are refunds, whatever their sign:"
            yield "# [governance.refund_rows]"
            yield f"# {_text(column)} = {_list(backs)}"
        else:
            yield "# Name the values that are sales; rows of all others are then set aside:"
            yield "# [governance.keep]"
            yield f"# {_text(column)} = {_list(sales or list(values))}"


def _list(values: list[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
