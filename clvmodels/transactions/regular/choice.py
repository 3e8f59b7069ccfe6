"""How even gaps are: the number of stages under which purchases are likeliest."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from clvmodels.core.arrays import Array
from clvmodels.core.errors import ConvergenceWarning, warn_caller
from clvmodels.core.summaries import Histories, has_column, read_histories
from clvmodels.estimation.parameters import Model
from clvmodels.transactions.regular.likelihood import of_gaps

Fitted = TypeVar("Fitted", bound=Model)

STAGES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24)
"""What k is chosen from."""

MOST_STAGES = STAGES[-1]
"""Gaps that are as good as constant: their standard deviation is a fifth of their mean."""

GAPS = "log_gap_shares"
"""Sum over a customer's gaps between purchases of ln(gap / recency); free of units."""


def best_fit(
    fit: Callable[[int, Any, npt.ArrayLike | None], Fitted],
    summary: Any,
    weights: npt.ArrayLike | None,
) -> Fitted:
    """Fit by the number of stages under which the purchases, gaps included, are likeliest.

    From the number under which the gaps alone are, where they are known, it is moved as long as
    the likelihood grows; a tie goes to fewer stages.

    Parameters
    ----------
    fit : callable
        k, summary, weights -> a fitted model.
    summary, weights
        As for the model's ``fit``.
    """
    data, gaps = _read(summary, weights)
    tried: dict[int, tuple[float, Fitted, list[warnings.WarningMessage]]] = {}

    def score(place: int) -> float:
        k = STAGES[place]
        if k not in tried:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                model = fit(k, summary, weights)
            value = model.log_likelihood_ + (0.0 if gaps is None else of_gaps(k, data, gaps))
            tried[k] = value, model, caught
        return tried[k][0]

    at = 0
    if gaps is not None:
        at = int(np.argmax([of_gaps(k, data, gaps) for k in STAGES]))
    least = 1e-9 * float(data.weight.sum())
    while at > 0 and score(at - 1) >= score(at) - least:
        at -= 1
    while at + 1 < len(STAGES) and score(at + 1) > score(at) + least:
        at += 1
    score(at)
    _, model, caught = tried[STAGES[at]]
    for warning in caught:
        if isinstance(warning.message, Warning):
            warn_caller(warning.message)
    return model


def _read(summary: Any, weights: npt.ArrayLike | None) -> tuple[Histories, Array | None]:
    data = read_histories(summary, weights, (GAPS,) if has_column(summary, GAPS) else ())
    return data, data.covariates.get(GAPS)
