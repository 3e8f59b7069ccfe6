"""Customers who share a history: all that cohorts are forecast from, without a single customer.

A customer's expected purchases depend on frequency, recency and T alone, and T fixes the day of
first purchase, hence the cohort. Expected spend is a straight line in the mean value of a given
number of purchases, so that the mean over the customers of one history gives their sum exactly.
Of customers with many purchases it is bounded by their own mean, and these share a history only if
they share the mean too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.rfm import DIGITS
from clvmodels.segments.values import SegmentValues
from pipelines.data.features.compression import told_apart
from pipelines.data.features.rfm import SpendFrom, spend_evidence

LEAST_PURCHASES = 30
"""Who has bought so often has an own mean value that bounds what is expected of them."""

MEAN_VALUE: dict[SpendFrom, str] = {"all": "value_all", "repeat": "value_repeat"}
"""Column that holds what a spend model reads, by the purchases that it reads."""


def histories(summary: Table, values: SegmentValues | None = None) -> pd.DataFrame:
    """Group a summary by history, in the engine.

    Parameters
    ----------
    summary : ibis Table
        Of :func:`pipelines.data.features.rfm.summary`.
    values : SegmentValues, optional
        Those that the customer models know; customers of different ones share no row.

    Returns
    -------
    DataFrame
        cohort (month of first purchase), quarter (of first purchase), frequency, recency, T,
        the dimensions of ``values``,
        weight (customers that share the row), then the mean value of their purchases, with the
        first one (value_all) and without it (value_repeat), in currency; sorted. A customer
        whose refunds exceed their purchases counts as one who spent nothing.
    """
    keys = ["cohort", "frequency", "recency", "T"]
    if values:
        summary = told_apart(summary, values)
        keys += values.dimensions
    means = {
        column: _not_negative(spend_evidence(summary, spend_from)[1])
        for spend_from, column in MEAN_VALUE.items()
    }
    many = summary.frequency >= LEAST_PURCHASES - 1
    own = {f"own_{column}": ibis.ifelse(many, value, 0.0) for column, value in means.items()}
    grouped = (
        summary.select(*keys, **means, **own)
        .group_by([*keys, *own])
        .agg(
            weight=_.count().cast("float64"),
            # rounded: the order of summation leaves no trace
            **{column: _[column].mean().round(DIGITS) for column in means},
        )
        .execute()
    )
    grouped["cohort"] = pd.to_datetime(grouped["cohort"]).astype("datetime64[s]")
    quarter = grouped["cohort"].dt.to_period("Q").dt.start_time
    grouped.insert(1, "quarter", quarter.astype("datetime64[s]"))
    return grouped.sort_values([*keys, *own], ignore_index=True).drop(columns=list(own))


def spend_table(
    table: pd.DataFrame, spend_from: SpendFrom, dimensions: Sequence[str] = ()
) -> pd.DataFrame:
    """What a spend model reads of each row: frequency, monetary_value, dimensions.

    Parameters
    ----------
    table : DataFrame
        Of :func:`histories`, or one row a customer (frequency, monetary_value, first_value).
    spend_from : {'all', 'repeat'}
        With the first purchase or without it.
    dimensions : sequence of str
        Those that the model knows.
    """
    column = MEAN_VALUE[spend_from]
    if column in table:
        count = table["frequency"] + (1 if spend_from == "all" else 0)
        mean = table[column]
    else:
        count, mean = spend_evidence(table, spend_from)
        mean = mean.clip(0)
    own = {name: table[name] for name in dimensions}
    return pd.DataFrame({"frequency": count, "monetary_value": mean, **own})


def _not_negative(value: Any) -> Any:
    return ibis.ifelse(value > 0, value, 0.0)
