"""The function that scores customers wherever they are: in this process or on Spark's executors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import pandas as pd
import pyarrow as pa
from ibis.expr.types import Table

from clvmodels.core.months import MonthGrid
from clvmodels.core.rfm import DIGITS
from clvmodels.core.schema import CUSTOMER_FORECAST
from clvmodels.finance.clv import UnitEconomics
from clvmodels.numerics.threads import one_blas_thread
from pipelines.data.features.drivers import Drivers
from pipelines.data.features.rfm import dimensions
from pipelines.data.privacy import Pseudonyms
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.levelling import CohortLevel
from pipelines.training.fit import Fitted

CUSTOMER_SCHEMA = CUSTOMER_FORECAST.arrow()
"""schema.CUSTOMER_FORECAST as Parquet types."""

HISTORY = (
    "time_since_last", "frequency", "T", "gap_mean", "spend_total", "spend_mean", "margin_total"
)  # fmt: skip
"""What customers did to date, passed on where known: RFM scores and sums of segments are of it."""

ADDED = (
    "tier", "r_score", "f_score", "m_score", "rfm_segment",
    "frequency", "days_since_last", "customer_age", "usual_gap", "spend_to_date",
)  # fmt: skip
"""Columns of the customer forecast that need all customers, or are of the history passed on."""


@dataclass(frozen=True)
class Scorer:
    """Customers' histories in, their forecast out, row by row; small enough to be sent around.

    Attributes
    ----------
    fitted : Fitted
        Without the cohort forecast, of which only the factors of ``level`` are needed.
    level : CohortLevel
        Its factors alone.
    grid : MonthGrid
    valuation : UnitEconomics
        What a purchase is valued by.
    churn_horizon_days : int
        Churn is no purchase within so many days.
    names : Pseudonyms, optional
        Applied where the customers are; the key travels with them.
    dimensions : tuple of str
        Those that the table to be scored holds; passed on for the segments.
    history : tuple of str
        Those of :data:`HISTORY` that the table holds.
    """

    fitted: Fitted
    level: CohortLevel
    grid: MonthGrid
    valuation: UnitEconomics
    churn_horizon_days: int
    names: Pseudonyms | None
    dimensions: tuple[str, ...]
    history: tuple[str, ...]

    @classmethod
    def of(
        cls,
        fitted: Fitted,
        level: CohortLevel,
        grid: MonthGrid,
        table: Table,
        *,
        valuation: UnitEconomics,
        churn_horizon_days: int,
        names: Pseudonyms | None = None,
    ) -> Self:
        """Leave out what no customer's score depends on.

        Parameters
        ----------
        table : ibis Table
            What is to be scored, of :func:`pipelines.data.features.churn.scoring_table`.
        """
        return cls(
            replace(fitted, cohorts=None, notes=(), drivers=Drivers()),
            replace(
                level,
                cells=pd.DataFrame(),
                forecaster=None,
                corrections=pd.DataFrame(),
                drivers=None,
            ),
            grid,
            valuation,
            churn_horizon_days,
            names,
            tuple(dimensions(table)),
            tuple(name for name in HISTORY if name in table.columns),
        )

    @property
    def schema(self) -> pa.Schema:
        """The customer forecast without groups, then the history to date and the dimensions."""
        forecast_only = [field for field in CUSTOMER_SCHEMA if field.name not in ADDED]
        extra = [(name, pa.float64()) for name in self.history]
        extra += [(name, pa.string()) for name in self.dimensions]
        return pa.schema([*forecast_only, *(pa.field(*field) for field in extra)])

    @one_blas_thread
    def __call__(self, batch: pa.Table) -> pa.Table:
        """Score some rows of the table."""
        summary = batch.to_pandas(date_as_object=False)
        months = self.level.customer_months(self.fitted, summary)
        scored = forecast.score(
            self.fitted,
            summary,
            months,
            self.grid,
            valuation=self.valuation,
            churn_horizon_days=self.churn_horizon_days,
        )
        # Equal histories are worth the same in whatever batch they were: their tie goes by id. The
        # ends go with it, or an interval drawn out to the mean would end short of it.
        worth = ["clv", "clv_low", "clv_high"]
        scored[worth] = scored[worth].round(DIGITS)
        if self.names is not None:
            scored["customer_id"] = self.names.of_all(scored["customer_id"])
        for name in self.history:
            scored[name] = summary[name].astype("float64")
        for name in self.dimensions:
            scored[name] = summary[name]
        return pa.Table.from_pandas(scored, self.schema, preserve_index=False)
