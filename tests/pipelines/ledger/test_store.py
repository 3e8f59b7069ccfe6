"""The ledger only ever grows, and reads what was written last."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import ibis
import numpy as np
import pandas as pd
import pytest

from clvmodels.core.errors import ConfigError, DataError
from clvmodels.evaluation.vintages import VintageLevel
from pipelines.ledger import entries, store
from pipelines.ledger.store import Ledger

DAY, LATER = dt.date(2020, 1, 31), dt.date(2020, 2, 29)
JAN, FEB, MAR = pd.date_range("2020-01-01", periods=3, freq="MS", unit="s")


@pytest.fixture
def ledger(tmp_path):
    return Ledger("shop", "EUR", tmp_path / "reports" / "shop")


def forecast(value=1.0):
    return pd.DataFrame(
        {
            "level": [VintageLevel.COHORT.value, VintageLevel.COMPANY.value],
            "cohort": [JAN, pd.NaT],
            "period": [FEB, FEB],
            "quantity": "revenue",
            "value": [value, 3.0],
            "low": [0.5, np.nan],
            "high": [2.0, np.nan],
        }
    )


def history(*rows):
    return pd.DataFrame(rows, columns=[*entries.CELL, *entries.HAPPENED])


FIRST = history((JAN, JAN, 1.0, 10.0, 7.0, 70.0), (JAN, FEB, 2.0, 20.0, 0.0, 0.0))


def test_nothing_is_there_before_the_first_entry(ledger):
    assert ledger.forecasts().empty
    assert ledger.actuals().empty
    assert not ledger.folder.exists()


def test_a_forecast_comes_back_as_it_was(ledger):
    assert ledger.add_forecast(DAY, "1", forecast())
    back = ledger.forecasts()
    pd.testing.assert_frame_equal(
        back[list(forecast())].reset_index(drop=True), forecast(), check_dtype=False
    )
    assert set(back["origin"]) == {pd.Timestamp(DAY)}
    assert set(back["version"]) == {"1"}


def test_the_same_again_changes_nothing_and_another_is_added(ledger):
    ledger.add_forecast(DAY, "1", forecast())
    before = (ledger.folder / store.FILE).read_bytes()
    assert not ledger.add_forecast(DAY, "1", forecast())
    assert (ledger.folder / store.FILE).read_bytes() == before
    assert ledger.add_forecast(DAY, "1", forecast(1.5))
    assert len(ledger.runs()) == 2
    assert ledger.forecasts()["value"].tolist() == [1.5, 3.0]


def test_another_version_and_another_day_are_kept_beside(ledger):
    for day, version in ((DAY, "1"), (LATER, "1"), (DAY, "2")):
        assert ledger.add_forecast(day, version, forecast())
    assert len(ledger.runs()) == 3
    # of one day, what was delivered last
    assert set(zip(ledger.forecasts()["origin"], ledger.forecasts()["version"], strict=True)) == {
        (pd.Timestamp(DAY), "2"), (pd.Timestamp(LATER), "1"),
    }  # fmt: skip


def test_what_changed_is_restated_beside_what_was_recorded(ledger):
    assert len(ledger.add_actuals(DAY, FIRST).new) == 2
    assert ledger.add_actuals(LATER, FIRST).rows.empty
    found = ledger.add_actuals(LATER, FIRST.assign(revenue=[10.0, 21.5]))
    assert found.new.empty
    assert found.restated[["revenue", "revenue_before"]].to_numpy().tolist() == [[21.5, 20.0]]
    assert ledger.actuals().sort_values("period")["revenue"].tolist() == [10.0, 21.5]
    assert len(ledger.runs()) == 2


def test_a_cell_that_is_gone_is_restated_as_nothing(ledger):
    """Somebody was erased; the oldest months, which retention takes away, restate nothing."""
    other = history((FEB, FEB, 3.0, 30.0, 1.0, 5.0))
    ledger.add_actuals(DAY, pd.concat([FIRST, other]))
    gone = ledger.add_actuals(LATER, FIRST)
    assert gone.restated["cohort"].tolist() == [FEB]
    assert gone.restated[list(entries.HAPPENED)].to_numpy().tolist() == [[0.0] * 4]
    later = history((MAR, MAR, 0.0, 0.0, 1.0, 5.0))
    assert ledger.add_actuals(LATER, later).restated.empty


def test_a_run_that_died_on_the_way_is_not_read(ledger):
    ledger.add_forecast(DAY, "1", forecast())
    connection = ibis.duckdb.connect(ledger.folder / store.FILE)
    rows = forecast(99.0).assign(run="of a run that never ended")
    connection.insert(store.FORECASTS, store._typed(rows, store.TABLES[store.FORECASTS]))
    connection.disconnect()
    assert ledger.forecasts()["value"].tolist() == [1.0, 3.0]


def test_another_business_is_another_ledger(ledger):
    ledger.add_forecast(DAY, "1", forecast())
    assert Ledger("other", "EUR", ledger.folder).forecasts().empty


def test_a_damaged_file_is_named_with_the_remedy(ledger):
    ledger.folder.mkdir(parents=True)
    (ledger.folder / store.FILE).write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match="Move it elsewhere to begin a new one"):
        ledger.forecasts()


def test_a_database_is_named_by_the_environment(tmp_path, monkeypatch):
    ledger = Ledger("shop", "EUR", tmp_path, "LEDGER_URI")
    with pytest.raises(ConfigError, match=r"LEDGER_URI, named by ledger\.uri_env, is not set"):
        ledger.forecasts()
    monkeypatch.setenv("LEDGER_URI", f"duckdb://{tmp_path / 'shared.duckdb'}")
    ledger.add_forecast(DAY, "1", forecast())
    assert len(ledger.forecasts()) == 2
    assert not (tmp_path / store.FILE).exists()
    monkeypatch.setenv("LEDGER_URI", "postgres://me:hunter2@127.0.0.1:1/nothing")
    with pytest.raises(ConfigError, match="cannot connect") as told:
        ledger.forecasts()
    assert "hunter2" not in str(told.value)


def test_forecasts_of_another_currency_are_not_read_and_counted(ledger):
    ledger.add_forecast(DAY, "1", forecast())
    ledger.add_actuals(DAY, FIRST)
    other = Ledger("shop", "USD", ledger.folder)
    assert other.forecasts().empty
    assert other.actuals().empty
    assert (other.in_other_currencies(), ledger.in_other_currencies()) == (1, 0)
    assert other.add_actuals(LATER, FIRST.assign(revenue=[11.0, 22.0])).restated.empty
    assert ledger.actuals()["revenue"].tolist() == [10.0, 20.0]


def test_a_file_that_another_program_has_open_is_not_to_be_moved(ledger):
    ledger.add_forecast(DAY, "1", forecast())
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(ledger.folder / store.FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DataError, match="open in another program") as told:
            ledger.forecasts()
        holder.communicate(b"\n")
    assert "Move" not in str(told.value)
    assert len(ledger.forecasts()) == 2
