"""The reference engine: the same grammar, lifetimes' own numbers."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from closeness import assert_close
from lifetimes import BetaGeoFitter, GammaGammaFitter

import clvmodels
from clvmodels import (
    BGNBD,
    MBGNBD,
    NBD,
    GammaGamma,
    LifetimesBGNBD,
    LifetimesGammaGamma,
    LifetimesParetoNBD,
    ParetoNBD,
)
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError, NotFittedError
from clvmodels.evaluation.lifetimes import compare
from clvmodels.simulation.simulate import NBDProcess, simulate_log


@pytest.fixture(scope="module")
def fitted(cdnow):
    return LifetimesBGNBD().fit(cdnow)


def test_says_what_lifetimes_says(fitted, cdnow):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = BetaGeoFitter().fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    assert fitted.params_ == pytest.approx(theirs.params_.to_dict())
    columns = cdnow["frequency"], cdnow["recency"], cdnow["T"]
    expected = theirs.conditional_expected_number_of_purchases_up_to_time(39, *columns)
    assert fitted.expected_purchases(cdnow, 39) == pytest.approx(expected.to_numpy())
    alive = theirs.conditional_probability_alive(*columns)
    assert fitted.probability_alive(cdnow) == pytest.approx(alive)
    assert fitted.expected_purchases(cdnow, [10, 39]).shape == (len(cdnow), 2)


def test_says_what_lifetimes_says_of_spend(cdnow):
    repeat = cdnow[cdnow["frequency"] > 0]
    model = LifetimesGammaGamma().fit(repeat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = GammaGammaFitter().fit(repeat["frequency"], repeat["monetary_value"])
    assert model.params_ == pytest.approx(theirs.params_.to_dict())
    expected = theirs.conditional_expected_average_profit(
        repeat["frequency"], repeat["monetary_value"]
    )
    assert model.expected_spend(repeat) == pytest.approx(expected.to_numpy())


@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD, GammaGamma])
def test_side_by_side(model, cdnow):
    table = compare(model(), cdnow)
    parameters = table.loc[list(model.parameter_names)]
    # lifetimes searches for the Pareto/NBD by Nelder-Mead, to four digits
    tolerance = 1e-2 if model is ParetoNBD else 1e-4
    assert parameters["own"].to_numpy() == pytest.approx(parameters["lifetimes"], rel=tolerance)
    assert -1e-4 < table.loc["log_likelihood", "difference"] < 1e-3
    assert (table.loc["seconds", ["own", "lifetimes"]] > 0).all()


def test_the_log_likelihood_is_a_sum_over_weights(fitted, cdnow):
    by_weight = LifetimesBGNBD().fit(cdnow, weights=np.full(len(cdnow), 3))
    assert by_weight.log_likelihood_ == pytest.approx(3 * fitted.log_likelihood_, rel=1e-7)
    assert fitted.log_likelihood_ == pytest.approx(fitted.log_likelihood(cdnow))


def test_standard_errors_are_lifetimes(fitted, cdnow):
    own = BGNBD().fit(cdnow)
    for name, error in own.standard_errors_.items():
        assert fitted.standard_errors_[name] == pytest.approx(error, rel=0.02)


def test_lifetimes_pareto_has_no_standard_errors(cdnow):
    model = LifetimesParetoNBD().fit(cdnow.head(300), weights=np.full(300, 2))
    with pytest.raises(NotFittedError, match="was given its parameters"):
        _ = model.standard_errors_
    own_value = 2 * model.log_likelihood(cdnow.head(300))
    assert model.log_likelihood_ == pytest.approx(own_value, rel=1e-9)
    own = ParetoNBD.from_params(**model.params_)
    assert model.expected_purchases(cdnow, 39) == pytest.approx(own.expected_purchases(cdnow, 39))
    assert model.probability_alive(cdnow) == pytest.approx(own.probability_alive(cdnow))


def test_files_and_what_lifetimes_lacks(fitted, cdnow):
    again = clvmodels.model_from_dict(json.loads(json.dumps(fitted.to_dict())))
    few = cdnow.head(30)
    assert type(again) is LifetimesBGNBD
    assert_close(again.expected_purchases(few, 9.0), fitted.expected_purchases(few, 9.0))
    assert again.probability_no_purchase(few, 9.0).shape == (30,)
    assert again.simulate(few, 9.0, 2, random_state=1).shape == (30, 2)


def test_no_counterpart_and_no_fit(cdnow):
    with pytest.raises(InvalidValueError, match="lifetimes has no NBD"):
        compare(NBD(), cdnow)
    with pytest.raises(NotFittedError):
        LifetimesBGNBD().probability_alive(cdnow)


def test_where_lifetimes_does_not_converge_it_is_given_room(capfd):
    """Nobody leaves: lifetimes stops short of its tolerance, and prints why."""
    log = simulate_log(NBDProcess(0.7, 60.0), 800, days=150, random_state=1)
    with pytest.warns(ConvergenceWarning, match="converged only with tol 1e-05"):
        model = LifetimesBGNBD().fit(log.summary())
    nobody_leaves = NBD().fit(log.summary())
    assert model.params_["r"] == pytest.approx(nobody_leaves.params_["r"], rel=0.1)
    assert np.isfinite(model.log_likelihood_)
    assert capfd.readouterr().out == ""


def test_where_lifetimes_has_a_pole_the_same_quantity_is_computed_here():
    table = pd.DataFrame({"frequency": [3.0], "recency": [30.0], "T": [70.0]})
    params = {"r": 0.5, "alpha": 5.0, "a": 1.0, "b": 2.0}  # a = 1: lifetimes divides by a - 1
    made = LifetimesBGNBD.from_params(**params).expected_purchases(table, horizon=[30.0, 900.0])
    expected = BGNBD.from_params(**params).expected_purchases(table, horizon=[30.0, 900.0])
    np.testing.assert_allclose(made, expected, rtol=1e-12)
