"""Where a source is, in the keys of ``[source]``, as far as the file itself tells."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import Any

from clvmodels.core.errors import ConfigError
from pipelines.sources.files.text import scan
from pipelines.sources.paths import kind_of_file

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
OF_THE_WEST = "cp1252"
"""Encoding of text that is no UTF-8, most often."""
_TEXTS = (".csv", ".txt", ".tsv")
_DATABASES = (".duckdb", ".ddb", ".db")


def source_keys(
    path: str | None, kind: str | None, table: str | None, uri_env: str | None, folder: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the keys of ``[source]``, and what is unsure of them.

    Parameters
    ----------
    path : str, optional
        A file, folder or pattern, from where clv runs.
    kind, table, uri_env : str, optional
        As they are given.
    folder : Path
        Of the configuration: paths in it start there.

    Raises
    ------
    ConfigError
        If there is nothing at the path, or nothing says where the source is.
    """
    if path is None and uri_env is None:
        raise ConfigError(
            "name a file, or a database by --kind postgres --table NAME --uri-env VARIABLE"
        )
    if path is None:
        return {"kind": kind or "postgres", "uri_env": uri_env, "table": table}, {}
    if not Path(path).exists() and not any(mark in path for mark in "*?["):
        raise ConfigError(f"no file at {path}")
    found = kind or _kind(path)
    keys: dict[str, Any] = {"kind": found, "path": _from(folder, path)}
    if table is not None:
        keys["table"] = table
    unsure = {}
    plain = found == "csv" and Path(path).is_file() and path.lower().endswith(_TEXTS)
    if plain and (encoding := _encoding(Path(path))):
        keys["encoding"] = encoding
        if encoding == OF_THE_WEST:
            unsure["encoding"] = "it is no UTF-8; look at names with accents"
    return keys, unsure


def _kind(path: str) -> str:
    """Return the kind of source that a file is, or that most of the files in a folder are."""
    if path.lower().endswith(_DATABASES):
        return "duckdb"
    if not Path(path).is_dir():
        return kind_of_file(path)
    kinds = [kind_of_file(file.name) for file in Path(path).rglob("*.*") if file.is_file()]
    return max(kinds, key=kinds.count, default="parquet")


def _from(folder: Path, path: str) -> str:
    """Return a path as it is told in a configuration in that folder."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(path).absolute().as_posix()


def _encoding(file: Path) -> str | None:
    """Return the encoding of a text; None: UTF-8."""
    with file.open("rb") as content:
        start = content.read(2)
    if start in _MARKS:
        return _MARKS[start]
    return None if scan(file).is_utf8 else OF_THE_WEST
