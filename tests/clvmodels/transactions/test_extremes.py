"""Every forecast, for random parameters and extreme histories: never NaN, inf or negative."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from true_parameters import TRUE_PARAMETERS
from true_parameters import given as beside

from clvmodels import BGNBD, GammaGamma
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError


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
    drawn = {name: data.draw(logs(-3, 3)) for name in model.parameter_names}
    fitted = model.from_params(**drawn, **beside(model))
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
    k = beside(model).get("k", 1)
    if k == 1:
        # the second period adds no more than the first: customers only leave
        assert (expected[:, 1] <= 2 * expected[:, 0] * (1 + 1e-9)).all()
    else:
        # as many as without dropout at most, of which one is under way by k - 1 stages at most
        stages = fitted.params_["r"] + k * table["frequency"] + k - 1
        most = stages / (fitted.params_["alpha"] + table["T"]) * horizon
        for column, periods in enumerate((1, 2)):
            bound = alive * (k - 1 + periods * most) / k
            assert (expected[:, column] <= bound * (1 + 1e-9)).all()
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


# The sizes of what is read: right at the ends, refused beyond them, and no warning of NumPy's.

TOO_LARGE = [1e101, 1e308, np.inf]
TOO_SMALL = [1e-101, 1e-308, 5e-324]


def refused(name, value):
    return f"{name} must be .*row 3: {name} {re.escape(f'{value:g}')}"


def some_customers(model, rows=150):
    T = np.random.default_rng(1).uniform(5, 50, rows)
    return model.from_params(**TRUE_PARAMETERS[model]).resample(pd.DataFrame({"T": T}), 2)


@pytest.mark.parametrize("unit", [1e-98, 1e98])
@pytest.mark.parametrize("model", TRUE_PARAMETERS, ids=lambda model: model.__name__)
def test_any_unit_of_time_up_to_the_ends(model, unit):
    table = some_customers(model)
    far = table.assign(T=unit * table["T"], recency=unit * table["recency"])
    here, there = (model(penalty=0.01).fit(rows) for rows in (table, far))
    assert there.expected_purchases(far, 9.0 * unit) == pytest.approx(
        here.expected_purchases(table, 9.0), rel=1e-6
    )
    assert there.log_likelihood(far) == pytest.approx(there.log_likelihood_, rel=1e-9)


@pytest.mark.parametrize("model", TRUE_PARAMETERS, ids=lambda model: model.__name__)
def test_any_weight_up_to_the_ends(model):
    table = some_customers(model)
    many, few = np.full(len(table), 1e100), np.full(len(table), 1e-100)
    fitted = model(penalty=0.01).fit(table, many)
    assert fitted.params_ == pytest.approx(model(penalty=0.01).fit(table).params_, rel=1e-6)
    with pytest.warns(ConvergenceWarning):  # so few customers say nothing
        fitted = model(penalty=0.01).fit(table, few)
    assert np.isfinite(fitted.expected_purchases(table, 9.0)).all()


@pytest.mark.parametrize("value", TOO_LARGE + TOO_SMALL)
@pytest.mark.parametrize("model", TRUE_PARAMETERS, ids=lambda model: model.__name__)
def test_times_and_weights_beyond_the_ends_are_refused_by_row(model, value):
    table = some_customers(model, 5)
    known = model.from_params(**TRUE_PARAMETERS[model])
    bad = table.assign(frequency=0, recency=0.0)
    bad.loc[3, "T"] = value
    weighted = table.assign(weight=1.0)
    weighted.loc[3, "weight"] = value
    for rows, name in ((bad, "T"), (weighted, "weight")):
        for ask in (model().fit, known.probability_alive, known.log_likelihood, known.resample):
            with pytest.raises(InvalidValueError, match=refused(name, value)):
                ask(rows)


@pytest.mark.parametrize("value", TOO_LARGE)
def test_covariates_beyond_the_ends_are_refused_by_row(value):
    table = some_customers(BGNBD).assign(z=np.arange(150.0))
    table.loc[3, "z"] = -value
    with pytest.raises(InvalidValueError, match=r"z must be .*row 3: z -"):
        BGNBD(purchase_covariates="z").fit(table)


@pytest.mark.parametrize("value", [1e-50, 1e-100, 1e100])
@pytest.mark.parametrize("place", ["one", "all"])
def test_covariates_up_to_the_ends_are_fitted(value, place):
    table = some_customers(BGNBD)
    z = np.random.default_rng(3).uniform(-1, 1, len(table))
    table["z"] = np.r_[value, z[1:]] if place == "one" else value * z
    with warnings.catch_warnings():
        # A spread that is as good as none leaves its coefficient out.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = BGNBD(0.01, purchase_covariates="z").fit(table)
    assert np.isfinite(fitted.covariance_).all()
    assert np.isfinite(fitted.expected_purchases(table, 9.0)).all()
    assert fitted.log_likelihood(table) == pytest.approx(fitted.log_likelihood_, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-96, 1e96])
def test_any_currency_up_to_the_ends(spends, unit):
    far = spends.assign(monetary_value=unit * spends["monetary_value"])
    here, there = GammaGamma().fit(spends), GammaGamma().fit(far)
    np.testing.assert_allclose(
        there.expected_spend(far), unit * here.expected_spend(spends), rtol=1e-7
    )
    assert there.log_likelihood(far) == pytest.approx(there.log_likelihood_, rel=1e-9)


@pytest.mark.parametrize("value", TOO_LARGE + TOO_SMALL)
def test_values_beyond_the_ends_are_refused_by_row(spends, value):
    bad = spends.head(9).copy()
    bad.loc[3, "monetary_value"] = value
    known = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    fits = (GammaGamma().fit, known.log_likelihood)
    forecasts = (known.expected_spend, known.variation)
    for ask in fits + forecasts if value > 1 else fits:
        with pytest.raises(InvalidValueError, match=refused("monetary_value", value)):
            ask(bad)


@pytest.mark.parametrize("value", TOO_SMALL)
def test_next_to_nothing_spent_is_forecast_as_nothing(spends, value):
    known = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    rows = spends.head(9)
    np.testing.assert_allclose(
        known.expected_spend(rows.assign(monetary_value=value)),
        known.expected_spend(rows.assign(monetary_value=0.0)),
        rtol=1e-12,
    )


@pytest.mark.parametrize("value", [1e-100, 1e100])
def test_one_value_at_the_ends_is_fitted(spends, value):
    odd = spends.head(500).copy()
    odd.loc[3, "monetary_value"] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GammaGamma(penalty=0.01).fit(odd)
    assert np.isfinite(list(fitted.params_.values())).all()


def test_spend_whose_tail_has_no_end_is_drawn_finite():
    model = GammaGamma.from_params(p=6.25, q=1e-3, v=15.44)
    drawn = model.resample(pd.DataFrame({"frequency": [1] * 500}), random_state=1)
    assert np.isfinite(drawn["monetary_value"]).all()
    assert (drawn["monetary_value"] > 0).all()
    silent = pd.DataFrame({"frequency": [0] * 500, "monetary_value": 0.0})
    assert np.isfinite(model.simulate(silent, np.ones((500, 2)), random_state=1)).all()


@pytest.mark.parametrize("b", [1e-20, 1e-100])
def test_a_shape_next_to_nothing_is_not_lost_beside_a_count(b):
    """b + x - 1 is b where x = 1."""
    row = pd.DataFrame({"frequency": [1], "recency": [5.0], "T": [9.0]})
    model = BGNBD.from_params(r=0.6, alpha=8.0, a=b, b=b)
    # With a = b the odds of having left are those of the time since, ((8 + 9) / (8 + 5))^1.6.
    odds = (17 / 13) ** 1.6
    assert model.probability_alive(row)[0] == pytest.approx(1 / (1 + odds), rel=1e-12)
