"""From tables known at an as-of date to fitted models.

No database is needed here, so that many origins can be estimated in parallel;
:mod:`pipelines.training.snapshot` asks the engine for the tables first.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass, field, replace

import pandas as pd

from clvmodels.churn.classifier import ChurnClassifier, ChurnSample
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.errors import ConfigError, ConvergenceWarning, DataError
from clvmodels.evaluation.lifetimes import compare
from clvmodels.evaluation.selection import compare_on_holdout
from clvmodels.registry import CANDIDATES, SPEND_MODELS, TRANSACTION_MODELS
from clvmodels.spend.base import SpendModel
from clvmodels.spend.gamma_gamma import GammaGamma
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.beta_geometric import BGNBD
from pipelines.config.load import Config
from pipelines.data.features import drivers
from pipelines.data.features.drivers import Drivers
from pipelines.data.features.rfm import SpendFrom
from pipelines.training.level_source import Level, choose_level
from pipelines.training.snapshot import CHURN_LEAST_DAYS, ChurnData, TrainingData, Trial


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
    level : {'cohorts', 'customers'}
        Whose purchases a cohort's forecast takes; see :mod:`pipelines.training.level_source`.
    """

    as_of: dt.date
    transactions: TransactionModel
    spend: SpendModel
    churn: ChurnClassifier | None = None
    cohorts: CohortForecaster | None = None
    spend_from: SpendFrom = "repeat"
    notes: tuple[str, ...] = field(default=())
    drivers: Drivers = field(default_factory=Drivers)
    level: Level = "cohorts"


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
    notes += [w.message.finding for w in caught if isinstance(w.message, ConvergenceWarning)]
    earlier = fit_earlier(data.churn, config)
    cohorts = None
    level: Level = "cohorts"
    if config.train.cohort_level:
        cohorts = fit_cohorts(data, config)
        notes += [f"Cohort forecast: {note}." for note in cohorts.evidence_["notes"]]
        if config.covariates.by_cohort and data.drivers.cohort is None:
            named = ", ".join(config.covariates.by_cohort)
            notes.append(f"All customers share one {named}: nothing tells cohorts apart by it.")
        level, why = choose_level(data, earlier, cohorts.options_)
        notes += [why] if why else []
    churn = None
    try:
        churn = fit_churn(data.churn, earlier, config)
    except DataError as error:
        notes.append(f"No churn classifier: {error}")
    return Fitted(
        data.as_of,
        transactions,
        spend,
        churn,
        cohorts,
        config.train.spend_from,
        tuple(notes),
        data.drivers,
        level,
    )


def with_drivers(fitted: Fitted, told: Drivers) -> Fitted:
    """Give a saved model the drivers of today.

    Raises
    ------
    ConfigError
        If they lack a covariate that the model was fitted with.
    """
    drivers.require_same(fitted.cohorts, told)
    return replace(fitted, drivers=told)


def require_same_horizon(fitted: Fitted, config: Config) -> None:
    """Check that a saved churn classifier is asked for the horizon that it learned.

    Raises
    ------
    ConfigError
        If [train] churn_horizon_days has changed since.
    """
    asked = config.train.churn_horizon_days
    if fitted.churn is not None and fitted.churn.horizon_days != asked:
        raise ConfigError(
            f"the model in use learned churn within {fitted.churn.horizon_days} days; [train] "
            f"churn_horizon_days is {asked}. Restore it, or train again."
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
        chosen, note = str(table["model"][0]), choice_note(table, data.days)
    settings = config.train.model_copy(update={"transaction_model": names[chosen]})
    return config.model_copy(update={"train": settings}), note


def choice_note(table: pd.DataFrame, days: int) -> str:
    """Say which model was chosen and why, from its comparison on a holdout."""
    scores = ", ".join(
        f"{row.model} {row.mae:.4f}{'' if row.identified else ' (not identified)'}"
        for row in table.itertuples()
    )
    note = (
        f"{table['model'][0]} was chosen on the last {days} days known: mean absolute error of "
        f"purchases per customer, level taken out: {scores}."
    )
    if not table["identified"].all():
        note += " Models whose parameters the data do not identify come last, whatever theirs."
    return note


def fit_cohorts(data: TrainingData, config: Config) -> CohortForecaster:
    """Fit the cohort forecast: age, season, period and cohort effects, and covariates."""
    return CohortForecaster(seed=config.train.seed).fit(
        data.cohort_months,
        data.as_of,
        log_start=data.first_date,
        period_covariates=data.drivers.period,
        cohort_covariates=data.drivers.cohort,
    )


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


def fit_earlier(origins: tuple[ChurnData, ...], config: Config) -> list[TransactionModel]:
    """Fit the purchase model at each earlier origin."""
    with warnings.catch_warnings():
        # An early origin may not pin every parameter down; its forecasts are evidence only.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [fit_transactions(part.summary, config) for part in origins]


def fit_churn(
    origins: tuple[ChurnData, ...], models: list[TransactionModel], config: Config
) -> ChurnClassifier:
    """Grow the churn trees on all origins but the last and calibrate them on the last.

    Parameters
    ----------
    origins : tuple of ChurnData
    models : list of TransactionModel
        Of :func:`fit_earlier`.
    config : Config

    Raises
    ------
    DataError
        If there are fewer than two origins, nobody who may be profiled, or too few customers of
        either class.
    """
    horizon = config.train.churn_horizon_days
    if len(origins) < 2:
        raise DataError(
            f"a churn horizon of {horizon} days needs about {horizon + 3 * CHURN_LEAST_DAYS} "
            "days of history before the as-of date. Lower [train] churn_horizon_days."
        )
    if any(part.features.empty for part in origins):
        raise DataError(
            "it learns from customers who may be profiled one by one, and found none at one of its "
            "origins. See [governance] consent."
        )
    samples = [
        ChurnSample(with_model_features(part.features, model, horizon), part.churned)
        for part, model in zip(origins, models, strict=True)
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
