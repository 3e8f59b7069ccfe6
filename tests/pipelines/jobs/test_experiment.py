"""`clv experiment` on a trial in the shape of Hillstrom's, and what it refuses."""

from __future__ import annotations

import json
import math

import mailing
import numpy as np
import pandas as pd
import pytest
from shop import ID_PREFIX, copy_shop, run_clv

from pipelines.experiments.log import Recorded
from pipelines.jobs.business import experiment_words as words

AS_OF = f"{mailing.LAST_DAY:%Y-%m-%d}"
KEPT = ("log.jsonl", "hillstrom.json", "hillstrom.md")
SOME = 1800
"""Customers of the trial that tests change."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """A shop and its trial, read once: 9,000 customers, a third each."""
    shop = mailing.make(tmp_path_factory.mktemp("trial"), 9000)
    ran = read(shop, "--json")
    assert ran.code == 0, ran.err
    return shop, ran.json()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A smaller one, read once, for tests that change something."""
    shop = mailing.make(tmp_path_factory.mktemp("small"), SOME)
    assert read(shop).code == 0
    return shop


@pytest.fixture
def copied(small, tmp_path):
    return copy_shop(small, tmp_path / "copy")


def read(shop, *options, as_of=AS_OF):
    file = str(shop.folder / "trial.toml")
    return shop.clv("experiment", file, "--as-of", as_of, "--quiet", *options)


def change(shop, old, new, file="trial.toml"):
    path = shop.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def assignments(shop):
    return pd.read_csv(shop.folder / "assigned.csv", dtype=str)


def give(shop, table):
    table.to_csv(shop.folder / "assigned.csv", index=False)


def refused(shop, code, *fragments, options=()):
    before = shop.files()
    ran = read(shop, *options)
    assert ran.code == code, ran.out + ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err
    for fragment in fragments:
        assert fragment in ran.err
    assert ID_PREFIX not in ran.err
    assert shop.files() == before


def effect(told, metric, arm="Mens E-Mail"):
    (found,) = [
        row
        for row in told["effects"]
        if row["metric"] == metric and row["comparison"] == f"{arm} against No E-Mail"
    ]
    return found


def test_arms_are_what_the_log_says(trial):
    """Summed again from the two files, without the engine."""
    shop, told = trial
    log = pd.read_csv(shop.log, parse_dates=["when"])
    window = log[log["when"].between(mailing.SENT, mailing.SENT + pd.Timedelta(days=13))]
    own = window.groupby("who").agg(paid=("paid", "sum"), orders=("order", "nunique"))
    both = assignments(shop).set_index("customer").join(own).fillna({"paid": 0.0, "orders": 0})
    for arm in told["arms"]:
        mine = both[both["segment"] == arm["arm"]["segment"]]
        cost = 0.0 if arm["arm"]["segment"] == "No E-Mail" else mailing.COST
        assert arm["customers"] == arm["assigned"] == len(mine) == 3000
        assert arm["means"]["revenue"] == pytest.approx(mine["paid"].mean(), rel=1e-8)
        assert arm["means"]["orders"] == pytest.approx(mine["orders"].mean(), rel=1e-8)
        assert arm["means"]["retention"] == pytest.approx((mine["orders"] > 0).mean(), rel=1e-8)
        assert arm["means"]["visit"] == pytest.approx(mine["visit"].astype(float).mean(), rel=1e-8)
        net = mailing.MARGIN * mine["paid"].mean() - cost
        assert arm["means"]["margin"] == pytest.approx(net, rel=1e-8)
        assert arm["cost"] == pytest.approx(cost)
        assert arm["means"]["clv"] > arm["means"]["margin"]


def test_known_effects_lie_in_their_intervals_and_are_found(trial):
    _, told = trial
    for arm, buys in zip(mailing.ARMS[1:], mailing.BUYS[1:], strict=True):
        more = buys - mailing.BUYS[0]
        truths = {
            "retention": more,
            "orders": more,
            "revenue": mailing.SPEND * more,
            "margin": mailing.MARGIN * mailing.SPEND * more - mailing.COST,
        }
        for metric, truth in truths.items():
            found = effect(told, metric, arm)
            assert found["low_together"] <= truth <= found["high_together"]
            assert found["low_together"] < found["low"] < found["high"] < found["high_together"]
            assert found["p_holm"] >= found["p_value"]
        assert effect(told, "retention", arm)["verdict"] == "higher"
        assert effect(told, "visit", arm)["verdict"] == "higher"
    assert told["sample_ratio"]["holds"]
    assert len(told["effects"]) == 2 * 6


