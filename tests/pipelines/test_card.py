"""The model card says what was fitted, on what, how good it was, and what is assumed."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from shop import ID_PREFIX, TRAINED_AS_OF

from pipelines import card, registry


@pytest.fixture(scope="module")
def text(trained):
    return (trained.models / f"{TRAINED_AS_OF}.1" / registry.CARD).read_text(encoding="utf-8")


def test_the_card_names_data_parameters_and_both_engines(trained, text):
    fitted, saved = registry.load(trained.config)
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
    assert len(rows) == 4
    for value in rows["value"]:
        assert f"{value:.4g}" in text


def test_the_card_prints_every_assumption(trained, text):
    said = card.assumptions(trained.config)
    assert all(f"- {sentence}" in text for sentence in said)
    words = " ".join(said)
    for fact in ("40.0%", "1.50 EUR", "10.0% a year", "6 months", "60 days"):
        assert fact in words
