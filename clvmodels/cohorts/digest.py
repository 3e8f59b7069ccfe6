"""A digest of what a cohort forecast learns from: the same tables, the same digest."""

from __future__ import annotations

import hashlib

import numpy as np

from clvmodels.cohorts.model.effects import Covariates
from clvmodels.cohorts.model.table import CohortTable

DIGITS = 12
"""Significant digits that count: beyond them lies the order in which an engine sums."""


def digest(table: CohortTable, *covariates: Covariates) -> str:
    """SHA-256 of the known cohort-months and of the covariates that a fit reads.

    Parameters
    ----------
    table : CohortTable
        Sorted by :func:`clvmodels.cohorts.model.table.read_cohort_months`, so that the order of
        rows does not count.
    covariates : Covariates
        Those that the fit uses, by period and by cohort.

    Returns
    -------
    str
        Hexadecimal; tells nothing about a customer.
    """
    parts: list[object] = [table.as_of.isoformat()]
    cells = table.cells
    for values in (
        cells.cohort, cells.period, cells.exposure, table.purchases, table.revenue,
        table.months, table.month_days, table.first_purchases, table.first_revenue,
        table.cohorts, table.customers,
    ):  # fmt: skip
        parts += _written(values)
    for one in covariates:
        as_given = one.values * one.sd + one.mean if one.names else one.values
        parts += [one.key, *one.names, *_written(one.months), *_written(as_given)]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _written(values: np.ndarray) -> list[str]:
    """Shape and numbers; a negative zero counts as zero."""
    numbers = np.asarray(values, dtype=np.float64).ravel() + 0.0
    return [f"{np.shape(values)}", *(f"{number:.{DIGITS}g}" for number in numbers.tolist())]
