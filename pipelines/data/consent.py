"""Who may be profiled: consent as a column of the log, or as a log of grants and withdrawals.

What counts is the last word known at the as-of date, for the whole history of the customer. On a
day that holds both a grant and a withdrawal, the withdrawal counts; a customer without any word
has not consented.
"""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import _
from ibis.expr.types import Column, DateColumn, Table, Value

from clvmodels.core.errors import ConfigError, MissingColumnError
from pipelines.config.load import Consent, Log
from pipelines.data import lines
from pipelines.data.first_look import dates
from pipelines.sources.beside import beside
from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.failures import describe
from pipelines.sources.values.answers import is_granted


def words(given: Column, day: DateColumn, as_of: dt.date | None) -> dict[str, Value]:
    """Return the day of a grant and that of a withdrawal, each null where there was none.

    Parameters
    ----------
    given : ibis Column
        What was said; what is no grant withdraws.
    day : ibis DateColumn
        When. A withdrawal whose day is null counts as said last of all, such a grant as never said.
    as_of : date or None
        What was said later is not known yet; None knows all of it.
    """
    nothing = ibis.null("date")
    known = day if as_of is None else ibis.ifelse(day <= ibis.literal(as_of), day, nothing)
    last = ibis.literal(as_of or dt.date(9999, 12, 31))
    yes = is_granted(given, engine_of(given))
    return {
        "granted_on": ibis.ifelse(yes, known, nothing),
        "withdrawn_on": ibis.ifelse(yes, nothing, ibis.ifelse(day.isnull(), last, known)),
    }


def apply(engine: Engine, days: Table, log: Log, as_of: dt.date | None) -> Table:
    """Set aside, or mark, the customer-days of customers who may not be profiled.

    Parameters
    ----------
    engine : Engine
    days : ibis Table
        Customer-days, and the last :func:`words` of each where consent is a column. Lines that are
        set aside have their reason in the day's place (``lines.STAND_IN``); their words count.
    log : Log
    as_of : date or None
        Grants and withdrawals after it are not known yet; None knows all of them.

    Returns
    -------
    ibis Table
        The days; in mode ``exclude`` set aside for ``no_consent`` (the reason in the day's
        place), in mode ``aggregate_only`` with a boolean ``individual`` that is false where
        the customer counts in totals only.
    """
    mode = log.governance.consent
    if mode == "ignore":
        return days
    if log.consent is not None:
        said = _words_of_log(engine, log, log.consent, as_of)
    elif "withdrawn_on" in days.columns:
        said = days.filter(days.customer_id.notnull())
    else:
        raise ConfigError(
            f"governance.consent = '{mode}' needs columns.consent or a [consent] section"
        )
    last = said.group_by("customer_id").agg(
        granted_on=_.granted_on.max(), withdrawn_on=_.withdrawn_on.max()
    )
    never = ibis.literal(dt.date(1, 1, 1))
    willing = last.filter(_.granted_on > _.withdrawn_on.fill_null(never))
    willing = willing.select(willing_id=willing.customer_id)
    joined = days.left_join(willing, days.customer_id == willing.willing_id)
    unwilling = lines.kept(joined) & joined.willing_id.isnull()
    if mode == "aggregate_only":
        return joined.mutate(individual=~unwilling).drop("willing_id")
    stand_in = ibis.literal(lines.STAND_IN["no_consent"])
    return joined.mutate(date=ibis.ifelse(unwilling, stand_in, joined.date)).drop("willing_id")


def _words_of_log(engine: Engine, log: Log, consent: Consent, as_of: dt.date | None) -> Table:
    """Return customer_id and :func:`words` of a log of grants and withdrawals."""
    source = beside(log.source, consent.path, consent.table, "consent")
    columns = log.columns.model_copy(
        update={"customer_id": consent.customer_id, "timestamp": consent.timestamp}
    )
    raw = engine.read(source, columns, "consent")
    needed = [consent.customer_id, consent.timestamp, consent.granted]
    missing = [name for name in needed if name not in raw.columns]
    place = describe(source)
    if missing:
        raise MissingColumnError(f"{place}, named in [consent],", missing, list(raw.columns))
    raw = engine.require_rows(source, raw, "consent")
    said_on = raw[consent.timestamp]
    form = log.columns.date_format or dates.form_of(said_on, log.calendar, place)
    day = lines.local_dates(said_on, log.calendar, form, place)
    said = raw.select(
        customer_id=lines.customer_ids(raw[consent.customer_id], log.columns.fold_ids),
        **words(raw[consent.granted], day, as_of),
    )
    return said.filter(said.customer_id.notnull())
