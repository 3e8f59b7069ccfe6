"""What the models learn from, read from the engine as small tables known at an as-of date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Table

from clvmodels.core.errors import DataError
from clvmodels.core.months import last_month_end
from clvmodels.segments.values import SegmentValues
from pipelines.config.load import Train
from pipelines.data import features
from pipelines.data.features.cohorts import CohortHistory
from pipelines.data.features.drivers import Drivers
from pipelines.data.features.rfm import dimensions
from pipelines.data.features.snapshot import Snapshot
from pipelines.sources.engines.lookup import held

CHURN_ORIGINS = 4
"""Origins, a month apart, on which the churn classifier's trees are grown."""

CHURN_LEAST_DAYS = 30
"""History that an origin needs before it."""
CHURN_CUSTOMERS = 250_000
"""The classifier learns from a sample of at most about so many customers an origin."""

OUTCOMES = ["purchases", "revenue"]

TRIAL_SHARE = 3
"""Models are compared on the last third of the log that is known."""


@dataclass(frozen=True)
class ChurnData:
    """What the churn model may learn from one origin.

    Attributes
    ----------
    origin : date
    summary : DataFrame
        Compressed RFM summary.
    features : DataFrame
        One row a customer, known at the origin; no ids.
    churned : ndarray of bool
        No purchase within the horizon, in the same order.
    outcomes : DataFrame
        purchases and revenue within the horizon, in the same order.
    """

    origin: dt.date
    summary: pd.DataFrame
    features: pd.DataFrame
    churned: np.ndarray[Any, np.dtype[np.bool_]]
    outcomes: pd.DataFrame


@dataclass(frozen=True)
class Trial:
    """An earlier day of the log and what followed, by distinct history.

    Attributes
    ----------
    summary : DataFrame
        Compressed RFM summary at the earlier day.
    later : DataFrame
        The same histories with ``purchases`` from then to the as-of date.
    days : int
        From the earlier day to the as-of date.
    """

    summary: pd.DataFrame
    later: pd.DataFrame
    days: int


@dataclass(frozen=True)
class SegmentData:
    """What customer models may learn of segments.

    Attributes
    ----------
    values : SegmentValues
    summary, spend : DataFrame
        As of :class:`TrainingData`, rows told apart by the dimensions too.
    trial : Trial
        Its tables told apart by the dimensions too.
    """

    values: SegmentValues
    summary: pd.DataFrame
    spend: pd.DataFrame
    trial: Trial


@dataclass(frozen=True)
class TrainingData:
    """Small tables of one snapshot, from which every model is estimated without an engine.

    Attributes
    ----------
    history : CohortHistory
        By cohort and month, with the first day of the log and the last one known.
    summary : DataFrame
        Compressed RFM summary (schema.COMPRESSED_SUMMARY).
    spend : DataFrame
        frequency, monetary_value, weight: purchases that tell of spend, as [train] spend_from.
    repeat_spend : DataFrame
        The same without first purchases, for the baseline that never reads them.
    trial : Trial, optional
        An earlier day and what followed, on which models are compared; None where the model is
        named in the configuration.
    churn : tuple of ChurnData
        Oldest origin first; the last one calibrates. Every label ends on or before ``as_of``.
    drivers : Drivers
        Covariates; rows of months after ``as_of`` are plans.
    segments : SegmentData, optional
        None where no dimension tells customers apart.
    """

    history: CohortHistory
    summary: pd.DataFrame
    spend: pd.DataFrame
    repeat_spend: pd.DataFrame
    trial: Trial | None = None
    churn: tuple[ChurnData, ...] = ()
    drivers: Drivers = field(default_factory=Drivers)
    segments: SegmentData | None = None

    @property
    def as_of(self) -> dt.date:
        """Last day known."""
        return self.history.as_of

    @property
    def first_date(self) -> dt.date:
        """First day of the log."""
        return self.history.first_date

    @property
    def cohort_months(self) -> pd.DataFrame:
        """History by cohort and month, schema.COHORT_MONTHS."""
        return self.history.months

    @property
    def has_repeats(self) -> bool:
        """Whether anybody has come back."""
        return bool(self.summary["frequency"].max() > 0)


def churn_origins(first_date: dt.date, as_of: dt.date, horizon_days: int) -> list[dt.date]:
    """Origins for the churn model, month ends, oldest first; the last one calibrates.

    The label of every origin ends on or before ``as_of``, so nothing later is learned. Origins
    with less than a month of history before them are left out.
    """
    earliest = first_date + dt.timedelta(days=CHURN_LEAST_DAYS)
    origins = [last_month_end(as_of - dt.timedelta(days=horizon_days))]
    for _ in range(CHURN_ORIGINS):
        origins.append(last_month_end(origins[-1] - dt.timedelta(days=1)))
    return sorted(origin for origin in origins if origin >= earliest)


