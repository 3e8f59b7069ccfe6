"""Files are written beside their place and renamed into it.

A run that dies leaves the last good state.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import json
import logging
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clvmodels.core.errors import ConfigError

fcntl: Any = importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None
"""Locks of the operating system; Windows has none on folders."""

ATTEMPTS = 100
"""How often a name is tried that other processes take at the same moment."""

logger = logging.getLogger(__package__)


@contextlib.contextmanager
def replacing_folder(target: Path, keep: bool = False) -> Iterator[Path]:
    """Give a new folder to fill; on success it takes the place of ``target``, else it vanishes.

    Several processes may replace one folder at once: the last one to finish stays, whole.

    Parameters
    ----------
    target : Path
        The folder to write; its parents are made.
    keep : bool
        Keep what ``target`` holds by then under names that the new folder does not have.
    """
    with new_folder(target) as beside:
        yield beside
        with locked(target.parent):
            if keep and target.exists():
                _take_over(target, beside)
            _exchange(beside, target)
    logger.info("written: %a", str(target))


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder beside ``target`` to fill; it vanishes unless it is renamed in time."""
    beside, parents = _beside(target)
    try:
        yield beside
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        for parent in parents:
            with contextlib.suppress(OSError):  # somebody else has put something there
                parent.rmdir()
        raise
    shutil.rmtree(beside, ignore_errors=True)


def _beside(target: Path) -> tuple[Path, list[Path]]:
    """Make a folder beside a path; also return the folders above it that were not there."""
    parents: list[Path] = []
    for _ in range(ATTEMPTS):
        parents += _make_parent(target)
        with writable(target.parent), contextlib.suppress(FileNotFoundError):
            beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            beside.chmod(0o755)
            return beside, parents
        # a run that failed has just taken its empty folders away again
    raise ConfigError(f"cannot write to {target.parent}: it vanishes again and again")


def take_name(beside: Path, target: Path) -> bool:
    """Give a finished folder its name, unless something has that name already."""
    if os.path.lexists(target):
        return False
    try:
        beside.rename(target)
    except OSError:  # of a name that is taken, which each system says in its own words
        if os.path.lexists(target):
            return False
        raise
    return True


def _take_over(target: Path, beside: Path) -> None:
    """Put into the new folder what only the old one holds, without copying where that can be."""
    for old in target.iterdir():
        new = beside / old.name
        if os.path.lexists(new):
            continue
        if old.is_dir():
            shutil.copytree(old, new, copy_function=_link)
        else:
            _link(old, new)


def _link(old: str | Path, new: str | Path) -> None:
    try:
        os.link(old, new, follow_symlinks=False)
    except (OSError, NotImplementedError):  # a disk without links
        shutil.copy2(old, new)


def _exchange(beside: Path, target: Path) -> None:
    """Put one folder in the place of another, which stays where it was if that fails."""
    old = beside.with_name(beside.name + ".old")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with contextlib.suppress(FileNotFoundError):
                target.rename(old)
            beside.rename(target)
            break
        except BaseException as error:
            if _is_taken(error) and beside.exists() and attempt < ATTEMPTS:
                # Where nothing can be locked, another has put its folder there in between, and by
                # now may have taken it away again.
                shutil.rmtree(old, ignore_errors=True)
                continue
            if old.exists():
                old.rename(target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _is_taken(error: BaseException) -> bool:
    """Whether a folder could not be renamed because its new name was somebody's."""
    return isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder's names while a few of them change.

    The lock is the operating system's, on the folder itself: it leaves no file behind and ends with
    the process that holds it, however that ends. Where a system or a disk has no such locks nobody
    waits, and what is done inside must be safe without.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            if fcntl is not None:
                handle = os.open(folder, os.O_RDONLY)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def read_plain(path: Path) -> bytes:
    """Read a file that is nothing but a file: no link, no folder, no pipe.

    Raises
    ------
    OSError
        If it is not there, or something else.
    """
    nofollow = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would wait
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, not a file", str(path))
    handle = os.open(path, os.O_RDONLY | nofollow | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    with os.fdopen(handle, "rb") as file:
        return file.read()


def write_text(target: Path, text: str) -> None:
    """Write a text file by renaming a finished one into place."""
    _make_parent(target)
    with writable(target.parent):
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
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    return missing


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Say of what fails inside that a folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}") from None
