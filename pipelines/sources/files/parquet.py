"""Parquet read by the embedded DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from glob import escape
from pathlib import Path

import pyarrow.parquet as pq
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import DataError
from pipelines.config.load import Source
from pipelines.sources.files import partitions
from pipelines.sources.files.column_names import repeated_names


def read_parquet(connection: BaseBackend, source: Source, files: Sequence[Path]) -> Table:
    """Return Parquet files as one table, with folders ``key=value`` as text where they count.

    Raises
    ------
    DataError
        If a file names a column twice, or a folder's key is a column of a file.
    """
    table = connection.read_parquet(
        [escape(str(file)) for file in files],
        hive_partitioning=source.hive_partitioning,
        hive_types_autocast=False,
        union_by_name=True,
    )
    _require_distinct_columns(files[0])
    if source.hive_partitioning:
        for file in files:
            partitions.require_apart(file, partitions.folders(file), pq.read_schema(file).names)
    return table


def _require_distinct_columns(file: Path) -> None:
    """Raise DataError where a Parquet file names a column twice: engines rename the second."""
    repeated = sorted({name.lower() for name in repeated_names(pq.read_schema(file).names)})
    if repeated:
        raise DataError(
            f"{file} names the column {', '.join(repeated)} twice (capitals aside); rename one of "
            "them"
        )
