"""The real commands, on a small log in a temporary folder."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys

import openpyxl
import pandas as pd
import pytest
from closeness import assert_close
from shop import LAST_DAY, TOML, TRAINED_AS_OF, clv_process, copy_shop, make_shop

from clvmodels.core import schema
from pipelines import cli, files
from pipelines.report.wording import words

FIRST = "2022-10-31"
SECOND = "2022-12-15"
METRIC_FIELDS = ["origin", "horizon_days", "level", "quantity", "model", "metric", "value"]


@pytest.fixture(scope="module")
def months(trained, tmp_path_factory):
    """A shop that was trained and then refreshed twice, and what each refresh said."""
    shop = copy_shop(trained, tmp_path_factory.mktemp("months") / "copy")
    first = shop.clv("refresh", "--as-of", FIRST, "--quiet")
    second = shop.clv("refresh", "--as-of", SECOND, "--quiet", "--json")
    return shop, first, second


def test_train_says_where_model_and_report_are(trained):
    version = f"{TRAINED_AS_OF}.1"
    assert re.search(
        r"^model: +.*" + re.escape(str(trained.models / version)), trained.said.out, re.M
    )
    page = trained.reports / str(TRAINED_AS_OF) / "backtest.html"
    assert re.search(r"^report: +" + re.escape(str(page)), trained.said.out, re.M)
    assert "lifetimes" in trained.said.out
    assert "fit the models" in trained.said.err
    assert "Traceback" not in trained.said.err
    assert "Warning" not in trained.said.err


def test_train_leaves_the_files_of_the_design_and_nothing_else(trained):
    version, day = f"{TRAINED_AS_OF}.1", str(TRAINED_AS_OF)
    assert {p.name for p in trained.models.iterdir()} == {"champion.json", "registry", version}
    assert {p.name for p in (trained.models / version).iterdir()} == {
        "manifest.json", "parameters.json", "churn.json", "model_card.md",
    }  # fmt: skip
    assert {p.name for p in trained.reports.iterdir()} == {day, "ledger.duckdb"}
    assert {p.name for p in (trained.reports / day).iterdir()} == {
        "backtest.html", "backtest.json", "backtest.xlsx", "customers.parquet", "cohorts.parquet",
        "new_cohorts.parquet", "figures",
    }  # fmt: skip
    pictures = list((trained.reports / day / "figures").iterdir())
    assert len(pictures) >= 6
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    page = (trained.reports / day / "backtest.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert not re.search(r"""(src|href)=["']https?://""", page)
    book = openpyxl.load_workbook(trained.reports / day / "backtest.xlsx", read_only=True)
    assert len(book.sheetnames) >= 3
    book.close()


def test_manifest_holds_what_the_design_promises(trained):
    folder = trained.models / f"{TRAINED_AS_OF}.1"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["as_of"] == str(TRAINED_AS_OF)
    assert manifest["config"]["economics"]["margin"] == 0.4
    assert manifest["data"]["fingerprint"].startswith("duckdb:")
    assert {"python", "numpy", "scikit-learn", "duckdb", "lifetimes"} <= set(manifest["packages"])
    assert manifest["files"] == {
        p.name: files.sha256(p) for p in folder.iterdir() if p.name != "manifest.json"
    }
    assert {row["model"] for row in manifest["metrics"]} == {"clv", "churn"}
    champion = json.loads((trained.models / "champion.json").read_text(encoding="utf-8"))
    assert champion["version"] == folder.name
    assert champion["manifest_sha256"] == files.sha256(folder / "manifest.json")


def test_backtest_json_keeps_its_contract(trained):
    text = (trained.reports / str(TRAINED_AS_OF) / "backtest.json").read_text(encoding="utf-8")

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    content = json.loads(text, parse_constant=refuse)
    assert content["name"] == "shop"
    assert content["as_of"] == str(TRAINED_AS_OF)
    for row in content["metrics"]:
        assert list(row) == METRIC_FIELDS
        assert row["origin"] == "2022-03-31"
        assert row["horizon_days"] == (TRAINED_AS_OF - dt.date(2022, 3, 31)).days
        assert row["level"] in ("total_month", "cohort_month", "segment_month", "customer")
        assert row["quantity"] in ("purchases", "revenue", "margin", "clv")
        assert row["value"] is None or isinstance(row["value"], float)
    keys = [tuple(row[name] for name in METRIC_FIELDS[:-1]) for row in content["metrics"]]
    assert len(keys) == len(set(keys))
    found = {
        tuple(row[n] for n in ("level", "quantity", "model", "metric"))
        for row in content["metrics"]
    }
    for model in ("clv", "lifetimes", "last_months_average"):
        for quantity in ("purchases", "revenue"):
            for level in ("total_month", "cohort_month"):
                for metric in ("wape", "bias", "mae", "rmse"):
                    assert (level, quantity, model, metric) in found
    for metric in ("auc", "brier", "log_loss"):
        assert ("customer", "purchases", "churn", metric) in found
    for metric in ("mae", "gini"):
        assert ("customer", "revenue", "clv", metric) in found


