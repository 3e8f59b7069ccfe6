"""Revenue, refunds and margin by month and dimension: report and workbook against plain Python."""

from __future__ import annotations

import json
import math
from collections import defaultdict

import log_oracle
import openpyxl
import pytest
import sales_log
from typer.testing import CliRunner

from pipelines.cli import app

TOML = """
name = "shop"
[source]
kind = "csv"
path = "export.csv"
[columns]
customer_id = "customer"
timestamp = "day"
order_total = "total"
transaction_id = "order"
currency = "currency"
refunded = "refunded"
refunded_at = "refunded_at"
tax = "tax"
shipping = "shipping"
discount = "discount"
cost = "cost"
channel = "channel"
[columns.dimensions]
department = "category"
[governance]
amount_includes = ["tax", "shipping", "discount"]
revenue_includes = ["shipping", "discount"]
[governance.keep]
status = ["completed", "processing"]
[governance.refund_rows]
type = ["refund"]
[currencies.rates]
EUR = 1.1
JPY = 0.007
[train]
transaction_model = "bgnbd"
cohort_level = false
[backtest]
origins = ["2024-04-30"]
jobs = 1
[output]
models = "{0}/models"
reports = "{0}/reports"
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A trained shop: its folder, and what plain Python makes of it."""
    folder = tmp_path_factory.mktemp("shop")
    made = sales_log.orders(customers=500)
    sales_log.lines_of(made, "first").to_csv(folder / "export.csv", index=False)
    (folder / "shop.toml").write_text(TOML.format(folder))
    ran = CliRunner().invoke(app, ["train", "--config", str(folder / "shop.toml"), "--quiet"])
    assert ran.exit_code == 0, ran.output
    (report,) = (path for path in (folder / "reports" / "shop").iterdir() if path.is_dir())
    return report, sales_log.expected(made)


def recomputed(wanted) -> dict[tuple[str, str, str], tuple[float, float, float, float]]:
    """Sold, paid back, revenue and margin by dimension, value and month."""
    days = log_oracle.customer_days(wanted["rows"])
    counted = {(customer, day.date) for customer, some in days.items() for day in some}
    cells = defaultdict(list)
    for customer, day, amount, margin, channel, category in wanted["sales"]:
        if (customer, day) in counted:
            for where in (("all", "all"), ("channel", channel), ("department", category)):
                cells[(*where, f"{day:%Y-%m}-01")].append((amount, margin))
    return {
        where: (
            math.fsum(amount for amount, _ in some if amount >= 0),
            math.fsum(amount for amount, _ in some if amount < 0),
            math.fsum(amount for amount, _ in some),
            math.fsum(margin for _, margin in some),
        )
        for where, some in cells.items()
    }


MONEY = ("sold", "paid_back", "revenue", "margin")


def test_report_and_workbook_add_up_to_the_cent(shop):
    report, wanted = shop
    cells = recomputed(wanted)
    content = json.loads((report / "backtest.json").read_text(encoding="utf-8"))
    tables = content["report"]["tables"]
    found = {}
    for name in ("sales_by_month", "sales_by_segment"):
        keys = [column["key"] for column in tables[name]["columns"]]
        for row in tables[name]["rows"]:
            cell = dict(zip(keys, row, strict=True))
            where = cell.get("dimension", "all"), cell.get("value", "all"), cell["period"]
            found[where] = tuple(cell[key] for key in MONEY)
    assert {value for dimension, value, _ in found if dimension == "channel"} == {"web", "shop"}
    assert len(found) > 60
    for where, money in found.items():
        assert money == pytest.approx(cells[where], abs=0.006), where

    book = openpyxl.load_workbook(report / "backtest.xlsx", read_only=True)
    rows = list(book["Sales by segment"].iter_rows(values_only=True))
    header = next(at for at, row in enumerate(rows) if row and row[0] == "Dimension")
    names = list(rows[header])
    at = [names.index(f"{label} (USD)") for label in ("Sold", "Paid back", "Revenue")]
    seen = 0
    for row in rows[header + 1 :]:
        if row[0]:
            where = row[0], row[1], f"{row[2]:%Y-%m}-01"
            assert [row[k] for k in at] == pytest.approx(cells[where][:3], abs=0.006)
            seen += 1
    assert seen == sum(where[0] != "all" for where in found)


def test_what_is_no_sale_is_told_by_value(shop):
    report, wanted = shop
    content = json.loads((report / "backtest.json").read_text(encoding="utf-8"))["report"]
    keys = [column["key"] for column in content["tables"]["no_sales"]["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in content["tables"]["no_sales"]["rows"]]
    assert {row["value"]: row["amount"] for row in rows} == pytest.approx(
        {value: amount for value, (_, amount) in wanted["left_out"].items()}, abs=0.01
    )
    told = {row[0] for row in content["tables"]["currencies"]["rows"]}
    assert told == {"USD", "EUR", "JPY", "none named"}
    (section,) = [one for one in content["sections"] if one["id"] == "data"]
    assert any("forecasts count purchases" in text for text in section["text"])


def test_purchases_and_orders_are_two_things(shop):
    report, _ = shop
    tables = json.loads((report / "backtest.json").read_text())["report"]["tables"]
    keys = [column["key"] for column in tables["sales_by_month"]["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in tables["sales_by_month"]["rows"]]
    assert sum(row["orders"] for row in rows) > sum(row["purchases"] for row in rows)
