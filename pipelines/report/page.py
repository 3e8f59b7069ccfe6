"""The summary as a self-contained page and as a workbook. Nothing is computed here."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import xlsxwriter

from pipelines.report.tables import Table
from pipelines.report.wording import words

MISSING = "–"
NUMERIC = frozenset({"integer", "number", "score", "ratio", "percent", "currency", "cents"})

_EXCEL_FORMATS = {
    "integer": "#,##0",
    "number": "#,##0.00",
    "score": "0.0000",
    "ratio": "#,##0.0000",
    "percent": "0.0%",
    "currency": "#,##0.00",
    "cents": "#,##0.00",
    "date": "yyyy-mm-dd",
    "month": "mmm yyyy",
}
_LONGEST_TEXT = 32_767
"""Characters that a cell of an Excel workbook holds."""


def html(summary: Mapping[str, Any], figures: Mapping[str, bytes]) -> str:
    """Render the report as one page that needs no other file and no network.

    Parameters
    ----------
    summary : dict
        From :func:`pipelines.report.summarize.summarize`.
    figures : dict
        PNG files by chart name; charts without one are left out.

    Returns
    -------
    str
        An HTML document. Every text is escaped; a content security policy forbids scripts.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_keep_percent_sign,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"shown_rows": shown_rows, "cell_class": _cell_class}
    pictures = {name: _picture(content) for name, content in figures.items()}
    page: str = environment.get_template("report.html").render(
        **summary, pictures=pictures, day=words.day, counted=words.counted
    )
    return page


