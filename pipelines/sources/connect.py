"""A connection to the engine that holds or reads a source.

Everything is addressed by file, table and column names; no SQL text is taken from anyone, and
connection URIs, which may hold passwords, come from the environment only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pipelines.config.load import Log
from pipelines.sources.engines import duckdb, spark, uri
from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.duckdb import DuckDB
from pipelines.sources.failures import lacks_memory, too_large

logger = logging.getLogger(__package__)


@contextmanager
def connect(log: Log) -> Iterator[Engine]:
    """Open the engine that holds or reads the source, and close it afterwards.

    Files are read by an embedded DuckDB whose memory, threads and spill folder the
    configuration bounds; databases and Spark are used where they are.

    Raises
    ------
    ConfigError
        If the engine cannot be reached or refuses the settings.
    DataError
        If it runs out of the memory that it may use, whatever it was asked.
    """
    zone = log.calendar.local_zone_of_source
    if log.source.kind in duckdb.KINDS:
        opened: AbstractContextManager[Engine] = embedded(log)
    elif log.source.kind == "spark":
        opened = spark.connect(log.source, zone, f"clv {log.name}")
    else:
        opened = uri.connect(log.source, zone, log.reports)
    with opened as engine:
        logger.info("source of kind %s, engine %s", log.source.kind, engine.name)
        try:
            yield engine
        except Exception as error:
            if lacks_memory(error):
                raise too_large(log.source, error) from error
            raise


@contextmanager
def embedded(log: Log) -> Iterator[DuckDB]:
    """Open a DuckDB in this process, its memory, threads and spill folder as configured."""
    zone = log.calendar.local_zone_of_source
    with duckdb.embedded(log.source, zone, log.reports, log.beside) as engine:
        yield engine
