"""CAC, LTV against it and the payback of a simulated shop whose costs by channel are known."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import lone_log
import pandas as pd
import pytest
import segment_shop
from shop import Shop, make_shop

MARGIN, COST = 0.4, 1.25
LAST = dt.date(2023, 11, 14)
CAC = {"paid": 11.0, "social": 40.0, "affiliate": 15.0}
"""What winning each customer costs; organic ones come by themselves."""
WISHED = 4

TOML = f"""
name = "shop"
[source]
kind = "csv"
path = "log.csv"
{segment_shop.TOML}
cost_to_serve = {COST}
[acquisition]
path = "spend.csv"
wished_ratio = 2.0
wished_payback = {WISHED}
[output]
models = "{{folder}}/models"
reports = "{{folder}}/reports"
"""


def month(day: dt.date) -> int:
    return day.year * 12 + day.month - 1


LAST_WHOLE = month(LAST) - 1
Rows = list[dict[str, Any]]


def spend_of(log: pd.DataFrame) -> Rows:
    """As many times the cost of a customer as were won by the channel in the month."""
    first = log.sort_values("date").groupby("customer_id").first()
    counted = first.groupby([pd.to_datetime(first["date"]).dt.strftime("%Y-%m"), "channel"]).size()
    return [
        {"period": day, "channel": name, "amount": CAC[name] * n, "purpose": "acquisition"}
        for (day, name), n in counted.items()
        if name in CAC
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    log = segment_shop.shop(seed=11, customers=4000)
    made = make_shop(tmp_path_factory.mktemp("channels"), log[log["date"] <= str(LAST)], TOML)
    rows = spend_of(log[log["date"] <= str(LAST)])
    rows = [row for row in rows if row["period"] != "2021-05"]  # forgotten
    rows.append({"period": "2022-03", "channel": "tv", "amount": 900.0, "purpose": "acquisition"})
    rows.append({"period": "2022-03", "channel": "paid", "amount": 5.0, "purpose": "retention"})
    pd.DataFrame(rows).to_csv(made.folder / "spend.csv", index=False)
    return made


@pytest.fixture(scope="module")
def told(shop: Shop) -> dict[str, Any]:
    ran = shop.clv("ltv", "--json", "--quiet")
    assert ran.code == 0, ran.err
    facts: dict[str, Any] = ran.json()
    return facts


@pytest.fixture(scope="module")
def truth(shop: Shop) -> dict[str, dict[int, list[list[float]]]]:
    """Net margins by month of age of every customer won in a month with spend on record.

    By channel, then month of first purchase.
    """
    days: dict[str, dict[dt.date, float]] = defaultdict(lambda: defaultdict(float))
    channel: dict[str, tuple[dt.date, str]] = {}
    with Path(shop.log).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            who, day = row["customer_id"], dt.date.fromisoformat(row["timestamp"][:10])
            days[who][day] += float(row["amount"])
            if who not in channel or day < channel[who][0]:
                channel[who] = day, row["channel"]
    found: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for who, bought in days.items():
        born = month(min(bought))
        if born > LAST_WHOLE or born == month(dt.date(2021, 5, 1)):
            continue
        net = [0.0] * (LAST_WHOLE - born + 1)
        for day, paid in bought.items():
            if month(day) <= LAST_WHOLE:
                net[month(day) - born] += MARGIN * paid - COST
        found[channel[who][1]][born].append([MARGIN * bought[min(bought)] - COST, *net])
    return found


def by_name(rows: Rows) -> dict[str, dict[str, Any]]:
    return {row["value"]: row for row in rows}


def curve(people: dict[int, list[list[float]]]) -> list[float]:
    """Cumulative net margin a customer, each month of age over those who have come so far."""
    oldest = LAST_WHOLE - min(people)
    total, found = 0.0, []
    for age in range(oldest + 1):
        reached = [one for born, each in people.items() if born + age <= LAST_WHOLE for one in each]
        total += sum(one[1 + age] for one in reached) / len(reached)
        found.append(total)
    return found


def test_channels_are_recomputed_to_the_cent(told: dict[str, Any], truth: Any) -> None:
    rows = by_name(told["channels"])
    assert set(rows) == {"all channels", "organic", *CAC}
    everyone: dict[int, list[list[float]]] = defaultdict(list)
    for people in truth.values():
        for born, each in people.items():
            everyone[born] += each
    for name, people in {**truth, "all channels": everyone}.items():
        row, ltv = rows[name], curve(people)
        count = sum(map(len, people.values()))
        assert row["customers"] == count
        first = sum(one[0] for each in people.values() for one in each) / count
        assert row["first"] == pytest.approx(first, abs=0.005)
        assert row["age"] == 12
        assert row["ltv"] == pytest.approx(ltv[12], abs=0.005)
        assert row["affordable_ratio"] == pytest.approx(ltv[12] / 2.0, abs=0.005)
        assert row["affordable_payback"] == pytest.approx(ltv[WISHED], abs=0.005)
    spent = sum(CAC[name] * rows[name]["customers"] for name in CAC) + 900.0
    assert rows["all channels"]["spend"] == pytest.approx(spent, abs=0.005)


def test_cac_and_ratio_are_those_that_the_shop_was_made_with(
    told: dict[str, Any], truth: Any
) -> None:
    rows = by_name(told["channels"])
    for name, cac in CAC.items():
        assert rows[name]["cac"] == pytest.approx(cac)
        ltv = curve(truth[name])
        assert rows[name]["ratio"] == pytest.approx(ltv[12] / cac)
        after = [age for age, value in enumerate(ltv) if value >= cac]
        expected = f"by the end of month {after[0]}"
        if after[0] == 0:
            expected = "in the month of the first order"
        if rows[name]["first"] >= cac:
            expected = "by the first order"
        assert rows[name]["repaid"] == expected
    assert rows["organic"]["cac"] is None
    assert rows["organic"]["repaid"] == "no spend on record"


def test_the_channel_that_is_paid_too_much_is_seen(told: dict[str, Any]) -> None:
    rows = by_name(told["channels"])
    assert rows["social"]["line"] == "below"
    assert rows["social"]["cac"] > rows["social"]["affordable_ratio"]
    assert rows["paid"]["line"] == "at or above"
    assert rows["paid"]["repaid"] == "by the first order"


def test_cohorts_by_channel_are_recomputed_to_the_cent(told: dict[str, Any], truth: Any) -> None:
    shown = {
        (month(dt.date.fromisoformat(row["quarter"])) // 3, row["value"]): row
        for row in told["channel_cohorts"]
    }
    quarters = {born // 3 for people in truth.values() for born in people}
    assert set(shown) == {(q, name) for q in quarters for name in [*truth, "all channels"]}
    for (quarter, name), row in shown.items():
        chosen = truth if name == "all channels" else {name: truth[name]}
        people = [
            one
            for by_month in chosen.values()
            for born, each in by_month.items()
            if born // 3 == quarter
            for one in each
        ]
        youngest = min(
            LAST_WHOLE - born for by in truth.values() for born in by if born // 3 == quarter
        )
        age = min(youngest, 12)
        ltv = sum(sum(one[1 : age + 2]) for one in people) / len(people)
        assert row["customers"] == len(people)
        assert row["age"] == age
        assert row["ltv"] == pytest.approx(ltv, abs=0.005)
        if name in CAC:
            assert row["cac"] == pytest.approx(CAC[name])
            assert row["ratio"] == pytest.approx(ltv / CAC[name])
            below = "below" if age == 12 else "not yet"
            assert row["line"] == ("at or above" if ltv / CAC[name] >= 3 else below)


def test_what_does_not_fit_together_is_named(told: dict[str, Any], shop: Shop) -> None:
    notes = " ".join(told["notes"])
    assert "No spend is on record for 2021-05" in notes
    assert "Money was spent on tv, and no customer came by it" in notes
    assert "came by channels without spend on record (organic)" in notes
    spent = {row["purpose"]: row for row in told["spend"]}
    assert spent["retention"]["amount"] == pytest.approx(5.0)
    assert spent["retention"]["in_cac"] == "no"
    said = shop.clv("ltv", "--quiet").out
    assert "tv, and no customer came by it" in said


def test_a_channel_that_is_small_in_one_quarter_is_put_together_in_all(
    shop: Shop, tmp_path: Path
) -> None:
    """Nine customers of affiliates in the first quarter; the next smallest channel hides them."""
    log = pd.read_csv(shop.log)
    first = log.sort_values("date").groupby("customer_id").first()
    early = first[(first["channel"] == "affiliate") & (first["date"] < "2021-04-01")]
    gone = early.index[9:]
    small = make_shop(tmp_path, log[~log["customer_id"].isin(gone)], TOML)
    (small.folder / "spend.csv").write_bytes((shop.folder / "spend.csv").read_bytes())
    facts = small.clv("ltv", "--json", "--quiet").json()
    names = {row["value"] for row in facts["channel_cohorts"]}
    assert names == {"all channels", "organic", "paid", "other (2 values)"}
    assert names == set(by_name(facts["channels"]))
    assert min(row["customers"] for row in facts["channel_cohorts"]) >= 10


def test_a_wrong_spend_file_ends_a_training_before_it_begins(shop: Shop) -> None:
    right = (shop.folder / "spend.csv").read_text(encoding="utf-8")
    try:
        (shop.folder / "spend.csv").write_text(right.replace("900.0", "-900.0"), encoding="utf-8")
        ran = shop.clv("train", "--quiet")
    finally:
        (shop.folder / "spend.csv").write_text(right, encoding="utf-8")
    assert ran.code == 1
    assert "-900.0" in ran.err
    assert shop.files() == {}


def amounts(rows: Rows) -> list[float]:
    """Every number of a table, and of means per customer the sums behind them."""
    found = []
    for row in rows:
        numbers = [value for value in row.values() if isinstance(value, int | float)]
        found += numbers + [value * row.get("customers", 1) for value in numbers]
    return found


def test_no_table_tells_on_a_customer_who_is_alone(tmp_path: Path) -> None:
    """In a channel and a quarter of their own; nor does the difference of two lines."""
    toml = lone_log.TOML.replace(
        "acquisition_cost = 5.0", '[acquisition]\npath = "spend.csv"\nltv_months = 36'
    )
    lonely = make_shop(tmp_path, lone_log.lone_log(), toml)
    months = pd.period_range("1997-01", "1998-06", freq="M").astype(str)
    rows = [(month, name, 100.0, "acquisition") for month in months for name in ("web", "app")]
    columns = ["period", "channel", "amount", "purpose"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "spend.csv", index=False)
    ran = lonely.clv("ltv", "--json", "--quiet")
    assert ran.code == 0, ran.err
    assert lone_log.SEGMENT not in ran.out
    facts = ran.json()
    tables = ("channels", "channel_cohorts", "ltv_steps", "ltv_by_age", "monitoring")
    assert all(facts[name] for name in tables)
    lines = list(lone_log.LONE_LINES.values())
    secrets = [
        sum(line[k] for line in some)
        for k in (0, 1)
        for count in range(1, len(lines) + 1)
        for some in itertools.combinations(lines, count)
    ]
    for name in tables:
        found = amounts(facts[name])
        for one, other in itertools.product(found, [0.0, *found]):
            assert all(abs(one - other - secret) > 0.5 for secret in secrets), name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[acquisition]", '[acquisition]\ndimension = "campaign"'), "acquisition.dimension is"),
        ((f"serve = {COST}", f"serve = {COST}\nacquisition_cost = 5.0"), "take one of them out"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    shop: Shop, tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    text = shop.file.read_text(encoding="utf-8").replace(*change)
    (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
    ran = Shop(tmp_path).clv("ltv")
    assert ran.code == 2
    assert told in " ".join(ran.err.split())


def test_customers_as_another_system_counts_them_stand_beside(shop: Shop, tmp_path: Path) -> None:
    rows = pd.read_csv(shop.folder / "spend.csv").assign(won=3)
    rows.to_csv(tmp_path / "spend.csv", index=False)
    text = shop.file.read_text(encoding="utf-8").replace('"log.csv"', json.dumps(str(shop.log)))
    (tmp_path / "shop.toml").write_text(
        text.replace("[acquisition]", '[acquisition]\ncustomers = "won"'), encoding="utf-8"
    )
    shown = by_name(Shop(tmp_path).clv("ltv", "--json", "--quiet").json()["channels"])
    months = rows[(rows["purpose"] == "acquisition") & (rows["period"] < "2023-11")]
    assert shown["social"]["reported"] == 3 * (months["channel"] == "social").sum()
    assert shown["all channels"]["reported"] == 3 * len(months)
