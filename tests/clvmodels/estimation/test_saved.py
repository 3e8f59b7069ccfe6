"""What a saved model may hold: a damaged one is refused with the value that cannot be."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_tables import AS_OF, UNTIL

import clvmodels
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.errors import ModelFileError

SAVED = Path(__file__).parents[2] / "reference" / "saved_models_v1.json"
NAMES = list(json.loads(SAVED.read_text(encoding="utf-8")))

IMPOSSIBLE = [float("nan"), float("inf"), -1.0, 0.0, "1.0", None, [1.0], True, 10**400, 1e200]


def saved(name):
    return json.loads(SAVED.read_text(encoding="utf-8"))[name]["model"]


@pytest.mark.parametrize("value", IMPOSSIBLE, ids=lambda value: repr(value)[:9])
@pytest.mark.parametrize("name", NAMES)
def test_parameters_that_cannot_be(name, value):
    description = saved(name)
    first = next(iter(description["params"]))
    if name == "bgnbd_covariates" and value == 1e200:
        value = 0.0  # stated at covariates of 0, where alpha may be as large as a number can be
    description["params"][first] = value
    with pytest.raises(ModelFileError, match=f"damaged: .*found {first} = "):
        clvmodels.model_from_dict(description)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1.0", None])
def test_coefficients_that_cannot_be(value):
    description = saved("bgnbd_covariates")
    description["params"]["purchase:online"] = value
    with pytest.raises(ModelFileError, match="found purchase:online = "):
        clvmodels.model_from_dict(description)
    description["params"]["purchase:online"] = -0.5
    assert clvmodels.model_from_dict(description).params_["purchase:online"] == -0.5


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_all_there_in_any_order(name):
    good, few, more = saved(name), saved(name), saved(name)
    turned = good | {"params": dict(reversed(good["params"].items()))}
    model = clvmodels.model_from_dict(turned)
    assert list(model.params_.items()) == list(good["params"].items())
    few["params"].popitem()
    more["params"]["gamma"] = 1.0
    for bad in (few, more, good | {"params": [1.0, 2.0]}, good | {"params": None}):
        with pytest.raises(ModelFileError, match="expected the parameters"):
            clvmodels.model_from_dict(bad)


WITH_COVARIANCE = [name for name in NAMES if saved(name)["working_covariance"] is not None]


def ragged(covariance):
    return [*covariance[:-1], covariance[-1][:-1]]


def changed(row, column, value):
    def change(covariance):
        covariance[row][column] = value
        return covariance

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:-1],
        lambda c: [row[:-1] for row in c],
        lambda c: [*c, c[0]],
        ragged,
        lambda c: c[0],
        lambda c: [],
        lambda c: "none",
        lambda c: 3.0,
        changed(0, 0, float("nan")),
        changed(0, 1, float("inf")),
        changed(0, 0, "1"),
        changed(0, 0, None),
        changed(1, 1, -1.0),
    ],
)
@pytest.mark.parametrize("name", WITH_COVARIANCE)
def test_covariances_that_cannot_be(name, change):
    description = saved(name)
    description["working_covariance"] = change(description["working_covariance"])
    with pytest.raises(ModelFileError, match="the covariance must"):
        clvmodels.model_from_dict(description)


@pytest.mark.parametrize("name", [n for n in WITH_COVARIANCE if not n.startswith("lifetimes")])
def test_a_covariance_is_symmetric_and_has_no_negative_variance(name):
    lopsided, turned = saved(name), saved(name)
    lopsided["working_covariance"][0][1] += 1.0
    with pytest.raises(ModelFileError, match="differ by 1 from their mirror image"):
        clvmodels.model_from_dict(lopsided)
    for row, column in ((0, 1), (1, 0)):
        turned["working_covariance"][row][column] = 1e3
    with pytest.raises(ModelFileError, match="found the variance -"):
        clvmodels.model_from_dict(turned)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_customers", -1.0),
        ("n_customers", float("nan")),
        ("n_customers", "9"),
        ("log_likelihood", float("inf")),
        ("log_likelihood", "x"),
        ("unidentified", 3),
        ("unidentified", [3]),
        ("settings", {"penalties": 1}),
        ("settings", None),
        ("schema_version", "1"),
        ("schema_version", 3),
        ("schema_version", 0),
        ("model", ["BGNBD"]),
    ],
)
def test_the_rest_of_a_file(name, key, value):
    with pytest.raises(ModelFileError):
        clvmodels.model_from_dict(saved(name) | {key: value})


@pytest.mark.parametrize("description", [None, [], "BGNBD", 3])
def test_what_is_no_description(description):
    with pytest.raises(ModelFileError):
        clvmodels.model_from_dict(description)
    with pytest.raises(ModelFileError):
        clvmodels.BGNBD.from_dict(description)
    with pytest.raises(ModelFileError):
        CohortForecaster.from_dict(description)


# The cohort forecast


@pytest.fixture(scope="module")
def state(table):
    rng = np.random.default_rng(1)
    months = np.unique(table["period"])
    spend = drivers_by("period", months, rng)
    mix = drivers_by("cohort", months, rng)
    forecaster = CohortForecaster(select=False, draws=20).fit(
        table, AS_OF, period_covariates=spend, cohort_covariates=mix
    )
    return json.loads(json.dumps(forecaster.to_dict()))


def drivers_by(key, months, rng):
    return pd.DataFrame({key: months, "driver": rng.normal(size=months.size)})


def leaves(value, path=()):
    """Paths of every number, list and mapping that a state's forecasts rest on."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            if path or key != "evidence":  # which is told, not computed with
                yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value and not isinstance(value[0], str):
        yield from leaves(value[0], (*path, 0))


