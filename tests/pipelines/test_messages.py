"""What the command line says, line by line."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pandas as pd
import pytest

from clvmodels.schema import NEW_COHORTS
from pipelines import messages
from pipelines.budget import NewCustomers


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (0, False), (1, False)])
def test_only_a_model_that_learned_later_days_is_warned_of(days, warned):
    learned = dt.date(2022, 6, 30)
    fitted = SimpleNamespace(as_of=learned)
    said = messages.hindsight(fitted, learned + dt.timedelta(days=days))
    assert bool(said) == warned


@pytest.mark.parametrize(
    ("basis", "says"),
    [
        ([], "not forecast ([train] cohort_level is off)"),
        (["stopped"], "none, acquisition has stopped"),
        (["plan"], "none"),
    ],
)
def test_why_nobody_is_still_to_come_is_said(config, basis, says):
    period = pd.date_range("2022-01-01", periods=len(basis), freq="MS")
    acquisitions = pd.DataFrame({"period": period, "new_customers": 0.0, "basis": basis})
    none = NewCustomers(pd.DataFrame(columns=NEW_COHORTS.names), acquisitions)
    assert messages.budget_line(none, config) == f"customers still to come: {says}"
