"""Data that many tests of the models share."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_tables import AS_OF, simulated_table
from true_parameters import TRUE_PARAMETERS

from clvmodels import GammaGamma
from clvmodels.cohorts.forecaster import CohortForecaster

CALIBRATION_END = pd.Timestamp("1997-09-30")


@pytest.fixture(scope="session")
def reference():
    path = Path(__file__).parents[1] / "reference" / "btyd_reference.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def cdnow():
    """CDNOW_sample up to 1997-09-30, in weeks, and the purchases of the 39 weeks after it."""
    source = importlib.resources.files("lifetimes") / "datasets" / "CDNOW_sample.txt"
    with importlib.resources.as_file(source) as path:
        log = pd.read_csv(
            path,
            sep=r"\s+",
            header=None,
            names=["master_id", "customer_id", "date", "cds", "amount"],
            dtype={"date": str},
        )
    log["date"] = pd.to_datetime(log["date"], format="%Y%m%d")
    days = log.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    known = days[days["date"] <= CALIBRATION_END]
    by_customer = known.groupby("customer_id")["date"]
    first, last = by_customer.min(), by_customer.max()
    summary = pd.DataFrame(
        {
            "frequency": by_customer.size() - 1,
            "recency": (last - first).dt.days / 7,
            "T": (CALIBRATION_END - first).dt.days / 7,
        }
    )
    repeats = known[known["date"] > known["customer_id"].map(first)]
    spend = repeats.groupby("customer_id")["amount"].mean()
    after = days[days["date"] > CALIBRATION_END].groupby("customer_id").size()
    summary["monetary_value"] = spend.reindex(summary.index)
    summary["holdout"] = after.reindex(summary.index).fillna(0)
    return summary.reset_index()


@pytest.fixture(scope="session", params=TRUE_PARAMETERS, ids=lambda model: model.__name__)
def transaction_model(request):
    """Each transaction model with known parameters."""
    return request.param.from_params(**TRUE_PARAMETERS[request.param])


@pytest.fixture(scope="session")
def histories(transaction_model):
    """Histories drawn from the model: 4,000 customers of different ages."""
    T = np.random.default_rng(5).uniform(5, 60, 4000)
    return transaction_model.resample(pd.DataFrame({"T": T}), random_state=11)


@pytest.fixture(scope="session")
def spends():
    """Mean spend of 4,000 customers drawn from a Gamma-Gamma model."""
    model = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    frequency = 1 + np.random.default_rng(3).poisson(1.5, 4000)
    return model.resample(pd.DataFrame({"frequency": frequency}), random_state=4)


@pytest.fixture(scope="session", name="table")
def cohort_table():
    """Cohort-months drawn from known effects; no test alters it."""
    return simulated_table()


@pytest.fixture(scope="session", name="fitted")
def cohort_forecast(table):
    """The cohort forecast of it, as it comes."""
    return CohortForecaster().fit(table, AS_OF)
