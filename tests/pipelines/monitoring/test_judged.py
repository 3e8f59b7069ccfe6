"""The ledger judged: what was restated, in whose sums, and what retention took away."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from clvmodels.evaluation.vintages import VintageLevel
from pipelines.ledger import entries
from pipelines.ledger.store import Ledger
from pipelines.monitoring.judged import judge
from pipelines.report.sections import record

JAN, FEB, MAR, APR = pd.date_range("2020-01-01", periods=4, freq="MS", unit="s")
APRIL_30 = dt.date(2020, 4, 30)


@pytest.fixture
def ledger(tmp_path):
    return Ledger("shop", "EUR", tmp_path / "reports" / "shop")


def run(ledger, cohort_months, as_of, months, **keys):
    """Judge, and enter what has happened, as a monthly run does once it is done."""
    found = judge(ledger, cohort_months, as_of, months, **keys)
    ledger.add_actuals(as_of, found.happened)
    return found


def history(*rows):
    return pd.DataFrame(rows, columns=[*entries.CELL, *entries.HAPPENED])


BOTH = history(
    (JAN, JAN, 0.0, 0.0, 5.0, 50.0),
    (JAN, FEB, 2.0, 20.0, 0.0, 0.0),
    (FEB, FEB, 1.0, 10.0, 7.0, 70.0),
)


def test_judging_writes_nothing(ledger):
    assert judge(ledger, BOTH, APRIL_30, 6).restated.empty
    assert not ledger.folder.exists()


def test_a_restated_month_is_told_by_the_sums_of_the_company(ledger):
    assert run(ledger, BOTH, APRIL_30, 6).restated.empty
    late = BOTH.assign(revenue=[0.0, 21.5, 10.0])
    (row,) = run(ledger, late, APRIL_30, 6).restated.to_dict("records")
    assert row["period"] == FEB
    assert (row["revenue"], row["revenue_before"]) == pytest.approx((101.5, 100.0))
    assert (row["purchases"], row["purchases_before"]) == pytest.approx((10.0, 10.0))


def test_a_customer_of_another_cohort_restates_no_sum(ledger):
    """Whose first purchase is gone has been new later: February holds what it held."""
    run(ledger, BOTH, APRIL_30, 6)
    moved = history(
        (JAN, JAN, 0.0, 0.0, 4.0, 40.0),
        (JAN, FEB, 1.0, 10.0, 0.0, 0.0),
        (FEB, FEB, 1.0, 10.0, 8.0, 80.0),
    )
    assert run(ledger, moved, APRIL_30, 6).restated["period"].tolist() == [JAN]


def test_a_late_cohort_restates_its_month(ledger):
    run(ledger, BOTH[BOTH["cohort"] == JAN], APRIL_30, 6)
    found = run(ledger, BOTH, APRIL_30, 6).restated
    assert found[["revenue", "revenue_before"]].to_numpy().tolist() == [[100.0, 20.0]]


def forecast(value):
    rows = [(VintageLevel.COMPANY.value, pd.NaT, m, "revenue", value, value / 1.2, value * 1.2)
            for m in (FEB, MAR)]  # fmt: skip
    rows.append((VintageLevel.COHORT.value, JAN, MAR, "revenue", 5.0, 4.0, 6.0))
    return pd.DataFrame(rows, columns=[*entries.KEYS, *entries.AMOUNTS])


def test_months_that_retention_took_are_judged_by_what_was_recorded(ledger):
    """A forecast that came true is not said to be wrong because its months are gone since."""
    march = (FEB, MAR, 9.0, 100.0, 0.0, 0.0)
    ledger.add_forecast(dt.date(2020, 1, 31), "1", forecast(100.0))
    before = run(ledger, pd.concat([BOTH, history(march)]), APRIL_30, 6)
    company = before.months["level"] == VintageLevel.COMPANY
    assert before.months.loc[company, "actual"].tolist() == pytest.approx([100.0, 100.0])
    left = history((MAR, MAR, 0.0, 0.0, 2.0, 40.0), (APR, APR, 0.0, 0.0, 1.0, 7.0))
    after = run(ledger, left, APRIL_30, 6, kept_from=dt.date(2020, 3, 12))
    assert after.months["level"].unique().tolist() == [VintageLevel.COMPANY]
    assert after.months["actual"].tolist() == pytest.approx([100.0, 100.0])
    assert after.restated.empty
    assert not any(signal.alarms for signal in after.signals)


def test_a_month_without_an_interval_is_neither_inside_nor_outside(ledger):
    bare = forecast(100.0).assign(low=float("nan"), high=float("nan"))
    ledger.add_forecast(dt.date(2020, 1, 31), "1", bare)
    shown = record._company(run(ledger, BOTH, APRIL_30, 6).months)
    assert len(shown) == 2
    assert shown["inside"].isna().all()
