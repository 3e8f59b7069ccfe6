"""Whether segments tell customers apart, and how: judged on later purchases, or other customers."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import xlogy

from clvmodels.core.arguments import read_horizon
from clvmodels.core.arrays import Array
from clvmodels.core.errors import ConvergenceWarning
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.segments.purchases import PurchasesBySegment
from clvmodels.segments.spend import SpendBySegment
from clvmodels.segments.values import SegmentValues
from clvmodels.spend.base import SpendModel
from clvmodels.transactions.base import TransactionModel

WHOLE = "everybody"
"""The way of a model that knows no segment."""

COVARIATES = "covariates"
"""The way of one model whose rates depend on all dimensions; others are named by a dimension."""

STANDARD_ERRORS = 2.0
"""A way is taken where its gain over a model without segments is so many of its errors."""

LEAST_GAIN = 2.0
"""Of the log-likelihood of customers that the spend model has not seen."""


@one_blas_thread
def fit_purchases(
    way: str,
    values: SegmentValues,
    summary: pd.DataFrame,
    whole: TransactionModel,
    kind: Callable[[], TransactionModel],
) -> PurchasesBySegment:
    """Fit a transaction model by segment, in one of the ways of :func:`compare_purchases`."""
    if way == COVARIATES:
        return PurchasesBySegment.with_covariates(values, summary, kind)
    return PurchasesBySegment.separately(values, way, summary, whole, kind)


@one_blas_thread
def compare_purchases(
    values: SegmentValues,
    earlier: pd.DataFrame,
    later: pd.DataFrame,
    horizon: float,
    kind: Callable[[], TransactionModel],
) -> pd.DataFrame:
    """Score ways to know segments by what customers bought after an earlier day.

    The level is taken out, as in :func:`clvmodels.evaluation.selection.compare_on_holdout`. The
    score is the Poisson deviance, which a forecast that is the mean minimises.

    Parameters
    ----------
    values : SegmentValues
    earlier : DataFrame
        frequency, recency, T, weight and the dimensions, at an earlier day.
    later : DataFrame
        The same histories with ``purchases`` in the ``horizon`` after it.
    horizon : float
        Days.
    kind : callable
        Makes a model that is not fitted.

    Returns
    -------
    DataFrame
        way, deviance (per customer), gain (over a model without segments), error (its standard
        error), best first; ways that do not earn their place come after that without segments.
    """
    horizon = read_horizon(horizon)
    weight = later["weight"].to_numpy(dtype=float)
    actual = later["purchases"].to_numpy(dtype=float)
    with warnings.catch_warnings():
        # An earlier day may not pin every parameter down; the score tells.
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = kind().fit(earlier[["frequency", "recency", "T", "weight"]])
        plain = _deviance(actual, np.asarray(whole.expected_purchases(later, horizon)), weight)
        rows = [(WHOLE, plain, np.zeros_like(plain))]
        for way in (COVARIATES, *values.dimensions):
            model = fit_purchases(way, values, earlier, whole, kind)
            own = _deviance(actual, model.expected_purchases(later, horizon), weight)
            rows.append((way, own, plain - own))
    total = float(weight.sum())
    table = pd.DataFrame(
        [
            {
                "way": way,
                "deviance": float(weight @ deviance) / total,
                "gain": float(weight @ gain) / total,
                "error": float(np.sqrt(_variance(gain, weight) / total)),
            }
            for way, deviance, gain in rows
        ]
    )
    earned = (table["gain"] > STANDARD_ERRORS * table["error"]) | (table["way"] == WHOLE)
    table = table.assign(earned=earned).sort_values(
        ["earned", "deviance"], ascending=[False, True], kind="stable", ignore_index=True
    )
    return table.drop(columns="earned")


@one_blas_thread
def spend_gain(
    values: SegmentValues,
    spend: pd.DataFrame,
    kind: Callable[[], SpendModel],
    random_state: int,
) -> float:
    """Gain in log-likelihood of a spend model by segment on the half of customers it has not seen.

    Parameters
    ----------
    spend : DataFrame
        frequency, monetary_value, weight (whole numbers) and the dimensions.
    kind : callable
        Makes a model that is not fitted.
    random_state : int
        By which customers are parted.
    """
    rng = np.random.default_rng(random_state)
    weight = spend["weight"].to_numpy(dtype=float)
    first = rng.binomial(weight.astype(np.int64), 0.5).astype(float)
    seen = spend.assign(weight=first)[first > 0]
    held_out = spend.assign(weight=weight - first)[weight > first]
    if seen.empty or held_out.empty:
        return 0.0
    plain = ["frequency", "monetary_value", "weight"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = kind().fit(seen[plain])
        by_segment = SpendBySegment.fit(values, seen, whole, kind)
    return by_segment.log_likelihood(held_out) - whole.log_likelihood(held_out[plain])


def _deviance(actual: Array, expected: Array, weight: Array) -> Array:
    """Poisson deviance of each row, forecasts scaled to what was bought in all."""
    total = float(weight @ expected)
    scaled = np.maximum(expected * (float(weight @ actual) / total if total > 0 else 1.0), 1e-9)
    return np.asarray(2 * (xlogy(actual, actual / scaled) - (actual - scaled)))


def _variance(gain: Array, weight: Array) -> float:
    total = float(weight.sum())
    mean = float(weight @ gain) / total
    return float(weight @ (gain - mean) ** 2) / total
