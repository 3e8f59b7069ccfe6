"""Parameters by hand, and what is refused on the way in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels import BGNBD, GammaGamma, ParetoNBD, model_from_dict
from clvmodels.core.errors import InvalidValueError, NotFittedError

BG = {"r": 0.24, "alpha": 4.4, "a": 0.79, "b": 2.43}
ROW = pd.DataFrame({"frequency": [2], "recency": [30.0], "T": [39.0], "monetary_value": [9.0]})


def test_a_model_shows_its_settings_and_what_it_learned():
    assert repr(BGNBD(penalty=0.1)).startswith("BGNBD(penalty=0.1")
    assert "fitted: r=0.24, alpha=4.4, a=0.79, b=2.43" in repr(BGNBD.from_params(**BG))
    assert BGNBD(penalty=0.1).get_params()["penalty"] == 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": 0.0}, "must be positive numbers; found a = 0.0"),
        ({"a": np.nan}, "must be positive numbers"),
        ({"q": 1.0}, "has the parameters r, alpha, a, b"),
    ],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(InvalidValueError, match=message):
        BGNBD.from_params(**(BG | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.expected_purchases(ROW, -1.0), "horizon must be finite and not negative"),
        (lambda m: m.purchase_pmf(-1, 5.0), "whole numbers"),
        (lambda m: m.purchase_pmf([0.5], 5.0), "whole numbers"),
        (lambda m: m.dert(ROW, 0.0), "discount rate must be above 0"),
        (lambda m: m.discounted_expected_purchases(ROW, [2.0, 1.0], [1.0, 1.0]), "must rise"),
        (lambda m: m.discounted_expected_purchases(ROW, [1.0, 2.0], [1.0]), "one discount factor"),
        (lambda m: m.expected_purchases_new_customer(5.0, {"x": 1.0}), "the model has none"),
        (lambda m: m.resample(pd.DataFrame({"T": [-1.0]})), "T must not be negative"),
        (lambda m: type(m)(penalty=-1.0).fit(ROW), "penalty must be 0 or more"),
    ],
)
@pytest.mark.parametrize(
    "model", [BGNBD.from_params(**BG), ParetoNBD.from_params(r=0.5, alpha=9.0, s=0.6, beta=11.0)]
)
def test_impossible_questions_are_refused(model, call, message):
    with pytest.raises(InvalidValueError, match=message):
        call(model)


def test_a_level_is_a_probability(spends):
    fitted = GammaGamma().fit(spends)
    with pytest.raises(InvalidValueError, match="between 0 and 1"):
        fitted.confidence_intervals(95)


def test_parameters_by_hand_have_no_uncertainty():
    model = BGNBD.from_params(**BG)
    for ask in (lambda: model.covariance_, model.summary, model.confidence_intervals):
        with pytest.raises(NotFittedError, match="was given its parameters"):
            ask()
    again = model_from_dict(model.to_dict())
    assert again.params_ == model.params_
    assert np.isnan(again.log_likelihood_)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = model.nothing
