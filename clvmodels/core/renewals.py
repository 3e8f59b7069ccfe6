"""From a table of contracts to checked NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import column_names
from clvmodels.core.arrays import Array
from clvmodels.core.summaries import check_whole, has_column, read_columns, reject


@dataclass(frozen=True)
class Renewals:
    """Contracts as arrays of one length, checked.

    Attributes
    ----------
    renewals, churned, weight : ndarray of float, shape (n,)
        Renewals made, whether the contract ended at the next one (1 or 0), and how many
        customers a row stands for.
    covariates : dict of str to ndarray
        Static covariates by column name, each of shape (n,).
    """

    renewals: Array
    churned: Array
    weight: Array
    covariates: dict[str, Array]


def read_renewals(
    table: Any,
    weights: npt.ArrayLike | None = None,
    covariates: Sequence[str] = (),
    *,
    fit: bool = False,
) -> Renewals:
    """Read renewals and churned [, weight, covariates] of contracts and check them.

    Parameters
    ----------
    table, weights, covariates
        As in :func:`clvmodels.core.summaries.read_histories`.
    fit : bool
        Whether the rows are to be fitted; in a forecast, ``churned`` may be left out where
        nobody has.

    Raises
    ------
    MissingColumnError, DataError, InvalidValueError
        As in :func:`clvmodels.core.summaries.read_histories`; renewals must be whole numbers,
        churned 0 or 1.
    """
    covariates = column_names(covariates, "covariates")
    names = ("renewals", "churned") if fit or has_column(table, "churned") else ("renewals",)
    columns = read_columns(table, (*names, *covariates), weights)
    renewals = columns["renewals"]
    churned = columns.get("churned", np.zeros_like(renewals))
    check_whole("renewals", renewals)
    reject((churned != 0) & (churned != 1), "churned must be 0 or 1", churned=churned)
    extra = {name: columns[name] for name in covariates}
    return Renewals(renewals, churned, columns["weight"], extra)


def read_opportunities(table: Any, covariates: Sequence[str] = ()) -> Renewals:
    """Read opportunities [, weight, covariates] of contracts still to be drawn, as renewals."""
    covariates = column_names(covariates, "covariates")
    columns = read_columns(table, ("opportunities", *covariates), None)
    check_whole("opportunities", columns["opportunities"])
    extra = {name: columns[name] for name in covariates}
    zero = np.zeros_like(columns["weight"])
    return Renewals(columns["opportunities"], zero, columns["weight"], extra)
