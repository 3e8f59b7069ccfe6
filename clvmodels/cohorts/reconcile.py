"""Makes customer forecasts add up to cohort forecasts, and these to the company, every month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError
from clvmodels.core.schema import QUANTITIES
from clvmodels.numerics.threads import one_blas_thread

KEYS = ["cohort", "period"]

NOBODY = 1e-100
"""Purchases (revenue) below which a cohort has nobody to carry a forecast."""


@dataclass(frozen=True)
class Reconciliation:
    """Factors that carry customer forecasts to the cohort and company forecasts.

    Attributes
    ----------
    factors : DataFrame
        cohort, period and for each quantity: ``{q}_base`` (sum of the customer model),
        ``{q}_cohort`` (cohort forecast), ``{q}_factor`` and ``{q}`` (base x factor).
    weights : DataFrame
        cohort and ``weight``: how far the cohort's own correction is believed against the
        company's, from 0 to 1.
    """

    factors: pd.DataFrame
    weights: pd.DataFrame

    def apply(self, customer_months: pd.DataFrame) -> pd.DataFrame:
        """Multiply customer months by their cohort's factors, whatever each customer can carry.

        Factors that hold customers to what they can carry are those of
        :func:`clvmodels.cohorts.capacity.month_factors`.

        Parameters
        ----------
        customer_months : DataFrame
            cohort, period, purchases, revenue and any other columns; one row a customer and
            month.

        Returns
        -------
        DataFrame
            The same rows and order, with purchases and revenue reconciled.

        Raises
        ------
        DataError
            If a row's cohort-month has no factor.
        """
        _require(customer_months, "the customer months", [*KEYS, *QUANTITIES])
        names = [f"{quantity}_factor" for quantity in QUANTITIES]
        index = _index(customer_months)
        found = self.factors.set_index(_index(self.factors))[names].reindex(index)
        absent = found[names[0]].isna().to_numpy()
        if absent.any():
            raise DataError(
                f"{int(absent.sum())} customer months belong to a cohort-month without factors, "
                f"the first to {tuple(str(key) for key in index[absent][0])}; reconcile the same "
                "cohorts and periods"
            )
        out = customer_months.copy()
        for quantity, name in zip(QUANTITIES, names, strict=True):
            out[quantity] = out[quantity].to_numpy(dtype=float) * found[name].to_numpy()
        return out


@one_blas_thread
def reconcile(
    customer_base: pd.DataFrame,
    cohort_forecast: pd.DataFrame,
    weights: pd.Series | None = None,
) -> Reconciliation:
    r"""Find the factors by cohort and month.

    In each month the company's correction of purchases is F = sum of cohort forecasts / sum of the
    customer model. A cohort's own correction departs from it by a log ratio, and is believed as
    far as its weight says,

    .. math:: \log f_{ct} = \log F_t + w_c (\log r_{ct} - \log F_t).

    The cohort forecast has shrunk each cohort by its evidence already; to shrink it once more
    would only take the customer models' view of cohorts, who know none. The value of a purchase is
    the cohort forecast's own, cohort by cohort: how far a cohort's orders are believed it knows
    already, and the company's mean may be one customer's. Last, each month is scaled to the
    company forecast, so that customers, cohorts and company agree exactly.

    Parameters
    ----------
    customer_base : DataFrame
        cohort, period, purchases, revenue: the customer model summed within cohorts.
    cohort_forecast : DataFrame
        The same columns (more are ignored), with the same cohorts and periods.
    weights : Series, optional
        From 0 to 1, by cohort (first of month): less than 1 where hardly more than one customer
        is left of a cohort. Without them, or at 1 throughout, the cohort forecasts are met exactly
        wherever both sides are above zero.

    Returns
    -------
    Reconciliation

    Raises
    ------
    MissingColumnError, DataError, InvalidValueError
        If columns are missing, the cells differ, or a number is negative or missing.
    """
    left, right = _aligned(customer_base, cohort_forecast)
    cohorts, cohort = np.unique(left.index.get_level_values(0), return_inverse=True)
    _, period = np.unique(left.index.get_level_values(1), return_inverse=True)
    weight = _read_weights(weights, pd.DatetimeIndex(cohorts))
    base, target = left.to_numpy().T, right.to_numpy().T  # purchases, revenue
    bought = _corrections(base[0], target[0], weight[cohort], period)
    corrections = (bought, bought + _value_corrections(base, target, period))
    out = pd.DataFrame({"cohort": left.index.get_level_values(0)})
    out["period"] = left.index.get_level_values(1)
    for at, quantity in enumerate(QUANTITIES):
        factor = _factors(base[at], target[at], corrections[at], period)
        out[f"{quantity}_base"], out[f"{quantity}_cohort"] = base[at], target[at]
        out[f"{quantity}_factor"], out[quantity] = factor, base[at] * factor
    return Reconciliation(out, pd.DataFrame({"cohort": cohorts, "weight": weight}))


def _aligned(
    customer_base: pd.DataFrame, cohort_forecast: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check both tables, and return their quantities in the same order of cohort and period."""
    for frame, name in (
        (customer_base, "the customer base"),
        (cohort_forecast, "the cohort forecast"),
    ):
        _require(frame, name, [*KEYS, *QUANTITIES])
    left = (
        customer_base[list(QUANTITIES)].astype(float).set_index(_index(customer_base)).sort_index()
    )
    right = cohort_forecast[list(QUANTITIES)].astype(float).set_index(_index(cohort_forecast))
    for frame, name in ((left, "the customer base"), (right, "the cohort forecast")):
        if not frame.index.is_unique:
            raise DataError(f"{name} holds a cohort-month twice; sum its rows first")
        values = frame.to_numpy()
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise InvalidValueError(f"{name} must be finite and not negative throughout")
    if not left.index.sort_values().equals(right.index.sort_values()):
        differing = left.index.symmetric_difference(right.index)
        raise DataError(
            f"customer base and cohort forecast cover different cohort-months, for example "
            f"{tuple(str(key) for key in differing[0])}; forecast the same cohorts and periods"
        )
    return left, right.loc[left.index]


