"""The churn classifier on customers whose churn is known by construction."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close

from clvmodels.churn.classifier import ChurnClassifier, ChurnSample, churn_scores, reliability
from clvmodels.core.errors import DataError, MissingColumnError, NotFittedError


def customers(n: int, seed: int) -> ChurnSample:
    rng = np.random.default_rng(seed)
    idle = rng.gamma(2.0, 1.0, n)
    noise = rng.normal(size=n)
    churned = rng.random(n) < 1 / (1 + np.exp(-(idle - 2)))
    return ChurnSample(pd.DataFrame({"idle": idle, "noise": noise}), churned)


@pytest.fixture(scope="module")
def fitted() -> ChurnClassifier:
    return ChurnClassifier(max_iter=60, random_state=3).fit(customers(3000, 1), customers(3000, 2))


def test_it_ranks_and_is_calibrated_on_customers_it_never_saw(fitted: ChurnClassifier) -> None:
    test = customers(6000, 9)
    probability = fitted.churn_probability(test.features)
    truth = 1 / (1 + np.exp(-(test.features["idle"].to_numpy() - 2)))
    best = churn_scores(test.churned, truth)
    found = churn_scores(test.churned, probability)
    assert found["auc"] > best["auc"] - 0.02
    assert found["brier"] < best["brier"] + 0.01
    table = reliability(test.churned, probability)
    assert table["customers"].sum() == 6000
    assert np.abs(table["predicted"] - table["observed"]).max() < 0.08


def test_calibration_follows_the_purchase_model_where_the_trees_know_nothing() -> None:
    def with_model(sample: ChurnSample) -> ChurnSample:
        idle = sample.features["idle"].to_numpy()
        probability = 1 / (1 + np.exp(-(idle - 2)))
        features = sample.features[["noise"]].assign(model_probability_no_purchase=probability)
        return ChurnSample(features, sample.churned)

    sample, later, test = (with_model(customers(3000, seed)) for seed in (1, 2, 3))
    found = ChurnClassifier(max_iter=20).fit(sample, later).churn_probability(test.features)
    truth = test.features["model_probability_no_purchase"].to_numpy()
    assert np.abs(found - truth).mean() < 0.03


def test_importance_tells_the_signal_from_the_noise(fitted: ChurnClassifier) -> None:
    table = fitted.permutation_importance(customers(3000, 5))
    assert list(table["feature"]) == ["idle", "noise"]
    assert table["importance"][0] > 10 * abs(table["importance"][1])


def test_same_seed_same_classifier_and_pickle_keeps_it(fitted: ChurnClassifier) -> None:
    again = ChurnClassifier(max_iter=60, random_state=3).fit(customers(3000, 1), customers(3000, 2))
    probe = customers(200, 4).features
    expected = fitted.churn_probability(probe)
    assert_close(again.churn_probability(probe), expected)
    copy = pickle.loads(pickle.dumps(fitted))
    assert_close(copy.churn_probability(probe), expected)
    assert_close(fitted.churn_probability(probe[["noise", "idle"]]), expected)


def test_too_few_of_a_class_is_an_error_that_counts_them() -> None:
    few = ChurnSample(customers(400, 1).features, np.arange(400) < 20)
    with pytest.raises(DataError, match="found 380 and 20"):
        ChurnClassifier().fit(few, customers(400, 2))


def test_a_missing_feature_and_an_unfitted_model_are_named(fitted: ChurnClassifier) -> None:
    with pytest.raises(MissingColumnError, match="idle"):
        fitted.churn_probability(pd.DataFrame({"noise": [1.0]}))
    with pytest.raises(NotFittedError, match="call fit first"):
        ChurnClassifier().churn_probability(pd.DataFrame({"idle": [1.0]}))


def test_text_features_are_categories_and_unknown_ones_count_as_missing() -> None:
    sample, later = customers(3000, 1), customers(3000, 2)
    for part in (sample, later):
        part.features["channel"] = np.where(part.churned, "shop", "web")
    classifier = ChurnClassifier(max_iter=30).fit(sample, later)
    probe = later.features.head(4).assign(channel=["shop", "web", "fair", None])
    shop, web, unknown, missing = classifier.churn_probability(probe.assign(idle=1.0, noise=0.0))
    assert shop > 0.9
    assert web < 0.1
    assert unknown == pytest.approx(missing)


def test_a_feature_that_nobody_has_yet_is_left_out(fitted: ChurnClassifier) -> None:
    sample, later = customers(3000, 1), customers(3000, 2)
    for part in (sample, later):
        part.features["gap_sd"] = np.nan
        part.features["channel"] = pd.Series(None, index=part.features.index, dtype="str")
    classifier = ChurnClassifier(max_iter=60, random_state=3).fit(sample, later)
    assert set(classifier.feature_names_) == set(fitted.feature_names_)
    probe = customers(200, 4).features
    expected = fitted.churn_probability(probe)
    assert_close(classifier.churn_probability(probe.assign(gap_sd=1.0)), expected)


def test_scores_where_everybody_churned() -> None:
    scores = churn_scores([True, True], [0.9, 0.8])
    assert np.isnan(scores["auc"])
    assert scores["brier"] == pytest.approx((0.01 + 0.04) / 2)
