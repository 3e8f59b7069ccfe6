"""Amounts of money as they are written: currencies, thousands, brackets, a minus at the end."""

from __future__ import annotations

import re

import ibis
from ibis.expr.types import NumericValue, StringValue

PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"
PLAIN_COMMA = (
    r"^[+-]?([0-9]+,?[0-9]*|[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]{1,2})?$"
)
"""With a decimal comma; dots stand between thousands or nowhere."""

CODES = (
    "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "ISK",
    "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "RUB", "UAH", "ILS", "INR", "PKR", "CNY",
    "HKD", "TWD", "SGD", "KRW", "THB", "MYR", "IDR", "PHP", "VND", "ZAR", "NGN", "KES",
    "EGP", "MAD", "AED", "SAR", "BRL", "MXN", "ARS", "CLP", "COP", "PEN",
)  # fmt: skip
"""Codes of currencies (ISO 4217) that may stand before or after an amount, in either case."""

SIGNS = ("$", "€", "£", "¥", "₹", "₽", "₺", "₴", "₩", "₪", "฿", "₫", "₱", "₦")
"""Signs of currencies; ``US$``, ``R$`` and the like are a sign after letters."""

WORDS = ("kr.", "kr", "zł", "Kč", "Ft", "lei", "Fr.", "Rs.", "Rs")

_SPACES = " \t\u00a0\u202f\u2009\u2007"
_MINUS = "\u2212"


def _currency() -> str:
    codes = "|".join((*CODES, *(code.lower() for code in CODES)))
    words = "|".join(re.escape(word) for word in WORDS)
    signs = "".join("\\$" if sign == "$" else sign for sign in SIGNS)
    return f"([A-Z]{{0,3}}[{signs}]|{codes}|{words})"


CURRENCY = _currency()
"""What names a currency beside an amount."""


def _written(decimal: str) -> str:
    """Return the pattern of amounts as people write them, with that decimal mark."""
    thousands = "\\." if decimal == "," else ","
    mark = "," if decimal == "," else "\\."
    space = f"[{_SPACES}]*"
    groups = [
        "[0-9]+",
        f"[1-9][0-9]{{0,2}}({thousands}[0-9]{{3}})+",
        f"[1-9][0-9]{{0,2}}([{_SPACES}'\u2019][0-9]{{3}})+",
        f"[1-9][0-9]?({thousands}[0-9]{{2}})+{thousands}[0-9]{{3}}",  # lakh and crore
    ]
    number = f"(({'|'.join(groups)})({mark}[0-9]*)?|{mark}[0-9]+)"
    money = f"({CURRENCY}{space})?{number}{space}({CURRENCY})?"
    minus = f"[-+{_MINUS}]"
    ahead = f"({CURRENCY}{space})?({minus}{space})?{number}{space}({CURRENCY})?"
    return (
        f"^{space}(({minus}{space})?{money}|{ahead}"
        f"|{money}{space}[-{_MINUS}]{space}({CURRENCY})?"
        f"|({CURRENCY}{space})?\\({space}{money}{space}\\){space}({CURRENCY})?){space}$"
    )


WRITTEN = {decimal: _written(decimal) for decimal in (".", ",")}
"""Amounts as people write them, by the decimal mark."""


def number_of(text: StringValue, decimal: str = ".") -> NumericValue:
    """Return the number that a text is, null where it is none (or infinite).

    Parameters
    ----------
    text : ibis string column
        Without spaces around it.
    decimal : {".", ","}
        Decimal mark. The other one, spaces and apostrophes may stand between groups of digits and
        nowhere else; a currency may stand before or after the digits; a minus before or after them,
        or brackets around them, make a negative number.
    """
    comma = decimal == ","
    usual = text.re_search(PLAIN_COMMA if comma else PLAIN)
    plain = text.replace(".", "").replace(",", ".") if comma else text
    # Asked only where that failed.
    named = text.re_replace("(kr|Fr|Rs)\\.", "")  # a full stop that is no decimal mark
    digits = named.re_replace("[^0-9,]" if comma else "[^0-9.]", "")
    digits = digits.replace(",", ".") if comma else digits
    negative = text.re_search(f"[-{_MINUS}(]")
    signed = ibis.ifelse(negative, ibis.literal("-"), ibis.literal("")) + digits
    written = ibis.ifelse(text.re_search(WRITTEN[decimal]), signed, ibis.null("string"))
    return ibis.ifelse(usual, plain, written).cast("float64")


def currency_of(text: StringValue) -> StringValue:
    """Return what names a currency in an amount; empty where nothing does."""
    return text.re_extract(CURRENCY, 0)


def reads(text: str, decimal: str) -> bool:
    """Whether a text is a number with that decimal mark."""
    plain = PLAIN_COMMA if decimal == "," else PLAIN
    return bool(re.search(plain, text.strip()) or re.search(WRITTEN[decimal], text))
