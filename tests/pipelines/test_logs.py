"""Records of a run: complete for who runs it, and silent on customers and secrets."""

from __future__ import annotations

import logging

import pytest
from shop import ID_PREFIX, TOML, make_shop, run_clv

from pipelines import logs
from pipelines.console import Progress

SECRET = "hunter2sesame"


@pytest.fixture
def small(tmp_path, log):
    return make_shop(tmp_path, log[log["who"].str[-1].isin(list("012"))])


def test_a_run_is_recorded_and_tells_on_nobody(small):
    file = small.folder / "run.log"
    ran = small.clv("check", "--show", "3", "--log-file", str(file), "-vv", "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["kept"] > 0
    text = file.read_text(encoding="utf-8")
    for said in ("clv check", "configuration", "source of kind csv, engine duckdb", "rows read",
                 "read and check the transactions:", "Python 3."):  # fmt: skip
        assert said in text
    assert "rows read" in ran.err
    for record in (text, ran.err):
        assert ID_PREFIX not in record
    assert logging.getLogger("pipelines").handlers[1:] == []


def test_a_training_s_records_hold_no_customer(small):
    file = small.folder / "run.log"
    ran = small.clv("backtest", "--quiet", "--log-file", str(file))
    assert ran.code == 0, ran.err
    text = file.read_text(encoding="utf-8")
    assert "BGNBD" in text
    assert "log-likelihood" in text
    assert f"written: '{small.reports}" in text
    assert ID_PREFIX not in text
    assert ran.err == ""


def test_records_are_appended(small):
    file = small.folder / "run.log"
    for _ in range(2):
        assert small.clv("check", "--quiet", "--log-file", str(file)).code == 0
    assert file.read_text(encoding="utf-8").count("clv check") == 2


def test_an_error_is_recorded_without_its_message(small):
    file = small.folder / "run.log"
    small.log.write_text(f"who,when,paid,land\n{ID_PREFIX}7,soon,many,DE\n", encoding="utf-8")
    ran = small.clv("check", "--quiet", "--log-file", str(file))
    assert ran.code == 1
    text = file.read_text(encoding="utf-8")
    assert "DataError, raised by" in text
    assert "customer_days.py" in text
    assert "soon" not in text
    assert ID_PREFIX not in text


def test_who_is_erased_is_not_recorded(small):
    file = small.folder / "run.log"
    for words in (["--customer", f"{ID_PREFIX}1"], [f"--customer={ID_PREFIX}1"]):
        small.clv("erase", *words, "--log-file", str(file))
    assert ID_PREFIX not in file.read_text(encoding="utf-8")


def test_a_password_is_in_no_record(tmp_path, log, monkeypatch):
    monkeypatch.setenv("CLV_URI", f"postgres://me:{SECRET}@127.0.0.1:1/none")
    source = 'kind = "postgres"\nuri_env = "CLV_URI"\ntable = "log"'
    shop = make_shop(tmp_path, log, TOML.replace('kind = "csv"\npath = "log.csv"', source))
    file = tmp_path / "run.log"
    ran = shop.clv("check", "--log-file", str(file), "-vv")
    assert ran.code == 2
    assert SECRET not in file.read_text(encoding="utf-8") + ran.err + ran.out


def test_a_log_file_that_cannot_be_written_is_named(small):
    ran = small.clv("check", "--log-file", str(small.folder / "none" / "run.log"))
    assert ran.code == 2
    assert "--log-file" in ran.err
    assert "Name a file in a folder that exists" in ran.err


def test_nothing_is_recorded_where_nobody_listens(small, capfd):
    assert run_clv("check", "--config", str(small.file), "--quiet").err == ""
    with Progress(quiet=True).step("a step"):
        pass
    assert capfd.readouterr().err == ""


def test_secrets_in_a_message_are_hidden(tmp_path):
    logs.to_file(tmp_path / "run.log")
    try:
        logging.getLogger("pipelines.sources").warning("at postgres://me:%s@host/db", SECRET)
    finally:
        logs.stop()
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "host/db" in text
    assert SECRET not in text


@pytest.mark.parametrize("command", ["train", "check", "erase", "refresh"])
def test_every_command_offers_records(command):
    helped = run_clv(command, "--help").out
    assert "--verbose" in helped
    assert "--log-file" in helped
