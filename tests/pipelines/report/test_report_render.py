"""The page and the workbook hold what the dictionary says, and nothing that could run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import openpyxl
import pandas as pd
import pytest
from report_example import AS_OF, config, example_inputs

from pipelines.report import ReportInputs, summarize
from pipelines.report import page as render
from pipelines.report.figures import forecasts as figures

PNG = b"\x89PNG\r\n\x1a\n"


class Outline(HTMLParser):
    """Tags that a reader's program relies on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def drawn(summary):
    return figures.draw_all(summary)


@pytest.fixture(scope="module")
def page(summary, drawn):
    return render.html(summary, drawn)


@pytest.fixture(scope="module")
def book(summary, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "backtest.xlsx"
    render.workbook(summary, path)
    return openpyxl.load_workbook(path)


def test_every_chart_is_drawn_as_png(summary, drawn):
    assert set(drawn) == set(summary["charts"])
    assert all(content.startswith(PNG) for content in drawn.values())


def test_drawing_twice_gives_the_same_file(summary, drawn):
    once = {**summary, "charts": {"tiers": summary["charts"]["tiers"]}}
    assert figures.draw_all(once)["tiers"] == drawn["tiers"]


def test_the_page_needs_nothing_else(page):
    outline = Outline(page)
    assert not outline.all("script")
    addresses = [a for _, attrs in outline.tags for k, a in attrs.items() if k in ("src", "href")]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "default-src 'none'" in page
    assert "url(" not in page


def test_pictures_have_alternatives_and_sizes(summary, page):
    images = Outline(page).all("img")
    assert len(images) == len(summary["charts"])
    assert all(len(image["alt"]) > 30 and int(image["width"]) > 0 for image in images)


def test_headings_and_tables_can_be_read_aloud(page):
    outline = Outline(page)
    assert len(outline.all("h1")) == 1
    assert outline.all("html")[0]["lang"] == "en"
    captions = [attrs for attrs in outline.all("p") if attrs.get("class") == "caption"]
    assert len(captions) == len(outline.all("table"))
    assert all(attrs["aria-label"] for attrs in outline.all("table"))
    assert {attrs["scope"] for attrs in outline.all("th")} == {"col", "row"}
    identities = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(set(identities)) == len(identities)
    links = [attrs["href"].removeprefix("#") for attrs in outline.all("a")]
    assert set(links) <= set(identities)


def test_first_screen_comes_first(summary, page):
    text = " ".join(Outline(page).text)
    place = text.index("Contents")
    for total in summary["headline"]["forecast"]["totals"]:
        assert text.index(total["text"]) < place
    for sentence in summary["headline"]["sentences"]:
        assert text.index(sentence) < place


def test_texts_from_the_data_are_escaped(page):
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_sections_without_data_say_why_on_the_page():
    summary = summarize(ReportInputs(terms=config().terms, as_of=AS_OF))
    page = render.html(summary, {})
    reasons = [part["missing"] for part in summary["sections"] if part["missing"]]
    assert len(reasons) >= 8
    text = " ".join(Outline(page).text)
    assert all(f"Not shown: {reason}" in text for reason in reasons)
    assert not Outline(page).all("img")


def test_numbers_have_separators_and_units(summary):
    cells = render.shown_rows(summary["tables"]["tiers"])
    columns = [column["label"] for column in summary["tables"]["tiers"]["columns"]]
    assert "CLV (GBP)" in columns
    assert cells[-1][columns.index("Customers")] == "4,452"
    assert re.fullmatch(r"\d+\.\d %", cells[0][columns.index("Share of CLV")])


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("ratio", 0.24260, "0.2426"),
        ("ratio", 4.4136, "4.414"),
        ("ratio", 12_345.678, "12,346"),
        ("ratio", 1.5e-9, "1.500e-09"),
        ("ratio", 0, "0"),
        ("percent", -0.0001, "0.0 %"),
        ("currency", -12.5, "-12.50"),
        ("month", "2024-03-01", "Mar 2024"),
        ("quarter", "2024-04-01", "2024 Q2"),
        ("number", None, "–"),
    ],
)
def test_cells_as_shown(kind, value, shown):
    table = {"columns": [{"kind": kind}], "rows": [[value]]}
    assert render.shown_rows(table) == [[shown]]


def test_workbook_has_one_sheet_a_table_after_the_contents(summary, book):
    assert book.sheetnames[0] == "Read me"
    assert set(book.sheetnames[1:]) == {t["sheet"] for t in summary["tables"].values()}
    listed = {cell.value for cell in book["Read me"]["A"]}
    assert set(book.sheetnames[1:]) <= listed
    assert "GBP" in " ".join(str(cell.value) for cell in book["Read me"]["B"])
    assert "Company revenue" in listed


def test_workbook_holds_every_value(summary, book):
    for table in summary["tables"].values():
        sheet = book[table["sheet"]]
        assert sheet.max_row == len(table["rows"]) + 1
        assert [cell.value for cell in sheet[1]] == [c["label"] for c in table["columns"]]
        assert sheet.freeze_panes == "A2"
        for k, column in enumerate(table["columns"]):
            if column["kind"] in render.NUMERIC:
                found = [cell.value for cell in sheet[openpyxl.utils.get_column_letter(k + 1)][1:]]
                assert found == pytest.approx([row[k] for row in table["rows"]], nan_ok=True)


def test_workbook_formats_dates_and_shares(book):
    months = book["Months, revenue"]
    assert months["A2"].is_date
    assert months["B2"].number_format == "mmm yyyy"
    errors = book["Errors, revenue"]
    assert errors["B2"].number_format == "0.0%"


def test_texts_are_never_formulas_and_always_fit(tmp_path):
    starts = ["=", "+", "-", "@", "\t=", "http://", "{=", "12", "'"]
    texts = [f"{start}cmd|'/c calc'!A1" for start in starts] + ["x" * 40_000]
    segments = pd.DataFrame({"dimension": "channel", "value": texts, "customers": 30})
    path = tmp_path / "book.xlsx"
    render.workbook(summarize(example_inputs(segments=segments)), path)
    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not any(cell.data_type == "f" for cell in cells)
    column = book["Segments"]["B"][1:]
    assert [cell.value for cell in column] == [text[:32_767] for text in texts]
    assert all(cell.data_type == "s" and cell.hyperlink is None for cell in column)


def test_one_origin_one_cohort_one_month():
    """The smallest backtest still draws."""
    inputs = example_inputs()
    cells = inputs.cells
    one = cells[
        (cells["origin"] == cells["origin"].max())
        & (cells["cohort"] == cells["cohort"].min())
        & (cells["period"] == cells["period"].max())
    ]
    summary = summarize(example_inputs(cells=one))
    drawn = figures.draw_all(summary)
    assert drawn["error_heatmap"].startswith(PNG)
    assert "1 past date (30 September 2024)" in summary["headline"]["sentences"][0]
