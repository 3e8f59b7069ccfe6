"""A dataframe to the RFM summary: the same numbers as the engine's, and clear refusals."""

import datetime as dt
import doctest

import example_logs as logs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels import rfm_summary
from clvmodels.core import rfm
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError
from clvmodels.core.schema import SUMMARY
from pipelines.data import customer_days as transactions

NAMES = {"customer_id": "who", "timestamp": "when", "amount": "paid"}


def by_engine(log: pd.DataFrame, folder, as_of: dt.date | None) -> pd.DataFrame:
    """What the pipelines make of the same rows."""
    log.to_parquet(folder / "log.parquet")
    source = {"kind": "parquet", "path": str(folder / "log.parquet")}
    columns = NAMES | {"amount": "paid"}
    settings = logs.config(source, columns=columns)
    with transactions.load(settings.log, as_of) as data:
        frame = data.summary.select(SUMMARY.names).order_by("customer_id").to_pandas()
    return frame.astype({"first_purchase": "datetime64[ns]"})


def shop(seed: int, customers: int = 40) -> pd.DataFrame:
    """Several lines a day, refunds of all kinds, nothings, ties."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 15, customers).sum()
    return pd.DataFrame(
        {
            "who": [f"C{at:03d}" for at in rng.integers(0, customers, rows)],
            "when": pd.Timestamp("2023-01-01")
            + pd.to_timedelta(rng.integers(0, 90, rows), "D")
            + pd.to_timedelta(rng.integers(0, 86_400, rows), "s"),
            "paid": rng.choice([10.0, 12.34, 0.1, 0.2, 0.0, -5.0, -12.34], rows),
        }
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("as_of", [None, dt.date(2023, 2, 14)])
def test_the_same_numbers_as_the_engine_s(tmp_path, seed, as_of):
    log = shop(seed)
    found = rfm_summary(log, **NAMES, as_of=as_of)
    expected = by_engine(log, tmp_path, as_of)
    found = found.astype({"first_purchase": "datetime64[ns]"})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=1e-9)
    assert len(found) > 10
    assert (found["monetary_value"] > 0).any()


@pytest.mark.parametrize("kind", [pl.from_pandas, pa.Table.from_pandas])
def test_any_dataframe(kind):
    log = shop(1)
    pd.testing.assert_frame_equal(
        rfm_summary(log, **NAMES), rfm_summary(kind(log), **NAMES), check_dtype=False
    )


@given(st.integers(0, 10_000))
def test_the_order_of_rows_leaves_no_trace(seed):
    log = shop(seed)
    shuffled = log.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(rfm_summary(log, **NAMES), rfm_summary(shuffled, **NAMES))


def test_a_zone_s_own_calendar_counts():
    late = pd.DataFrame(
        {"who": ["a", "a"], "when": ["2024-01-01T23:30:00", "2024-01-03T00:10:00"], "paid": [1, 1]}
    )
    zoned = late.assign(when=pd.to_datetime(late["when"]).dt.tz_localize("America/New_York"))
    assert rfm_summary(zoned, **NAMES)["recency"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("who", None, r"column who needs an id in every row; 1 of 3"),
        ("when", "soon", r"column when needs a date or time in every row; 1 of 3 .*row 1: 'soon'"),
        ("paid", "ten", r"column paid needs a finite number .*row 1: 'ten'"),
        ("paid", np.inf, r"finite number"),
    ],
)
def test_a_value_that_cannot_be_read_is_shown(column, value, message):
    log = pd.DataFrame(
        {"who": ["a", "b", "c"], "when": ["2024-01-01"] * 3, "paid": [1.0, 2.0, 3.0]}
    ).astype(object)
    log.loc[1, column] = value
    with pytest.raises(InvalidValueError, match=message):
        rfm_summary(log, **NAMES)


def test_what_cannot_be_summed_is_refused():
    log = pd.DataFrame({"who": ["a"], "when": ["2024-01-01"], "paid": [-1.0]})
    with pytest.raises(DataError, match="no purchase is left of the log's 1 rows"):
        rfm_summary(log, **NAMES)
    with pytest.raises(MissingColumnError, match="the log needs the column customer_id"):
        rfm_summary(log, timestamp="when", amount="paid")


def test_its_example_runs():
    assert doctest.testmod(rfm).failed == 0