def test_the_forecast_takes_variance_away(trial):
    """Customers differ by a factor that their past tells of: what it explains is taken away."""
    _, told = trial
    for metric in ("retention", "orders", "revenue", "clv"):
        found = effect(told, metric)
        assert found["variance_gain"] > 0.01
        plain = found["plain_high"] - found["plain_low"]
        assert found["high"] - found["low"] < 1.05 * plain


def test_what_is_kept_names_nobody(trial):
    shop, _ = trial
    kept = {name: content for name, content in shop.files().items() if content}
    assert set(kept) == {f"reports/shop/experiments/{name}" for name in KEPT}
    for content in kept.values():
        assert ID_PREFIX.encode() not in content


def test_the_same_result_is_kept_once_and_another_is_a_restatement(copied):
    log = copied.reports / "experiments" / "log.jsonl"
    first = log.read_text(encoding="utf-8")
    again = read(copied)
    assert "the log holds this result since" in again.out
    assert log.read_text(encoding="utf-8") == first
    change(copied, 'name = "hillstrom"', 'name = "hillstrom"\nlearned = "Mail men."')
    ran = read(copied)
    assert "restated in the log" in ran.out
    assert "learned: Mail men." in ran.out
    change(copied, "cost_per_customer = 0.5", "cost_per_customer = 0.7")
    told = read(copied, "--json").json()["log"]
    assert told["added"]
    assert told["restated"] == ["arms", "effects"]
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert log.read_text(encoding="utf-8").startswith(first)
    assert [entry["restates"] and entry["restates"]["changed"] for entry in entries] == [
        None,
        ["learned"],
        ["arms", "effects"],
    ]
    assert {entry["core_metric"] for entry in entries} == {"margin"}


def test_a_damaged_log_is_not_written_over(copied):
    log = copied.reports / "experiments" / "log.jsonl"
    log.write_text("{", encoding="utf-8")
    refused(copied, 1, "log.jsonl, line 1", "nothing was added")


def test_lines_say_who_was_read_and_what_can_be_told(trial):
    ran = read(trial[0])
    assert "9,000 of 9,000 assigned from 2022-09-01, 14 days each" in ran.out
    assert "Mens E-Mail against No E-Mail: margin is higher by" in ran.out
    assert "orders per customer" in ran.out


def test_who_cannot_be_read_is_counted(copied):
    table = assignments(copied)
    twice = table.iloc[:40].copy()
    others = dict(zip(mailing.ARMS, np.roll(mailing.ARMS, 1), strict=True))
    twice["segment"] = twice["segment"].map(others)
    again = table.iloc[40:100]
    strangers = table.iloc[:30].assign(customer=[f"stranger {n}" for n in range(30)])
    late = table.iloc[100:150].index
    later = table.iloc[150:170].index
    table.loc[late, "sent"] = "2022-09-25"
    table.loc[later, "sent"] = "2022-10-05"
    give(copied, pd.concat([table, twice, again, strangers]))
    told = read(copied, "--json").json()["assignment"]
    assert told == {
        "rows": SOME + 130,
        "repeated_rows": 60,
        "customers": SOME + 30,
        "read": SOME - 40 - 50 - 20,
        "set_aside": {
            "several_arms": 40,
            "after_as_of": 20,
            "window_open": 50,
            "unknown": 30,
            "totals_only": 0,
        },
    }


def test_arms_of_another_size_cannot_be_read(copied):
    table = assignments(copied)
    lost = table["segment"] == "Mens E-Mail"
    give(copied, table[~lost | (np.arange(len(table)) % 3 > 0)])
    ran = read(copied, "--json")
    assert ran.code == 1
    assert "not as large as they were meant to be" in ran.err
    told = ran.json()
    assert not told["sample_ratio"]["holds"]
    said = read(copied).out
    assert "Mens E-Mail against No E-Mail:" not in said
    assert "interval" not in said
    assert {row["verdict"] for row in told["effects"]} == {"unreadable"}


def test_shares_that_were_meant_can_be_read(copied):
    table = assignments(copied)
    lost = table["segment"] == "Mens E-Mail"
    give(copied, table[~lost | (np.arange(len(table)) % 2 > 0)])
    arm = '[factors.segment.arms."Mens E-Mail"]'
    change(copied, arm, f"{arm}\nshare = 0.5")
    assert read(copied).code == 0