def _factors(base: Array, target: Array, corrections: Array, period: Integers) -> Array:
    """Factors of log corrections, each month scaled to what is wanted in all."""
    some = base >= NOBODY
    wanted = np.bincount(period, weights=target)
    if np.any((np.bincount(period, weights=np.where(some, base, 0.0)) == 0) & (wanted > 0)):
        raise InvalidValueError(
            "the customer model expects nothing in a month for which the cohorts forecast "
            "something; there is nobody to carry it"
        )
    factor = np.exp(np.where(some, corrections, -np.inf))
    reached = np.bincount(period, weights=base * factor)
    scale = np.divide(wanted, reached, out=np.zeros_like(wanted), where=reached > 0)
    return np.asarray(factor * scale[period])


def _corrections(base: Array, target: Array, weight: Array, period: Integers) -> Array:
    """Log correction of each cell, its own as far as it is believed."""
    base = np.where(base < NOBODY, 0.0, base)
    company, own = _log_corrections(base, target, period)
    return np.asarray(company + weight * (own - company))


def _value_corrections(base: Array, target: Array, period: Integers) -> Array:
    """Log correction of the value of a purchase, the company's where a cell has none."""
    company, own = (
        revenue - purchases
        for purchases, revenue in zip(
            _log_corrections(base[0], target[0], period),
            _log_corrections(base[1], target[1], period),
            strict=True,
        )
    )
    usable = ((base >= NOBODY) & (target > 0)).all(axis=0)
    return np.asarray(np.where(usable, own, company))


def _log_corrections(base: Array, target: Array, period: Integers) -> tuple[Array, Array]:
    """Log correction of the company in each cell's month, and of the cell itself."""
    below = np.bincount(period, weights=base)
    above = np.bincount(period, weights=target)
    tiny = np.finfo(float).tiny
    company = np.log(np.maximum(above, tiny)) - np.log(np.maximum(below, tiny))
    own = np.log(np.maximum(target, tiny)) - np.log(np.maximum(base, tiny))
    usable = (base > 0) & (target > 0)
    return company[period], np.where(usable, own, company[period])


def _read_weights(weights: pd.Series | None, cohorts: pd.DatetimeIndex) -> Array:
    if weights is None:
        return np.ones(cohorts.size)
    given = pd.Series(weights.to_numpy(dtype=float), index=pd.to_datetime(weights.index))
    found = given.reindex(cohorts)
    if not found.between(0.0, 1.0).all():
        raise InvalidValueError("weights must be between 0 and 1, one for every cohort")
    return found.to_numpy()


def _index(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([pd.to_datetime(frame[key]) for key in KEYS], names=KEYS)


def _require(frame: pd.DataFrame, name: str, columns: list[str]) -> None:
    found = [str(column) for column in frame.columns]
    missing = [column for column in columns if column not in found]
    if missing:
        raise MissingColumnError(name, missing, found)
