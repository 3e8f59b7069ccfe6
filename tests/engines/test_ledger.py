"""The ledger in PostgreSQL, named by the environment."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from pipelines.ledger import entries
from pipelines.ledger.store import Ledger

pytestmark = pytest.mark.engines

JAN, FEB = pd.date_range("2020-01-01", periods=2, freq="MS", unit="s")


def test_a_shared_database_holds_the_ledger(postgres_uri, tmp_path, monkeypatch):
    monkeypatch.setenv("LEDGER_URI", postgres_uri)
    ledger = Ledger("shop of the ledger", "EUR", tmp_path, "LEDGER_URI")
    rows = pd.DataFrame(
        {
            "level": ["cohort_month", "company_month"], "cohort": [JAN, pd.NaT], "period": FEB,
            "quantity": "revenue", "value": [1.0, 3.25], "low": [0.5, float("nan")],
            "high": [2.0, float("nan")],
        }
    )  # fmt: skip
    day = dt.date(2020, 1, 31)
    assert ledger.add_forecast(day, "1", rows)
    assert not ledger.add_forecast(day, "1", rows)
    back = ledger.forecasts()[list(rows)].reset_index(drop=True)
    pd.testing.assert_frame_equal(back, rows, check_dtype=False)
    happened = pd.DataFrame(
        [(JAN, JAN, 1.0, 10.0, 7.0, 70.0)], columns=[*entries.CELL, *entries.HAPPENED]
    )
    assert len(ledger.add_actuals(day, happened).new) == 1
    assert len(ledger.add_actuals(day, happened.assign(revenue=11.0)).restated) == 1
    assert ledger.actuals()["revenue"].tolist() == [11.0]
    assert Ledger("another", "EUR", tmp_path, "LEDGER_URI").forecasts().empty
    assert list(tmp_path.iterdir()) == []
