"""Who may be profiled: consent as a column of the log, or as a log of grants and withdrawals.

What counts is the last word known at the as-of date, for the whole history of the customer. On a
day that holds both a grant and a withdrawal, the withdrawal counts; a customer without any word
has not consented.
"""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import BaseBackend, _
from ibis.expr.types import BooleanColumn, Column, DateColumn, Table, Value

from clvmodels.core.errors import ConfigError, MissingColumnError
from pipelines.config.load import Config, Consent
from pipelines.data import lines
from pipelines.sources import read as sources
from pipelines.sources.files import csv as csv_files
from pipelines.sources.paths import kind_of_file

GRANTS = ("true", "t", "yes", "y", "1", "granted", "grant", "opt-in", "in")
"""Texts that are a grant, case ignored; every other text is none."""


def granted(column: Column) -> BooleanColumn:
    """Return whether a value is a grant; nothing is not."""
    if column.type().is_boolean():
        return column.fill_null(False)
    if column.type().is_numeric():
        return (column == 1).fill_null(False)
    return column.cast("string").strip().lower().isin(GRANTS).fill_null(False)


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
    yes = granted(given)
    return {
        "granted_on": ibis.ifelse(yes, known, nothing),
        "withdrawn_on": ibis.ifelse(yes, nothing, ibis.ifelse(day.isnull(), last, known)),
    }


def apply(connection: BaseBackend, days: Table, config: Config, as_of: dt.date | None) -> Table:
    """Set aside, or mark, the customer-days of customers who may not be profiled.

    Parameters
    ----------
    connection : ibis backend
    days : ibis Table
        Customer-days, and the last :func:`words` of each where consent is a column. Lines that are
        set aside have their reason in the day's place (``lines.STAND_IN``); their words count.
    config : Config
    as_of : date or None
        Grants and withdrawals after it are not known yet; None knows all of them.

    Returns
    -------
    ibis Table
        The days; in mode ``exclude`` set aside for ``no_consent`` (the reason in the day's
        place), in mode ``aggregate_only`` with a boolean ``individual`` that is false where
        the customer counts in totals only.
    """
    mode = config.governance.consent
    if mode == "ignore":
        return days
    if config.consent is not None:
        said = _log(connection, config, config.consent, as_of)
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


def _log(connection: BaseBackend, config: Config, consent: Consent, as_of: dt.date | None) -> Table:
    """Return customer_id and :func:`words` of a log of grants and withdrawals."""
    if consent.path is not None:
        kind = kind_of_file(consent.path)
        changed = {"kind": kind, "path": consent.path, "table": None, "sheets": ()}
        if config.source.kind == "spark" and kind == "excel":
            raise ConfigError("consent.path: Spark reads no workbooks; save the file as CSV")
        if config.source.kind == "spark":
            changed |= {"kind": "spark", "format": kind}
        elif config.source.kind not in sources.EMBEDDED:
            raise ConfigError(
                f"consent.path: source kind '{config.source.kind}' reads no files; put the grants "
                "and withdrawals in a table and name it with consent.table"
            )
    else:
        changed = {"table": consent.table, "path": config.source.path}
        if config.source.kind == "spark":
            changed["path"] = None
    source = config.source.model_copy(update=changed)
    columns = config.columns.model_copy(
        update={"customer_id": consent.customer_id, "timestamp": consent.timestamp}
    )
    reading = config.model_copy(update={"source": source, "columns": columns})
    raw = sources.read(connection, reading, "consent")
    needed = [consent.customer_id, consent.timestamp, consent.granted]
    missing = [name for name in needed if name not in raw.columns]
    if missing:
        raise MissingColumnError(
            f"{sources.describe(source)}, named in [consent],", missing, list(raw.columns)
        )
    if source.kind == "csv":
        raw = csv_files.require_rows(connection, source, raw, "consent")
    elif source.kind == "spark":
        csv_files.refuse_lost_lines(source, "consent", *sources.rejected(connection, source, 0))
    said = raw.select(
        customer_id=lines.customer_ids(raw[consent.customer_id]),
        **words(
            raw[consent.granted],
            lines.local_dates(raw[consent.timestamp], config, connection.name),
            as_of,
        ),
    )
    return said.filter(said.customer_id.notnull())
