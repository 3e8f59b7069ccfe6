"""Which cohorts are shown together, and what all tables made of them reveal, by linear algebra."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from report_example import config

from pipelines.report.groups.cohorts import LEAST_OTHERS, Groups, groups
from pipelines.report.groups.small import LEAST_CUSTOMERS, fold, large_tenths
from pipelines.report.inputs import SCHEMAS, ReportInputs

CONFIG = config()
FIRST = pd.Period("2021-01", "M")


def history(sizes: list[int], buyers: np.ndarray) -> pd.DataFrame:
    """Cohorts a month apart; ``buyers`` (cohorts, months) before the cohort's month are not read.

    Cohorts of nobody are left out.
    """
    rows = [
        {
            "cohort": (FIRST + c).start_time,
            "period": (FIRST + t).start_time,
            "customers": size,
            "purchases": int(min(buyers[c, t], size)),
            "revenue": 10.0 * min(buyers[c, t], size),
            "buyers": int(min(buyers[c, t], size)),
            "first_purchases": size if c == t else 0,
            "first_revenue": 20.0 * size * (c == t),
        }
        for c, size in enumerate(sizes)
        if size
        for t in range(c, buyers.shape[1])
    ]
    return pd.DataFrame(rows)


@st.composite
def histories(draw: st.DrawFn, longest: int = 10) -> tuple[pd.DataFrame, list[pd.Timestamp]]:
    months = draw(st.integers(3, longest))
    sizes = draw(
        st.lists(st.sampled_from([0, 1, 4, 9, 10, 60]), min_size=months, max_size=months).filter(
            lambda given: sum(given) >= LEAST_CUSTOMERS
        )
    )
    cells = draw(
        st.lists(
            st.lists(st.sampled_from([0, 0, 1, 3, 20]), min_size=months, max_size=months),
            min_size=months,
            max_size=months,
        )
    )
    cuts = draw(st.sets(st.integers(0, months - 2), max_size=3))
    return history(sizes, np.array(cells)), [(FIRST + k).end_time.normalize() for k in sorted(cuts)]


@settings(max_examples=examples(100))
@given(histories())
def test_every_group_is_large_and_hides_its_small_cohorts(case):
    table, _ = case
    made = groups(table)
    size = made.customers.groupby(made.first).sum()
    assert (size >= LEAST_CUSTOMERS).all() or len(size) == 1
    company = table.groupby("period")["buyers"].sum()
    for row in table[table["buyers"] > 0].itertuples():
        if made.customers[row.cohort] >= LEAST_CUSTOMERS:
            continue
        together = made.first[made.first == made.first[row.cohort]].index
        month = table[(table["period"] == row.period) & table["cohort"].isin(together)]
        # of each who bought: the others of the own cohort count too
        assert month["buyers"].sum() - 1 >= min(LEAST_OTHERS, company[row.period] - 1)
    # groups follow each other in time
    assert made.first.is_monotonic_increasing
    assert (made.first <= made.first.index).all()
    assert (made.last >= made.last.index).all()


def published(table: pd.DataFrame, days: list[pd.Timestamp], made: Groups) -> np.ndarray:
    """All that tables show of repeat revenue, one row a number."""
    shown = [*made.summed(table)["revenue"], *table.groupby("period")["revenue"].sum()]
    shown.append(table["revenue"].sum() + table["first_revenue"].sum())
    shown += made.summed(table, ["first_revenue"])["first_revenue"].dropna().tolist()
    every = (table["revenue"] + table["first_revenue"]).groupby(table["period"]).sum()
    shown += list(every[~every.index.isin(made.untold)])
    alone = made.alone(table)
    age = (alone["period"].dt.year - alone["cohort"].dt.year) * 12 + (
        alone["period"].dt.month - alone["cohort"].dt.month
    )
    for unit in "MQY":
        to = alone["cohort"].dt.to_period(unit).dt.start_time
        shown += list((alone["revenue"] + alone["first_revenue"]).groupby([to, age]).sum())
    for day in days:
        known = table["cohort"] <= day
        if not made.tells_nothing_at(day, made.customers[made.customers.index <= day].sum()):
            continue
        after = table[known & (table["period"] > day)]
        shown += list(after.groupby("period")["revenue"].sum())
        cells = after.assign(origin=day, cohort=after["cohort"].dt.to_period("Q").dt.start_time)
        cells = cells.groupby(["origin", "cohort", "period"], as_index=False)[["revenue"]].sum()
        shown += list(made.of_quarters(cells)["revenue"])
    return np.array(shown, dtype=float)


@settings(max_examples=examples(25))
@given(histories(longest=6))
def test_no_table_nor_any_difference_of_tables_tells_what_a_small_cohort_bought(case):
    """Its cells, and what it first paid, are in no linear combination of published numbers.

    Unless nobody else bought in that month: what the company sold is shown, whoever bought it; or
    so many of the cohort did that each of them is hidden by the others.
    """
    table, days = case
    made = groups(table)
    unknown = [(name, k) for name in ("revenue", "first_revenue") for k in table.index]
    blank = table.assign(revenue=0.0, first_revenue=0.0)
    parts = []
    for name, k in unknown:
        one = blank.copy()
        one.loc[k, name] = 1.0
        parts.append(published(one, days, made))
    seen = np.stack(parts, axis=1)
    rank = np.linalg.matrix_rank(seen)
    company = table.groupby("period")["buyers"].sum()
    for column, (name, k) in enumerate(unknown):
        row = table.loc[k]
        small = made.customers[row["cohort"]] < LEAST_CUSTOMERS
        if not small or row["buyers" if name == "revenue" else "first_purchases"] == 0:
            continue
        if name == "revenue" and bears(row["buyers"], company[row["period"]]):
            continue
        alone = np.zeros(len(unknown))
        alone[column] = 1.0
        assert np.linalg.matrix_rank(np.vstack([seen, alone])) == rank + 1, (name, row)


def bears(buyers: float, company: float) -> bool:
    """Whether a sum over so many buyers may be told."""
    return buyers == 0 or buyers - 1 >= min(LEAST_OTHERS, company - 1)


def reported(table: pd.DataFrame, until: pd.Timestamp) -> Groups:
    """Groups of the report as of the end of a month, whose backtest began two months before."""
    origin = (until - pd.offsets.MonthBegin(2)) + pd.offsets.MonthEnd(0)
    held = table[table["period"] <= until]
    row = dict.fromkeys(SCHEMAS["cells"].required, 0) | {"origin": origin, "model": "clv"}
    cells = pd.DataFrame([row | {"cohort": until, "period": until}])
    day = (until + pd.offsets.MonthEnd(0)).date()
    lacking = set(SCHEMAS["cohort_months"].required) - set(held)
    return ReportInputs(
        CONFIG.terms, day, cells=cells, cohort_months=held.assign(**dict.fromkeys(lacking, 0.0))
    ).groups


@settings(max_examples=examples(100))
@given(histories())
def test_no_difference_of_two_monthly_reports_tells_on_fewer_than_one_of_them(case):
    """Of every month that both reports hold, the sums between the borders of either are borne."""
    table, _ = case
    company = table.groupby("period")["buyers"].sum()
    seen: dict[pd.Timestamp, set[pd.Timestamp]] = {day: set() for day in company.index}
    for until in company.index:
        made = reported(table, until)
        if not made.shown.any():
            continue
        for period in company.index[company.index <= until]:
            seen[period] |= set(made.first)
    for period, starts in seen.items():
        month = table[table["period"] == period]
        part = np.searchsorted(sorted(starts), month["cohort"], side="right")
        for _, piece in month.groupby(part):
            small = (piece["customers"] < LEAST_CUSTOMERS) & (piece["buyers"] > 0)
            if small.any():
                assert bears(piece["buyers"].sum(), company[period]), (period, piece)


@settings(max_examples=examples(40))
@given(histories(longest=7))
def test_two_reports_together_tell_what_no_small_cohort_s_few_buyers_brought(case):
    """The same by rank: a cell of one to three buyers is in no combination of both's sums."""
    table, _ = case
    company = table.groupby("period")["buyers"].sum()
    parts = []
    for until in company.index[-2:]:
        held = table["period"] <= until
        made = reported(table, until)
        for _, rows in table[held].groupby([table["cohort"].map(made.first), "period"]):
            parts.append(np.isin(table.index, rows.index))
        parts += [(table["period"] == period).to_numpy() for period in company.index]
    seen = np.array(parts, dtype=float)
    rank = np.linalg.matrix_rank(seen)
    for k, row in enumerate(table.itertuples()):
        if row.customers < LEAST_CUSTOMERS and not bears(row.buyers, company[row.period]):
            cell = np.eye(len(table))[k]
            assert np.linalg.matrix_rank(np.vstack([seen, cell])) == rank + 1, row


