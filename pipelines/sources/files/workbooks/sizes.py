"""How large the sheets of a workbook are, found in its bytes before anything is made of them.

Who reads a sheet holds the rectangle that its cells span: one stray cell in the last corner makes
that 17 billion places of a table of ten rows. Workbooks that are archives of XML (.xlsx, .xlsm) are
looked at here; the others are bounded only while they are read.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from clvmodels.core.errors import DataError

CELL_BYTES = 64
"""Memory that a cell with a value takes while its sheet is read, its text aside."""
PLACE_BYTES = 32
"""Memory of a place in the rectangle, empty or not."""
STRAY_AREA = 20_000_000
"""Places from which a rectangle that is nearly empty is taken for a slip, whatever the memory."""
STRAY_FILL = 0.05

_BLOCK = 1 << 20
_LONGEST = 64 << 20
"""Bytes of one row of XML, or of a workbook's table of contents; nobody's own come near."""
# A cell without a value is closed in its own tag, or by the next one.
_CELL = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,3}+)(\d{1,10}+)["'][^>]*+(?<!/)>\s*+<(?!/)""")


@dataclass
class Extent:
    """What the cells of a sheet that hold something span.

    Attributes
    ----------
    values : int
        How many there are.
    first, last : tuple of int
        Row and column of the rectangle's corners.
    lowest, widest : str
        A cell of the last row and one of the last column.
    """

    values: int = 0
    first: tuple[int, int] = (1 << 40, 1 << 40)
    last: tuple[int, int] = (0, 0)
    lowest: str = ""
    widest: str = ""

    @property
    def area(self) -> int:
        """Places in the rectangle."""
        rows, columns = (end - start + 1 for start, end in zip(self.first, self.last, strict=True))
        return rows * columns if self.values else 0

    def add(self, cells: list[tuple[bytes, bytes]]) -> None:
        """Count cells, given as letters and number."""
        # There are far fewer of each than there are cells.
        columns = {_column(letters): letters for letters in {letters for letters, _ in cells}}
        rows = {int(number): number for number in {number for _, number in cells}}
        row, column = max(rows), max(columns)
        if row > self.last[0]:
            self.lowest = _first(cells, 1, rows[row])
        if column > self.last[1]:
            self.widest = _first(cells, 0, columns[column])
        self.values += len(cells)
        self.first = min(self.first[0], min(rows)), min(self.first[1], min(columns))
        self.last = max(self.last[0], row), max(self.last[1], column)


def _first(cells: list[tuple[bytes, bytes]], part: int, wanted: bytes) -> str:
    return next(b"".join(cell).decode() for cell in cells if cell[part] == wanted)


def require_texts(file: Path, memory: int) -> None:
    """Look at the texts that all sheets share, before a workbook is opened.

    Parameters
    ----------
    file : Path
        Any file; what is no archive of XML passes.
    memory : int
        Bytes that reading may take.

    Raises
    ------
    DataError
        If they take more than the memory, or the archive is damaged.
    """
    with _opened(file) as archive:
        for part in archive.infolist() if archive else ():
            if part.filename.lower() == "xl/sharedstrings.xml" and part.file_size > memory:
                raise too_large(f"the text of {file}", part.file_size, memory)


def require_sheets(file: Path, sheets: Collection[str], memory: int) -> None:
    """Look at sheets of a workbook before they are read; else as :func:`require_texts`.

    Raises
    ------
    DataError
        If a stray cell makes a sheet's rectangle huge, a sheet takes more than the memory, or the
        archive is damaged; the message names the file, the sheet and the cell.
    """
    with _opened(file) as archive:
        if archive is None:
            return
        parts = _parts(archive, file)
        for sheet in sheets:
            if parts.get(sheet) in archive.namelist():
                extent = _extent(archive, parts[sheet], file)
                _require(extent, f"sheet '{sheet}' of {file}", memory)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile | None]:
    """Open a workbook that is an archive of XML, and say what is wrong with a damaged one."""
    try:
        if not zipfile.is_zipfile(file):
            yield None
            return
        with zipfile.ZipFile(file) as archive:
            yield archive if "xl/workbook.xml" in archive.namelist() else None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ElementTree.ParseError) as error:
        raise DataError(
            f"cannot read {file} as a workbook: {error}. Open it, and save it again as .xlsx or as "
            "CSV"
        ) from None


