"""Each way in which an export says what a sale is: read, or refused with the remedy."""

from __future__ import annotations

import example_logs as logs
import pandas as pd
import pytest

from clvmodels.core.errors import CheckFailedError, ConfigError, DataError
from pipelines.data import customer_days as transactions
from pipelines.jobs.messages import sales_lines

DAYS = ["2023-01-05", "2023-01-06", "2023-01-07", "2023-02-08", "2023-02-09", "2023-03-10"]


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a frame as CSV and gives its account and configuration."""

    def run(frame: pd.DataFrame, enforce: bool = True, **sections):
        file = tmp_path / "log.csv"
        frame.to_csv(file, index=False)
        columns = {"customer_id": "customer", "timestamp": "day"} | sections.pop("columns", {})
        config = logs.config({"kind": "csv", "path": str(file)}, columns=columns, **sections)
        with transactions.load(config.log, enforce=enforce) as data:
            return data.account, config

    return run


def log(**columns) -> pd.DataFrame:
    """Six orders of three customers, 10 to 60 of value."""
    frame = pd.DataFrame(
        {"customer": list("abcabc"), "day": DAYS, "value": [10.0, 20, 30, 40, 50, 60]}
    )
    return frame.assign(order=[f"A{number}" for number in range(6)], **columns)


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    """Every order with two lines that say the same."""
    return frame.loc[frame.index.repeat(2)].reset_index(drop=True)


ORDER = {"transaction_id": "order"}
TOTAL = ORDER | {"amount": None, "order_total": "value"}


def test_a_total_on_every_line_counts_once(read):
    account, config = read(twice(log()), columns=TOTAL)
    assert (account.read, account.kept, account.orders) == (12, 12, 6)
    assert account.revenue == pytest.approx(210)
    assert "6 orders, 1.00 a purchase" in sales_lines(account, config)


def test_amounts_that_are_all_alike_name_both_readings(read):
    with pytest.raises(CheckFailedError) as caught:
        read(twice(log()), columns=ORDER)
    for part in ("420.00", "210.00", "columns.order_total", "max_equal_line_share = 1"):
        assert part in str(caught.value)
    account, _ = read(twice(log()), columns=ORDER, governance={"max_equal_line_share": 1.0})
    assert account.revenue == pytest.approx(420)


def test_the_order_is_looked_for_where_it_is_not_mapped(read):
    with pytest.raises(CheckFailedError, match="column 'order'"):
        read(twice(log()))
    lines = twice(log()).assign(value=range(1, 13))
    account, _ = read(lines)
    assert account.revenue == pytest.approx(78)
    assert any("columns.transaction_id" in said for said in account.sales["questions"])


def test_a_total_on_the_first_line_is_read_as_one(read):
    lines = twice(log())
    lines.loc[1::2, ["value", "customer"]] = None
    account, _ = read(lines, columns=ORDER)
    assert (account.read, account.kept, account.orders) == (12, 12, 6)
    assert account.revenue == pytest.approx(210)
    assert any("read as the total" in note for note in account.sales["notes"])


def test_a_blank_among_values_of_lines_is_no_total(read):
    lines = twice(log()).assign(value=range(1, 13))
    lines.loc[3, "value"] = None
    account, _ = read(lines, columns=ORDER)
    assert account.set_aside == {"bad_amount": 1}


def test_lines_of_two_customers_are_no_order(read):
    lines = twice(log())
    lines.loc[1, "customer"] = "c"
    lines.loc[11, "order"] = None
    account, _ = read(lines, columns=TOTAL)
    assert account.set_aside == {"no_order": 1, "mixed_order": 2}
    assert account.read == 12
    with pytest.raises(CheckFailedError, match="name a column in which they do not"):
        read(lines, columns=TOTAL, governance={"max_bad_row_share": 0.1})


def test_totals_that_differ_within_an_order_are_set_aside(read):
    lines = twice(log())
    lines.loc[0, "value"] = 11
    account, _ = read(lines, columns=TOTAL)
    assert account.set_aside == {"mixed_order": 2}
    assert account.revenue == pytest.approx(200)


def test_codes_cannot_be_taken_from_a_total(read):
    with pytest.raises(ConfigError, match="non_product_codes"):
        read(
            log(code="x"),
            columns=TOTAL | {"product_code": "code"},
            governance={"non_product_codes": ["POST"]},
        )


def test_codes_that_are_no_product_are_set_aside_whatever_their_case(read):
    frame = log(code=["post", " POST", "Post ", "fee", "f12", "85123A"])
    account, _ = read(
        frame,
        columns={"product_code": "code"},
        governance={"non_product_codes": ["Post", " f12"]},
    )
    assert account.set_aside == {"non_product_code": 4}
    assert account.revenue == pytest.approx(100)


def test_statuses_that_are_no_sale_are_counted_by_value(read):
    frame = log(status=["paid", "PAID", "void", "paid", None, "void"])
    account, config = read(frame, governance={"keep": {"status": ["Paid"]}})
    assert account.revenue == pytest.approx(70)
    assert account.set_aside == {"not_kept": 3}
    assert account.sales["left_out"] == {
        "status": {"void": {"rows": 2, "amount": 90.0}, "(empty)": {"rows": 1, "amount": 50.0}}
    }
    (line,) = [line for line in sales_lines(account, config) if line.startswith("no sale")]
    assert line == "no sale, by status: void 2 rows of 90.00, (empty) 1 rows of 50.00"
    account, _ = read(frame, governance={"keep": {"status": ["paid", ""]}})
    assert account.revenue == pytest.approx(120)


@pytest.mark.parametrize("name", ["status", "Financial Status", "test", "payment_state", "Type"])
def test_a_column_that_looks_like_a_status_is_asked_about(read, name):
    account, _ = read(log(**{name: ["paid", "paid", "void", "paid", "paid", "void"]}))
    (question,) = account.sales["questions"]
    for part in (f"'{name}'", "paid 4 rows, 120.00", "void 2 rows, 90.00", "[governance.keep]"):
        assert part in question


@pytest.mark.parametrize("name", ["shipping_state", "Status"])
def test_a_column_of_one_value_or_of_places_is_not_asked_about(read, name):
    values = "paid" if name == "Status" else list("xyxyxy")
    account, _ = read(log(**{name: values}))
    assert account.sales["questions"] == []


def test_a_keep_column_that_is_missing_is_named(read):
    with pytest.raises(DataError, match=r"'state', mapped by governance.keep.state .*'status'"):
        read(log(status="paid"), governance={"keep": {"state": ["paid"]}})


def test_rows_of_a_refund_are_refunds_whatever_their_sign(read):
    kinds = ["sale", "sale", "sale", "Refund", "sale", "refund"]
    for sign in (1, -1):
        frame = log(type=kinds)
        frame.loc[[3, 5], "value"] *= sign
        account, _ = read(frame, governance={"refund_rows": {"type": ["refund"]}})
        assert account.revenue == pytest.approx(10 + 20 + 30 - 40 + 50 - 60)
        assert account.purchases == 4


def test_money_paid_back_counts_on_its_own_day(read):
    frame = log(back=[None, 20, None, 15, "", None], at=[None, "2023-04-01", "", None, "", ""])
    columns = {"refunded": "back", "refunded_at": "at"}
    account, _ = read(frame, columns=columns)
    assert account.read == account.kept == 6
    assert account.revenue == pytest.approx(210 - 35)
    assert str(account.last_date) == "2023-04-01"
    frame.loc[1, "at"] = "soon"
    account, _ = read(frame, columns=columns)
    assert account.set_aside == {"bad_refund": 1}
    assert account.examples["bad_refund"] == ["row 2 '20 on soon'"]


def test_a_refund_that_cannot_be_read_sets_its_row_aside(read):
    account, _ = read(log(back=[None, "much", 1, 1, 1, 1]), columns={"refunded": "back"})
    assert account.set_aside == {"bad_refund": 1}


SEVERAL = ["USD", "eur", "USD", "EUR", "JPY", "usd"]


def test_several_currencies_are_refused_with_their_sums(read):
    for columns in ({"currency": "Currency"}, {}):
        with pytest.raises(DataError) as caught:
            read(log(Currency=SEVERAL), columns=columns)
        for part in ("USD 100.00 (3 rows)", "EUR 60.00 (2 rows)", "JPY 50.00", "rates", "only"):
            assert part in str(caught.value)


def test_several_currencies_are_converted_by_rates(read):
    account, _ = read(
        log(Currency=SEVERAL),
        columns={"currency": "Currency"},
        currencies={"rates": {"EUR": 2.0, "jpy": 0.5}},
    )
    assert account.revenue == pytest.approx(100 + 2 * 60 + 25)
    with pytest.raises(DataError, match="no rate for JPY"):
        read(
            log(Currency=SEVERAL),
            columns={"currency": "Currency"},
            currencies={"rates": {"EUR": 2.0}},
        )


def test_rates_by_month_come_from_a_file(read, tmp_path):
    file = tmp_path / "rates.csv"
    file.write_text("period,EUR,JPY\n2023-01,2,0.5\n2023-03,9,9\n")
    account, _ = read(
        log(Currency=SEVERAL),
        columns={"currency": "Currency"},
        currencies={"path": str(file)},
    )
    assert account.set_aside == {"no_rate": 2}  # February
    assert account.revenue == pytest.approx(10 + 40 + 30 + 60)


def test_one_currency_can_be_chosen(read):
    account, config = read(
        log(Currency=SEVERAL), columns={"currency": "Currency"}, currencies={"only": True}
    )
    assert account.revenue == pytest.approx(100)
    assert account.set_aside == {"other_currency": 3}
    told = " ".join(sales_lines(account, config))
    assert "EUR 60.00 (2 rows)" in told
    assert "JPY 50.00 (1 rows)" in told


def test_amounts_that_are_converted_already_are_summed(read):
    account, _ = read(log(Currency=SEVERAL), currencies={"converted": True})
    assert account.revenue == pytest.approx(210)


def test_another_currency_than_the_reports_is_told(read):
    with pytest.raises(DataError, match=r"economics\.currency = 'EUR'"):
        read(log(Currency="EUR"), columns={"currency": "Currency"})
    account, _ = read(log(Currency="EUR"))
    assert any("which one are the amounts in" in said for said in account.sales["questions"])
    account, _ = read(log(Currency="USD"))
    assert account.sales["questions"] == []


@pytest.mark.parametrize(
    ("held", "wanted", "each"),
    [
        (["tax", "discount"], None, 0),
        (["tax", "discount"], ["discount"], -2),
        ([], ["tax"], 2),
        (["discount"], [], 3),
        ([], ["discount"], -3),
        (["tax"], ["discount"], -5),
    ],
)
def test_parts_of_a_price_are_in_or_out_by_choice(read, held, wanted, each):
    governance = {"amount_includes": held}
    if wanted is not None:
        governance["revenue_includes"] = wanted
    account, config = read(
        log(vat=2.0, off=-3.0),
        columns={"tax": "vat", "discount": "off"},
        governance=governance,
    )
    assert account.revenue == pytest.approx(210 + 6 * each)
    assert account.sales["parts"] == {"tax": 12.0, "discount": -18.0}
    counted = "tax" in (held if wanted is None else wanted)
    (line,) = [line for line in sales_lines(account, config) if line.startswith("tax")]
    assert ("counted as revenue" in line) == counted


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"columns": {"tax": "vat"}}, "amount_includes"),
        ({"governance": {"amount_includes": ["tip"]}}, "columns.tip names no column"),
        ({"columns": {"order_total": "value", "amount": None}}, "order_total needs transaction_id"),
        ({"columns": {"order_total": "value"}}, "either amount, the value of a line"),
        ({"columns": {"refunded_at": "at"}}, "refunded_at needs refunded"),
        ({"columns": {"margin": "m", "cost": "c"}}, "either margin or cost"),
        ({"currencies": {"rates": {"EUR": 1.0}}}, "needs columns.currency"),
        ({"currencies": {"rates": {"EUR": 1.0}, "only": True}}, "exactly one of"),
        ({"currencies": {}}, "exactly one of"),
        ({"currencies": {"rates": {"EUR": 0.0}}}, "currencies.rates.EUR"),
        (
            {"columns": {"refunded": "back"}, "governance": {"refunds": "drop"}},
            "columns.refunded has no effect",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_refused(read, sections, says):
    with pytest.raises(ConfigError, match=says):
        read(log(), **sections)


def test_margins_follow_from_costs(tmp_path):
    file = tmp_path / "log.csv"
    frame = log(cost=[4.0, 8, 12, 16, 20, None], kind=["sale"] * 4 + ["refund", "sale"])
    frame.to_csv(file, index=False)
    config = logs.config(
        {"kind": "csv", "path": str(file)},
        columns={"customer_id": "customer", "timestamp": "day", "cost": "cost"},
        governance={"refund_rows": {"kind": ["refund"]}},
    )
    with transactions.load(config.log) as data:
        days = data.purchases.execute().sort_values("date")
    assert list(days["margin"].round(6))[:5] == pytest.approx([6, 12, 18, 24, -30])
    assert days["margin"].isna().sum() == 1


def test_a_business_names_as_many_dimensions_as_it_has(tmp_path):
    file = tmp_path / "log.csv"
    frame = log(Klass=["new", "old"] * 3, Platform=list("iiaaii"), Land=["UK"] * 6)
    frame.to_csv(file, index=False)
    columns = {
        "customer_id": "customer",
        "timestamp": "day",
        "country": "Land",
        "dimensions": {"class": "Klass", "platform": "Platform"},
    }
    config = logs.config({"kind": "csv", "path": str(file)}, columns=columns)
    with transactions.load(config.log) as data:
        facts = data.summary.execute().set_index("customer_id")
    assert list(facts.loc["b", ["country", "class", "platform"]]) == ["UK", "old", "i"]
    assert list(facts.loc["c", ["country", "class", "platform"]]) == ["UK", "new", "a"]


@pytest.mark.parametrize(
    ("dimensions", "says"),
    [
        ({"channel": "x"}, "a key of its own"),
        ({"cohort": "x"}, "call something else"),
        ({"spend_class": "x"}, "call something else"),
        ({"Klass": "x"}, "dimensions.Klass"),
    ],
)
def test_dimensions_have_names_of_their_own(read, dimensions, says):
    with pytest.raises(ConfigError, match=says):
        read(log(x="1"), columns={"dimensions": dimensions})


@pytest.mark.parametrize("by", ["customer_id", "transaction_id"])
def test_a_channel_may_come_from_another_table(tmp_path, by):
    log().to_csv(tmp_path / "log.csv", index=False)
    told = {"who": ["a", "b", "b", "z"], "won_by": ["ads", "mail", "mail", "ads"]}
    if by == "transaction_id":
        told = {"who": ["A0", "A1", "A1", "A3"], "won_by": ["ads", "mail", "mail", "shop"]}
    pd.DataFrame(told).to_csv(tmp_path / "channels.csv", index=False)
    attribution = {"path": str(tmp_path / "channels.csv"), by: "who", "value": "won_by"}
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        columns={"customer_id": "customer", "timestamp": "day", "transaction_id": "order"},
        attribution=attribution,
    )
    with transactions.load(config.log) as data:
        channels = data.summary.execute().set_index("customer_id")["channel"]
        notes = data.account.sales["notes"]
    assert channels["a"] == "ads"
    assert channels["b"] == "mail"
    assert pd.isna(channels["c"])
    missing = "1 of 3 customers" if by == "customer_id" else "3 of 6 orders"
    assert any(note.startswith(missing) for note in notes)
    told["won_by"][2] = "ads"
    pd.DataFrame(told).to_csv(tmp_path / "channels.csv", index=False)
    with (
        pytest.raises(DataError, match="several values of 'won_by'"),
        transactions.load(config.log),
    ):
        pass
