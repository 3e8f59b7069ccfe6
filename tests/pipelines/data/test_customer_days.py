"""Customer-days and their account, against lifetimes, an oracle and the laws of counting."""

from __future__ import annotations

import datetime as dt
import importlib.util
from pathlib import Path

import example_logs as logs
import log_checks
import log_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from at_a_day import history_at
from depth import examples
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lifetimes.utils import summary_data_from_transaction_data

from clvmodels.core.errors import CheckFailedError
from clvmodels.core.schema import PURCHASES, SUMMARY
from pipelines.config import load as config
from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.data.quality import checks
from pipelines.data.quality.account import MEANING
from pipelines.sources import dialect
from pipelines.sources.engines.lookup import held

CDNOW = {"kind": "lifetimes", "dataset": "CDNOW_master"}


def cdnow(dataset: str) -> config.Config:
    return config.parse(
        {
            "name": "cdnow",
            "source": CDNOW | {"dataset": dataset},
            "columns": {"timestamp": "date", "amount": "dollar_value"},
        }
    )


def cdnow_frame(dataset: str) -> pd.DataFrame:
    names = ["customer_id", "date", "cds", "value"]
    if dataset == "CDNOW_sample":
        names.insert(1, "sample_id")
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0])
    frame = pd.read_csv(
        folder / "datasets" / f"{dataset}.txt",
        sep=r"\s+",
        names=names,
        skiprows=int(dataset == "CDNOW_master"),
        dtype={"customer_id": str, "date": str},
    )
    return frame.assign(date=pd.to_datetime(frame["date"], format="%Y%m%d"))


def from_rows(rows: list[tuple[str, dt.date, float]], folder: Path, **sections) -> config.Config:
    frame = pd.DataFrame(rows, columns=["customer", "day", "value"])
    frame["day"] = pd.to_datetime(frame["day"])
    frame.to_parquet(folder / "log.parquet")
    return logs.config({"kind": "parquet", "path": str(folder / "log.parquet")}, **sections)


@pytest.mark.parametrize(
    ("dataset", "as_of"), [("CDNOW_sample", "1997-09-30"), ("CDNOW_master", "1998-06-30")]
)
def test_cdnow_summary_is_that_of_lifetimes(dataset, as_of):
    reference = summary_data_from_transaction_data(
        cdnow_frame(dataset), "customer_id", "date", "value", observation_period_end=as_of
    )
    with transactions.load(cdnow(dataset).log) as data:
        table = features.summary(data.purchases, dt.date.fromisoformat(as_of)).execute()
    table = table.set_index("customer_id").sort_index()
    pd.testing.assert_index_equal(table.index, reference.index, exact=False)
    for name in ("frequency", "recency", "T"):
        assert (table[name] == reference[name]).all()
    assert (table["monetary_value"] - reference["monetary_value"]).abs().max() < 1e-8


def test_cdnow_sample_counts_are_the_published_ones():
    """Fader, Hardie and Lee (2005), Marketing Science 24(2), section 5: the 1/10 sample."""
    with transactions.load(cdnow("CDNOW_sample").log) as data:
        origin = dt.date(1997, 9, 30)
        table = features.summary(data.purchases, origin)
        weights = features.compress(table)
        assert weights["weight"].sum() == 2357
        assert (weights["frequency"] * weights["weight"]).sum() == 2457
        assert weights.query("frequency == 0")["weight"].sum() == 1411
        # Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value", section 5
        assert features.compress_spend(table)["weight"].sum() == 946
        later = features.cohort_actuals(data.purchases, origin, dt.date(1998, 6, 30))
        assert later["purchases"].sum() == 1882


def test_leading_zeros_of_ids_stay():
    with transactions.load(cdnow("CDNOW_sample").log) as data:
        ids = data.purchases.customer_id
        assert ids.length().min().execute() == 5
        assert ids.min().execute() == "00004"


def test_columns_are_those_of_the_schema():
    with transactions.load(cdnow("CDNOW_sample").log) as data:
        names = data.purchases.columns
        assert set(PURCHASES.required) <= set(names) <= set(PURCHASES.names)
        PURCHASES.require(names)
        SUMMARY.require(features.summary(data.purchases, data.as_of).columns)


