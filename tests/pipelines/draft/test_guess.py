"""What the columns of a source are taken for, by their names and their values."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from pipelines.draft.fields import Field
from pipelines.draft.guess import Guess, guess
from pipelines.draft.names import plain

DAYS = [dt.date(2023, 1, 2) + dt.timedelta(days=3 * at) for at in range(120)]
RNG = random.Random(5)
IDS = [f"K{RNG.randrange(30):04d}" for _ in DAYS]
MONEY = [f"{RNG.uniform(5, 900):.2f}" for _ in DAYS]
PIECES = [str(RNG.randrange(1, 9)) for _ in DAYS]
ORDERS = [f"R{at:05d}" for at in range(len(DAYS))]


def field(name: str, values: list[str] | list[dt.date], pattern: str | None = None) -> Field:
    texts = [value.strftime(pattern) if pattern else str(value) for value in values]  # type: ignore[union-attr]
    return Field(name, tuple(text or None for text in texts))


def of(*columns: tuple[str, list[str]] | Field) -> Guess:
    return guess([one if isinstance(one, Field) else field(*one) for one in columns])


@pytest.mark.parametrize(
    ("who", "when", "value", "order"),
    [
        ("customer_id", "date", "amount", "order_id"),
        ("CustomerID", "InvoiceDate", "Amount", "InvoiceNo"),
        ("Customer ID", "Invoice Date", "Total", "Invoice"),
        ("Email", "created_at", "total_price", "order_number"),
        ("user_id", "event_time", "revenue", "transaction_id"),
        ("Kunde", "Datum", "Umsatz", "Belegnr"),
        ("Kundennummer", "Bestelldatum", "Betrag", "Bestellnummer"),
        ("Kunden-Nr.", "Rechnungsdatum", "Gesamtbetrag", "Rechnungsnummer"),
        ("client", "date_commande", "montant", "numero_commande"),
        ("id_client", "date_achat", "Montant TTC", "facture"),
        ("cliente", "fecha", "importe", "pedido"),
        ("klantnummer", "besteldatum", "bedrag", "factuurnummer"),
        ("household_key", "DAY", "SALES_VALUE", "BASKET_ID"),
        ("buyer_email", "purchase_date", "gross_amount", "receipt_no"),
        ("customer_unique_id", "order_purchase_timestamp", "payment_value", "order_id"),
        ("who", "when", "paid", "bon_nr"),
    ],
)
def test_usual_names_are_known(who, when, value, order):
    columns = [field(order, ORDERS), field(value, MONEY), field(when, DAYS), field(who, IDS)]
    found = guess(columns)
    assert found.columns == {
        "customer_id": who, "timestamp": when, "transaction_id": order, "amount": value,
    }  # fmt: skip
    assert not found.missing


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CustomerID", "customer_id"),
        ("Kunden-Nr.", "kunden_nr"),
        ("Größe", "grosse"),
        ("HTTPCode", "http_code"),
        ("Grand Total (Base)", "grand_total_base"),
        ("quantité", "quantite"),
    ],
)
def test_names_are_parted_into_words(name, words):
    assert plain(name) == words


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        ("%Y%m%d", "yyyymmdd"),
        ("%d.%m.%Y", "dmy"),
        ("%d/%m/%Y %H:%M", "dmy"),
        ("%m/%d/%Y", "mdy"),
        ("%m/%d/%y", "mdy"),
        ("%d %b %Y", "day_name"),
        ("%b %d, %Y %I:%M:%S %p", "name_day"),
        ("%Y/%m/%d", "ymd"),
        ("%G-W%V", "iso_week"),
        ("%Y-%m", "year_month"),
    ],
)
def test_the_form_of_days_is_read_off_the_values(pattern, form):
    found = of(("customer_id", IDS), field("date", DAYS, pattern), ("amount", MONEY))
    assert found.date_format == form
    assert found.or_date_format is None


@pytest.mark.parametrize(("form", "per_day"), [("epoch", 86_400), ("epoch_ms", 86_400_000)])
def test_numbers_are_days_where_the_name_says_so(form, per_day):
    numbers = [str((day - dt.date(1970, 1, 1)).days * per_day) for day in DAYS]
    found = of(("customer_id", IDS), ("created", numbers), ("amount", MONEY))
    assert (found.columns["timestamp"], found.date_format) == ("created", form)
    assert of(("customer_id", IDS), ("c", numbers), ("amount", MONEY)).missing == ("timestamp",)
    serial = [str((day - dt.date(1899, 12, 30)).days) for day in DAYS]
    found = of(("customer_id", IDS), ("Datum", serial), ("amount", MONEY))
    assert found.date_format == "excel"


@pytest.mark.parametrize("pattern", [None, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S -0500"])
def test_iso_days_need_no_format(pattern):
    found = of(("customer_id", IDS), field("date", DAYS, pattern), ("amount", MONEY))
    assert found.date_format is None
    assert found.columns["timestamp"] == "date"
    assert found.offsets == (("-0500",) if pattern and "-0500" in pattern else ())


def test_day_and_month_that_may_be_either_are_unsure():
    first = [dt.date(2023, month, month) for month in range(1, 13)] * 10
    found = of(("customer_id", IDS), field("date", first, "%d/%m/%Y"), ("amount", MONEY))
    assert {found.date_format, found.or_date_format} == {"dmy", "mdy"}


def test_a_decimal_comma_is_seen():
    comma = [value.replace(".", ",") for value in MONEY]
    assert of(("Kunde", IDS), ("Datum", list(map(str, DAYS))), ("Betrag", comma)).decimal == ","
    assert of(("Kunde", IDS), ("Datum", list(map(str, DAYS))), ("Betrag", MONEY)).decimal == "."


def test_quantity_and_price_are_the_value_where_no_column_is():
    base = [("customer_id", IDS), ("date", list(map(str, DAYS)))]
    found = of(*base, ("Quantity", PIECES), ("UnitPrice", MONEY))
    assert (found.columns["quantity"], found.columns["price"]) == ("Quantity", "UnitPrice")
    assert "amount" not in found.columns
    found = of(*base, ("Quantity", PIECES), ("UnitPrice", MONEY), ("dollar_value", MONEY))
    assert found.columns["amount"] == "dollar_value"
    assert "quantity" not in found.columns
    found = of(*base, ("price", MONEY))
    assert found.columns["amount"] == "price"
    assert "one piece" in found.unsure["amount"]


@pytest.mark.parametrize("form", ["every", "first", "lines"])
def test_totals_of_orders_are_told_from_values_of_lines(form):
    orders, amounts, others = [], [], []
    for at, money in enumerate(MONEY):
        orders += [f"o{at}"] * 2
        amounts += {"every": [money, money], "first": [money, ""], "lines": [money, "1.25"]}[form]
        others += [at, at]
    days = [str(DAYS[at]) for at in others]
    who = [IDS[at] for at in others]
    found = of(("customer_id", who), ("date", days), ("order_id", orders), ("total", amounts))
    assert ("order_total" in found.columns) == (form != "lines")
    assert ("amount" in found.columns) == (form == "lines")


def test_what_is_no_value_is_not_taken_for_one():
    base = [("customer_id", IDS), ("date", list(map(str, DAYS)))]
    found = of(*base, ("total_tax", MONEY), ("shipping_total", MONEY), ("total", MONEY))
    assert found.columns["amount"] == "total"
    assert not found.unsure
    assert found.aside == {"tax": "total_tax", "shipping": "shipping_total"}
    found = of(*base, ("updated_at", list(map(str, DAYS))), ("total", MONEY))
    assert found.columns["timestamp"] == "date"
    found = of(*base, ("amount", MONEY), ("refund_amount", ["5.00", "", *[""] * 118]))
    assert found.columns["refunded"] == "refund_amount"


def test_names_that_say_nothing_are_read_by_their_values():
    found = of(("c1", IDS), ("c2", list(map(str, DAYS))), ("c3", MONEY))
    assert found.columns == {"customer_id": "c1", "timestamp": "c2", "amount": "c3"}
    assert set(found.unsure) == {"customer_id", "timestamp", "amount"}


def test_what_no_column_qualifies_for_is_missing():
    found = of(("remark", ["thanks a lot"] * 120), ("amount", MONEY))
    assert found.missing == ("customer_id", "timestamp")
    words = ["much", "little", *["some"] * 118]
    found = of(("customer_id", IDS), ("date", list(map(str, DAYS))), ("amount", words))
    assert found.missing == ("amount",)


def test_two_that_would_do_are_told():
    found = of(("customer_id", IDS), ("date", list(map(str, DAYS))), ("net_amount", MONEY),
               ("gross_amount", MONEY))  # fmt: skip
    assert found.columns["amount"] == "net_amount"
    assert found.unsure["amount"] == "or 'gross_amount'"


def test_currencies_are_those_of_a_column_or_of_a_sign():
    base = [("customer_id", IDS), ("date", list(map(str, DAYS)))]
    codes = ["eur"] * 80 + ["USD"] * 40
    found = of(*base, ("amount", MONEY), ("currency", codes))
    assert found.currencies == ("EUR", "USD")
    assert found.columns["currency"] == "currency"
    assert of(*base, ("amount", [f"£{value}" for value in MONEY])).currencies == ("GBP",)
    assert of(*base, ("amount", MONEY)).currencies == ()


@pytest.mark.parametrize(("value", "said"), [("9.99", None), ("0.00", "all of its values are 0")])
def test_one_price_for_all_is_a_value_and_nothing_at_all_is_told(value, said):
    base = [("customer_id", IDS), ("date", list(map(str, DAYS)))]
    found = of(*base, ("total", [value] * 120))
    assert found.columns["amount"] == "total"
    assert found.unsure.get("amount") == said


@pytest.mark.parametrize(("mark", "decimal"), [(".", ","), (",", ".")])
def test_a_mark_with_three_digits_after_it_is_taken_for_thousands_and_told(mark, decimal):
    base = [("customer_id", IDS), ("date", list(map(str, DAYS)))]
    amounts = [f"{at * 137 + 820:,}".replace(",", mark) for at in range(120)]
    found = of(*base, ("Betrag", amounts))
    assert (found.decimal, found.thousands) == (decimal, mark)
    # of weights and of Kuwait's dinars all have three
    found = of(*base, ("Betrag", [f"{at}{mark}125" for at in range(1, 121)]))
    assert (found.decimal, found.thousands) == (".", None)


def test_amounts_as_people_write_them_are_amounts():
    base = [("customer_id", IDS), ("date", list(map(str, DAYS)))]
    for style in ("${:,.2f}", "({:,.2f})", "{:,.2f}-", "USD {:,.2f}"):
        found = of(*base, ("total", [style.format(float(value) * 10) for value in MONEY]))
        assert found.columns["amount"] == "total"
        assert found.decimal == "."
    german = [f"{float(value) * 10:,.2f}".replace(",", " ").replace(".", ",") for value in MONEY]
    found = of(*base, ("total", [f"{value} €" for value in german]))
    assert (found.decimal, found.currencies) == (",", ("EUR",))
