"""The section on acquisition: what a page and a workbook show of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from pipelines.config.sections import Acquisition
from pipelines.finance.channels import Acquired
from pipelines.report import ReportInputs, page, summarize


def acquired(inputs: ReportInputs) -> Acquired:
    """Two channels of the example's cohorts, in parts of a third and the rest; web costs 10."""
    parts, people = [], []
    for name, share in (("web", 1 / 3), ("shop", 2 / 3)):
        table = inputs.cohort_months
        net = (table["revenue"] + table["first_revenue"]) * 0.4 * share
        parts.append(table[["cohort", "period"]].assign(value=name, net=net))
        size = table.groupby("cohort", as_index=False)["customers"].max()
        count = (size["customers"] * share).round()
        people.append(
            size.assign(value=name, customers=count.astype(int), first_net=count * 28 * 0.4)
        )
    customers = pd.concat(people, ignore_index=True)
    web = customers[customers["value"] == "web"]
    spend = pd.DataFrame(
        {
            "period": web["cohort"],
            "channel": "web",
            "purpose": "acquisition",
            "amount": web["customers"] * 10.0,
        }
    )
    cells = pd.concat(parts, ignore_index=True)
    return Acquired(Acquisition(path="spend.csv"), cells, customers, spend)


def test_page_and_workbook_show_the_same_channels(inputs: ReportInputs, tmp_path: Path) -> None:
    told = summarize(dataclasses.replace(inputs, acquired=acquired(inputs)))
    content = told["tables"]["channels"]
    keys = [column["key"] for column in content["columns"]]
    rows = {row[0]: dict(zip(keys, row, strict=True)) for row in content["rows"]}
    assert set(rows) == {"all channels", "web", "shop"}
    assert rows["web"]["cac"] == pytest.approx(10.0)
    assert rows["web"]["repaid"] == "by the first order"
    assert rows["shop"]["repaid"] == "no spend on record"
    shown = page.html(told, {})
    assert "Channels: what a customer cost and has returned" in shown
    assert "by the first order" in shown
    page.workbook(told, tmp_path / "book.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx", read_only=True)["Channels"]
    written = list(sheet.iter_rows(values_only=True))
    assert len(written) == 1 + len(rows)
    by_name = {row[0]: row[keys.index("cac")] for row in written[1:]}
    assert by_name["web"] == pytest.approx(10.0)


def test_without_spend_the_section_says_what_to_do(inputs: ReportInputs) -> None:
    (part,) = [s for s in summarize(inputs)["sections"] if s["id"] == "acquisition"]
    assert part["missing"].startswith("Name the spend by month and channel under [acquisition]")
    assert part["tables"] == []


def test_customers_who_count_in_totals_only_are_in_no_channel(inputs: ReportInputs) -> None:
    governance = inputs.terms.governance.model_copy(update={"consent": "aggregate_only"})
    terms = dataclasses.replace(inputs.terms, governance=governance)
    told = summarize(dataclasses.replace(inputs, terms=terms, acquired=acquired(inputs)))
    assert [row[0] for row in told["tables"]["channels"]["rows"]] == ["all channels"]
    (part,) = [s for s in told["sections"] if s["id"] == "acquisition"]
    assert "Channels are not told apart" in " ".join(part["text"])
