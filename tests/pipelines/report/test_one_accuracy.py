"""How wrong past forecasts were is one number, wherever it is read."""

import json
import re

import openpyxl
import pytest

from clvmodels.core.schema import JUDGED
from pipelines.backtesting.accuracy import Accuracy
from pipelines.backtesting.candidates import Compared
from pipelines.jobs.housekeeping import list_models


@pytest.fixture(scope="module")
def report(trained):
    (folder,) = trained.reports.glob("[0-9]*")
    return folder


@pytest.fixture(scope="module")
def page(report):
    return json.loads((report / "backtest.json").read_text(encoding="utf-8"))["report"]


def percents(text: str) -> list[float]:
    return [float(found) / 100 for found in re.findall(r"([+-]?\d+\.\d)%", text)]


def told_of(quantity: str, line: str) -> list[float]:
    """Error and bias of a quantity, of a line that tells those of all."""
    place = 2 * JUDGED.index(quantity)
    return percents(line)[place : place + 2]


@pytest.mark.parametrize("quantity", ["purchases", "revenue"])
def test_page_console_workbook_card_and_registry_say_the_same(trained, report, page, quantity):
    first = page["headline"]["accuracy"][quantity]
    table = page["tables"][f"errors_{quantity}"]
    keys = [column["key"] for column in table["columns"]]
    row = dict(zip(keys, table["rows"][0], strict=True))
    for key in ("wape", "bias", "wape_month", "coverage_90"):
        assert row[key] == pytest.approx(first[key], abs=1e-12)

    (line,) = [
        line for line in trained.said.out.splitlines() if line.startswith(f"{quantity}: off")
    ]
    assert percents(line)[:2] == pytest.approx([first["wape"], first["bias"]], abs=6e-4)

    book = openpyxl.load_workbook(report / "backtest.xlsx", read_only=True)
    rows = list(book[f"Errors, {quantity}"].iter_rows(values_only=True))
    own = next(row for row in rows if row and row[0] == "This forecast")
    assert own[1:3] == pytest.approx((first["wape"], first["bias"]), abs=1e-9)

    (version,) = [path for path in trained.models.iterdir() if (path / "model_card.md").is_file()]
    card = (version / "model_card.md").read_text(encoding="utf-8")
    told = next(line for line in card.splitlines() if line.startswith(f"| {quantity} | clv |"))
    cells = [float(cell) for cell in told.strip("| ").split(" | ")[2:6]]
    wanted = [first[key] for key in ("wape", "bias", "wape_month", "coverage_90")]
    assert cells == pytest.approx(wanted, rel=6e-4)

    manifest = json.loads((version / "manifest.json").read_text(encoding="utf-8"))
    (saved,) = [
        row
        for row in manifest["errors"]
        if row["quantity"] == quantity and row["model"] == Compared.CLV
    ]
    assert [saved[key] for key in ("wape", "bias", "wape_month", "coverage_90")] == pytest.approx(
        wanted, abs=1e-12
    )
    listing = list_models(trained.config)
    assert listing.facts["errors"][version.name] == manifest["errors"]
    listed = next(line for line in listing.lines if quantity in line)
    assert told_of(quantity, listed) == pytest.approx([first["wape"], first["bias"]], abs=6e-4)


@pytest.mark.parametrize(("quantity", "row"), [("margin", 0), ("clv", 1)])
def test_margin_and_clv_are_told_alike_too(trained, page, quantity, row):
    first = page["headline"]["accuracy"][quantity]
    table = page["tables"]["errors_earned"]
    keys = [column["key"] for column in table["columns"]]
    told = dict(zip(keys, table["rows"][row], strict=True))
    for key in ("wape", "bias", "wape_month", "coverage_90", "coverage_90_month"):
        assert told[key] == pytest.approx(first[key], abs=1e-12)
    (listed,) = [
        line for line in list_models(trained.config).lines if "clv" in line and "%" in line
    ]
    assert told_of(quantity, listed) == pytest.approx([first["wape"], first["bias"]], abs=6e-4)


def test_what_is_asked_twice_is_computed_once(monkeypatch, inputs):
    past = Accuracy.of(inputs.cells, inputs.metrics)
    assert past.pooled("clv", "revenue") is past.pooled("clv", "revenue")
    assert past.against("clv", "lifetimes", "revenue") is past.against(
        "clv", "lifetimes", "revenue"
    )
