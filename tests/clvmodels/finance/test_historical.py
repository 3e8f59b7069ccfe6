"""The steady state: published examples, laws, and churn of histories whose churn is known."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.errors import InvalidValueError
from clvmodels.finance import historical
from clvmodels.finance.clv import historical_ltv
from clvmodels.finance.historical import SteadyState

money = st.floats(0, 1e6)
shares = st.floats(1e-3, 1)
STATES = st.builds(
    SteadyState,
    arpu=money,
    margin=st.floats(0, 1),
    lifespan=st.floats(0.1, 1e3),
    frequency=st.floats(0, 100),
    cost_to_serve=st.floats(0, 1e3),
    first_margin=money,
)


@pytest.mark.parametrize(("churn", "ltv"), [(0.05, 300.0), (0.02, 750.0)])
def test_a_lower_churn_is_worth_what_the_examples_say(churn: float, ltv: float) -> None:
    state = SteadyState(25.0, 0.60, historical.lifespan(churn))
    assert state.ltv == pytest.approx(ltv)
    assert historical_ltv(25.0, 0.60, churn) == pytest.approx(ltv)


def test_clv_by_hand_is_margin_by_purchases_less_service() -> None:
    state = SteadyState(40.0 * 2, 0.60, 3.0, frequency=2.0, cost_to_serve=1.5, first_margin=10.0)
    assert state.purchases == pytest.approx(6.0)
    assert state.ltv == pytest.approx(40 * 0.60 * 6)
    assert state.service_costs == pytest.approx(9.0)
    assert state.clv == pytest.approx(144 - 9)
    assert state.clv_with_first == pytest.approx(144 - 9 + 10 - 1.5)


@given(arpu=money, margin=st.floats(0, 1), churn=shares)
def test_dividing_by_churn_is_multiplying_by_the_lifespan(
    arpu: float, margin: float, churn: float
) -> None:
    by_lifespan = historical_ltv(arpu, margin, lifetime=historical.lifespan(churn))
    assert by_lifespan == pytest.approx(historical_ltv(arpu, margin, churn), rel=1e-12)


@given(STATES)
def test_clv_is_ltv_less_what_service_costs(state: SteadyState) -> None:
    assert state.clv <= state.ltv
    assert state.ltv_with_first - state.ltv == pytest.approx(state.first_margin, abs=1e-3)
    between = state.ltv_with_first - state.clv_with_first
    costs = state.service_costs + state.cost_to_serve
    assert between == pytest.approx(costs, rel=1e-6, abs=1e-2)


@given(STATES, st.floats(0.1, 100))
def test_a_longer_cycle_is_only_another_unit(state: SteadyState, factor: float) -> None:
    assert state.frequency is not None
    longer = SteadyState(
        state.arpu * factor,
        state.margin,
        state.lifespan / factor,
        state.frequency * factor,
        state.cost_to_serve,
        state.first_margin,
    )
    assert longer.clv_with_first == pytest.approx(state.clv_with_first, rel=1e-6, abs=1e-3)


@pytest.mark.parametrize("churn", [0.0, -0.1, 1.01, float("nan")])
def test_a_churn_that_is_no_share_is_refused(churn: float) -> None:
    with pytest.raises(InvalidValueError, match="churn"):
        historical.lifespan(churn)


def decaying(first: str, months: int, kept: float) -> pd.DataFrame:
    """Ten customers; purchases a customer-day shrink to a share from each month to the next."""
    rows = []
    for age in range(months):
        period = pd.Timestamp(first) + pd.DateOffset(months=age)
        days = period.days_in_month * 10
        rows.append((pd.Timestamp(first), period, days, days * kept**age))
    return pd.DataFrame(rows, columns=["cohort", "period", "customer_days", "purchases"])


@given(kept=st.floats(0.05, 1.3), months=st.integers(3, 30))
def test_cohort_churn_is_the_decay_of_a_cohort(kept: float, months: int) -> None:
    table = decaying("2021-01-01", months, kept)
    pairs = historical.followed(historical.in_cycles(table, "month", dt.date(2030, 1, 1)))
    assert historical.cohort_churn(pairs) == pytest.approx(1 - kept)
    assert len(pairs) == months - 2  # the month of acquisition is left out, the last has no next


def test_longer_cycles_lose_what_their_months_lose_together() -> None:
    table = decaying("2021-01-01", 24, 0.9)
    whole = historical.in_cycles(table, "quarter", dt.date(2022, 12, 30))
    assert list(whole["period"].dt.quarter) == [1, 2, 3, 4, 1, 2, 3]  # the last has a day to go
    assert whole["purchases"].sum() == pytest.approx(table["purchases"].iloc[:21].sum())
    # months differ in length, so three of them lose nearly, not quite, what 90 days lose
    lost = historical.cohort_churn(historical.followed(whole))
    assert lost == pytest.approx(1 - 0.9**3, abs=0.01)


def test_customer_churn_is_of_all_cycles_together() -> None:
    buyers = pd.DataFrame({"buyers": [10, 30], "kept": [5, 3]})
    assert historical.customer_churn(buyers) == pytest.approx(1 - 8 / 40)
    assert pd.isna(historical.customer_churn(buyers.iloc[:0]))


@given(st.dates(dt.date(1990, 1, 1), dt.date(2040, 12, 31)))
def test_every_day_lies_in_one_cycle_of_each_length(day: dt.date) -> None:
    days = pd.Series([pd.Timestamp(day)])
    month, quarter, year = (
        historical.starts(days, cycle).iloc[0] for cycle in ("month", "quarter", "year")
    )
    assert month == pd.Timestamp(day).replace(day=1)
    assert year == pd.Timestamp(day.year, 1, 1)
    assert quarter == pd.Timestamp(day.year, (day.month - 1) // 3 * 3 + 1, 1)
