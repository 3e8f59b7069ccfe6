"""Summary: transactions in Parquet to one row a customer, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.log import AS_OF
from benchmarks.steps.common import LOG, Work, config, quiet


def _summary_facts(frequency: Any, recency: Any, T: Any, monetary: Any) -> dict[str, Any]:
    return {
        "customers": len(frequency),
        "frequency": float(np.sum(frequency)),
        "recency": float(np.sum(recency)),
        "T": float(np.sum(T)),
        "monetary_value": round(float(np.sum(monetary)), 2),
    }


def _facts_of_arrow(table: Any) -> dict[str, Any]:
    names = ("frequency", "recency", "T", "monetary_value")
    return _summary_facts(*(table[name].to_numpy() for name in names))


def read_own(folder: Path) -> Any:
    """Read, check and account for the log, then summarise it: the columns that all make."""
    from clvmodels.core import schema
    from pipelines.data import customer_days as transactions

    with transactions.load(config(folder).log, AS_OF) as data:
        return data.summary.select(schema.SUMMARY.names).to_pyarrow()


def summary_own(folder: Path) -> Work:

    return lambda: _facts_of_arrow(read_own(folder))


def read_lifetimes(folder: Path) -> Any:
    """Read the log with pandas and summarise it with lifetimes."""
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    log = pd.read_parquet(folder / LOG)
    return summary_data_from_transaction_data(
        log,
        "customer_id",
        "timestamp",
        monetary_value_col="amount",
        observation_period_end=AS_OF.isoformat(),
    )


def summary_lifetimes(folder: Path) -> Work:
    with quiet():
        import lifetimes.utils  # noqa: F401

    def work() -> dict[str, Any]:
        with quiet():
            s = read_lifetimes(folder)
        return _summary_facts(s["frequency"], s["recency"], s["T"], s["monetary_value"])

    return work


SQL = """
WITH days AS (
    SELECT customer_id, CAST("timestamp" AS DATE) AS day, sum(amount) AS amount
    FROM read_parquet($log)
    WHERE "timestamp" < $as_of + INTERVAL 1 DAY
    GROUP BY ALL
)
SELECT
    customer_id,
    count(*) - 1 AS frequency,
    CAST(max(day) - min(day) AS DOUBLE) AS recency,
    CAST($as_of - min(day) AS DOUBLE) AS T,
    CASE WHEN count(*) > 1
        THEN (sum(amount) - arg_min(amount, day)) / (count(*) - 1) ELSE 0 END AS monetary_value,
    min(day) AS first_purchase
FROM days
GROUP BY customer_id
"""
"""What a practised hand would write for this log, trusting it: no checks, no account."""


def summary_duckdb(folder: Path) -> Work:
    import duckdb

    def work() -> dict[str, Any]:
        with duckdb.connect() as connection:
            found = connection.execute(SQL, {"log": str(folder / LOG), "as_of": AS_OF})
            return _facts_of_arrow(found.to_arrow_table())

    return work
