"""Every summary, feature, actual and refund case, equal to one oracle on every engine."""

from __future__ import annotations

import datetime as dt
import hashlib

import example_logs as logs
import ibis
import log_checks
import log_oracle as oracle
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from clvmodels.core.errors import CheckFailedError, ConfigError
from pipelines.config.load import Consent
from pipelines.data import customer_days as transactions
from pipelines.data import features, privacy
from pipelines.data.quality import checks, control, jumps
from pipelines.training import training_data

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ORIGIN = dt.date(2022, 10, 15)
UNTIL = dt.date(2023, 1, 20)


@pytest.mark.parametrize("refunds", ["net", "drop"])
def test_everything_matches_the_oracle(place, refunds):
    frame = logs.messy_log()
    config = place(frame, governance={"refunds": refunds}, columns={"country": "country"})
    days = oracle.customer_days(log_checks.rows_of(frame), refunds)
    with transactions.load(config.log) as data:
        assert data.account.read == len(frame)
        assert data.account.set_aside["no_id"] == frame["customer"].isna().sum()
        assert data.account.customers == len(days)
        bought = sum(day.purchase for some in days.values() for day in some)
        assert data.account.purchases == bought
        log_checks.check_all(data, days, ORIGIN, UNTIL)
        checks.validate(data.purchases, config.calendar.earliest, data.as_of)


def test_refunds_are_rejected(place):
    config = place(logs.messy_log(), governance={"refunds": "reject"})
    with (
        pytest.raises(CheckFailedError, match="refunds is 'reject'"),
        transactions.load(config.log),
    ):
        pass


def test_duplicates_zeros_and_codes_are_accounted_for(place):
    frame = logs.messy_log(customers=30).assign(code="85123A")
    frame.loc[::9, "code"] = " post"
    frame = pd.concat([frame, frame.iloc[:25]], ignore_index=True)
    config = place(
        frame,
        columns={"product_code": "code"},
        governance={"duplicates": "drop", "zero_value": "drop", "non_product_codes": ["POST"]},
    )
    known = frame[frame["customer"].notna()]
    products = known[known["code"] == "85123A"]
    valued = products[products["value"] != 0]
    with transactions.load(config.log) as data:
        aside = data.account.set_aside
        assert data.account.read == len(frame)
        assert aside["no_id"] == len(frame) - len(known)
        assert aside["non_product_code"] == len(known) - len(products)
        assert aside["zero_value"] == len(products) - len(valued)
        assert aside["duplicate"] == valued.duplicated().sum() > 0
        days = oracle.customer_days(log_checks.rows_of(valued.drop_duplicates()))
        log_checks.check_summary(data, days, data.as_of)


@pytest.mark.parametrize("product", [False, True])
def test_amounts_that_are_no_finite_number_are_set_aside(place, product):
    """Infinite, no number or missing; and a product that is too large to be one."""
    frame = logs.messy_log(customers=10).assign(margin=1.0, quantity=1.0)
    frame = frame.assign(customer=frame["customer"].fillna("someone"), value=frame["value"].abs())
    frame.loc[:4, "customer"] = "someone"  # in one group, whose sum is none
    frame.loc[:4, "value"] = [float("inf"), -float("inf"), float("nan"), float("nan"), 5.0]
    frame.loc[4, "quantity"] = 1e308
    frame.loc[5:7, "margin"] = [float("inf"), -float("inf"), float("nan")]
    columns = {"margin": "margin"}
    if product:
        columns |= {"amount": None, "quantity": "quantity", "price": "value"}
    with transactions.load(place(frame, columns=columns).log) as data:
        assert data.account.set_aside["bad_amount"] == (5 if product else 4)
        sums = data.purchases.agg(
            amount=data.purchases.amount.sum(), margin=data.purchases.margin.sum()
        ).execute()
        kept = frame.iloc[5:] if product else frame.iloc[4:]
        assert sums["amount"][0] == pytest.approx(kept["value"].sum())
        finite = kept["margin"].replace([float("inf"), -float("inf")], 0.0).sum()
        assert sums["margin"][0] == pytest.approx(finite)


