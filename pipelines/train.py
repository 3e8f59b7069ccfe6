"""From purchases known at an as-of date to fitted models.

Two steps, so that many origins can be estimated in parallel: :func:`extract` asks the engine for
small tables, :func:`estimate` turns them into models and needs no database.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from clvmodels.base import SpendModel, TransactionModel
from clvmodels.bgnbd import BGNBD
from clvmodels.churn import ChurnClassifier, ChurnSample
from clvmodels.cohorts import CohortForecaster
from clvmodels.exceptions import ConvergenceWarning, DataError
from clvmodels.gamma_gamma import GammaGamma
from clvmodels.lifetimes_engine import compare
from clvmodels.models import CANDIDATES, SPEND_MODELS, TRANSACTION_MODELS
from clvmodels.selection import compare_on_holdout
from pipelines import features
from pipelines.config import Config
from pipelines.dialect import held
from pipelines.summaries import SpendFrom

CHURN_ORIGINS = 4
"""Origins, a month apart, on which the churn classifier's trees are grown."""

CHURN_STEP_DAYS = 30
CHURN_CUSTOMERS = 250_000
"""The classifier learns from a sample of at most about so many customers an origin."""

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
    known : DataFrame
        Compressed RFM summary at the earlier day.
    later : DataFrame
        The same histories with ``purchases`` from then to the as-of date.
    days : int
        From the earlier day to the as-of date.
    """

    known: pd.DataFrame
    later: pd.DataFrame
    days: int


@dataclass(frozen=True)
class TrainingData:
    """Small tables, all known at ``as_of``, from which every model is estimated.

    Attributes
    ----------
    as_of : date
        Last day known.
    first_date : date
        First day of the log.
    summary : DataFrame
        Compressed RFM summary (schema.COMPRESSED_SUMMARY).
    spend : DataFrame
        frequency, monetary_value, weight: purchases that tell of spend, as [train] spend_from.
    repeat_spend : DataFrame
        The same without first purchases, for the baseline that never reads them.
    trial : Trial, optional
        An earlier day and what followed, on which models are compared; None where the model is
        named in the configuration.
    cohort_months : DataFrame
        History by cohort and month (schema.COHORT_MONTHS).
    churn : tuple of ChurnData
        Oldest origin first; the last one calibrates. Every label ends on or before ``as_of``.
    """

    as_of: dt.date
    first_date: dt.date
    summary: pd.DataFrame
    spend: pd.DataFrame
    repeat_spend: pd.DataFrame
    cohort_months: pd.DataFrame
    trial: Trial | None = None
    churn: tuple[ChurnData, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """Models fitted at one as-of date. They hold parameters, never customers.

    Attributes
    ----------
    as_of : date
    transactions, spend : TransactionModel, SpendModel
        Purchases and their values, customer by customer.
    churn : ChurnClassifier, optional
        None where there is too little history for one; ``notes`` says so.
    cohorts : CohortForecaster, optional
        Level and season, cohort by cohort; None where [train] cohort_level is off.
    spend_from : {'all', 'repeat'}
        Whether the first purchase says something about the value of later ones.
    notes : tuple of str
        What was chosen or fell back, and why.
    """

    as_of: dt.date
    transactions: TransactionModel
    spend: SpendModel
    churn: ChurnClassifier | None = None
    cohorts: CohortForecaster | None = None
    spend_from: SpendFrom = "repeat"
    notes: tuple[str, ...] = field(default=())


def churn_origins(first_date: dt.date, as_of: dt.date, horizon_days: int) -> list[dt.date]:
    """Origins for the churn model, oldest first; the last one calibrates.

    The label of the last origin ends at ``as_of``, so nothing later is learned. Origins with
    less than a month of history before them are left out.
    """
    last = as_of - dt.timedelta(days=horizon_days)
    origins = [last - dt.timedelta(days=CHURN_STEP_DAYS * k) for k in range(CHURN_ORIGINS + 1)]
    earliest = first_date + dt.timedelta(days=CHURN_STEP_DAYS)
    return sorted(origin for origin in origins if origin >= earliest)


def extract(
    purchases: Table,
    first_date: dt.date,
    as_of: dt.date,
    config: Config,
    summary: Table | None = None,
) -> TrainingData:
    """Read from the engine what the models learn from, all of it known at ``as_of``.

    Parameters
    ----------
    purchases : ibis Table
        ``schema.PURCHASES``.
    first_date : date
        First day of the log.
    as_of : date
    config : Config
    summary : ibis Table, optional
        The summary of everybody at ``as_of`` where it is at hand, such as ``Dataset.summary`` at
        the data's own as-of date; otherwise it is evaluated here, once.
    """
    if summary is None:
        with held(features.summary(purchases, as_of, people="all")) as made:
            return extract(purchases, first_date, as_of, config, made)
    repeat_spend = features.compress_spend(summary, "repeat")
    spend_from = config.train.spend_from
    horizon = config.train.churn_horizon_days
    return TrainingData(
        as_of=as_of,
        first_date=first_date,
        summary=features.compress(summary),
        spend=repeat_spend
        if spend_from == "repeat"
        else features.compress_spend(summary, spend_from),
        repeat_spend=repeat_spend,
        cohort_months=features.cohort_months(purchases, as_of),
        trial=trial(purchases, first_date, as_of) if _is_open(config) else None,
        churn=tuple(
            churn_data(purchases, origin, horizon)
            for origin in churn_origins(first_date, as_of, horizon)
        ),
    )


def trial(purchases: Table, first_date: dt.date, as_of: dt.date) -> Trial:
    """Part the log at two thirds of its length: what was known then, and what followed."""
    days = (as_of - first_date).days // TRIAL_SHARE
    earlier = as_of - dt.timedelta(days=days)
    later = features.compress_later(purchases, earlier, as_of)
    history = ["frequency", "recency", "T"]
    return Trial(later.groupby(history)["weight"].sum().reset_index(), later, days)


def _is_open(config: Config) -> bool:
    return config.train.transaction_model == "auto" and config.train.engine == "own"


def scoring_table(purchases: Table, as_of: dt.date, summary: Table | None = None) -> Table:
    """Everything a customer is scored by: RFM summary, dimensions and churn features.

    ``summary`` may be given where it is at hand, also that of everybody: who may not be profiled
    has no churn features, and so no row.
    """
    if summary is None:
        summary = features.summary(purchases, as_of)
    churn = features.churn_features(purchases, as_of)
    return summary.join(
        churn.drop(*(n for n in churn.columns if n in summary.columns and n != "customer_id")),
        "customer_id",
    )


def churn_data(purchases: Table, origin: dt.date, horizon_days: int) -> ChurnData:
    """Features known at ``origin`` and what happened in the ``horizon_days`` after it."""
    summary = features.compress(features.summary(purchases, origin, people="all"))
    share = min(1.0, CHURN_CUSTOMERS / max(summary["weight"].sum(), 1.0))
    sample = features.sample_customers(purchases, share)
    # In a fixed order, on which splits and the last bits of sums depend.
    table = features.churn_features(sample, origin).order_by("customer_id").to_pandas()
    labels = features.churn_labels(sample, origin, horizon_days).to_pandas()
    later = features.customer_totals(
        sample, origin, origin + dt.timedelta(days=horizon_days)
    ).to_pandas()
    known = table[["customer_id"]].merge(labels, on="customer_id", validate="1:1")
    known = known.merge(later, on="customer_id", how="left", validate="1:1")
    return ChurnData(
        origin,
        summary,
        table.drop(columns="customer_id"),
        known["churned"].to_numpy(dtype=bool),
        known[["purchases", "revenue"]].fillna(0.0),
    )


def estimate(data: TrainingData, config: Config) -> Fitted:
    """Fit every model on one as-of date's tables."""
    notes = []
    if data.trial is not None:
        config, note = choose_model(data.trial, config)
        notes.append(note)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        transactions = fit_transactions(data.summary, config)
        spend = fit_spend(data.spend, config)
    notes += [str(w.message) for w in caught if w.category is ConvergenceWarning]
    cohorts = None
    if config.train.cohort_level:
        cohorts = fit_cohorts(data, config)
        notes += [f"Cohort forecast: {note}." for note in cohorts.evidence_["notes"]]
    churn = None
    try:
        churn = fit_churn(data.churn, config)
    except DataError as error:
        notes.append(f"No churn classifier: {error}")
    return Fitted(
        data.as_of, transactions, spend, churn, cohorts, config.train.spend_from, tuple(notes)
    )


