"""Lines told apart by what a column says of them: sales or none, refunds whatever their sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_, or_

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Column, StringValue, Table

from pipelines.sources.engines.lookup import engine_of

NOTHING = "(empty)"
"""How a value that is missing is shown."""

SHOWN = 12
"""Values of a column that are told one by one."""


def word(column: Column) -> StringValue:
    """Return what a line says in a column: text without spaces around it, case ignored."""
    return engine_of(column).stripped(column.cast("string")).lower().fill_null("")


def is_blank(column: Column) -> BooleanValue:
    """Return whether a line says nothing in a column."""
    return word(column) == "" if column.type().is_string() else column.isnull()


def is_any_of(raw: Table, wanted: Mapping[str, Iterable[str]]) -> BooleanValue:
    """Return whether a line bears one of the values of any column."""
    tests = [word(raw[name]).isin(_words(values)) for name, values in wanted.items()]
    return reduce(or_, tests)


def is_kept(raw: Table, wanted: Mapping[str, Iterable[str]], blank: bool) -> BooleanValue:
    """Return whether a line bears one of the values of every column.

    Parameters
    ----------
    raw : ibis Table
    wanted : mapping of str to iterable of str
        Column -> values; ``""`` stands for none.
    blank : bool
        Null where a column is blank: the other lines of the order decide.
    """
    tests = []
    for name, values in wanted.items():
        said = word(raw[name])
        test = said.isin(_words(values))
        tests.append(ibis.ifelse(said == "", ibis.null("boolean"), test) if blank else test)
    return reduce(and_, tests)


def by_value(table: Table) -> dict[str, dict[str, float]]:
    """Count rows and money by what a column says, the commonest first.

    Parameters
    ----------
    table : ibis Table
        ``value`` (:func:`word`), ``amount`` and ``rows``, the lines that it stands for.

    Returns
    -------
    dict
        Value -> ``rows`` and ``amount``; beyond :data:`SHOWN` the others together.
    """
    sums = table.group_by("value").agg(
        rows=_.rows.sum(), amount=_.amount.sum().fill_null(0.0).round(2)
    )
    frame = sums.execute().sort_values(["rows", "value"], ascending=[False, True])
    told = {
        str(row.value) or NOTHING: {"rows": int(row.rows), "amount": float(row.amount)}
        for row in frame.head(SHOWN).itertuples()
    }
    rest = frame.iloc[SHOWN:]
    if len(rest):
        told[f"({len(rest)} other values)"] = {
            "rows": int(rest["rows"].sum()),
            "amount": round(float(rest["amount"].sum()), 2),
        }
    return told


def _words(values: Iterable[str]) -> list[str]:
    return [value.strip().lower() for value in values]