def test_spaces_around_ids_are_no_part_of_them(place):
    padded = ["007", " 007", "007  ", "\t007", "\n007 ", "007\t", "007\n", "\r007 \r", "\r007"]
    nothing = [" ", "", "\t", "\r\n"]
    others = ["0 07", "007\u00a0", "\u00a0007", "\v007", "\u2003007"]
    frame = pd.DataFrame({"customer": padded + nothing + others, "day": "2022-03-05", "value": 1.0})
    with transactions.load(place(frame).log) as data:
        assert data.account.set_aside == {"no_id": len(nothing)}
        found = data.purchases.execute()["customer_id"]
    assert sorted(found) == sorted(["007", *others])
    assert {privacy.plain_id(name) for name in padded} == {"007"}
    assert [privacy.plain_id(name) for name in others] == others


def test_a_number_that_is_not_whole_is_no_id(place):
    ids = [13085.0, 13085.5, 13085.6, 13086.0, -3.0, 3.5, None, float("inf"), 2.0**60]
    frame = pd.DataFrame({"customer": ids, "day": "2022-03-05", "value": 1.0})
    with transactions.load(place(frame).log) as data:
        assert data.account.set_aside == {"no_id": 6}
        found = data.purchases.execute()["customer_id"]
    assert sorted(found) == ["-3", "13085", "13086"]


def test_an_enumeration_of_postgresql_is_text(postgres_uri, monkeypatch):
    monkeypatch.setenv("CLV_TEST_POSTGRES", postgres_uri)
    columns = {"product_code": "code", "country": "code"}
    config = logs.config(
        {"kind": "postgres", "uri_env": "CLV_TEST_POSTGRES", "table": "chosen"}, columns=columns
    )
    connection = ibis.connect(postgres_uri)
    for statement in (
        "CREATE TYPE choice AS ENUM ('a', 'b')",
        "CREATE TABLE chosen (customer choice, day date, value float, code choice)",
        "INSERT INTO chosen VALUES ('a', '2022-03-05', 1, 'a'), ('b', '2022-03-05', 1, 'b')",
    ):
        connection.raw_sql(statement)
    connection.con.commit()
    connection.disconnect()
    with transactions.load(config.log) as data:
        found = data.purchases.execute()
    assert sorted(found["customer_id"]) == sorted(found["country"]) == ["a", "b"]


TEXTS = {
    "2022-03-05": dt.date(2022, 3, 5),
    "2022-3-5": dt.date(2022, 3, 5),
    "2022-03-05 23:30:00": dt.date(2022, 3, 5),
    "2022-03-05T23:30:00Z": dt.date(2022, 3, 6),  # half past midnight in Berlin
    "2022-03-05 23:30:00+02:00": dt.date(2022, 3, 5),
    "2022-03-05 23:30:00-0500": dt.date(2022, 3, 6),
    "2022-03-05T23:30Z": dt.date(2022, 3, 6),
    "2022-03-05T23:30+0200": dt.date(2022, 3, 5),
    "2022-03-05 23:30 -05:00": dt.date(2022, 3, 6),
    "2022-03-05 23:30:00.5 Z": dt.date(2022, 3, 6),
    "2022-03-05 23:30:00 UTC": dt.date(2022, 3, 6),
    "2022-03-05 1:2:3": dt.date(2022, 3, 5),
    "2022-03-05 23:30:60Z": None,
    "2022-03-05 -0500": None,
    "2022-03-05 25:00Z": None,
    "2022-02-30": None,
    "2022-13-01": None,
    "05/03/2022": None,
    "soon": None,
    "": None,
}


def test_times_in_text_are_read_alike(place):
    frame = pd.DataFrame(
        {"customer": [f"{n:02d}" for n in range(len(TEXTS))], "day": list(TEXTS), "value": 1.5}
    )
    config = place(frame, calendar={"time_zone": "Europe/Berlin"})
    with transactions.load(config.log) as data:
        found = data.purchases.execute()
        readable = {f"{n:02d}": day for n, day in enumerate(TEXTS.values()) if day is not None}
        assert data.account.set_aside == {"bad_date": len(TEXTS) - len(readable)}
    days = {row.customer_id: pd.Timestamp(row.date).date() for row in found.itertuples()}
    assert days == readable


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("%Y%m%d", "20220305", "20220230"),
        ("%d/%m/%Y %H:%M", "05/03/2022 23:30", "31/04/2022 23:30"),
        ("%d-%b-%y", "05-Mar-22", "05-Foo-22"),
    ],
)
def test_formats_are_read_alike(place, pattern, good, bad):
    frame = pd.DataFrame({"customer": ["1", "2"], "day": [good, bad], "value": [1.0, 2.0]})
    with transactions.load(place(frame, columns={"date_format": pattern}).log) as data:
        assert data.account.set_aside == {"bad_date": 1}
        assert data.as_of == dt.date(2022, 3, 5)


