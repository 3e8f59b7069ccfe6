"""Mean values of very many customers, close ones together, teach the same."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from clvmodels import GammaGamma
from pipelines.data import features
from pipelines.data.features import compression


@pytest.fixture(scope="module")
def spends():
    rng = np.random.default_rng(4)
    count = rng.geometric(0.3, 40_000) - 1
    value = (
        rng.gamma(6.0 * np.maximum(count, 1)) / np.maximum(count, 1) / rng.gamma(4.0, size=40_000)
    )
    frame = pd.DataFrame(
        {"frequency": count, "monetary_value": 15 * value, "first_value": 15 * value}
    )
    connection = ibis.duckdb.connect(threads=1)
    yield connection.create_table("spends", frame)
    connection.disconnect()


@pytest.mark.parametrize("spend_from", ["repeat", "all"])
def test_close_mean_values_share_a_row_and_teach_the_same(spends, monkeypatch, spend_from):
    exact = features.compress_spend(spends, spend_from)
    monkeypatch.setattr(compression, "SPEND_CUSTOMERS", 1_000)
    close = features.compress_spend(spends, spend_from)
    assert list(close) == list(exact)
    assert len(close) < 0.6 * len(exact)
    by_count = [table.groupby("frequency")["weight"].sum() for table in (close, exact)]
    pd.testing.assert_series_equal(*by_count)
    totals = [(table["weight"] * table["monetary_value"]).sum() for table in (close, exact)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-9)
    models = [GammaGamma().fit(table) for table in (close, exact)]
    for name, value in models[1].params_.items():
        error = models[1].standard_errors_[name]
        assert abs(models[0].params_[name] - value) < 1e-3 * error
