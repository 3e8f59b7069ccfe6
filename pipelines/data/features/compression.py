"""Customers who share what a fit reads, counted together; and a sample of the customers."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import StringValue, Table

from clvmodels.core.arguments import column_names
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.rfm import DIGITS
from clvmodels.segments.values import NONE, OTHERS, SegmentValues
from pipelines.data.features.rfm import SpendFrom, dimensions, spend_evidence
from pipelines.sources.dialect import md5

SPEND_CUSTOMERS = 1_000_000
"""Mean values of so many customers are kept apart to the last digit."""

PARTS_OF_VALUE = 1000
"""Beyond, those share a row whose logarithms share a part of 1 / 1000. The log-likelihood errs by a
term of second order in that: about p / 24,000,000 a purchase, p the Gamma-Gamma shape."""


def compress(table: Table, by: Sequence[str] = ()) -> pd.DataFrame:
    """Group a summary to its distinct (frequency, recency, T), in the engine.

    Parameters
    ----------
    table : ibis Table
        Of :func:`pipelines.data.features.rfm.summary` or ``history``.
    by : sequence of str
        Further columns to tell customers apart by.

    Returns
    -------
    DataFrame
        ``schema.COMPRESSED_SUMMARY``, sorted; ``weight`` counts the customers that share a row.
    """
    return _sorted_frame(table, ["frequency", "recency", "T", *column_names(by, "by")])


def segment_values(summary: Table) -> SegmentValues:
    """Count customers by dimension and value, in the engine, and take the values told apart."""
    counts = {}
    for name in dimensions(summary):
        by_value = summary.group_by(value=summary[name].fill_null(NONE)).agg(customers=_.count())
        frame = by_value.execute()
        counts[name] = dict(zip(frame["value"], frame["customers"].astype(float), strict=True))
    return SegmentValues.of(counts)


def told_apart(table: Table, values: SegmentValues) -> Table:
    """Name what is not told apart :data:`clvmodels.segments.values.OTHERS`, in each dimension."""
    named = {}
    for name, shares in values.shares.items():
        value = table[name].fill_null(NONE)
        named[name] = ibis.ifelse(value.isin(list(shares)), value, OTHERS)
    return table.mutate(**named) if named else table


def compress_spend(
    table: Table, spend_from: SpendFrom = "repeat", by: Sequence[str] = ()
) -> pd.DataFrame:
    """Group a summary to its distinct numbers of purchases and mean values.

    Customers without such a purchase, or whose purchases net to nothing, say nothing about the
    mean value of a purchase and are left out (Gamma-Gamma is defined on positive values).

    Parameters
    ----------
    table : ibis Table
        Of :func:`pipelines.data.features.rfm.summary`.
    spend_from : {'repeat', 'all'}
        Whether the first purchase counts.
    by : sequence of str
        Further columns to tell customers apart by.

    Returns
    -------
    DataFrame
        frequency, monetary_value, ``by``, weight, sorted. Of more than :data:`SPEND_CUSTOMERS`
        customers, those with as many purchases and nearly the same mean value share a row and
        their mean.
    """
    count, mean = spend_evidence(table, spend_from)
    evidence = table.select(frequency=count, monetary_value=mean, **{n: table[n] for n in by})
    evidence = evidence.filter((evidence.frequency > 0) & (evidence.monetary_value > 0))
    if int(evidence.count().execute()) <= SPEND_CUSTOMERS:
        return _sorted_frame(evidence, ["frequency", "monetary_value", *by])
    parts = evidence.mutate(part=(evidence.monetary_value.ln() * PARTS_OF_VALUE).floor())
    grouped = parts.group_by("frequency", "part", *by).agg(
        monetary_value=_.monetary_value.mean().round(DIGITS),
        weight=_.count().cast("float64"),
    )
    keys = ["frequency", "monetary_value", *by]
    return grouped.drop("part").execute().sort_values(keys, ignore_index=True)


def sample_customers(table: Table, share: float) -> Table:
    """Keep about a share of the customers: the same ones on every engine, in every run.

    Parameters
    ----------
    table : ibis Table
        With a column customer_id; all rows of a customer are kept, or none. A column ``digest``
        (:func:`digest`) saves computing it.
    share : float
        In (0, 1]; 1 keeps everyone.
    """
    if not 0 < share <= 1:
        raise InvalidValueError(f"share must be in (0, 1]; found {share}")
    if share == 1:
        return table
    drawn = table.digest if "digest" in table.columns else digest(table.customer_id)
    return table.filter(drawn < f"{int(share * 16**8):08x}")


def digest(customer_id: StringValue) -> StringValue:
    """Return eight hexadecimal digits that spread customers evenly, alike on every engine."""
    return md5(customer_id).substr(0, 8)


def _sorted_frame(table: Table, keys: list[str]) -> pd.DataFrame:
    grouped = table.group_by(keys).agg(weight=_.count()).execute()
    grouped["weight"] = grouped["weight"].astype("float64")
    return grouped.sort_values(keys, ignore_index=True)