def test_amounts_in_text_are_read_alike(place):
    texts = ["1.5", " 2 ", "-3e1", "+.5", "ten", "", "inf", "nan", "1,5", "0x10", "1_000"]
    values = [1.5, 2.0, -30.0, 0.5]
    frame = pd.DataFrame(
        {"customer": [f"c{n}" for n in range(len(texts))], "day": "2022-01-01", "value": texts}
    )
    with transactions.load(place(frame).log) as data:
        refund_alone = 1
        assert data.account.set_aside == {
            "bad_amount": len(texts) - len(values),
            "refund_without_purchase": refund_alone,
        }
        assert data.account.revenue == 4.0


def test_amounts_with_a_decimal_comma_are_read_alike(place):
    read = {"5": 5.0, " -1,5 ": -1.5, "1.234,50": 1234.5, "1.234": 1234.0, "1.234.567": 1234567.0}
    read |= {"+12.345,": 12345.0, ",5": 0.5, "1234,5e1": 12345.0}
    bad = ["12.50", "1,234.50", "1.2.3,4", "0.500", "1.23", "1.2345", "1234.567", "1.234.", "."]
    texts = [*read, *bad, "1,2,3", "1.234,5.6", "ten"]
    frame = pd.DataFrame(
        {"customer": [f"c{n}" for n in range(len(texts))], "day": "2022-01-01", "value": texts}
    )
    config = place(frame)
    config = config.model_copy(update={"source": config.source.model_copy(update={"decimal": ","})})
    with transactions.load(config.log) as data:
        refund_alone = 1
        assert data.account.set_aside == {
            "bad_amount": len(texts) - len(read),
            "refund_without_purchase": refund_alone,
        }
        found = data.purchases.execute().set_index("customer_id")["amount"].to_dict()
    expected = {f"c{n}": value for n, value in enumerate(read.values()) if value > 0}
    assert found == expected


def test_an_offset_in_a_format_is_honoured_or_refused(place):
    text = "2022-03-05 23:30:00+0000"
    frame = pd.DataFrame({"customer": ["1"], "day": [text], "value": [1.0]})
    config = place(
        frame,
        columns={"date_format": "%Y-%m-%d %H:%M:%S%z"},
        calendar={"time_zone": "Europe/Berlin", "source_time_zone": "UTC"},
    )
    if config.source.kind == "duckdb":
        with transactions.load(config.log) as data:
            assert data.as_of == dt.date(2022, 3, 6)
        return
    with (
        pytest.raises(ConfigError, match="%z can be read from files only"),
        transactions.load(config.log),
    ):
        pass


def test_clocks_move_from_the_source_to_the_business(place):
    """A naive 23:30 UTC is the next day in Berlin."""
    frame = pd.DataFrame(
        {"customer": ["1"], "day": [pd.Timestamp("2022-01-31 23:30")], "value": [5.0]}
    )
    calendar = {"time_zone": "Europe/Berlin", "source_time_zone": "UTC"}
    with transactions.load(place(frame, calendar=calendar).log) as data:
        assert data.as_of == dt.date(2022, 2, 1)


def test_zoned_times_give_the_day_of_the_business(place):
    frame = pd.DataFrame(
        {"customer": ["1"], "day": [pd.Timestamp("2022-01-31 23:30", tz="UTC")], "value": [5.0]}
    )
    with transactions.load(place(frame, calendar={"time_zone": "Europe/Berlin"}).log) as data:
        assert data.as_of == dt.date(2022, 2, 1)


@pytest.mark.parametrize("mode", ["exclude", "aggregate_only"])
def test_consent_as_a_column(place, mode):
    frame = logs.messy_log(customers=40)
    frame["consent"] = frame["customer"].str.endswith(("1", "2", "3")).fillna(False).astype(bool)
    config = place(frame, columns={"consent": "consent"}, governance={"consent": mode})
    willing = oracle.customer_days(log_checks.rows_of(frame[frame["consent"]]))
    everyone = oracle.customer_days(log_checks.rows_of(frame))
    with transactions.load(config.log) as data:
        log_checks.check_summary(data, willing, data.as_of)
        log_checks.check_churn(data, willing, ORIGIN)
        counted = willing if mode == "exclude" else everyone
        log_checks.check_cohort_months(data, counted, data.as_of)
        apart = features.summary(data.purchases, data.as_of, people="aggregate").execute()
        assert sorted(apart["customer_id"]) == sorted(set(counted) - set(willing))


