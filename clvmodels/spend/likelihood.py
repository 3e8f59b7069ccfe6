"""The Gamma-Gamma log-likelihood, its derivatives, and where to start from."""

from __future__ import annotations

import numpy as np
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.core.summaries import Spends
from clvmodels.estimation.likelihood import Terms, Total, dot, weight_by_count
from clvmodels.estimation.maximum import LogLikelihood
from clvmodels.numerics.special import log_rising

P, Q, V = range(3)


def moment_start(data: Spends) -> Array:
    """Logarithms of parameters that match the moments of values whose mean is 1: p v / (q - 1)."""
    squared = float(data.weight @ (data.monetary_value - 1) ** 2 / data.weight.sum())
    q = 2.0 + 1.0 / max(squared, 0.05)
    p = 2.0
    return np.log([p, q, (q - 1) / p])


def log_likelihood(data: Spends) -> LogLikelihood:
    """Log-likelihood of mean values of purchases, by the logarithms of p, q and v."""
    x, m, w = data.frequency, data.monetary_value, data.weight
    counts, by_count = weight_by_count(x, w)
    total_value = x * m
    purchases = w * x
    log_m = np.log(m)
    sum_log_m = dot(w, log_m)
    by_p = dot(purchases, log_m) + dot(by_count, special.xlogy(counts, counts))

    def total(theta: Array) -> Total:
        p, q, v = natural = np.exp(theta)
        result = Total.zero(3)
        result.add(_count_terms(counts, p, q, v), by_count)
        # ... + p (sum of w x ln(x m)) - sum of w ln m - sum of w (p x + q) ln(x m + v)
        value = total_value + v
        log_value, inverse = np.log(value), 1 / value
        x_log, one_log = dot(purchases, log_value), dot(w, log_value)
        x_1, one_1 = dot(purchases, inverse), dot(w, inverse)
        inverse *= inverse
        x_2, one_2 = dot(purchases, inverse), dot(w, inverse)
        result.value += p * by_p - sum_log_m - p * x_log - q * one_log
        result.gradient += [by_p - x_log, -one_log, -(p * x_1 + q * one_1)]
        result.hessian += [
            [0.0, 0.0, -x_1],
            [0.0, 0.0, -one_1],
            [-x_1, -one_1, p * x_2 + q * one_2],
        ]
        return result.in_logs(natural)

    return total


def _count_terms(x: Array, p: float, q: float, v: float) -> Terms:
    """Ln of Gamma(px+q) / Gamma(px) / Gamma(q) v^q."""
    px = p * x
    both, own = special.psi(px + q), special.psi(px)
    both_2, own_2 = special.polygamma(1, px + q), special.polygamma(1, px)
    return Terms(
        log_rising(px, q) - special.gammaln(q) + q * np.log(v),
        {P: x * (both - own), Q: both - special.psi(q) + np.log(v), V: q / v},
        {
            (P, P): x * x * (both_2 - own_2),
            (P, Q): x * both_2,
            (Q, Q): both_2 - special.polygamma(1, q),
            (Q, V): 1 / v,
            (V, V): -q / v**2,
        },
    )
