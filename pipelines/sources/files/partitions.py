"""Folders named ``key=value``, whose keys are columns of the files in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from clvmodels.core.errors import DataError

REMEDY = (
    "Set source.hive_partitioning = false to read the file's own, or give one of the two another "
    "name"
)


def folders(file: PurePath) -> list[str]:
    """Return the folders of a file's path that are named ``key=value``."""
    return [part for part in file.parent.parts if "=" in part]


def require_apart(
    file: PurePath, named: Sequence[str], columns: Sequence[str], remedy: str = REMEDY
) -> None:
    """Raise DataError where one of the named folders has the name of a column of the file.

    Engines let the folder speak for every row, and say nothing of what the file holds.
    """
    own = {name.lower(): name for name in columns}
    for folder in named:
        key = folder.partition("=")[0].lower()
        if key in own:
            raise DataError(
                f"{file} holds the column {own[key]}, and lies in the folder {folder}, which would "
                f"put its own value into every row. {remedy}"
            )