def test_scores_are_written_by_the_engine(place, tmp_path):
    def doubled(table: pa.Table) -> pa.Table:
        score = pc.multiply(table["frequency"].cast(pa.float64()), 2.0)
        return pa.table({"customer_id": table["customer_id"], "score": score})

    schema = pa.schema([("customer_id", pa.string()), ("score", pa.float64())])
    config = place(logs.messy_log(customers=40), output={"reports": str(tmp_path)})
    with transactions.load(config.log) as data:
        out = tmp_path / config.name / "of [all] {shops} & 100 %" / "scores.parquet"
        out.parent.mkdir(parents=True)
        data.engine.write_scored(data.summary, doubled, schema, out, rows=9)
        expected = data.summary.execute()
        if data.engine.reads_files:
            with data.engine.opened(out) as written:
                assert written.score.sum().execute() == 2 * expected["frequency"].sum()
    found = pd.read_parquet(out).sort_values("customer_id", ignore_index=True)
    expected = expected.sort_values("customer_id", ignore_index=True)
    assert found["customer_id"].tolist() == expected["customer_id"].tolist()
    assert (found["score"] == 2 * expected["frequency"]).all()


def test_the_data_s_own_summary_gives_what_is_learned_from_one_evaluated_anew(place):
    config = place(logs.messy_log(customers=40))
    with transactions.load(config.log) as data:
        tables = set(data.engine.connection.list_tables())
        with data.snapshot.earlier(data.as_of) as anew:
            alone = training_data.extract(anew, config.train)
        handed = training_data.extract(data.snapshot, config.train)
        assert set(data.engine.connection.list_tables()) == tables
    for name in ("summary", "spend", "repeat_spend"):
        pd.testing.assert_frame_equal(getattr(alone, name), getattr(handed, name))


def test_samples_are_the_same_customers(place):
    frame = logs.messy_log(customers=60)
    known = sorted(frame["customer"].dropna().unique())
    with transactions.load(place(frame).log) as data:
        found = features.sample_customers(data.summary, 0.3).customer_id.execute()
        everyone = set(data.summary.customer_id.execute())
    limit = f"{int(0.3 * 16**8):08x}"
    expected = [name for name in known if hashlib.md5(name.encode()).hexdigest() < limit]
    assert sorted(found) == [name for name in expected if name in everyone]


def test_a_log_of_words_is_read_alike(place, tmp_path):
    frame = logs.messy_log(customers=30)
    words = pd.DataFrame(
        {
            "customer_id": ["00001", "00002", "00002", "00003"],
            "timestamp": pd.to_datetime(["2022-01-01", "2022-01-01", "2022-02-01", "2024-01-01"]),
            "granted": [True, True, False, True],
        }
    )
    config = place(frame, governance={"consent": "exclude"})
    if config.source.kind == "spark":
        file = tmp_path / "words.parquet"
        words.to_parquet(file, coerce_timestamps="us")
        where = {"path": str(file)}
    else:
        place(words, table="words")
        where = {"table": "words"}
    config = config.model_copy(update={"consent": Consent(**where)})
    with transactions.load(config.log, dt.date(2023, 6, 30)) as data:
        assert data.summary.customer_id.execute().tolist() == ["00001"]


@pytest.mark.parametrize("name", ["nowhere", "log; DROP TABLE log", "no.such.log"])
def test_a_table_that_is_not_there_is_named_and_nothing_is_run(place, name):
    config = place(logs.messy_log(customers=5))
    source = config.source.model_copy(update={"table": name})
    if config.source.kind == "spark":
        source = source.model_copy(update={"path": None})
    missing = config.model_copy(update={"source": source})
    with pytest.raises(ConfigError, match="no table or view named"), transactions.load(missing.log):
        pass
    with transactions.load(config.log) as data:
        assert data.account.customers > 0


