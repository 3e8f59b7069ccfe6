"""From the raw table to typed transaction lines, each kept or set aside for one reason.

Nothing is dropped silently: every raw row has a reason code, 0 for kept, and the first reason
that applies in the order of :data:`REASONS` is the one that counts.
"""

from __future__ import annotations

import datetime as dt
import difflib
import math
import sys
from functools import reduce
from operator import or_

import ibis
from ibis.expr.types import BooleanValue, Column, StringValue, Table

from clvmodels.core.errors import DataError, MissingColumnError
from pipelines.config import presets
from pipelines.config.load import Calendar, Columns, Log, Source
from pipelines.data.sales import currencies, orders, prices, selection
from pipelines.data.sales.found import Sales
from pipelines.sources.dialect import wall_clock
from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.failures import describe
from pipelines.sources.values import forms
from pipelines.sources.values.answers import is_granted
from pipelines.sources.values.forms import FORMS
from pipelines.sources.values.numbers import number_of

REASONS = (
    "kept",
    "not_kept",
    "no_order",
    "mixed_order",
    "other_currency",
    "no_id",
    "bad_date",
    "no_rate",
    "bad_amount",
    "bad_refund",
    "after_as_of",
    "past_retention",
    "non_product_code",
    "no_consent",
    "refund",
    "zero_value",
)
"""A reason's code is its place."""

STAND_IN = {reason: dt.date(1, 1, code) for code, reason in enumerate(REASONS) if code}
"""The day that lines set aside are grouped by: its day of the month is the reason."""

AROUND_IDS = " \t\n\r"
"""White space around an id is no part of it; any other, a no-break space too, is."""

CAPITALS = "".join(c for c in map(chr, range(0x530)) if c.lower() != c and len(c.lower()) == 1)
"""Capitals of the Latin, Greek and Cyrillic scripts, which every engine lowers by this list."""
WHITE_SPACE = " \t\n\r\v\f" + "".join(
    map(chr, (0xA0, *range(0x2000, 0x200C), 0x202F, 0x205F, 0x3000, 0xFEFF))
)
"""White space of any kind, that of no width too."""

LARGEST = sys.float_info.max
HUNDREDTHS = 100.0
LARGEST_FACTOR = math.sqrt(LARGEST)


def read(engine: Engine, log: Log) -> tuple[Table, Log]:
    """Read the source, and name the preset's columns as it does."""
    raw = engine.read(log.source, log.columns)
    return raw, log.of_header(raw.columns)


def stage(
    raw: Table, log: Log, as_of: dt.date | None, horizon: dt.date | None, sales: Sales
) -> Table:
    """Type the mapped columns and give every row its reason.

    Parameters
    ----------
    raw : ibis Table
        What :meth:`pipelines.sources.engines.base.Engine.read` returns.
    log : Log
        Column mapping, calendar and governance.
    as_of : date or None
        Rows after it are set aside; None keeps all.
    horizon : date or None
        Rows up to it are past retention.
    sales : Sales
        What was found out about orders and currencies.

    Returns
    -------
    ibis Table
        customer_id, date (of lines set aside :data:`STAND_IN`), amount; where mapped margin,
        transaction_id, channel, product_category, country, consent and the day it was said_on (of
        lines set aside too; null where unreadable); where duplicates are dropped copies, the number
        of equal rows that this one stands for; ``lines``, the number of lines of an order, where
        amounts are totals, and 0 for what was paid back of another line.

    Raises
    ------
    MissingColumnError
        If a mapped column is not in the table.
    """
    typed = valued(typed_lines(raw, log, sales), log, sales)
    # The day and the reason in one: a second key to group by costs more. Which of the tests it was
    # is asked only where one applies.
    asked = tests(typed, log, as_of, horizon, sales)
    stand_ins = [(test, ibis.literal(STAND_IN[reason])) for reason, test in asked]
    aside = reduce(or_, (test for _, test in asked))
    days = {"date": ibis.ifelse(aside, ibis.cases(*stand_ins), typed.date)}
    if "consent" in typed.columns:
        days["said_on"] = ibis.ifelse(readable(typed, log.calendar), typed.date, ibis.null("date"))
    staged = typed.mutate(**days)
    return staged.drop(*(name for name in _NEEDED_BEFORE if name in staged.columns))


