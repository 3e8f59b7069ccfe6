"""`clv ltv` against plain Python over the rows of a simulated shop, and on plain numbers."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import segment_shop
from shop import Shop, make_shop, run_clv

MARGIN, COST = 0.4, 1.25
LAST = dt.date(2023, 11, 14)
TOML = f"""
name = "shop"
[source]
kind = "csv"
path = "log.csv"
{segment_shop.TOML}
cost_to_serve = {COST}
[output]
models = "{{folder}}/models"
reports = "{{folder}}/reports"
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    log = segment_shop.shop(seed=4, customers=900)
    known = log[log["date"] <= str(LAST)]
    return make_shop(tmp_path_factory.mktemp("ltv"), known, TOML)


@pytest.fixture(scope="module")
def told(shop: Shop) -> dict[str, Any]:
    ran = shop.clv("ltv", "--json", "--quiet")
    assert ran.code == 0, ran.err
    facts: dict[str, Any] = ran.json()
    return facts


Days = dict[str, dict[dt.date, float]]


@pytest.fixture(scope="module")
def days(shop: Shop) -> Days:
    """What each customer paid on each day: a purchase is a customer's day."""
    found: Days = defaultdict(lambda: defaultdict(float))
    with Path(shop.log).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day = dt.date.fromisoformat(row["timestamp"][:10])
            found[row["customer_id"]][day] += float(row["amount"])
    return found


def month(day: dt.date) -> int:
    return day.year * 12 + day.month - 1


def cycle(day: dt.date, months: int) -> int:
    return month(day) // months


def last_whole(months: int) -> int:
    """The last cycle that is over."""
    return cycle(LAST + dt.timedelta(days=1), months) - 1


def measures(facts: dict[str, Any]) -> dict[str, float]:
    return {row["measure"]: row["value"] for row in facts["unit_economics"]}


def quarter_of(text: str) -> int:
    return cycle(dt.date.fromisoformat(text), 3)


def test_three_steps_are_the_sums_of_the_rows(told: dict[str, Any], days: Days) -> None:
    earned: dict[int, float] = defaultdict(float)
    people: dict[int, int] = defaultdict(int)
    for bought in days.values():
        quarter = cycle(min(bought), 3)
        people[quarter] += 1
        earned[quarter] += sum(bought.values())
    steps = {quarter_of(row["cohort"]): row for row in told["ltv_steps"]}
    assert set(steps) == set(people)
    for quarter, row in steps.items():
        assert row["customers"] == people[quarter]
        assert row["earned"] == pytest.approx(MARGIN * earned[quarter], abs=0.005)
        assert row["ltv"] == pytest.approx(earned[quarter] / people[quarter], abs=0.005)
        assert row["ltv_margin"] == pytest.approx(
            MARGIN * earned[quarter] / people[quarter], abs=0.005
        )
    everybody = measures(told)["LTV to date, gross margin, all customers"]
    assert everybody == pytest.approx(MARGIN * sum(earned.values()) / len(days), abs=0.005)


