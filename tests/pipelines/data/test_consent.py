"""Consent as known at as-of: a column of the log, or a log of grants and withdrawals."""

from __future__ import annotations

import datetime as dt

import duckdb
import example_logs as logs
import pandas as pd
import pytest
from at_a_day import backtested
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop import dataset_of

from clvmodels.core.errors import CheckFailedError, DataError
from pipelines.data import customer_days as transactions
from pipelines.data import features

WORDS = """customer_id,timestamp,granted
granted,2022-01-01,yes
withdrawn,2022-01-01,true
withdrawn,2022-03-01,false
again,2022-01-01,1
again,2022-02-01,0
again,2022-03-01,1
same day,2022-01-01,yes
same day,2022-01-01,no
later,2022-06-15,yes
no day,2022-01-01,yes
no day,soon,no
"""
NAMES = ["granted", "withdrawn", "again", "same day", "later", "no day", "silent"]


def people(tmp_path, as_of, mode="exclude", words=WORDS, kind="csv"):
    """Return (customers summarised alone, customers in cohort totals, the account)."""
    rows = "".join(f"{name},2022-01-10,5\n{name},2022-05-10,7\n" for name in NAMES)
    (tmp_path / "log.csv").write_text("customer,day,value\n" + rows)
    (tmp_path / "consent.csv").write_text(words)
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        governance={"consent": mode},
        consent={"path": str(tmp_path / f"consent.{kind}")},
    )
    with transactions.load(config.log, as_of) as data:
        alone = features.summary(data.purchases, data.as_of).customer_id.execute()
        cohorts = features.cohort_months(data.snapshot)
        return set(alone), int(cohorts["first_purchases"].sum()), data.account


@pytest.mark.parametrize(
    ("as_of", "willing"),
    [
        (dt.date(2022, 5, 31), {"granted", "again"}),
        (dt.date(2022, 6, 30), {"granted", "again", "later"}),
        (dt.date(2022, 2, 15), {"granted", "withdrawn"}),
        (None, {"granted", "again", "later"}),
    ],
)
def test_the_last_word_known_counts_for_the_whole_history(tmp_path, as_of, willing):
    alone, counted, account = people(tmp_path, as_of)
    assert alone == willing
    assert counted == len(willing)
    days = 1 if as_of == dt.date(2022, 2, 15) else 2
    assert account.set_aside["no_consent"] == days * (len(NAMES) - len(willing))


def test_aggregate_only_counts_everyone_and_scores_the_willing(tmp_path):
    alone, counted, account = people(tmp_path, None, mode="aggregate_only")
    assert alone == {"granted", "again", "later"}
    assert counted == len(NAMES)
    assert "no_consent" not in account.set_aside
    assert account.customers == len(NAMES)


def test_a_word_without_a_readable_day_withdraws_and_never_grants(tmp_path):
    words = "customer_id,timestamp,granted\ngranted,soon,yes\nagain,2022-01-01,yes\nagain,?,no\n"
    alone, _, _ = people(tmp_path, None, mode="aggregate_only", words=words)
    assert alone == set()


@pytest.mark.parametrize(
    "kind", ["parquet", "xlsx", "Parquet", "XLSX", "CSV", "TSV", "Txt", "csv.GZ", "CSV.gz"]
)
def test_words_are_read_from_other_files_too(tmp_path, kind):
    """By their names, whose capitals make no difference."""
    frame = pd.DataFrame({"customer_id": ["later"], "timestamp": ["2022-01-01"], "granted": [True]})
    path = tmp_path / f"consent.{kind}"
    if kind.lower() == "parquet":
        frame.to_parquet(path)
    elif kind.lower() == "xlsx":
        frame.to_excel(tmp_path / "any.xlsx", index=False, engine="xlsxwriter")
        (tmp_path / "any.xlsx").rename(path)
    else:
        packed = "gzip" if kind.lower().endswith("gz") else None
        frame.to_csv(path, index=False, compression=packed)
    alone, _, _ = people(tmp_path, None, kind=kind)
    assert alone == {"later"}