_NEEDED_BEFORE = (
    "product_code", "sale", "turned", "mixed", "currency", "rate", "refunded", "refunded_on",
    "refund_unread", "cost", "tax", "shipping", "discount", "tip",
)  # fmt: skip
"""Columns that say what a line is; nothing after that reads them."""


def typed_lines(raw: Table, log: Log, sales: Sales) -> Table:
    """Return the mapped columns as they are typed; equal rows once where they count once."""
    require_columns(raw, log, describe(log.source))
    copies = {}
    if log.governance.duplicates == "drop":
        raw = raw.group_by(raw.columns).agg(clv_copies=ibis._.count())
        copies = {"copies": raw.clv_copies}
    return raw.select(**copies, **typed_fields(raw, log, sales))


def valued(typed: Table, log: Log, sales: Sales) -> Table:
    """Put lines of one order together where amounts are its total, and value what is left.

    Returns
    -------
    ibis Table
        With ``amount``, and ``margin`` where there is a cost, in the report's currency and of the
        sign that counts; a line more for everything that was paid back.
    """
    lines = orders.collapsed(typed) if sales.per_order else typed
    if sales.attributed is not None and log.attribution is not None:
        lines = orders.attributed(lines, sales.attributed, log.attribution)
    lines = prices.adjusted(lines, log.columns, log.governance)
    if sales.rates is not None:
        lines = prices.converted(lines, sales.rates.factor(lines))
    if "cost" in lines.columns:
        lines = lines.mutate(margin=prices.margin_of(lines.amount, lines.cost))
    return prices.with_paid_back(lines) if "refunded" in lines.columns else lines


def kept(table: Table) -> BooleanValue:
    """Return whether staged lines, or days made of them, are kept."""
    return table.date > ibis.literal(max(STAND_IN.values()))


def typed_fields(raw: Table, log: Log, sales: Sales) -> dict[str, Column]:
    """Return the mapped columns of a raw table, each of its type; null where unreadable.

    Where amounts are totals of orders, what a line leaves blank the others of its order say.
    """
    columns, governance, place = log.columns, log.governance, describe(log.source)
    form = sales.date_forms.get(columns.timestamp, columns.date_format)
    fields: dict[str, Column] = {
        "customer_id": customer_ids(raw[columns.customer_id], columns.fold_ids),
        "date": local_dates(raw[columns.timestamp], log.calendar, form, place),
        "amount": amounts(raw, columns, log.source, place),
    }
    if columns.transaction_id is not None:
        fields["transaction_id"] = customer_ids(raw[columns.transaction_id])
    for key in ("margin", "cost"):
        if (source_name := getattr(columns, key)) is not None:
            value = money(raw[source_name], log.source, place)
            fields[key] = ibis.ifelse(finite(value), value, ibis.null("float64"))
    for name, source_name in columns.named_dimensions.items():
        fields[name] = raw[source_name].cast("string")
    if columns.consent is not None and governance.consent != "ignore":
        said = raw[columns.consent]
        fields["consent"] = said
        if sales.per_order:
            fields["consent"] = ibis.ifelse(
                selection.is_blank(said), ibis.null("boolean"), is_granted(said, engine_of(said))
            )
    if columns.product_code is not None:
        fields["product_code"] = selection.word(raw[columns.product_code])
    if governance.keep:
        fields["sale"] = selection.is_kept(raw, governance.keep, blank=sales.per_order)
    if governance.refund_rows:
        fields["turned"] = selection.is_any_of(raw, governance.refund_rows)
    if columns.currency is not None:
        fields["currency"] = currencies.codes(raw[columns.currency])
    return fields | _price_fields(raw, log, sales, place)


def _price_fields(raw: Table, log: Log, sales: Sales, place: str) -> dict[str, Column]:
    """Return the parts of a price, and what was paid back."""
    columns = log.columns
    fields = {part: money(raw[name], log.source, place) for part, name in columns.parts.items()}
    if columns.refunded is not None:
        given = raw[columns.refunded]
        value = money(given, log.source, place).abs()
        fields["refunded"] = value
        fields["refund_unread"] = ~selection.is_blank(given) & value.isnull()
    if columns.refunded_at is not None:
        given = raw[columns.refunded_at]
        form = sales.date_forms.get(columns.refunded_at, columns.date_format)
        fields["refunded_on"] = local_dates(given, log.calendar, form, place)
        unread = ~selection.is_blank(given) & fields["refunded_on"].isnull()
        fields["refund_unread"] = fields["refund_unread"] | unread
    return fields


