"""Tables beside the log, about the same customers: files, or tables of its database."""

from __future__ import annotations

from clvmodels.core.errors import ConfigError
from pipelines.config.load import Source
from pipelines.sources.engines.duckdb import KINDS as READS_FILES
from pipelines.sources.paths import kind_of_file


def beside(source: Source, path: str | None, table: str | None, section: str) -> Source:
    """Where such a table is, read by the engine that reads the log.

    Parameters
    ----------
    source : Source
        Of the log.
    path, table : str, optional
        One of both: a file, or a table of the log's database.
    section : str
        Of the configuration, for messages.

    Raises
    ------
    ConfigError
        If the engine of the log reads no such file.
    """
    if path is None:
        own = None if source.kind == "spark" else source.path
        return source.model_copy(update={"table": table, "path": own})
    kind = kind_of_file(path)
    update = {"kind": kind, "path": path, "table": None, "sheets": ()}
    if source.kind == "spark" and kind == "excel":
        raise ConfigError(f"{section}.path: Spark reads no workbooks; save the file as CSV")
    if source.kind == "spark":
        update |= {"kind": "spark", "format": kind}
    elif source.kind not in READS_FILES:
        raise ConfigError(
            f"{section}.path: source kind '{source.kind}' reads no files; put the rows in a table "
            f"and name it with {section}.table"
        )
    return source.model_copy(update=update)
