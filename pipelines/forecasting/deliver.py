"""Write a forecast to files: customers and cohorts, with tiers, segments and totals."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.months import MonthGrid
from pipelines.config.load import Config
from pipelines.data.features import cohorts as features
from pipelines.data.features.histories import histories
from pipelines.data.margins import Margin
from pipelines.forecasting import customers as forecast
from pipelines.forecasting import delivered
from pipelines.forecasting.levelling import cohort_level
from pipelines.forecasting.scorer import CUSTOMER_SCHEMA, Scorer
from pipelines.forecasting.tiers import tier_of
from pipelines.forecasting.totals import (
    cohort_table,
    month_table,
    segment_table,
    tier_table,
    totals,
)
from pipelines.sources import read as sources
from pipelines.sources.dialect import held
from pipelines.sources.engines import batches
from pipelines.training import snapshot as training_data
from pipelines.training.fit import Fitted

CUSTOMERS = "customers.parquet"
COHORTS = "cohorts.parquet"


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
        dimension, value, customers, ltv_revenue (revenue to date per customer), ltv_margin (the
        recorded margin to date; revenue times the configured rate where none is recorded),
        clv (forecast, per customer), churn (mean churn probability).
    months : DataFrame
        All cohorts together: period, purchases, revenue, margin, each with _low and _high.
    totals : DataFrame
        quantity, value, low, high over the horizon.
    corrections : DataFrame
        Of :class:`pipelines.forecasting.levelling.CohortLevel`.
    forecaster : CohortForecaster, optional
        As of the grid's as-of date; None where [train] cohort_level is off.
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
    forecaster: CohortForecaster | None
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
    cohort_months: pd.DataFrame | None = None,
    margin: Margin | None = None,
) -> Delivered:
    """Score every customer known at the grid's as-of date and write both forecast tables.

    Customers who may only be counted in aggregate are in the cohorts, but never in a row of
    their own, a tier or a segment. On Spark the executors score and write: no customer reaches the
    driver. From every other engine they are streamed in batches.

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
        An existing folder; customers.parquet and cohorts.parquet are written into it. The former
        is one file in the order of customer_id; on Spark a folder of files, in no order.
    config : Config
    summary : ibis Table, optional
        The summary of everybody at the grid's as-of date where it is at hand, such as
        ``Dataset.summary``; otherwise it is evaluated here, once.
    cohort_months : DataFrame, optional
        The purchases by cohort and month up to that date where they are at hand, such as
        ``TrainingData.cohort_months``; otherwise they are counted here.
    margin : Margin, optional
        What the run goes by; by default the configuration's own.
    """
    margin = margin or Margin.configured(config)
    if summary is None:
        with held(features.summary(purchases, grid.as_of, people="all")) as made:
            given = (fitted, purchases, first_date, grid, folder, config, made)
            return write(*given, cohort_months, margin)
    if cohort_months is None:
        cohort_months = features.cohort_months(purchases, grid.as_of, summary=summary)
    level = cohort_level(fitted, histories(summary), grid, cohort_months, first_date)
    table = training_data.scoring_table(purchases, grid.as_of, summary)
    cohorts = cohort_table(level, margin)
    _remove(folder / COHORTS)  # whatever else lies there
    delivered.write_cohorts(cohorts, delivered.Label.of(config, grid.as_of), folder / COHORTS)
    score = Scorer.of(fitted, level, grid, config, table, margin)
    with _scored(purchases.get_backend(), table, score, folder, config) as (engine, scored):
        ranked = scored.mutate(tier=tier_of(scored))
        _remove(folder / CUSTOMERS)
        final = ranked.select(CUSTOMER_SCHEMA.names)
        if engine.name != "pyspark":
            final = final.order_by("customer_id")
        batches.write(engine, final, CUSTOMER_SCHEMA, folder / CUSTOMERS)
        tiers = tier_table(ranked)
        segments = segment_table(scored, margin)
    customers = int(tiers["customers"].sum())
    return Delivered(
        grid=grid,
        cohorts=cohorts,
        tiers=tiers,
        segments=segments,
        months=month_table(cohorts, level, margin),
        totals=totals(cohorts, level, grid, forecast.unit_economics(config.economics, margin)),
        corrections=level.corrections,
        forecaster=level.forecaster,
        customers=customers,
        mean_clv=float(tiers["clv"].sum() / customers) if customers else 0.0,
    )


@contextmanager
def _scored(
    connection: BaseBackend, table: Table, score: Scorer, folder: Path, config: Config
) -> Iterator[tuple[BaseBackend, Table]]:
    """Score a table into a file that goes with the ``with`` block, and open it in an engine.

    Spark reads what its executors have written; for every other source an embedded DuckDB does.
    """
    path = folder / f".{CUSTOMERS}"
    with ExitStack() as stack:
        stack.callback(_remove, path)
        # In a fixed order, so that equal runs score equal batches, to the last bit.
        ordered = table if connection.name == "pyspark" else table.order_by("customer_id")
        batches.write_scored(connection, ordered, score, score.schema, path)
        engine = connection
        if connection.name not in ("duckdb", "pyspark"):
            engine = stack.enter_context(sources.embedded(config))
        yield engine, stack.enter_context(batches.opened(engine, path))


def _remove(path: Path) -> None:
    """Remove what one engine writes as a file and another as a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
