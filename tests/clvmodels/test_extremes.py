"""Every forecast, for random parameters and extreme histories: never NaN, inf or negative."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from true_parameters import TRUE_PARAMETERS

from clvmodels import GammaGamma


def logs(low, high):
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@st.composite
def histories(draw):
    T = draw(st.one_of(logs(-6, 5), st.just(0.0)))
    frequency = draw(st.sampled_from([0, 0, 1, 2, 7, 40, 400, 10_000])) if T else 0
    recency = T * draw(st.floats(0, 1)) if frequency else 0.0
    return {"frequency": frequency, "recency": recency, "T": T}


HISTORIES = st.lists(histories(), min_size=1, max_size=4).map(pd.DataFrame)


@pytest.mark.parametrize("model", TRUE_PARAMETERS, ids=lambda model: model.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), table=HISTORIES, horizon=logs(-3, 4))
def test_forecasts(model, data, table, horizon):
    fitted = model.from_params(**{name: data.draw(logs(-3, 3)) for name in model.parameter_names})
    alive = fitted.probability_alive(table)
    expected = fitted.expected_purchases(table, [horizon, 2 * horizon])
    pmf = fitted.purchase_pmf_given_history(table, [0, 1, 5], horizon)
    rate = 1 / horizon
    dert = fitted.dert(table, rate)
    discounted = fitted.discounted_expected_purchases(
        table, [horizon, 2 * horizon], np.exp([-0.5, -1.5])
    )
    for values in (alive, expected, pmf, dert, discounted):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (alive <= 1).all()
    assert (pmf.sum(axis=1) <= 1 + 1e-9).all()
    # the second period adds no more than the first: customers only leave
    assert (expected[:, 1] <= 2 * expected[:, 0] * (1 + 1e-9)).all()
    # e^-1 of the purchases of the first period come before its end
    assert (dert >= np.exp(-1) * expected[:, 0] * (1 - 1e-9)).all()
    assert (discounted <= expected[:, 1] * (1 + 1e-9)).all()
    draws = fitted.simulate(table, horizon, 3, random_state=1)
    assert (draws >= 0).all()


@settings(max_examples=100, deadline=None)
@given(
    p=logs(-3, 3),
    excess=logs(-8, 3),
    v=logs(-3, 6),
    frequency=st.sampled_from([0, 1, 3, 10_000]),
    value=logs(-3, 6),
)
def test_spend(p, excess, v, frequency, value):
    model = GammaGamma.from_params(p=p, q=1 + excess, v=v)
    table = pd.DataFrame({"frequency": [frequency], "monetary_value": [value]})
    spend = model.expected_spend(table)[0]
    assert np.isfinite(spend)
    assert spend > 0
    within, between = model.variation(table)
    assert np.isfinite([within[0], between[0]]).all()
    if frequency:
        low, high = sorted([value, model.mean_spend_])
        assert low * (1 - 1e-9) <= spend <= high * (1 + 1e-9)
    total = model.simulate(table, [[0, 2]], random_state=1)
    assert total[0, 0] == 0
    assert np.isfinite(total[0, 1])
