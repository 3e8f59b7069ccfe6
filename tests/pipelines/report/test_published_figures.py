"""What the real jobs publish: recorded margins, and nothing of a customer who is alone."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from lone_log import LONE_LINES, LONER, SEGMENT, TOML, lone_log
from shop import Shop, make_shop

from pipelines.report.groups.small import LEAST_CUSTOMERS

TRAINED, REFRESHED = "1998-03-31", "1998-06-30"
CENT = 0.01


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return lone_log()


@pytest.fixture(scope="module")
def shop(lines: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Trained, and refreshed three months later."""
    made = make_shop(tmp_path_factory.mktemp("lone"), lines, TOML)
    for command, day in (("train", TRAINED), ("refresh", REFRESHED)):
        said = made.clv(command, "--as-of", day, "--quiet")
        assert said.code == 0, said.err
        assert "observed in the log" in said.out
    return made


@pytest.fixture(scope="module")
def summaries(shop: Shop) -> dict[str, dict[str, Any]]:
    """The reports, as backtest.json holds them."""
    return {
        day: json.loads((shop.reports / day / "backtest.json").read_text(encoding="utf-8"))[
            "report"
        ]
        for day in (TRAINED, REFRESHED)
    }


def frame(summary: dict[str, Any], name: str) -> pd.DataFrame:
    table = summary["tables"][name]
    return pd.DataFrame(table["rows"], columns=[column["key"] for column in table["columns"]])


def sheet(shop: Shop, day: str, name: str) -> pd.DataFrame:
    book = openpyxl.load_workbook(shop.reports / day / "backtest.xlsx", read_only=True)
    heads, *rows = book[name].iter_rows(values_only=True)
    return pd.DataFrame(rows, columns=heads)


def known(lines: pd.DataFrame, day: str = REFRESHED) -> pd.DataFrame:
    """The lines up to a day, with each customer's first day, cohort, channel and country."""
    table = lines[lines["when"] <= pd.Timestamp(day)].copy()
    firsts = table.drop_duplicates("who").set_index("who")
    table["is_first"] = table["when"] == table["who"].map(firsts["when"])
    table["cohort"] = table["who"].map(firsts["when"]).dt.strftime("%Y-%m-01")
    table["period"] = table["when"].dt.strftime("%Y-%m-01")
    table["channel"] = table["who"].map(firsts["shop"])
    return table


# --- recorded margins


def test_margins_by_channel_are_those_of_its_own_lines(lines, shop, summaries):
    table = known(lines)
    shown = frame(summaries[REFRESHED], "segments").query("dimension == 'channel'")
    shown = shown.set_index("value")
    each = table.groupby("channel")[["paid", "earned"]].sum()
    people = table.groupby("channel")["who"].nunique()
    alone = [value for value in shown.index if not value.startswith("other")]
    assert len(alone) == 2
    for value in alone:
        row = shown.loc[value]
        assert row["customers"] == people[value]
        assert row["ltv_margin"] == pytest.approx(each.loc[value, "earned"] / people[value])
        assert row["ltv_revenue"] == pytest.approx(each.loc[value, "paid"] / people[value])
    total = (shown["ltv_margin"] * shown["customers"]).sum()
    assert total == pytest.approx(table["earned"].sum())
    written = sheet(shop, REFRESHED, "Segments").query("Dimension == 'channel'")
    written = written.set_index("Value")
    for value in shown.index:
        found = written.loc[value, "LTV to date, gross margin (USD)"]
        assert found == pytest.approx(shown.loc[value, "ltv_margin"])


def test_margins_by_cohort_and_month_are_those_of_the_lines(lines, shop, summaries):
    table = known(lines)
    repeat = table[~table["is_first"]]
    cells = repeat.groupby(["cohort", "period"])["earned"].sum()
    firsts = table[table["is_first"]].groupby("cohort")["earned"].sum()
    shown = frame(summaries[REFRESHED], "cohort_history")
    alone = shown[shown["cohort_to"].isna()]
    assert set(alone["cohort"]) == {"1997-01-01", "1997-02-01", "1997-12-01"}
    for row in alone.itertuples():
        assert row.margin == pytest.approx(cells.get((row.cohort, row.period), 0.0))
        first = firsts[row.cohort] if row.period == row.cohort else 0.0
        assert row.first_margin == pytest.approx(first)
    by_month = repeat.groupby("period")["earned"].sum()
    shown_months = shown.groupby("period")["margin"].sum()
    for period, earned in by_month.items():
        assert shown_months[period] == pytest.approx(earned)
    assert shown["first_margin"].sum() == pytest.approx(firsts.sum())
    written = sheet(shop, REFRESHED, "Cohort history")
    np.testing.assert_allclose(
        written["Repeat gross margin (USD)"].astype(float), shown["margin"], rtol=1e-9
    )


