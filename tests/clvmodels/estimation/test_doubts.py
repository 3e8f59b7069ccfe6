"""Columns that hold something else than their names say are told of."""

import warnings

import numpy as np
import pandas as pd
import pytest

from clvmodels import BGNBD
from clvmodels.core.errors import DataWarning


@pytest.fixture
def summary() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    T = rng.integers(50, 300, 400).astype(float)
    frequency = rng.poisson(0.02 * T * rng.gamma(1.0, size=400))
    return pd.DataFrame(
        {"frequency": frequency, "recency": np.where(frequency > 0, T * 0.7, 0.0), "T": T}
    )


def test_a_frequency_that_counts_the_first_purchase_is_told(summary):
    once = int((summary["frequency"] == 0).sum())
    counted = summary.assign(frequency=summary["frequency"] + 1)
    with pytest.warns(
        DataWarning, match=f"recency 0 for {once} of 400 customers.*repeat purchases"
    ):
        BGNBD(penalty=0.01).fit(counted)


def test_a_weight_in_kilograms_is_told(summary):
    with pytest.warns(DataWarning, match="number of customers .* kilograms"):
        BGNBD(penalty=0.01).fit(summary.assign(weight=np.linspace(0.3, 2.7, 400)))


def test_counts_and_weights_as_they_should_be_are_not(summary):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        BGNBD(penalty=0.01).fit(summary)
        BGNBD(penalty=0.01).fit(summary.assign(weight=2.0))
        BGNBD(penalty=0.01).fit(summary, weights=np.linspace(0.3, 2.7, 400))
        BGNBD(penalty=0.01).fit(summary[summary["frequency"] > 0])