def extract(snapshot: Snapshot, settings: Train, drivers: Drivers | None = None) -> TrainingData:
    """Read from the engine what the models learn from, all of it known at the snapshot's day.

    Parameters
    ----------
    snapshot : Snapshot
    settings : Train
        What is fitted.
    drivers : Drivers, optional
        What is told beside the log (:func:`pipelines.data.features.drivers.read`).
    """
    purchases, as_of = snapshot.purchases, snapshot.as_of
    repeat_spend = features.compress_spend(snapshot.summary, "repeat")
    origins = churn_origins(snapshot.first_date, as_of, settings.churn_horizon_days)
    earlier = trial_day(snapshot.first_date, as_of)
    with held(features.counts_at(purchases, (*origins, earlier, as_of))) as counts:
        tried = trial(counts, earlier, as_of) if _is_open(settings) else None
        churn = churn_tables(purchases, counts, origins, settings.churn_horizon_days)
        segments = segment_data(snapshot, counts, earlier, settings.spend_from)
    return TrainingData(
        history=CohortHistory.of(snapshot),
        summary=features.compress(snapshot.summary),
        spend=repeat_spend
        if settings.spend_from == "repeat"
        else features.compress_spend(snapshot.summary, settings.spend_from),
        repeat_spend=repeat_spend,
        trial=tried,
        churn=churn,
        drivers=drivers or Drivers(),
        segments=segments,
    )


def require_repeats(data: TrainingData) -> None:
    """Hold the log to what every model learns from: somebody who came back.

    Raises
    ------
    DataError
        If nobody was observed for a day after the first purchase, or nobody bought again.
    """
    if data.has_repeats:
        return
    if data.as_of <= data.first_date:
        seen = (
            "no customer has been observed for a day after the first purchase: the log begins on "
            f"{data.first_date}, and nothing after {data.as_of} is known"
        )
    else:
        seen = (
            f"no customer bought on a second day from {data.first_date} to {data.as_of}: there "
            "are no repeat purchases to learn from"
        )
    raise DataError(
        f"{seen}. Forecasts are learned from customers who come back; a log of several months is "
        "needed. If yours is one, check [columns] customer_id, timestamp and date_format."
    )


def trial_day(first_date: dt.date, as_of: dt.date) -> dt.date:
    """Return the day at two thirds of the log that is known."""
    return as_of - dt.timedelta(days=(as_of - first_date).days // TRIAL_SHARE)


def trial(counts: Table, earlier: dt.date, as_of: dt.date, segments: Table | None = None) -> Trial:
    """Part the log at an earlier day: what was known then, and what followed.

    ``counts`` are those of :func:`pipelines.data.features.rfm.counts_at` at both days;
    histories are told apart by the dimensions of ``segments`` (customer_id and these) too.
    """
    past, by = features.history(counts, earlier, as_of), []
    if segments is not None:
        past, by = past.join(segments, "customer_id"), dimensions(segments)
    later = features.compress(past, by=["purchases", *by])
    summary = later.groupby(["frequency", "recency", "T", *by])["weight"].sum().reset_index()
    return Trial(summary, later, (as_of - earlier).days)


def segment_data(
    snapshot: Snapshot, counts: Table, earlier: dt.date, spend_from: features.SpendFrom
) -> SegmentData | None:
    """Read again what customer models learn from, told apart by segment; None where none is."""
    values = features.segment_values(snapshot.summary)
    if not values:
        return None
    by = values.dimensions
    told = features.told_apart(snapshot.summary, values)
    return SegmentData(
        values,
        features.compress(told, by=by),
        features.compress_spend(told, spend_from, by=by),
        trial(counts, earlier, snapshot.as_of, told.select("customer_id", *by)),
    )


def _is_open(settings: Train) -> bool:
    return settings.transaction_model == "auto" and settings.engine == "own"


def churn_data(purchases: Table, origin: dt.date, horizon_days: int) -> ChurnData:
    """Features known at ``origin`` and what happened in the ``horizon_days`` after it."""
    with held(features.counts_at(purchases, [origin])) as counts:
        return churn_tables(purchases, counts, [origin], horizon_days)[0]


def churn_tables(
    purchases: Table, counts: Table, origins: list[dt.date], horizon_days: int
) -> tuple[ChurnData, ...]:
    """Return :func:`churn_data` of several origins, the sample of customers drawn once for all.

    Parameters
    ----------
    purchases : ibis Table
        ``schema.PURCHASES``.
    counts : ibis Table
        Of :func:`pipelines.data.features.rfm.counts_at`, at all of the origins.
    origins : list of date
    horizon_days : int
    """
    summaries = [features.compress(features.history(counts, origin)) for origin in origins]
    shares = [min(1.0, CHURN_CUSTOMERS / max(table["weight"].sum(), 1.0)) for table in summaries]
    if not origins:
        return ()
    latest = max(origins) + dt.timedelta(days=horizon_days)
    days = purchases.filter(purchases.date <= ibis.literal(latest))
    if min(shares) < 1:
        drawn = counts.select("customer_id", digest=features.digest(counts.customer_id))
        days = days.join(features.sample_customers(drawn, max(shares)), "customer_id")
    with held(features.with_gaps(days)) as sample:
        return tuple(
            _churn_data(features.sample_customers(sample, share), origin, horizon_days, summary)
            for origin, share, summary in zip(origins, shares, summaries, strict=True)
        )


def _churn_data(
    sample: Table, origin: dt.date, horizon_days: int, summary: pd.DataFrame
) -> ChurnData:
    until = origin + dt.timedelta(days=horizon_days)
    before = features.churn_features(sample, origin)
    later = features.customer_outcomes(sample, origin, until)
    both = before.left_join(later, "customer_id").drop("customer_id_right")
    outcomes = {name: both[name].cast("float64").fill_null(0.0) for name in OUTCOMES}
    # In a fixed order, on which splits and the last bits of sums depend.
    table = both.mutate(**outcomes).to_pandas().sort_values("customer_id", ignore_index=True)
    return ChurnData(
        origin,
        summary,
        table.drop(columns=["customer_id", *OUTCOMES]),
        table["purchases"].to_numpy() == 0,
        table[OUTCOMES],
    )