def test_ltv_to_date_is_of_recorded_margins(lines, summaries):
    table = known(lines)
    shown = frame(summaries[REFRESHED], "cohort_value").set_index("cohort")
    for cohort in ("1997-01-01", "1997-02-01"):
        mine = table[table["cohort"] == cohort]
        people = mine["who"].nunique()
        # the oldest age of the cohort is that of the as-of date
        assert shown.loc[cohort, "ltv_margin"] == pytest.approx(mine["earned"].sum() / people)
    facts = frame(summaries[REFRESHED], "unit_economics").set_index("measure")["value"]
    age = pd.to_datetime(table["period"]).dt.to_period("M").astype("int64")
    age -= pd.to_datetime(table["cohort"]).dt.to_period("M").astype("int64")
    reached = pd.to_datetime(table["cohort"]).dt.to_period("M").astype("int64")
    last = pd.Period(REFRESHED, "M").ordinal
    expected = 0.0
    for month in range(13):
        old = table[reached + month <= last]
        expected += old.loc[age == month, "earned"].sum() / old["who"].nunique()
    assert facts["LTV to date, gross margin"] == pytest.approx(expected)


def test_the_command_tells_what_page_and_workbook_do(shop, summaries):
    told = shop.clv("ltv", "--as-of", REFRESHED, "--json", "--quiet").json()
    for name, title in (
        ("ltv_steps", "LTV in three steps"),
        ("ltv_by_age", "LTV by month of age"),
        ("monitoring", "Monitoring"),
        ("unit_economics", "Unit economics"),
    ):
        shown = frame(summaries[REFRESHED], name)
        if name == "unit_economics":  # which forecasts nothing
            shown = shown[shown["measure"] != "CLV"].reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.DataFrame(told[name]), shown, check_dtype=False)
        written = sheet(shop, REFRESHED, title)
        assert len(written) == len(frame(summaries[REFRESHED], name))
    rows = summaries[REFRESHED]["sections"]
    said = next(part for part in rows if part["id"] == "unit_economics")
    assert "compares with is the historical LTV with the first purchase" in " ".join(said["text"])


def test_what_was_observed_is_not_called_configured(lines, shop, summaries):
    table = known(lines, TRAINED)
    rate = table["earned"].sum() / table["paid"].sum()
    manifest = json.loads((shop.models / f"{TRAINED}.1" / "manifest.json").read_text())
    assert manifest["config"]["economics"]["margin"] == 0.99
    decided = manifest["decided"]["gross_margin"]
    assert decided["rate"] == pytest.approx(rate)
    assert decided["source"] == "observed"
    assert decided["first"] == "1997-01-01"
    assert decided["last"] <= TRAINED
    assert decided["purchases"] == len(table.drop_duplicates(["who", "when"]))
    told = summaries[TRAINED]["meta"]["gross_margin"]
    assert told == decided
    said = f"{rate:.1%} of revenue, as observed in the log"
    assert said in (shop.models / f"{TRAINED}.1" / "model_card.md").read_text()
    page = (shop.reports / TRAINED / "backtest.html").read_text(encoding="utf-8")
    assert "as observed in the log" in page
    assert "as observed in the log" in " ".join(
        map(str, sheet(shop, TRAINED, "Assumptions").to_numpy().ravel())
    )
    forecast = pd.read_parquet(shop.reports / TRAINED / "cohorts.parquet")
    assert forecast["margin"].sum() == pytest.approx(rate * forecast["revenue"].sum())


# --- a customer who is alone


def secrets() -> list[float]:
    """Everything that the lone customer brought, by line, in any of its sums."""
    lines = [*zip(*LONE_LINES.values(), strict=True)]
    return [
        sum(some)
        for amounts in lines
        for count in range(1, len(amounts) + 1)
        for some in itertools.combinations(amounts, count)
    ]


