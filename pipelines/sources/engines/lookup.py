"""The engine of a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ibis.expr.types import Expr, Table

from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.duckdb import DuckDB
from pipelines.sources.engines.spark import Spark
from pipelines.sources.engines.uri import Postgres

ENGINES: dict[str, type[Engine]] = {"duckdb": DuckDB, "postgres": Postgres, "pyspark": Spark}
"""By Ibis's names; any other does what :class:`Engine` does."""


def engine_of(table: Expr) -> Engine:
    """Return the engine that evaluates an expression.

    It knows nothing of files that were read: who asks for :meth:`Engine.rejected` needs the engine
    that read them.
    """
    connection: Any = table.get_backend()
    return ENGINES.get(connection.name, Engine)(connection)


@contextmanager
def held(table: Table) -> Iterator[Table]:
    """Evaluate a table once and keep it in its engine inside the ``with`` block only."""
    with engine_of(table).held(table) as kept:
        yield kept
