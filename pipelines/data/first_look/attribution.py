"""A dimension from another table: the channel of a customer or an order, as a tool exports it."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.errors import DataError, MissingColumnError
from pipelines.config.load import Attribution, Log
from pipelines.data import lines
from pipelines.sources.beside import beside
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe


def read(engine: Engine, log: Log, wanted: Attribution) -> Table:
    """Read which customer or order has which value.

    Returns
    -------
    ibis Table
        ``attributed`` (the customer or the order, once) and ``attributed_value``.

    Raises
    ------
    MissingColumnError
        If a column is not in the table.
    DataError
        If a customer or an order has several values, or none has any.
    """
    source = beside(log.source, wanted.path, wanted.table, "attribution")
    key = str(wanted.customer_id or wanted.transaction_id)
    what = "customers" if wanted.customer_id is not None else "orders"
    columns = log.columns.model_copy(update={"customer_id": key, "timestamp": key})
    raw = engine.read(source, columns, "attribution")
    place = f"{describe(source)}, named in [attribution],"
    missing = [name for name in (key, wanted.value) if name not in raw.columns]
    if missing:
        raise MissingColumnError(place, missing, list(raw.columns))
    raw = engine.require_rows(source, raw, "attribution")
    value = engine.stripped(raw[wanted.value].cast("string")).nullif("")
    fold = log.columns.fold_ids and wanted.customer_id is not None
    told = raw.select(attributed=lines.customer_ids(raw[key], fold), attributed_value=value)
    once = told.filter(_.attributed.notnull() & _.attributed_value.notnull()).distinct()
    once = engine.materialise(once)
    facts = once.agg(rows=_.count(), keys=_.attributed.nunique()).execute().iloc[0]
    several = int(facts["rows"]) - int(facts["keys"])
    if several:
        raise DataError(
            f"{place} holds several values of '{wanted.value}' for some of its {what} ({several} "
            f"more than there are {what}); expected one each. Keep the one that counts, such as "
            "the first."
        )
    if not facts["keys"]:
        raise DataError(f"{place} holds no {what} with a value of '{wanted.value}'")
    return once


def note(typed: Table, told: Table, wanted: Attribution) -> str | None:
    """Say how many customers or orders of the log the table does not know; None where it has all.

    Parameters
    ----------
    typed : ibis Table
        Typed lines.
    """
    name = "customer_id" if wanted.customer_id is not None else "transaction_id"
    known = typed.select(key=typed[name]).filter(_.key.notnull()).distinct()
    row = known.left_join(told, known.key == told.attributed).agg(
        all=ibis._.count(), without=_.attributed.isnull().sum()
    )
    facts = row.execute().iloc[0]
    if not facts["without"]:
        return None
    what = "customers" if wanted.customer_id is not None else "orders"
    return (
        f"{int(facts['without']):,} of {int(facts['all']):,} {what} of the log have no "
        f"'{wanted.value}' in the table of [attribution]: their {wanted.dimension} is (none)"
    )
