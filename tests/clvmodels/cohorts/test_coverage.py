"""Do 95 % intervals hold the truth in 95 % of data sets? 1,000 of them for each model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels import GammaGamma

DATA_SETS = 1000
"""So that 0.92 and 0.98 lie four standard errors off: of 300, one parameter in a hundred would fail
by chance."""


def coverage(truth, table):
    hits = np.zeros(len(truth.params_))
    for seed in range(DATA_SETS):
        fitted = type(truth)().fit(truth.resample(table, random_state=seed))
        intervals = fitted.confidence_intervals(0.95)
        hits += [low < truth.params_[name] < high for name, (low, high) in intervals.items()]
    return dict(zip(truth.params_, hits / DATA_SETS, strict=True))


@pytest.mark.slow
def test_intervals_of_transaction_models_cover(transaction_model):
    table = pd.DataFrame({"T": np.linspace(10, 60, 4000)})
    for name, share in coverage(transaction_model, table).items():
        assert 0.92 <= share <= 0.98, (name, share)


@pytest.mark.slow
def test_intervals_of_the_spend_model_cover():
    truth = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    table = pd.DataFrame({"frequency": 1 + np.arange(3000) % 5})
    for name, share in coverage(truth, table).items():
        assert 0.92 <= share <= 0.98, (name, share)
