"""`clv audiences`: its files, changes since last time, consent, erasure, refusals."""

from __future__ import annotations

import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from shop import TRAINED_AS_OF, Shop

from pipelines.data import privacy

LATER = "2022-09-30"
OWN = """
[audiences]
builtin = false
columns = ["clv", "rfm_segment"]
[audience.best]
reason = "worth a call"
where = [{column = "clv", top_share = 0.1}, {column = "r_score", in = [4, 5]}]
"""


def with_more(shop: Shop, more: str) -> Shop:
    shop.file.write_text(shop.file.read_text(encoding="utf-8") + more, encoding="utf-8")
    return shop


def ran(shop: Shop, *arguments: str):
    said = shop.clv("audiences", "--quiet", "--json", *arguments)
    assert said.code == 0, said.err
    return said.json()


def written(shop: Shop, day: str, name: str) -> pd.DataFrame:
    folder = shop.reports / day / "audiences"
    table = pd.read_parquet(folder / f"{name}.parquet")
    as_text = pd.read_csv(folder / f"{name}.csv", dtype={"customer_id": str})
    pd.testing.assert_frame_equal(table, as_text, check_dtype=False, rtol=1e-12)
    return table


def test_members_values_and_changes(copied):
    shop = with_more(copied, OWN)
    first = ran(shop)
    assert first["as_of"] == str(TRAINED_AS_OF)
    (best,) = first["audiences"]
    assert (best["entered"], best["stayed"], best["left"]) == (None, None, None)
    customers = pd.read_parquet(shop.reports / str(TRAINED_AS_OF) / "customers.parquet")
    limit = customers["clv"].nlargest(-(-len(customers) // 10)).min()
    expected = customers[(customers["clv"] >= limit) & (customers["r_score"] >= 4)]
    table = written(shop, str(TRAINED_AS_OF), "best")
    assert list(table) == ["customer_id", "audience", "reason", "change", "clv", "rfm_segment"]
    assert table["customer_id"].tolist() == expected["customer_id"].tolist()
    assert set(table["reason"]) == {"worth a call"}
    assert best["customers"] == len(expected)
    assert best["clv"] == pytest.approx(expected["clv"].sum())
    assert best["expected_revenue"] == pytest.approx(expected["expected_revenue"].sum())

    assert shop.clv("forecast", "--as-of", LATER, "--quiet").code == 0
    (best,) = ran(shop)["audiences"]
    now = written(shop, LATER, "best")
    stayed = set(now["customer_id"]) & set(table["customer_id"])
    assert set(now.loc[now["change"] == "stay", "customer_id"]) == stayed
    assert best["stayed"] == len(stayed) > 0
    assert best["entered"] == len(now) - len(stayed)
    assert best["left"] == len(table) - len(stayed)


def test_built_in_audiences_are_written_with_their_size(copied):
    said = copied.clv("audiences", "--quiet")
    assert said.code == 0, said.err
    for name in (
        "top_1_percent: 7 customers",
        "top_at_risk: ",
        "win_back: ",
        "onboarding_day_30: ",
    ):
        assert name in said.out
    folder = copied.reports / str(TRAINED_AS_OF) / "audiences"
    held = {path.stem: pq.read_metadata(path).num_rows for path in folder.glob("*.parquet")}
    assert held["top_1_percent"] == 7
    assert {path.stem for path in folder.glob("*.csv")} == set(held)


def test_who_has_withdrawn_since_the_forecast_is_in_no_file(copied):
    before = ran(copied)
    customers = pd.read_parquet(copied.reports / str(TRAINED_AS_OF) / "customers.parquet")
    ids = customers.nlargest(20, "clv")["customer_id"]
    said = pd.DataFrame({"customer_id": customers["customer_id"], "timestamp": "2021-01-01"})
    said["granted"] = (~said["customer_id"].isin(ids)).map({True: "yes", False: "no"})
    said.to_csv(copied.folder / "consent.csv", index=False)
    shop = with_more(
        copied, '\n[consent]\npath = "consent.csv"\n[governance]\nconsent = "exclude"\n'
    )
    after = ran(shop)
    assert (before["withdrawn"], after["withdrawn"]) == (0, 20)
    for path in (shop.reports / str(TRAINED_AS_OF) / "audiences").iterdir():
        text = path.read_bytes()
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        assert not table["customer_id"].isin(ids).any()
        assert not any(name.encode() in text for name in ids)
    assert written(shop, str(TRAINED_AS_OF), "top_1_percent")["customer_id"].size > 0


def test_erasure_reaches_both_files_of_an_audience(copied):
    ran(copied)
    day = str(TRAINED_AS_OF)
    first, second = written(copied, day, "top_1_percent")["customer_id"].iloc[:2]
    said = copied.clv("erase", "--customer", first)
    assert said.code == 0, said.err
    assert "top_1_percent.csv" in said.out
    left = written(copied, day, "top_1_percent")
    assert first not in set(left["customer_id"])
    assert left["customer_id"].iloc[0] == second
    for path in (copied.reports / day / "audiences").glob("*.csv"):
        assert first not in path.read_text(encoding="utf-8")


REFUSED = [
    ('"clv", "rfm', '"cvl", "rfm', "audiences.columns: customers have no column cvl"),
    ('column = "clv"', 'column = "cvl"', "audience.best: customers have no column 'cvl'; did you"),
    ("top_share = 0.1", "top_shar = 0.1", "unknown key 'top_shar' in [audience.best.where.0]"),
    (", top_share = 0.1", "", "needs at_least, at_most, in or top_share"),
    ('column = "clv"', 'column = "tier"', "audience.best: column 'tier' holds no numbers"),
    ("in = [4, 5]", 'in = ["4"]', "audience.best: column 'r_score' holds numbers, so nobody's"),
    ('"worth a call"', '"=1+1"', "audience.best.reason"),
    ('"worth a call"', '"worth\\na call"', "audience.best.reason"),
    ("audience.best]", 'audience."../best"]', "../best"),
]


@pytest.mark.parametrize(("right", "wrong", "says"), REFUSED)
def test_what_cannot_be_asked_is_refused_and_nothing_written(copied, right, wrong, says):
    said = with_more(copied, OWN.replace(right, wrong)).clv("audiences", "--quiet")
    assert said.code == 2
    assert says in said.err
    assert not (copied.reports / str(TRAINED_AS_OF) / "audiences").exists()


def test_without_a_forecast_it_says_what_to_run(copied):
    said = copied.clv("audiences", "--as-of", "2022-07-31", "--quiet")
    assert said.code == 1
    assert "run `clv forecast` first" in said.err


def test_another_key_of_pseudonyms_is_no_withdrawal(copied, monkeypatch):
    ran(copied)
    folder = copied.reports / str(TRAINED_AS_OF) / "audiences"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    customers = pd.read_parquet(folder.parent / "customers.parquet")
    said = pd.DataFrame({"customer_id": customers["customer_id"], "timestamp": "2021-01-01"})
    said.assign(granted="yes").to_csv(copied.folder / "consent.csv", index=False)
    monkeypatch.setenv("SHOP_KEY", "another key than before")
    more = """
[consent]
path = "consent.csv"
[governance]
consent = "exclude"
pseudonym_key_env = "SHOP_KEY"
"""
    refused = with_more(copied, more).clv("audiences", "--quiet")
    assert refused.code == 1
    assert "another key" in refused.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_column_asked_for_twice_is_written_once(copied):
    ran(with_more(copied, OWN.replace('["clv", "rfm', '["clv", "clv", "rfm')))
    table = written(copied, str(TRAINED_AS_OF), "best")
    assert list(table)[4:] == ["clv", "rfm_segment"]


def test_only_days_are_folders_of_earlier_audiences(copied):
    shop = with_more(copied, OWN)
    ran(shop)
    day = shop.reports / str(TRAINED_AS_OF)
    (shop.reports / f"{TRAINED_AS_OF}-copy").mkdir()
    shutil.copytree(day / "audiences", shop.reports / f"{TRAINED_AS_OF}-copy" / "audiences")
    table = pd.read_parquet(day / "audiences" / "best.parquet").iloc[:1]
    table.to_parquet(shop.reports / f"{TRAINED_AS_OF}-copy" / "audiences" / "best.parquet")
    assert shop.clv("forecast", "--as-of", LATER, "--quiet").code == 0
    (best,) = ran(shop)["audiences"]
    assert best["stayed"] + best["left"] == len(written(shop, str(TRAINED_AS_OF), "best"))


def test_ids_that_spreadsheets_take_for_formulas_are_told(copied):
    path = copied.reports / str(TRAINED_AS_OF) / "customers.parquet"
    table = pd.read_parquet(path)
    at = table["clv"].nlargest(2).index
    table.loc[at, "customer_id"] = ["=1+1", "@SUM(A1)"]
    table.to_parquet(path, index=False)
    said = with_more(copied, OWN.replace('{column = "r_score", in = [4, 5]}', "")).clv(
        "audiences", "--quiet"
    )
    assert said.code == 0, said.err
    assert "2 customer ids or more begin with =" in said.out
    assert "=1+1" in set(written(copied, str(TRAINED_AS_OF), "best")["customer_id"])


def test_erasure_reads_past_ids_of_two_lines(tmp_path):
    ids = [f"first line {number}\nsecond" for number in range(60_000)]
    content = pa.table({"customer_id": ids, "clv": [1.5] * len(ids)})
    pa_csv.write_csv(content, tmp_path / "best.csv")
    erased = privacy.erase([tmp_path], [ids[7]])
    assert not erased.unread
    assert [one.rows for one in erased.removed] == [1]
