"""Checks of the customer-days on the engine, by pandera: what every later stage relies on."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ibis import _
from ibis.expr.types import Table

from clvmodels.core.errors import CheckFailedError
from clvmodels.core.schema import PURCHASES, ColumnSchema

if TYPE_CHECKING:
    from pandera.ibis import DataFrameSchema

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "date": dt.date,
    "boolean": bool,
}
SHOWN = 5


def purchases_schema(earliest: dt.date, as_of: dt.date) -> DataFrameSchema:
    """Return the pandera schema of ``schema.PURCHASES``.

    Ids are there, days lie within the calendar and up to ``as_of``, amounts are there, a
    customer has one row a day (see :func:`validate`), and a purchase is 0 or 1.
    """
    import pandera.ibis as pa  # two seconds that only those who check should wait

    shown = {"n_failure_cases": SHOWN}

    def checks(column: ColumnSchema) -> list[pa.Check]:
        """What the values of a column have to be beside their type."""
        if column.kind == "date":
            return [pa.Check.between(earliest, as_of, **shown)]
        if column.kind == "string" and column.key:
            return [pa.Check.str_length(min_value=1, **shown)]
        ends = [
            pa.Check.ge(column.least, **shown) if column.least is not None else None,
            pa.Check.le(column.most, **shown) if column.most is not None else None,
        ]
        return [check for check in ends if check is not None]

    columns = {
        column.name: pa.Column(
            _TYPES[column.kind],
            checks(column),
            nullable=not column.required,
            required=column.required,
        )
        for column in PURCHASES.columns
    }
    return pa.DataFrameSchema(columns, name=PURCHASES.name)


def validate(purchases: Table, earliest: dt.date, as_of: dt.date) -> None:
    """Raise unless the customer-days are what the models take them for.

    Parameters
    ----------
    purchases : ibis Table
        schema.PURCHASES.
    earliest, as_of : date
        Between which every day has to lie.

    Raises
    ------
    CheckFailedError
        Naming every check that failed, with the first values that failed it.
    """
    import pandera.errors

    try:
        purchases_schema(earliest, as_of).validate(purchases, lazy=True)
    except pandera.errors.SchemaErrors as error:
        failed = [
            f"column '{problem.schema.name}' fails {getattr(problem.check, 'error', problem.check)}"
            for problem in error.schema_errors
        ]
        raise CheckFailedError(
            f"the {PURCHASES.name} table: {'; '.join(failed)}. This is a fault of clv or of an "
            "engine that reads the source differently; please report it with clv check's output."
        ) from None
    keys = purchases.group_by(*PURCHASES.key).agg(rows=_.count())
    repeated = keys.filter(_.rows > 1).count().execute()
    if repeated:
        raise CheckFailedError(
            f"the {PURCHASES.name} table holds {repeated} customer-days more than once; expected "
            "one row a customer and day. The source may have changed while it was read; run again."
        )