def require_columns(raw: Table, log: Log, place: str) -> None:
    """Raise MissingColumnError unless the raw table has every column that is mapped."""
    missing = {key: name for key, name in mapped_columns(log).items() if name not in raw.columns}
    if not missing:
        return
    hints, of_preset = [], []
    for key, name in missing.items():
        close = difflib.get_close_matches(name, raw.columns, n=3, cutoff=0.5)
        names = " or ".join(f"'{one}'" for one in close)
        hint = f" (did you mean {names}?)" if close else ""
        whose = ""
        if log.source.preset is not None and key.startswith(log.preset_keys):
            whose = f" of the preset '{log.source.preset}'"
            of_preset.append(key)
        hints.append(f"'{name}', mapped by {key}{whose}{hint}")
    if log.source.preset is not None and of_preset:
        remedy = presets.remedy(log.source.preset, of_preset)
        raise MissingColumnError(place, hints, list(raw.columns), remedy)
    raise MissingColumnError(place, hints, list(raw.columns))


def mapped_columns(log: Log) -> dict[str, str]:
    """Return what the configuration maps: key -> name in the source."""
    keys = log.columns.model_dump(
        exclude={"date_format", "dimensions", "fold_ids"}, exclude_none=True
    )
    keys |= {f"dimensions.{name}": column for name, column in log.columns.dimensions.items()}
    mapped = {f"columns.{key}": str(name) for key, name in keys.items()}
    for key in ("keep", "refund_rows"):
        named = getattr(log.governance, key)
        mapped |= {f"governance.{key}.{name}": name for name in named}
    return mapped


def folded(ids: StringValue) -> StringValue:
    """Return ids without white space, capitals lowered: alike where people take them for one."""
    lowered = ids.translate(CAPITALS, CAPITALS.lower())
    return lowered.re_replace(f"[{WHITE_SPACE}]+", "").nullif("")


def folded_text(text: str) -> str:
    """Return one id as :func:`folded` does."""
    lowered = text.translate(str.maketrans(CAPITALS, CAPITALS.lower()))
    return lowered.translate(dict.fromkeys(map(ord, WHITE_SPACE)))


def customer_ids(column: Column, fold: bool = False) -> Column:
    """Return ids as text, :data:`AROUND_IDS` removed around them, null where there is none.

    With ``fold``, ids that differ only in case or white space are one (:func:`folded`).

    Leading zeros stay. Whole numbers that a file keeps as floats (13085.0, what pandas makes of
    an integer column with gaps) become whole numbers again; a float that is none, or too large
    to tell it from the next, is no id, since rounding it would name another customer.
    """
    kind = column.type()
    if kind.is_floating():
        exact = 2.0**24 if kind.is_float32() else 2.0**53
        whole = column.between(1 - exact, exact - 1) & (column == column.floor())
        return ibis.ifelse(whole, column, ibis.null(kind)).cast("int64").cast("string")
    text = column.cast("string")
    if fold:
        return folded(text)
    # Tests that are seldom met: stripping every id costs more than reading it. A text that is
    # empty or begins with a space, a tab or the like has a first code of at most 32.
    padded = reduce(or_, (text.endswith(space) for space in AROUND_IDS), text.ascii_str() <= 32)
    # Not strip(): what it takes for a space is not the same on every engine.
    stripped = text.re_replace(f"^[{AROUND_IDS}]+|[{AROUND_IDS}]+$", "")
    return ibis.ifelse(padded, stripped.nullif(""), text)


def local_dates(column: Column, calendar: Calendar, form: str | None, place: str) -> Column:
    """Return the calendar day of a time in the business's time zone; null where unreadable.

    Parameters
    ----------
    column : ibis Column
    calendar : Calendar
        Its time zones.
    form : str, optional
        A strptime format, or a key of :data:`pipelines.sources.values.forms.FORMS`, for days kept
        as text or numbers; None is ISO 8601.
    place : str
        What is read, for messages.
    """
    kind = column.type()
    zone, source_zone = calendar.time_zone, calendar.local_zone_of_source
    if kind.is_date():
        return column
    engine = engine_of(column)
    if kind.is_timestamp() and kind.timezone is not None:
        return wall_clock(column, zone).date()
    if kind.is_timestamp():
        return engine.shift(column, source_zone, zone).date()
    if kind.is_string() or (kind.is_numeric() and form is not None):
        text = engine.stripped(column.cast("string"))
        if form in FORMS:
            return forms.day_of(text, form, source_zone, zone, engine)
        return engine.day_of(text, form, source_zone, zone)
    raise DataError(
        f"{place}: column '{column.get_name()}' holds {kind}, expected dates or "
        "times; for dates kept as numbers or text set columns.date_format, e.g. '%Y%m%d'"
    )


