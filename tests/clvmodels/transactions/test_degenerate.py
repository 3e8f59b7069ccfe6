"""Data that hold no maximum: finite, usable parameters and a warning that names what is missing."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from true_parameters import TRUE_PARAMETERS

from clvmodels import BGNBD, MBGNBD, NBD, ParetoNBD
from clvmodels.core.errors import ConvergenceWarning

RNG = np.random.default_rng(4)


def histories(frequency, recency, T):
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T})


def loyal(customers=1500):
    frequency = RNG.poisson(RNG.gamma(1.0, 5.0, customers))
    return histories(frequency, np.where(frequency > 0, 100.0, 0.0), 100.0)


CASES = {
    "nobody bought again": histories(np.zeros(50), 0.0, np.linspace(1, 50, 50)),
    "nobody bought again, many": histories(np.zeros(70_000), 0.0, np.arange(70_000) % 50 + 1.0),
    "one customer, silent": histories([0], [0.0], [10.0]),
    "one customer": histories([3], [9.0], [10.0]),
    "everyone alike": histories([3] * 500, 9.0, 10.0),
    "everyone alike to the end": histories([5] * 500, 10.0, 10.0),
    "nobody leaves": loyal(),
    "no time has passed": histories([0] * 5, 0.0, 0.0),
    "everyone left at once": histories([1] * 300, 1e-3, 100.0),
    "enormous frequencies": histories(
        [10_000, 3, 0, 500] * 50, [99.0, 50.0, 0.0, 100.0] * 50, 100.0
    ),
    "tiny unit of time": histories([2, 3, 0] * 10, [1e-9, 2e-9, 0.0] * 10, 3e-9),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", TRUE_PARAMETERS, ids=lambda model: model.__name__)
def test_every_fit_is_usable(model, case):
    table = CASES[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = model().fit(table)
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    assert bool(caught) == bool(fitted.unidentified_)
    assert np.isfinite(list(fitted.params_.values())).all()
    assert np.isfinite(list(fitted.standard_errors_.values())).all()
    assert np.isfinite(fitted.log_likelihood_)
    others = histories([0, 2, 10_000], [0.0, 5.0, 39.0], [9.0, 9.0, 40.0])
    for rows in (table.head(50), others):
        expected = fitted.expected_purchases(rows, [1.0, 3650.0])
        assert np.isfinite(expected).all()
        assert (expected >= 0).all()


@pytest.mark.parametrize(
    ("model", "case", "named"),
    [
        (BGNBD, "nobody leaves", "a, b"),
        (MBGNBD, "nobody leaves", "a, b"),
        (ParetoNBD, "nobody leaves", "s, beta"),
        (NBD, "everyone alike", "r, alpha"),
        (BGNBD, "nobody bought again", "r, alpha, a, b"),
        (ParetoNBD, "one customer", "r, alpha, s, beta"),
    ],
)
def test_the_warning_names_the_parameters_and_the_remedy(model, case, named):
    with pytest.warns(ConvergenceWarning, match=f"do not identify {named}:") as caught:
        model().fit(CASES[case])
    message = str(caught[0].message)
    assert model.__name__ in message
    assert "penalty" in message
    assert caught[0].filename == __file__


def test_forecasts_stay_near_what_was_seen():
    table = CASES["nobody leaves"]
    with pytest.warns(ConvergenceWarning):
        model = BGNBD().fit(table)
    expected = model.expected_purchases(table, 100.0).sum()
    assert expected == pytest.approx(table["frequency"].sum(), rel=0.05)
    assert model.probability_alive(table).min() > 0.95


def test_a_penalty_gives_a_proper_maximum():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = BGNBD(penalty=0.01).fit(CASES["nobody leaves"])
    assert model.unidentified_ == ()


@pytest.mark.parametrize("model", [BGNBD, ParetoNBD])
def test_the_unit_of_time_does_not_matter_here_either(model):
    table = CASES["nobody leaves"]
    with pytest.warns(ConvergenceWarning):
        in_days = model().fit(table).params_
    with pytest.warns(ConvergenceWarning):
        in_years = model().fit(table.assign(recency=table["recency"] / 365, T=100 / 365)).params_
    for name, value in in_years.items():
        factor = 365 if name in model.scale_names else 1
        assert in_days[name] == pytest.approx(factor * value, rel=1e-6)
