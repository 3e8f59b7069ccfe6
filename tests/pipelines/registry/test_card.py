"""The model card says what was fitted, on what, how good it was, and what is assumed."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from shop import ID_PREFIX, TRAINED_AS_OF

from clvmodels.core.months import add_months
from pipelines.data.margins import Margin
from pipelines.registry import card
from pipelines.registry import store as registry
from pipelines.training.level_source import LevelSource

UNTIL = add_months(TRAINED_AS_OF, 6)


def assumed(config, cohorts):
    """As `clv train` writes them."""
    return card.assumptions(
        cohorts,
        economics=config.economics,
        governance=config.governance,
        margin=Margin(config.economics.margin),
        churn_horizon_days=config.train.churn_horizon_days,
        time_zone=config.calendar.time_zone,
        has_plan=config.plan is not None,
    )


@pytest.fixture(scope="module")
def text(trained):
    return (trained.models / f"{TRAINED_AS_OF}.1" / registry.CARD).read_text(encoding="utf-8")


def test_the_card_names_data_parameters_and_both_engines(trained, text):
    fitted, saved = registry.load(trained.models)
    assert saved.manifest["data"]["fingerprint"] in text
    for model in (fitted.transactions, fitted.spend):
        assert f"### {type(model).__name__}" in text
        for name, value in model.params_.items():
            assert f"| {name} | {value:.5g} |" in text
    assert "| model | quantity | own | lifetimes | difference |" in text
    assert ID_PREFIX not in text


def test_the_card_s_scores_are_those_of_backtest_json(trained, text):
    path = trained.reports / str(TRAINED_AS_OF) / "backtest.json"
    metrics = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["metrics"])
    rows = metrics[(metrics["model"] == "clv") & (metrics["metric"] == "wape")]
    assert len(rows) == 2 * 4 + 2  # levels, quantities; segments have no margin
    for value in rows["value"]:
        assert f"{value:.4g}" in text


def test_the_card_prints_every_assumption(trained, text):
    said = assumed(trained.config, registry.load(trained.models)[0].cohorts)
    assert all(f"- {sentence}" in text for sentence in said)
    words = " ".join(said)
    for fact in ("40.0%", "1.50 EUR", "10.0% a year", "6 months", "60 days"):
        assert fact in words


@pytest.mark.parametrize(
    ("stopped", "season", "said"),
    [
        (False, True, "they come at the recent level of acquisition with season."),
        (False, False, "they come at the recent level of acquisition."),
        (True, True, "none come, since the last months of the log brought hardly any."),
    ],
)
def test_the_card_says_how_new_customers_come_on_this_log(trained, stopped, season, said):
    cohorts = SimpleNamespace(
        acquisition_has_stopped=stopped, options_=SimpleNamespace(season=season)
    )
    assert assumed(trained.config, cohorts)[-1].endswith(said)
    off = assumed(trained.config, None)[-1]
    assert "not forecast" in off


def test_the_card_prints_no_season_where_none_is_in_use(trained):
    fitted, _ = registry.load(trained.models)
    assert "| Jan | Feb |" in card._cohorts(fitted, UNTIL)
    cohorts = fitted.cohorts
    cohorts.options_ = replace(cohorts.options_, season=False)
    text = card._cohorts(replace(fitted, level=LevelSource.CUSTOMERS), UNTIL)
    assert "No season is in it" in text
    assert "| Jan |" not in text
    assert "purchases are those of the customer models" in text
