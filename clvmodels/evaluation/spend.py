"""How well a spend model describes the customers it was fitted to, and what it takes for granted.

The spend distribution follows Fader, Hardie and Lee (2005, Journal of Marketing Research 42(4),
figure 6).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betainc

from clvmodels.core.arguments import whole_number
from clvmodels.core.arrays import Array
from clvmodels.core.summaries import read_spends
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.spend.base import SpendModel


@one_blas_thread
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
        Intervals of equal width up to the 99th percentile, rounded up to two digits so that no
        edge is one customer's value, and one above it.
    weights : array_like, shape (n,), optional

    Returns
    -------
    DataFrame
        low, high (currency; high is infinite in the last row), observed, expected (customers).
    """
    bins = whole_number(bins, "bins", 1)
    data = read_spends(summary, weights, fit=True)
    values, weight = data.monetary_value, data.weight
    last = _rounded_up(float(np.quantile(values, 0.99, weights=weight, method="inverted_cdf")))
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


def _rounded_up(value: float) -> float:
    """Return the next number of two significant digits that is larger."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float((np.floor(value / unit) + 1) * unit)


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
    highest = whole_number(highest, "highest", 1)
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


@one_blas_thread
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
