r"""Mean outcome of every cell of an experiment, plain or adjusted by what was known before it.

A cell is an arm, or a combination of the levels of two factors. In cell k with outcomes y and
centred covariates x - x̄ (x̄ over everybody in the experiment) the mean is the intercept of the
regression of y on 1 and x - x̄ within the cell: Lin's estimator, whose differences are those of one
regression with every covariate by cell. Its variance is HC2; without covariates that is s²/n, and
the difference of two cells is Welch's.

References
----------
Lin (2013), "Agnostic notes on regression adjustments to experimental data: reexamining Freedman's
critique", Annals of Applied Statistics 7(1): the regression with interactions.
Negi and Wooldridge (2021), "Revisiting regression adjustment in experiments with heterogeneous
treatment effects", Econometric Reviews 40(5): what the covariates' own mean adds to the variance
where slopes differ and the customers are a sample of those to come.
MacKinnon and White (1985), Journal of Econometrics 29(3): HC2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clvmodels.core.arguments import numbers, whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError

LEAST_CUSTOMERS = 2
"""Of a cell: one outcome has no spread."""

LEAST_PER_COEFFICIENT = 10
"""Customers of the smallest cell for every coefficient of its regression; with fewer, covariates
are left out."""

LEAST_APART = 1e-8
"""Smallest eigenvalue of the correlations of covariates within a cell: nearer to a line they
cannot be told apart."""


@dataclass(frozen=True)
class CellMeans:
    """Mean outcomes by cell, and how far they may be off.

    Attributes
    ----------
    customers : ndarray of int, shape (k,)
    means : ndarray, shape (k,)
        In the unit of the outcome; adjusted where there are covariates.
    variances : ndarray, shape (k,)
        Squared standard errors of the means (HC2).
    freedom : ndarray, shape (k,)
        Degrees of freedom of each variance.
    slopes : ndarray, shape (k, p)
    covariate_variance : ndarray, shape (p, p)
        Of the covariates' mean over everybody.
    adjusted : ndarray, shape (n,)
        y - slope (x - x̄) of every customer, whose means by cell are ``means``.
    cell : ndarray of int, shape (n,)
    """

    customers: Integers
    means: Array
    variances: Array
    freedom: Array
    slopes: Array
    covariate_variance: Array
    adjusted: Array
    cell: Integers

    @property
    def covariates(self) -> int:
        """How many covariates were adjusted for."""
        return int(self.slopes.shape[1])


def cell_means(
    outcome: ArrayLike, cell: ArrayLike, cells: int, covariates: ArrayLike | None = None
) -> CellMeans:
    """Estimate the mean outcome of every cell.

    Parameters
    ----------
    outcome : array_like, shape (n,)
        One value a customer.
    cell : array_like of int, shape (n,)
        Number of each customer's cell, 0 to ``cells`` - 1.
    cells : int
    covariates : array_like, shape (n, p), optional
        Known before the assignment. Those that :func:`usable` refuses must be left out.

    Raises
    ------
    InvalidValueError
        If shapes differ, a value is not finite, or a cell has fewer than two customers.
    """
    y, which, x = checked(outcome, cell, cells, covariates)
    n, p = x.shape
    centred = x - x.mean(axis=0) if n else x
    means, variances, slopes = np.zeros(cells), np.zeros(cells), np.zeros((cells, p))
    adjusted = y.copy()
    for k in range(cells):
        inside = which == k
        design = np.column_stack([np.ones(int(inside.sum())), centred[inside]])
        coefficients, variances[k] = _intercept(design, y[inside])
        means[k], slopes[k] = coefficients[0], coefficients[1:]
        adjusted[inside] -= centred[inside] @ slopes[k]
    customers = np.bincount(which, minlength=cells)
    return CellMeans(
        customers,
        means,
        variances,
        (customers - 1 - p).astype(float),
        slopes,
        np.atleast_2d(np.cov(x, rowvar=False) / n) if p else np.zeros((0, 0)),
        adjusted,
        which,
    )


def _intercept(design: Array, y: Array) -> tuple[Array, float]:
    """Coefficients by least squares, and the HC2 variance of the first."""
    q, r = np.linalg.qr(design)
    coefficients = np.linalg.solve(r, q.T @ y)
    residual = y - design @ coefficients
    leverage = np.einsum("ij,ij->i", q, q)
    # A customer whom a slope follows alone has no residual; what is left of both is rounding.
    free = np.maximum(1 - leverage, 1e-12)
    load = q @ np.linalg.solve(r.T, np.eye(r.shape[0])[0])  # of each outcome on the intercept
    return coefficients, float(np.sum(load**2 * residual**2 / free))


def usable(covariates: ArrayLike, cell: ArrayLike, cells: int) -> list[int]:
    """Return the numbers of the covariates that every cell can be adjusted by, in their order.

    One that does not vary in some cell, or follows from those before it, is left out; all are where
    the smallest cell has fewer than ten customers a coefficient.
    """
    given = numbers(covariates, "covariates")
    which = np.asarray(cell)
    smallest = int(np.bincount(which, minlength=cells).min()) if which.size else 0
    kept: list[int] = []
    for column in range(given.shape[1]):
        tried = given[:, [*kept, column]]
        if smallest < LEAST_PER_COEFFICIENT * (1 + tried.shape[1]):
            break
        if all(_told_apart(tried[which == k]) for k in range(cells)):
            kept.append(column)
    return kept


def _told_apart(covariates: Array) -> bool:
    spread = covariates.std(axis=0)
    scale = np.abs(covariates).max(axis=0)
    if not np.all(spread > LEAST_APART * scale):
        return False
    standard = (covariates - covariates.mean(axis=0)) / spread
    correlations = standard.T @ standard / len(covariates)
    return bool(np.linalg.eigvalsh(correlations)[0] > LEAST_APART)


def checked(
    outcome: ArrayLike, cell: ArrayLike, cells: int, covariates: ArrayLike | None
) -> tuple[Array, Integers, Array]:
    """Return outcomes, cells and covariates as arrays that go together."""
    whole_number(cells, "cells", 1)
    y = numbers(outcome, "outcome")
    which = np.asarray(cell)
    x = np.zeros((y.size, 0)) if covariates is None else numbers(covariates, "covariates")
    if y.ndim != 1 or which.shape != y.shape or x.ndim != 2 or len(x) != len(y):
        raise InvalidValueError(
            "outcome and cell must be vectors of one length and covariates have a row for each; "
            f"found shapes {y.shape}, {which.shape} and {x.shape}"
        )
    if which.dtype.kind not in "iu" or np.any((which < 0) | (which >= cells)):
        raise InvalidValueError(f"cell must hold whole numbers from 0 to {cells - 1}")
    for name, values in (("outcome", y), ("covariates", x)):
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise InvalidValueError(f"{name} must be finite; {bad} of {values.size} are not")
    counts = np.bincount(which, minlength=cells)
    if counts.min() < LEAST_CUSTOMERS + x.shape[1]:
        raise InvalidValueError(
            f"every cell needs {LEAST_CUSTOMERS + x.shape[1]} customers or more; found "
            f"{counts.tolist()}"
        )
    return y, which.astype(np.int64), x