def replaced(state, path, value):
    state = copy.deepcopy(state)
    inner = state
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return state


def test_a_good_state_is_read(state):
    again = CohortForecaster.from_dict(state)
    assert json.loads(json.dumps(again.to_dict())) == state


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None, {}], ids=repr)
def test_no_part_of_a_state_may_be_anything(state, value):
    taken = []
    for path, held in leaves(state):
        if held == value or (value == {} and path in (("options",), ("spread",))):
            continue  # the latter two have defaults, as releases add to them
        if path == ("learned_from",) and value in ("x", None):
            continue  # a digest that no table has: the level is learned anew
        try:
            CohortForecaster.from_dict(replaced(state, path, value))
        except ModelFileError:
            continue
        taken.append(path)
    assert taken == []


def test_no_list_of_a_state_may_lack_its_last(state):
    taken = []
    for path, held in leaves(state):
        if not isinstance(held, list) or not held:
            continue
        try:
            CohortForecaster.from_dict(replaced(state, path, held[:-1]))
        except ModelFileError:
            continue
        taken.append(path)
    assert taken == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("version",), 2, "version 1; found 2"),
        (("draws",), 1, "draws must be a whole number of 2 or more"),
        (("seed",), -1, "seed must be a whole number"),
        (("spread", "purchases"), -1.0, "spread"),
        (("spread", "revenue"), 0.0, "spread"),
        (("model", "customers", 0), -1.0, "customers must not be negative"),
        (("model", "rates", "fit", "kappa"), -0.1, "kappa must not be negative"),
        (("model", "rates", "fit", "phi"), 0.0, "phi must be above 0"),
        (("model", "rates", "fit", "sds", "period"), -0.1, "sds"),
        (("model", "rates", "fit", "covariance", 0, 0), -9.0, "covariance"),
        (("model", "rates", "fit", "slices", "age"), [5, 4], "slices"),
        (("model", "rates", "fit", "slices", "age"), [0, 4000], "slices"),
        (("model", "rates", "company"), "everything", "company"),
        (("model", "rates", "period_covariates", "sd", 0), 0.0, "sd must be above 0"),
        (("model", "values", "unit"), -3.0, "unit must not be negative"),
        (("model", "as_of"), "2021", "damaged"),
        (("options", "season"), "yes", "season"),
        (("options", "damping"), float("nan"), "damping"),
        (("options", "surprise"), 1, "surprise"),
    ],
)
def test_a_damaged_state_is_refused_with_what_was_found(state, path, value, message):
    with pytest.raises(ModelFileError, match=message):
        CohortForecaster.from_dict(replaced(state, path, value))


def test_a_state_without_a_part_is_refused(state):
    for path, held in list(leaves(state)):
        # Fields of the options and the spread have defaults, as releases add to them.
        if not isinstance(held, dict) or path in (("options",), ("spread",)):
            continue
        for key in held:
            if path[-2:] == ("model", "values") and key == "period_covariates":
                continue
            if path[-1] == "model" and key == "shares":
                continue
            if path[-1] == "fit" and key == "converged":
                continue
            less = {name: part for name, part in held.items() if name != key}
            with pytest.raises(ModelFileError, match="damaged"):
                CohortForecaster.from_dict(replaced(state, path, less))


def test_a_fit_of_an_earlier_release_counts_as_converged(fitted):
    old = json.loads(json.dumps(fitted.to_dict()))
    del old["model"]["rates"]["fit"]["converged"]
    assert CohortForecaster.from_dict(old).model_.rates.fit.converged


def test_a_state_of_an_earlier_release_without_covariates_of_values_is_read(fitted):
    old = json.loads(json.dumps(fitted.to_dict()))
    del old["model"]["values"]["period_covariates"]
    again = CohortForecaster.from_dict(old)
    pd.testing.assert_frame_equal(again.forecast(UNTIL), fitted.forecast(UNTIL))
