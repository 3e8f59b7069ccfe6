"""What the rows that cannot be read have in common, and the money that they may hold.

Rows that are lost at random lower every figure alike. Rows that are lost for what they are bias it:
all refunds, the largest orders, one month, one way of writing amounts.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, FloatingValue, StringValue, Table

from pipelines.config.load import Log
from pipelines.data import lines
from pipelines.data.quality.preview import coded_rows
from pipelines.data.sales.found import Sales
from pipelines.sources.dialect import month_start
from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.lookup import engine_of

BAD = ("no_order", "mixed_order", "bad_date", "bad_amount", "bad_refund", "no_rate")
"""Reasons for which a row that is one cannot be read."""
ALIKE = 0.8
"""Share of the bad rows that has a trait for it to be what they have in common."""
CERTAIN = 7.0
"""Of a trait, rows times the Kullback-Leibler divergence of its share among the bad rows from that
among those kept: chance gives so much less often than once in a thousand logs (Chernoff)."""
LARGE = 0.95
"""Quantile of the customer-days kept from which on an order is among the largest."""
SHORT = 8
"""Characters of a form that are shown: a longer one may be a remark on a person."""

_NUMBER = "[0-9]([0-9.,' \u00a0\u202f]*[0-9])?"
_REFUND = (
    "^[^0-9]*[-(\u2212\u2013]|[-)\u2212\u2013][^0-9]*$"
    "|(^|[^a-z])(cr|credit|refund|refunded|return|returned|storno|gutschrift)([^a-z]|$)"
)


@dataclass(frozen=True)
class Trait:
    """What most bad rows have in common.

    Attributes
    ----------
    name : str
        In words: ``refunds``, ``in 2023-05``.
    rows : int
        Bad rows that have it.
    lost : float
        Share of the trait's own money, as far as it can be told, that is in bad rows.
    """

    name: str
    rows: int
    lost: float


@dataclass(frozen=True)
class Unread:
    """The rows that cannot be read.

    Attributes
    ----------
    rows : int
    money : float
        What they may hold, in currency and without sign: the digits that their amounts show, and
        the mean of a row kept where there are none.
    share : float
        Of all money, read and unread, without signs.
    traits : tuple of Trait
    """

    rows: int
    money: float
    share: float
    traits: tuple[Trait, ...]


def look(
    engine: Engine,
    raw: Table,
    log: Log,
    as_of: dt.date | None,
    days: Table,
    set_aside: Mapping[str, int],
    sales: Sales,
) -> Unread | None:
    """Look at the bad dates and amounts of a log; None where every row can be read.

    Parameters
    ----------
    engine : Engine
    raw : ibis Table
        As read.
    log : Log
    as_of : date or None
    days : ibis Table
        Customer-days of the rows kept.
    set_aside : mapping of str to int
        Rows by reason; the log is read again only where some are bad.
    sales : Sales
        What was found out about orders and currencies.
    """
    if not any(reason in set_aside for reason in ("unreadable", *BAD)):
        return None
    bad = engine.materialise(_bad_rows(raw, log, as_of, sales))
    found = _facts(bad)
    kept = _facts_of_kept(days)
    rows = int(found["rows"]) + set_aside.get("unreadable", 0)
    mean = kept["money"] / kept["rows"] if kept["rows"] else 0.0
    money = found["money"] + mean * (rows - found["told"])
    traits = []
    if found["rows"]:
        asked = [
            _refunds(bad, days, kept, mean),
            _largest(bad, days, kept, mean),
            _form(bad),
            *(_group(bad, days, kept, name, mean) for name in _groups(bad, days)),
        ]
        traits = [trait for trait in asked if trait is not None]
    whole = kept["money"] + money
    return Unread(rows, round(money, 2), money / whole if whole else 0.0, tuple(traits))


def _bad_rows(raw: Table, log: Log, as_of: dt.date | None, sales: Sales) -> Table:
    """The bad rows: month (null where unreadable), refund, money without sign, form, dimensions."""
    column = log.columns.amount or log.columns.order_total
    text = ibis.literal("") if column is None else raw[column].cast("string")
    typed = raw.select(
        **lines.typed_fields(raw, log, sales),
        written=engine_of(raw).stripped(text.fill_null("").lower()),
    )
    coded = coded_rows(typed, log, as_of, sales)
    bad = coded.filter(coded.reason.isin([lines.REASONS.index(name) for name in BAD]))
    readable = lines.finite(bad.amount).fill_null(False)
    dated = lines.readable(bad, log.calendar).fill_null(False)
    month = ibis.ifelse(dated, month_start(bad.date).cast("string"), ibis.null("string"))
    form = ibis.ifelse(
        ~readable & bad.written.re_search("[0-9]"),
        bad.written.re_replace(f"[0-9 {log.source.decimal}]", "").re_replace(",+", ","),
        ibis.null("string"),
    )
    return bad.select(
        month=month,
        refund=ibis.ifelse(readable, bad.amount < 0, bad.written.re_search(_REFUND)),
        money=ibis.ifelse(readable, bad.amount.abs(), _shown(bad.written)),
        form=form,
        **{name: bad[name] for name in log.dimensions if name in bad.columns},
    )


def _shown(text: StringValue) -> FloatingValue:
    """The number whose digits a text shows, whatever is around it; null where it shows none."""
    part = text.re_extract(_NUMBER, 0).fill_null("")
    cents = part.re_extract("[.,]([0-9]{1,2})$", 1).fill_null("").length()
    digits = part.re_replace("[^0-9]", "")
    whole = ibis.ifelse(digits.length().between(1, 15), digits, ibis.null("string"))
    return whole.cast("float64") / ibis.cases((cents == 1, 10.0), (cents == 2, 100.0), else_=1.0)


def _facts(bad: Table) -> dict[str, float]:
    return _numbers(bad.agg(rows=bad.count(), money=bad.money.sum(), told=bad.money.count()))


def _facts_of_kept(days: Table) -> dict[str, float]:
    return _numbers(
        days.agg(
            days=days.count(),
            rows=days.rows.sum(),
            money=days.amount.abs().sum(),
            large=days.amount.quantile(LARGE),
        )
    )


def _numbers(sums: Table) -> dict[str, float]:
    row = sums.execute().iloc[0].to_dict()
    return {
        name: 0.0 if value is None or value != value else float(value)
        for name, value in row.items()
    }


def _trait(
    name: str,
    bad: Table,
    is_so: BooleanValue,
    days: Table,
    so_kept: BooleanValue,
    kept: dict[str, float],
    mean: float,
) -> Trait | None:
    """A trait, where the bad rows have it in common and more often than those kept."""
    so = is_so.fill_null(False)
    found = _numbers(
        bad.agg(rows=bad.count(), alike=so.sum(), money=bad.money.fill_null(mean).sum(where=so))
    )
    usual = so_kept.fill_null(False)
    others = _numbers(days.agg(days=usual.sum(), money=days.amount.abs().sum(where=usual)))
    share = found["alike"] / found["rows"]
    base = (others["days"] + 1) / (kept["days"] + 2)
    if share < ALIKE or share <= base or found["rows"] * _divergence(share, base) < CERTAIN:
        return None
    whole = found["money"] + others["money"]
    return Trait(name, int(found["alike"]), found["money"] / whole if whole else 0.0)


def _divergence(share: float, base: float) -> float:
    """Kullback-Leibler divergence of two shares, in nats."""
    rest = (1 - share) * math.log((1 - share) / (1 - base)) if share < 1 else 0.0
    return share * math.log(share / base) + rest


def _refunds(bad: Table, days: Table, kept: dict[str, float], mean: float) -> Trait | None:
    return _trait("refunds", bad, bad.refund, days, days.amount < 0, kept, mean)


def _largest(bad: Table, days: Table, kept: dict[str, float], mean: float) -> Trait | None:
    least = kept["large"]
    name = f"among the largest orders, from {least:,.2f} on"
    return _trait(
        name, bad, (bad.money > least) & ~bad.refund, days, days.amount > least, kept, mean
    )


def _form(bad: Table) -> Trait | None:
    """One way of writing amounts, which no row that is read has."""
    written = bad.filter(bad.form.fill_null("") != "")
    forms = written.group_by("form").agg(rows=_.count())
    common = forms.order_by([_.rows.desc(), _.form]).limit(1).execute()
    everyone = int(bad.count().execute())
    if common.empty or common["rows"].iloc[0] < max(ALIKE * everyone, 3):
        return None
    form = common["form"].iloc[0]
    name = f"written with {form!r}" if len(form) <= SHORT else "written in one form"
    return Trait(name, int(common["rows"].iloc[0]), 1.0)


def _groups(bad: Table, days: Table) -> list[str]:
    return ["month", *(set(bad.columns) & set(days.columns))]


def _group(bad: Table, days: Table, kept: dict[str, float], name: str, mean: float) -> Trait | None:
    """The month, or the value of a dimension, that most bad rows have."""
    values = bad.filter(bad[name].notnull()).group_by(value=bad[name]).agg(rows=_.count())
    common = values.order_by([_.rows.desc(), _.value]).limit(1).execute()
    if common.empty:
        return None
    value = str(common["value"].iloc[0])
    of_days: Any = month_start(days.date).cast("string") if name == "month" else days[name]
    said = f"in {value[:7]}" if name == "month" else f"of {name} {value!r}"
    return _trait(said, bad, bad[name] == value, days, of_days == value, kept, mean)
