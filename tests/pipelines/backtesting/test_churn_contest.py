"""The churn classifier is delivered where it beats the purchase model in use."""

from types import SimpleNamespace

import pandas as pd
import pytest

from pipelines.backtesting.customer_scores import NOT_EARNED, ChurnContest
from pipelines.backtesting.run import BacktestResult
from pipelines.config.sections.run import Train
from pipelines.jobs import stages
from pipelines.training.fit import Fitted, churn_or_why_not


def metrics(classifier, purchase_model):
    rows = [
        (pd.Timestamp(2021, month, 28), model, "brier", score)
        for model, scores in (("churn", classifier), ("customers", purchase_model))
        for month, score in enumerate(scores, start=1)
        if score is not None
    ]
    return pd.DataFrame(rows, columns=["origin", "model", "metric", "value"])


def fitted():
    return Fitted(None, None, None, churn=SimpleNamespace(), notes=("first",))


def result(table):
    made = BacktestResult.nothing()
    made.__dict__["metrics"] = table
    return made


@pytest.mark.parametrize(
    ("classifier", "purchase_model", "kept"),
    [
        ([0.10, 0.12], [0.13, 0.13], True),
        ([0.13, 0.13], [0.10, 0.12], False),
        ([0.10], [0.10], False),  # no better
        ([0.30, 0.10], [0.29, 0.14], True),  # on average
    ],
)
def test_the_closer_one_is_delivered(classifier, purchase_model, kept):
    table = metrics(classifier, purchase_model)
    made = stages.with_earned_churn(fitted(), result(table), Train())
    assert (made.churn is not None) == kept
    assert len(made.notes) == (1 if kept else 2)
    if not kept:
        assert made.notes[1].startswith(NOT_EARNED)
        assert f"over {len(classifier)} past date" in made.notes[1]


def test_origins_that_scored_one_of_them_do_not_count():
    contest = ChurnContest.of(metrics([0.1, 0.9], [0.2, None]))
    assert (contest.classifier, contest.purchase_model) == pytest.approx((0.1, 0.2))
    assert contest.origins == 1


def test_without_a_test_the_classifier_stays():
    assert ChurnContest.of(metrics([None], [0.2])) is None
    assert ChurnContest.of(pd.DataFrame()) is None
    assert stages.with_earned_churn(fitted(), BacktestResult.nothing(), Train()).churn is not None


def test_a_model_without_a_classifier_is_left_as_it_is():
    bare = Fitted(None, None, None)
    assert stages.with_earned_churn(bare, result(metrics([0.3], [0.2])), Train()) is bare


def test_a_classifier_that_is_asked_for_stays():
    first = fitted()
    asked = Train(churn_from="classifier")
    assert stages.with_earned_churn(first, result(metrics([0.3], [0.2])), asked) is first


def test_no_classifier_is_grown_where_the_purchase_model_is_asked_for():
    made, why = churn_or_why_not(None, [], Train(churn_from="purchase_model"))
    assert made is None
    assert "[train] churn_from" in why
