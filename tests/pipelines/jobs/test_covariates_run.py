"""Covariates and a plan through the command line: train, forecast at a later day, refuse."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from shop import ID_PREFIX, Shop, copy_shop

from pipelines.registry import store as registry

pytestmark = pytest.mark.slow

SECTIONS = """
[covariates]
path = "drivers.csv"
period = "month"
columns = ["spend"]
log = ["spend"]
by_cohort = ["country"]
[plan]
path = "drivers.csv"
period = "month"
new_customers = "planned"
"""


def write_drivers(shop: Shop, months: int) -> None:
    periods = pd.date_range("2021-01-01", periods=months, freq="MS")
    spend = np.random.default_rng(9).lognormal(6, 0.5, months).round()
    table = {"month": periods.strftime("%Y-%m"), "spend": spend, "planned": 33}
    pd.DataFrame(table).to_csv(shop.folder / "drivers.csv", index=False)


@pytest.fixture(scope="module")
def driven(trained, tmp_path_factory) -> Shop:
    """The shop trained with covariates, in a folder of its own."""
    shop = copy_shop(trained, tmp_path_factory.mktemp("driven") / "shop")
    text = shop.file.read_text(encoding="utf-8")
    shop.file.write_text(text + SECTIONS, encoding="utf-8")
    write_drivers(shop, 31)
    ran = shop.clv("train", "--as-of", "2022-08-31", "--quiet")
    assert ran.code == 0, ran.err
    return shop


def report(shop: Shop, day: str) -> dict:
    return json.loads((shop.reports / day / "backtest.json").read_text(encoding="utf-8"))["report"]


def test_card_page_and_workbook_say_what_was_found(driven):
    summary = report(driven, "2022-08-31")
    rows = summary["tables"]["effects"]["rows"]
    assert [row[0] for row in rows][:2] == ["spend", "spend"]
    assert any("country" in str(row[0]) for row in rows)
    card = (driven.models / "2022-08-31.2" / registry.CARD).read_text(encoding="utf-8")
    assert "### Covariates" in card
    assert "+10 % spend goes with" in card
    assert "not proven causes" in card
    assert "where [plan] holds no number" in card


def test_the_plan_is_the_budget_s(driven):
    months = report(driven, "2022-08-31")["tables"]["budget_by_month"]
    keys = [column["key"] for column in months["columns"]]
    assert {row[keys.index("new_customers")] for row in months["rows"]} == {33}
    new = pd.read_parquet(driven.reports / "2022-08-31" / "new_cohorts.parquet")
    assert new["first_purchases"].sum() == pytest.approx(6 * 33)


def test_no_customer_is_in_the_model_or_the_new_cohorts(driven):
    for path in (driven.models / "2022-08-31.2").glob("*.json"):
        assert ID_PREFIX not in path.read_text(encoding="utf-8")
    raw = (driven.reports / "2022-08-31" / "new_cohorts.parquet").read_bytes()
    assert ID_PREFIX.encode() not in raw


def test_a_later_day_uses_the_drivers_of_that_day(driven):
    ran = driven.clv("forecast", "--as-of", "2022-10-31", "--quiet")
    assert ran.code == 0, ran.err
    assert "customers still to come: 198 (plan)" in ran.out
    ran = driven.clv("refresh", "--as-of", "2022-12-31", "--quiet")
    assert ran.code == 0, ran.err
    assert report(driven, "2022-12-31")["tables"]["company_totals"]["rows"]


def test_a_plan_that_ends_too_early_stops_the_run_and_leaves_the_files(driven):
    before = driven.files()
    write_drivers(driven, 29)
    try:
        ran = driven.clv("refresh", "--as-of", "2022-12-31", "--quiet")
    finally:
        write_drivers(driven, 31)
    assert ran.code == 1
    assert "no row for 2023-06" in ran.err
    assert "Add planned values" in ran.err
    assert driven.files() == before


def test_a_model_that_uses_covariates_is_not_run_without_them(driven, tmp_path):
    """By chance, this log is forecast better with these random numbers."""
    shop = copy_shop(driven, tmp_path / "copy")
    fitted, _ = registry.load(shop.models)
    assert fitted.cohorts.options_.period_covariates
    text = shop.file.read_text(encoding="utf-8").replace(SECTIONS, "")
    shop.file.write_text(text, encoding="utf-8")
    before = shop.files()
    ran = shop.clv("forecast", "--as-of", "2022-10-31", "--quiet")
    assert ran.code == 2
    assert "fitted with the covariates by month log(spend); [covariates] gives none" in ran.err
    assert shop.files() == before
