"""What the words say of season, level and the length of the log, where the log is not the usual."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from report_example import config, example_inputs, section

from pipelines.report import summarize
from pipelines.report.inputs import Learned
from pipelines.training.level_source import LevelSource

CORRECTIONS = pd.DataFrame(
    [("2024-01-01", 10, 0.5, 1.0, 1.1)],
    columns=["cohort", "purchases", "weight", "purchases_factor", "revenue_factor"],
)
TRIED = pd.DataFrame(
    [("no season", 0.15, 0.01, 6, "yes"), ("default", 0.16, 0.01, 6, "")],
    columns=["candidate", "wape", "mean_absolute_bias", "origins", "chosen"],
)


def text(summary, name):
    return " ".join(section(summary, name)["text"]).replace("\N{NO-BREAK SPACE}", " ")


def page(**changes):
    return summarize(example_inputs(corrections=CORRECTIONS, **changes))


def test_a_season_in_use_is_told():
    made = page()
    assert "know no season; the cohort forecast does" in text(made, "cohort_level")
    assert "the forecast adds the season" in text(made, "fit")
    assert "with the season learned from the log" in text(made, "budget")
    assert "at the same age and season" in text(made, "budget")


@pytest.mark.parametrize(
    ("selection", "why"),
    [(TRIED, "were forecast better without"), (pd.DataFrame(), "too short to show one")],
)
def test_no_season_is_promised_where_none_is_in_use(selection, why):
    made = page(learned=Learned(season=False), selection=selection)
    said = text(made, "cohort_level")
    assert "No season is in the forecast" in said
    assert why in said
    assert "the cohort forecast does" not in said
    assert "the forecast adds none" in text(made, "fit")
    assert "without a season" in text(made, "budget")
    assert "season learned" not in text(made, "budget")
    assert "and season" not in text(made, "budget")
    assert section(made, "cohort_level")["title"] == "Customers and cohorts"


@pytest.mark.parametrize("season", [True, False])
def test_where_customers_keep_their_level_nothing_else_is_claimed(season):
    made = page(learned=Learned(LevelSource.CUSTOMERS, season))
    said = text(made, "cohort_level")
    assert "every factor of purchases is 1" in said
    assert ("with its season" in said) == season
    assert "the cohort forecast does" not in said
    assert "knows none either" in text(made, "fit")


def test_a_short_log_has_no_last_year(inputs):
    assert "at the level of the last year" in text(page(), "budget")
    history = inputs.cohort_months
    short = history[history["cohort"] >= "2024-08-01"]
    assert "at the level of the log's 5 months" in text(page(cohort_months=short), "budget")


def test_the_test_of_totals_says_that_covariates_were_known():
    said = text(page(), "budget")
    assert "nobody knew then" not in said
    driven = config()
    driven = driven.model_copy(
        update={"covariates": driven.covariates.model_copy(update={"columns": ("spend",)})}
    )
    said = text(page(config=driven), "budget")
    assert "given the values that later came true, which nobody knew then." in said
    effects = example_inputs().effects.assign(quantity="customers", used=True)
    said = text(page(config=driven, effects=effects), "budget")
    assert "and new customers moved with them" in said
    assert "and what the planned covariates go with" in said


def test_the_page_says_until_when_models_learned_that_are_older_or_newer(inputs):
    assert "learned from the log up to" not in text(page(), "model")
    older = text(page(learned=Learned(until=dt.date(2024, 11, 30))), "model")
    assert older.startswith("The models below learned from the log up to 30 November 2024;")
    assert "effects were learned anew up to then" in older
    newer = text(page(learned=Learned(until=dt.date(2025, 1, 31))), "model")
    assert "31 January 2025, later than the as-of date 31 December 2024: no fair test" in newer


def test_tracking_says_how_often_the_intervals_held():
    actual = pd.Series([90.0, 100.0, 130.0, 100.0])
    cells = pd.DataFrame(
        {"cohort": "2023-01-01", "period": pd.date_range("2024-09-01", periods=4, freq="MS")}
    )
    for quantity in ("purchases", "revenue"):
        cells[quantity], cells[f"actual_{quantity}"] = 100.0, actual
        cells[f"{quantity}_low"], cells[f"{quantity}_high"] = 85.0, 120.0
    tracked = {"tracked_from": dt.date(2024, 8, 31)}
    said = text(page(tracking=cells, **tracked), "tracking")
    assert said.count("75 % of cohort-months fell inside their 90 % interval.") == 2
    bare = cells.drop(columns=[c for c in cells if c.endswith(("_low", "_high"))])
    assert "interval" not in text(page(tracking=bare, **tracked), "tracking")


def test_what_customers_cannot_carry_is_told():
    totals = pd.DataFrame({"quantity": ["purchases", "revenue", "clv"], "value": [50.0, 2e3, 9.0]})
    unplaced = CORRECTIONS.assign(purchases_unplaced=5.0, revenue_unplaced=0.0)
    made = summarize(example_inputs(corrections=unplaced, totals=totals))
    said = text(made, "cohort_level")
    assert "Left out of cohorts and company: 5 purchases (10 % of this forecast)" in said
    assert "Left out" not in text(page(totals=totals), "cohort_level")
