"""How well a fitted model describes the customers it was fitted to: tables to look at or to draw.

Each follows a figure of the literature: the frequency histogram and the conditional expectations
of Fader, Hardie and Lee (2005, Marketing Science 24(2), figures 2 and 4), and the tracking plots of
the same paper (figure 3). Spend has :mod:`clvmodels.evaluation.spend`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from clvmodels.core.arguments import numbers, whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.summaries import Histories, read_histories
from clvmodels.estimation.parameters import Model
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.transactions.base import TransactionModel

MOST_TIMES = 400
"""Distinct T that are kept apart; where there are more, neighbours share their mean."""


def frequency_histogram(
    model: TransactionModel, summary: Any, highest: int = 7, weights: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Customers by number of repeat purchases, observed and expected.

    Parameters
    ----------
    model : TransactionModel
        Fitted, without covariates.
    summary : DataFrame
        With frequency, recency, T [, weight].
    highest : int
        The last row takes this number and more.
    weights : array_like, shape (n,), optional
        As for ``fit``.

    Returns
    -------
    DataFrame
        frequency ("0", "1", …, "7+"), observed, expected (customers); both sum to all customers.
    """
    _check_no_covariates(model)
    highest = whole_number(highest, "highest", 1)
    data = read_histories(summary, weights)
    top = np.minimum(data.frequency, highest).astype(np.int64)
    observed = np.bincount(top, weights=data.weight, minlength=highest + 1)
    counts = np.arange(highest)
    expected = np.zeros(highest + 1)
    for T, weight in zip(*_times(data), strict=True):
        expected[:highest] += weight * model.purchase_pmf(counts, float(T))
    expected[highest] = max(float(data.weight.sum() - expected[:highest].sum()), 0.0)
    labels = [*(str(k) for k in range(highest)), f"{highest}+"]
    return pd.DataFrame({"frequency": labels, "observed": observed, "expected": expected})


