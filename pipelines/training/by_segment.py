"""Customer models that know a customer's segment, where an earlier day shows that segments tell."""

from __future__ import annotations

from clvmodels.core.errors import DataError
from clvmodels.registry import SPEND_MODELS, TRANSACTION_MODELS
from clvmodels.segments.choice import (
    COVARIATES,
    LEAST_GAIN,
    WHOLE,
    compare_purchases,
    fit_purchases,
    spend_gain,
)
from clvmodels.segments.purchases import PurchasesBySegment
from clvmodels.segments.segments import Segments
from clvmodels.segments.spend import SpendBySegment
from clvmodels.spend.base import SpendModel
from clvmodels.transactions.base import TransactionModel
from pipelines.config.load import Train
from pipelines.training.training_data import SegmentData, TrainingData


def fit_segments(
    data: TrainingData,
    transactions: TransactionModel,
    spend: SpendModel,
    model: str,
    settings: Train,
) -> tuple[Segments | None, list[str]]:
    """Fit the customer models by segment that earn their place, and say why or why not.

    Parameters
    ----------
    data : TrainingData
    transactions, spend : TransactionModel, SpendModel
        Of everybody.
    model : str
        Name of the former.
    settings : Train
        Whether segments may act; the seed parts customers, to judge spend on those not seen.

    Returns
    -------
    segments : Segments, optional
        None where no part earned its place.
    notes : list of str
        For the report and the model card.
    """
    found = data.segments
    if found is None or not settings.by_segment or settings.engine != "own":
        return None, []
    purchases, note = _purchases(found, transactions, model)
    by_value, why = _spend(found, spend, settings.seed)
    notes = [note, why]
    if purchases is None and by_value is None:
        return None, notes
    return Segments(found.values, purchases, by_value), notes


def _purchases(
    found: SegmentData, transactions: TransactionModel, model: str
) -> tuple[PurchasesBySegment | None, str]:
    named = _named(found.values.dimensions)
    trial, kind = found.trial, TRANSACTION_MODELS[model]
    if not trial.later["purchases"].sum():
        return (
            None,
            f"Purchases by {named}: nobody bought after the earlier day to compare them on.",
        )
    try:
        table = compare_purchases(found.values, trial.summary, trial.later, trial.days, kind)
    except DataError as error:
        return None, f"Purchases by {named}: not compared, {error}."
    scores = ", ".join(
        f"{_way(way)} {deviance:.4f}"
        for way, deviance in zip(table["way"], table["deviance"], strict=True)
    )
    judged = f"Poisson deviance per customer on the last {trial.days} days known: {scores}"
    way = str(table["way"][0])
    if way == WHOLE:
        return (
            None,
            f"Purchases do not depend on {named}: knowing it told no customers apart ({judged}).",
        )
    made = fit_purchases(way, found.values, found.summary, transactions, kind)
    acting = named if way == COVARIATES else _named((way,))
    return made, f"Purchases depend on the customer's {acting} ({judged})."


def _spend(found: SegmentData, spend: SpendModel, seed: int) -> tuple[SpendBySegment | None, str]:
    named, kind = _named(found.values.dimensions), SPEND_MODELS["gamma_gamma"]
    try:
        gain = spend_gain(found.values, found.spend, kind, seed)
    except DataError as error:
        return None, f"Spend by {named}: not compared, {error}."
    judged = f"log-likelihood of half of the customers, by the other half: {gain:+.1f}"
    if gain <= LEAST_GAIN:
        return None, f"The value of a purchase does not depend on {named} ({judged})."
    made = SpendBySegment.fit(found.values, found.spend, spend, kind)
    return made, f"The value of a purchase depends on the customer's {named} ({judged})."


def _named(dimensions: tuple[str, ...]) -> str:
    return " and ".join(name.replace("_", " ") for name in dimensions)


def _way(way: str) -> str:
    """How the model card calls a way to know segments."""
    if way == WHOLE:
        return "without segments"
    return "all as covariates" if way == COVARIATES else f"a model by {_named((way,))}"
