"""One contract for everything that is fitted: scikit-learn's, and one way to say "not fitted"."""

import inspect

import pytest
import sklearn.exceptions
from sklearn.base import clone

import clvmodels
from clvmodels import (
    BGBB,
    BGNBD,
    SPEND_MODELS,
    TRANSACTION_MODELS,
    ChurnClassifier,
    CohortForecaster,
    ShiftedBetaGeometric,
)
from clvmodels.core.errors import InvalidValueError, NotFittedError
from clvmodels.core.estimator import Estimator
from clvmodels.simulation.simulate import BGNBDProcess, simulate_log
from clvmodels.transactions.seasonal_clock import SeasonalClock

ESTIMATORS = [*TRANSACTION_MODELS.values(), *SPEND_MODELS.values(), ChurnClassifier]
ESTIMATORS += [BGBB, ShiftedBetaGeometric, CohortForecaster, SeasonalClock]


INNER = {"BetaGeometricModel", "ErlangModel", "ErlangForecasts"}
"""What two models share; nobody fits them."""


def new(kind: type[Estimator]) -> Estimator:
    return kind(BGNBD()) if kind is SeasonalClock else kind()


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*(subclasses(below) for below in kind.__subclasses__()))


def test_none_is_missing_here():
    concrete = {k for k in subclasses(Estimator) if not inspect.isabstract(k)}
    concrete = {k for k in concrete if k.__module__.startswith("clvmodels") and k is not Estimator}
    assert {k for k in concrete if k.__name__ not in INNER} <= set(ESTIMATORS)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_constructor_only_stores(kind):
    made = new(kind)
    for name, value in made.get_params().items():
        assert getattr(made, name) is value
    assert not made._is_fitted


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_scikit_learn_clones_it(kind):
    made = new(kind)
    again = clone(made)
    assert type(again) is kind
    assert again is not made
    assert str(again.get_params()) == str(made.get_params())


def test_a_clone_of_a_fitted_model_is_not_fitted():
    log = simulate_log(BGNBDProcess(r=0.5, alpha=20.0, a=0.8, b=3.0), 300, random_state=1)
    summary = clvmodels.rfm_summary(log.to_pandas())
    model = BGNBD(penalty=0.01).fit(summary)
    again = clone(model)
    assert again.penalty == model.penalty
    with pytest.raises(NotFittedError):
        again.params_  # noqa: B018
    assert again.fit(summary).params_ == pytest.approx(model.params_, rel=1e-12)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_settings_are_set_and_read_back(kind):
    made = new(kind)
    settings = made.get_params()
    assert made.set_params(**settings) is made
    assert str(made.get_params()) == str(settings)
    with pytest.raises(InvalidValueError, match="has no setting no_such"):
        made.set_params(no_such=1)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_what_is_not_learned_yet_is_said_in_the_same_words(kind):
    made = new(kind)
    learned = ("params_", "model_", "options_", "spread_", "evidence_", "trees_")
    for name in (*learned, "anything_", "covariance_", "standard_errors_"):
        with pytest.raises(NotFittedError, match=f"{kind.__name__} has no .*_ yet: call fit first"):
            getattr(made, name)
        assert not hasattr(made, name)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'") as caught:
        made.nonsense  # noqa: B018
    assert not isinstance(caught.value, NotFittedError)


def test_scikit_learn_s_own_word_for_it_is_met():
    with pytest.raises(AttributeError):
        BGNBD().params_  # noqa: B018
    assert issubclass(sklearn.exceptions.NotFittedError, AttributeError)


def test_a_reader_of_bgnbd_meets_few_classes():
    chain, kind = [], BGNBD
    while kind.__module__.startswith("clvmodels"):
        chain.append(kind)
        kind = max(kind.__bases__, key=lambda base: len(base.__mro__))
    assert len(chain) <= 4


def test_the_public_face_is_lazy_and_complete():
    assert set(clvmodels.__all__) <= set(dir(clvmodels))
    for name in clvmodels.__all__:
        assert getattr(clvmodels, name) is not None
