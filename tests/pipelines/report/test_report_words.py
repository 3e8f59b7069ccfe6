"""Names, numbers and comparisons as the report words them."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from pipelines.backtesting.candidates import FORECASTS
from pipelines.report.tables import plain
from pipelines.report.wording import verdicts, words

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("ParetoNBD 0.53, MBGNBD 0.54, BGNBD 0.55", "Pareto/NBD 0.53, MBG/NBD 0.54, BG/NBD 0.55"),
        ("GammaGamma: q is 1", "Gamma-Gamma: q is 1"),
        ("LifetimesBGNBD was fitted", "BG/NBD (lifetimes) was fitted"),
        ("the NBD; BG/NBD and Pareto/NBD", "the NBD; BG/NBD and Pareto/NBD"),
        ("no model", "no model"),
    ],
)
def test_notes_name_models_as_the_tables_do(note, said):
    assert words.with_model_names(note) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 customers"),
        (1, "1 customer"),
        (1.2, "1 customer"),
        (1.8, "2 customers"),
        (1234, "1,234 customers"),
        (float("nan"), "not known customers"),
    ],
)
def test_one_of_a_thing_is_not_many(number, said):
    assert words.counted(number, "customer") == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (-0.40, "a 40 % smaller error than the lifetimes package"),
        (9.6, "10.6 times the error of the lifetimes package"),
        (1160.0, "1,161 times the error of the lifetimes package"),
        (0.08, "an 8 % larger error than the lifetimes package"),
        (0.18, "an 18 % larger error than the lifetimes package"),
        (-0.004, "about the same error as the lifetimes package"),
        (None, "an error that cannot be compared with that of the lifetimes package"),
    ],
)
def test_against_a_baseline(change, said):
    assert verdicts.against("lifetimes", change).replace(NBSP, " ") == said


@pytest.mark.parametrize(
    ("biases", "said"),
    [
        ([2.21, 0.4, -0.19], "in total from 19 % too low to 221 % too high"),
        ([-0.49, -0.33, -0.01], "too low in total every time, by 1 % to 49 %"),
        (
            [-0.5, -0.02, 0.0002],
            "right in total to within 0.5 % or too low, by up to 50 %",
        ),
        ([0.1, 0.1], "too high in total every time, by 10 %"),
        ([0.001, -0.004], "right in total to within 0.5 % every time"),
        ([-0.05, float("nan")], "5 % too low in total"),
        ([], "with an unknown bias"),
    ],
)  # fmt: skip
def test_misses_of_several_totals_do_not_cancel(biases, said):
    assert verdicts.misses(biases).replace(NBSP, " ") == said


@pytest.mark.parametrize(
    ("months", "said"),
    [
        (0.6, "53 % of cohort-months and 60 % of calendar months"),
        (0.95, "53 % of cohort-months"),
        (math.nan, "53 % of cohort-months"),
    ],
)
def test_intervals_that_failed_are_told(months, said):
    told = verdicts.too_narrow({"cohort-month": 0.53, "calendar month": months})
    assert told.replace(NBSP, " ").endswith(f"too narrow: they held {said} instead of 90 %.")
    assert verdicts.too_narrow({"cohort-month": 0.83, "calendar month": math.nan}) is None


def test_every_model_of_the_backtest_has_a_label_and_a_line():
    for name in FORECASTS:
        assert words.model_label(name) != name or name == "lifetimes"
        assert words.model_line(name).endswith(".")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("BGNBD", "BG/NBD"), ("LifetimesGammaGamma", "Gamma-Gamma (lifetimes)"), ("Other", "Other")],
)
def test_model_names(kind, said):
    assert words.model_name(kind) == said


@pytest.mark.parametrize(
    ("origin", "ended", "said"),
    [
        ("2024-04-30", 2, "2 full months"),
        ("2024-02-29", 1, "1 full month"),
        ("2024-04-20", 1, "the rest of Apr 2024"),
        ("2024-04-20", 3, "the rest of Apr 2024 and 2 full months"),
    ],
)
def test_how_far_a_forecast_has_come(origin, ended, said):
    assert words.since(dt.date.fromisoformat(origin), ended) == said


def test_months_that_first_and_last_day_cut():
    months = [dt.date(2022, k, 1) for k in (1, 2, 3, 4)]
    whole = words.cut(months[1:3], dt.date(2022, 2, 1), dt.date(2022, 3, 31))
    assert whole == [False, False]
    both = words.cut(months, dt.date(2022, 1, 5), dt.date(2022, 4, 4))
    assert both == [True, False, False, True]


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (22, "22nd"), (30, "30th")],
)
def test_ordinals(number, said):
    assert words.ordinal(number) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.093, "9 %"),
        (0.004, "0.4 %"),
        (0.0, "0 %"),
        (-0.0001, "0.0 %"),
        (11.61, "1,161 %"),
        (None, "not known"),
    ],
)
def test_percent(share, said):
    assert words.percent(share).replace(NBSP, " ") == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1_234_567.0, "USD 1.23 million"),
        (2.5e9, "USD 2.50 billion"),
        (51_234.4, "USD 51,234"),
        (12.345, "USD 12.35"),
        (-3_000_000.0, "USD -3.00 million"),
        (float("nan"), "not known"),
    ],
)
def test_amount(value, said):
    assert words.amount(value, "USD") == said


def test_plain_values():
    found = plain(
        {"a": np.float64("nan"), "b": np.int64(3), "c": pd.Timestamp("2024-02-01"), "d": [np.inf]}
    )
    assert found == {"a": None, "b": 3, "c": "2024-02-01", "d": [None]}
    assert plain(np.bool_(True)) is True
    assert plain(pd.NaT) is None