ASIDE = {
    "a refund": ("-10,A", {"refunds": "drop"}),
    "no value": ("0,A", {"zero_value": "drop"}),
    "no product": ("10,POST", {"non_product_codes": ["POST"]}),
    "no amount": ("much,A", {"max_bad_row_share": 1.0}),
}


@pytest.mark.parametrize("name", ASIDE)
@pytest.mark.parametrize(("day", "willing"), [("2022-04-01", {"B"}), ("2022-01-01", {"A", "B"})])
def test_a_withdrawal_on_a_line_set_aside_counts(tmp_path, name, day, willing):
    line, governance = ASIDE[name]
    (tmp_path / "log.csv").write_text(
        "customer,day,value,code,ok\n"
        f"A,2022-01-05,10,A,yes\nA,{day},{line},no\nB,2022-04-02,10,A,yes\n"
    )
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        columns={"product_code": "code", "consent": "ok"},
        governance={"consent": "exclude", **governance},
    )
    with transactions.load(config.log) as data:
        assert set(data.summary.customer_id.execute()) == willing


@pytest.mark.parametrize(("day", "willing"), [("soon", {"B"}), ("2999-01-01", {"B"})])
def test_a_withdrawal_whose_day_cannot_be_read_counts(tmp_path, day, willing):
    (tmp_path / "log.csv").write_text(
        f"customer,day,value,ok\nA,2022-01-05,10,yes\nA,{day},10,no\nB,{day},10,yes\n"
        "B,2022-04-02,10,yes\n"
    )
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        columns={"consent": "ok"},
        governance={"consent": "exclude", "max_bad_row_share": 1.0},
    )
    with transactions.load(config.log, dt.date(2022, 4, 30)) as data:
        assert set(data.summary.customer_id.execute()) == willing


def test_without_as_of_every_word_is_known_whatever_the_retention(tmp_path):
    (tmp_path / "log.csv").write_text("customer,day,value\nA,2022-01-05,10\nB,2022-06-01,10\n")
    (tmp_path / "consent.csv").write_text(
        "customer_id,timestamp,granted\nA,2022-01-01,yes\nA,2022-09-01,no\nB,2022-01-01,yes\n"
    )
    for days in ({}, {"retention_days": 1000}):
        config = logs.config(
            {"kind": "csv", "path": str(tmp_path / "log.csv")},
            governance={"consent": "exclude", **days},
            consent={"path": str(tmp_path / "consent.csv")},
        )
        with transactions.load(config.log) as data:
            assert set(data.summary.customer_id.execute()) == {"B"}
        with transactions.load(config.log, dt.date(2022, 8, 31)) as data:
            assert set(data.summary.customer_id.execute()) == {"A", "B"}


@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    words=st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.dates(dt.date(2022, 1, 1), dt.date(2022, 1, 9)),
            st.booleans(),
        ),
        max_size=15,
    ),
    as_of=st.dates(dt.date(2022, 1, 3), dt.date(2022, 1, 12)),
)
def test_any_log_of_words_is_read_like_a_slow_reader_does_it(tmp_path, words, as_of):
    expected = set()
    for name in NAMES:
        known = sorted((day, said) for who, day, said in words if who == name and day <= as_of)
        if known and all(said for day, said in known if day == known[-1][0]):
            expected.add(name)
    text = "customer_id,timestamp,granted\n" + "".join(f"{w},{d},{g}\n" for w, d, g in words)
    (tmp_path / "log.csv").write_text(
        "customer,day,value\n" + "".join(f"{name},2022-01-02,5\n" for name in NAMES)
    )
    (tmp_path / "consent.csv").write_text(text)
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        governance={"consent": "aggregate_only"},
        consent={"path": str(tmp_path / "consent.csv")},
    )
    with transactions.load(config.log, as_of) as data:
        assert set(features.summary(data.purchases, as_of).customer_id.execute()) == expected


