"""Published and independently recomputed values; the sources stand in the reference file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels import BGNBD, MBGNBD, NBD, GammaGamma, ParetoNBD

MODELS = {"bgnbd": BGNBD, "mbgnbd": MBGNBD, "pareto_nbd": ParetoNBD, "nbd": NBD}


@pytest.fixture(scope="module")
def fitted(cdnow):
    return {name: model().fit(cdnow) for name, model in MODELS.items()}


def test_the_summary_counts_what_the_papers_count(cdnow, reference):
    counts = reference["cdnow_sample"]["counts"]
    assert len(cdnow) == counts["customers"]
    assert cdnow["frequency"].sum() == counts["repeat_purchases"]
    assert (cdnow["frequency"] == 0).sum() == counts["customers_without_repeat"]
    assert cdnow["holdout"].sum() == counts["holdout_purchases"]


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_log_likelihood(fitted, reference, name):
    expected, model = reference["cdnow_sample"][name], fitted[name]
    assert model.log_likelihood_ == pytest.approx(expected["log_likelihood"], abs=2e-4)
    for parameter, value in model.params_.items():
        assert value == pytest.approx(expected[parameter], rel=1e-4)


def test_pareto_standard_errors(fitted, reference):
    published = reference["cdnow_sample"]["pareto_nbd"]["standard_errors"]
    found = list(fitted["pareto_nbd"].standard_errors_.values())
    assert found == pytest.approx(published, rel=5e-4)


@pytest.mark.parametrize("name", ["bgnbd", "pareto_nbd"])
def test_holdout_of_39_weeks(fitted, cdnow, reference, name):
    published = reference["cdnow_sample"][name]["holdout_39_weeks"]
    expected = fitted[name].expected_purchases(cdnow, 39)
    assert expected.sum() == pytest.approx(published["total_expected"], rel=1e-5)
    error = np.abs(expected - cdnow["holdout"]).mean()
    assert error == pytest.approx(published["customer_mae"], rel=1e-4)


@pytest.mark.parametrize("name", ["bgnbd", "pareto_nbd"])
def test_holdout_by_frequency(fitted, cdnow, reference, name):
    published = reference["holdout_by_frequency_bin_0_to_7plus"]
    bins = cdnow["frequency"].clip(upper=7)
    actual = cdnow["holdout"].groupby(bins).mean()
    expected = pd.Series(fitted[name].expected_purchases(cdnow, 39)).groupby(bins).mean()
    assert actual.to_numpy() == pytest.approx(published["actual"], abs=6e-4)
    assert expected.to_numpy() == pytest.approx(published[name], abs=1.1e-3)


def test_gamma_gamma(cdnow, reference):
    expected = reference["cdnow_sample"]["gamma_gamma"]
    model = GammaGamma().fit(cdnow)
    assert model.n_customers_ == expected["customers"]
    assert model.log_likelihood_ == pytest.approx(expected["log_likelihood"], abs=2e-4)
    for parameter in "pqv":
        assert model.params_[parameter] == pytest.approx(expected[parameter], rel=1e-4)


def test_customer_1516(fitted, reference):
    published = reference["customer_1516_weeks"]
    row = pd.DataFrame([{key: published[key] for key in ("frequency", "recency", "T")}])
    models = {
        "pareto_nbd": ParetoNBD.from_params(**published["pareto_nbd_params"]),
        "bgnbd": fitted["bgnbd"],
    }
    for name, model in models.items():
        values = published[name]
        # the walkthrough's own Pareto/NBD parameters have more digits than it prints
        assert model.expected_purchases(row, 52)[0] == pytest.approx(
            values["expected_52"], rel=1e-4
        )
        assert model.probability_alive(row)[0] == pytest.approx(
            values["probability_alive"], rel=5e-6
        )
        new = model.expected_purchases_new_customer(52)
        assert new == pytest.approx(values["expected_new_customer_52"], rel=1e-5)


def test_bgnbd_pointwise(reference):
    values = reference["bgnbd_pointwise"]
    model = BGNBD.from_params(**values["params"])
    row = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    assert model.expected_purchases(row, 39)[0] == pytest.approx(
        values["expected_39_given_2_30.43_38.86"], abs=1e-3
    )
    for t, expected in values["expected_new_customer"].items():
        # four decimals, from parameters of more digits than the three published
        found = model.expected_purchases_new_customer(float(t))
        assert found == pytest.approx(expected, rel=3e-3, abs=1e-4)
    assert model.purchase_pmf(0, 39) == pytest.approx(
        values["probability_no_purchase_new_customer_39"], abs=1e-7
    )
    assert model.purchase_pmf(10, 2) == pytest.approx(
        values["probability_10_purchases_new_customer_2"], rel=1e-5
    )


@pytest.mark.parametrize("name", ["bgnbd", "mbgnbd"])
def test_stable_log_likelihood_of_single_customers(reference, name):
    group = reference["stable_log_likelihood_per_customer"]
    model = MODELS[name].from_params(**group["params"])
    for row in group[name]:
        value = model.log_likelihood(
            pd.DataFrame(
                [{"frequency": row["frequency"], "recency": row["recency"], "T": group["T"]}]
            )
        )
        assert value == pytest.approx(row["value"], rel=1e-6)


def test_no_purchase_of_a_customer_without_repeat_purchases(fitted, reference):
    row = pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [38.86]})
    expected = reference["probability_no_purchase_bgnbd"]["value"]
    assert fitted["bgnbd"].probability_no_purchase(row, 39)[0] == pytest.approx(expected, abs=5e-6)


def test_pareto_dert(reference):
    group = reference["dert_pareto_nbd"]
    model = ParetoNBD.from_params(**group["params"])
    table = pd.DataFrame(group["values"], columns=group["columns"])
    rate = np.log1p(group["annual_discount"]) / 52
    assert model.dert(table, rate) == pytest.approx(table["DERT"], rel=1e-7)