def test_money_by_reason_and_plausibility_are_alike(place):
    frame = logs.messy_log()
    frame["customer"] = frame["customer"].where(frame.index % 5 != 0, "Guest\u00a0")
    frame.loc[frame.index % 7 == 0, "customer"] = frame["customer"] + " Ä"
    frame.loc[frame.index % 14 == 0, "customer"] = frame["customer"].str.upper()
    settings = {"refunds": "net", "duplicates": "drop", "zero_value": "drop"}
    config = place(pd.concat([frame, frame.tail(9)]), governance=settings)
    with transactions.load(config.log, UNTIL) as data:
        account, found = data.account, data.plausibility
    cents = {why: round(sum(part) * 100) for why, part in expected_money(frame).items()}
    assert {why: round((account.money[why] or 0) * 100) for why in cents} == cents
    assert account.rounding == 0
    total = sum(frame["value"]) + sum(frame["value"].tail(9))
    assert account.source_total == round(total, 2)
    known = frame[frame["day"].dt.date <= UNTIL].query("value != 0").dropna(subset="customer")
    ids = known["customer"].drop_duplicates()
    fold = ids.map(lambda text: "".join(text.lower().split()))
    assert found.twins == len(ids) - fold.nunique() > 0
    guests = (known["customer"].str.strip() == "Guest").sum()
    assert any(f"holds {guests} of {len(known):,} rows" in said for said in found.warnings)
    folding = place(frame, columns={"fold_ids": True}, governance=settings)
    with transactions.load(folding.log, UNTIL) as data:
        assert set(data.days.customer_id.execute()) == set(fold)


def expected_money(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Of the log with its last nine rows twice."""
    twice = pd.concat([frame, frame.tail(9)])
    late, named = twice["day"].dt.date > UNTIL, twice["customer"].notna()
    return {
        "no_id": twice["value"][~named],
        "after_as_of": twice["value"][named & late],
        "duplicate": frame.tail(9)["value"][(named & ~late).tail(9)],
    }


def test_bad_rows_and_controls_are_alike(place):
    frame = logs.messy_log().query("day < @pd.Timestamp('2023-01-01')").reset_index(drop=True)
    refunds = frame["value"] < 0
    back = frame["value"].abs().map("{:.2f} CR".format)
    text = frame["value"].map("{:.2f}".format).mask(refunds & (frame.index % 4 == 0), back)
    text[frame["day"] < "2022-01-20"] = "lost"
    config = place(frame.assign(value=text), columns={"country": "country"})
    with transactions.load(config.log, UNTIL) as data:
        unread, months = (
            data.account.unread,
            control.compare(
                data.purchases, own_months(frame), data.first_date, data.as_of, 0.01
            ).months,
        )
        daily = jumps.by_day(data.days)
        own = data.purchases.execute()
    named = frame["customer"].notna()
    lost = named & (text == "lost")
    marked = named & text.str.endswith("CR") & ~lost
    read = named & ~lost & ~marked
    mean = frame["value"][read].groupby([frame["customer"], frame["day"].dt.date]).sum().abs().sum()
    mean /= read.sum()
    assert unread.rows == lost.sum() + marked.sum()
    shown = frame["value"][marked].abs().sum()
    assert unread.money == pytest.approx(shown + mean * lost.sum(), abs=0.01)
    assert {trait.name for trait in unread.traits} == set()
    by_month = own.groupby(pd.to_datetime(own["date"]).dt.strftime("%Y-%m-01"))["amount"].sum()
    found = months.set_index(months["period"].dt.strftime("%Y-%m-%d"))["revenue"]
    assert found.to_dict() == {month: round(by_month.get(month, 0.0), 2) for month in found.index}
    assert daily["revenue"].sum() == pytest.approx(frame["value"][read].sum())


def own_months(frame: pd.DataFrame) -> pd.DataFrame:
    months = pd.date_range(frame["day"].min().normalize().replace(day=1), "2022-12-01", freq="MS")
    return pd.DataFrame({"period": months.astype("datetime64[s]"), "amount": 100.0})


def test_bad_rows_that_are_alike_are_found_alike(place):
    frame = logs.messy_log()
    refunds = frame["value"] < 0
    back = frame["value"].abs().map("{:.2f} CR".format)
    text = frame["value"].map("{:.2f}".format).mask(refunds, back)
    with transactions.load(place(frame.assign(value=text)).log) as data:
        unread = data.account.unread
    known = refunds & frame["customer"].notna()
    found = {trait.name: (trait.rows, trait.lost) for trait in unread.traits}
    assert found == {"refunds": (known.sum(), 1.0), "written with 'cr'": (known.sum(), 1.0)}
    assert unread.money == pytest.approx(-frame["value"][known].sum(), abs=0.005)
