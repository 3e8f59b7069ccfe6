"""How well a fitted model describes the customers it was fitted to: tables to look at or to draw.

Each follows a figure of the literature: the frequency histogram and the conditional expectations
of Fader, Hardie and Lee (2005, Marketing Science 24(2), figures 2 and 4), the tracking plots of
the same paper (figure 3), and the spend distribution of Fader, Hardie and Lee (2005, Journal of
Marketing Research 42(4), figure 6).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betainc

from clvmodels.base import Model, SpendModel, TransactionModel
from clvmodels.exceptions import InvalidValueError
from clvmodels.frames import Histories, read_histories, read_spends

Array = npt.NDArray[np.float64]

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
    if highest < 1:
        raise InvalidValueError(f"highest must be at least 1; found {highest}")
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
    end = np.atleast_1d(np.asarray(ends, dtype=float))
    seen = np.atleast_1d(np.asarray(observed, dtype=float))
    if end.ndim != 1 or end.shape != seen.shape or np.any(np.diff(end) <= 0):
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
    if groups < 2:
        raise InvalidValueError(f"groups must be at least 2; found {groups}")
    data = read_histories(summary, weights)
    columns = {}
    for name, values in (("expected", expected), ("actual", actual)):
        columns[name] = np.asarray(values, dtype=float)
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


def spend_distribution(
    model: SpendModel, summary: Any, bins: int = 20, weights: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Repeat buyers by the mean value of their purchases, observed and expected.

    Under Gamma-Gamma, given x purchases and z = x m / v, the mean value m has the distribution
    function I(z / (1 + z); p x, q), the regularised incomplete beta function: x m is Gamma(p x,
    nu) with nu ~ Gamma(q, v), so z is beta prime (Fader & Hardie 2013, equation 1a integrated).

    Parameters
    ----------
    model : SpendModel
        A fitted Gamma-Gamma.
    summary : DataFrame
        With frequency, monetary_value [, weight]; rows of frequency 0 are left out.
    bins : int
        Intervals of equal width up to the 99th percentile, and one above it.
    weights : array_like, shape (n,), optional

    Returns
    -------
    DataFrame
        low, high (currency; high is infinite in the last row), observed, expected (customers).
    """
    if bins < 1:
        raise InvalidValueError(f"bins must be at least 1; found {bins}")
    data = read_spends(summary, weights, fit=True)
    order = np.argsort(data.monetary_value)
    reached = np.cumsum(data.weight[order]) / data.weight.sum()
    last = data.monetary_value[order][np.searchsorted(reached, 0.99)]
    edges = np.append(np.linspace(0.0, last, bins + 1), np.inf)
    # A value that equals an edge belongs to the interval that ends there.
    code = np.searchsorted(edges[1:], data.monetary_value, side="left")
    observed = np.bincount(code, weights=data.weight, minlength=bins + 1)
    counts, place = np.unique(data.frequency, return_inverse=True)
    share = np.bincount(place, weights=data.weight)
    p, q, v = (model.params_[name] for name in ("p", "q", "v"))
    total = counts[:, None] * edges[:-1]
    below = share @ betainc(p * counts[:, None], q, total / (v + total))
    expected = np.diff(np.append(below, share.sum()))
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "observed": observed, "expected": expected}
    )


def spend_by_frequency(
    summary: Any, highest: int = 7, weights: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Mean value of a purchase by number of repeat purchases: Gamma-Gamma takes it as constant.

    Parameters
    ----------
    summary : DataFrame
        With frequency, monetary_value [, weight]; rows of frequency 0 are left out.
    highest : int
        The last row takes this number and more.
    weights : array_like, shape (n,), optional

    Returns
    -------
    DataFrame
        frequency ("1", …, "7+"), customers, mean_value, standard_error (currency).
    """
    data = read_spends(summary, weights, fit=True)
    code = np.minimum(data.frequency, highest).astype(np.int64)
    size = np.bincount(code, weights=data.weight, minlength=highest + 1)
    kept = np.flatnonzero(size)
    sums = np.bincount(code, weights=data.weight * data.monetary_value, minlength=highest + 1)
    mean = sums / np.maximum(size, 1e-300)
    squares = np.bincount(
        code, weights=data.weight * (data.monetary_value - mean[code]) ** 2, minlength=highest + 1
    )
    degrees = size[kept] - 1
    variance = np.divide(squares[kept], degrees, out=np.full(kept.size, np.nan), where=degrees > 0)
    return pd.DataFrame(
        {
            "frequency": [f"{k}+" if k == highest else str(k) for k in kept],
            "customers": size[kept],
            "mean_value": mean[kept],
            "standard_error": np.sqrt(variance / size[kept]),
        }
    )


def spend_correlation(summary: Any, weights: npt.ArrayLike | None = None) -> dict[str, float]:
    """Correlation of the number and the mean value of repeat purchases.

    Gamma-Gamma assumes independence; with strong correlation its totals are biased.

    Returns
    -------
    dict
        ``pearson`` and ``spearman`` (-1 to 1; not-a-number where one of the two is constant).
    """
    data = read_spends(summary, weights, fit=True)
    pair = (data.frequency, data.monetary_value)
    ranks = [_weighted_ranks(values, data.weight) for values in pair]
    return {
        "pearson": _correlation(pair[0], pair[1], data.weight),
        "spearman": _correlation(ranks[0], ranks[1], data.weight),
    }


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


def _recency_groups(data: Histories, groups: int) -> tuple[npt.NDArray[np.int64], list[str]]:
    bought = data.frequency > 0
    order = np.argsort(data.recency[bought])
    reached = np.cumsum(data.weight[bought][order])
    shares = np.arange(1, groups - 1) / (groups - 1)
    places = np.searchsorted(reached, shares * reached[-1]) if reached.size else []
    cuts = np.unique(data.recency[bought][order][places])
    code = np.where(bought, 1 + np.searchsorted(cuts, data.recency, side="left"), 0)
    ends = [*(f"{cut:g}" for cut in cuts), ""]
    starts = ["0", *ends[:-1]]
    labels = ["none"] + [
        f"up to {end}" if k == 0 and end else f"{start} to {end}" if end else f"above {start}"
        for k, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return code.astype(np.int64), labels


def _weighted_ranks(values: Array, weight: Array) -> Array:
    """Mid-ranks, each row counting as its weight."""
    distinct, place = np.unique(values, return_inverse=True)
    size = np.bincount(place, weights=weight, minlength=distinct.size)
    ranks: Array = (np.cumsum(size) - size / 2)[place]
    return ranks


def _correlation(x: Array, y: Array, weight: Array) -> float:
    dx, dy = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
    scale = float(np.sqrt((weight @ dx**2) * (weight @ dy**2)))
    return float(weight @ (dx * dy)) / scale if scale > 0 else float("nan")
