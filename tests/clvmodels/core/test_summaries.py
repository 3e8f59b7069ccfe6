"""The boundary: any table in, checked arrays out, and errors that say which row and what to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.arguments import read_horizons
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError
from clvmodels.core.summaries import compress, read_exposures, read_histories, read_spends

GOOD = pd.DataFrame({"frequency": [0, 2], "recency": [0.0, 3.0], "T": [5.0, 5.0]})


@pytest.mark.parametrize(
    "convert",
    [
        lambda table: table,
        pl.from_pandas,
        pa.Table.from_pandas,
        lambda table: table.astype({"frequency": "Int64", "recency": "Float64"}),
        lambda table: table.astype({"frequency": "float32"}),
    ],
)
def test_every_kind_of_table(convert):
    data = read_histories(convert(GOOD.assign(weight=[3, 4])))
    assert data.frequency.tolist() == [0, 2]
    assert data.recency.tolist() == [0, 3]
    assert data.weight.tolist() == [3, 4]
    assert data.T.dtype == np.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recency": [0.0, 6.0]}, r"recency must not exceed T.*row 1: recency 6, T 5"),
        ({"recency": [0.0, -1.0]}, "recency must not be negative"),
        ({"recency": [1.0, 3.0]}, r"without repeat purchases has recency 0.*row 0"),
        ({"frequency": [0, -2]}, r"whole number.*1 of 2 rows.*row 1: frequency -2"),
        ({"frequency": [0, 1.5]}, "whole number"),
        ({"frequency": [0, 1e9]}, "whole number"),
        ({"T": [5.0, np.nan]}, r"T must be a finite number.*row 1: T nan"),
        ({"T": [5.0, np.inf]}, "T must be a finite number"),
        ({"T": ["5", "6"]}, "T must be numeric.*Convert"),
        ({"weight": [1, -1]}, r"weight must be finite and not negative.*row 1"),
    ],
)
def test_impossible_values_are_refused_with_their_rows(change, message):
    with pytest.raises(InvalidValueError, match=message):
        read_histories(GOOD.assign(**change))


def test_what_is_missing_is_said():
    with pytest.raises(MissingColumnError, match="recency, T; found: frequency"):
        read_histories(GOOD[["frequency"]])
    with pytest.raises(DataError, match="table is empty"):
        read_histories(GOOD.head(0))
    with pytest.raises(DataError, match="every weight is zero"):
        read_histories(GOOD.assign(weight=0))
    with pytest.raises(DataError, match="found list"):
        read_histories([1, 2, 3])
    with pytest.raises(InvalidValueError, match="one number for each of the 2 rows"):
        read_histories(GOOD, weights=[1.0])


def test_the_callers_table_is_not_written_to():
    before = GOOD.copy()
    data = read_histories(GOOD)
    compress(data)
    pd.testing.assert_frame_equal(GOOD, before)


def test_spends_of_silent_customers_are_not_read():
    table = pd.DataFrame({"frequency": [0, 2], "monetary_value": [np.nan, 7.0]})
    assert read_spends(table, fit=True).monetary_value.tolist() == [7.0]
    assert read_spends(table).monetary_value.tolist() == [0.0, 7.0]


def test_a_text_is_the_name_of_one_covariate():
    table = GOOD.assign(sex=1.0)
    assert list(read_histories(table, covariates="sex").covariates) == ["sex"]
    assert list(read_exposures(table, covariates="sex").covariates) == ["sex"]


def test_horizons():
    assert read_horizons(3)[0].tolist() == [3.0]
    assert read_horizons(3)[1]
    assert not read_horizons([3])[1]
    for bad in (-1, [1, np.nan], [], [[1]], np.inf):
        with pytest.raises(InvalidValueError, match="horizon"):
            read_horizons(bad)


@given(st.integers(0, 2**32 - 1))
def test_compression_keeps_every_customer(seed):
    rng = np.random.default_rng(seed)
    T = rng.integers(0, 20, 50_000)
    frequency = rng.integers(0, 4, 50_000) * (T > 0)
    recency = np.where(frequency > 0, rng.integers(0, T + 1), 0)
    table = pd.DataFrame({"frequency": frequency, "recency": recency, "T": T})
    small = compress(read_histories(table))
    assert small.size < 2000
    expected = table.groupby(["frequency", "recency", "T"]).size()
    found = pd.Series(
        small.weight.astype(int),
        index=pd.MultiIndex.from_arrays([small.frequency, small.recency, small.T]).astype("object"),
    )
    assert dict(zip(found.index, found, strict=True)) == dict(
        zip(expected.index, expected, strict=True)
    )


def test_continuous_times_are_left_as_they_are():
    table = pd.DataFrame({"frequency": 0, "recency": 0.0, "T": np.linspace(0, 9.5, 60_000)})
    assert compress(read_histories(table)).size == 60_000
