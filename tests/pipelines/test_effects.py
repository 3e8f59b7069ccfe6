"""What covariates were found to do, in numbers and words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipelines import effects


def fitted(**changes):
    found = {
        "name": "log(spend)", "key": "period", "used": True, "sd": 0.4,
        "quantity": "purchases", "effect": 0.125, "low": 0.04, "high": 0.21,
    }  # fmt: skip
    cohorts = SimpleNamespace(evidence_={"covariates": [found | changes]})
    return SimpleNamespace(cohorts=cohorts, level="cohorts")


def test_an_elasticity_is_told_for_ten_percent_and_for_twice():
    table = effects.table(fitted())
    (row,) = table.to_dict("records")
    assert (row["driver"], row["change"]) == ("spend", "+10 %")
    assert row["effect"] == pytest.approx(1.1**0.125 - 1)
    assert row["doubling"] == pytest.approx(2**0.125 - 1)
    assert row["doubling_low"] == pytest.approx(2**0.04 - 1)
    assert effects.sentences(table) == [
        "+10 % spend goes with +1.2 % repeat purchases (90 % interval +0.4 to +2.0)."
    ]


@pytest.mark.parametrize(
    ("sd", "change", "step"),
    [
        (0.9, "+1", 1),
        (1300.0, "+1,000", 1000),
        (0.017, "+0.02", 0.02),
        (43, "+50", 50),
        (80, "+100", 100),
    ],
)
def test_a_plain_driver_is_told_for_a_round_change_that_the_log_has_seen(sd, change, step):
    table = effects.table(
        fitted(name="price", sd=sd, effect=0.1 / step, low=-0.1 / step, high=0.3 / step)
    )
    (row,) = table.to_dict("records")
    assert row["change"] == change
    assert row["effect"] == pytest.approx(np.expm1(0.1))
    assert np.isnan(row["doubling"])
    (line,) = effects.sentences(table)
    assert line.startswith(f"{change} price goes with +10.5 % repeat purchases")
    assert "-9.5 to +35.0" in line


def test_a_share_is_told_in_percentage_points():
    (row,) = effects.table(fitted(name="channel = web", key="cohort", sd=0.04)).to_dict("records")
    assert row["change"] == "+5 percentage points"
    assert row["driver"] == "of customers whose channel is web"
    assert row["effect"] == pytest.approx(np.expm1(0.125 * 0.05))


def test_what_is_not_used_says_so():
    (line,) = effects.sentences(effects.table(fitted(used=False, quantity="value")))
    assert line.endswith("value per order (90 % interval +0.4 to +2.0); not used in the forecast.")


def test_purchases_of_customer_models_do_not_use_them():
    for quantity, used in (("purchases", False), ("value", True)):
        model = fitted(quantity=quantity)
        model.level = "customers"
        assert effects.table(model)["used"].tolist() == [used]


def test_models_without_covariates_have_no_effects():
    assert effects.table(SimpleNamespace(cohorts=None)).empty
    older = SimpleNamespace(cohorts=SimpleNamespace(evidence_={}), level="cohorts")
    assert effects.table(older).empty
    assert effects.sentences(pd.DataFrame()) == []
