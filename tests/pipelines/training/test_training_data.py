"""What many origins share is read once, and is what each of them reads alone."""

from __future__ import annotations

import datetime as dt

import example_logs as logs
import pandas as pd
import pytest

from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.data.features import Snapshot
from pipelines.sources.dialect import held
from pipelines.training import training_data

ORIGINS = [dt.date(2022, month, 15) for month in (5, 6, 8, 10)]
HORIZON = 70
FIRST = dt.date(2021, 1, 1)


@pytest.fixture(scope="module")
def purchases(tmp_path_factory):
    """Customer-days with refunds of every kind."""
    file = tmp_path_factory.mktemp("log") / "log.parquet"
    logs.messy_log(customers=300).to_parquet(file)
    source = {"kind": "parquet", "path": str(file)}
    with transactions.load(logs.config(source, columns={"country": "country"})) as data:
        yield data.purchases


def by_customer(table) -> pd.DataFrame:
    return table.to_pandas().sort_values("customer_id", ignore_index=True)


@pytest.fixture(scope="module")
def counts(purchases):
    with held(features.counts_at(purchases, ORIGINS)) as kept:
        yield kept


@pytest.mark.parametrize("origin", ORIGINS)
def test_counts_of_many_days_give_the_history_at_each(purchases, counts, origin):
    summary = by_customer(features.summary(purchases, origin, people="all"))
    history = by_customer(features.history(counts, origin))
    pd.testing.assert_frame_equal(history, summary[history.columns])
    pd.testing.assert_frame_equal(
        features.compress(features.history(counts, origin)),
        features.compress(features.summary(purchases, origin, people="all")),
    )


def test_later_purchases_are_those_of_the_days_between(purchases, counts):
    day, until = ORIGINS[1], ORIGINS[3]
    later = by_customer(features.history(counts, day, until)).set_index("customer_id")
    bought = by_customer(features.customer_totals(purchases, day, until)).set_index("customer_id")
    expected = bought["purchases"].reindex(later.index, fill_value=0)
    assert (later["purchases"] == expected).all()
    assert later["purchases"].sum() > 0
    compressed = features.compress(features.history(counts, day, until), by=["purchases"])
    assert (compressed["purchases"] * compressed["weight"]).sum() == expected.sum()
    named = features.compress(features.history(counts, day, until), by="purchases")
    pd.testing.assert_frame_equal(named, compressed)


@pytest.mark.parametrize("origin", ORIGINS)
def test_gaps_serve_every_origin(purchases, origin):
    with held(features.with_gaps(purchases)) as dated:
        shared = by_customer(features.churn_features(dated, origin))
    pd.testing.assert_frame_equal(shared, by_customer(features.churn_features(purchases, origin)))


def tables_of(purchases, counts) -> tuple[training_data.ChurnData, ...]:
    return training_data.churn_tables(purchases, counts, ORIGINS, HORIZON)


def assert_same(one: training_data.ChurnData, other: training_data.ChurnData) -> None:
    assert one.origin == other.origin
    assert (one.churned == other.churned).all()
    for name in ("summary", "features", "outcomes"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("most", [10_000, 255, 60])
def test_origins_share_a_sample_without_changing_it(purchases, counts, most, monkeypatch):
    """All of the customers, all at early origins only, and a part of them everywhere."""
    monkeypatch.setattr(training_data, "CHURN_CUSTOMERS", most)
    for together in tables_of(purchases, counts):
        assert_same(together, training_data.churn_data(purchases, together.origin, HORIZON))
        known = together.summary["weight"].sum()
        drawn = len(together.features)
        assert drawn == known if known <= most else 0.7 * most < drawn < min(1.3 * most, known)


def test_a_drawn_customer_is_the_customer_of_the_log(purchases, counts, monkeypatch):
    """Against the definitions, table by table."""
    monkeypatch.setattr(training_data, "CHURN_CUSTOMERS", 60)
    for drawn in tables_of(purchases, counts):
        share = 60 / drawn.summary["weight"].sum()
        sample = features.sample_customers(purchases, share)
        expected = by_customer(features.churn_features(sample, drawn.origin))
        pd.testing.assert_frame_equal(drawn.features, expected.drop(columns="customer_id"))
        until = drawn.origin + dt.timedelta(days=HORIZON)
        totals = by_customer(features.customer_totals(sample, drawn.origin, until))
        totals = totals.set_index("customer_id").reindex(expected["customer_id"]).fillna(0.0)
        for name in ("purchases", "revenue"):
            assert drawn.outcomes[name].tolist() == totals[name].tolist()
        assert drawn.churned.tolist() == (totals["purchases"] == 0).tolist()


def test_nothing_is_left_in_the_engine(purchases, counts):
    engine = purchases.get_backend()
    before = set(engine.list_tables())
    tables_of(purchases, counts)
    assert set(engine.list_tables()) == before


def test_no_origin_gives_no_table(purchases, counts):
    assert training_data.churn_tables(purchases, counts, [], HORIZON) == ()


@pytest.mark.parametrize("cohort", ["month", "quarter"])
def test_cohort_months_read_first_purchases_off_the_summary(purchases, cohort):
    day = ORIGINS[2]
    with Snapshot.at(purchases, FIRST, day) as then:
        found = features.cohort_months(then, cohort).set_index(["cohort", "period"])
    rows = purchases.to_pandas()
    bought = rows[(rows["purchase"] == 1) & (rows["date"] <= pd.Timestamp(day))]
    first = bought.groupby("customer_id")["date"].min()
    unit = {"month": "M", "quarter": "Q"}[cohort]
    cells = bought.assign(cohort=bought["customer_id"].map(first).dt.to_period(unit).dt.start_time)
    counts = cells.groupby(["cohort", cells["date"].dt.to_period("M").dt.start_time]).size()
    every = (found["purchases"] + found["first_purchases"])[lambda number: number > 0]
    assert every.to_dict() == counts.to_dict()


def test_a_snapshot_holds_nothing_of_later_days_and_leaves_nothing_behind(purchases):
    engine, day = purchases.get_backend(), ORIGINS[1]
    before = set(engine.list_tables())
    with Snapshot.at(purchases, FIRST, day) as then, then.earlier(ORIGINS[0]) as earlier:
        assert then.purchases.date.max().execute() <= pd.Timestamp(day)
        assert earlier.purchases.date.max().execute() <= pd.Timestamp(ORIGINS[0])
        assert (earlier.first_date, earlier.as_of) == (FIRST, ORIGINS[0])
        known = by_customer(features.summary(purchases, ORIGINS[0], people="all"))
        pd.testing.assert_frame_equal(by_customer(earlier.summary), known)
    assert set(engine.list_tables()) == before
