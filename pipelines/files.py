"""Files are written beside their place and renamed into it.

A run that dies leaves the last good state.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clvmodels.exceptions import ConfigError


@contextlib.contextmanager
def replacing_folder(target: Path, keep: bool = False) -> Iterator[Path]:
    """Give a new folder to fill; on success it takes the place of ``target``, else it vanishes.

    Parameters
    ----------
    target : Path
        The folder to write; its parents are made.
    keep : bool
        Start from what ``target`` holds now instead of from nothing.
    """
    made = _make_parent(target)
    with _writable(target.parent):
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    beside.chmod(0o755)
    try:
        if keep and target.exists():
            shutil.copytree(target, beside, dirs_exist_ok=True)
        yield beside
        _exchange(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # somebody else has put something there
                parent.rmdir()
        raise


def _exchange(beside: Path, target: Path) -> None:
    """Put one folder in the place of another, which stays where it was if that fails."""
    old = beside.with_name(beside.name + ".old")
    if target.exists():
        target.rename(old)
    try:
        beside.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file by renaming a finished one into place."""
    _make_parent(target)
    with _writable(target.parent):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def to_json(content: Any) -> str:
    """JSON that every reader accepts: numbers that are not finite become null."""
    return json.dumps(_finite(content), indent=2, allow_nan=False, default=str) + "\n"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if hasattr(content, "item") and getattr(content, "ndim", 1) == 0:
        return _finite(content.item())
    return content


def _make_parent(target: Path) -> list[Path]:
    """Make the folders above a path and return those that were not there, deepest first."""
    missing = [folder for folder in target.parents if not folder.exists()]
    with _writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    return missing


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}") from None
