"""Where the jobs put things, and what they say."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from clvmodels.exceptions import DataError
from pipelines import workflow


@pytest.fixture
def settings(config, tmp_path):
    output = config.output.model_copy(update={"reports": str(tmp_path)})
    return config.model_copy(update={"output": output})


def test_the_latest_report_is_the_last_that_is_whole(settings, tmp_path):
    with pytest.raises(DataError, match="no report under"):
        workflow._latest_report(settings)
    for name in ("2021-12-31", "2022-01-31", ".2022-02-28-left-by-a-killed-run"):
        (tmp_path / "shop" / name).mkdir(parents=True)
        (tmp_path / "shop" / name / workflow.BACKTEST).write_text("{}", encoding="utf-8")
    (tmp_path / "shop" / "2022-02-28").mkdir()  # a forecast only
    assert workflow._latest_report(settings).name == "2022-01-31"


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (0, False), (1, False)])
def test_only_a_model_that_learned_later_days_is_warned_of(days, warned):
    learned = dt.date(2022, 6, 30)
    fitted = SimpleNamespace(as_of=learned)
    said = workflow.hindsight(fitted, learned + dt.timedelta(days=days))
    assert bool(said) == warned
