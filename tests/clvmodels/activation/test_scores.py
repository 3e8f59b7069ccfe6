"""Scores by the rule as it is written: fifths of the customers who have strictly less."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels import RfmLimits, rfm_scores
from clvmodels.activation.scores import quantile_limits, score
from clvmodels.core.errors import InvalidValueError, MissingColumnError

some = st.integers(0, 12).map(float)
customers = st.lists(st.tuples(some, some, some), min_size=1, max_size=80)


def table(rows: list[tuple[float, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["days_since_last", "frequency", "monetary_value"])


def fifths(values: list[float], value: float) -> int:
    """How many whole fifths lie strictly below a value: counted one by one."""
    return sum(other < value for other in values) * 5 // len(values)


@given(rows=customers)
def test_scores_are_whole_fifths_of_who_has_strictly_less(rows):
    made = rfm_scores(table(rows))
    r, f, m = ([row[at] for row in rows] for at in range(3))
    assert made["r_score"].tolist() == [5 - fifths(r, value) for value in r]
    assert made["f_score"].tolist() == [1 + fifths(f, value) for value in f]
    assert made["m_score"].tolist() == [1 + fifths(m, value) for value in m]


@given(rows=customers)
def test_equal_values_score_alike_and_better_ones_no_worse(rows):
    frame = table(rows)
    made = rfm_scores(frame)
    columns = {"days_since_last": ("r_score", -1), "frequency": ("f_score", 1)}
    for column, (name, sign) in columns.items():
        by_value = made.groupby(frame[column])[name].agg(["min", "max"])
        assert (by_value["min"] == by_value["max"]).all()
        assert (sign * by_value["min"].diff().dropna() >= 0).all()


@given(rows=customers, seed=st.integers(0, 9))
def test_neither_order_nor_unit_matters(rows, seed):
    frame = table(rows)
    mixed = frame.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(rfm_scores(mixed).sort_index(), rfm_scores(frame))
    pd.testing.assert_frame_equal(rfm_scores(frame * 0.25), rfm_scores(frame))


@given(rows=customers)
def test_who_bought_last_scores_5_and_who_bought_least_scores_1(rows):
    frame = table(rows)
    made = rfm_scores(frame)
    latest = frame["days_since_last"] == frame["days_since_last"].min()
    assert (made.loc[latest, "r_score"] == 5).all()
    for column, name in (("frequency", "f_score"), ("monetary_value", "m_score")):
        least = frame[column] == frame[column].min()
        assert (made.loc[least, name] == 1).all()


def test_a_fifth_of_distinct_values_gets_each_score():
    values = np.random.default_rng(1).permutation(250).astype(float)
    made = rfm_scores(pd.DataFrame(dict.fromkeys(table([]), values)))
    for name in made:
        assert made[name].value_counts().to_dict() == dict.fromkeys(range(1, 6), 50)


def test_heavy_zeros_share_the_lowest_score_and_leave_the_others_their_own():
    frequency = np.repeat([0.0, 1.0, 2.0, 5.0], [70, 15, 10, 5])
    made = score(frequency, quantile_limits(frequency))
    assert [int(made[frequency == n][0]) for n in (0, 1, 2, 5)] == [1, 4, 5, 5]


def test_limits_that_are_given_are_the_scores_borders():
    limits = RfmLimits((7, 30, 90, 365), (0, 1, 4, 9), (10, 20, 50, 100))
    rows = [(7, 0, 10), (8, 1, 10.01), (90, 9, 100), (366, 10, 101)]
    made = rfm_scores(table(rows), limits=limits)
    assert made.to_numpy().tolist() == [[5, 1, 1], [4, 2, 2], [3, 4, 4], [1, 5, 5]]


@given(rows=customers)
def test_quantiles_given_as_limits_score_the_same(rows):
    frame = table(rows)
    found = RfmLimits(*(quantile_limits(frame[name]) for name in frame))
    pd.testing.assert_frame_equal(rfm_scores(frame, limits=found), rfm_scores(frame))


def test_what_cannot_be_scored_is_told():
    with pytest.raises(MissingColumnError, match="days_since_last"):
        rfm_scores(pd.DataFrame({"frequency": [1.0], "monetary_value": [1.0]}))
    with pytest.raises(InvalidValueError, match="frequency"):
        rfm_scores(table([(1.0, np.nan, 1.0)]))
    with pytest.raises(InvalidValueError, match="no values"):
        rfm_scores(table([]))
    given_limits = RfmLimits((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4))
    assert rfm_scores(table([]), limits=given_limits).empty
