"""How well customers were foreseen one by one: errors, ranking, tenths, churn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

from clvmodels.churn.classifier import ChurnSample, churn_scores, reliability
from clvmodels.core import metrics
from clvmodels.core.errors import ConvergenceWarning
from clvmodels.core.schema import CHURN_IMPORTANCE, CHURN_RELIABILITY, CONDITIONAL
from clvmodels.evaluation import transactions as diagnostics
from clvmodels.transactions.beta_geometric import BGNBD
from pipelines.config.load import Config
from pipelines.forecasting.levelling import QUANTITIES
from pipelines.training import fit as train
from pipelines.training.fit import Fitted
from pipelines.training.snapshot import ChurnData

Row = tuple[str, str, str, str, float]
"""level, quantity, model, metric, value."""


def scores(model: str, made: pd.DataFrame, actual: pd.DataFrame) -> Iterator[Row]:
    """Score a model's customers; ``made`` and ``actual`` hold purchases and revenue, row by row."""
    for quantity in QUANTITIES:
        for metric in (metrics.mae, metrics.rmse, metrics.bias, metrics.gini):
            score = metric(actual[quantity], made[quantity])
            yield "customer", quantity, model, metric.__name__, score


def deciles(made: pd.DataFrame, actual: pd.DataFrame) -> pd.DataFrame:
    """Compare by tenth of the forecast, lowest first.

    Returns
    -------
    DataFrame
        quantity, decile, customers, forecast_mean, actual_mean.
    """
    tables = []
    for quantity in QUANTITIES:
        rank = made[quantity].rank(method="first", pct=True)
        decile = (rank * 10).apply(np.ceil).astype(int).rename("decile")
        table = pd.DataFrame({"forecast": made[quantity], "actual": actual[quantity]})
        grouped = table.groupby(decile).agg(
            customers=("actual", "size"),
            forecast_mean=("forecast", "mean"),
            actual_mean=("actual", "mean"),
        )
        tables.append(grouped.reset_index().assign(quantity=quantity))
    return pd.concat(tables)


def conditional(
    customers: pd.DataFrame, made: pd.DataFrame | None, actual: pd.DataFrame
) -> pd.DataFrame:
    """Compare purchases by what was known of the customers.

    Returns
    -------
    DataFrame
        by ("frequency" or "recency"), group, customers, expected, actual; empty where no customer
        is forecast alone.
    """
    if made is None:
        return CONDITIONAL.empty()
    return pd.concat(
        diagnostics.conditional_expectations(
            customers, made["purchases"], actual["purchases"], by
        ).assign(by=by)
        for by in ("frequency", "recency")
    )


def churn(
    seen: ChurnData | None, summary: pd.DataFrame, fitted: Fitted, config: Config, explain: bool
) -> tuple[list[Row], pd.DataFrame, pd.DataFrame]:
    """Score churn probabilities: the classifier's, and BG/NBD's own.

    Parameters
    ----------
    seen : ChurnData, optional
        Features at the origin and churn after it; nothing is scored without any customer.
    summary : DataFrame
        Compressed RFM summary at the origin, on which BG/NBD is fitted.
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
    horizon = config.train.churn_horizon_days
    table = train.with_model_features(seen.features, fitted.transactions, horizon)
    with warnings.catch_warnings():
        # The product's own fit has said what these data do not pin down.
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = BGNBD().fit(summary)
    made = {"bgnbd": plain.probability_no_purchase(seen.features, horizon=horizon)}
    if fitted.churn is not None:
        made["churn"] = fitted.churn.churn_probability(table)
        if explain and 0 < seen.churned.sum() < len(seen.churned):
            importance = fitted.churn.permutation_importance(ChurnSample(table, seen.churned))
    rows = [
        ("customer", "purchases", model, metric, value)
        for model, probability in made.items()
        for metric, value in churn_scores(seen.churned, probability).items()
    ]
    curves = [reliability(seen.churned, p).assign(model=m) for m, p in made.items()]
    return rows, pd.concat(curves), importance
