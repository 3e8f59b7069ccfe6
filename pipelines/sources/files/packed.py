"""Files told by their first bytes: packed ones are opened, others that are no text are named.

A name may lie; the bytes do not. What is packed is read a block at a time, whatever it grows to.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa

from clvmodels.core.errors import DataError

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
"""How files that can be unpacked begin."""

_OTHERS = {
    b"PAR1": ("a Parquet file", "set source.kind = 'parquet'"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "set source.kind = 'excel'"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it"),
    b"Rar!": ("a RAR archive", "unpack it"),
    b"%PDF": ("a PDF document", "export the table as CSV"),
    b"SQLite format 3": ("an SQLite database", "export the table as CSV"),
    b"ORC": ("an ORC file", "read it with source.kind = 'spark', or convert it to Parquet"),
    b"Obj\x01": ("an Avro file", "convert it to Parquet"),
    b"\x04\x22\x4d\x18": ("an LZ4 file", "unpack it"),
    b"\x1f\x9d": ("a file of compress (.Z)", "unpack it"),
    b"PK\x05\x06": ("an empty zip archive", "get the file again"),
}
"""How files begin that are no text, what they are, and what to do."""

ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)
"""What unpacking a damaged file raises; a RuntimeError where a zip archive wants a password."""

_NO_TABLE = ("__MACOSX/", "META-INF/")
_LONGEST = 512
_BLANK = b"\xef\xbb\xbf \t\r\n"


def packing(file: Path) -> str | None:
    """Return how a file is packed, by its first bytes; None where it is not."""
    start = _start(file)
    return next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)


def open_bytes(file: Path) -> IO[bytes]:
    """Open a file, or what a packed one holds.

    Raises
    ------
    DataError
        If a zip archive holds no table or several, or is no archive but a workbook.
    """
    how = packing(file)
    if how is None:
        return file.open("rb")
    if how == "zip":
        return _open_zip(file)
    if how == "zstd":
        return cast(IO[bytes], pa.CompressedInputStream(pa.OSFile(str(file)), "zstd"))
    if how == "bz2":
        return cast(IO[bytes], bz2.open(file, "rb"))
    return cast(IO[bytes], lzma.open(file, "rb") if how == "xz" else gzip.open(file, "rb"))


def require_text(file: Path) -> None:
    """Name a file for what it is where it is no table of text, packed or not.

    Raises
    ------
    DataError
        With the remedy; also where a packed file cannot be opened.
    """
    start = require_no_other(file)
    text = start.lstrip(_BLANK)
    if text.startswith(b"{") or (text.startswith(b"[") and text[1:].lstrip().startswith(b"{")):
        raise DataError(f"{file} is JSON: set source.kind = 'json'")


def require_no_other(file: Path) -> bytes:
    """Name a file for what it is where it is no text at all; return how its text begins.

    Raises
    ------
    DataError
        As :func:`require_text`.
    """
    start = _start(file)
    _refuse(start, str(file))
    if packing(file) is None:
        return start
    try:
        with open_bytes(file) as content:
            start = content.read(_LONGEST)
    except ERRORS as error:
        raise damaged(file, error) from None
    _refuse(start, f"{file}, unpacked,")
    return start


def damaged(file: Path, error: BaseException) -> DataError:
    """Return the error of a packed file that cannot be read."""
    if "password" in str(error) or "encrypted" in str(error):
        return DataError(f"{file} is a zip archive with a password: unpack it")
    return DataError(
        f"cannot read {file}: {error}. The download or copy may have ended early; get the file "
        "again."
    )


def _start(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(_LONGEST)


def _refuse(start: bytes, place: str) -> None:
    for magic, (what, remedy) in _OTHERS.items():
        if start.startswith(magic):
            raise DataError(f"{place} is {what}: {remedy}")
    if start[257:262] == b"ustar":
        raise DataError(f"{place} is a tar archive: unpack it")
    text = start.lstrip(_BLANK).lower()
    if text.startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{place} is a web page, such as a form that asks to log in: get the file again"
        )
    if text.startswith((b"<?xml", b"<")):
        raise DataError(f"{place} is XML: export the table as CSV")


def _open_zip(file: Path) -> IO[bytes]:
    """Open the only table in a zip archive."""
    archive = zipfile.ZipFile(file)
    names = [
        one.filename
        for one in archive.infolist()
        if not one.is_dir()
        and not one.filename.startswith(_NO_TABLE)
        and not PurePosixPath(one.filename).name.startswith(".")
    ]
    if any(name.startswith("xl/") for name in names) or "mimetype" in names:
        raise DataError(f"{file} is a workbook: set source.kind = 'excel'")
    if len(names) != 1:
        found = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DataError(
            f"{file} is a zip archive of {len(names)} files{f' ({found})' if names else ''}; "
            "expected one table. Unpack it, and name the files that are wanted by a pattern"
        )
    return archive.open(names[0])