@pytest.mark.parametrize("refunds", ["net", "drop"])
def test_every_feature_matches_the_oracle(tmp_path, refunds):
    frame = logs.messy_log()
    frame.to_parquet(tmp_path / "log.parquet")
    settings_ = logs.config(
        {"kind": "parquet", "path": str(tmp_path / "log.parquet")}, governance={"refunds": refunds}
    )
    days = oracle.customer_days(log_checks.rows_of(frame), refunds)
    with transactions.load(settings_.log) as data:
        log_checks.check_all(data, days, dt.date(2022, 10, 15), dt.date(2023, 1, 20))
        checks.validate(data.purchases, settings_.calendar.earliest, data.as_of)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["007", "7", "x y", "ü"]),
        st.dates(dt.date(2022, 1, 1), dt.date(2022, 4, 20)),
        st.sampled_from([-20.0, -10.0, -0.01, 0.0, 0.01, 10.0, 20.0]),
    ),
    min_size=1,
    max_size=25,
)


def check_any_log(folder: Path, rows: list[tuple[str, dt.date, float]], deep: bool) -> None:
    days = oracle.customer_days(rows)
    if not days:
        rows = [*rows, ("007", dt.date(2022, 1, 1), 1000.0)]
        days = oracle.customer_days(rows)
    first = min(day.date for some in days.values() for day in some)
    last = max(day.date for some in days.values() for day in some)
    origin = first + (last - first) // 2
    with transactions.load(from_rows(rows, folder).log) as data:
        orphans = data.account.set_aside.get("refund_without_purchase", 0)
        assert data.account.read == len(rows) == data.account.kept + orphans
        assert (data.first_date, data.as_of) == (first, last)
        if deep:
            log_checks.check_all(data, days, origin, last)
        else:
            log_checks.check_summary(data, days, origin)


QUICK = (Phase.explicit, Phase.generate)
FIXTURE = [HealthCheck.function_scoped_fixture]


@settings(max_examples=examples(8), deadline=None, suppress_health_check=FIXTURE)
@given(rows=ROWS)
def test_any_log_is_summarised_like_the_oracle_does_it(tmp_path, rows):
    check_any_log(tmp_path, rows, deep=False)


@pytest.mark.slow
@settings(max_examples=examples(40), deadline=None, suppress_health_check=FIXTURE)
@given(rows=ROWS)
def test_any_log_gives_the_features_of_the_oracle(tmp_path, rows):
    check_any_log(tmp_path, rows, deep=True)


def example_of_the_docs() -> list[tuple[str, dt.date, float]]:
    """The refunds example of docs/data.md."""
    return [
        ("A", dt.date(2024, 1, 10), 100.0),
        ("A", dt.date(2024, 1, 20), -30.0),
        ("A", dt.date(2024, 2, 5), 80.0),
        ("A", dt.date(2024, 2, 5), -80.0),
        ("A", dt.date(2024, 3, 1), 60.0),
        ("A", dt.date(2024, 3, 9), -15.0),
        ("B", dt.date(2024, 1, 5), -25.0),
        ("B", dt.date(2024, 2, 2), 40.0),
    ]


@pytest.mark.parametrize(
    ("mode", "frequency", "value", "aside"),
    [
        ("net", 1, 45.0, {"refund_without_purchase": 1}),
        ("drop", 2, 70.0, {"refund": 4}),
    ],
)
def test_the_refunds_example_of_the_docs(tmp_path, mode, frequency, value, aside):
    settings_ = from_rows(example_of_the_docs(), tmp_path, governance={"refunds": mode})
    with transactions.load(settings_.log) as data:
        table = features.summary(data.purchases, data.as_of).execute().set_index("customer_id")
        assert data.account.set_aside == aside
    assert table.loc["A", "frequency"] == frequency
    assert table.loc["A", "monetary_value"] == value
    assert table.loc["B", ["frequency", "monetary_value"]].tolist() == [0, 0]


def test_refunds_can_be_refused(tmp_path):
    settings_ = from_rows(example_of_the_docs(), tmp_path, governance={"refunds": "reject"})
    with pytest.raises(CheckFailedError, match="4 rows with a negative amount"):
        transactions.load(settings_.log).__enter__()


