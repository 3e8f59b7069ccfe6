"""Neither the origin nor the unit of a covariate changes anything but its own coefficient."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from true_parameters import TRUE_PARAMETERS

from clvmodels import BGCNBD, BGNBD, MBGNBD, NBD, ParetoNBD, model_from_dict
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError, ModelFileError
from clvmodels.simulation.simulate import BGNBDProcess, simulate_log

SETTINGS = {
    model: {"purchase_covariates": ("z",)}
    | ({} if model is NBD else {"dropout_covariates": ("z", "online")})
    for model in (BGNBD, MBGNBD, ParetoNBD, NBD, BGCNBD)
}


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda model: model.__name__)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def table(model):
    rng = np.random.default_rng(8)
    T = rng.uniform(5, 60, 1200)
    plain = model.from_params(**TRUE_PARAMETERS[model])
    drawn = plain.resample(pd.DataFrame({"T": T}), random_state=2)
    return drawn.assign(
        z=rng.normal(0, 1, len(drawn)) + 0.1 * drawn["frequency"],
        online=rng.integers(0, 2, len(drawn)),
        weight=rng.integers(1, 4, len(drawn)),
    )


@pytest.fixture(scope="module")
def fitted(model, table):
    return model(**SETTINGS[model]).fit(table)


def check_alike(one, other, one_table, other_table, scale):
    """Two fits to the same customers, the covariate z of the other being moved and ``scale`` z."""
    assert other.log_likelihood_ == pytest.approx(one.log_likelihood_, rel=1e-10)
    assert other.log_likelihood(other_table) == pytest.approx(other.log_likelihood_, rel=1e-10)
    for name, value in one.params_.items():
        factor = scale if name.endswith(":z") else 1.0
        assert factor * other.params_[name] == pytest.approx(value, rel=1e-5, abs=1e-7), name
        assert factor * other.standard_errors_[name] == pytest.approx(
            one.standard_errors_[name], rel=1e-4
        ), name
        ends = [factor * end for end in other.confidence_intervals()[name]]
        assert ends == pytest.approx(one.confidence_intervals()[name], rel=1e-4, abs=1e-6)
    for method, arguments in (
        ("probability_alive", ()),
        ("expected_purchases", ([5.0, 50.0],)),
        ("probability_no_purchase", (20.0,)),
        ("dert", (0.02,)),
        ("simulate", (20.0, 2, 1)),
    ):
        np.testing.assert_allclose(
            getattr(other, method)(other_table.head(60), *arguments),
            getattr(one, method)(one_table.head(60), *arguments),
            rtol=1e-6,
            err_msg=method,
        )
    # A customer of whom nothing is told is one at the mean, wherever that lies.
    assert other.expected_purchases_new_customer(9.0) == pytest.approx(
        one.expected_purchases_new_customer(9.0), rel=1e-7
    )
    few, moved = one_table.head(50), other_table.head(50)
    for interval in ("delta_interval", "draw_interval"):
        options = {"n_draws": 30, "random_state": 3} if interval == "draw_interval" else {}
        mine = getattr(one, interval)(lambda m: m.expected_purchases(few, 9.0).sum(), **options)
        its = getattr(other, interval)(lambda m: m.expected_purchases(moved, 9.0).sum(), **options)
        assert list(its) == pytest.approx(list(mine), rel=1e-3)


@settings(max_examples=8, deadline=None)
@given(shift=st.sampled_from([0.0, 2021.0, -1e5, 3.5]), exponent=st.floats(-3, 6))
def test_shift_and_scale_change_no_forecast(model, table, fitted, shift, exponent):
    scale = 10.0**exponent
    moved = table.assign(z=scale * (table["z"] + shift))
    other = model(**SETTINGS[model]).fit(moved)
    assert other.covariate_centre_["z"] == pytest.approx(
        scale * (fitted.covariate_centre_["z"] + shift)
    )
    check_alike(fitted, other, table, moved, scale)


def test_weights_are_repetitions_far_from_zero_too(model, table):
    far = table.assign(z=1e3 * (table["z"] + 2021)).head(400)
    repeated = far.loc[far.index.repeat(far["weight"])].drop(columns="weight")
    by_weight, by_row = (model(**SETTINGS[model]).fit(rows) for rows in (far, repeated))
    assert by_row.covariate_centre_ == pytest.approx(by_weight.covariate_centre_)
    assert by_row.covariate_scale_ == pytest.approx(by_weight.covariate_scale_)
    check_alike(by_weight, by_row, far, far, 1.0)


def test_the_penalty_knows_no_origin(model, table):
    far = table.assign(z=1e4 * (table["z"] + 2021))
    settings = SETTINGS[model] | {"penalty": 0.05}
    check_alike(model(**settings).fit(table), model(**settings).fit(far), table, far, 1e4)


def test_the_likelihood_ratio_knows_no_origin(model, table, fitted):
    far = table.assign(z=table["z"] + 2021)
    plain = model().fit(table)
    here = fitted.likelihood_ratio_test(plain)
    there = model(**SETTINGS[model]).fit(far).likelihood_ratio_test(plain)
    assert there.statistic == pytest.approx(here.statistic, rel=1e-6)


def test_a_rate_that_grows_by_the_year_of_joining():
    """The truth: rates of the gamma with r = 1.2 and alpha = 40 in 2021, times exp(0.6) a year."""
    parts = []
    for year in range(2019, 2024):
        process = BGNBDProcess(r=1.2, alpha=40 * np.exp(-0.6 * (year - 2021)), a=1.0, b=5.0)
        log = simulate_log(process, 400, random_state=year)
        parts.append(pd.DataFrame(log.summary()).assign(year=year, since=year - 2021))
    summary = pd.concat(parts, ignore_index=True)
    model = BGNBD(purchase_covariates=["year"]).fit(summary)
    near = BGNBD(purchase_covariates=["since"]).fit(summary)
    assert model.covariate_centre_ == {"year": pytest.approx(2021.0)}
    assert abs(model.params_["alpha"] - 40.0) < 4 * model.standard_errors_["alpha"] < 20.0
    assert abs(model.params_["purchase:year"] - 0.6) < 4 * model.standard_errors_["purchase:year"]
    assert model.log_likelihood(summary) == pytest.approx(model.log_likelihood_, rel=1e-10)
    assert model.expected_purchases(summary, 365).sum() == pytest.approx(
        near.expected_purchases(summary, 365).sum(), rel=1e-8
    )


def test_drawn_data_are_of_the_same_customers(model, fitted, table):
    """A bootstrap states its parameters at the same centre, and buys as often."""
    drawn = fitted.resample(table, 1)
    assert np.average(table["z"], weights=table["weight"]) == pytest.approx(drawn["z"].mean())
    assert fitted.covariate_centre_["z"] == pytest.approx(drawn["z"].mean())
    bought = np.average(table["frequency"], weights=table["weight"])
    assert drawn["frequency"].mean() == pytest.approx(bought, rel=0.15)


# Files


def old_form(fitted):
    """The same model as releases without a centre wrote it: stated at covariates of 0."""
    description = fitted.to_dict()
    at_zero = {name: np.zeros(1) for name in fitted.covariate_centre_}
    for name, value in fitted._effects.natural(fitted.params_, at_zero, fitted._scaling).items():
        description["params"][name] = float(np.ravel(value)[0])
    del description["covariate_centre"], description["covariate_scale"]
    return description | {"schema_version": 1, "working_covariance": None}


def test_the_centre_is_kept_in_the_file(fitted, table):
    far = table.assign(z=table["z"] + 2021)
    model = type(fitted)(**fitted.get_params()).fit(far)
    description = json.loads(json.dumps(model.to_dict()))
    assert description["schema_version"] == 2  # earlier releases know of no centre
    again = model_from_dict(description)
    assert again.to_dict() == model.to_dict()
    assert again.covariate_centre_ == model.covariate_centre_
    assert again.standard_errors_ == model.standard_errors_
    np.testing.assert_array_equal(
        again.expected_purchases(far, 9.0), model.expected_purchases(far, 9.0)
    )


def test_models_saved_without_a_centre_are_stated_at_0(fitted, table):
    saved = old_form(fitted)
    old = model_from_dict(json.loads(json.dumps(saved)))
    assert old.covariate_centre_ == {}
    np.testing.assert_allclose(
        old.expected_purchases(table, [9.0, 90.0]),
        fitted.expected_purchases(table, [9.0, 90.0]),
        rtol=1e-9,
    )
    assert old.log_likelihood(table) == pytest.approx(fitted.log_likelihood_, rel=1e-10)
    at_zero = dict.fromkeys(fitted.covariate_centre_, 0.0)
    assert old.expected_purchases_new_customer(9.0) == pytest.approx(
        fitted.expected_purchases_new_customer(9.0, at_zero), rel=1e-9
    )
    assert old.to_dict() == saved  # and goes on being one


def test_a_model_stated_far_from_its_customers_keeps_its_forecasts():
    """Ages of about 70: from age 0 their rates lie e^35 away, which a file of old could hold."""
    description = BGNBD.from_params(r=0.6, alpha=8.0 * np.exp(35.0), a=0.8, b=2.5).to_dict()
    description["settings"]["purchase_covariates"] = ["age"]
    description["params"]["purchase:age"] = 0.5
    row = pd.DataFrame({"frequency": [2], "recency": [10.0], "T": [20.0], "age": [70.0]})
    plain = BGNBD.from_params(r=0.6, alpha=8.0, a=0.8, b=2.5)
    np.testing.assert_allclose(
        model_from_dict(description).expected_purchases(row, 9.0),
        plain.expected_purchases(row, 9.0),
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("covariate_centre", {}, "must hold"),
        ("covariate_centre", None, "must hold"),
        ("covariate_centre", {"z": float("nan"), "online": 0.5}, "centre of z must be one finite"),
        ("covariate_scale", {"z": 0.0, "online": 0.5}, "must be positive"),
        ("covariate_scale", {"z": "1", "online": 0.5}, "scale of z must hold numbers"),
    ],
)
def test_a_damaged_centre_is_refused(part, value, message):
    table = pd.DataFrame(
        {"frequency": [2, 1, 0] * 20, "recency": [9.0, 4.0, 0.0] * 20, "T": 30.0}
    ).assign(z=np.arange(60.0), online=np.arange(60) % 2)
    model = ParetoNBD(penalty=0.1, **SETTINGS[ParetoNBD]).fit(table)
    with pytest.raises(ModelFileError, match=message):
        model_from_dict(model.to_dict() | {part: value})
    missing = {key: held for key, held in model.to_dict().items() if key != part}
    with pytest.raises(ModelFileError, match=f"no '{part}'"):
        model_from_dict(missing)


# Odd covariates


@pytest.mark.parametrize("value", [0.0, 0.1, 2021.0, -1e90])
def test_a_covariate_that_does_not_vary_is_left_out_wherever_it_stands(model, table, value):
    flat = table.assign(z=value, online=value)
    with pytest.warns(ConvergenceWarning, match="do not vary"):
        fitted = model(**SETTINGS[model]).fit(flat)
    plain = model().fit(flat)
    assert fitted.covariate_scale_ == dict.fromkeys(fitted.covariate_scale_, 1.0)
    assert all(fitted.params_[name] == 0 for name in fitted._effects.names)
    np.testing.assert_allclose(
        fitted.expected_purchases(flat.assign(z=value + 1, online=value + 1), 9.0),
        plain.expected_purchases(flat, 9.0),
        rtol=1e-12,
    )


def test_a_text_is_one_name(table, model):
    named, listed = (
        model(purchase_covariates=names).fit(table.rename(columns={"z": "sex"}))
        for names in ("sex", ["sex"])
    )
    assert named.params_ == listed.params_
    assert list(named.params_)[-1] == "purchase:sex"
    assert model_from_dict(named.to_dict()).params_ == named.params_


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Index])
def test_names_of_any_kind_of_list_are_saved(table, model, kind):
    fitted = model(purchase_covariates=kind(["z"])).fit(table)
    again = model_from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.params_ == fitted.params_
    assert again.purchase_covariates == ("z",)


@pytest.mark.parametrize("names", [3, [3], {"z": 1}, b"z", [["z"]]])
def test_what_is_no_name_is_refused(table, model, names):
    with pytest.raises(InvalidValueError, match="purchase_covariates must be names of columns"):
        model(purchase_covariates=names).fit(table)
