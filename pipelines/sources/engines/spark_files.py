"""Files as Spark reads them: its executors where they lie, by the rules of the embedded engine."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Source
from pipelines.sources.files import partitions
from pipelines.sources.files.csv import header_names, short, unknown_encoding

_UNREADABLE = "clv_unreadable"
_FILES = ("parquet", "orc", "json", "avro")
"""Formats whose folders are columns; tables such as Delta's say themselves what theirs are."""


Frame = Any
"""A Spark data frame; PySpark is imported only where Spark is asked for."""


def read_path(session: Any, source: Source) -> tuple[Frame, tuple[int, list[str]]]:
    """Read files of ``source.format`` (parquet, orc, delta, csv, ...).

    Returns
    -------
    frame : pyspark.sql.DataFrame
    rejected : tuple of int and list of str
        How many lines of CSV were no rows, and the first three.
    """
    try:
        if source.format == "csv":
            return _csv(session, source)
        frame = session.read.format(source.format).load(str(source.path))
        if source.format in _FILES:
            _require_apart(session, source, frame)
    except Exception as error:
        if "PATH_NOT_FOUND" in str(error):
            raise ConfigError(f"no file at {source.path}; set [source] path") from None
        raise
    return frame, (0, [])


def literal(path: str) -> str:
    """Return a path in which nothing is a pattern for Spark."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def _require_apart(session: Any, source: Source, frame: Frame, names: Sequence[str] = ()) -> None:
    """Raise DataError where a folder below the path is named after a column of the files in it."""
    files = frame.inputFiles()
    if not files:
        return
    uri = urlsplit(files[0])
    file = PurePosixPath(unquote(uri.path))
    given = urlsplit(str(source.path))
    top = given.path if given.scheme else str(Path(given.path).absolute())
    below = PurePosixPath(*file.parts[len(PurePosixPath(top).parts) :])
    named = partitions.folders(below)
    if named and not names:
        one = literal(f"{uri.scheme}://{uri.netloc}{file}")
        names = session.read.format(source.format).load(one).columns
    partitions.require_apart(file, named, names, "Give one of the two another name")


def _csv(session: Any, source: Source) -> tuple[Frame, tuple[int, list[str]]]:
    """Read CSV as the embedded DuckDB does: text columns, and lines that are no row put aside.

    Those are looked for here, in a scan of their own, which compares the headers of all files.
    """
    from pyspark.sql import functions as fn

    path = str(source.path)
    try:
        encoding = codecs.lookup(source.encoding.removesuffix("-sig")).name
    except LookupError:
        raise unknown_encoding(source) from None
    # Line breaks within quotes are no ends of lines; a file is then read by one executor.
    reader = session.read.options(encoding=encoding, multiLine=True)
    whole = reader.schema("line string").options(sep="\x01", quote="").csv(path)
    first = whole.select("line").head()
    if first is None:
        raise DataError(f"{path} is empty; expected a table with a header and rows")
    names, delimiter = header_names(first.line, path, source)
    _require_apart(session, source, whole, names)
    frame = _texts(reader, path, names, delimiter)
    columns = {name: frame["`" + name.replace("`", "``") + "`"] for name in frame.columns}
    wrong = columns.pop(_UNREADABLE)
    # A quote that is never closed makes the lines after it part of the last field.
    last = fn.regexp_extract(columns[names[-1]], r"\n([^\n]*)\n?$", 1)
    swallowed = fn.size(fn.split(last, re.escape(delimiter))) == len(names)
    bad_bytes = fn.concat_ws("", *columns.values()).contains("\ufffd")
    unreadable = wrong.isNotNull() | fn.coalesce(swallowed, fn.lit(False)) | bad_bytes
    text = fn.coalesce(wrong, fn.concat_ws(delimiter, *columns.values()))
    rejected = _count_lines(frame.filter(unreadable), text, names, path)
    values = {
        name: fn.when(~column.isin(*source.null_values), column).alias(name)
        for name, column in columns.items()
    }
    return frame.filter(~unreadable).select(*values.values()), rejected


def _texts(reader: Any, path: str, names: list[str], delimiter: str) -> Frame:
    """Every field as text, and under ``_UNREADABLE`` the lines whose fields are too few or many."""
    from pyspark.sql.types import StringType, StructField, StructType

    written = ["" if name == f"unnamed {n}" else name for n, name in enumerate(names, 1)]
    if written.count("") > 1:
        raise DataError(f"{path} has several columns without a name; name them")
    fields = [StructField(name, StringType()) for name in (*written, _UNREADABLE)]
    frame = reader.schema(StructType(fields)).options(
        header=True,
        sep=delimiter,
        quote='"',
        escape='"',
        unescapedQuoteHandling="SKIP_VALUE",
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=_UNREADABLE,
        columnPruning=False,  # else the fields of a line are not counted
        enforceSchema=False,  # compare each header with the names
    )
    frame = frame.csv(path)
    return frame.toDF(*names, *frame.columns[len(names) :])


def _count_lines(lost: Frame, text: Any, names: list[str], path: str) -> tuple[int, list[str]]:
    """Count the lines of text that were no rows, and show the first three."""
    from pyspark.sql import functions as fn

    lines = fn.filter(fn.split(text, r"[\r\n]+"), lambda line: line != "")
    try:
        count = lost.agg(fn.coalesce(fn.sum(fn.size(lines)), fn.lit(0))).head()[0]
    except Exception as error:
        other = re.search(r"CSV header.*?\nCSV file: ([^\n]+)", str(error), re.DOTALL)
        if other is None:
            raise
        raise DataError(
            f"{other[1]} has another header than {', '.join(names)}, which another file of {path} "
            "has; files read together need the same columns in the same order"
        ) from None
    shown = lost.select(text).head(3) if count else []
    return count, [f"line {short(found)}" for (found,) in shown]