def number(column: Column, decimal: str, place: str) -> Column:
    """Return a number; null where the text is none."""
    kind = column.type()
    if kind.is_string():
        return number_of(engine_of(column).stripped(column), decimal)
    if not kind.is_numeric():
        raise DataError(f"{place}: column '{column.get_name()}' holds {kind}, expected numbers")
    return column.cast("float64")


def money(column: Column, source: Source, place: str) -> Column:
    """Return an amount of money in the currency's units; null where the text is none."""
    value = number(column, source.decimal, place)
    return value / HUNDREDTHS if source.minor_units else value


def finite(value: Column, largest: float = LARGEST) -> BooleanValue:
    """Return whether a number is finite; null where there is none."""
    # One comparison in place of two tests: what is no number sorts above all on every engine.
    return value.between(-largest, largest)


def amounts(raw: Table, columns: Columns, source: Source, place: str) -> Column:
    """Return the amount column, or quantity x price; null where the product is out of range."""
    whole = columns.amount or columns.order_total
    if whole is not None:
        return money(raw[whole], source, place)
    quantity = number(raw[columns.quantity], source.decimal, place)
    price = money(raw[columns.price], source, place)
    # asked of the factors: PostgreSQL raises where a product overflows
    small = finite(quantity, LARGEST_FACTOR) & finite(price, LARGEST_FACTOR)
    return ibis.ifelse(small, quantity, ibis.null("float64")) * price


def reason_codes(lines: Table, log: Log, as_of: dt.date | None, sales: Sales) -> Column:
    """Return the code of the first reason, retention aside, of each typed row; 0 for rows kept."""
    asked = tests(lines, log, as_of, None, sales)
    codes = [(test, REASONS.index(reason)) for reason, test in asked]
    return ibis.cases(*codes, else_=0).cast("int8")


def readable(lines: Table, calendar: Calendar) -> BooleanValue:
    """Return whether the day of a typed row lies in the calendar; null where there is none."""
    latest = calendar.latest or dt.date.today() + dt.timedelta(days=1)
    return lines.date.between(ibis.literal(calendar.earliest), ibis.literal(latest))


def tests(
    lines: Table, log: Log, as_of: dt.date | None, horizon: dt.date | None, sales: Sales
) -> list[tuple[str, BooleanValue]]:
    """Return what sets a typed row aside, in the order in which it is asked."""
    governance, calendar = log.governance, log.calendar
    found = _tests_of_sales(lines, sales)
    found |= {
        "no_id": lines.customer_id.isnull(),
        "bad_date": lines.date.isnull() | ~readable(lines, calendar),
        "bad_amount": lines.amount.isnull() | ~finite(lines.amount),
    }
    if sales.rates is not None and not sales.rates.only:
        # before the amount, of which nothing is left without a rate
        found["no_rate"] = readable(lines, calendar).fill_null(False) & lines.rate.isnull()
    if "refund_unread" in lines.columns:
        found["bad_refund"] = lines.refund_unread
    if as_of is not None:
        found["after_as_of"] = lines.date > ibis.literal(as_of)
    if horizon is not None:
        found["past_retention"] = lines.date <= ibis.literal(horizon)
    if "product_code" in lines.columns:
        codes = [code.strip().lower() for code in governance.non_product_codes]
        found["non_product_code"] = lines.product_code.isin(codes)
    if governance.refunds != "net":
        found["refund"] = lines.amount < 0
    if governance.zero_value == "drop":
        found["zero_value"] = lines.amount == 0
    return [(reason, found[reason]) for reason in REASONS if reason in found]


def _tests_of_sales(lines: Table, sales: Sales) -> dict[str, BooleanValue]:
    """Return the tests of what is no sale, of no order, or not in the report's currency."""
    found: dict[str, BooleanValue] = {}
    if "sale" in lines.columns:
        found["not_kept"] = ~lines.sale.fill_null(False)
    if sales.per_order:
        found["no_order"] = lines.transaction_id.isnull()
        found["mixed_order"] = lines.mixed
    if sales.rates is not None and sales.rates.only:
        found["other_currency"] = ~currencies.is_of(lines.currency, sales.rates.currency)
    return found