def test_months_of_age_are_the_sums_of_the_rows(told: dict[str, Any], days: Days) -> None:
    earned: dict[tuple[int, int], float] = defaultdict(float)
    youngest: dict[int, int] = {}
    people: dict[int, int] = defaultdict(int)
    for bought in days.values():
        born = month(min(bought))
        people[born // 3] += 1
        youngest[born // 3] = max(youngest.get(born // 3, born), born)
        for day, paid in bought.items():
            earned[born // 3, month(day) - born] += MARGIN * paid
    last = last_whole(1)
    expected = {
        (quarter, age) for quarter, born in youngest.items() for age in range(last - born + 1)
    }
    assert {(quarter_of(row["cohort"]), row["age"]) for row in told["ltv_by_age"]} == expected
    for row in told["ltv_by_age"]:
        quarter = quarter_of(row["cohort"])
        so_far = sum(earned[quarter, age] for age in range(row["age"] + 1))
        assert row["earned"] == pytest.approx(earned[quarter, row["age"]], abs=0.005)
        assert row["earned_to_date"] == pytest.approx(so_far, abs=0.005)
        assert row["ltv_margin"] == pytest.approx(so_far / people[quarter], abs=0.005)
    for row in told["ltv_steps"]:
        marks = [key for key in row if key.startswith("at_")]
        for mark in marks:
            age = int(mark.removeprefix("at_"))
            quarter = quarter_of(row["cohort"])
            if (quarter, age) in expected:
                so_far = sum(earned[quarter, k] for k in range(age + 1))
                assert row[mark] == pytest.approx(so_far / people[quarter], abs=0.005)
            else:
                assert row[mark] is None


def kept_and_lost(days: Days, months: int, cycles: Iterator[int] | range) -> tuple[int, int]:
    """Buyers of cycles, and those of them who bought in the next."""
    buyers = kept = 0
    for bought in days.values():
        active = {cycle(day, months) for day in bought}
        for k in cycles:
            buyers += k in active
            kept += k in active and k + 1 in active
    return buyers, kept


@pytest.mark.parametrize(("name", "months"), [("month", 1), ("quarter", 3), ("year", 12)])
def test_historical_ltv_is_the_formula_on_the_rows(
    shop: Shop, days: Days, name: str, months: int
) -> None:
    found = measures(shop.clv("ltv", "--cycle", name, "--json", "--quiet").json())
    first = sum(bought[min(bought)] for bought in days.values()) / len(days)
    assert found["First purchase, gross margin"] == pytest.approx(MARGIN * first)

    # The customer's sense: of the buyers of whole cycles, who did not buy in the next.
    whole = range(cycle(segment_shop.START, months), last_whole(months) + 1)
    buyers, kept = kept_and_lost(days, months, whole[:-1])
    churn = 1 - kept / buyers
    assert found["Churn, customer's sense"] == pytest.approx(100 * churn)
    recent = whole[-max(12 // months, 1) :]
    repeats = [
        (day, paid)
        for bought in days.values()
        for day, paid in bought.items()
        if day != min(bought)
    ]
    seen = [paid for day, paid in repeats if cycle(day, months) in recent]
    active = sum(
        len({cycle(day, months) for day in bought} & set(recent)) for bought in days.values()
    )
    arpu, often = sum(seen) / active, len(seen) / active
    assert found["ARPU of buyers"] == pytest.approx(arpu)
    ltv = arpu * MARGIN / churn
    sense = "gross margin, customer's sense"
    assert found[f"Historical LTV, {sense}, without the first purchase"] == pytest.approx(ltv)
    with_first = found[f"Historical LTV, {sense}, with the first purchase"]
    assert with_first == pytest.approx(ltv + MARGIN * first)
    hand = "CLV by hand, not discounted, customer's sense"
    clv = ltv - COST * often / churn
    assert found[f"{hand}, without the first purchase"] == pytest.approx(clv)
    assert found[f"{hand}, with the first purchase"] == pytest.approx(clv + MARGIN * first - COST)

    # The cohort's sense: all who are known, by their days, in the last twelve months.
    begins = dt.date(LAST.year - 1, LAST.month + 1, 1)
    lived = sum(
        max((LAST - max(begins, min(bought) + dt.timedelta(days=1))).days + 1, 0)
        for bought in days.values()
    )
    seen = [paid for day, paid in repeats if day >= begins]
    arpu = sum(seen) / lived * 365.25 / 12 * months
    assert found["ARPU"] == pytest.approx(arpu)
    fallen = cohort_fall(days, months, whole)
    if months == 12:  # the log holds one whole year after that of the first customers
        assert math.isnan(fallen)
        assert found["Lifespan, cohort's sense"] is None
        return
    assert found["Churn, cohort's sense"] == pytest.approx(100 * fallen)
    sense = "gross margin, cohort's sense"
    ltv = arpu * MARGIN / fallen
    assert found[f"Historical LTV, {sense}, without the first purchase"] == pytest.approx(ltv)


def cohort_fall(days: Days, months: int, whole: range) -> float:
    """Fall of purchases a customer-day from one cycle of a cohort to the next."""
    bought_in: dict[tuple[int, int], int] = defaultdict(int)
    lived: dict[tuple[int, int], int] = defaultdict(int)
    for bought in days.values():
        cohort = cycle(min(bought), months)
        for day in bought:
            bought_in[cohort, cycle(day, months)] += day != min(bought)
        for k in whole:
            start = dt.date(k * months // 12, k * months % 12 + 1, 1)
            after = (k + 1) * months
            end = dt.date(after // 12, after % 12 + 1, 1)
            from_day = max(start, min(bought) + dt.timedelta(days=1))
            lived[cohort, k] += max((end - from_day).days, 0)
    before = after_them = 0.0
    for cohort, k in list(lived):
        if k > cohort and k + 1 in whole and cohort in whole:
            before += bought_in[cohort, k]
            after_them += bought_in[cohort, k + 1] * lived[cohort, k] / lived[cohort, k + 1]
    return 1 - after_them / before if before else math.nan


def test_quarters_are_watched_one_by_one(told: dict[str, Any], days: Days) -> None:
    first = cycle(segment_shop.START, 3)
    shown = {quarter_of(row["period"]): row for row in told["monitoring"]}
    assert sorted(shown) == list(range(first, last_whole(3) + 1))
    for quarter, row in shown.items():
        buyers, _ = kept_and_lost(days, 3, range(quarter, quarter + 1))
        assert row["buyers"] == buyers
        assert row["margin"] == pytest.approx(MARGIN)
        known = [b for b in days.values() if cycle(min(b), 3) <= quarter]
        assert row["customers"] == len(known)
        if quarter > first:
            before, kept = kept_and_lost(days, 3, range(quarter - 1, quarter))
            assert row["customer_churn"] == pytest.approx(1 - kept / before)
        else:
            assert row["customer_churn"] is None


def test_people_read_the_same_figures(shop: Shop, told: dict[str, Any]) -> None:
    said = shop.clv("ltv", "--quiet").out
    for row in told["unit_economics"]:
        assert row["measure"] in said
        assert row["meaning"] in said
    for title in ("LTV in three steps", "ARPU, margin and churn by quarter"):
        assert title in said
    earlier = shop.clv("ltv", "--as-of", "2022-12-31", "--json", "--quiet").json()
    assert earlier["as_of"] == "2022-12-31"
    assert measures(earlier)["ARPU"] != pytest.approx(measures(told)["ARPU"], rel=1e-6)


def test_the_worked_numbers_of_the_docs_are_those_of_the_command() -> None:
    root = Path(__file__).parents[4]
    text = (root / "docs" / "economics.md").read_text(encoding="utf-8")
    ran = run_clv("ltv", "--config", str(root / "configs" / "cdnow.toml"), "--json", "--quiet")
    told = ran.json()
    for measure, value in measures(told).items():
        if "CLV by hand" not in measure or "cohort" in measure:
            assert any(f"{value:{form}}" in text for form in (",.2f", ",.1f", ".6g")), measure
    (steps,) = told["ltv_steps"]
    assert f"{steps['earned']:,.2f}" in text
    for mark in ("ltv", "at_0", "at_3", "at_6", "at_12"):
        assert f"{steps[mark]:,.2f}" in text
    formulas = [row["meaning"] for row in told["unit_economics"]]
    for number in ("3.78337", "7.14036 %", "50.9193", "76.1402 %", "0.0954443", "14.0049"):
        assert any(number in formula for formula in formulas)
        assert number in text


# --- plain numbers


@pytest.mark.parametrize(
    ("given", "ltv"),
    [
        ("--arpu 25 --margin 0.60 --churn 0.05", 300.0),
        ("--arpu 25 --margin 0.60 --churn 0.02", 750.0),
        ("--arpu 25 --margin 0.60 --lifespan 20", 300.0),
        ("--value 40 --margin .60 --frequency 6", 144.0),
        ("--value 40 --margin .60 --frequency 2 --lifespan 3", 144.0),
    ],
)
def test_plain_numbers_need_no_log(given: str, ltv: float) -> None:
    ran = run_clv("ltv", *given.split(), "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["ltv"] == pytest.approx(ltv)
    assert f"{ltv:g} = " in run_clv("ltv", *given.split()).out


def test_plain_numbers_know_service_and_the_first_purchase() -> None:
    given = "--value 40 --margin .6 --frequency 2 --lifespan 3 --cost-to-serve 2 --first-value 30"
    found = json.loads(run_clv("ltv", *given.split(), "--json").out)
    assert found["clv"] == pytest.approx(144 - 12)
    assert found["ltv_with_first_purchase"] == pytest.approx(144 + 18)
    assert found["clv_with_first_purchase"] == pytest.approx(132 + 18 - 2)
    said = run_clv("ltv", *given.split(), "--cycle", "year").out
    assert "lifespan: 3 years (as given)" in said
    assert "margin per purchase 24 x frequency 2 x lifespan 3 - service costs 12" in said


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("", "--config FILE, or plain numbers"),
        ("--arpu 25 --margin 60 --churn .05", "--margin must be 0 or more and 1 at most"),
        ("--arpu 25 --margin .6 --churn 0", "--churn must be above 0"),
        ("--arpu nan --margin .6 --churn .1", "--arpu must be 0 or more"),
        ("--arpu 25 --margin .6", "needs --churn or --lifespan"),
        ("--arpu 25 --churn .05", "needs --margin too"),
        ("--arpu 25 --value 4 --margin .6", "give --arpu or --value, not both"),
        ("--arpu 25 --margin .6 --churn .1 --lifespan 3", "give --churn or --lifespan, not both"),
        ("--value 25 --margin .6", "needs --frequency too"),
        ("--arpu 25 --margin .6 --churn .1 --cost-to-serve 1", "needs --frequency too"),
        ("--arpu 25 --margin .6 --churn .1 --as-of 2022-01-31", "--as-of is a day of a log"),
    ],
)
def test_numbers_that_say_too_little_or_too_much_are_refused(given: str, named: str) -> None:
    ran = run_clv("ltv", *given.split())
    assert ran.code == 2
    assert ran.out == ""
    assert named in " ".join(ran.err.split())


def test_a_log_takes_no_plain_numbers(shop: Shop) -> None:
    ran = shop.clv("ltv", "--churn", "0.1", "--first-value", "3")
    assert ran.code == 2
    assert "leave out --churn, --first-value" in " ".join(ran.err.split())


def test_without_a_first_purchase_no_figure_is_said_to_hold_one() -> None:
    given = "--value 40 --margin .6 --frequency 2 --lifespan 3 --cost-to-serve 2"
    found = run_clv("ltv", *given.split(), "--json").json()
    assert found["clv"] == pytest.approx(144 - 12)
    assert not [name for name in found if "first" in name]
