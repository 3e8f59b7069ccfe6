"""A churn classifier as JSON: the same predictions, and no file that leads the trees astray."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting import common

from clvmodels.churn.classifier import ChurnClassifier, ChurnSample
from clvmodels.churn.trees import REAL, WHOLE
from clvmodels.core.errors import ModelFileError

PLACES = np.array(["web", "shop", "fair", "post"], dtype=object)


def sample(seed: int, rows: int = 600, *, text: int = 1, missing: float = 0.1) -> ChurnSample:
    """Customers with numbers, ``text`` columns of categories and some values missing."""
    rng = np.random.default_rng(seed)
    idle = rng.gamma(2.0, 1.0, rows)
    columns: dict[str, object] = {"idle": idle, "count": rng.poisson(3, rows).astype(float)}
    odds = idle - 2
    for number in range(text):
        place = rng.integers(0, len(PLACES), rows)
        odds = odds + np.where(place % 2, 1.0, -1.0)
        columns[f"place {number}"] = PLACES[place]
    table = pd.DataFrame(columns)
    for name in table:
        table.loc[rng.random(rows) < missing, name] = (
            None if table[name].dtype == object else np.nan
        )
    table["model_probability_no_purchase"] = rng.random(rows)
    return ChurnSample(table, rng.random(rows) < expit(odds))


def fit(seed: int, *, text: int = 1, missing: float = 0.1, **options: object) -> ChurnClassifier:
    parts = [sample(seed + step, text=text, missing=missing) for step in (0, 100)]
    return ChurnClassifier(**{"max_iter": 12, "min_samples_leaf": 5, **options}).fit(*parts)


def saved(model: ChurnClassifier) -> dict:
    return json.loads(json.dumps(model.to_dict(), allow_nan=False))


def strange(rows: ChurnSample) -> pd.DataFrame:
    """Values that no fit has seen."""
    table = rows.features.copy()
    table.loc[table.index[0], "idle"] = np.inf
    table.loc[table.index[1], "idle"] = -np.inf
    table.loc[table.index[2], "count"] = 1e300
    for name in table.columns[table.columns.str.startswith("place")]:
        table.loc[table.index[3:9], name] = "elsewhere"
    return table


@given(
    seed=st.integers(0, 10**6),
    text=st.integers(0, 2),
    missing=st.sampled_from([0.0, 0.2]),
    leaf=st.sampled_from([1, 20]),
    leaves=st.sampled_from([2, 31]),
)
@settings(max_examples=15)
def test_a_saved_classifier_predicts_the_same(seed, text, missing, leaf, leaves):
    model = fit(
        seed, text=text, missing=missing, min_samples_leaf=leaf, max_leaf_nodes=leaves, max_iter=6
    )
    again = ChurnClassifier.from_dict(saved(model))
    probe = strange(sample(seed + 7, text=text, missing=0.2))
    expected = model.churn_probability(probe)
    np.testing.assert_allclose(again.churn_probability(probe), expected, rtol=0, atol=1e-12)
    assert saved(again) == saved(model)
    assert vars(again).keys() == vars(model).keys()


def test_every_setting_comes_back():
    model = fit(1, horizon_days=45, model_feature=None, l2_regularization=1.5, random_state=8)
    again = ChurnClassifier.from_dict(saved(model))
    for name, value in saved(model)["settings"].items():
        assert getattr(again, name) == value, name
    assert again.horizon_days == 45
    assert again.model_feature is None


def test_the_trees_are_those_of_scikit_learn():
    """Grown by it on a frame of categories, and predicted by its own classifier."""
    rows = sample(4, text=2)
    model = fit(4, text=2)
    frame = rows.features[list(model.feature_names_)].copy()
    for name, known in model.categories_.items():
        frame[name] = pd.Categorical(frame[name], categories=known)
    classifier = HistGradientBoostingClassifier(
        max_iter=12, learning_rate=0.05, max_leaf_nodes=6, min_samples_leaf=5,
        l2_regularization=5.0, early_stopping=False, categorical_features="from_dtype",
        random_state=0,
    ).fit(frame, rows.churned)  # fmt: skip
    again = ChurnClassifier.from_dict(saved(model))
    found = again.trees_.log_odds(again._matrix(rows.features))
    np.testing.assert_allclose(found, classifier.decision_function(frame), rtol=0, atol=1e-12)


def walked(state: dict, matrix: np.ndarray, categories: list[int]) -> np.ndarray:
    """Log odds by walking the saved trees, one row and one node at a time."""
    total = np.full(len(matrix), state["baseline"])
    for tree in state["trees"]:
        for row, values in enumerate(matrix):
            at = 0
            while not tree["is_leaf"][at]:
                feature = tree["feature_idx"][at]
                value, threshold = values[feature], tree["num_threshold"][at]
                left = bool(tree["missing_go_to_left"][at])
                if not math.isnan(value):
                    if tree["is_categorical"][at]:
                        if value in range(categories[feature]):
                            left = value in tree["left_categories"][tree["bitset_idx"][at]]
                    else:
                        left = value <= (math.inf if threshold is None else threshold)
                at = tree["left" if left else "right"][at]
            total[row] += tree["value"][at]
    return total


def test_the_saved_fields_say_all_that_a_prediction_needs():
    parts = [sample(seed, text=2, missing=0.3) for seed in (3, 103)]
    for part in parts:  # that a value is missing says more than any value
        part.features["count"] = np.where(part.churned, np.nan, part.features["count"])
    model = ChurnClassifier(max_iter=12, min_samples_leaf=5).fit(*parts)
    state = saved(model)
    assert any(None in tree["num_threshold"] for tree in state["trees"])
    assert any(tree["left_categories"] for tree in state["trees"])
    matrix = model._matrix(strange(sample(9, 200, text=2, missing=0.3)))
    expected = walked(state, matrix, [len(known) for known in model.categories_.values()])
    np.testing.assert_allclose(model.trees_.log_odds(matrix), expected, rtol=0, atol=1e-12)


def test_importance_of_a_loaded_classifier():
    model = fit(5)
    again = ChurnClassifier.from_dict(saved(model))
    rows = sample(6)
    pd.testing.assert_frame_equal(
        again.permutation_importance(rows), model.permutation_importance(rows), rtol=0, atol=1e-12
    )
    assert again.permutation_importance(rows)["feature"][0] in ("idle", "place 0")


@pytest.mark.parametrize("origins", [1, 4])
def test_a_category_of_fewer_than_ten_customers_is_not_stored(origins):
    """Nine customers at four origins are nine customers, not thirty-six."""
    parts = []
    for origin in range(origins):
        part = sample(origin)
        part.features["village"] = ["Ninefield"] * 9 + ["Tenham"] * 10 + ["Town"] * 581
        part.features["street"] = [f"Lane {row}" for row in range(600)]
        parts.append(part)
    model = ChurnClassifier(max_iter=5).fit(ChurnSample.concat(parts), sample_with(parts[0]))
    assert model.categories_["village"] == ["Tenham", "Town"]
    assert "street" not in model.feature_names_
    text = json.dumps(model.to_dict())
    assert "Tenham" in text
    assert not any(word in text for word in ("Ninefield", "Lane", "street"))


def sample_with(part: ChurnSample) -> ChurnSample:
    return ChurnSample(part.features, part.churned)


def test_origins_that_were_put_together_before_are_counted_apart():
    twice = ChurnSample.concat([sample(1, 9), sample(1, 9)])
    assert ChurnSample.concat([twice, sample(1, 9)]).origin.tolist() == [0] * 9 + [1] * 9 + [2] * 9
    assert twice.categories() == {"place 0": []}


@pytest.fixture(scope="module")
def state() -> dict:
    return saved(fit(2, text=2))


def inner(tree: dict) -> int:
    return tree["is_leaf"].index(0)


def by_category(tree: dict) -> int:
    return tree["is_categorical"].index(1)


def set_field(name, value, node=inner):
    """Change a field of every tree, at its first node of a kind."""

    def edit(state):
        for tree in state["trees"]:
            if 1 in tree["is_categorical"]:
                tree[name][node(tree)] = value

    return edit


def drop(*path):
    def edit(state):
        at = state
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return edit  # fmt: skip


DAMAGES = {
    "another model": lambda s: s.update(model="BGNBD"),
    "a later version": lambda s: s.update(schema_version=99),
    "a version that is a word": lambda s: s.update(schema_version=True),
    "no settings": drop("settings"),
    "no horizon": drop("settings", "horizon_days"),
    "a horizon of 0": lambda s: s["settings"].update(horizon_days=0),
    "a horizon that is text": lambda s: s["settings"].update(horizon_days="60"),
    "a rate that is no number": lambda s: s["settings"].update(learning_rate=math.nan),
    "an unknown setting": lambda s: s["settings"].update(loss="x"),
    "settings are a list": lambda s: s.update(settings=[]),
    "no features": lambda s: s.update(features=[]),
    "a feature twice": lambda s: s["features"].append(s["features"][0]),
    "features are a text": lambda s: s.update(features="idle"),
    "categories of nothing": lambda s: s["categories"].update(other=["a"]),
    "a category twice": lambda s: s["categories"]["place 0"].append("web"),
    "a category that is a number": lambda s: s["categories"]["place 0"].append(1),
    "too many categories": lambda s: s["categories"].update(
        {"place 0": [str(k) for k in range(256)]}
    ),
    "no categories at all": lambda s: s.update(categories={}),
    "no calibration": drop("calibration"),
    "a calibration too short": lambda s: s["calibration"].pop(),
    "a calibration without end": lambda s: s.update(calibration=[0.0, math.inf, 1.0]),
    "a calibration of text": lambda s: s.update(calibration=["a", "b", "c"]),
    "a calibration of numbers as text": lambda s: s.update(
        calibration=[str(value) for value in s["calibration"]]
    ),
    "a calibration beyond floats": lambda s: s["calibration"].__setitem__(1, 10**400),
    "a calibration that is nothing": lambda s: s["calibration"].__setitem__(1, None),
    "a calibration of yes and no": lambda s: s["calibration"].__setitem__(1, True),
    "a rate beyond floats": lambda s: s["settings"].update(learning_rate=10**400),
    "no baseline": drop("baseline"),
    "a baseline beyond floats": lambda s: s.update(baseline=10**400),
    "a baseline of text": lambda s: s.update(baseline="0"),
    "a baseline that is no number": lambda s: s.update(baseline=math.nan),
    "trees are a number": lambda s: s.update(trees=3),
    "a tree is a number": lambda s: s.update(trees=[3]),
    "a tree without nodes": lambda s: s.update(
        trees=[{name: [] for name in (*WHOLE, *REAL, "left_categories")}]
    ),
    "no category sets": drop("trees", 0, "left_categories"),
    "a category set of text": lambda s: s["trees"][0].update(left_categories=["ab"]),
    "a category beyond all": lambda s: s["trees"][0].update(left_categories=[[256]]),
    "a category below all": lambda s: s["trees"][0].update(left_categories=[[-1]]),
    "too few category sets": lambda s: [t.update(left_categories=[]) for t in s["trees"]],
    "a way back to the root": set_field("left", 0),
    "a way on the spot": lambda s: [t["right"].__setitem__(inner(t), inner(t)) for t in s["trees"]],
    "a way out of the tree": set_field("right", 1000),
    "a way before the tree": set_field("left", -1),
    "a feature beyond all": set_field("feature_idx", 6),
    "a feature before all": set_field("feature_idx", -1),
    "categories of a number": set_field("feature_idx", 3, by_category),
    "a category set beyond all": set_field("bitset_idx", 2**31, by_category),
    "a flag that is neither": set_field("is_leaf", 2),
    "a flag that is a word": set_field("is_leaf", False),
    "an index that is a fraction": set_field("left", 1.5),
    "an index beyond 32 bits": set_field("right", 2**32 + 1),
    "a threshold that is no number": set_field("num_threshold", math.nan),
    "a threshold without end": set_field("num_threshold", -math.inf),
    "a value without end": set_field("value", math.inf),
    "a value that is nothing": set_field("value", None),
    "a value beyond floats": set_field("value", 10**400),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_description_is_refused(state, name):
    damaged = copy.deepcopy(state)
    DAMAGES[name](damaged)
    with pytest.raises(ModelFileError):
        ChurnClassifier.from_dict(damaged)


@pytest.mark.parametrize("field", [*WHOLE, *REAL])
def test_a_tree_without_a_field_is_refused(state, field):
    for edit in (drop("trees", 0, field), lambda s: s["trees"][0][field].pop()):
        damaged = copy.deepcopy(state)
        edit(damaged)
        with pytest.raises(ModelFileError):
            ChurnClassifier.from_dict(damaged)


@given(st.data())
@settings(max_examples=150)
def test_whatever_a_file_says_a_prediction_ends_within_its_trees(state, data):
    """An index changed at random is refused, or leads to another leaf of the same tree."""
    changed = copy.deepcopy(state)
    tree = data.draw(st.sampled_from(changed["trees"]))
    for _ in range(data.draw(st.integers(1, 4))):
        field = tree[data.draw(st.sampled_from([*WHOLE, *REAL]))]
        field[data.draw(st.integers(0, len(field) - 1))] = data.draw(
            st.one_of(st.integers(-2, 14), st.integers(), st.floats(), st.none(), st.booleans())
        )
    try:
        model = ChurnClassifier.from_dict(changed)
    except ModelFileError:
        return
    matrix = model._matrix(strange(sample(11, 50, text=2)))
    leaves = sum(max(map(abs, one["value"])) for one in changed["trees"])
    assert np.all(
        np.abs(model.trees_.log_odds(matrix) - changed["baseline"]) <= leaves * (1 + 1e-9)
    )


def test_another_form_of_scikit_learns_trees_is_named(state, monkeypatch):
    other = np.dtype([*common.PREDICTOR_RECORD_DTYPE.descr, ("slant", float)])
    monkeypatch.setattr(common, "PREDICTOR_RECORD_DTYPE", other)
    for use in (lambda: ChurnClassifier.from_dict(state), lambda: fit(1)):
        with pytest.raises(ModelFileError, match=r"scikit-learn .* keeps its trees in a form that"):
            use()
