"""Which transaction model to use: judged on customers whose later purchases are known."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd

from clvmodels.core.arguments import numbers, read_horizon
from clvmodels.core.errors import ConvergenceWarning, InvalidValueError
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.regular.cnbd import distinct


@one_blas_thread
def compare_on_holdout(
    candidates: Iterable[type[TransactionModel]],
    earlier: pd.DataFrame,
    later: pd.DataFrame,
    horizon: float,
) -> pd.DataFrame:
    """Fit every candidate to what was known and score what it says of single customers.

    The level is taken out of the score: forecasts are scaled to the purchases that were made,
    since level and season come from the cohort forecast and a transaction model's part is to
    tell customers apart.

    Parameters
    ----------
    candidates : iterable of TransactionModel classes
        In order of preference, should scores be equal.
    earlier : DataFrame
        Compressed RFM summary at an earlier day: frequency, recency, T, weight.
    later : DataFrame
        frequency, recency, T at that day, ``purchases`` in the ``horizon`` after it, weight.
    horizon : float
        Days.

    Returns
    -------
    DataFrame
        model (class name), mae (mean absolute error of purchases, level taken out), identified
        (whether the data pin its parameters down); best first. Models of regular timing whose
        gaps are those of chance are left out beside the model that they are then.

    Raises
    ------
    InvalidValueError
        If nobody bought in the horizon, so that nothing can be told apart.
    """
    horizon = read_horizon(horizon)
    weight = numbers(later["weight"], "weight")
    actual = numbers(later["purchases"], "purchases")
    bought = float(weight @ actual)
    if bought <= 0:
        raise InvalidValueError(
            f"nobody bought within the {horizon:g} days that models are compared on; choose a model"
        )
    with warnings.catch_warnings():
        # A model that the data do not identify comes last; that is all the warning asks.
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = distinct([candidate().fit(earlier) for candidate in candidates])
    rows = []
    for model in models:
        expected = np.asarray(model.expected_purchases(later, horizon=horizon))
        total = float(weight @ expected)
        scaled = expected * (bought / total) if total > 0 else expected
        mae = float(weight @ np.abs(scaled - actual)) / float(weight.sum())
        rows.append((type(model).__name__, mae, not model.unidentified_))
    table = pd.DataFrame(rows, columns=["model", "mae", "identified"])
    return table.sort_values(
        ["identified", "mae"], ascending=[False, True], kind="stable", ignore_index=True
    )
