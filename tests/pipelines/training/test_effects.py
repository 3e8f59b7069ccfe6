"""What covariates were found to do, in numbers and words."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clvmodels.core.months import month_grid
from pipelines.training import effects
from pipelines.training.level_source import LevelSource


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
        model.level = LevelSource.CUSTOMERS
        assert effects.table(model)["used"].tolist() == [used]


@pytest.mark.parametrize(
    ("seen", "change", "doubled"),
    [(0.7, "+10 %", True), (0.3, "+10 %", False), (0.058, "+5 %", False), (1e-4, "+0.1 %", False)],
)
def test_no_change_is_told_that_the_log_has_not_seen(seen, change, doubled):
    (row,) = effects.table(fitted(range=seen)).to_dict("records")
    assert row["change"] == change
    assert row["effect"] == pytest.approx((1 + float(change[1:-2]) / 100) ** 0.125 - 1)
    assert np.isfinite(row["doubling"]) == doubled


def test_an_index_that_hardly_moved_is_not_told_in_numbers():
    """Of an index within 6 %, read as if it had doubled, an interval can be a billion percent."""
    wild = {"effect": -1.0, "low": -26.0, "high": 24.0, "quantity": "customers"}
    table = effects.table(fitted(name="log(price_index)", sd=0.02, range=0.058, **wild))
    assert table[["effect", "low", "high", "doubling", "doubling_high"]].isna().all(axis=None)
    assert effects.sentences(table) == [
        "The log does not tell what +5 % price_index goes with in new customers; the forecast uses "
        "the best guess."
    ]


def test_twice_is_left_out_alone_where_only_it_says_nothing():
    (row,) = effects.table(fitted(range=2.0, low=-1.5, high=1.5)).to_dict("records")
    assert np.isfinite(row["low"])
    assert np.isnan(row["doubling_high"])


@pytest.mark.parametrize(("planned_months", "says"), [(3, "the plan decides"), (2, "yes")])
def test_a_plan_of_every_month_decides_how_many_come(planned_months, says):
    model = fitted(quantity="customers")
    grid = month_grid(dt.date(2024, 6, 30), dt.date(2024, 9, 30))
    plan = pd.DataFrame({"period": pd.date_range("2024-07-01", periods=planned_months, freq="MS")})
    model.drivers = SimpleNamespace(plan=plan)
    table = effects.table(model, grid)
    (row,) = table.to_dict("records")
    assert effects.in_forecast(row) == says
    assert ("the plan decides how many come" in effects.sentences(table)[0]) == (says != "yes")
    model.drivers.plan = None
    assert effects.in_forecast(effects.table(model, grid).to_dict("records")[0]) == "yes"
    unused = fitted(quantity="customers", used=False)
    assert effects.in_forecast(effects.table(unused).to_dict("records")[0]) == "no"


def test_models_without_covariates_have_no_effects():
    assert effects.table(SimpleNamespace(cohorts=None)).empty
    older = SimpleNamespace(cohorts=SimpleNamespace(evidence_={}), level="cohorts")
    assert effects.table(older).empty
    assert effects.sentences(pd.DataFrame()) == []
