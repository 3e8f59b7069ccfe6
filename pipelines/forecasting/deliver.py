"""Write a forecast to files: customers and cohorts, with tiers, segments and totals."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from ibis.expr.types import Table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.months import MonthGrid
from clvmodels.finance.clv import UnitEconomics
from pipelines.data.features import CohortHistory, Snapshot, histories, scoring_table
from pipelines.data.privacy import Pseudonyms
from pipelines.forecasting.delivered import Label, write_cohorts
from pipelines.forecasting.levelling import CohortLevel, cohort_level
from pipelines.forecasting.rfm.found import RfmFound, RfmRun, found
from pipelines.forecasting.rfm.scores import limits_of, with_scores
from pipelines.forecasting.scorer import CUSTOMER_SCHEMA, Scorer
from pipelines.forecasting.tiers import tier_of
from pipelines.forecasting.totals import (
    cohort_table,
    month_table,
    segment_table,
    tier_table,
    totals,
)
from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.lookup import engine_of
from pipelines.training.fit import Fitted

Embedded = Callable[[], AbstractContextManager[Engine]]

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
    rfm : RfmFound
        Sizes, value and moves of RFM segments.
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
    rfm: RfmFound
    segments: pd.DataFrame
    months: pd.DataFrame
    totals: pd.DataFrame
    corrections: pd.DataFrame
    forecaster: CohortForecaster | None
    customers: int
    mean_clv: float


def write(
    fitted: Fitted,
    snapshot: Snapshot,
    history: CohortHistory,
    grid: MonthGrid,
    folder: Path,
    *,
    label: Label,
    valuation: UnitEconomics,
    churn_horizon_days: int,
    rfm: RfmRun,
    names: Pseudonyms | None = None,
    embedded: Embedded | None = None,
) -> Delivered:
    """Score every customer known at the snapshot's day and write both forecast tables.

    Customers who may only be counted in aggregate are in the cohorts, but never in a row of
    their own, a tier or a segment. On Spark the executors score and write: no customer reaches the
    driver. From every other engine they are streamed in batches.

    Parameters
    ----------
    fitted : Fitted
    snapshot : Snapshot
    history : CohortHistory
        Of the snapshot.
    grid : MonthGrid
        From the snapshot's day over the horizon.
    folder : Path
        An existing folder; customers.parquet and cohorts.parquet are written into it. The former
        is one file in the order of customer_id; on Spark a folder of files, in no order.
    label : Label
        Whose forecast it is.
    valuation : UnitEconomics
        What a purchase is valued by (:func:`pipelines.data.margins.valuation`).
    churn_horizon_days : int
        Churn is no purchase within so many days.
    rfm : RfmRun
        What RFM scores go by, and the forecast before.
    names : Pseudonyms, optional
        In the place of the customers' ids.
    embedded : callable, optional
        Opens the DuckDB that ranks what was scored from another database.
    """
    known = None if fitted.segments is None else fitted.segments.values
    level = cohort_level(fitted, histories(snapshot.summary, known), history, grid)
    cohorts = _write_cohorts(level, valuation.margin, label, folder / COHORTS)
    table = scoring_table(snapshot)
    score = Scorer.of(
        fitted,
        level,
        grid,
        table,
        valuation=valuation,
        churn_horizon_days=churn_horizon_days,
        names=names,
    )
    with _scored(table, score, folder, embedded) as scored:
        groups = _write_customers(scored, folder / CUSTOMERS, rfm, valuation.margin)
    return _summed(level, cohorts, groups, valuation)


class _Groups(NamedTuple):
    """What is said of scored customers together."""

    tiers: pd.DataFrame
    rfm: RfmFound
    segments: pd.DataFrame


def _summed(
    level: CohortLevel, cohorts: pd.DataFrame, groups: _Groups, valuation: UnitEconomics
) -> Delivered:
    """Say of a written forecast what holds no single customer."""
    customers = int(groups.tiers["customers"].sum())
    return Delivered(
        grid=level.grid,
        cohorts=cohorts,
        **groups._asdict(),
        months=month_table(cohorts, level, valuation.margin),
        totals=totals(cohorts, level, level.grid, valuation),
        corrections=level.corrections,
        forecaster=level.forecaster,
        customers=customers,
        mean_clv=float(groups.tiers["clv"].sum() / customers) if customers else 0.0,
    )


def _write_cohorts(level: CohortLevel, margin: float, label: Label, path: Path) -> pd.DataFrame:
    """Write the cohorts' forecast, whatever else lies there, and return it."""
    cohorts = cohort_table(level, margin)
    _remove(path)
    write_cohorts(cohorts, label, path)
    return cohorts


def _write_customers(scored: Table, path: Path, rfm: RfmRun, margin: float) -> _Groups:
    """Rank scored customers and write them; return their groups."""
    engine = engine_of(scored)
    limits = limits_of(scored, rfm.section)
    ranked = with_scores(scored.mutate(tier=tier_of(scored)), limits, rfm.section)
    _remove(path)
    told = ranked.mutate(
        frequency=ranked.frequency.cast("int64"),
        days_since_last=ranked.time_since_last.cast("int64"),
        customer_age=ranked["T"].cast("int64"),
        usual_gap=ranked.gap_mean,
        spend_to_date=ranked.spend_total,
    )
    final = engine.ordered(told.select(CUSTOMER_SCHEMA.names), "customer_id")
    engine.write(final, CUSTOMER_SCHEMA, path)
    return _Groups(
        tier_table(ranked), found(ranked, rfm, limits, margin), segment_table(scored, margin)
    )


@contextmanager
def _scored(
    table: Table, score: Scorer, folder: Path, embedded: Embedded | None
) -> Iterator[Table]:
    """Score a table into a file that goes with the ``with`` block, and open it in an engine.

    Spark reads what its executors have written; for every other source an embedded DuckDB does.
    """
    path = folder / f".{CUSTOMERS}"
    with ExitStack() as stack:
        stack.callback(_remove, path)
        # In a fixed order, so that equal runs score equal batches, to the last bit.
        engine = engine_of(table)
        engine.write_scored(engine.ordered(table, "customer_id"), score, score.schema, path)
        if embedded is not None and not engine.reads_files:
            engine = stack.enter_context(embedded())
        yield stack.enter_context(engine.opened(path))


def _remove(path: Path) -> None:
    """Remove what one engine writes as a file and another as a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