@pytest.mark.parametrize("willing", [("DE",), ()])
def test_a_backtest_foresees_alone_only_the_willing(willing, log, config, quiet, tmp_path):
    """Cohorts hold everybody all the same, also where nobody is willing."""
    origin = dt.date(2022, 6, 30)
    changed = {
        "governance": config.governance.model_copy(update={"consent": "aggregate_only"}),
        "columns": config.columns.model_copy(update={"consent": "agreed"}),
        "train": config.train.model_copy(update={"cohort_level": False}),
        "backtest": config.backtest.model_copy(update={"origins": (origin,)}),
    }
    asked = config.model_copy(update=changed)
    agreed = log["land"].isin(willing).map({True: "yes", False: "no"})
    with dataset_of(log.assign(agreed=agreed), asked, tmp_path) as data:
        made = backtested(data, asked, quiet)
    known = log[pd.to_datetime(log["when"]) < "2022-07-01"]
    assert made.samples["customers"].item() == known["who"].nunique()
    assert made.samples["sampled"].item() == known.loc[agreed == "yes", "who"].nunique()
    assert set(made.metrics["level"]) == (
        {"total_month", "cohort_month", "segment_month"} | ({"customer"} if willing else set())
    )
    assert made.deciles.empty == made.conditional.empty == (not willing)
    later = log[pd.to_datetime(log["when"]) >= "2022-07-01"]
    sold = later.loc[later["who"].isin(known["who"]), "paid"].sum()
    cells = made.cells[made.cells["model"] == "clv"]
    assert cells["actual_revenue"].sum() == pytest.approx(sold)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("003,2022-06-01,no,by mail", "1 lines that cannot be read: line 3 '003,2022-06-01,no,by"),
        ("003,2022-06-01", "1 lines that cannot be read: line 3 '003,2022-06-01'"),
        ('003,2022-06-01,"no\n004,2022-06-01,no\n005,2022-06-01,no', "holds 3 lines"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "duckdb"])
def test_a_word_that_cannot_be_read_ends_the_run(tmp_path, line, found, kind):
    """Also beside an engine that has no rejects of its own."""
    (tmp_path / "log.csv").write_text("customer,day,value\n003,2022-01-10,5\n")
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    if kind == "duckdb":
        source = {"kind": kind, "path": str(tmp_path / "log.duckdb"), "table": "log"}
        with duckdb.connect(source["path"]) as connection:
            connection.execute(f"CREATE TABLE log AS FROM '{tmp_path}/log.csv'")
    (tmp_path / "consent.csv").write_text(
        f"customer_id,timestamp,granted\n003,2022-01-01,yes\n{line}\n"
    )
    config = logs.config(
        source,
        governance={"consent": "exclude"},
        consent={"path": str(tmp_path / "consent.csv")},
    )
    with pytest.raises(DataError) as caught, transactions.load(config.log):
        pass
    assert found in str(caught.value)
    assert "consent.csv" in str(caught.value)


def test_the_lines_of_the_log_that_are_no_rows_stay_its_own(tmp_path):
    """However few words the consent file holds, the log's limit sees the log's lines."""
    (tmp_path / "log.csv").write_text(
        "customer,day,value\n" + "x,2022-01-10,5\n" * 40 + "1,2,3,4\n" * 100
    )
    (tmp_path / "consent.csv").write_text("customer_id,timestamp,granted\nx,2022-01-01,yes\n")
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        governance={"consent": "exclude", "max_bad_row_share": 0.05},
        consent={"path": str(tmp_path / "consent.csv")},
    )
    with transactions.load(config.log, enforce=False) as data:
        assert (data.account.read, data.account.set_aside) == (140, {"unreadable": 100})
    with pytest.raises(CheckFailedError, match="cannot be read"), transactions.load(config.log):
        pass
