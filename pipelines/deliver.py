"""Write a forecast to files: customers and cohorts, with tiers, segments and totals."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table
from numpy.typing import NDArray

from clvmodels.months import MonthGrid
from clvmodels.value import value_tiers
from pipelines import features, forecast, training_data
from pipelines.batches import BATCH_ROWS
from pipelines.cohort_level import cohort_level
from pipelines.config import Config
from pipelines.dialect import held
from pipelines.histories import histories
from pipelines.privacy import pseudonyms
from pipelines.sums import CustomerSums, cohort_table, month_table, totals
from pipelines.train import Fitted

CUSTOMERS = "customers.parquet"
COHORTS = "cohorts.parquet"

CUSTOMER_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("cohort", pa.date32()),
        *(
            pa.field(name, pa.float64())
            for name in (
                "probability_alive",
                "churn_probability",
                "expected_purchases",
                "expected_spend",
                "expected_revenue",
                "clv",
                "clv_low",
                "clv_high",
            )
        ),
        pa.field("tier", pa.string()),
    ]
)
"""schema.CUSTOMER_FORECAST as Parquet types."""


@dataclass(frozen=True)
class Delivered:
    """What a written forecast says, without single customers.

    Attributes
    ----------
    grid : MonthGrid
    cohorts : DataFrame
        schema.COHORT_FORECAST.
    tiers : DataFrame
        tier, customers, clv, expected_revenue, share_of_clv.
    segments : DataFrame
        dimension, value, customers, ltv_revenue (revenue to date per customer), ltv_margin,
        clv (forecast, per customer), churn (mean churn probability).
    months : DataFrame
        All cohorts together: period, purchases, revenue, margin, each with _low and _high.
    totals : DataFrame
        quantity, value, low, high over the horizon.
    corrections : DataFrame
        Of :class:`pipelines.cohort_level.CohortLevel`.
    customers : int
        Scored one by one.
    mean_clv : float
        Over the scored customers, in currency.
    """

    grid: MonthGrid
    cohorts: pd.DataFrame
    tiers: pd.DataFrame
    segments: pd.DataFrame
    months: pd.DataFrame
    totals: pd.DataFrame
    corrections: pd.DataFrame
    customers: int
    mean_clv: float


def write(
    fitted: Fitted,
    purchases: Table,
    first_date: dt.date,
    grid: MonthGrid,
    folder: Path,
    config: Config,
    summary: Table | None = None,
) -> Delivered:
    """Score every customer known at the grid's as-of date and write both forecast tables.

    Customers who may only be counted in aggregate are in the cohorts, but never in a row of
    their own, a tier or a segment.

    Parameters
    ----------
    fitted : Fitted
    purchases : ibis Table
        schema.PURCHASES.
    first_date : date
        First day of the log.
    grid : MonthGrid
        From the as-of date over the horizon.
    folder : Path
        An existing folder; customers.parquet and cohorts.parquet are written into it.
    config : Config
    summary : ibis Table, optional
        The summary of everybody at the grid's as-of date where it is at hand, such as
        ``Dataset.summary``; otherwise it is evaluated here, once.
    """
    if summary is None:
        with held(features.summary(purchases, grid.as_of, people="all")) as made:
            return write(fitted, purchases, first_date, grid, folder, config, made)
    base = forecast.history_sums(fitted, histories(summary), grid)
    known = features.cohort_months(purchases, grid.as_of)
    level = cohort_level(fitted, base, grid, known, first_date)
    sums = CustomerSums(config.economics)
    names = pseudonyms(config)
    unranked = folder / f".{CUSTOMERS}"
    with pq.ParquetWriter(unranked, CUSTOMER_SCHEMA) as writer:
        # In a fixed order, so that equal runs write equal files and equal CLVs equal tiers.
        table = training_data.scoring_table(purchases, grid.as_of, summary).order_by("customer_id")
        for batch in forecast.batches(table):
            alone = forecast.customer_months(fitted, batch, grid)
            months = level.apply(batch["cohort"], alone)
            scored = forecast.score(fitted, batch, months, grid, config)
            sums.add(batch, scored)
            if names is not None:
                scored["customer_id"] = names.of_all(scored["customer_id"])
            writer.write_table(_arrow(scored.assign(tier=None)))
    tier = value_tiers(sums.clv)
    _add_tiers(unranked, folder / CUSTOMERS, tier)
    unranked.unlink()
    cohorts = cohort_table(base, level, config.economics)
    cohorts.to_parquet(folder / COHORTS, index=False)
    return Delivered(
        grid=grid,
        cohorts=cohorts,
        tiers=sums.tiers(tier),
        segments=sums.segments(),
        months=month_table(cohorts, level, config.economics),
        totals=totals(cohorts, level, grid, config.economics),
        corrections=level.corrections,
        customers=len(tier),
        mean_clv=float(sums.clv.mean()) if len(tier) else 0.0,
    )


def _add_tiers(source: Path, target: Path, tier: NDArray[np.str_]) -> None:
    with pq.ParquetFile(source) as unranked, pq.ParquetWriter(target, CUSTOMER_SCHEMA) as writer:
        start = 0
        for batch in unranked.iter_batches(BATCH_ROWS):
            part = pa.array(tier[start : start + batch.num_rows], pa.string())
            start += batch.num_rows
            table = pa.Table.from_batches([batch])
            writer.write_table(table.set_column(table.num_columns - 1, "tier", part))


def _arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, CUSTOMER_SCHEMA, preserve_index=False)
