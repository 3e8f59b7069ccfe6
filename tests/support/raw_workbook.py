"""Workbooks as the XML that they are, for what no library would write."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/'
    'vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType='
    '"application/xml"/></Types>'
)
HEADER = ("customer", "day", "value")
GOOD = [HEADER, *((f"C{n % 7}", f"2022-{n % 12 + 1:02d}-05", n + 0.5) for n in range(40))]


def cell(place: str, value: object) -> str:
    """Return the XML of a cell; one that holds nothing has a format only."""
    if value is None:
        return f'<c r="{place}" s="0"/>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def table(rows: Sequence[Sequence[object]] = GOOD) -> Iterable[str]:
    """Yield the XML of a table that begins in A1."""
    for number, values in enumerate(rows, 1):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        yield row(number, *(cell(f"{letters[n]}{number}", v) for n, v in enumerate(values)))


def workbook(
    path: Path,
    strings: Sequence[str] = (),
    hidden: Sequence[str] = (),
    before: str = "",
    **sheets: Iterable[str],
) -> Path:
    """Write a workbook of sheets given as the XML of their rows, and of texts that they share."""
    listed, related = "", ""
    for number, name in enumerate(sheets, 1):
        state = ' state="hidden"' if name in hidden else ""
        listed += f'<sheet name="{name}" sheetId="{number}"{state} r:id="r{number}"/>'
        related += (
            f'<Relationship Id="r{number}" Type="{_OFFICE}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
    related += f'<Relationship Id="t" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    top = f'<Relationship Id="b" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    relations = f'<Relationships xmlns="{_PACKAGE}/relationships">{{}}</Relationships>'
    texts = "".join(f"<si><t>{text}</t></si>" for text in strings)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", relations.format(top))
        archive.writestr("xl/_rels/workbook.xml.rels", relations.format(related))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{_MAIN}">{texts}</sst>')
        for number, rows in enumerate(sheets.values(), 1):
            with archive.open(f"xl/worksheets/sheet{number}.xml", "w") as part:
                part.write(f'{before}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
                for line in rows:
                    part.write(line.encode())
                part.write(b"</sheetData></worksheet>")
    return path


_ODS = "urn:oasis:names:tc:opendocument:xmlns"
_SPACES = " ".join(
    f'xmlns:{name}="{_ODS}:{name}:1.0"' for name in ("office", "table", "text", "manifest")
)


def ods(path: Path, rows: str, locked: bool = False) -> Path:
    """Write an OpenDocument sheet named log, given as the XML of its rows."""
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    secret = "<manifest:encryption-data/>" if locked else ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest {_SPACES}><manifest:file-entry manifest:full-path="content.xml">'
            f"{secret}</manifest:file-entry></manifest:manifest>",
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {_SPACES}><office:body><office:spreadsheet>"
            f'<table:table table:name="log">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def ods_row(*values: str, repeated: int = 1, across: int = 1) -> str:
    """Return the XML of a row of text that stands so many times below and beside itself."""
    cells = "".join(
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{across}">'
        f"<text:p>{value}</text:p></table:table-cell>"
        for value in values
    )
    return f'<table:table-row table:number-rows-repeated="{repeated}">{cells}</table:table-row>'