def _keep_percent_sign(value: Any) -> Any:
    """Keep a percent sign on the line of its number."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


def _cell_class(kind: str) -> str:
    """CSS class of a cell: numbers to the right, dates on one line."""
    if kind in NUMERIC:
        return "n"
    return "t" if kind == "text" else "d"


def shown_rows(table: Table) -> list[list[str]]:
    """Cells of a table as a reader sees them, each column in one number of decimals."""
    columns = [
        [_formatter(column["kind"], values)(value) for value in values]
        for column, values in zip(table["columns"], zip(*table["rows"], strict=True), strict=False)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def workbook(summary: Mapping[str, Any], path: str | Path) -> None:
    """Write the report's tables as an Excel workbook, one sheet each.

    The first sheet explains the others. Texts are written as texts: none is taken for a formula
    or a link, whatever it begins with.
    """
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        # A fixed date: the same summary gives the same file.
        as_of = dt.datetime.fromisoformat(summary["meta"]["as_of"])
        book.set_properties({"title": f"{summary['meta']['name']}: backtest", "created": as_of})
        formats = {
            "title": book.add_format({"bold": True, "font_size": 14}),
            "head": book.add_format(
                {
                    "bold": True,
                    "bg_color": "#E4E7EB",
                    "bottom": 1,
                    "text_wrap": True,
                    "valign": "top",
                }
            ),
            "text": book.add_format({"valign": "top"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
            **{
                kind: book.add_format({"num_format": code, "valign": "top"})
                for kind, code in _EXCEL_FORMATS.items()
            },
        }
        _write_contents(book, summary, formats)
        for table in _tables_in_order(summary):
            _write_table(book, table, formats)


def _tables_in_order(summary: Mapping[str, Any]) -> list[Table]:
    return [
        summary["tables"][name]
        for section in summary["sections"]
        for name in (*section["tables"], *section["workbook_only"])
    ]


def _card(total: dict[str, Any]) -> str:
    value = " ".join(filter(None, (total["text"], total["interval_text"])))
    return ". ".join(filter(None, (value, total.get("interval_past"))))


def _write_contents(book: Any, summary: Mapping[str, Any], formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet("Read me")
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 100)
    meta, headline = summary["meta"], summary["headline"]
    sheet.write_string(
        0, 0, f"{meta['name']}: forecast and backtest as of {meta['as_of_text']}", formats["title"]
    )
    lines = [(total["label"], _card(total)) for total in headline["forecast"]["totals"]]
    if headline.get("company"):
        lines.append(("Company revenue", f"{headline['company']}."))
    lines += [("How far to trust it", sentence) for sentence in headline["sentences"]]
    lines += [
        (section["title"], section["missing"])
        for section in summary["sections"]
        if section["missing"]
    ]
    row = 2
    for name, text in lines:
        sheet.write_string(row, 0, name, formats["wrap"])
        sheet.write_string(row, 1, text, formats["wrap"])
        row += 1
    row += 1
    sheet.write_string(row, 0, "Sheet", formats["head"])
    sheet.write_string(row, 1, "What it holds", formats["head"])
    for table in _tables_in_order(summary):
        row += 1
        sheet.write_url(row, 0, f"internal:'{table['sheet']}'!A1", string=table["sheet"])
        about = f"{table['title']}. {table['note']} ({words.counted(len(table['rows']), 'row')})"
        sheet.write_string(row, 1, about.replace(".  ", ". "), formats["wrap"])


def _write_table(book: Any, table: Table, formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet(table["sheet"])
    for k, column in enumerate(table["columns"]):
        kind = column["kind"]
        sheet.write_string(0, k, column["label"], formats["head"])
        values = [row[k] for row in table["rows"]]
        texts = [str(value) for value in values[:500] if value is not None]
        longest = max((len(text) for text in texts), default=0) if kind == "text" else 11
        sheet.set_column(k, k, min(max(longest, len(column["label"]) * 0.6, 9) + 2, 80))
        for i, value in enumerate(values, start=1):
            _write_cell(sheet, i, k, value, kind, formats)
    sheet.freeze_panes(1, 0)
    if table["rows"]:
        sheet.autofilter(0, 0, len(table["rows"]), len(table["columns"]) - 1)


def _write_cell(
    sheet: Any, row: int, column: int, value: Any, kind: str, formats: dict[str, Any]
) -> None:
    if value is None:
        sheet.write_blank(row, column, None)
    elif kind in NUMERIC and isinstance(value, int | float):
        sheet.write_number(row, column, value, formats[kind])
    elif kind in ("date", "month"):
        sheet.write_datetime(row, column, dt.datetime.fromisoformat(value), formats[kind])
    else:
        text = words.quarter(value) if kind == "quarter" else str(value)
        sheet.write_string(row, column, text[:_LONGEST_TEXT], formats["text"])


def _formatter(kind: str, values: Any) -> Callable[[Any], str]:
    sizes = [abs(v) for v in values if isinstance(v, int | float)]
    largest = max(sizes, default=0.0)
    shown: dict[str, Callable[[Any], str]] = {
        "integer": lambda v: f"{v:,.0f}",
        "number": lambda v: f"{v:,.{1 if largest >= 100 else 2}f}",
        "currency": lambda v: f"{v:,.{0 if largest >= 1000 else 2}f}",
        "cents": lambda v: f"{v:,.2f}",
        "percent": lambda v: f"{v * 100:,.1f} %",
        "score": lambda v: f"{v:,.4f}",
        "ratio": _four_digits,
        "date": str,
        "month": words.month,
        "quarter": words.quarter,
        "text": str,
    }
    return lambda value: MISSING if value is None else _tidy_zero(shown[kind](value))


def _four_digits(value: float) -> str:
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        decimals = 3 - math.floor(math.log10(abs(value))) if value else 0
        return f"{value:,.{min(max(decimals, 0), 7)}f}"
    return f"{value:.3e}"


def _tidy_zero(text: str) -> str:
    negative_zero = text.startswith("-0") and not text.strip("-0.,% ")
    return text[1:] if negative_zero else text


def _picture(content: bytes) -> dict[str, Any]:
    """PNG as a data address, with its size in pixels from the file's header."""
    return {
        "src": "data:image/png;base64," + base64.b64encode(content).decode("ascii"),
        "width": int.from_bytes(content[16:20], "big"),
        "height": int.from_bytes(content[20:24], "big"),
    }
