"""From tables known at an as-of date to fitted models.

No database is needed here, so that many origins can be estimated in parallel;
:mod:`pipelines.training.training_data` asks the engine for the tables first.
"""

from __future__ import annotations

import datetime as dt
import logging
import warnings
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from clvmodels.churn.classifier import ChurnClassifier, ChurnSample
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.errors import ConfigError, ConvergenceWarning, DataError
from clvmodels.evaluation.lifetimes import compare
from clvmodels.registry import SPEND_MODELS, TRANSACTION_MODELS
from clvmodels.segments.purchases import PurchasesBySegment
from clvmodels.segments.segments import Segments
from clvmodels.segments.spend import SpendBySegment
from clvmodels.spend.base import SpendModel
from clvmodels.spend.gamma_gamma import GammaGamma
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.beta_geometric import BGNBD
from pipelines.config.load import Train
from pipelines.data.features.drivers import Drivers, require_same
from pipelines.data.features.rfm import SpendFrom
from pipelines.training.by_segment import fit_segments
from pipelines.training.level_source import LevelSource, choose_level
from pipelines.training.model_choice import ModelChoice, choose_model, evenness
from pipelines.training.training_data import CHURN_LEAST_DAYS, ChurnData, TrainingData

Engine = Literal["own", "lifetimes"]

PREFIX: dict[Engine, str] = {"own": "", "lifetimes": "lifetimes_"}
"""Of a model's name in the registry, by the engine that fits it."""

logger = logging.getLogger(__package__)


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
    drivers : Drivers
        What forecasts are told beside the log; read anew for a saved model.
    level : LevelSource
        Whose purchases a cohort's forecast takes; see :mod:`pipelines.training.level_source`.
    choice : ModelChoice, optional
        Why these transactions are of that model; None for a saved model, whose notes say so.
    segments : Segments, optional
        Models of single customers that know their segment; None where segments do not tell.
    """

    as_of: dt.date
    transactions: TransactionModel
    spend: SpendModel
    churn: ChurnClassifier | None = None
    cohorts: CohortForecaster | None = None
    spend_from: SpendFrom = "repeat"
    notes: tuple[str, ...] = field(default=())
    drivers: Drivers = field(default_factory=Drivers)
    level: LevelSource = LevelSource.COHORTS
    choice: ModelChoice | None = None
    segments: Segments | None = None

    @property
    def purchase_model(self) -> TransactionModel | PurchasesBySegment:
        """By which single customers are forecast to buy."""
        by_segment = None if self.segments is None else self.segments.purchases
        return self.transactions if by_segment is None else by_segment

    @property
    def spend_model(self) -> SpendModel | SpendBySegment:
        """By which single customers are forecast to spend at a time."""
        by_segment = None if self.segments is None else self.segments.spend
        return self.spend if by_segment is None else by_segment

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Columns of a customer, beside the history, that these two read."""
        return () if self.segments is None else self.segments.values.dimensions


def estimate(data: TrainingData, settings: Train) -> Fitted:
    """Fit every model on one as-of date's tables."""
    choice = choose_model(data.trial, settings)
    notes = [choice.note] if choice.note else []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        transactions = fit_transactions(data.summary, choice.name, settings.engine)
        spend = fit_spend(data.spend, settings.engine)
        segments, told = fit_segments(data, transactions, spend, choice.name, settings)
    notes += [w.message.finding for w in caught if isinstance(w.message, ConvergenceWarning)]
    notes += told
    how_even = evenness(transactions)
    notes += [how_even] if how_even else []
    earlier = fit_earlier(data.churn, choice.name, settings.engine)
    cohorts = None
    level = LevelSource.COHORTS
    if settings.cohort_level:
        cohorts = fit_cohorts(data, settings.seed)
        notes += [f"Cohort forecast: {note}." for note in cohorts.evidence_["notes"]]
        if data.drivers.shared:
            named = ", ".join(data.drivers.shared)
            notes.append(f"All customers share one {named}: nothing tells cohorts apart by it.")
        level, why = choose_level(data, earlier, cohorts.options_)
        notes += [why] if why else []
    churn, none = churn_or_why_not(data, earlier, settings)
    notes += [none] if none else []
    for fit in (transactions, spend):
        logger.info("%s fitted: log-likelihood %.4f", type(fit).__name__, fit.log_likelihood_)
    for note in notes:
        logger.info("noted: %s", note)
    return Fitted(
        data.as_of,
        transactions,
        spend,
        churn,
        cohorts,
        settings.spend_from,
        tuple(notes),
        data.drivers,
        level,
        choice,
        segments,
    )


