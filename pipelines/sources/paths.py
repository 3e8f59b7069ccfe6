"""The files that a source's path names, and the kind of source that reads a file."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Literal

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Source
from pipelines.sources.files.workbooks.excel import SUFFIXES

PACKED = ("", ".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings of packed files, after that of what they hold."""
_TEXT = (".csv", ".txt", ".tsv")
_JSON = (".jsonl", ".ndjson", ".json")


def _packed(endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ending + packed for ending in endings for packed in PACKED)


def kind_of_file(path: str) -> Literal["csv", "excel", "json", "parquet"]:
    """Return the kind of source that reads a file, by its name; capitals make no difference."""
    name = Path(path.lower())
    if ".csv" in name.suffixes or name.name.endswith(_packed(_TEXT)):
        return "csv"
    if name.name.endswith(_packed(_JSON)):
        return "json"
    return "excel" if name.name.endswith(SUFFIXES) else "parquet"


def files_of(source: Source) -> list[Path]:
    """Return the files that a source's path names: a file, those in a folder, or of a pattern.

    Raises
    ------
    ConfigError
        If there is none, or one is of another kind.
    DataError
        If one is empty.
    """
    pattern = str(source.path)
    if "://" in pattern:
        raise ConfigError(
            f"source.path {pattern}: files are read from folders; for object stores use kind = "
            "'spark', or mount the bucket"
        )
    if Path(pattern).is_dir():
        endings = {"parquet": (".parquet",), "excel": SUFFIXES, "json": _packed(_JSON)}
        suffixes = endings.get(source.kind, _packed((".csv",)))
        files = _files_below(Path(pattern), suffixes)
        pattern = str(Path(pattern) / "**" / f"*{' or *'.join(suffixes)}")
    elif Path(pattern).is_file():  # also where its name looks like a pattern
        files = [Path(pattern)]
    else:
        found = [Path(name) for name in sorted(glob(pattern, recursive=True))]  # noqa: PTH207
        files = [file for file in found if file.is_file()]
    if not files:
        raise ConfigError(
            f"no file at {pattern}; set [source] path (relative paths start at the folder of the "
            "configuration file)"
        )
    for file in files:
        if file.stat().st_size == 0:
            raise DataError(f"{file} is empty; expected a table with a header and rows")
        kind = kind_of_file(str(file))
        if kind != source.kind and (kind in ("excel", "json") or source.kind == "excel"):
            raise ConfigError(f"{file} is not of source.kind '{source.kind}'; set it to '{kind}'")
    return files


def _files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the data files in a folder, without what is hidden or being written (``_temporary``).

    A folder ``_key=value`` is a partition.
    """

    def is_data(file: Path) -> bool:
        parts = file.relative_to(folder).parts
        aside = any(part[0] == "." or (part[0] == "_" and "=" not in part) for part in parts)
        aside |= file.name.startswith("~$")  # what Excel keeps beside a workbook that is open
        return file.name.lower().endswith(suffixes) and not aside and file.is_file()

    return sorted(filter(is_data, folder.rglob("*")), key=str)
