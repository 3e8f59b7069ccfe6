"""JSON read by the embedded DuckDB: one object a line, or a list of objects.

Every column arrives as text, numbers as they are written, so that no id loses a digit.
"""

from __future__ import annotations

from glob import escape
from pathlib import Path

from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import DataError
from pipelines.config.load import Source
from pipelines.sources.failures import first_line
from pipelines.sources.files.column_names import distinct_names
from pipelines.sources.files.packed import packing, require_no_other
from pipelines.sources.files.text import as_utf8, require_whole

ALL = -1
"""Objects that are looked at for the names of columns."""
_LARGEST = 64 << 20
"""Bytes of one object at most."""


def read_json(connection: BaseBackend, source: Source, files: list[Path]) -> Table:
    """Return files of JSON as one table of text columns, named by the keys of all objects.

    What is nested stays as its own text; texts of ``source.null_values`` mean no value.

    Raises
    ------
    DataError
        If a file is no JSON, or holds no object.
    """
    read = []
    for file in files:
        require_no_other(file)
        require_whole(file)
        read.append(file if packing(file) is None else as_utf8(connection, file, "utf-8"))
    paths = [escape(str(file)) for file in read]
    told = ", ".join(str(file) for file in files[:3])
    options = {"format": "auto", "maximum_object_size": _LARGEST, "union_by_name": True}
    try:
        found = connection.read_json(paths, sample_size=ALL, **options).schema()
        names = distinct_names(list(found.names), told)
        if names == ["json"]:
            raise DataError(f"{told} holds values that are no objects; expected one object a row")
        table = connection.read_json(paths, columns=dict.fromkeys(names, "VARCHAR"), **options)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"cannot read {told} as JSON: {first_line(error)}. Expected one object a line, or a "
            "list of objects, in UTF-8"
        ) from None
    nothing = list(source.null_values)
    return table.mutate(
        **{name: table[name].isin(nothing).ifelse(None, table[name]) for name in names}
    )
