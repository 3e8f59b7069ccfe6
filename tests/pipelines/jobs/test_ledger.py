"""The monthly runs of a shop: every forecast is kept, judged when its months have ended."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from shop import TRAINED_AS_OF, copy_shop

from clvmodels.evaluation.vintages import VintageLevel
from pipelines.jobs import stages
from pipelines.ledger import store

OCTOBER, NOVEMBER = "2022-10-31", "2022-11-30"


@pytest.fixture(scope="module")
def refreshed(trained, tmp_path_factory):
    """A trained shop refreshed twice, and what the second refresh said."""
    shop = copy_shop(trained, tmp_path_factory.mktemp("ledger") / "copy")
    shop.clv("refresh", "--as-of", OCTOBER, "--quiet")
    return shop, shop.clv("refresh", "--as-of", NOVEMBER, "--quiet", "--json")


def test_training_and_refreshes_are_recorded_by_day(refreshed):
    shop, said = refreshed
    assert said.code == 0, said.err
    runs = stages.ledger(shop.config).runs()
    made = runs[runs["kind"] == "forecast"]["as_of"].astype(str).tolist()
    assert [day[:10] for day in made] == [str(TRAINED_AS_OF), OCTOBER, NOVEMBER]
    assert set(runs["currency"]) == {"EUR"}


def test_errors_are_recomputed_from_the_raw_log(refreshed, log):
    shop, said = refreshed
    days = log.assign(day=pd.to_datetime(log["when"]).dt.normalize())
    known = days[days["day"] <= pd.Timestamp(NOVEMBER)]
    bought = known.groupby(["who", "day"], as_index=False)["paid"].sum()
    month = bought[bought["day"].between("2022-11-01", NOVEMBER)]
    made = stages.ledger(shop.config).forecasts()
    made = made[(made["level"] == VintageLevel.COMPANY) & (made["quantity"] == "revenue")]
    one = made[(made["origin"] == OCTOBER) & (made["period"] == "2022-11-01")]["value"].item()
    two = [
        made[(made["origin"] == origin) & (made["period"] == period)]["value"].item()
        for origin, period in ((OCTOBER, "2022-11-01"), (str(TRAINED_AS_OF), "2022-09-01"))
    ]
    assert one == two[0]
    september = bought[bought["day"].between("2022-09-01", "2022-09-30")]["paid"].sum()
    horizons = pd.DataFrame(said.json()["ledger"]["horizons"])
    row = horizons[
        (horizons["level"] == VintageLevel.COMPANY)
        & (horizons["quantity"] == "revenue")
        & (horizons["from_month"] == 1)
    ].iloc[0]
    actual = month["paid"].sum() + september
    assert row["forecasts"] == 2
    assert row["bias"] == pytest.approx(sum(two) / actual - 1, rel=1e-6)


def test_the_page_shows_what_was_said_and_what_came_true(refreshed):
    shop, _ = refreshed
    path = shop.reports / NOVEMBER / "backtest.json"
    report = json.loads(path.read_text(encoding="utf-8"))["report"]
    section = next(s for s in report["sections"] if s["id"] == "record")
    assert section["missing"] is None
    assert set(section["tables"]) == {"record_signals", "record_by_horizon", "record_by_month"}
    shown = report["tables"]["record_by_month"]
    assert shown["columns"][0]["key"] == "period"
    assert {row[0][:7] for row in shown["rows"]} == {"2022-09", "2022-10", "2022-11"}
    assert "What was forecast, and what came true" in (path.parent / "backtest.html").read_text(
        encoding="utf-8"
    )
    first = shop.reports / str(TRAINED_AS_OF) / "backtest.json"
    untold = json.loads(first.read_text(encoding="utf-8"))["report"]["sections"]
    assert next(s for s in untold if s["id"] == "record")["missing"]


def test_the_same_day_again_adds_nothing(refreshed, tmp_path):
    shop = copy_shop(refreshed[0], tmp_path / "again")
    before = (shop.reports / store.FILE).read_bytes()
    again = shop.clv("refresh", "--as-of", NOVEMBER, "--quiet", "--json")
    assert again.code == 0
    assert (shop.reports / store.FILE).read_bytes() == before
    assert again.json()["ledger"]["restated"] == []


def test_a_changed_month_is_restated_and_a_bias_ends_with_code_1(refreshed, log, tmp_path):
    """Two thirds of the rows of two months vanish from the log after they were recorded."""
    shop = copy_shop(refreshed[0], tmp_path / "changed")
    when = pd.to_datetime(log["when"])
    late = when.between("2022-10-01", "2022-12-01") & (log.index % 3 != 0)
    log[~late].to_csv(shop.log, index=False)
    text = shop.file.read_text(encoding="utf-8")
    alarmed = 'fail_on = ["bias", "outside"]'
    limits = f"\n[monitoring]\n{alarmed}\n[governance]\nmax_shrink_share = 0.9\n"
    shop.file.write_text(text + limits, encoding="utf-8")
    said = shop.clv("refresh", "--as-of", NOVEMBER, "--quiet")
    assert said.code == 1
    assert "ALARM" in said.out.splitlines()[0]
    assert "too high" in said.err
    assert "restated: Oct 2022" in said.out
    assert (shop.reports / NOVEMBER / "backtest.html").is_file()
    runs = stages.ledger(shop.config).runs()
    assert (runs["kind"] == "actuals").sum() == 3
