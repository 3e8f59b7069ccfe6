"""What the record says where there is no interval, no sale or hardly an error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_example import example_inputs

from clvmodels.evaluation.vintages import TrackingSignal, VintageLevel, by_horizon
from pipelines.monitoring.judged import Judged
from pipelines.report.sections import record
from pipelines.report.wording import record as wording

JAN = pd.Timestamp("2023-01-01")


def judged(value, actual, low=np.nan, high=np.nan, signals=()):
    row = {
        "origin": pd.Timestamp("2022-12-31"), "level": VintageLevel.COMPANY.value, "cohort": pd.NaT,
        "period": JAN, "quantity": "revenue", "value": value, "low": low, "high": high,
        "actual": actual, "horizon": 1,
    }  # fmt: skip
    months = pd.DataFrame([row])
    empty = pd.DataFrame(columns=["period", "purchases", "revenue"])
    return Judged(months, by_horizon(months), tuple(signals), empty)


def test_without_intervals_no_signal_is_spoken_of():
    made = record.record(example_inputs(judged=judged(110.0, 100.0)))
    said = " ".join(made.text)
    assert "Without intervals" in said
    assert "No alarm" not in said
    assert "tracking signal" not in said
    assert "record_signals" not in made.tables


@pytest.mark.parametrize(
    ("bias", "words"),
    [(0.15, "15 % too high"), (-0.2, "20 % too low"), (0.001, "right to 1 %"), (np.inf, "nothing")],
)
def test_an_error_is_told_as_it_is(bias, words):
    signal = TrackingSignal("company_month", "revenue", 3, bias, 0.1, 0, ())
    assert words in wording.side(signal).replace("\xa0", " ")
    calm = judged(110.0, 100.0, 90.0, 130.0, [signal])
    assert words in " ".join(wording.sentences(calm, "EUR")).replace("\xa0", " ")


def test_errors_are_shown_in_whole_percents():
    """With the forecast, an exact error would give what a few customers bought."""
    made = record.record(example_inputs(judged=judged(123.4, 100.0)))
    shown = made.tables["record_by_horizon"]
    at = [column["key"] for column in shown["columns"]].index("bias")
    assert [row[at] for row in shown["rows"]] == [0.23]