def test_forecast_tables_have_their_schema_and_add_up(trained):
    folder = trained.reports / str(TRAINED_AS_OF)
    customers = pd.read_parquet(folder / "customers.parquet")
    cohorts = pd.read_parquet(folder / "cohorts.parquet")
    assert list(customers) == schema.CUSTOMER_FORECAST.names
    schema.COHORT_FORECAST.require(cohorts.columns)
    log = pd.read_csv(trained.log, parse_dates=["when"])
    known = log[log["when"] < pd.Timestamp(TRAINED_AS_OF) + pd.Timedelta(days=1)]
    assert sorted(customers["customer_id"]) == sorted(known["who"].unique())
    assert customers.drop(columns="usual_gap").notna().all(axis=None)
    assert (customers["usual_gap"].notna() == (customers["frequency"] > 0)).all()
    assert customers["probability_alive"].between(0, 1).all()
    assert customers["churn_probability"].between(0, 1).all()
    assert (customers["clv_low"] <= customers["clv_high"]).all()
    assert set(customers["tier"]) <= {"top 1 %", "top 5 %", "top 10 %", "other 90 %"}
    assert cohorts["period"].nunique() == 6
    customers["cohort"] = pd.to_datetime(customers["cohort"])
    by_cohort = customers.groupby("cohort")[["expected_purchases", "expected_revenue"]].sum()
    totals = cohorts.groupby("cohort")[["purchases", "revenue"]].sum()
    assert list(by_cohort.index) == list(totals.index)
    assert by_cohort.to_numpy() == pytest.approx(totals.to_numpy(), rel=1e-9)
    assert cohorts["margin"].to_numpy() == pytest.approx(0.4 * cohorts["revenue"].to_numpy())


def test_the_first_refresh_has_the_forecast_of_training_to_compare_with(months):
    shop, first, _ = months
    assert first.code == 0, first.err
    assert f"forecast of {TRAINED_AS_OF}, 2 full months since: purchases" in first.out
    assert first.err == ""
    made = json.loads((shop.reports / FIRST / "backtest.json").read_text(encoding="utf-8"))
    said = next(part["text"][0] for part in made["report"]["sections"] if part["id"] == "model")
    assert f"learned from the log up to {words.day(TRAINED_AS_OF)};" in said.replace("\xa0", " ")
    assert (shop.reports / FIRST / "backtest.html").is_file()


def test_the_second_refresh_compares_with_the_first(months):
    shop, _, second = months
    assert second.code == 0, second.err
    facts = second.json()
    assert facts["as_of"] == SECOND
    assert facts["previous_forecast"] == FIRST
    assert facts["version"] == f"{TRAINED_AS_OF}.1"
    for quantity in ("purchases", "revenue"):
        assert 0 < facts["tracking"][quantity]["wape"] < 2
        assert (
            abs(facts["tracking"][quantity]["bias"]) <= facts["tracking"][quantity]["wape"] + 1e-12
        )
    assert {p.name for p in shop.reports.iterdir()} == {
        str(TRAINED_AS_OF),
        FIRST,
        SECOND,
        "ledger.duckdb",
    }


def test_refresh_keeps_the_champion(months):
    shop, _, _ = months
    assert {p.name for p in shop.models.iterdir()} == {
        "champion.json", "registry", f"{TRAINED_AS_OF}.1",
    }  # fmt: skip