def test_a_shop_of_few_new_customers_a_month_is_shown_by_neighbours():
    """A plan paid every month: in the second month of a group only its first cohort can pay."""
    months = 24
    left = 8 * 0.95 ** np.arange(months)
    buyers = np.array([np.roll(np.r_[0, np.floor(left[1:])], c) for c in range(months)])
    made = groups(history([8] * months, buyers))
    sizes = made.customers.groupby(made.first).sum()
    assert len(sizes) == months // 2
    assert set(sizes) == {16}


def test_groups_stay_as_they_were_when_a_month_is_added():
    sizes, buyers = [30, 8, 8, 8, 4, 30, 8], np.full((7, 9), 6)
    np.fill_diagonal(buyers, 0)
    table = history(sizes, buyers)
    borders = [
        sorted(set(groups(table[table["period"] <= until]).first.dt.month))
        for until in sorted(table["period"].unique())
    ]
    # May's four wait with April's, until June's are a group of their own: then they stay
    assert borders == [[1], [1], [1, 2], [1, 2], [1, 2, 4], [1, 2, 4, 6], *[[1, 2, 4, 6]] * 3]


def test_a_lone_customer_is_put_with_a_cohort_that_bought_when_he_did():
    buyers = np.zeros((5, 6))
    buyers[0] = 20  # the large cohort of January
    buyers[2, 4] = 1  # a lone customer of March, in May
    buyers[3, 5] = 9  # nine of April, who bought in June only
    made = groups(history([60, 0, 1, 9, 0], buyers))
    assert made.first.tolist() == [pd.Timestamp("2021-01-01")] * 3
    assert made.last.tolist() == [pd.Timestamp("2021-04-01")] * 3
    # ten customers were new in March and April: enough to be told in one sum, not apart
    assert made.untold == [pd.Timestamp("2021-03-01"), pd.Timestamp("2021-04-01")]


