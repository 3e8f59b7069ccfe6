"""Text files as bytes: whether they are whole, what they hold, and their copies as UTF-8."""

from __future__ import annotations

import codecs
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from ibis import BaseBackend

from clvmodels.core.errors import DataError
from pipelines.sources.files import partitions
from pipelines.sources.files.packed import ERRORS, damaged, open_bytes, packing

_BLOCK = 1 << 20


def open_text(
    file: Path, encoding: str, errors: str = "strict", newline: str | None = ""
) -> IO[str]:
    """Open a file, or what a packed one holds; line ends stay as they are by default."""
    content = open_bytes(file)
    try:
        return io.TextIOWrapper(content, encoding=encoding, errors=errors, newline=newline)
    except BaseException:  # an encoding that is none
        content.close()
        raise


def require_whole(file: Path) -> None:
    """Read a packed file to its end, since the engine takes a truncated one for its end."""
    if packing(file) is None:
        return
    try:
        with open_bytes(file) as content:
            while content.read(_BLOCK):
                pass
    except ERRORS as error:
        raise damaged(file, error) from None


@dataclass(frozen=True)
class Contents:
    r"""What one look at every byte of a file tells.

    Attributes
    ----------
    is_utf8 : bool
    lines : int
        Ends of lines, whatever quotes say; a last line needs none.
    even : bool
        All ends of lines are ``\n``, or all are ``\r\n``.
    """

    is_utf8: bool
    lines: int
    even: bool


def scan(file: Path) -> Contents:
    """Look at every byte of a file, a block at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, feeds, returns, both, last = True, 0, 0, 0, b"\n"
    with open_bytes(file) as content:
        while block := content.read(_BLOCK):
            feeds += int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))
            if b"\r" in block or last == b"\r":
                returns += block.count(b"\r")
                both += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
            last = block[-1:]
            if block.isascii() and not decoder.getstate()[0]:
                continue
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
                decoder.reset()
    is_utf8 &= not decoder.getstate()[0]
    even = returns == 0 or feeds == returns == both
    lines = feeds + returns - both + (last not in b"\r\n")
    return Contents(is_utf8, lines, even)


def as_utf8(connection: BaseBackend, file: Path, encoding: str, newline: str | None = "") -> Path:
    """Copy a file into the connection's scratch folder as UTF-8, a block at a time.

    ``newline=None`` makes all line ends alike. Folders ``key=value`` above the file are kept.
    """
    folder = Path(connection.settings["temp_directory"], *partitions.folders(file))
    folder.mkdir(parents=True, exist_ok=True)
    # Bytes that are no UTF-8 go through as they are: the engine puts their lines aside.
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
        "w", suffix=".csv", dir=folder, encoding="utf-8", errors=errors, newline="", delete=False
    )
    try:
        with handle, open_text(file, encoding, errors, newline) as text:
            while block := text.read(_BLOCK):
                handle.write(block)
    except (UnicodeError, *ERRORS) as error:
        raise DataError(
            f"cannot read {file} as {encoding} text: {error}. "
            "Set [source] encoding to the file's own."
        ) from None
    return Path(handle.name)


def filled_lines(file: Path) -> int:
    """Count the lines that are not blank, whatever quotes say."""
    with open_bytes(file) as content:
        return sum(1 for line in content if line.strip(b"\r\n"))