def test_forecast_scores_with_the_champion(copied):
    ran = copied.clv("forecast", "--as-of", "2022-09-30", "--json")
    assert ran.code == 0, ran.err
    facts = ran.json()
    assert facts["version"] == f"{TRAINED_AS_OF}.1"
    assert facts["as_of"] == "2022-09-30"
    customers = pd.read_parquet(copied.reports / "2022-09-30" / "customers.parquet")
    assert facts["customers"] == len(customers)
    assert sum(facts["rfm"]["segments"].values()) == len(customers)
    before = pd.read_parquet(copied.reports / str(TRAINED_AS_OF) / "customers.parquet")
    both = before.merge(customers, on="customer_id", suffixes=("_before", ""))
    changed = both["rfm_segment"] != both["rfm_segment_before"]
    assert facts["rfm"]["since"] == str(TRAINED_AS_OF)
    assert (facts["rfm"]["moved"], facts["rfm"]["in_both"]) == (changed.sum(), len(both))
    totals = {row["quantity"]: row["value"] for row in facts["totals"]}
    assert totals["revenue"] == pytest.approx(customers["expected_revenue"].sum())
    assert totals["clv"] == pytest.approx(customers["clv"].sum())


def test_the_default_as_of_is_the_last_day_of_the_log(copied):
    facts = copied.clv("forecast", "--json", "--quiet").json()
    assert facts["as_of"] == str(LAST_DAY)


def test_forecast_of_a_trained_day_is_the_forecast_of_training(trained, copied):
    """A saved model in another process scores as the process that fitted it did."""
    assert copied.clv("forecast", "--as-of", str(TRAINED_AS_OF), "--quiet").code == 0
    day = str(TRAINED_AS_OF)
    for name in ("customers.parquet", "cohorts.parquet"):
        then = pd.read_parquet(trained.reports / day / name)
        now = pd.read_parquet(copied.reports / day / name)
        assert_close(then, now)


def test_forecast_leaves_the_report_beside_it(trained, copied):
    before = trained.files()
    ran = copied.clv("forecast", "--as-of", str(TRAINED_AS_OF), "--quiet")
    assert ran.code == 0, ran.err
    assert "note: " not in ran.out
    page = f"reports/shop/{TRAINED_AS_OF}/backtest.html"
    assert copied.files()[page] == before[page]
    assert set(copied.files()) == set(before)


def test_a_model_that_learned_later_data_is_said_to_be_no_fair_test(copied):
    ran = copied.clv("forecast", "--as-of", "2022-06-30", "--quiet")
    assert ran.code == 0
    assert f"learned from data up to {TRAINED_AS_OF}, later than 2022-06-30" in ran.out
    fair = copied.clv("forecast", "--as-of", "2022-09-30", "--quiet")
    assert "warning" not in fair.out
    facts = copied.clv("forecast", "--as-of", "2022-06-30", "--quiet", "--json").json()
    assert str(TRAINED_AS_OF) in facts["warnings"][0]


def test_report_draws_the_saved_results_again(copied):
    day = str(TRAINED_AS_OF)
    folder = copied.reports / day
    before = copied.files()
    (folder / "backtest.html").unlink()
    (folder / "backtest.xlsx").unlink()
    ran = copied.clv("report", "--quiet")
    assert ran.code == 0, ran.err
    after = copied.files()
    assert set(after) == set(before)
    for name in ("backtest.html", "backtest.json", "customers.parquet"):
        assert after[f"reports/shop/{day}/{name}"] == before[f"reports/shop/{day}/{name}"]


def test_report_without_results_says_what_to_run(copied):
    ran = copied.clv("report", "--as-of", "2022-01-31")
    assert ran.code == 1
    assert "run `clv train` or `clv backtest` first" in ran.err


def test_check_accounts_for_every_row(copied):
    ran = copied.clv("check", "--json")
    assert ran.code == 0, ran.err
    facts = ran.json()
    assert facts["broken_limits"] == []
    rows = len(pd.read_csv(copied.log))
    assert str(rows) in ran.out
    assert copied.clv("check").code == 0
    assert copied.clv("check", "--show", "3").code == 0
    later = copied.clv("check", "--as-of", str(LAST_DAY + dt.timedelta(days=42)))
    assert "42 days before the as-of date" in later.out


def test_check_names_the_data_as_the_saved_model_does(copied):
    saved = copied.models / f"{TRAINED_AS_OF}.1" / "manifest.json"
    trained_on = json.loads(saved.read_text(encoding="utf-8"))["data"]["fingerprint"]
    then, now = (
        copied.clv("check", "--json", *day).json()["fingerprint"]
        for day in (["--as-of", str(TRAINED_AS_OF)], [])
    )
    assert then == trained_on != now


def test_check_fails_where_a_limit_is_broken(tmp_path, log):
    broken = log.copy()
    broken.loc[broken.index[::3], "who"] = None
    shop = make_shop(tmp_path, broken)
    ran = shop.clv("check")
    assert ran.code == 1
    assert "max_missing_id_share" in ran.out + ran.err
    assert "Traceback" not in ran.err
    assert shop.files() == {}


