"""After every fit, of every model, the log-likelihood of its data is that of the fit."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from true_parameters import TRUE_PARAMETERS

import clvmodels
from clvmodels import BGNBD
from clvmodels.core.errors import ConvergenceWarning
from clvmodels.spend.base import SpendModel

MODELS = {**clvmodels.TRANSACTION_MODELS, **clvmodels.SPEND_MODELS}


def customers(seed=4, rows=600):
    rng = np.random.default_rng(seed)
    T = rng.integers(20, 60, rows).astype(float)
    drawn = BGNBD.from_params(**TRUE_PARAMETERS[BGNBD]).resample(pd.DataFrame({"T": T}), seed)
    value = rng.gamma(3.0, 1.0, rows) / rng.gamma(4.0, 1 / 60.0, rows)
    return drawn.assign(monetary_value=value)


CASES = {
    "plain": (customers(), {}),
    "weighted": (customers().assign(weight=np.arange(600) % 4), {}),
    "another unit": (
        customers().assign(
            T=lambda t: 1e-4 * t["T"],
            recency=lambda t: 1e-4 * t["recency"],
            monetary_value=lambda t: 1e6 * t["monetary_value"],
        ),
        {},
    ),
    "penalised": (customers(), {"penalty": 0.05}),
    "hardly any data": (customers().query("frequency > 0").head(3), {}),
    "covariates": (
        customers().assign(year=2021 + np.arange(600) % 5),
        {"purchase_covariates": ["year"], "dropout_covariates": ["year"]},
    ),
    "an outlier among the covariates": (
        customers().assign(z=np.r_[1e9, np.sin(np.arange(599.0))]),
        {"purchase_covariates": ["z"], "dropout_covariates": ["z"]},
    ),
}


def apply(name, case):
    """Whether a model has the settings of a case; lifetimes runs off to infinity on few data.

    Its Pareto/NBD takes half a minute a fit.
    """
    if name == "lifetimes_pareto_nbd":
        return case == "weighted"
    known = MODELS[name]().get_params()
    few = case == "hardly any data" and name.startswith("lifetimes")
    return not few and (not CASES[case][1] or any(key in known for key in CASES[case][1]))


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name in MODELS for case in CASES if apply(name, case)]
)
def test_the_log_likelihood_of_the_data_is_that_of_the_fit(name, case):
    table, settings = CASES[case]
    model = MODELS[name]
    given = {key: value for key, value in settings.items() if key in model().get_params()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = model(**given).fit(table)
    # A fit's own value is extrapolated over its last step, of 1e-5 in the log-parameters at most.
    assert fitted.log_likelihood(table) == pytest.approx(fitted.log_likelihood_, rel=1e-8, abs=1e-6)


def test_a_spend_model_can_say_its_log_likelihood_of_other_customers():
    table = customers()
    bought = table[table["frequency"] > 0]
    model = clvmodels.GammaGamma().fit(table)
    halves = bought.iloc[::2], bought.iloc[1::2]
    assert isinstance(model, SpendModel)
    assert sum(model.log_likelihood(half) for half in halves) == pytest.approx(
        model.log_likelihood_, rel=1e-9
    )
