"""The transaction model that a run goes by, beside the configuration: what, and where it is from.

A configuration is never edited: where it leaves the model open, an earlier day of the log decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from clvmodels.core.errors import DataError
from clvmodels.evaluation.selection import compare_on_holdout
from clvmodels.registry import CANDIDATES, TRANSACTION_MODELS
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.regular.choice import MOST_STAGES
from clvmodels.transactions.regular.erlang import ErlangModel
from pipelines.config.load import Train
from pipelines.training.training_data import Trial


class ModelSource(StrEnum):
    """Why a model is the one that a run goes by."""

    CONFIGURED = "configured"
    COMPARED = "compared"
    """It told customers apart best on an earlier day of the log."""
    SIMPLEST = "simplest"
    """There was nothing to compare the models on."""


@dataclass(frozen=True)
class ModelChoice:
    """A transaction model, by the name that a configuration gives it.

    Attributes
    ----------
    name : str
        One of :data:`clvmodels.registry.TRANSACTION_MODELS`.
    source : ModelSource
    note : str, optional
        How it was chosen: a sentence for the model card.
    """

    name: str
    source: ModelSource
    note: str | None = None

    def described(self) -> dict[str, str]:
        """Return it as JSON holds it; the note stands with the others of the model."""
        return {"name": self.name, "source": self.source.value}


def choose_model(trial: Trial | None, settings: Train) -> ModelChoice:
    """Take the model that is configured or, where it is open, the one that a trial speaks for.

    Parameters
    ----------
    trial : Trial, optional
        None where the model is named in the configuration.
    settings : Train
    """
    if trial is None:
        if settings.transaction_model == "auto":
            return ModelChoice(_name(CANDIDATES[0].__name__), ModelSource.SIMPLEST)
        return ModelChoice(settings.transaction_model, ModelSource.CONFIGURED)
    try:
        table = compare_on_holdout(CANDIDATES, trial.summary, trial.later, trial.days)
    except DataError as error:
        simplest = CANDIDATES[0].__name__
        note = f"{simplest}, the simplest model: {error}."
        return ModelChoice(_name(simplest), ModelSource.SIMPLEST, note)
    best = _name(str(table["model"][0]))
    return ModelChoice(best, ModelSource.COMPARED, _note(table, trial.days))


def evenness(model: TransactionModel) -> str | None:
    """Say how even the gaps between purchases are, where a model knows, and propose a plan's."""
    if not isinstance(model, ErlangModel) or model.k_ == 1:
        return None
    name, k = type(model).__name__, model.k_
    if k < MOST_STAGES:
        return f"{name}: purchases come more evenly than by chance (gaps are Erlang-{k})."
    return (
        f"{name}: purchases come at all but constant intervals, as the payments of a plan do. "
        "Where customers are under contract, a model of renewals (ShiftedBetaGeometric) forecasts "
        "them, and never more than one a period."
    )


def _name(of_class: str) -> str:
    """What a configuration calls a class of models."""
    return {kind.__name__: name for name, kind in TRANSACTION_MODELS.items()}[of_class]


def _note(table: pd.DataFrame, days: int) -> str:
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