def choose_model(data: Trial, config: Config) -> tuple[Config, str]:
    """Name the transaction model that tells customers apart best, and say how it was chosen."""
    names = {kind.__name__: name for name, kind in TRANSACTION_MODELS.items()}
    try:
        table = compare_on_holdout(CANDIDATES, data.known, data.later, data.days)
    except DataError as error:
        chosen = CANDIDATES[0].__name__
        note = f"{chosen}, the simplest model: {error}."
    else:
        chosen = str(table["model"][0])
        scores = ", ".join(f"{row.model} {row.mae:.4f}" for row in table.itertuples())
        note = (
            f"{chosen} was chosen on the last {data.days} days known: mean absolute error of "
            f"purchases per customer, level taken out: {scores}."
        )
    settings = config.train.model_copy(update={"transaction_model": names[chosen]})
    return config.model_copy(update={"train": settings}), note


def fit_cohorts(data: TrainingData, config: Config) -> CohortForecaster:
    """Fit the cohort forecast: age, season, period and cohort effects."""
    forecaster = CohortForecaster(seed=config.train.seed)
    return forecaster.fit(data.cohort_months, data.as_of, log_start=data.first_date)


def fit_transactions(summary: pd.DataFrame, config: Config) -> TransactionModel:
    """Fit the purchase model that the configuration names on a compressed summary."""
    name = config.train.transaction_model
    if name == "auto":  # nothing to choose on: the simplest
        name = "bgnbd"
    return TRANSACTION_MODELS[_engine(config) + name]().fit(summary)


