"""Forecast from past origins with what was known then, and compare with what happened after.

Every origin is read from the engine first and judged in a process of its own. A forecast sees
only :class:`~pipelines.backtesting.candidates.Known`; the truth is opened when it is finished.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from clvmodels.core.errors import ConfigError
from clvmodels.core.months import month_grid
from clvmodels.core.schema import METRICS, QUANTITIES
from clvmodels.numerics.threads import one_blas_thread
from pipelines.backtesting import customer_scores
from pipelines.backtesting.accuracy import Accuracy
from pipelines.backtesting.candidates import FORECASTS, Compared, Known
from pipelines.backtesting.cell_scores import cell_scores, with_actuals
from pipelines.backtesting.margin_and_clv import ValuationAt, valued, with_margin_and_clv
from pipelines.backtesting.origins import choose_origins
from pipelines.backtesting.segment_scores import segment_cells, segment_scores
from pipelines.config.load import Backtest, Train
from pipelines.console import Progress
from pipelines.data import features
from pipelines.data.features.drivers import DriversAt
from pipelines.data.features.snapshot import Snapshot
from pipelines.forecasting import new_customers as budget
from pipelines.training import fit as train
from pipelines.training import training_data

CUSTOMER_MODELS = (Compared.CLV, Compared.LIFETIMES)
"""Models whose calibration by decile is kept."""

CUSTOMERS = 100_000
"""Customer-level figures are of a sample of at most about so many customers an origin."""


@dataclass(frozen=True)
class Truth:
    """What happened after the origin to the customers known at it.

    Attributes
    ----------
    customers : DataFrame
        purchases and revenue in all, in the row order of ``Known.customers``.
    cells : DataFrame
        cohort (quarter), period, purchases, revenue, customers; margin and without_margin where
        the log records margins.
    churn : ChurnData, optional
        Features at the origin and churn after it; None where the horizon outlasts the log.
    segments : DataFrame, optional
        Of :func:`pipelines.data.features.outcomes.segment_actuals`; None where no dimension tells
        customers apart.
    """

    customers: pd.DataFrame
    cells: pd.DataFrame
    churn: training_data.ChurnData | None
    segments: pd.DataFrame | None = None


@dataclass(frozen=True)
class BacktestResult:
    """Long tables, one row a figure; of one origin or of all.

    Attributes
    ----------
    metrics : DataFrame
        origin, horizon_days, level, quantity, model, metric, value.
    cells : DataFrame
        origin, horizon_days, model, cohort (quarter), period, purchases, revenue, margin, clv,
        their _low and _high, and what happened of each (actual_purchases, ...), customers.
    deciles : DataFrame
        origin, model, quantity, decile (1 = lowest forecast), customers, forecast_mean,
        actual_mean.
    churn_reliability : DataFrame
        origin, model, bin, predicted, observed, customers.
    churn_importance : DataFrame
        origin, feature, importance, importance_sd.
    conditional : DataFrame
        origin, horizon_days, by ("frequency" or "recency"), group, customers, expected, actual:
        purchases per customer of this project's forecast.
    samples : DataFrame
        origin, customers (known at it), sampled: on how many of them deciles, conditional and
        the metrics of level "customer" stand. Those of churn have a sample of their own.
    company : DataFrame
        origin, period, new_customers, and purchases and revenue of known customers and of those
        still to come: the forecast of the whole company.
    segments : DataFrame
        schema.SEGMENT_CELLS.
    """

    metrics: pd.DataFrame
    cells: pd.DataFrame
    deciles: pd.DataFrame
    churn_reliability: pd.DataFrame
    churn_importance: pd.DataFrame
    conditional: pd.DataFrame
    samples: pd.DataFrame
    company: pd.DataFrame
    segments: pd.DataFrame

    @cached_property
    def accuracy(self) -> Accuracy:
        """The pooled errors."""
        return Accuracy.of(self.cells, self.metrics)

    @classmethod
    def nothing(cls) -> BacktestResult:
        """Of a log that is too short for any origin."""
        tables = {table.name: pd.DataFrame() for table in fields(cls)}
        return cls(**tables | {"metrics": METRICS.empty()})


def run(
    log: Snapshot,
    last: dt.date,
    *,
    settings: Backtest,
    training: Train,
    drivers_at: DriversAt,
    valuation_at: ValuationAt,
    progress: Progress,
) -> BacktestResult:
    """Replay the past from every origin, comparing forecasts with actuals.

    Parameters
    ----------
    log : Snapshot
        What is known today.
    last : date
        Last day that forecasts are compared on.
    settings : Backtest
        How the past is replayed.
    training : Train
        What is fitted at each origin.
    drivers_at : callable
        What is told beside the log at each origin.
    valuation_at : callable
        What a purchase was valued by at each origin.
    progress : Progress
    """
    origins = choose_origins(log.first_date, last, settings)
    at = partial(observe, training=training, drivers_at=drivers_at, valuation_at=valuation_at)
    pairs = []
    with progress.step(f"read what was known at {len(origins)} origins, and what followed") as say:
        for done, origin in enumerate(origins):
            say(f"{done} done")
            known, truth = at(log, origin, last)
            if known.training.has_repeats:
                pairs.append((known, truth))
            elif origin in settings.origins:
                raise ConfigError(
                    f"[backtest] origins: by {origin} no customer had come back, so that there is "
                    "nothing to forecast from; name later days"
                )
    if not pairs:
        return BacktestResult.nothing()
    results = []
    with progress.step(f"forecast from {len(pairs)} origins and compare with what happened") as say:
        labelled = [truth.churn is not None for _, truth in pairs]
        judged = Parallel(n_jobs=settings.jobs, return_as="generator")(
            delayed(judge)(known, truth, training, explain=not any(labelled[i + 1 :]))
            for i, (known, truth) in enumerate(pairs)
        )
        for result in judged:
            results.append(result)
            say(f"{len(results)} done")
    return BacktestResult(
        **{
            table.name: pd.concat([getattr(r, table.name) for r in results], ignore_index=True)
            for table in fields(BacktestResult)
        }
    )


def observe(
    log: Snapshot,
    origin: dt.date,
    last: dt.date,
    *,
    training: Train,
    drivers_at: DriversAt,
    valuation_at: ValuationAt,
) -> tuple[Known, Truth]:
    """Read one origin from the engine: what was known and, apart from it, what happened.

    Cohorts come from distinct histories and so from everybody. Customers one by one are those who
    may be profiled: a sample of at most about :data:`CUSTOMERS`, all of them on a smaller log,
    drawn in the engine by a digest of the id: the same ones on every engine and in every run.
    """
    with log.earlier(origin) as then:
        learned_from = training_data.extract(then, training, drivers_at(then))
        told = learned_from.segments
        everybody = features.histories(then.summary, None if told is None else told.values)
        share = min(1.0, CUSTOMERS / everybody["weight"].sum())
        some = features.sample_customers(then.summary, share)
        customers = some.order_by("customer_id").to_pandas()
        economics = valuation_at(then)
        by_segment = None
        if told is not None:
            known = features.told_apart(then.summary, told.values)
            by = told.values.dimensions
            by_segment = features.segment_actuals(log.purchases, known, by, origin, last)
    sample = features.sample_customers(log.purchases, share)
    more = features.churn_features(sample, origin).to_pandas()
    new = ["customer_id", *more.columns.difference(customers.columns)]
    # Who counts in totals only has no features, and is not forecast alone here either.
    customers = customers.merge(more[new], on="customer_id", validate="1:1")
    customers["quarter"] = pd.to_datetime(customers["cohort"]).dt.to_period("Q").dt.start_time
    after = features.customer_totals(sample, origin, last).to_pandas()
    actual = customers[["customer_id"]].merge(after, on="customer_id", how="left", validate="1:1")
    horizon = training.churn_horizon_days
    has_labels = origin + dt.timedelta(days=horizon) <= last
    return (
        Known(
            learned_from,
            month_grid(origin, last),
            everybody,
            customers.drop(columns="customer_id"),
            economics,
        ),
        Truth(
            actual[[*QUANTITIES]].fillna(0.0),
            features.cohort_actuals(log.purchases, origin, last, cohort="quarter"),
            training_data.churn_data(log.purchases, origin, horizon) if has_labels else None,
            by_segment,
        ),
    )


@one_blas_thread
def judge(known: Known, truth: Truth, training: Train, explain: bool = True) -> BacktestResult:
    """Make every candidate's forecast from one origin and score it.

    ``explain`` asks for the importance of the churn classifier's features too.
    """
    fitted = train.estimate(known.training, training)
    forecasts = {name: make(known, fitted, training) for name, make in FORECASTS.items()}
    candidates = {
        name: valued(candidate, known.grid, known.economics)
        for name, candidate in forecasts.items()
        if candidate is not None
    }
    actual = with_margin_and_clv(truth.cells, known.grid, known.economics)
    cells = pd.concat(
        [with_actuals(c, actual).assign(model=name) for name, c in candidates.items()]
    )
    scores = [
        row
        for name, candidate in candidates.items()
        for row in cell_scores(
            name, cells[cells["model"] == name], candidate.months, known.grid.whole()
        )
    ]
    deciles = [pd.DataFrame()]
    for name, candidate in candidates.items():
        if candidate.customers is None:
            continue
        scores += customer_scores.scores(name, truth.customers, candidate.customers)
        if name in CUSTOMER_MODELS:
            deciles.append(
                customer_scores.deciles(truth.customers, candidate.customers).assign(model=name)
            )
    segments = segment_cells(candidates, truth.segments)
    scores += segment_scores(segments)
    churn_rows, reliable, importance = customer_scores.churn(
        truth.churn,
        fitted,
        horizon_days=training.churn_horizon_days,
        explain=explain,
    )
    stamp: dict[str, Any] = {"origin": pd.Timestamp(known.grid.as_of)}
    scored = pd.DataFrame(
        scores + churn_rows, columns=["level", "quantity", "model", "metric", "value"]
    )
    horizon = int(known.grid.edges[-1])
    own = candidates[Compared.CLV]
    conditional = customer_scores.conditional(known.customers, truth.customers, own.customers)
    counts = {"customers": [known.population], "sampled": [len(known.customers)]}
    return BacktestResult(
        metrics=scored.assign(**stamp, horizon_days=horizon),
        cells=cells.assign(**stamp, horizon_days=horizon),
        deciles=pd.concat(deciles).assign(**stamp),
        churn_reliability=reliable.assign(**stamp),
        churn_importance=importance.assign(**stamp),
        conditional=conditional.assign(**stamp, horizon_days=horizon),
        samples=pd.DataFrame({**stamp, **counts}),
        company=budget.company_forecast(own.cells, fitted, known.grid).assign(**stamp),
        segments=segments.assign(**stamp),
    )
