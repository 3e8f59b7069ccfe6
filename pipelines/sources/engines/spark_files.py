"""Files as Spark reads them: its executors where they lie, by the rules of the embedded engine."""

from __future__ import annotations

import codecs
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Source
from pipelines.sources.engines import spark
from pipelines.sources.files import partitions
from pipelines.sources.files.csv import header_names, short, unknown_encoding

_UNREADABLE = "clv_unreadable"
_FILES = ("parquet", "orc", "json", "avro")
"""Formats whose folders are columns; tables such as Delta's say themselves what theirs are."""


def read_path(connection: BaseBackend, source: Source) -> Table:
    """Return files that Spark reads, of ``source.format`` (parquet, orc, delta, csv, ...)."""
    try:
        if source.format == "csv":
            frame = _csv(connection, source)
        else:
            frame = connection._session.read.format(source.format).load(str(source.path))
            if source.format in _FILES:
                _require_apart(connection, source, frame)
    except Exception as error:
        if "PATH_NOT_FOUND" in str(error):
            raise ConfigError(f"no file at {source.path}; set [source] path") from None
        raise
    return spark.register(connection, frame)


def _require_apart(connection: BaseBackend, source: Source, frame, names=()) -> None:  # type: ignore[no-untyped-def]
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
        one = spark.literal(f"{uri.scheme}://{uri.netloc}{file}")
        names = connection._session.read.format(source.format).load(one).columns
    partitions.require_apart(file, named, names, "Give one of the two another name")


def _csv(connection: BaseBackend, source: Source):  # type: ignore[no-untyped-def]
    """Read CSV as the embedded DuckDB does: text columns, and lines that are no row put aside.

    Those are looked for here, in a scan of their own, which compares the headers of all files.
    """
    from pyspark.sql import functions as fn
    from pyspark.sql.types import StringType, StructField, StructType

    path = str(source.path)
    try:
        encoding = codecs.lookup(source.encoding.removesuffix("-sig")).name
    except LookupError:
        raise unknown_encoding(source) from None
    # Line breaks within quotes are no ends of lines; a file is then read by one executor.
    reader = connection._session.read.options(encoding=encoding, multiLine=True)
    whole = reader.schema("line string").options(sep="\x01", quote="").csv(path)
    first = whole.select("line").head()
    if first is None:
        raise DataError(f"{path} is empty; expected a table with a header and rows")
    names, delimiter = header_names(first.line, path, source)
    _require_apart(connection, source, whole, names)
    written = ["" if name == f"unnamed {n}" else name for n, name in enumerate(names, 1)]
    if written.count("") > 1:
        raise DataError(f"{path} has several columns without a name; name them")
    given = [StructField(name, StringType()) for name in (*written, _UNREADABLE)]
    frame = reader.schema(StructType(given)).options(
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
    frame = frame.toDF(*names, *frame.columns[len(names) :])
    columns = {name: frame["`" + name.replace("`", "``") + "`"] for name in frame.columns}
    wrong = columns.pop(_UNREADABLE)
    # A quote that is never closed makes the lines after it part of the last field.
    last = fn.regexp_extract(columns[names[-1]], r"\n([^\n]*)\n?$", 1)
    swallowed = fn.size(fn.split(last, re.escape(delimiter))) == len(names)
    bad_bytes = fn.concat_ws("", *columns.values()).contains("\ufffd")
    unreadable = wrong.isNotNull() | fn.coalesce(swallowed, fn.lit(False)) | bad_bytes
    text = fn.coalesce(wrong, fn.concat_ws(delimiter, *columns.values()))
    lines = fn.filter(fn.split(text, r"[\r\n]+"), lambda line: line != "")
    lost = frame.filter(unreadable)
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
    connection.clv_rejected[path] = count, [f"line {short(found)}" for (found,) in shown]
    known = {
        name: fn.when(~column.isin(*source.null_values), column).alias(name)
        for name, column in columns.items()
    }
    return frame.filter(~unreadable).select(*known.values())


def rejected(connection: BaseBackend, source: Source) -> tuple[int, list[str]]:
    """Return how many lines of the CSV at the source's path were no rows, and the first three."""
    found: tuple[int, list[str]] = connection.clv_rejected.get(source.path, (0, []))
    return found