def fit_spend(spend: pd.DataFrame, config: Config) -> SpendModel:
    """Fit the spend model on what purchases tell of spend."""
    return SPEND_MODELS[_engine(config) + "gamma_gamma"]().fit(spend)


def _engine(config: Config) -> str:
    return "lifetimes_" if config.train.engine == "lifetimes" else ""


def parity(data: TrainingData) -> pd.DataFrame:
    """BG/NBD and Gamma-Gamma by this project and by lifetimes, on the same data, side by side.

    Returns
    -------
    DataFrame
        model, quantity (parameter, log_likelihood or seconds), own, lifetimes, difference.
    """
    with warnings.catch_warnings():
        # The fit in use says what the data do not pin down; here both engines face it alike.
        warnings.simplefilter("ignore", ConvergenceWarning)
        tables = [
            compare(model, table).reset_index().assign(model=type(model).__name__)
            for model, table in ((BGNBD(), data.summary), (GammaGamma(), data.spend))
        ]
    return pd.concat(tables)[["model", "quantity", "own", "lifetimes", "difference"]]


def fit_churn(origins: tuple[ChurnData, ...], config: Config) -> ChurnClassifier:
    """Grow the churn trees on all origins but the last and calibrate them on the last.

    Raises
    ------
    DataError
        If there are fewer than two origins, or too few customers of either class.
    """
    horizon = config.train.churn_horizon_days
    if len(origins) < 2:
        raise DataError(
            f"a churn horizon of {horizon} days needs at least {horizon + 2 * CHURN_STEP_DAYS} "
            "days of history before the as-of date. Lower [train] churn_horizon_days."
        )
    with warnings.catch_warnings():
        # An early origin may not pin every parameter down; its probabilities are features only.
        warnings.simplefilter("ignore", ConvergenceWarning)
        samples = [
            ChurnSample(
                with_model_features(part.features, fit_transactions(part.summary, config), horizon),
                part.churned,
            )
            for part in origins
        ]
    classifier = ChurnClassifier(horizon, random_state=config.train.seed)
    return classifier.fit(ChurnSample.concat(samples[:-1]), samples[-1])


def with_model_features(
    table: pd.DataFrame, model: TransactionModel, horizon_days: int
) -> pd.DataFrame:
    """Add the purchase model's own two probabilities to the churn features."""
    return table.assign(
        model_probability_alive=model.probability_alive(table),
        model_probability_no_purchase=model.probability_no_purchase(table, horizon=horizon_days),
    )
