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
from pipelines.report.tables import records


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


def told_rows(inputs: ReportInputs, found: Acquired, name: str) -> list[dict[str, object]]:
    return records(summarize(dataclasses.replace(inputs, acquired=found))["tables"][name])


def vanished(inputs: ReportInputs) -> Acquired:
    """Nobody came by web since July 2024, and it is paid on."""
    found = acquired(inputs)
    gone = found.customers["value"].eq("web") & found.customers["cohort"].ge("2024-07-01")
    left = found.cells["value"].eq("web") & found.cells["cohort"].ge("2024-07-01")
    return dataclasses.replace(found, customers=found.customers[~gone], cells=found.cells[~left])


def test_what_a_channel_cost_while_it_won_nobody_is_in_its_cac(inputs: ReportInputs) -> None:
    found = vanished(inputs)
    rows = {row["value"]: row for row in told_rows(inputs, found, "channels")}
    spent = found.spend["amount"].sum()
    won = found.customers.query("value == 'web'")["customers"].sum()
    assert rows["web"]["spend"] == pytest.approx(spent)
    assert rows["all channels"]["spend"] == pytest.approx(spent)
    assert rows["web"]["cac"] == pytest.approx(spent / won)
    cohorts = told_rows(inputs, found, "channel_cohorts")
    web = [row for row in cohorts if row["value"] == "web"]
    assert sum(row["spend"] for row in web) == pytest.approx(spent)  # type: ignore[misc]
    late = [row for row in web if str(row["quarter"]) >= "2024-07"]
    assert {(row["customers"], row["cac"], row["repaid"]) for row in late} == {
        (0, None, "nobody was won")
    }


def words_of(inputs: ReportInputs, found: Acquired) -> str:
    told = summarize(dataclasses.replace(inputs, acquired=found))
    (part,) = [s for s in told["sections"] if s["id"] == "acquisition"]
    return " ".join(part["text"])


def test_spend_that_is_in_no_cac_is_told(inputs: ReportInputs) -> None:
    found = acquired(inputs)
    assert "this is in no CAC" not in words_of(inputs, found)
    early = found.spend.tail(1).assign(period=pd.Timestamp("2021-05-01"), amount=9999.0)
    more = dataclasses.replace(found, spend=pd.concat([found.spend, early], ignore_index=True))
    assert "GBP 9,999.00 in months in which nobody first bought" in words_of(inputs, more)


def test_a_month_that_one_channel_alone_lacks_is_named(inputs: ReportInputs) -> None:
    found = acquired(inputs)
    shop = found.spend.assign(channel="shop")
    both = pd.concat([found.spend, shop[shop["period"] != "2023-06-01"]], ignore_index=True)
    more = dataclasses.replace(found, spend=both)
    assert "No row tells of spend on shop in 2023-06: it counts as none." in words_of(inputs, more)


def test_few_customers_without_spend_are_not_counted_out(inputs: ReportInputs) -> None:
    found = acquired(inputs)
    few = found.customers.query("value == 'shop'").head(1).assign(value="kiosk", customers=3)
    people = pd.concat([found.customers, few], ignore_index=True)
    more = dataclasses.replace(found, customers=people[people["value"] != "shop"])
    said = words_of(inputs, more)
    assert "Fewer than 10 customers came by channels without spend on record:" in said


def test_customers_as_reported_add_up(inputs: ReportInputs) -> None:
    """Of channels that are told together as well."""
    found = acquired(inputs)
    small = found.customers["value"].eq("web") & found.customers["cohort"].lt("2023-04-01")
    people = found.customers.assign(customers=found.customers["customers"].where(~small, 3))
    third = people[people["value"] == "shop"].assign(value="post")
    cells = found.cells[found.cells["value"] == "shop"].assign(value="post")
    more = Acquired(
        Acquisition(path="spend.csv", customers="won"),
        pd.concat([found.cells, cells], ignore_index=True),
        pd.concat([people, third], ignore_index=True),
        found.spend.assign(customers=7),
    )
    rows = {row["value"]: row["reported"] for row in told_rows(inputs, more, "channels")}
    assert rows["all channels"] == 7 * len(found.spend)
    together = [value for name, value in rows.items() if str(name).startswith("other (")]
    assert together == [7 * len(found.spend)]


def test_no_table_shows_the_name_of_a_value(inputs: ReportInputs) -> None:
    told = summarize(dataclasses.replace(inputs, acquired=acquired(inputs)))
    assert not [t["note"] for t in told["tables"].values() if "{" in t["note"] + t["title"]]