def test_a_log_may_have_a_column_named_like_the_count_of_equal_rows(tmp_path):
    rows = ["a,2022-01-01,5,1", "a,2022-01-01,5,1", "a,2022-01-01,5,2"]
    (tmp_path / "log.csv").write_text("\n".join(["customer,day,value,copies", *rows]) + "\n")
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    with transactions.load(logs.config(source, governance={"duplicates": "drop"}).log) as data:
        assert data.account.set_aside == {"duplicate": 1}
        assert data.account.revenue == 10.0


def test_the_account_adds_up_and_names_what_it_set_aside(tmp_path):
    rows = ["a,2022-01-01,5", "a,2022-02-01,5", "a,2022-02-01,5", ",2022-01-01,5", "b,soon,5"]
    rows += [
        "b,2022-01-01,many",
        "b,2022-09-01,5",
        "c,2022-01-01,-5",
        "c,2022-01-01",
        "d,2021-01-01,4",
    ]
    (tmp_path / "log.csv").write_text("\n".join(["customer,day,value", *rows]) + "\n")
    settings_ = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        governance={"duplicates": "drop", "retention_days": 365},
    )
    with transactions.load(settings_.log, dt.date(2022, 6, 30)) as data:
        account = data.account.to_dict()
    reasons = ["unreadable", "no_id", "bad_date", "bad_amount", "after_as_of", "past_retention"]
    reasons += ["duplicate", "refund_without_purchase"]
    assert account["set_aside"] == dict.fromkeys(reasons, 1)
    assert list(account["set_aside"]) == [reason for reason in MEANING if reason in reasons]
    assert account["read"] == len(rows)
    assert account["kept"] == 2
    assert account["revenue"] == 10.0
    assert account["stale_days"] == (dt.date(2022, 6, 30) - dt.date(2022, 2, 1)).days
    assert account["examples"]["bad_date"] == ["row 5 'soon'"]
    assert account["examples"]["bad_amount"] == ["row 6 'many'"]
    assert "line 10 'c,2022-01-01'" in account["examples"]["unreadable"][0]


GOVERNANCE = st.fixed_dictionaries(
    {
        "refunds": st.sampled_from(["net", "drop"]),
        "zero_value": st.sampled_from(["keep", "drop"]),
        "duplicates": st.sampled_from(["keep", "drop"]),
        "retention_days": st.sampled_from([None, 60]),
    }
)
BAD = st.sampled_from([(None, "2022-02-01", "3.33"), ("7", "soon", "1.01"), ("7", None, "-2.5")])
GOOD = ROWS.map(lambda rows: [(who, str(day), str(paid)) for who, day, paid in rows])
UNREAD = st.sampled_from([("7", "2022-02-01", "ten"), ("x y", "2022-03-01", None)])


@settings(max_examples=examples(25), deadline=None, suppress_health_check=FIXTURE, phases=QUICK)
@given(
    good=GOOD,
    bad=st.lists(BAD, max_size=4),
    unread=st.lists(UNREAD, max_size=3),
    governance=GOVERNANCE,
)
def test_the_bridge_adds_up_to_the_cent_and_is_the_oracle_s(
    tmp_path, good, bad, unread, governance
):
    last = dt.date(2022, 4, 1)
    rows = [("sure", "2022-03-31", "1000"), *good, *bad, *unread]
    frame = pd.DataFrame(rows, columns=["customer", "day", "value"])
    frame.to_parquet(tmp_path / "log.parquet")
    source = {"kind": "parquet", "path": str(tmp_path / "log.parquet")}
    columns = {"date_format": "%Y-%m-%d"}
    settings_ = logs.config(source, governance=governance, columns=columns)
    with transactions.load(settings_.log, last) as data:
        account = data.account
        assert round(float(data.purchases.amount.sum().execute()), 2) == account.revenue
    assert account.rounding == 0
    steps = account.bridge
    cents = [None if step["amount"] is None else round(step["amount"] * 100) for step in steps]
    assert cents[0] - sum(part for part in cents[1:-1] if part is not None) == cents[-1]
    expected = oracle.bridge(rows, last, **governance)
    assert {why: (account.set_aside[why], account.money[why]) for why in account.set_aside} == {
        why: (count, None if money is None else money / 100)
        for why, (count, money) in expected.items()
        if why not in ("source", "revenue")
    }
    assert cents[0] == expected["source"][1]
    assert (steps[-1]["rows"], cents[-1]) == expected["revenue"]


