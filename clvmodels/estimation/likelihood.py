"""Sums of log-likelihood terms and their derivatives, over rows or over distinct values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clvmodels.core.arrays import Array

Value = Array | float


@dataclass(frozen=True)
class Terms:
    """Log-likelihood contributions and their derivatives by the natural parameters.

    Attributes
    ----------
    value : ndarray, shape (n,)
    gradient : mapping from parameter position to ndarray of shape (n,) or float
    hessian : mapping from a pair of positions (i <= j) to ndarray of shape (n,) or float
        Entries that are zero are left out.
    """

    value: Array
    gradient: Mapping[int, Value]
    hessian: Mapping[tuple[int, int], Value]


@dataclass
class Total:
    """A log-likelihood, its gradient (k,) and Hessian (k, k)."""

    value: float
    gradient: Array
    hessian: Array

    @classmethod
    def zero(cls, size: int) -> Total:
        """Return the empty sum over ``size`` parameters."""
        return cls(0.0, np.zeros(size), np.zeros((size, size)))

    def add(self, terms: Terms, weight: Array) -> None:
        """Add weighted terms whose parameters are the same for all rows."""
        self.value += dot(weight, terms.value)
        whole = float(weight.sum())
        for i, entry in terms.gradient.items():
            self.gradient[i] += _sum(entry, weight, whole)
        for (i, j), entry in terms.hessian.items():
            amount = _sum(entry, weight, whole)
            self.hessian[i, j] += amount
            if i != j:
                self.hessian[j, i] += amount

    def in_logs(self, parameters: Array) -> Total:
        """Return the derivatives by the logarithms of the parameters."""
        gradient = parameters * self.gradient
        hessian = np.outer(parameters, parameters) * self.hessian + np.diag(gradient)
        return Total(self.value, gradient, hessian)


def dot(one: Array, other: Array) -> float:
    """Sum of products, without BLAS: its threads cost more than they save here."""
    return float(np.einsum("i,i->", one, other))


def weight_by_count(count: Array, weight: Array) -> tuple[Array, Array]:
    """Distinct whole numbers, ascending, and the weight on each."""
    if count.max(initial=0.0) < 4 * count.size + 1000:
        by_count = np.bincount(count.astype(np.int64), weights=weight)
        present = np.flatnonzero(by_count)
        return present.astype(float), by_count[present].astype(float)
    distinct, position = np.unique(count, return_inverse=True)
    return distinct, np.bincount(position, weights=weight).astype(float)


def _sum(entry: Value, weight: Array, whole: float) -> float:
    return dot(weight, entry) if isinstance(entry, np.ndarray) else entry * whole


def add_by_row(
    total: Total,
    terms: Terms,
    weight: Array,
    parameters: Sequence[Value],
    designs: Sequence[Array],
    columns: Sequence[npt.NDArray[np.intp]],
) -> None:
    """Add weighted terms whose log-parameters are linear in covariates.

    Parameters
    ----------
    total : Total
        Sum over the coefficients; changed in place.
    terms : Terms
        Contributions by row.
    weight : ndarray, shape (n,)
    parameters : sequence of ndarray or float
        Natural parameters by row: exp(designs[i] @ coefficients[columns[i]]).
    designs : sequence of ndarray, shape (n, d_i)
    columns : sequence of ndarray of int, shape (d_i,)
        Where each parameter's coefficients stand in the total.
    """
    total.value += dot(weight, terms.value)
    slopes = {i: weight * parameters[i] * entry for i, entry in terms.gradient.items()}
    for i, slope in slopes.items():
        total.gradient[columns[i]] += designs[i].T @ slope
    pairs = set(terms.hessian) | {(i, i) for i in slopes}
    for i, j in pairs:
        curve = weight * parameters[i] * parameters[j] * terms.hessian.get((i, j), 0.0)
        if i == j:
            curve = curve + slopes[i]
        block = designs[i].T @ (curve[:, None] * designs[j])
        total.hessian[np.ix_(columns[i], columns[j])] += block
        if i != j:
            total.hessian[np.ix_(columns[j], columns[i])] += block.T
