"""Write a forecast to files: customers and cohorts, with tiers, segments and totals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table
from numpy.typing import NDArray

from clvmodels.months import MonthGrid
from clvmodels.value import TIER_NAMES, discount_factors, value_tiers
from pipelines import features, forecast, train
from pipelines.config import Config
from pipelines.lines import DIMENSIONS
from pipelines.privacy import pseudonyms
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
    totals : DataFrame
        quantity, value, low, high over the horizon.
    customers : int
        Scored one by one.
    mean_clv, mean_churn : float
        Over the scored customers: CLV in currency, churn probability.
    """

    grid: MonthGrid
    cohorts: pd.DataFrame
    tiers: pd.DataFrame
    segments: pd.DataFrame
    totals: pd.DataFrame
    customers: int
    mean_clv: float
    mean_churn: float


def write(
    fitted: Fitted, purchases: Table, grid: MonthGrid, folder: Path, config: Config
) -> Delivered:
    """Score every customer known at the grid's as-of date and write both forecast tables.

    Customers who may only be counted in aggregate are in the cohorts, but never in a row of
    their own, a tier or a segment.

    Parameters
    ----------
    fitted : Fitted
    purchases : ibis Table
        schema.PURCHASES.
    grid : MonthGrid
        From the as-of date over the horizon.
    folder : Path
        An existing folder; customers.parquet and cohorts.parquet are written into it.
    """
    sums = _Sums(config)
    names = pseudonyms(config)
    unranked = folder / f".{CUSTOMERS}"
    with pq.ParquetWriter(unranked, CUSTOMER_SCHEMA) as writer:
        # In a fixed order, so that equal runs write equal files and equal CLVs equal tiers.
        table = train.scoring_table(purchases, grid.as_of).order_by("customer_id")
        for summary in forecast.batches(table):
            scored, months = forecast.score(fitted, summary, grid, config)
            sums.add_cohorts(forecast.cohort_sums(summary["cohort"], months, grid))
            sums.add_customers(summary, scored)
            if names is not None:
                scored["customer_id"] = names.of_all(scored["customer_id"])
            writer.write_table(_arrow(scored.assign(tier=None)))
    for summary in forecast.batches(features.summary(purchases, grid.as_of, people="aggregate")):
        months = forecast.customer_months(fitted, summary, grid)
        sums.add_cohorts(forecast.cohort_sums(summary["cohort"], months, grid))
    tier = value_tiers(sums.clv())
    with pq.ParquetWriter(folder / CUSTOMERS, CUSTOMER_SCHEMA) as writer:
        start = 0
        for batch in pq.ParquetFile(unranked).iter_batches(forecast.BATCH_ROWS):
            part = pa.array(tier[start : start + batch.num_rows], pa.string())
            start += batch.num_rows
            table = pa.Table.from_batches([batch])
            writer.write_table(table.set_column(table.num_columns - 1, "tier", part))
    unranked.unlink()
    cohorts = sums.cohort_table()
    cohorts.to_parquet(folder / COHORTS, index=False)
    return Delivered(
        grid=grid,
        cohorts=cohorts,
        tiers=sums.tier_table(tier),
        segments=sums.segment_table(),
        totals=sums.totals(grid),
        customers=len(tier),
        mean_clv=float(sums.clv().mean()),
        mean_churn=sums.churn / len(tier),
    )


def _arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, CUSTOMER_SCHEMA, preserve_index=False)


class _Sums:
    """Sums over customer batches: all that is kept of them in memory."""

    def __init__(self, config: Config) -> None:
        self._economics = config.economics
        self.churn = 0.0
        self._values: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._cohorts: list[pd.DataFrame] = []
        self._segments: list[pd.DataFrame] = []

    def add_cohorts(self, cohorts: pd.DataFrame) -> None:
        """Add a batch's sums by cohort and month."""
        self._cohorts.append(cohorts)

    def add_customers(self, summary: pd.DataFrame, scored: pd.DataFrame) -> None:
        """Add a batch of scored customers."""
        self._values.append(
            (scored["clv"].to_numpy(float), scored["expected_revenue"].to_numpy(float))
        )
        self.churn += float(scored["churn_probability"].sum())
        figures = pd.DataFrame(
            {
                "customers": 1,
                "ltv_revenue": summary["spend_total"].to_numpy(float),
                "expected_revenue": scored["expected_revenue"],
                "clv": scored["clv"],
                "churn": scored["churn_probability"],
            }
        )
        for name in DIMENSIONS:
            if name in summary:
                value = summary[name].fillna("(none)").rename("value")
                part = figures.groupby(value.to_numpy()).sum().rename_axis("value").reset_index()
                self._segments.append(part.assign(dimension=name))

    def clv(self) -> NDArray[np.float64]:
        """CLV of all customers, in the order of the batches."""
        return np.concatenate([clv for clv, _ in self._values])

    def cohort_table(self) -> pd.DataFrame:
        """schema.COHORT_FORECAST: cohort sums of all batches."""
        sums = pd.concat(self._cohorts).groupby(["cohort", "period"], as_index=False).sum()
        sums["margin"] = sums["revenue"] * self._economics.margin
        names = [
            f"{q}{end}" for q in ("purchases", "revenue", "margin") for end in ("", "_low", "_high")
        ]
        return sums.reindex(columns=["cohort", "period", *names])

    def tier_table(self, tier: NDArray[np.str_]) -> pd.DataFrame:
        """Customers, CLV and expected revenue by tier, best tier first."""
        revenue = np.concatenate([revenue for _, revenue in self._values])
        table = pd.DataFrame({"tier": tier, "clv": self.clv(), "expected_revenue": revenue})
        grouped = table.groupby("tier").agg(
            customers=("clv", "size"),
            clv=("clv", "sum"),
            expected_revenue=("expected_revenue", "sum"),
        )
        order = [name for name in TIER_NAMES if name in grouped.index]
        grouped["share_of_clv"] = grouped["clv"] / grouped["clv"].sum()
        return grouped.loc[order].reset_index()

    def segment_table(self) -> pd.DataFrame:
        """LTV to date, forecast CLV and churn per customer, by dimension and value."""
        if not self._segments:
            return pd.DataFrame()
        sums = pd.concat(self._segments).groupby(["dimension", "value"], as_index=False).sum()
        for name in ("ltv_revenue", "expected_revenue", "clv", "churn"):
            sums[name] /= sums["customers"]
        sums["ltv_margin"] = sums["ltv_revenue"] * self._economics.margin
        return sums.sort_values(["dimension", "customers"], ascending=[True, False])

    def totals(self, grid: MonthGrid) -> pd.DataFrame:
        """Totals over the horizon, of all customers; CLV is linear in a cohort's months."""
        cohorts = self.cohort_table()
        values = {q: float(cohorts[q].sum()) for q in ("purchases", "revenue", "margin")}
        economics = self._economics
        days = cohorts["period"].map(dict(zip(grid.index(), grid.midpoints, strict=True)))
        net = cohorts["margin"] - cohorts["purchases"] * economics.cost_to_serve
        discount = discount_factors(days, economics.annual_discount_rate)
        values["clv"] = float((net * discount).sum())
        return pd.DataFrame(
            {
                "quantity": list(values),
                "value": list(values.values()),
                "low": np.nan,
                "high": np.nan,
            }
        )
