"""LTV in three steps against sums by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.finance import cohort_ltv


def history() -> pd.DataFrame:
    """Cohorts of January to April 2023, of 10, 20, 30 and 40 customers, known to the end of May."""
    rows = []
    for k, cohort in enumerate(pd.date_range("2023-01-01", "2023-04-01", freq="MS"), start=1):
        for age in range(6 - k):
            first = 100.0 * k if age == 0 else 0.0
            repeat = 10.0 * k / (1 + age)
            period = cohort + pd.DateOffset(months=age)
            rows.append((cohort, period, repeat, first, 0.4 * repeat, 0.5 * first))
    names = ["cohort", "period", "revenue", "first_revenue", "margin", "first_margin"]
    return pd.DataFrame(rows, columns=names).assign(cohort_to=pd.NaT)


CUSTOMERS = pd.Series(
    [10, 20, 30, 40], index=pd.date_range("2023-01-01", "2023-04-01", freq="MS"), name="customers"
)
MAY = pd.Timestamp("2023-05-01")


def ages_of(ages: pd.DataFrame, cohort: str) -> list[int]:
    return list(ages.loc[ages["cohort"] == cohort, "age"])


def by_age(group: cohort_ltv.Group, until: pd.Timestamp = MAY) -> pd.DataFrame:
    cells = cohort_ltv.cells_of(history()).assign(forecast=False)
    return cohort_ltv.by_age(cells, CUSTOMERS, group, until)


def test_a_quarter_ends_at_the_age_of_its_youngest_month() -> None:
    ages = by_age("Q")
    first, second = (ages[ages["cohort"] == day] for day in ("2023-01-01", "2023-04-01"))
    assert list(first["age"]) == [0, 1, 2]  # March has come so far, January further
    assert list(second["age"]) == [0, 1]
    assert set(first["customers"]) == {60}
    earned = [
        sum(0.4 * 10 * k / (1 + age) + (50 * k if age == 0 else 0) for k in (1, 2, 3))
        for age in range(3)
    ]
    np.testing.assert_allclose(first["earned"], earned)
    np.testing.assert_allclose(first["ltv_margin"], np.cumsum(earned) / 60)


def test_months_that_are_not_over_are_left_out_with_who_was_new_in_them() -> None:
    april = pd.Timestamp("2023-04-01")
    assert ages_of(by_age("Q", april), "2023-04-01") == [0]
    march = by_age("Q", pd.Timestamp("2023-03-01"))
    assert ages_of(march, "2023-01-01") == [0]
    assert ages_of(march, "2023-04-01") == []
    february = by_age("Q", pd.Timestamp("2023-02-01"))
    assert february.empty  # March's customers are in the quarter, and have no month yet


def test_to_date_is_all_that_was_earned_over_all_who_were_acquired() -> None:
    cells = cohort_ltv.cells_of(history())
    steps = cohort_ltv.to_date(cells, CUSTOMERS, "Q").set_index("cohort")
    assert list(steps["customers"]) == [60, 40]
    table = history()
    everything = table[["margin", "first_margin"]].sum().sum()
    assert (steps["ltv_margin"] * steps["customers"]).sum() == pytest.approx(everything)
    revenue = table[["revenue", "first_revenue"]].sum().sum()
    assert (steps["ltv"] * steps["customers"]).sum() == pytest.approx(revenue)


def test_cohorts_told_together_count_from_the_last_of_them() -> None:
    """Three months as one line: its sums by month alone are known."""
    table = history()
    lines = (
        table[table["cohort"] <= "2023-03-01"]
        .groupby("period", as_index=False)
        .sum(numeric_only=True)
    )
    lines["cohort"], lines["cohort_to"] = pd.Timestamp("2023-01-01"), pd.Timestamp("2023-03-01")
    size = pd.Series([60], index=[pd.Timestamp("2023-01-01")])
    cells = cohort_ltv.cells_of(lines).assign(forecast=False)
    ages = cohort_ltv.by_age(cells, size, "Q", MAY)
    assert list(ages["age"]) == [0, 1, 2]
    to_march = lines.loc[lines["period"] <= "2023-03-01", ["margin", "first_margin"]].sum().sum()
    assert ages["earned"].iloc[0] == pytest.approx(to_march)


def test_without_margins_only_revenue_is_known() -> None:
    cells = cohort_ltv.cells_of(history().drop(columns=["margin", "first_margin"]))
    assert cells["earned"].eq(0).all()
    assert cells["total"].sum() == pytest.approx(
        history()[["revenue", "first_revenue"]].sum().sum()
    )