def _require(extent: Extent, place: str, memory: int) -> None:
    need = extent.values * CELL_BYTES + extent.area * PLACE_BYTES
    nearly_empty = extent.values < extent.area * STRAY_FILL
    if nearly_empty and (extent.area > STRAY_AREA or need > memory):
        corner = " and ".join(dict.fromkeys((extent.widest, extent.lowest)))
        raise DataError(
            f"{place} holds {extent.values:,} values, and reaches to {corner}: a table of "
            f"{extent.area:,} places, nearly all of them empty. Delete what stands far from the "
            "table (its rows and columns, not the contents alone; Ctrl+End finds the last cell), "
            "or save the table as CSV"
        )
    if need > memory:
        raise too_large(f"{place} with {extent.values:,} values to {extent.lowest}", need, memory)


def too_large(what: str, need: int | None, memory: int) -> DataError:
    """Return the error of what does not fit into memory."""
    more = "more than" if need is None else f"about {need / 1e9:.2g} GB, more than"
    return DataError(
        f"reading {what} takes {more} the {memory / 1e9:.2g} GB of memory that it may use. Save "
        "it as CSV or Parquet, which are read in parts, or raise source.memory_limit for a log"
    )


def _parts(archive: zipfile.ZipFile, file: Path) -> dict[str, str]:
    """Return the part of the archive that holds each sheet."""
    book = _xml(archive, "xl/workbook.xml", file)
    related = {
        relation.get("Id"): str(relation.get("Target"))
        for relation in _xml(archive, "xl/_rels/workbook.xml.rels", file)
    }
    found = {}
    for sheet in book.iterfind(".//{*}sheet"):
        key = next((value for name, value in sheet.items() if name.endswith("}id")), None)
        target = related.get(key, "")
        found[str(sheet.get("name"))] = target[1:] if target[:1] == "/" else f"xl/{target}"
    return found


def _xml(archive: zipfile.ZipFile, part: str, file: Path) -> ElementTree.Element:
    with archive.open(part) as content:
        text = content.read(_LONGEST)
    _refuse_entities(text, file)
    return ElementTree.fromstring(text)


def _refuse_entities(text: bytes, file: Path) -> None:
    """Raise DataError where XML defines entities, which may grow without end."""
    if b"<!DOCTYPE" in text:
        raise DataError(
            f"{file} defines entities of XML, which no workbook does. Open it, and save it again "
            "as .xlsx or as CSV"
        )


def _extent(archive: zipfile.ZipFile, part: str, file: Path) -> Extent:
    extent = Extent()
    for block in _blocks(archive, part, file):
        cells = _CELL.findall(block)
        if cells:
            extent.add(cells)
    return extent


def _blocks(archive: zipfile.ZipFile, part: str, file: Path) -> Iterator[bytes]:
    """Yield a part's bytes in blocks that cut no cell in two."""
    rest = b""
    with archive.open(part) as content:
        while block := content.read(_BLOCK):
            if not rest:
                _refuse_entities(block, file)
            block = rest + block
            end = max(block.rfind(b"</"), 0)  # the tag of a cell without a value holds none
            rest = block[end:]
            if len(rest) > _LONGEST:
                raise DataError(f"{file} has a row of more than {_LONGEST >> 20} MB in {part}")
            yield block[:end]
    yield rest


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def column_name(place: int) -> str:
    """Return the letters of a column, the first being 0."""
    letters = ""
    while place >= 0:
        place, letter = place // 26 - 1, place % 26
        letters = chr(ord("A") + letter) + letters
    return letters