def churn_or_why_not(
    data: TrainingData, models: list[TransactionModel], settings: Train
) -> tuple[ChurnClassifier | None, str]:
    """The churn classifier, or None and the reason."""
    if settings.churn_from == "purchase_model":
        return None, "No churn classifier: [train] churn_from asks for the purchase model's."
    try:
        made = fit_churn(
            data.churn,
            models,
            horizon_days=settings.churn_horizon_days,
            random_state=settings.seed,
        )
    except DataError as error:
        return None, f"No churn classifier: {error}"
    return made, ""


def with_drivers(fitted: Fitted, drivers: Drivers) -> Fitted:
    """Give a saved model the drivers of today.

    Raises
    ------
    ConfigError
        If they lack a covariate that the model was fitted with.
    """
    require_same(fitted.cohorts, drivers)
    return replace(fitted, drivers=drivers)


def require_same_horizon(fitted: Fitted, horizon_days: int) -> None:
    """Check that a saved churn classifier is asked for the horizon that it learned.

    Raises
    ------
    ConfigError
        If [train] churn_horizon_days has changed since.
    """
    if fitted.churn is not None and fitted.churn.horizon_days != horizon_days:
        raise ConfigError(
            f"the model in use learned churn within {fitted.churn.horizon_days} days; [train] "
            f"churn_horizon_days is {horizon_days}. Restore it, or train again."
        )


def fit_cohorts(data: TrainingData, random_state: int) -> CohortForecaster:
    """Fit the cohort forecast: age, season, period and cohort effects, and covariates."""
    return CohortForecaster(random_state=random_state).fit(
        data.cohort_months,
        data.as_of,
        log_start=data.first_date,
        period_covariates=data.drivers.period,
        cohort_covariates=data.drivers.cohort,
        daily_purchases=data.history.daily,
    )


def fit_transactions(summary: pd.DataFrame, model: str, engine: Engine = "own") -> TransactionModel:
    """Fit a purchase model, by the name that a configuration gives it, on a compressed summary."""
    return TRANSACTION_MODELS[PREFIX[engine] + model]().fit(summary)


def fit_spend(spend: pd.DataFrame, engine: Engine = "own") -> SpendModel:
    """Fit the spend model on what purchases tell of spend."""
    return SPEND_MODELS[PREFIX[engine] + "gamma_gamma"]().fit(spend)


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


def fit_earlier(
    origins: tuple[ChurnData, ...], model: str, engine: Engine = "own"
) -> list[TransactionModel]:
    """Fit the purchase model at each earlier origin."""
    with warnings.catch_warnings():
        # An early origin may not pin every parameter down; its forecasts are evidence only.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [fit_transactions(part.summary, model, engine) for part in origins]


def fit_churn(
    origins: tuple[ChurnData, ...],
    models: list[TransactionModel],
    *,
    horizon_days: int,
    random_state: int,
) -> ChurnClassifier:
    """Grow the churn trees on all origins but the last and calibrate them on the last.

    Parameters
    ----------
    origins : tuple of ChurnData
    models : list of TransactionModel
        Of :func:`fit_earlier`.
    horizon_days : int
        Churn is no purchase within so many days.
    random_state : int

    Raises
    ------
    DataError
        If there are fewer than two origins, nobody who may be profiled, or too few customers of
        either class.
    """
    if len(origins) < 2:
        raise DataError(
            f"a churn horizon of {horizon_days} days needs about "
            f"{horizon_days + 3 * CHURN_LEAST_DAYS} days of history before the as-of date. "
            "Lower [train] churn_horizon_days."
        )
    if any(part.features.empty for part in origins):
        raise DataError(
            "it learns from customers who may be profiled one by one, and found none at one of its "
            "origins. See [governance] consent."
        )
    samples = [
        ChurnSample(with_model_features(part.features, model, horizon_days), part.churned)
        for part, model in zip(origins, models, strict=True)
    ]
    classifier = ChurnClassifier(horizon_days, random_state=random_state)
    return classifier.fit(ChurnSample.concat(samples[:-1]), samples[-1])


def with_model_features(
    table: pd.DataFrame, model: TransactionModel, horizon_days: int
) -> pd.DataFrame:
    """Add the purchase model's own two probabilities to the churn features."""
    return table.assign(
        model_probability_alive=model.probability_alive(table),
        model_probability_no_purchase=model.probability_no_purchase(table, horizon=horizon_days),
    )
