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
from ibis.expr.types import BooleanValue, Column, Table

from clvmodels.core.errors import DataError, MissingColumnError
from pipelines.config.load import Config
from pipelines.sources.dialect import shift, wall_clock
from pipelines.sources.read import describe
from pipelines.sources.text_values import day_of, number_of

REASONS = (
    "kept",
    "no_id",
    "bad_date",
    "bad_amount",
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

LARGEST = sys.float_info.max
LARGEST_FACTOR = math.sqrt(LARGEST)

DIMENSIONS = ("channel", "product_category", "country")


def stage(
    raw: Table, config: Config, as_of: dt.date | None, horizon: dt.date | None, engine: str
) -> Table:
    """Type the mapped columns and give every row its reason.

    Parameters
    ----------
    raw : ibis Table
        What :func:`pipelines.sources.read.read` returns.
    config : Config
        Column mapping, calendar and governance.
    as_of : date or None
        Rows after it are set aside; None keeps all.
    horizon : date or None
        Rows up to it are past retention.
    engine : str
        ``BaseBackend.name``.

    Returns
    -------
    ibis Table
        customer_id, date (of lines set aside :data:`STAND_IN`), amount; where mapped margin,
        channel, product_category, country, consent and the day it was said_on (of lines set aside
        too; null where unreadable); where duplicates are dropped copies, the number of equal rows
        that this one stands for.

    Raises
    ------
    MissingColumnError
        If a mapped column is not in the table.
    """
    require_columns(raw, config)
    copies = {}
    if config.governance.duplicates == "drop":
        raw = raw.group_by(raw.columns).agg(clv_copies=ibis._.count())
        copies = {"copies": raw.clv_copies}
    typed = raw.select(**copies, **typed_fields(raw, config, engine))
    # The day and the reason in one: a second key to group by costs more. Which of the tests it was
    # is asked only where one applies.
    asked = tests(typed, config, as_of, horizon)
    stand_ins = [(test, ibis.literal(STAND_IN[reason])) for reason, test in asked]
    aside = reduce(or_, (test for _, test in asked))
    days = {"date": ibis.ifelse(aside, ibis.cases(*stand_ins), typed.date)}
    if "consent" in typed.columns:
        days["said_on"] = ibis.ifelse(readable(typed, config), typed.date, ibis.null("date"))
    staged = typed.mutate(**days)
    return staged.drop("product_code") if "product_code" in staged.columns else staged


def kept(table: Table) -> BooleanValue:
    """Return whether staged lines, or days made of them, are kept."""
    return table.date > ibis.literal(max(STAND_IN.values()))


def typed_fields(raw: Table, config: Config, engine: str) -> dict[str, Column]:
    """Return the mapped columns of a raw table, each of its type; null where unreadable."""
    columns = config.columns
    fields: dict[str, Column] = {
        "customer_id": customer_ids(raw[columns.customer_id]),
        "date": local_dates(raw[columns.timestamp], config, engine),
        "amount": amounts(raw, config),
    }
    if columns.margin is not None:
        margin = number(raw[columns.margin], config)
        fields["margin"] = ibis.ifelse(finite(margin), margin, ibis.null("float64"))
    for name in DIMENSIONS:
        source_name = getattr(columns, name)
        if source_name is not None:
            fields[name] = raw[source_name].cast("string")
    if columns.consent is not None and config.governance.consent != "ignore":
        fields["consent"] = raw[columns.consent]
    if columns.product_code is not None:
        fields["product_code"] = raw[columns.product_code].cast("string").strip().upper()
    return fields


def require_columns(raw: Table, config: Config) -> None:
    """Raise MissingColumnError unless the raw table has every column that [columns] names."""
    missing = {key: name for key, name in mapped_columns(config).items() if name not in raw.columns}
    if not missing:
        return
    hints = []
    for key, name in missing.items():
        close = difflib.get_close_matches(name, raw.columns, n=1, cutoff=0.5)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        hints.append(f"'{name}', mapped by columns.{key}{hint}")
    raise MissingColumnError(describe(config.source), hints, list(raw.columns))


def mapped_columns(config: Config) -> dict[str, str]:
    """Return what [columns] maps: key -> name in the source."""
    keys = config.columns.model_dump(exclude={"date_format"}, exclude_none=True)
    return {key: str(name) for key, name in keys.items()}


def customer_ids(column: Column) -> Column:
    """Return ids as text, :data:`AROUND_IDS` removed around them, null where there is none.

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
    # Tests that are seldom met: stripping every id costs more than reading it. A text that is
    # empty or begins with a space, a tab or the like has a first code of at most 32.
    padded = reduce(or_, (text.endswith(space) for space in AROUND_IDS), text.ascii_str() <= 32)
    # Not strip(): what it takes for a space is not the same on every engine.
    stripped = text.re_replace(f"^[{AROUND_IDS}]+|[{AROUND_IDS}]+$", "")
    return ibis.ifelse(padded, stripped.nullif(""), text)


def local_dates(column: Column, config: Config, engine: str) -> Column:
    """Return the calendar day of a time in the business's time zone; null where unreadable."""
    kind = column.type()
    zone, source_zone = config.calendar.time_zone, config.calendar.local_zone_of_source
    pattern = config.columns.date_format
    if kind.is_date():
        return column
    if kind.is_timestamp() and kind.timezone is not None:
        return wall_clock(column, zone).date()
    if kind.is_timestamp():
        return shift(column, source_zone, zone, engine).date()
    if kind.is_string():
        return day_of(column, pattern, source_zone, zone, engine)
    if kind.is_integer() and pattern is not None:
        return day_of(column.cast("string"), pattern, source_zone, zone, engine)
    raise DataError(
        f"{describe(config.source)}: column '{column.get_name()}' holds {kind}, expected dates or "
        "times; for dates kept as numbers or text set columns.date_format, e.g. '%Y%m%d'"
    )


def number(column: Column, config: Config) -> Column:
    """Return a number; null where the text is none."""
    kind = column.type()
    if kind.is_string():
        return number_of(column, config.source.decimal)
    if not kind.is_numeric():
        raise DataError(
            f"{describe(config.source)}: column '{column.get_name()}' holds {kind}, "
            "expected numbers"
        )
    return column.cast("float64")


def finite(value: Column, largest: float = LARGEST) -> BooleanValue:
    """Return whether a number is finite; null where there is none."""
    # One comparison in place of two tests: what is no number sorts above all on every engine.
    return value.between(-largest, largest)


def amounts(raw: Table, config: Config) -> Column:
    """Return the amount column, or quantity x price; null where the product is out of range."""
    columns = config.columns
    if columns.amount is not None:
        return number(raw[columns.amount], config)
    quantity, price = (number(raw[name], config) for name in (columns.quantity, columns.price))
    # asked of the factors: PostgreSQL raises where a product overflows
    small = finite(quantity, LARGEST_FACTOR) & finite(price, LARGEST_FACTOR)
    return ibis.ifelse(small, quantity, ibis.null("float64")) * price


def reason_codes(lines: Table, config: Config, as_of: dt.date | None) -> Column:
    """Return the code of the first reason, retention aside, of each typed row; 0 for rows kept."""
    codes = [(test, REASONS.index(reason)) for reason, test in tests(lines, config, as_of, None)]
    return ibis.cases(*codes, else_=0).cast("int8")


def readable(lines: Table, config: Config) -> BooleanValue:
    """Return whether the day of a typed row lies in the calendar; null where there is none."""
    latest = config.calendar.latest or dt.date.today() + dt.timedelta(days=1)
    return lines.date.between(ibis.literal(config.calendar.earliest), ibis.literal(latest))


def tests(
    lines: Table, config: Config, as_of: dt.date | None, horizon: dt.date | None
) -> list[tuple[str, BooleanValue]]:
    """Return what sets a typed row aside, in the order in which it is asked."""
    governance = config.governance
    found: dict[str, BooleanValue] = {
        "no_id": lines.customer_id.isnull(),
        "bad_date": lines.date.isnull() | ~readable(lines, config),
        "bad_amount": lines.amount.isnull() | ~finite(lines.amount),
    }
    if as_of is not None:
        found["after_as_of"] = lines.date > ibis.literal(as_of)
    if horizon is not None:
        found["past_retention"] = lines.date <= ibis.literal(horizon)
    if "product_code" in lines.columns:
        codes = [code.strip().upper() for code in governance.non_product_codes]
        found["non_product_code"] = lines.product_code.isin(codes)
    if governance.refunds != "net":
        found["refund"] = lines.amount < 0
    if governance.zero_value == "drop":
        found["zero_value"] = lines.amount == 0
    return list(found.items())
