"""How well customers were foreseen one by one: errors, ranking, tenths, churn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from clvmodels.churn.classifier import ChurnSample, churn_scores, reliability
from clvmodels.core import metrics
from clvmodels.core.schema import CHURN_IMPORTANCE, CHURN_RELIABILITY, CONDITIONAL, QUANTITIES
from clvmodels.evaluation import transactions as diagnostics
from pipelines.backtesting.candidates import Compared
from pipelines.training import fit as train
from pipelines.training.fit import Fitted
from pipelines.training.training_data import ChurnData


class ScoreLevel(StrEnum):
    """What a figure of the backtest is over."""

    CUSTOMER = "customer"
    COHORT_MONTH = "cohort_month"
    """First-purchase quarter and calendar month."""
    TOTAL_MONTH = "total_month"
    SEGMENT_MONTH = "segment_month"
    """Value of a dimension, and calendar month."""


Row = tuple[str, str, str, str, float]
"""level, quantity, model, metric, value."""


def scores(model: str, actual: pd.DataFrame, forecast: pd.DataFrame) -> Iterator[Row]:
    """Score a model's customers; both tables hold purchases and revenue, row by row."""
    for quantity in QUANTITIES:
        for metric in (metrics.mae, metrics.rmse, metrics.bias, metrics.gini):
            score = metric(actual[quantity], forecast[quantity])
            yield ScoreLevel.CUSTOMER.value, quantity, model, metric.__name__, score


def deciles(actual: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    """Compare by tenth of the forecast, lowest first.

    Returns
    -------
    DataFrame
        quantity, decile, customers, forecast_mean, actual_mean.
    """
    tables = []
    for quantity in QUANTITIES:
        rank = forecast[quantity].rank(method="first", pct=True)
        decile = (rank * 10).apply(np.ceil).astype(int).rename("decile")
        table = pd.DataFrame({"forecast": forecast[quantity], "actual": actual[quantity]})
        grouped = table.groupby(decile).agg(
            customers=("actual", "size"),
            forecast_mean=("forecast", "mean"),
            actual_mean=("actual", "mean"),
        )
        tables.append(grouped.reset_index().assign(quantity=quantity))
    return pd.concat(tables)


def conditional(
    customers: pd.DataFrame, actual: pd.DataFrame, forecast: pd.DataFrame | None
) -> pd.DataFrame:
    """Compare purchases by what was known of the customers.

    Returns
    -------
    DataFrame
        by ("frequency" or "recency"), group, customers, expected, actual; empty where no customer
        is forecast alone.
    """
    if forecast is None:
        return CONDITIONAL.empty()
    return pd.concat(
        diagnostics.conditional_expectations(
            customers, forecast["purchases"], actual["purchases"], by
        ).assign(by=by)
        for by in ("frequency", "recency")
    )


def churn(
    seen: ChurnData | None,
    fitted: Fitted,
    *,
    horizon_days: int,
    explain: bool,
) -> tuple[list[Row], pd.DataFrame, pd.DataFrame]:
    """Score churn probabilities: the classifier's, and those of the purchase model in use.

    Parameters
    ----------
    seen : ChurnData, optional
        Features at the origin and churn after it; nothing is scored without any customer.
    fitted : Fitted
    horizon_days : int
        Churn is no purchase within so many days.
    explain : bool
        Whether the importance of the classifier's features is wanted.

    Returns
    -------
    scores : list of Row
    reliability : DataFrame
        model, bin, predicted, observed, customers.
    importance : DataFrame
        feature, importance, importance_sd.
    """
    importance = CHURN_IMPORTANCE.empty()
    if seen is None or seen.features.empty:
        return [], CHURN_RELIABILITY.empty(), importance
    table = train.with_model_features(seen.features, fitted.transactions, horizon_days)
    own = fitted.transactions.probability_no_purchase(seen.features, horizon=horizon_days)
    foreseen = {Compared.CUSTOMERS.value: np.asarray(own, dtype=float)}
    if fitted.churn is not None:
        foreseen[Compared.CHURN.value] = fitted.churn.churn_probability(table)
        if explain and 0 < seen.churned.sum() < len(seen.churned):
            importance = fitted.churn.permutation_importance(ChurnSample(table, seen.churned))
    rows = [
        (ScoreLevel.CUSTOMER.value, "purchases", model, metric, value)
        for model, probability in foreseen.items()
        for metric, value in churn_scores(seen.churned, probability).items()
    ]
    curves = [reliability(seen.churned, p).assign(model=m) for m, p in foreseen.items()]
    return rows, pd.concat(curves), importance


@dataclass(frozen=True)
class ChurnContest:
    """Brier scores of the churn classifier and the purchase model in use, mean of past origins.

    Attributes
    ----------
    classifier, purchase_model : float
    origins : int
        Where both were scored.
    """

    classifier: float
    purchase_model: float
    origins: int

    @classmethod
    def of(cls, metrics: pd.DataFrame) -> ChurnContest | None:
        """From a backtest's metrics; None where no origin scored both."""
        rows = metrics[metrics["metric"] == "brier"] if len(metrics) else metrics
        if rows.empty:
            return None
        names = [Compared.CHURN.value, Compared.CUSTOMERS.value]
        table = rows.pivot_table(index="origin", columns="model", values="value")
        both = table.reindex(columns=names).dropna()
        if both.empty:
            return None
        return cls(float(both[names[0]].mean()), float(both[names[1]].mean()), len(both))

    @property
    def note(self) -> str | None:
        """Say that the classifier is not delivered, and why; None where it earned its place."""
        if self.classifier < self.purchase_model:
            return None
        return (
            f"{NOT_EARNED}: over {self.origins} past date{'s' * (self.origins > 1)} its Brier "
            f"score was {self.purchase_model:.4f}, the classifier's {self.classifier:.4f} (lower "
            "is better)."
        )


NOT_EARNED = "The churn probability delivered is the purchase model's own"
