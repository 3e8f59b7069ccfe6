"""Log-likelihood of contracts, and its derivatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from clvmodels.core.arrays import Array
from clvmodels.core.renewals import Renewals
from clvmodels.estimation.covariates import Design
from clvmodels.estimation.likelihood import Terms, Total, Value, add_by_row, weight_by_count
from clvmodels.estimation.maximum import LogLikelihood
from clvmodels.numerics.special import trigamma

ALPHA, BETA = range(2)


def row_terms(renewals: Array, churned: Array, values: Sequence[Value]) -> Terms:
    """Ln B(alpha + churned, beta + renewals) - ln B(alpha, beta), by row."""
    alpha, beta = values
    psi, whole, more = special.psi, alpha + beta, renewals + churned
    of_sum = psi(whole) - psi(whole + more)
    of_sum_2 = trigamma(whole) - trigamma(whole + more)
    return Terms(
        special.betaln(alpha + churned, beta + renewals) - special.betaln(alpha, beta),
        {
            # psi(alpha + 1) - psi(alpha)
            ALPHA: of_sum + churned / alpha,
            BETA: of_sum + psi(beta + renewals) - psi(beta),
        },
        {
            (ALPHA, ALPHA): of_sum_2 - churned / alpha**2,
            (ALPHA, BETA): of_sum_2,
            (BETA, BETA): of_sum_2 + trigamma(beta + renewals) - trigamma(beta),
        },
    )


def plain(data: Renewals) -> LogLikelihood:
    """Of customers who share the parameters: theta, the logarithms of alpha and beta."""
    code, weight = weight_by_count(2 * data.renewals + data.churned, data.weight)
    renewals, churned = np.divmod(code, 2)

    def total(theta: Array) -> Total:
        natural = np.exp(theta)
        result = Total.zero(2)
        result.add(row_terms(renewals, churned, natural.tolist()), weight)
        return result.in_logs(natural)

    return total


def by_customer(data: Renewals, design: Design) -> LogLikelihood:
    """Of customers with covariates: theta, the free ones of the working parameters."""
    free = np.flatnonzero(design.free)

    def total(theta: Array) -> Total:
        full = np.zeros(design.free.size)
        full[free] = theta
        values = design.parameters(full)
        result = Total.zero(full.size)
        terms = row_terms(data.renewals, data.churned, values)
        add_by_row(result, terms, data.weight, values, design.matrices, design.columns)
        return Total(result.value, result.gradient[free], result.hessian[np.ix_(free, free)])

    return total
