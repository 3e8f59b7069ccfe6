"""Refusals of the real commands: one message, the exit code, nothing changed."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from shop import TRAINED_AS_OF, make_shop, run_clv


def assert_refused(ran, code: int, *fragments: str) -> None:
    assert ran.code == code
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.startswith("error: ")
    assert ran.err.count("error: ") == 1
    for fragment in fragments:
        assert fragment in ran.err


REFUSALS = [
    (["forecast", "--version", "2020-01-01.1"], 1, ["no version '2020-01-01.1'", "2022-08-31.1"]),
    (["forecast", "--version", "../../x"], 1, ["no version '../../x'"]),
    (["models", "show", "nonsense"], 1, ["no version 'nonsense'"]),
    (["models", "promote", "2022-08-31.2"], 1, ["no version '2022-08-31.2'"]),
    (["forecast", "--as-of", "soon"], 2, ["--as-of must be a date such as", "'soon'"]),
    (["forecast", "--as-of", "2022-02-30"], 2, ["'2022-02-30'"]),
    (["refresh", "--as-of", "31.12.2022"], 2, ["'31.12.2022'"]),
    (["train", "--as-of", ""], 2, ["--as-of"]),
    (["forecast", "--as-of", "2020-12-31"], 1, ["no purchase is left", "later than the as-of"]),
    (["refresh", "--as-of", "2020-12-31"], 1, ["no purchase is left"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "says"), REFUSALS)
def test_a_wrong_argument_changes_nothing(trained, arguments, code, says):
    before = trained.files()
    assert_refused(trained.clv(*arguments), code, *says)
    assert trained.files() == before


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["train"], ["train", "--confg", "x"], ["check", "--show", "-1"], ["models"]],
)
def test_wrong_usage_is_exit_code_2(arguments):
    ran = run_clv(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "command", ["train", "backtest", "forecast", "audiences", "refresh", "report", "check"]
)
def test_every_command_refuses_a_missing_configuration(command):
    assert_refused(run_clv(command, "--config", "no/such.toml"), 2, "no configuration file")


@pytest.mark.parametrize("command", ["forecast", "refresh"])
def test_scoring_without_a_model_says_what_to_run(tmp_path, log, command):
    shop = make_shop(tmp_path, log)
    assert_refused(shop.clv(command), 1, "no model of 'shop' is in use", "clv train")
    assert shop.files() == {}


DEEP = 100_000
HOLLOW = [
    "{", "[]", "null", "3", "{}", '{"schema_version": 1, "report": 3}',
    '{"schema_version": 1, "report": {"schema_version": 1}}', "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP, "\x00",
]  # fmt: skip


@pytest.mark.parametrize("content", HOLLOW, ids=lambda text: text[:40])
def test_report_refuses_a_damaged_backtest_json(copied, content):
    path = copied.reports / str(TRAINED_AS_OF) / "backtest.json"
    path.write_text(content, encoding="utf-8")
    before = copied.files()
    ran = copied.clv("report", "--quiet")
    assert_refused(ran, 1, "backtest.json", f"clv backtest --as-of {TRAINED_AS_OF}")
    assert copied.files() == before


def test_report_names_the_key_that_is_missing(copied):
    path = copied.reports / str(TRAINED_AS_OF) / "backtest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["report"]["charts"]["tiers"]["share_of_clv"]
    path.write_text(json.dumps(content), encoding="utf-8")
    ran = copied.clv("report", "--quiet")
    assert_refused(ran, 1, "report.charts.tiers.share_of_clv is missing")


def test_report_refuses_lists_that_do_not_fit_together(copied):
    path = copied.reports / str(TRAINED_AS_OF) / "backtest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["report"]["charts"]["churn_importance"]["feature"].pop()
    path.write_text(json.dumps(content), encoding="utf-8")
    before = copied.files()
    assert_refused(copied.clv("report", "--quiet"), 1, "lists do not fit together")
    assert copied.files() == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("champion.json", "nested more than 50 levels"),
        ("registry/2022-08-31.1.json", "nested more than 50 levels"),
        ("2022-08-31.1/manifest.json", "is not the one that was saved"),  # and is not parsed
    ],
)
def test_models_of_json_without_end_are_refused(copied, name, reason):
    (copied.models / name).write_text("[" * DEEP + "]" * DEEP, encoding="utf-8")
    before = copied.files()
    assert_refused(copied.clv("forecast", "--quiet"), 1, name, reason)
    assert copied.files() == before


DEEP_TOML = [
    "x = " + "[" * DEEP + "]" * DEEP,
    "x = " + "{a=" * DEEP + "1" + "}" * DEEP,
    ".".join("a" * 3_000) + " = 1",
    f"[{'.'.join('b' * 3_000)}]",
    "x = " + "[" * 200 + "]" * 200,
    "x = " + "9" * 5_000,  # more digits than Python turns into a number
]


@pytest.mark.parametrize("line", DEEP_TOML, ids=lambda text: text[:8])
def test_toml_without_end_is_one_message(tmp_path, line):
    file = tmp_path / "deep.toml"
    file.write_text(f'{line}\nname = "n"\n', encoding="utf-8")
    ran = run_clv("check", "--config", str(file))
    assert_refused(ran, 2, "deep.toml is not valid TOML")
    assert len(ran.err) < 500


BREAKAGES = {
    "no log": (lambda shop: shop.log.unlink(), 2, "log.csv"),
    "empty log": (lambda shop: shop.log.write_text(""), 1, "log.csv"),
    "header only": (lambda shop: shop.log.write_text("who,when,paid,land\n"), 1, "log.csv"),
    "no column": (
        lambda shop: shop.log.write_text(shop.log.read_text().replace("paid", "pied", 1)),
        1, "paid",
    ),
    "text in amounts": (
        lambda shop: pd.read_csv(shop.log).assign(paid="much").to_csv(shop.log, index=False),
        1, "amount",
    ),
    "bad dates": (
        lambda shop: pd.read_csv(shop.log).assign(when="32/13/2022").to_csv(shop.log, index=False),
        1, "date",
    ),
    "unknown key": (
        lambda shop: shop.file.write_text(shop.file.read_text() + 'report = "x"\n'),
        2, "did you mean 'reports'?",
    ),
    "origins outside": (
        lambda shop: shop.file.write_text(
            shop.file.read_text().replace("[2022-03-31]", "[2019-03-31]")
        ),
        2, "origins must lie",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKAGES)
@pytest.mark.parametrize("command", ["refresh", "train"])
def test_broken_input_leaves_the_last_good_state(copied, name, command):
    change, code, says = BREAKAGES[name]
    change(copied)
    before = copied.files()
    assert_refused(copied.clv(command, "--quiet"), code, says)
    assert copied.files() == before


@pytest.mark.parametrize("command", ["forecast", "refresh"])
def test_a_churn_classifier_is_not_asked_for_another_horizon(copied, command):
    text = copied.file.read_text().replace("churn_horizon_days = 60", "churn_horizon_days = 30")
    copied.file.write_text(text)
    before = copied.files()
    ran = copied.clv(command, "--quiet")
    assert_refused(ran, 2, "churn within 60 days", "churn_horizon_days is 30", "train again")
    assert copied.files() == before


def test_a_run_that_dies_in_the_middle_of_the_report_leaves_the_last_good_one(copied, monkeypatch):
    from pipelines.jobs import report

    before = copied.files()

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "_draw", die)
    assert copied.clv("report", "--quiet").code != 0
    assert copied.files() == before


@pytest.mark.slow
def test_a_first_run_that_dies_leaves_no_folders(log, tmp_path, monkeypatch):
    from pipelines.jobs import report

    shop = make_shop(tmp_path, log)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "_draw", die)
    assert shop.clv("backtest", "--as-of", str(TRAINED_AS_OF), "--quiet").code != 0
    assert shop.files() == {}


def test_check_shows_the_first_rows_also_where_none_can_be_used(tmp_path):
    (tmp_path / "log.csv").write_text("customer,day,value\n007,1.2.3.22,5\n008,1.3.4.22,5\n")
    config = tmp_path / "shop.toml"
    config.write_text(
        f'name = "shop"\n[source]\nkind = "csv"\npath = "{tmp_path}/log.csv"\n'
        '[columns]\ncustomer_id = "customer"\ntimestamp = "day"\namount = "value"\n'
    )
    alone = run_clv("check", "--quiet", "--config", str(config))
    assert_refused(alone, 1, "no purchase is left of the 2 rows")
    shown = run_clv("check", "--show", "20", "--quiet", "--config", str(config))
    assert (shown.code, shown.err) == (alone.code, alone.err)
    assert "1.2.3.22" in shown.out
    assert shown.out.count("bad_date") == 2
    told = run_clv("check", "--show", "20", "--json", "--quiet", "--config", str(config))
    assert (told.code, told.err) == (alone.code, alone.err)
    assert [row["reason"] for row in json.loads(told.out)["first_rows"]] == ["bad_date"] * 2
