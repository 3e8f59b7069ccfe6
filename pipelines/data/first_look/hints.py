"""What would read the rows that cannot be read: told by their values."""

from __future__ import annotations

from collections.abc import Mapping

from ibis import _
from ibis.expr.types import Column, Table

from clvmodels.core.errors import DataError
from pipelines.config.load import Log
from pipelines.data.first_look import amounts, dates
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.failures import describe
from pipelines.sources.values import forms

VALUES = 200
"""Values looked at."""


def hints(raw: Table, log: Log, set_aside: Mapping[str, int]) -> dict[str, str]:
    """Return a sentence for each reason whose values tell of a remedy.

    Parameters
    ----------
    raw : ibis Table
    log : Log
    set_aside : mapping of str to int
        Rows by reason.
    """
    found: dict[str, str | None] = {}
    if set_aside.get("bad_date"):
        found["bad_date"] = _of_dates(raw[log.columns.timestamp], log)
    column = log.columns.amount or log.columns.order_total or log.columns.price
    if set_aside.get("bad_amount") and column is not None and raw[column].type().is_string():
        found["bad_amount"] = amounts.hint(_values(raw[column]), log.source.decimal)
    return {reason: said for reason, said in found.items() if said is not None}


def _of_dates(column: Column, log: Log) -> str | None:
    given = log.columns.date_format
    try:
        form = dates.form_of(column, log.calendar, describe(log.source))
    except DataError as error:
        return str(error).split(": ", 1)[1]
    values = _values(column)
    shown = ", ".join(repr(value) for value in values[:2])
    if form is not None and form != given:
        return f"{shown} can be read with columns.date_format = '{form}' ({forms.FORMS[form].said})"
    if form is None and given is not None and values:
        return f"{shown} may be read without columns.date_format ({given!r})"
    return None


def _values(column: Column) -> list[str]:
    """The first different values of a column, as text."""
    text = engine_of(column).stripped(column.cast("string"))
    table = text.name("text").as_table().filter(_.text.notnull() & (_.text != ""))
    return [str(value) for value in table.limit(VALUES).execute()["text"]]
