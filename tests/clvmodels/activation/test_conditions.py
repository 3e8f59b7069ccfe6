"""Conditions, held against a loop over customers."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.activation.conditions import Condition, members
from clvmodels.core.errors import InvalidValueError

value = st.one_of(st.integers(0, 9).map(float), st.just(math.nan))
limit = st.one_of(st.none(), st.integers(0, 9).map(float))
conditions = st.builds(
    Condition,
    column=st.just("clv"),
    at_least=limit,
    at_most=limit,
    one_of=st.one_of(st.none(), st.tuples(st.integers(0, 9).map(float))),
    top_share=st.one_of(st.none(), st.floats(0.01, 1)),
    missing=st.booleans(),
)


def meets(one: float, everybody: list[float], condition: Condition) -> bool:
    if math.isnan(one):
        return condition.missing
    better = sum(other > one for other in everybody)
    return all(
        [
            condition.at_least is None or one >= condition.at_least,
            condition.at_most is None or one <= condition.at_most,
            condition.one_of is None or one in condition.one_of,
            # in the top are those whom too few surpass to fill it
            condition.top_share is None or better < math.ceil(condition.top_share * len(everybody)),
        ]
    )


@given(values=st.lists(value, max_size=40), asked=st.lists(conditions, min_size=1, max_size=3))
def test_members_are_those_who_meet_every_condition(values, asked):
    table = pd.DataFrame({"clv": np.array(values, float)})
    expected = [all(meets(one, values, condition) for condition in asked) for one in values]
    assert members(table, asked).tolist() == expected


def test_what_cannot_be_asked_is_told():
    table = pd.DataFrame({"clv": [1.0], "tier": ["top 1 %"]})
    assert members(table, [Condition("tier", one_of=("top 1 %",))]).all()
    with pytest.raises(InvalidValueError, match="no column 'cvl'; did you mean 'clv'"):
        members(table, [Condition("cvl", at_least=1)])
    with pytest.raises(InvalidValueError, match="'tier' holds no numbers"):
        members(table, [Condition("tier", top_share=0.1)])


@pytest.mark.parametrize(
    ("column", "wanted", "holds"),
    [
        ("r_score", ("4", "5"), "numbers"),
        ("r_score", (4.0, "5"), "numbers"),
        ("tier", (1.0,), "texts"),
        ("cohort", ("2022-01-01",), "neither texts nor numbers"),
    ],
)
def test_values_that_nobody_can_have_are_refused(column, wanted, holds):
    table = pd.DataFrame({"r_score": [4], "tier": ["top 1 %"], "cohort": [dt.date(2022, 1, 1)]})
    with pytest.raises(InvalidValueError, match=f"'{column}' holds {holds}, so nobody's can be"):
        members(table, [Condition(column, one_of=wanted)])


@pytest.mark.parametrize("share", [0.01, 0.05, 0.07, 0.14, 0.28, 0.29, 0.55])
def test_a_share_of_customers_is_that_of_decimals(share):
    """0.07 of 100 is 7, though 0.07 * 100 is 7.000000000000001 in binary."""
    for hundreds in (1, 2, 3, 6):
        table = pd.DataFrame({"clv": np.arange(100.0 * hundreds)})
        chosen = members(table, [Condition("clv", top_share=share)])
        assert chosen.sum() == round(share * 100) * hundreds
