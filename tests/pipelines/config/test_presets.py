"""Presets: a known export is read right without a column named, and what is set wins."""

from __future__ import annotations

import log_checks
import log_oracle
import pytest
import shop_exports

from clvmodels.core.errors import ConfigError, MissingColumnError
from pipelines.config import presets
from pipelines.config.load import Config, parse
from pipelines.data import customer_days as transactions


def read(path: str, name: str, **sections: dict[str, object]) -> Config:
    currency = shop_exports.CURRENCY.get(name, "USD")
    source = {"kind": "csv", "path": path, "preset": name}
    return parse({"name": "x", "source": source, "economics": {"currency": currency}} | sections)


@pytest.fixture(scope="module")
def made() -> list[shop_exports.Order]:
    return shop_exports.orders()


@pytest.mark.parametrize("name", presets.NAMES)
def test_what_counts_is_what_plain_python_counts(tmp_path, made, name):
    export = shop_exports.EXPORTS[name](made)
    file = tmp_path / "export.csv"
    file.write_text(export.text, encoding="utf-8")
    days = log_oracle.customer_days(export.counted)
    with transactions.load(read(str(file), name).log) as data:
        log_checks.check_summary(data, days, data.as_of)
        account = data.account
    wanted = sum(day.amount for some in days.values() for day in some)
    assert account.revenue == pytest.approx(wanted, abs=0.005)
    left = sum(
        facts["rows"] for values in account.sales["left_out"].values() for facts in values.values()
    )
    assert account.set_aside.get("not_kept", 0) <= left
    assert not account.sales["questions"]


@pytest.mark.parametrize("name", presets.NAMES)
def test_a_preset_says_what_it_describes_and_fits_its_export_alone(name, made):
    known = presets.preset(name)
    header = shop_exports.EXPORTS[name](made[:5]).text.splitlines()[0].split(",")
    assert [other for other in presets.NAMES if presets.preset(other).fits(header)] == [name]
    assert known.described.startswith("https://")
    assert known.checked.year >= 2026
    columns = set(known.sections["columns"].values()) - {
        known.sections["columns"].get("date_format")
    }
    columns |= {c for k in ("keep", "refund_rows") for c in known.sections["governance"].get(k, {})}
    assert {*known.optional, *known.also} <= columns


def test_a_key_that_is_set_wins_and_the_others_are_told():
    config = read("a.csv", "shopify", columns={"timestamp": "Paid at", "shipping": ""})
    assert config.columns.timestamp == "Paid at"
    assert config.columns.shipping is None
    assert config.governance.amount_includes == ("tax", "discount")
    assert "columns.timestamp" not in config.from_preset
    assert {"columns.customer_id", "governance.keep"} <= set(config.from_preset)
    assert config.model_dump(mode="json")["from_preset"] == list(config.from_preset)


def test_statuses_that_are_set_are_all_that_count():
    keep = {"Financial Status": ["paid"]}
    config = read("a.csv", "shopify", governance={"keep": keep})
    assert config.governance.keep == {"Financial Status": ("paid",)}
    assert "governance.amount_includes" in config.from_preset


def test_a_contradiction_names_the_keys_of_the_preset():
    with pytest.raises(
        ConfigError, match=r"either amount.*of the preset 'shopify' are .*order_total"
    ):
        read("a.csv", "shopify", columns={"amount": "Lineitem price"})
    config = read("a.csv", "shopify", columns={"amount": "Lineitem price", "order_total": ""})
    assert config.columns.amount == "Lineitem price"


@pytest.mark.parametrize("name", presets.NAMES)
def test_without_a_column_that_it_must_have_an_export_is_not_known(name, made):
    header = shop_exports.EXPORTS[name](made[:5]).text.splitlines()[0].split(",")
    known = presets.preset(name)
    for column in known.required:
        names = {column, *known.also.get(column, ())}
        assert presets.recognised([one for one in header if one not in names]) is None


def test_no_preset_changes_nothing():
    raw = {"name": "x", "source": {"kind": "csv", "path": "a"}, "columns": {"amount": "a"}}
    assert presets.with_preset(raw) == (raw, ())
    assert parse(raw).from_preset == ()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stripe", "Created (UTC)", "Created date (UTC)"),
        ("woocommerce", "customer_email", "billing_email"),
        ("magento", "Grand Total (Base)", "base_grand_total"),
    ],
)
def test_another_name_of_a_column_is_known_or_asked_for(tmp_path, made, name, old, new):
    export = shop_exports.EXPORTS[name](made)
    file = tmp_path / "export.csv"
    file.write_text(export.text.replace(old, new, 1), encoding="utf-8")
    with transactions.load(read(str(file), name).log) as data:
        wanted = log_oracle.customer_days(export.counted)
        log_checks.check_summary(data, wanted, data.as_of)
        assert any(f"'{old}' is called" in note for note in data.account.sales["notes"])


def test_a_column_that_an_export_must_have_is_named_with_the_remedy(tmp_path, made):
    file = tmp_path / "export.csv"
    text = shop_exports.shopify(made).text
    file.write_text(text.replace("Email", "E-Mail", 1), encoding="utf-8")
    with (
        pytest.raises(
            MissingColumnError, match=r"preset 'shopify' \(did you mean 'E-Mail'"
        ) as told,
        transactions.load(read(str(file), "shopify").log),
    ):
        pass
    assert "set [columns] customer_id to what this export calls it" in str(told.value)
    assert "2026-11-26" in str(told.value)


def test_a_column_that_an_export_may_lack_is_left_out_and_said(tmp_path, made):
    file = tmp_path / "export.csv"
    export = shop_exports.magento(made)
    file.write_text(export.text.replace("Total Refunded", "Other", 1), encoding="utf-8")
    with transactions.load(read(str(file), "magento").log) as data:
        assert any("'Total Refunded' is not there" in n for n in data.account.sales["notes"])
        assert data.account.revenue == pytest.approx(
            sum(amount for _, _, amount in export.counted if amount > 0), abs=0.005
        )