def test_nothing_can_be_told_is_said(copied):
    table = assignments(copied)
    rng = np.random.default_rng(3)
    table["segment"] = rng.permutation(table["segment"])
    table["visit"] = 0
    give(copied, table)
    change(copied, "cost_per_customer = 0.5", "cost_per_customer = 0.0")
    ran = read(copied)
    assert ran.code == 0
    assert "nothing can be told; the effect on margin lies between" in ran.out
    assert "the same for every customer" in ran.out


def test_two_factors_side_by_side(copied):
    table = assignments(copied)
    rng = np.random.default_rng(4)
    table["subject"] = rng.permutation(np.arange(len(table)) % 2).astype(str)
    give(copied, table)
    text = (copied.folder / "trial.toml").read_text(encoding="utf-8")
    more = '\n[factors.subject]\ncontrol = "0"\n[factors.subject.arms.1]\nfixed_cost = 450\n'
    (copied.folder / "trial.toml").write_text(text + more, encoding="utf-8")
    told = read(copied, "--json").json()
    assert {row["comparison"] for row in told["effects"]} == {
        "segment: Mens E-Mail against No E-Mail",
        "segment: Womens E-Mail against No E-Mail",
        "subject: 1 against 0",
        "segment: Mens E-Mail x subject: 1",
        "segment: Womens E-Mail x subject: 1",
    }
    costs = {tuple(arm["arm"].values()): arm["cost"] for arm in told["arms"]}
    assert costs["Mens E-Mail", "1"] == pytest.approx(0.5 + 450 / 900)
    assert costs["No E-Mail", "0"] == 0


def test_a_plan_says_customers_and_days(copied):
    text = (copied.folder / "trial.toml").read_text(encoding="utf-8")
    (copied.folder / "trial.toml").write_text(text + "\n[plan]\nlift = 0.2\n", encoding="utf-8")
    before, day = copied.files(), "2022-09-14"
    told = read(copied, "--plan", "--json", as_of=day).json()
    assert copied.files() == before
    assert told["effect"] == pytest.approx(0.2 * told["mean"])
    assert told["comparisons_in_all"] == 12
    for row in told["comparisons"]:
        assert 1000 < row["customers"] < row["customers_without_forecast"]
    assert "customers in all arms" in read(copied, "--plan", as_of=day).out
    change(copied, "lift = 0.2", "lift = 0.2\nenrol = 'new'")
    new = read(copied, "--plan", "--json", as_of=day).json()
    assert new["customers"] < told["customers"]
    for row in new["comparisons"]:
        assert row["days"] == math.ceil(row["customers"] / new["arrivals"]) + 14