@one_blas_thread
def tracking(
    model: TransactionModel,
    summary: Any,
    ends: npt.ArrayLike,
    observed: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Repeat purchases by period, observed and expected, and their running totals.

    Parameters
    ----------
    model : TransactionModel
        Fitted, without covariates.
    summary : DataFrame
        With frequency, recency, T [, weight]: T says when each customer joined.
    ends : array_like, shape (k,)
        Ends of consecutive periods, rising, in the unit of T from the end of observation:
        negative in the past, positive in a holdout. The first period starts with the first
        customer.
    observed : array_like, shape (k,)
        Repeat purchases in each period; not-a-number where unknown.
    weights : array_like, shape (n,), optional
        As for ``fit``.

    Returns
    -------
    DataFrame
        end, observed, expected, cumulative_observed, cumulative_expected. Expected are the
        model's for customers of whom only the day of joining is known.
    """
    _check_no_covariates(model)
    end = np.atleast_1d(numbers(ends, "ends"))
    seen = np.atleast_1d(numbers(observed, "observed"))
    rising = end.ndim == 1 and np.all(np.isfinite(end)) and np.all(np.diff(end) > 0)
    if not rising or end.shape != seen.shape:
        raise InvalidValueError(
            "ends must rise and have one observed count each; "
            f"found {end.size} ends and {seen.size} counts"
        )
    T, weight = _times(read_histories(summary, weights))
    ages = np.maximum(T[:, None] + end, 0.0)
    distinct, place = np.unique(ages, return_inverse=True)
    curve = np.atleast_1d(model.expected_purchases_new_customer(distinct))
    cumulative = weight @ curve[place.reshape(ages.shape)]
    return pd.DataFrame(
        {
            "end": end,
            "observed": seen,
            "expected": np.diff(cumulative, prepend=0.0),
            "cumulative_observed": np.cumsum(seen),
            "cumulative_expected": cumulative,
        }
    )


def conditional_expectations(
    summary: Any,
    expected: npt.ArrayLike,
    actual: npt.ArrayLike,
    by: Literal["frequency", "recency"] = "frequency",
    groups: int = 8,
    weights: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Mean purchases in a holdout, expected and actual, of customers with like histories.

    Parameters
    ----------
    summary : DataFrame
        With frequency, recency, T [, weight], known at the start of the holdout.
    expected, actual : array_like, shape (n,)
        Purchases of each customer in the holdout; the mean of the row's customers where a row
        stands for several.
    by : {"frequency", "recency"}
        Group by the number of repeat purchases (the last group takes all higher ones), or by
        the time from first to last purchase (no repeat purchase, then equal shares of the rest).
    groups : int
        Groups at most.
    weights : array_like, shape (n,), optional

    Returns
    -------
    DataFrame
        group (label), customers, expected, actual (means per customer).
    """
    if by not in ("frequency", "recency"):
        raise InvalidValueError(f"by must be 'frequency' or 'recency'; found {by!r}")
    groups = whole_number(groups, "groups", 2)
    data = read_histories(summary, weights)
    columns = {}
    for name, values in (("expected", expected), ("actual", actual)):
        columns[name] = numbers(values, name)
        if columns[name].shape != (data.size,) or not np.all(np.isfinite(columns[name])):
            raise InvalidValueError(
                f"{name} must hold one finite number for each of the {data.size} rows; "
                f"found shape {columns[name].shape}"
            )
    if by == "frequency":
        code = np.minimum(data.frequency, groups - 1).astype(np.int64)
        labels = [*(str(k) for k in range(groups - 1)), f"{groups - 1}+"]
    else:
        code, labels = _recency_groups(data, groups)
    size = np.bincount(code, weights=data.weight, minlength=len(labels))
    kept = size > 0
    table = {"group": np.array(labels)[kept], "customers": size[kept]}
    for name, values in columns.items():
        sums = np.bincount(code, weights=data.weight * values, minlength=len(labels))
        table[name] = sums[kept] / size[kept]
    return pd.DataFrame(table)


def compare_models(models: Iterable[Model]) -> pd.DataFrame:
    """Information criteria of models fitted to the same customers, best BIC first.

    Returns
    -------
    DataFrame
        model, parameters (how many), log_likelihood, aic, bic, bic_difference (from the best).
    """
    fitted = list(models)
    sizes = {round(model.n_customers_, 6) for model in fitted}
    if len(sizes) != 1:
        raise InvalidValueError(
            "models can be compared only on the same customers; "
            f"found fits to {', '.join(f'{size:g}' for size in sorted(sizes)) or 'none'}"
        )
    table = pd.DataFrame(
        {
            "model": [type(model).__name__ for model in fitted],
            "parameters": [len(model.params_) for model in fitted],
            "log_likelihood": [model.log_likelihood_ for model in fitted],
            "aic": [model.aic_ for model in fitted],
            "bic": [model.bic_ for model in fitted],
        }
    ).sort_values("bic", ignore_index=True)
    return table.assign(bic_difference=table["bic"] - table["bic"].iloc[0])


def _check_no_covariates(model: TransactionModel) -> None:
    extra = [name for name in model.params_ if name not in model.parameter_names]
    if extra:
        raise InvalidValueError(
            "this diagnostic is defined for models without covariates; found the coefficients "
            f"{', '.join(extra)}. Use conditional_expectations, or fit without them."
        )


def _times(data: Histories) -> tuple[Array, Array]:
    """Distinct T and the customers of each; neighbours merged where there are very many."""
    distinct, place = np.unique(data.T, return_inverse=True)
    weight: Array = np.bincount(place, weights=data.weight).astype(float)
    if distinct.size <= MOST_TIMES:
        return distinct, weight
    span = distinct[-1] - distinct[0]
    code = np.minimum((distinct - distinct[0]) / span * MOST_TIMES, MOST_TIMES - 1).astype(int)
    total: Array = np.bincount(code, weights=weight, minlength=MOST_TIMES).astype(float)
    mean = np.bincount(code, weights=weight * distinct, minlength=MOST_TIMES)
    kept = total > 0
    return mean[kept] / total[kept], total[kept]


def _recency_groups(data: Histories, groups: int) -> tuple[Integers, list[str]]:
    bought = data.frequency > 0
    recency, weight = data.recency[bought], data.weight[bought]
    shares = np.arange(1, groups - 1) / (groups - 1)
    cuts = np.zeros(0)
    if recency.size:
        cuts = np.unique(np.quantile(recency, shares, weights=weight, method="inverted_cdf"))
    code = np.where(bought, 1 + np.searchsorted(cuts, data.recency, side="left"), 0)
    ends = [*(f"{cut:g}" for cut in cuts), ""]
    starts = ["0", *ends[:-1]]
    labels = ["none"] + [
        f"up to {end}" if k == 0 and end else f"{start} to {end}" if end else f"above {start}"
        for k, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return code.astype(np.int64), labels
