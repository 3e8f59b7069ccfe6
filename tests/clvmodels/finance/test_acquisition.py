"""CAC, LTV against it and the payback, worked by hand and by their laws."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.finance import acquisition

JANUARY, FEBRUARY, MARCH = pd.date_range("2023-01-01", "2023-03-01", freq="MS")


def ages(until: pd.Timestamp = MARCH) -> pd.DataFrame:
    """Ten customers of January, thirty of February, by one channel."""
    customers = pd.DataFrame(
        {
            "value": "web",
            "cohort": [JANUARY, FEBRUARY],
            "customers": [10, 30],
            "first_net": [50.0, 150.0],
        }
    )
    cells = pd.DataFrame(
        [(JANUARY, JANUARY, 60.0), (JANUARY, MARCH, 20.0), (FEBRUARY, FEBRUARY, 180.0)],
        columns=["cohort", "period", "net"],
    )
    return acquisition.net_by_age(cells.assign(value="web"), customers, until)


def test_every_month_that_was_reached_has_a_row() -> None:
    found = ages().set_index(["cohort", "age"])["net"]
    assert found.to_dict() == {
        (JANUARY, 0): 60.0,
        (JANUARY, 1): 0.0,
        (JANUARY, 2): 20.0,
        (FEBRUARY, 0): 180.0,
        (FEBRUARY, 1): 0.0,
    }
    assert set(ages(JANUARY)["cohort"]) == {JANUARY}


def test_a_channel_counts_each_month_over_those_who_have_come_so_far() -> None:
    curve = acquisition.of_channels(ages())
    assert list(curve["age"]) == [0, 1, 2]
    assert list(curve["ltv"]) == pytest.approx([240 / 40, 6.0, 6.0 + 20 / 10])


def test_a_quarter_ends_with_its_youngest_month() -> None:
    curve = acquisition.of_quarters(ages())
    assert list(curve["age"]) == [0, 1]
    assert list(curve["ltv"]) == pytest.approx([6.0, 6.0])


def judged(cac: float, wished: int = 2, ratio: float = 3.0) -> pd.Series:
    costs = pd.DataFrame(
        {"value": ["web"], "customers": [40], "spend": [40 * cac], "first_net": [200.0]}
    )
    curve = acquisition.of_channels(ages())
    return acquisition.judged(costs, curve, ["value"], 12, wished, ratio).iloc[0]


def test_costs_are_set_against_what_came_back() -> None:
    row = judged(7.5)
    assert row["cac"] == pytest.approx(7.5)
    assert row["age"] == 2  # the oldest there is
    assert row["ltv"] == pytest.approx(8.0)
    assert row["ratio"] == pytest.approx(8.0 / 7.5)
    assert row["first"] == pytest.approx(5.0)
    assert row["payback"] == 2
    assert row["affordable_ratio"] == pytest.approx(8.0 / 3)
    assert row["affordable_payback"] == pytest.approx(8.0)
    assert pd.isna(judged(8.5)["payback"])
    assert pd.isna(judged(8.5, wished=6)["affordable_payback"])


@given(cac=st.floats(0.01, 8.0), dearer=st.floats(1.0, 3.0))
def test_a_dearer_customer_is_repaid_no_sooner(cac: float, dearer: float) -> None:
    cheap, dear = judged(cac), judged(cac * dearer)
    assert dear["ratio"] <= cheap["ratio"] * (1 + 1e-9)
    if pd.notna(dear["payback"]):
        assert cheap["payback"] <= dear["payback"]


@given(ratio=st.floats(0.5, 10), wished=st.integers(0, 2))
def test_a_customer_won_at_the_highest_cac_meets_the_wish(ratio: float, wished: int) -> None:
    bound = judged(1.0, wished, ratio)
    assert judged(bound["affordable_ratio"], wished, ratio)["ratio"] == pytest.approx(ratio)
    just = judged(bound["affordable_payback"] * (1 - 1e-9), wished, ratio)
    assert just["payback"] <= wished


def test_without_spend_there_is_no_cac() -> None:
    row = judged(float("nan"))
    assert pd.isna(row["cac"])
    assert pd.isna(row["ratio"])
    assert pd.isna(row["payback"])
    assert row["ltv"] == pytest.approx(8.0)