REFUSED = [
    ("time = ", "tyme = ", 2, ["unknown key 'tyme' in [assignment]", "'time'"]),
    ("cost_per_customer", "cost_per_custmer", 2, ["unknown key 'cost_per_custmer'", "mean 'cost_"]),
    ('control = "No E-Mail"', 'control = "No Mail"', 1, ["no 'No Mail'", "mean 'No E-Mail'"]),
    ('"Womens E-Mail"', '"Women"', 1, ["'Womens E-Mail'", "does not name"]),
    ('path = "assigned.csv"', 'path = "none.csv"', 2, ["no file at", "[assignment] path"]),
    ('customer_id = "customer"', 'customer_id = "who"', 1, ["named in [assignment]", "who"]),
    ('core_metric = "margin"', 'core_metric = "purchases"', 2, ["none of the metrics"]),
    ('outcomes = ["visit"]', 'outcomes = ["segment"]', 2, ["'segment' is named twice"]),
    ("[factors.segment]", "[factors.a]\ncontrol = '1'\n[factors.b]\ncontrol = '1'\n"
     "[factors.segment]", 2, ["one factor or two"]),
    ("[assignment]", "[plan]\neffect = 1\nlift = 1\n[assignment]", 2, ["either effect or lift"]),
    ("name =", "nam =", 2, ["missing key 'name'"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "says"), REFUSED)
def test_a_wrong_file_is_refused(copied, old, new, code, says):
    change(copied, old, new)
    refused(copied, code, *says)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("segment", "", "no value that can be read in 'segment' in 2 of 1800 rows (row 4, 5)"),
        ("customer", " ", "no value that can be read in 'customer'"),
        ("sent", "soon", "no day or time that can be read in 'sent'"),
        ("visit", "many", "no value that can be read in 'visit'"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(copied, column, value, says):
    table = assignments(copied)
    table.loc[3:4, column] = value
    give(copied, table)
    refused(copied, 1, says)


def test_rows_of_one_customer_that_tell_different_outcomes_are_refused(copied):
    table = assignments(copied)
    again = table.iloc[:2].assign(visit=["7", "9"])
    give(copied, pd.concat([table, again]))
    refused(copied, 1, "column 'visit' tells different values of one customer, in 4 rows (row 1, 2")


NAMES = ["cell", "day", "until", "cost", "customers", "arm", "customer_id"]


@pytest.mark.parametrize("name", NAMES)
def test_an_outcome_may_bear_any_name(copied, name):
    """Names that the reading itself uses: the column's mean, and nothing else is changed."""
    table = assignments(copied)
    expected = table["visit"].astype(float).groupby(table["segment"]).mean()
    give(copied, table.rename(columns={"visit": name}))
    change(copied, 'outcomes = ["visit"]', f'outcomes = ["{name}"]')
    told = read(copied, "--json").json()
    for arm in told["arms"]:
        level = arm["arm"]["segment"]
        assert arm["means"][name] == pytest.approx(expected[level], rel=1e-8)
        assert arm["customers"] == SOME // 3
        assert arm["cost"] == pytest.approx(0.0 if level == "No E-Mail" else mailing.COST)


@pytest.mark.parametrize("name", ["cell", "day", "until", "customer_id"])
def test_a_factor_may_bear_any_name(copied, name):
    give(copied, assignments(copied).rename(columns={"segment": name}))
    text = (copied.folder / "trial.toml").read_text(encoding="utf-8")
    text = text.replace("[factors.segment", f"[factors.{name}")
    (copied.folder / "trial.toml").write_text(text, encoding="utf-8")
    told = read(copied, "--json").json()
    assert {arm["arm"][name] for arm in told["arms"]} == set(mailing.ARMS)


def test_an_end_that_cannot_be_told_is_said_in_words(trial):
    """An infinite end is null in JSON; it is no number to compare with."""
    shop, told = trial
    economics = shop.config.economics
    recorded = Recorded({"restates": None}, True, ())
    for ends, says in [
        ((0.5, None), "lies above +0.50, nobody can tell how far"),
        ((None, 0.5), "lies below +0.50, nobody can tell how far"),
        ((None, None), "lies where nobody can tell"),
        ((-0.5, 0.5), "lies between -0.50 and +0.50"),
    ]:
        found = dict(zip(("low", "high"), ends, strict=True))
        for verdict in ("open", "higher"):
            row = {**effect(told, "margin"), **found, "verdict": verdict}
            text = "\n".join(words.lines({**told, "effects": [row]}, economics, recorded))
            assert says in text
            assert "seldom" not in text


def test_a_level_is_written_with_all_its_digits(copied):
    change(copied, "[assignment]", "alpha = 0.0005\n[assignment]")
    ran = read(copied)
    assert "99.95% interval" in ran.out
    assert "100% interval" not in ran.out


def test_an_arm_of_few_is_refused(copied):
    table = assignments(copied)
    table.loc[0, "segment"] = "Other"
    give(copied, table)
    change(copied, '[factors.segment.arms."Mens E-Mail"]\ncost_per_customer = 0.5\n', "")
    change(copied, '[factors.segment.arms."Womens E-Mail"]\ncost_per_customer = 0.5\n', "")
    refused(copied, 1, "arm 'Other' has 1 customer to be read, of 1 assigned")


def test_no_window_over_is_refused(copied):
    give(copied, assignments(copied).assign(sent="2022-09-25"))
    refused(copied, 1, "no window of 14 days is over by 2022-09-30", "ends on 2022-10-08")


def test_one_arm_alone_is_refused(copied):
    give(copied, assignments(copied).assign(segment="No E-Mail"))
    refused(copied, 1, "holds 'No E-Mail' alone")


def test_a_plan_and_a_reading_need_their_sections(copied):
    refused(copied, 2, "needs a section [plan]", options=["--plan"])
    text = (copied.folder / "trial.toml").read_text(encoding="utf-8")
    start, end = text.index("[assignment]"), text.index("[factors.segment]")
    (copied.folder / "trial.toml").write_text(text[:start] + text[end:], encoding="utf-8")
    refused(copied, 2, "[assignment]", "--plan")


def test_a_missing_file_is_refused(trial):
    ran = run_clv("experiment", "no/such.toml", "--config", str(trial[0].file))
    assert ran.code == 2
    assert "no experiment file no/such.toml" in ran.err
    ran = run_clv("experiment", "no/such.toml", "--config", "no/business.toml")
    assert ran.code == 2
    assert "no configuration file no/business.toml" in ran.err
