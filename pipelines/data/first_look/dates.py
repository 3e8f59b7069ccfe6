"""Which form the days of a column are written in, told by the whole column."""

from __future__ import annotations

from ibis import _
from ibis.expr.types import Column, StringValue

from clvmodels.core.errors import DataError
from pipelines.config.load import Calendar
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.values import forms

SAMPLE = 1000
"""Rows that tell whether a column is in ISO 8601, as most are: then no other form is looked for."""

LEAST_SHARE = 0.9
"""Of the values of a column, those that have to be of one form; the others are bad dates."""

WITHOUT_DAY = ("year_month", "month_year", "iso_week")


def form_of(column: Column, calendar: Calendar, place: str) -> str | None:
    """Return the form of a column of days (a key of ``FORMS``); None where ISO 8601 reads it.

    Parameters
    ----------
    column : ibis Column
        Of a table of the engine.
    calendar : Calendar
    place : str
        What is read, for messages.

    Raises
    ------
    DataError
        If day and month cannot be told apart, or contradict each other; two values are shown.
    """
    kind = column.type()
    if not (kind.is_string() or kind.is_integer() or kind.is_floating() or kind.is_decimal()):
        return None
    engine = engine_of(column)
    text = engine.stripped(column.cast("string"))
    zones = calendar.local_zone_of_source, calendar.time_zone
    table = text.name("text").as_table().filter(_.text.notnull() & (_.text != ""))
    if kind.is_string():
        some = table.limit(SAMPLE)
        iso = engine.day_of(some.text, None, *zones)
        facts = some.agg(all=some.count(), read=iso.count()).execute().iloc[0]
        if facts["all"] == facts["read"]:
            return None
    patterns = {form.whole for form in forms.FORMS.values()}
    seen = {pattern: table.text.re_search(pattern).any() for pattern in sorted(patterns)}
    some_match = table.agg(**seen).execute().iloc[0]
    possible = [name for name, form in forms.FORMS.items() if some_match[form.whole]]
    if not possible:
        return None
    days = {name: forms.day_of(table.text, name, *zones, engine) for name in possible}
    if kind.is_string():
        days["iso"] = engine.day_of(table.text, None, *zones)
    counted = {name: day.count() for name, day in days.items()}
    either = {}
    if "dmy" in days:  # and so "mdy", which has the same pattern
        either["dmy_alone"] = (days["dmy"].notnull() & days["mdy"].isnull()).sum().fill_null(0)
        either["mdy_alone"] = (days["mdy"].notnull() & days["dmy"].isnull()).sum().fill_null(0)
    facts = table.agg(all=table.count(), **counted, **either).execute().iloc[0]
    best = max(days, key=lambda name: int(facts[name]))
    of_two = best in ("dmy", "mdy")
    read = int(facts[best])
    if of_two:  # what one of both reads is of this kind
        read = int(facts["dmy"]) + int(facts["mdy_alone"])
    if not facts["all"] or read < LEAST_SHARE * facts["all"] or best == "iso":
        return None
    if of_two:
        alone = int(facts["dmy_alone"]), int(facts["mdy_alone"])
        _tell_apart(table.text, *alone, column.get_name(), place)
    return best


def _tell_apart(text: StringValue, first: int, second: int, name: str, place: str) -> None:
    """Raise unless some value says which number is the day, and none contradicts it.

    ``first`` and ``second`` are how many values have a day above 12 in that place.
    """
    if (first > 0) != (second > 0):
        return
    shown = text.name("text").as_table().distinct().order_by("text").limit(2).execute()["text"]
    values = " and ".join(repr(value) for value in shown)
    why = (
        "day and month change places"
        if first
        else "day and month cannot be told apart, as no value has a day above 12"
    )
    raise DataError(
        f"{place}: column '{name}' holds dates such as {values}, in which {why}. Set "
        "columns.date_format to 'dmy' (day, month, year) or 'mdy' (month, day, year), or to a "
        "format such as '%d/%m/%Y %H:%M'"
    )


def note(name: str, form: str) -> str:
    """Say how days are read."""
    lost = "; which day it was is not known" if form in WITHOUT_DAY else ""
    return f"dates in '{name}' are read as {forms.FORMS[form].said}{lost} (date_format = '{form}')"
