"""The registry: names to models, automatic choice, and files of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import clvmodels
from clvmodels.evaluation.lifetimes import ENGINES

SAVED = Path(__file__).parents[1] / "reference" / "saved_models_v1.json"
ROWS = pd.DataFrame(
    {
        "frequency": [0, 2, 26],
        "recency": [0.0, 30.43, 30.86],
        "T": [38.86, 38.86, 31.0],
        "monetary_value": [0.0, 25.0, 60.0],
        "online": [0.0, 1.0, 1.0],
    }
)


def test_the_registry():
    assert {"bgnbd", "mbgnbd", "pareto_nbd", "nbd"} <= set(clvmodels.TRANSACTION_MODELS)
    for name, engine in ENGINES.items():
        assert issubclass(engine, getattr(clvmodels, name))
        assert engine in {
            *clvmodels.TRANSACTION_MODELS.values(),
            *clvmodels.SPEND_MODELS.values(),
        }


def saved():
    return json.loads(SAVED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", saved())
def test_files_of_schema_version_1_still_say_the_same(name):
    """Each entry is a model's to_dict and what it forecast for ROWS when it was saved."""
    entry = saved()[name]
    model = clvmodels.model_from_dict(entry["model"])
    if "expected_spend" in entry:
        assert model.expected_spend(ROWS) == pytest.approx(entry["expected_spend"], rel=1e-9)
    else:
        found = model.expected_purchases(ROWS, 39.0)
        assert found == pytest.approx(entry["expected_purchases"], rel=1e-9)
    if entry["standard_errors"] is not None:
        assert model.standard_errors_ == pytest.approx(entry["standard_errors"], rel=1e-9)