def test_models_list_show_and_promote(copied):
    first = f"{TRAINED_AS_OF}.1"
    assert copied.clv("models", "list").out.startswith(f"* {first}")
    listed = copied.clv("models", "list", "--json").json()
    errors = listed.pop("errors")
    assert listed == {"champion": first, "versions": [first], "refused": {}}
    assert {row["quantity"] for row in errors[first]} == {
        "purchases",
        "revenue",
        "margin",
        "clv",
    }
    card = copied.clv("models", "show")
    assert card.out.startswith(f"# Model card: shop, as of {TRAINED_AS_OF}")
    assert card.out == copied.clv("models", "show", first).out
    promoted = copied.clv("models", "promote", first)
    assert promoted.code == 0
    assert first in promoted.out


def test_models_list_before_any_training(tmp_path, log):
    shop = make_shop(tmp_path, log)
    ran = shop.clv("models", "list")
    assert ran.code == 0
    assert "run `clv train`" in ran.out
    assert shop.clv("models", "list", "--json").json() == {
        "champion": None, "versions": [], "refused": {}, "errors": {},
    }  # fmt: skip


def test_models_list_where_none_is_in_use(copied):
    (copied.models / "champion.json").unlink()
    ran = copied.clv("models", "list", "--json")
    assert ran.code == 0, ran.err
    listed = ran.json()
    assert set(listed.pop("errors")) == {f"{TRAINED_AS_OF}.1"}
    assert listed == {"champion": None, "versions": [f"{TRAINED_AS_OF}.1"], "refused": {}}


@pytest.mark.slow
def test_a_challenger_is_saved_and_not_used(copied):
    ran = copied.clv("train", "--challenger", "--as-of", "2022-09-30", "--json", "--quiet")
    assert ran.code == 0, ran.err
    assert ran.json()["version"] == "2022-09-30.1"
    listed = copied.clv("models", "list", "--json").json()
    assert set(listed.pop("errors")) == {f"{TRAINED_AS_OF}.1", "2022-09-30.1"}
    assert listed == {
        "champion": f"{TRAINED_AS_OF}.1",
        "versions": [f"{TRAINED_AS_OF}.1", "2022-09-30.1"],
        "refused": {},
    }
    scored = copied.clv("forecast", "--version", "2022-09-30.1", "--json", "--quiet").json()
    assert scored["version"] == "2022-09-30.1"
    assert copied.clv("models", "promote", "2022-09-30.1").code == 0
    assert copied.clv("models", "list", "--json").json()["champion"] == "2022-09-30.1"


@pytest.mark.slow
def test_a_model_of_an_earlier_day_does_not_replace_the_one_in_use(copied):
    ran = copied.clv("train", "--as-of", "2022-07-31", "--quiet")
    assert ran.code == 0, ran.err
    assert f"the model in use knows data up to {TRAINED_AS_OF}" in ran.out
    listed = copied.clv("models", "list", "--json").json()
    assert listed["champion"] == f"{TRAINED_AS_OF}.1"
    assert "2022-07-31.1" in listed["versions"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    ['transaction_model = "pareto_nbd"', 'engine = "lifetimes"', 'transaction_model = "mbgnbd"'],
)
def test_every_configurable_model_trains(tmp_path, log, settings):
    toml = TOML.replace("[train]", f"[train]\n{settings}").replace("churn_horizon_days = 60", "")
    shop = make_shop(tmp_path, log, toml)
    ran = shop.clv("train", "--quiet")
    assert ran.code == 0, ran.err


def test_the_installed_command_answers_for_help_and_errors():
    helped = clv_process("--help")
    assert helped.code == 0
    for command in (
        "train",
        "backtest",
        "forecast",
        "refresh",
        "report",
        "check",
        "ltv",
        "models",
        "experiment",
    ):
        assert command in helped.out
    wrong = clv_process("check", "--config", "no/such.toml")
    assert wrong.code == 2
    assert wrong.out == ""
    assert wrong.err.startswith("error: no configuration file")


def test_the_module_is_the_command():
    """``python -m pipelines.cli`` must not end well where it did nothing."""
    command = [sys.executable, "-m", "pipelines.cli", "check", "--config", "none.toml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "none.toml" in done.stderr


def test_dates_are_read_as_iso():
    assert cli._date("2022-02-28") == dt.date(2022, 2, 28)
    assert cli._date(None) is None
