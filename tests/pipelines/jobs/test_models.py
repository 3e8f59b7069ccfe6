"""Where the jobs put things, and what they say."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest

from clvmodels.core.errors import DataError
from pipelines.backtesting import run as backtest
from pipelines.config import load as configuration
from pipelines.console import Progress
from pipelines.jobs import report, train


@pytest.fixture
def settings(config, tmp_path):
    output = config.output.model_copy(update={"reports": str(tmp_path)})
    return config.model_copy(update={"output": output})


def test_the_latest_report_is_the_last_that_is_whole(settings, tmp_path):
    with pytest.raises(DataError, match="no report under"):
        report._latest_report(settings)
    for name in ("2021-12-31", "2022-01-31", ".2022-02-28-left-by-a-killed-run"):
        (tmp_path / "shop" / name).mkdir(parents=True)
        (tmp_path / "shop" / name / report.BACKTEST).write_text("{}", encoding="utf-8")
    (tmp_path / "shop" / "2022-02-28").mkdir()  # a forecast only
    assert report._latest_report(settings).name == "2022-01-31"


def test_a_log_too_short_to_replay_is_trained_and_says_so(tmp_path):
    source = {"kind": "lifetimes", "dataset": "CDNOW_sample"}
    output = {"models": str(tmp_path / "models"), "reports": str(tmp_path / "reports")}
    columns = {"timestamp": "date", "amount": "dollar_value"}
    config = configuration.parse(
        {"name": "short", "source": source, "columns": columns, "output": output}
    )
    outcome = train.train_job(config, dt.date(1997, 3, 31), Progress(quiet=True))
    assert any("too short" in line for line in outcome.lines)
    folder = Path(outcome.facts["report"])
    assert json.loads((folder / "backtest.json").read_text())["metrics"] == []
    assert "No past forecast could be tested" in (folder / "backtest.html").read_text()
    card = (Path(outcome.facts["model"]) / "model_card.md").read_text()
    assert "a backtest needs about" in card
    with pytest.raises(DataError, match="a backtest needs about"):
        train.backtest_job(config, dt.date(1997, 3, 31), Progress(quiet=True))


def test_a_backtest_on_a_sample_of_customers_says_so(copied, monkeypatch):
    monkeypatch.setattr(backtest, "CUSTOMERS", 150)
    said = copied.clv("backtest", "--quiet")
    assert said.code == 0, said.err
    (line,) = (line for line in said.out.splitlines() if line.startswith("customer-level"))
    pattern = r"customer-level figures of 2022-03-31: on a sample of (\d+) of (\d+) customers"
    found = re.fullmatch(pattern, line)
    assert found, line
    assert 100 < int(found[1]) < 200 < int(found[2])
