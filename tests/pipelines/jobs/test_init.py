"""`clv init`: a first configuration that reads the file it was written from."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import duckdb
import log_oracle
import pandas as pd
import pytest
import shop_exports
from shop import Ran, run_clv

from pipelines.config import load as configuration
from pipelines.config import presets


def init(folder: Path, name: str, text: str | bytes, *arguments: str) -> tuple[Ran, Path]:
    """Write a file and a configuration of it."""
    file, output = folder / name, folder / "shop.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = run_clv("init", str(file), "--output", str(output), "--quiet", *arguments)
    return ran, output


def check(output: Path) -> dict[str, object]:
    ran = run_clv("check", "-c", str(output), "--json", "--quiet")
    assert ran.code == 0, ran.err
    return ran.json()


def cdnow() -> str:
    """CDNOW as CSV, as it comes with the lifetimes package."""
    spec = importlib.util.find_spec("lifetimes")
    assert spec is not None
    file = Path(str((spec.submodule_search_locations or [""])[0])) / "datasets/CDNOW_master.txt"
    rows = [",".join(line.split()) for line in file.read_text().splitlines()[1:]]
    return "\n".join(["customer_id,date,number_of_cds,dollar_value", *rows]) + "\n"


PLAIN = "customer_id,date,amount,status\n" + "".join(
    f"k{at % 12},2023-0{1 + at % 9}-1{at % 10},{at + 0.25},{'done' if at % 5 else 'cancelled'}\n"
    for at in range(60)
)


@pytest.mark.parametrize("name", presets.NAMES)
def test_the_export_of_a_shop_is_known_and_read(tmp_path, name):
    export = shop_exports.EXPORTS[name](shop_exports.orders())
    ran, output = init(tmp_path, "export.csv", export.text)
    assert ran.code == 0, ran.err
    assert ran.out.count("\n") == 1
    assert f"clv check -c {output}" in ran.out
    text = output.read_text(encoding="utf-8")
    assert not any(secret in text for secret in shop_exports.SECRETS)
    assert name == "square" or re.search(r'^# "[\w ]+" has "\w+" [\d,]+ rows, ', text, re.MULTILINE)
    config = configuration.load(output)
    assert config.source.preset == name
    assert config.economics.currency == shop_exports.CURRENCY.get(name, "USD")
    days = log_oracle.customer_days(export.counted)
    wanted = sum(day.amount for some in days.values() for day in some)
    assert check(output)["revenue"] == pytest.approx(wanted, abs=0.005)


def test_the_check_tells_which_keys_are_of_the_preset(tmp_path):
    _, output = init(tmp_path, "export.csv", shop_exports.shopify(shop_exports.orders()).text)
    text = output.read_text().replace("[columns]", '[columns]\nshipping = ""', 1)
    output.write_text(text)
    said = run_clv("check", "-c", str(output), "--quiet").out.splitlines()[0]
    assert said.startswith("preset shopify (orders, exported as CSV from the admin; as of 2026-11-")
    assert 'columns.customer_id = "Email"' in said
    assert 'governance.amount_includes = ["tax", "discount"]' in said
    assert "columns.shipping" not in said
    assert "columns.customer_id" in check(output)["from_preset"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*presets.NAMES, "cdnow"])
def test_what_is_written_trains_without_edits(tmp_path, monkeypatch, name):
    text = cdnow() if name == "cdnow" else None
    text = text or shop_exports.EXPORTS[name](shop_exports.orders()).text
    ran, output = init(tmp_path, "export.csv", text)
    assert ran.code == 0, ran.err
    monkeypatch.chdir(tmp_path)
    ran = run_clv("train", "-c", str(output), "--quiet")
    assert ran.code == 0, ran.err
    assert (tmp_path / "models" / "shop" / "champion.json").exists()


def test_cdnow_is_read_as_it_is(tmp_path):
    _, output = init(tmp_path, "cdnow.csv", cdnow())
    config = configuration.load(output)
    assert config.columns.amount == "dollar_value"
    assert config.columns.date_format == "yyyymmdd"
    told = check(output)
    assert told["customers"] == 23_570
    assert told["read"] == told["kept"] == 69_659


def test_a_file_that_is_there_stays(tmp_path):
    ran, output = init(tmp_path, "log.csv", PLAIN)
    assert ran.code == 0
    output.write_text("mine")
    ran, _ = init(tmp_path, "log.csv", PLAIN)
    assert ran.code == 2
    assert "--force" in ran.err
    assert output.read_text() == "mine"
    ran, _ = init(tmp_path, "log.csv", PLAIN, "--force")
    assert ran.code == 0
    assert output.read_text() != "mine"


def test_statuses_are_asked_about_with_their_rows(tmp_path):
    _, output = init(tmp_path, "log.csv", PLAIN)
    text = output.read_text()
    assert '"done" 48 rows, "cancelled" 12 rows' in text
    assert configuration.load(output).governance.keep == {}
    asked = text.replace("# [governance.keep]", "[governance.keep]").replace(
        '# "status" =', '"status" ='
    )
    assert tomllib.loads(asked)["governance"]["keep"] == {"status": ["done"]}


def test_rows_of_refunds_are_asked_about(tmp_path):
    text = PLAIN.replace("status", "type").replace("cancelled", "refund")
    _, output = init(tmp_path, "log.csv", text)
    assert '# [governance.refund_rows]\n# "type" = ["refund"]' in output.read_text()


def test_a_status_that_names_persons_is_not_shown(tmp_path):
    text = PLAIN.replace("cancelled", "by anna@example.com")
    _, output = init(tmp_path, "log.csv", text)
    assert "anna" not in output.read_text()


@pytest.mark.parametrize("name", ['a"b', "a\\b", "Größe # 1", "a'b = [c]"])
def test_any_name_of_a_column_is_written_as_it_is(tmp_path, name):
    header = '"' + name.replace('"', '""') + '"'
    _, output = init(tmp_path, "log.csv", PLAIN.replace("customer_id", header, 1))
    assert configuration.load(output).columns.customer_id == name


def test_german_text_with_semicolons_and_commas(tmp_path):
    lines = PLAIN.replace(".25", ";25").replace(",", "\t").replace(";", ",").replace("\t", ";")
    text = lines.replace("customer_id;date;amount;status", "Käufer-ID;Datum;Umsätze;Status")
    text = (
        text.replace("Käufer-ID", "Kunde").replace("Umsätze", "Umsatz").replace("done", "erfüllt")
    )
    ran, output = init(tmp_path, "log.csv", text.encode("cp1252"))
    assert ran.code == 0, ran.err
    config = configuration.load(output)
    assert (config.source.encoding, config.source.decimal) == ("cp1252", ",")
    assert check(output)["revenue"] == pytest.approx(sum(at + 0.25 for at in range(60)))


def test_thousands_with_a_point_are_read_as_such(tmp_path):
    values = [137 * at + 820 for at in range(60)]
    rows = [f"k{at % 12};2023-01-{at % 28 + 1:02d};{value:,}" for at, value in enumerate(values)]
    _, output = init(
        tmp_path, "log.csv", "\n".join(["Kunde;Datum;Betrag", *rows]).replace(",", ".")
    )
    assert 'decimal = ","  # unsure: is "."' in output.read_text()
    assert check(output)["revenue"] == pytest.approx(sum(values))


def test_what_no_column_qualifies_for_must_be_filled_in(tmp_path):
    text = "remark,date,amount\n" + "".join(
        f"thanks,2023-01-{d:02d},{d}.50\n" for d in range(1, 29)
    )
    ran, output = init(tmp_path, "log.csv", text)
    assert ran.code == 0
    assert "fill in columns.customer_id, for which no column qualifies" in ran.out
    assert '# question: which column says who bought?\n# customer_id = "..."' in output.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k1,2023-01-01,5.00\nk2,2023-01-02,6.00\n", "the first line holds values"),
        ("a\nb\nc\n", "has one column"),
    ],
)
def test_a_file_without_names_of_columns_is_refused(tmp_path, text, said):
    ran, output = init(tmp_path, "log.csv", text)
    assert ran.code == 1
    assert said in ran.err
    assert not output.exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    ran = run_clv("init", str(tmp_path / "none.csv"), "--output", str(tmp_path / "shop.toml"))
    assert ran.code == 2
    assert "none.csv" in ran.err
    assert run_clv("init", "--output", str(tmp_path / "shop.toml")).code == 2


@pytest.mark.parametrize("form", ["parquet", "xlsx", "duckdb"])
def test_other_kinds_are_looked_at_alike(tmp_path, form):
    frame = pd.DataFrame(
        {
            "customer_id": [at % 7 for at in range(60)],
            "created_at": pd.date_range("2023-01-01", periods=60).astype("datetime64[us]"),
            "total": [at + 0.25 for at in range(60)],
        }
    )
    file, more = tmp_path / f"log.{form}", []
    if form == "parquet":
        frame.to_parquet(file)
    elif form == "xlsx":
        frame.to_excel(file, index=False)
    else:
        more = ["--table", "sales"]
        with duckdb.connect(str(file)) as connection:
            connection.execute("CREATE TABLE sales AS FROM frame")
    output = tmp_path / "conf" / "shop.toml"
    ran = run_clv("init", str(file), "--output", str(output), "--quiet", "--json", *more)
    assert ran.code == 0, ran.err
    assert ran.json()["columns"] == {
        "customer_id": "customer_id", "timestamp": "created_at", "amount": "total",
    }  # fmt: skip
    config = configuration.load(output)
    assert config.source.kind == {"xlsx": "excel"}.get(form, form)
    assert check(output)["revenue"] == pytest.approx(frame["total"].sum())


def test_rows_without_a_customer_are_told(tmp_path):
    text = shop_exports.square(shop_exports.orders()).text
    for customer in range(0, 60, 2):
        text = text.replace(f"SQCUST{customer:04d}", "")
    ran, output = init(tmp_path, "export.csv", text)
    assert ran.code == 0, ran.err
    assert "of the rows name no customer" in output.read_text()
    assert run_clv("check", "-c", str(output), "--quiet").code == 1


def test_a_folder_is_of_the_kind_of_its_files(tmp_path):
    (tmp_path / "log").mkdir()
    for part in range(2):
        (tmp_path / "log" / f"{part}.csv").write_text(PLAIN)
    output = tmp_path / "shop.toml"
    ran = run_clv("init", str(tmp_path / "log"), "--output", str(output), "--quiet")
    assert ran.code == 0, ran.err
    assert check(output)["read"] == 120
