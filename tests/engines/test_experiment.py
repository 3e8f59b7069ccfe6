"""Outcomes and forecasts of assigned customers: the same on every engine."""

from __future__ import annotations

import datetime as dt

import example_logs as logs
import numpy as np
import pandas as pd
import pytest

from clvmodels.finance.clv import UnitEconomics
from pipelines.config.experiment import Assignment, Factor
from pipelines.config.load import Train
from pipelines.data import customer_days as transactions
from pipelines.experiments import assignment
from pipelines.experiments.collect import collect

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ECONOMICS = UnitEconomics(0.5, 1.0, 0.1)
ASKED = {
    "metrics": ("margin", "purchases", "clv"),
    "window_days": 21,
    "settings": Train(),
    "economics": ECONOMICS,
    "horizon_months": 6,
}


def collected(config, folder):
    """Read an assignment file beside a log, wherever that is."""
    rng = np.random.default_rng(2)
    day = pd.Timestamp("2022-07-01") + pd.to_timedelta(rng.integers(0, 30, 120), unit="D")
    table = pd.DataFrame({"customer_id": [f"{n:05d}" for n in range(120)], "time": day})
    table["arm"] = np.where(rng.random(120) < 0.5, "none", "mail")
    table.to_csv(folder / "assigned.csv", index=False)
    factors = {"arm": Factor(control="none")}
    frame = assignment.read(config.log, Assignment(path=str(folder / "assigned.csv")), factors)
    read = assignment.assigned(frame, factors, 21, dt.date(2023, 1, 31), "assigned.csv")
    with transactions.load(config.log) as data:
        return collect(data.snapshot, read.customers, **ASKED)


def test_every_engine_reads_the_same_experiment(place, tmp_path):
    frame = logs.messy_log()
    found = collected(place(frame), tmp_path)
    frame.to_csv(tmp_path / "log.csv", index=False)
    plain = logs.config({"kind": "csv", "path": str(tmp_path / "log.csv")})
    told = collected(plain, tmp_path)
    assert list(found.place) == list(told.place)
    assert found.set_aside == told.set_aside
    pd.testing.assert_frame_equal(found.metrics, told.metrics, rtol=1e-9)
    pd.testing.assert_frame_equal(found.forecast, told.forecast, rtol=1e-9)