def numbers(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        content = content.values()
    if isinstance(content, int | float) and not isinstance(content, bool):
        yield float(content)
    elif not isinstance(content, str | bool | None):
        for part in content:
            yield from numbers(part)


def columns(summary: dict[str, Any]) -> Iterator[np.ndarray]:
    """Columns of money of all tables and figures, with their sums by what the rows are of."""
    for name, table in summary["tables"].items():
        shown = frame(summary, name)
        money = [c["key"] for c in table["columns"] if c["kind"] in ("currency", "cents")]
        if name == "account":
            money = ["count"]
        for key in money:
            values = pd.to_numeric(shown[key])
            if "customers" in shown:  # means, as sums
                yield (values * pd.to_numeric(shown["customers"])).to_numpy(float)
            yield values.to_numpy(float)
            yield np.array([values.sum()])
            for by in {"origin", "cohort", "period", "dimension"} & set(shown):
                yield values.groupby(shown[by]).sum().to_numpy(float)
            if {"origin", "period"} <= set(shown):
                yield values.groupby([shown["origin"], shown["period"]]).sum().to_numpy(float)
    for chart in summary["charts"].values():
        yield np.array(list(numbers(chart)))


def reveals(values: np.ndarray, secret: float) -> bool:
    """Whether a value, or the difference of two, is the secret to the cent."""
    rising = np.unique(values[np.isfinite(values)])
    low, high = (np.searchsorted(rising, rising + secret + end) for end in (-CENT, CENT))
    return bool(np.any(high > low)) or bool(np.any(np.abs(np.abs(rising) - secret) < CENT))


@pytest.mark.parametrize("day", [TRAINED, REFRESHED])
def test_no_figure_or_difference_is_a_lone_customer_s_revenue(shop, summaries, day):
    summary = summaries[day]
    found = np.concatenate([*columns(summary), [0.0]])
    for secret in secrets():
        assert not any(abs(abs(x) - secret) < CENT for x in numbers(summary))
        assert not reveals(found, secret), secret
    book = openpyxl.load_workbook(shop.reports / day / "backtest.xlsx", read_only=True)
    cells = [
        value
        for one in book.worksheets
        for row in one.iter_rows(values_only=True)
        for value in row
        if isinstance(value, int | float)
    ]
    page = (shop.reports / day / "backtest.html").read_text(encoding="utf-8")
    page = re.sub(r'src="data:[^"]*"', "", page)
    card = (shop.models / f"{TRAINED}.1" / "model_card.md").read_text(encoding="utf-8")
    printed = [float(x.replace(",", "")) for x in re.findall(r"\d[\d,]*\.?\d*", page + card)]
    for secret in secrets():
        assert not any(abs(x - secret) < CENT for x in cells)
        assert not any(abs(x - secret) <= 0.5 for x in printed)
    for text in (page, card, json.dumps(summary)):
        assert SEGMENT not in text
        assert LONER not in text


def test_the_search_finds_what_is_told():
    """The net above has no hole: a lone customer's row, or all but that row, is caught."""
    amount = LONE_LINES["1998-02-03"][0]
    assert reveals(np.array([1.0, amount]), amount)
    assert reveals(np.array([5_000.0 + amount, 5_000.0, 17.0]), amount)
    assert not reveals(np.array([5_000.0 + amount, 17.0]), amount)


@pytest.mark.parametrize("day", [TRAINED, REFRESHED])
def test_every_line_stands_on_enough_customers(summaries, day):
    tables = summaries[day]["tables"]
    assert {"cells", "segments", "cohort_value", "spend_by_frequency", "tiers"} <= set(tables)
    for name in tables:
        shown = frame(summaries[day], name)
        if "customers" in shown and name not in ("new_cohorts", "company_totals"):
            assert (shown["customers"] >= LEAST_CUSTOMERS).all(), name
    assert "put together" in tables["cohort_history"]["note"]
    assert "put together" in tables["cells"]["note"]


def test_totals_are_those_of_everybody(lines, summaries):
    """Cohorts that are put together are in the table: its months add up to the log's."""
    table = known(lines)
    repeat = table[~table["is_first"]].groupby("period")["paid"].sum()
    history = frame(summaries[REFRESHED], "cohort_history")
    shown = history.groupby("period")["revenue"].sum()
    for period, paid in repeat.items():
        assert shown[period] == pytest.approx(paid)
    assert history["first_revenue"].sum() == pytest.approx(
        table.loc[table["is_first"], "paid"].sum()
    )
    after = repeat[repeat.index > TRAINED]
    tracked = frame(summaries[REFRESHED], "tracking_months").set_index("period")["actual_revenue"]
    cells = frame(summaries[REFRESHED], "tracking_cells").groupby("period")["actual_revenue"].sum()
    for period, paid in after.items():
        assert tracked[period] == pytest.approx(paid)
        assert cells[period] == pytest.approx(paid)