def test_the_number_of_customers_alone_hides_nobody():
    """Ten customers, of whom nine bought in another month: the sum would be the tenth's."""
    buyers = np.zeros((4, 6))
    buyers[0, :] = 5
    buyers[2, 4] = 1
    buyers[3, 5] = 9
    made = groups(history([30, 0, 1, 9], buyers))
    assert made.last.iloc[0] == made.last.index[-1]


def test_an_origin_does_not_decide_the_groups_and_is_not_told_within_one():
    table = history([30, 4, 30, 4, 30, 1], np.full((6, 8), 6))
    made = groups(table)
    assert sorted(set(made.first.dt.month)) == [1, 3, 5]
    for month, known in ((2, 34), (4, 68)):
        assert made.tells_nothing_at(
            pd.Timestamp(f"2021-{month}-28") + pd.offsets.MonthEnd(0), known
        )
    for day in ("2021-01-31", "2021-03-31", "2021-05-31"):
        assert not made.tells_nothing_at(pd.Timestamp(day), 64)


def test_an_origin_within_a_month_parts_its_cohort_in_two_large_ones_or_is_not_told():
    table = history([30, 30, 30], np.full((3, 5), 8))
    made = groups(table)
    within = pd.Timestamp("2021-02-15")
    assert made.tells_nothing_at(within, 30 + 15)
    assert not made.tells_nothing_at(within, 30 + 27)
    assert not made.tells_nothing_at(within, 30 + 3)
    assert made.tells_nothing_at(within, 60)


def test_a_missing_number_counts_as_nobody():
    table = history([30, 30], np.full((2, 3), 5))
    table.loc[table["cohort"] == "2021-02-01", "customers"] = np.nan
    made = groups(table.drop(columns="buyers"))
    assert made.last.iloc[0] == made.last.index[-1]
    frame = pd.DataFrame(
        {"name": list("abc"), "customers": [20, None, 11], "mean": [1.0, 2.0, 3.0]}
    )
    assert fold(frame, "name", means=["mean"])["name"].tolist() == ["a", "b to c"]
    tenths = pd.DataFrame({"origin": 1, "model": "clv", "quantity": "revenue", "decile": [1, 2]})
    assert large_tenths(tenths, pd.DataFrame()).empty


def test_rows_of_few_are_put_together_with_their_neighbours():
    frame = pd.DataFrame(
        {
            "group": ["0", "1", "2", "3", "4+"],
            "customers": [900, 4, 8, 30, 2],
            "actual": [0.1, 1.0, 2.0, 3.0, 9.0],
        }
    )
    made = fold(frame, "group", means=["actual"])
    assert made["group"].tolist() == ["0", "1 to 2", "3 to 4+"]
    assert made["customers"].tolist() == [900, 12, 32]
    assert made["actual"].tolist() == pytest.approx([0.1, 20 / 12, 108 / 32])
    assert fold(frame.tail(1), "group", means=["actual"]).empty


def test_tenths_are_shown_where_they_and_what_they_leave_out_are_many():
    tenths = pd.DataFrame(
        {
            "origin": pd.to_datetime(["2021-01-31"] * 2 + ["2021-02-28"] * 2 + ["2021-03-31"] * 2),
            "model": "clv",
            "quantity": "revenue",
            "decile": [1, 2] * 3,
            "customers": [40, 40, 9, 10, 50, 50],
        }
    )
    samples = pd.DataFrame(
        {
            "origin": pd.to_datetime(["2021-01-31", "2021-02-28", "2021-03-31"]),
            "customers": [80, 19, 103],
            "sampled": [80, 19, 100],
        }
    )
    kept = large_tenths(tenths, samples)["origin"].unique()
    assert list(kept) == [pd.Timestamp("2021-01-31")]
