"""LTV and CLV arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvmodels.core.errors import InvalidValueError
from clvmodels.finance import clv as value

PLAIN = value.UnitEconomics(margin=0.3, cost_to_serve=1.0, annual_discount_rate=0.1)


def test_discounting_a_year_away_costs_one_year_of_interest() -> None:
    factors = value.discount_factors([0.0, 365.25, 730.5], 0.1)
    np.testing.assert_allclose(factors, [1.0, 1 / 1.1, 1 / 1.21])


def test_clv_is_the_plain_double_sum() -> None:
    rng = np.random.default_rng(1)
    purchases, spend = rng.random((5, 4)), rng.random(5) * 50
    discount = value.discount_factors([15, 45, 75, 105], 0.1)
    slow = [
        sum(purchases[i, t] * (spend[i] * 0.3 - 1.0) * discount[t] for t in range(4))
        for i in range(5)
    ]
    np.testing.assert_allclose(
        value.customer_lifetime_value(purchases, spend, PLAIN, discount), slow
    )
    by_period = np.repeat(spend[:, None], 4, axis=1)
    np.testing.assert_allclose(
        value.customer_lifetime_value(purchases, by_period, PLAIN, discount), slow
    )


def test_tiers_hold_their_share_of_customers_and_the_best_of_them() -> None:
    clv = np.random.default_rng(2).permutation(np.arange(1000.0))
    tier = value.value_tiers(clv)
    assert {name: int((tier == name).sum()) for name in np.unique(tier)} == {
        "top 1 %": 10,
        "top 5 %": 40,
        "top 10 %": 50,
        "other 90 %": 900,
    }
    assert clv[tier == "top 1 %"].min() == 990
    assert clv[tier == "top 10 %"].min() == 900
    assert list(value.value_tiers([1.0, 1.0])) == ["top 1 %", "other 90 %"]


def test_historical_formulas_reproduce_the_published_examples() -> None:
    path = Path(__file__).parents[2] / "reference" / "btyd_reference.json"
    for example in json.loads(path.read_text())["ltv_formula_examples"]:
        if "churn" in example:
            found = value.historical_ltv(example["arpu"], example["gross_margin"], example["churn"])
        else:
            found = value.historical_ltv(
                example["arpu"], example["gross_margin"], lifetime=example["lifetime_periods"]
            )
        assert found == pytest.approx(example["ltv"])


def test_payback_interpolates_inside_the_month_that_repays() -> None:
    assert value.payback_period([10.0, 10.0, 10.0], 25.0) == pytest.approx(2.5)
    assert value.payback_period([10.0, 10.0], 25.0) == float("inf")
    assert value.payback_period([10.0], 0.0) == 0.0
    assert value.ltv_to_cac(300.0, 100.0) == 3.0


@pytest.mark.parametrize("periods", [{}, {"churn": 0.1, "lifetime": 10.0}, {"lifetime": -1.0}])
def test_a_steady_state_has_churn_or_a_lifetime(periods: dict[str, float]) -> None:
    with pytest.raises(InvalidValueError, match="lifetime"):
        value.historical_ltv(10.0, 0.5, **periods)


@pytest.mark.parametrize("churn", [0.0, -0.1, 1.5])
def test_impossible_churn_is_refused(churn: float) -> None:
    with pytest.raises(InvalidValueError, match="churn must lie in"):
        value.historical_ltv(10.0, 0.5, churn)


def test_value_interval_matches_a_simulated_compound_sum() -> None:
    rng = np.random.default_rng(3)
    draws, within, between, spend = 200_000, 0.6, 0.3, 40.0
    rate = rng.gamma(2.0, 1.5, draws)
    count = rng.poisson(rate)
    own_mean = spend * rng.gamma(1 / between**2, between**2, draws)
    unit_sum = rng.gamma(np.maximum(count, 1) / within**2) * within**2
    total = np.where(count > 0, unit_sum * own_mean, 0.0)
    low, high = value.value_interval(
        np.array([count.mean()]),
        np.array([(count.astype(float) ** 2).mean()]),
        np.array([(count == 0).mean()]),
        np.array([spend]),
        np.array([within]),
        np.array([between]),
    )
    covered = float(((total >= low[0]) & (total <= high[0])).mean())
    assert 0.88 < covered < 0.96
    assert low[0] == 0.0
    np.testing.assert_allclose(high[0], np.quantile(total, 0.95), rtol=0.05)


def test_a_customer_sure_not_to_buy_is_worth_nothing_for_certain() -> None:
    low, high = value.value_interval(*(np.array([x]) for x in (0.0, 0.0, 1.0, 40.0, 0.5, 0.2)))
    assert low[0] == high[0] == 0.0


def test_cumulative_ltv_divides_by_the_customers_acquired() -> None:
    months = pd.to_datetime(["1997-01-01", "1997-02-01"])
    table = pd.DataFrame(
        {
            "cohort": [months[0], months[0], months[1]],
            "period": [months[0], months[1], months[1]],
            "revenue": [5.0, 15.0, 0.0],
            "first_revenue": [100.0, 0.0, 30.0],
            "first_purchases": [4, 0, 3],
        }
    )
    ltv = value.cumulative_ltv(table)
    assert list(ltv["age"]) == [0, 1, 0]
    np.testing.assert_allclose(ltv["ltv_revenue"], [105 / 4, 120 / 4, 10.0])