def test_amounts_finer_than_cents_leave_a_step_of_rounding(tmp_path):
    rows = [("a", "2022-01-01", 1.004), (None, "2022-01-01", 1.004)]
    pd.DataFrame(rows, columns=["customer", "day", "value"]).to_parquet(tmp_path / "log.parquet")
    source = {"kind": "parquet", "path": str(tmp_path / "log.parquet")}
    with transactions.load(logs.config(source).log) as data:
        account = data.account
    assert account.bridge == [
        {"step": "source", "rows": 2, "amount": 2.01},
        {"step": "no_id", "rows": 1, "amount": 1.0},
        {"step": "rounding", "rows": 0, "amount": 0.01},
        {"step": "revenue", "rows": 1, "amount": 1.0},
    ]


def test_the_fingerprint_is_of_the_data_not_of_their_order(tmp_path):
    frame = logs.messy_log(customers=20)
    prints = []
    for made in (frame, frame.iloc[::-1], frame.assign(value=frame["value"] + 0.01)):
        made.to_parquet(tmp_path / "log.parquet")
        source = {"kind": "parquet", "path": str(tmp_path / "log.parquet")}
        with transactions.load(logs.config(source).log) as data:
            prints.append(data.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_lines_of_equal_amounts_give_a_day_the_same_labels_whatever_their_order(tmp_path):
    """Price lists and baskets tie often; the label decides features, segments and mixes."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "customer": rng.integers(0, 300, 4000).astype(str),
            "day": pd.Timestamp("2022-01-01")
            + pd.to_timedelta(rng.integers(0, 20, 4000), unit="D"),
            "value": rng.choice([5.0, 10.0], 4000),
            "channel": rng.choice(["web", "Store", "app", None], 4000),
        }
    )
    relabelled = frame.assign(channel=frame["channel"].replace("app", "App"))
    found, prints = [], []
    for made in (frame, frame.sample(frac=1, random_state=1), relabelled):
        made.to_parquet(tmp_path / "log.parquet")
        source = {"kind": "parquet", "path": str(tmp_path / "log.parquet")}
        with transactions.load(logs.config(source, columns={"channel": "channel"}).log) as data:
            days = data.purchases.order_by("customer_id", "date").to_pandas()
            found.append(days)
            prints.append(data.fingerprint)
    pd.testing.assert_frame_equal(found[0], found[1])
    assert prints[0] == prints[1] != prints[2]
    largest = frame[frame["value"] == frame.groupby(["customer", "day"])["value"].transform("max")]
    offered = largest.fillna({"channel": "none"}).groupby(["customer", "day"])["channel"].agg(set)
    for row in found[0].fillna({"channel": "none"}).itertuples():
        assert row.channel in offered[row.customer_id, pd.Timestamp(row.date)]


def test_only_days_of_several_lines_are_rounded(tmp_path):
    """Sums have an order to be rid of; the value of a single line has none."""
    day = dt.date(2024, 1, 10)
    fine = 3 * 2.55  # 7.6499999999999995
    rows = [("one", day, fine), ("two", day, fine), ("two", day, 0.1), ("two", day, -0.1)]
    with transactions.load(from_rows(rows, tmp_path).log) as data:
        amounts = data.purchases.execute().set_index("customer_id")["amount"]
    assert amounts.to_dict() == {"one": fine, "two": 7.65}


@pytest.mark.parametrize("refunds", ["net", "drop"])
def test_a_log_without_refunds_says_so_and_is_summarised_alike(tmp_path, refunds):
    """What is left out of the summary of such a log would not have changed it."""
    logs.messy_log(customers=60).to_parquet(tmp_path / "log.parquet")
    source = {"kind": "parquet", "path": str(tmp_path / "log.parquet")}
    with transactions.load(logs.config(source, governance={"refunds": refunds}).log) as data:
        told = dialect.constant(data.purchases.filter(data.purchases.amount > 1), "purchase")
        assert told == (1 if refunds == "drop" else None)
        assert dialect.constant(data.purchases, "amount") is None
        with held(data.purchases) as untold:
            assert dialect.constant(untold, "purchase") is None
            tables = [
                features.summary(purchases, data.as_of)
                .to_pandas()
                .sort_values("customer_id", ignore_index=True)
                for purchases in (data.purchases, untold)
            ]
    pd.testing.assert_frame_equal(*tables)


def test_nothing_after_the_origin_is_seen(tmp_path):
    """The tables of an origin are the same whether or not the log goes on after it."""
    frame = logs.messy_log(customers=60)
    origin = dt.date(2022, 8, 31)
    source = {"kind": "parquet", "path": str(tmp_path / "log.parquet")}
    tables = []
    for made in (frame, frame[frame["day"].dt.date <= origin]):
        made.to_parquet(tmp_path / "log.parquet")
        with transactions.load(logs.config(source).log) as data:
            tables.append(
                [
                    features.summary(data.purchases, origin).execute(),
                    features.churn_features(data.purchases, origin).execute(),
                    history_at(origin, data).months,
                ]
            )
    for full, cut in zip(*tables, strict=True):
        keys = list(full.columns[:2])
        pd.testing.assert_frame_equal(
            full.sort_values(keys, ignore_index=True), cut.sort_values(keys, ignore_index=True)
        )


def test_checks_name_the_column_that_is_wrong(tmp_path):
    settings_ = from_rows(example_of_the_docs(), tmp_path)
    with transactions.load(settings_.log) as data:
        doubled = data.purchases.mutate(purchase=data.purchases.purchase * 2)
        with pytest.raises(CheckFailedError, match="column 'purchase' fails less_than_or_equal_to"):
            checks.validate(doubled, settings_.calendar.earliest, data.as_of)
        twice = data.purchases.union(data.purchases)
        with pytest.raises(CheckFailedError, match="more than once"):
            checks.validate(twice, settings_.calendar.earliest, data.as_of)
        with pytest.raises(CheckFailedError, match="column 'date' fails"):
            checks.validate(data.purchases, settings_.calendar.earliest, dt.date(2024, 1, 31))


@settings(max_examples=examples(12), deadline=None, suppress_health_check=FIXTURE, phases=QUICK)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["007", "7", None]),
            st.dates(dt.date(2022, 1, 1), dt.date(2022, 2, 10)),
            st.sampled_from([10.0, 20.01]),
            st.sampled_from([None, 0.0, 5.55]),
            st.sampled_from(["paid", "cancelled"]),
        ),
        max_size=15,
    ),
    duplicates=st.sampled_from(["keep", "drop"]),
)
def test_what_a_column_of_refunds_paid_back_is_a_step_of_the_bridge(tmp_path, rows, duplicates):
    last = dt.date(2022, 2, 1)
    rows = [("sure", last, 1000.0, 1.25, "paid"), *rows]
    names = ["customer", "day", "value", "back", "state"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "log.csv", index=False)
    governance = {"duplicates": duplicates, "keep": {"state": ["paid"]}}
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    settings_ = logs.config(source, governance=governance, columns={"refunded": "back"})
    with transactions.load(settings_.log, last) as data:
        account = data.account
    every = sum(round(value * 100) for _, _, value, _, _ in rows)
    assert account.source_total == every / 100
    assert account.rounding == 0
    distinct = set(rows) if duplicates == "drop" else None
    kept = [
        row
        for row in (distinct or rows)
        if row[0] is not None and row[1] <= last and row[4] == "paid"
    ]
    cents = sum(round((value - (back or 0)) * 100) for _, _, value, back, _ in kept)
    assert account.revenue == cents / 100
    assert account.paid_back == sum(round((back or 0) * 100) for _, _, _, back, _ in kept) / 100
    for reason, is_so in {
        "not_kept": lambda row: row[4] != "paid",
        "no_id": lambda row: row[4] == "paid" and row[0] is None,
    }.items():
        money = sum(round(row[2] * 100) for row in rows if is_so(row)) / 100
        assert account.money.get(reason, 0.0) == money
