"""Forecast from past origins with what was known then, and compare with what happened after.

Every origin is read from the engine first and judged in a process of its own. A forecast sees
only :class:`~pipelines.backtesting.candidates.Known`; the truth is opened when it is finished.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from ibis.expr.types import Table
from joblib import Parallel, delayed

from clvmodels.core import metrics
from clvmodels.core.errors import ConfigError, DataError
from clvmodels.core.months import month_end, month_grid
from clvmodels.core.schema import METRICS
from clvmodels.numerics.threads import one_blas_thread
from pipelines.backtesting import customer_scores
from pipelines.backtesting.candidates import CANDIDATES, Candidate, Known
from pipelines.backtesting.customer_scores import Row
from pipelines.config.load import Config
from pipelines.console import Progress
from pipelines.data.features import cohorts as features
from pipelines.data.features.histories import histories
from pipelines.forecasting import new_customers as budget
from pipelines.sources.dialect import held
from pipelines.training import fit as train
from pipelines.training import snapshot as training_data

CELL = ["cohort", "period"]
QUANTITIES = ["purchases", "revenue"]
CUSTOMER_MODELS = ("clv", "lifetimes")
"""Models whose calibration by decile is kept."""

CUSTOMERS = 100_000
"""Customer-level figures are of a sample of at most about so many customers an origin."""

MIN_HISTORY_DAYS = 150
MIN_HOLDOUT = dt.timedelta(days=90)


@dataclass(frozen=True)
class Truth:
    """What happened after the origin to the customers known at it.

    Attributes
    ----------
    customers : DataFrame
        purchases and revenue in all, in the row order of ``Known.customers``.
    cells : DataFrame
        cohort (quarter), period, purchases, revenue, customers.
    churn : ChurnData, optional
        Features at the origin and churn after it; None where the horizon outlasts the log.
    """

    customers: pd.DataFrame
    cells: pd.DataFrame
    churn: training_data.ChurnData | None


@dataclass(frozen=True)
class BacktestResult:
    """Long tables, one row a figure; of one origin or of all.

    Attributes
    ----------
    metrics : DataFrame
        origin, horizon_days, level, quantity, model, metric, value.
    cells : DataFrame
        origin, horizon_days, model, cohort (quarter), period, purchases, revenue, their _low
        and _high, actual_purchases, actual_revenue, customers.
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
    """

    metrics: pd.DataFrame
    cells: pd.DataFrame
    deciles: pd.DataFrame
    churn_reliability: pd.DataFrame
    churn_importance: pd.DataFrame
    conditional: pd.DataFrame
    samples: pd.DataFrame
    company: pd.DataFrame

    @classmethod
    def nothing(cls) -> BacktestResult:
        """Of a log that is too short for any origin."""
        tables = {table.name: pd.DataFrame() for table in fields(cls)}
        return cls(**tables | {"metrics": METRICS.empty()})


def too_short(first: dt.date, last: dt.date, config: Config) -> str | None:
    """Say why no origin can be replayed; None where one can."""
    if any(first < origin < last for origin in config.backtest.origins):
        return None
    if month_end(first + dt.timedelta(days=MIN_HISTORY_DAYS)) <= last - MIN_HOLDOUT:
        return None
    return (
        f"a backtest needs about {MIN_HISTORY_DAYS + MIN_HOLDOUT.days} days of data; found {first} "
        f"to {last}. Give it a longer log, or name [backtest] origins."
    )


def choose_origins(first: dt.date, last: dt.date, config: Config) -> list[dt.date]:
    """Configured origins, or month ends spread over the log.

    Origins on or after ``last`` wait for a later as-of date; where all of them do, origins are
    chosen from the log.

    Raises
    ------
    ConfigError
        If a configured origin leaves nothing known before it.
    DataError
        If the log is too short for even one origin.
    """
    early = [o for o in config.backtest.origins if o <= first]
    if early:
        raise ConfigError(
            f"[backtest] origins must lie after the first day of the data ({first}); "
            f"found {', '.join(map(str, early))}"
        )
    past = {o for o in config.backtest.origins if o < last}
    if past:
        return sorted(past)
    reason = too_short(first, last, config)
    if reason:
        raise DataError(reason)
    ends = []
    day = month_end(first + dt.timedelta(days=MIN_HISTORY_DAYS))
    while day <= last - MIN_HOLDOUT:
        ends.append(day)
        day = month_end(day + dt.timedelta(days=1))
    if len(ends) <= config.backtest.max_origins:
        return ends
    chosen = np.linspace(0, len(ends) - 1, config.backtest.max_origins).round().astype(int)
    return [ends[i] for i in chosen]


def run(
    purchases: Table, first: dt.date, last: dt.date, config: Config, progress: Progress
) -> BacktestResult:
    """Replay the past from every origin, comparing forecasts with actuals up to ``last``."""
    origins = choose_origins(first, last, config)
    pairs = []
    with progress.step(f"read what was known at {len(origins)} origins, and what followed") as say:
        for done, origin in enumerate(origins):
            say(f"{done} done")
            known, truth = observe(purchases, first, origin, last, config)
            if known.training.has_repeats:
                pairs.append((known, truth))
            elif origin in config.backtest.origins:
                raise ConfigError(
                    f"[backtest] origins: by {origin} no customer had come back, so that there is "
                    "nothing to forecast from; name later days"
                )
    if not pairs:
        return BacktestResult.nothing()
    results = []
    with progress.step(f"forecast from {len(pairs)} origins and compare with what happened") as say:
        labelled = [truth.churn is not None for _, truth in pairs]
        judged = Parallel(n_jobs=config.backtest.jobs, return_as="generator")(
            delayed(judge)(known, truth, config, explain=not any(labelled[i + 1 :]))
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
    purchases: Table, first: dt.date, origin: dt.date, last: dt.date, config: Config
) -> tuple[Known, Truth]:
    """Read one origin from the engine: what was known and, apart from it, what happened.

    Cohorts come from distinct histories and so from everybody. Customers one by one are those who
    may be profiled: a sample of at most about :data:`CUSTOMERS`, all of them on a smaller log,
    drawn in the engine by a digest of the id: the same ones on every engine and in every run.
    """
    with held(features.summary(purchases, origin, people="all")) as summary:
        everybody = histories(summary)
        share = min(1.0, CUSTOMERS / everybody["weight"].sum())
        some = features.sample_customers(summary, share)
        table = some.order_by("customer_id").to_pandas()
        training = training_data.extract(purchases, first, origin, config, summary)
    sample = features.sample_customers(purchases, share)
    more = features.churn_features(sample, origin).to_pandas()
    new = ["customer_id", *more.columns.difference(table.columns)]
    # Who counts in totals only has no features, and is not forecast alone here either.
    table = table.merge(more[new], on="customer_id", validate="1:1")
    table["quarter"] = pd.to_datetime(table["cohort"]).dt.to_period("Q").dt.start_time
    after = features.customer_totals(sample, origin, last).to_pandas()
    actual = table[["customer_id"]].merge(after, on="customer_id", how="left", validate="1:1")
    horizon = config.train.churn_horizon_days
    has_labels = origin + dt.timedelta(days=horizon) <= last
    return (
        Known(
            training,
            month_grid(origin, last),
            everybody,
            table.drop(columns="customer_id"),
        ),
        Truth(
            actual[QUANTITIES].fillna(0.0),
            features.cohort_actuals(purchases, origin, last, cohort="quarter"),
            training_data.churn_data(purchases, origin, horizon) if has_labels else None,
        ),
    )


@one_blas_thread
def judge(known: Known, truth: Truth, config: Config, explain: bool = True) -> BacktestResult:
    """Make every candidate's forecast from one origin and score it.

    ``explain`` asks for the importance of the churn classifier's features too.
    """
    fitted = train.estimate(known.training, config)
    made = {name: make(known, fitted, config) for name, make in CANDIDATES.items()}
    candidates = {name: candidate for name, candidate in made.items() if candidate is not None}
    cells = pd.concat(
        [_with_actuals(c, truth).assign(model=name) for name, c in candidates.items()]
    )
    scores = [
        row
        for name, candidate in candidates.items()
        for row in _cell_scores(name, cells[cells["model"] == name], candidate.months)
    ]
    deciles = [pd.DataFrame()]
    for name, candidate in candidates.items():
        if candidate.customers is None:
            continue
        scores += customer_scores.scores(name, candidate.customers, truth.customers)
        if name in CUSTOMER_MODELS:
            deciles.append(
                customer_scores.deciles(candidate.customers, truth.customers).assign(model=name)
            )
    churn_rows, reliable, importance = customer_scores.churn(
        truth.churn, known.training.summary, fitted, config, explain
    )
    stamp: dict[str, Any] = {"origin": pd.Timestamp(known.grid.as_of)}
    scored = pd.DataFrame(
        scores + churn_rows, columns=["level", "quantity", "model", "metric", "value"]
    )
    horizon = int(known.grid.edges[-1])
    return BacktestResult(
        metrics=scored.assign(**stamp, horizon_days=horizon),
        cells=cells.assign(**stamp, horizon_days=horizon),
        deciles=pd.concat(deciles).assign(**stamp),
        churn_reliability=reliable.assign(**stamp),
        churn_importance=importance.assign(**stamp),
        conditional=customer_scores.conditional(
            known.customers, candidates["clv"].customers, truth.customers
        ).assign(**stamp, horizon_days=horizon),
        samples=pd.DataFrame(
            {**stamp, "customers": [known.population], "sampled": [len(known.customers)]}
        ),
        company=budget.company_forecast(candidates["clv"].cells, fitted, known.grid).assign(
            **stamp
        ),
    )


def _with_actuals(candidate: Candidate, truth: Truth) -> pd.DataFrame:
    actual = truth.cells.rename(columns={q: f"actual_{q}" for q in QUANTITIES})
    cells = actual.merge(candidate.cells, on=CELL, how="outer", validate="1:1", indicator=True)
    odd = cells[cells["_merge"] != "both"]
    if len(odd):
        raise DataError(
            f"a forecast and its actuals must hold the same cohort-months; {len(odd)} differ, "
            f"the first: cohort {odd['cohort'].iloc[0]:%Y-%m}, month {odd['period'].iloc[0]:%Y-%m}"
        )
    ends = [f"{q}_{end}" for q in QUANTITIES for end in ("low", "high")]
    return cells.drop(columns="_merge").reindex(
        columns=[*cells.columns.drop("_merge"), *(e for e in ends if e not in cells)]
    )


def _cell_scores(model: str, cells: pd.DataFrame, own: pd.DataFrame | None) -> Iterator[Row]:
    """Score cohort-months and months; ``own`` holds the intervals of months, if there are any."""
    months = cells.groupby("period")[[*QUANTITIES, *(f"actual_{q}" for q in QUANTITIES)]].sum()
    for quantity in QUANTITIES:
        for level, table in (("total_month", months), ("cohort_month", cells)):
            actual, made = table[f"actual_{quantity}"], table[quantity]
            for metric in (metrics.wape, metrics.bias, metrics.mae, metrics.rmse):
                yield level, quantity, model, metric.__name__, metric(actual, made)
        low, high = cells[f"{quantity}_low"], cells[f"{quantity}_high"]
        if low.notna().all():
            covered = metrics.coverage(cells[f"actual_{quantity}"], low, high)
            yield "cohort_month", quantity, model, "coverage_90", covered
        if own is not None and own[f"{quantity}_low"].notna().all():
            ends = own.set_index("period").loc[months.index]
            covered = metrics.coverage(
                months[f"actual_{quantity}"], ends[f"{quantity}_low"], ends[f"{quantity}_high"]
            )
            yield "total_month", quantity, model, "coverage_90", covered
