"""How good probabilities of churn were: scores, and the reliability curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def churn_scores(churned: ArrayLike, probability: ArrayLike) -> dict[str, float]:
    """AUC, Brier score and log loss of churn probabilities.

    AUC is ``nan`` where everybody or nobody churned.
    """
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    y = np.asarray(churned, dtype=bool)
    p = np.clip(np.asarray(probability, dtype=float), 1e-12, 1 - 1e-12)
    one_class = bool(y.all() or not y.any())
    return {
        "auc": float("nan") if one_class else float(roc_auc_score(y, p)),
        "brier": float(brier_score_loss(y, p)),
        "log_loss": float(log_loss(y, p, labels=[False, True])),
    }


def reliability(churned: ArrayLike, probability: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Reliability curve over bins of about equal size.

    Returns
    -------
    DataFrame
        bin (1 = lowest), predicted and observed (mean churn), customers.
    """
    y = np.asarray(churned, dtype=float)
    p = np.asarray(probability, dtype=float)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, p, side="right")
    table = pd.DataFrame({"bin": group, "predicted": p, "observed": y})
    grouped = table.groupby("bin").agg(
        predicted=("predicted", "mean"), observed=("observed", "mean"), customers=("bin", "size")
    )
    grouped.index = pd.RangeIndex(1, len(grouped) + 1, name="bin")
    return grouped.reset_index()
