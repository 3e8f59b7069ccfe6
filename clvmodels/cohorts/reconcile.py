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

MOST_DEPARTURE = float(np.log(3.0))

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
        cohort, ``purchases`` (evidence) and ``weight``: how far the cohort's own correction is
        believed against the company's, from 0 to 1.
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
    evidence: pd.Series | None = None,
) -> Reconciliation:
    r"""Find the factors by cohort and month.

    In each month the company's correction of purchases is F = sum of cohort forecasts / sum of the
    customer model. A cohort's own correction departs from it by a log ratio, which is shrunk by its
    evidence,

    .. math:: \log f_{ct} = \log F_t + w_c (\log r_{ct} - \log F_t), \qquad
              w_c = \tau^2 / (\tau^2 + 1/n_c),

    n being the purchases that speak for the cohort (half a purchase at least) and tau^2 the
    variance of the cohorts' mean log departures (each :data:`MOST_DEPARTURE` at most from their
    median) beyond what counts of that size show by chance (DerSimonian & Laird 1986). The value
    of a purchase is the cohort forecast's own, cohort by cohort: how far a cohort's orders are
    believed it knows already, and the company's mean may be one customer's. Last, each month is
    scaled to the company forecast, so that customers, cohorts and company agree exactly.

    Parameters
    ----------
    customer_base : DataFrame
        cohort, period, purchases, revenue: the customer model summed within cohorts.
    cohort_forecast : DataFrame
        The same columns (more are ignored), with the same cohorts and periods.
    evidence : Series, optional
        Repeat purchases observed so far that speak for a cohort (first of month) as it is now:
        those of customers who are still there. Without it the cohort forecasts are met exactly,
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
    counts = _evidence(evidence, pd.DatetimeIndex(cohorts))
    base, target = left.to_numpy().T, right.to_numpy().T  # purchases, revenue
    weight = _weights(base[0], target[0], cohort, period, counts)
    bought = _corrections(base[0], target[0], weight[cohort], period)
    corrections = (bought, bought + _value_corrections(base, target, period))
    out = pd.DataFrame({"cohort": left.index.get_level_values(0)})
    out["period"] = left.index.get_level_values(1)
    for at, quantity in enumerate(QUANTITIES):
        factor = _factors(base[at], target[at], corrections[at], period)
        out[f"{quantity}_base"], out[f"{quantity}_cohort"] = base[at], target[at]
        out[f"{quantity}_factor"], out[quantity] = factor, base[at] * factor
    weights = pd.DataFrame({"cohort": cohorts, "purchases": counts, "weight": weight})
    return Reconciliation(out, weights)


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


def _weights(
    base: Array, target: Array, cohort: Integers, period: Integers, counts: Array
) -> Array:
    if not np.all(np.isfinite(counts)):
        return np.ones(counts.size)
    company, own = _log_corrections(base, target, period)
    size = np.bincount(cohort, weights=target, minlength=counts.size)
    departure = np.bincount(cohort, weights=target * (own - company), minlength=counts.size)
    mean = np.divide(departure, size, out=np.zeros(counts.size), where=size > 0)
    noise = 1.0 / np.maximum(counts, 0.5)
    precision = 1.0 / noise
    # A few customers' cohort may depart by any factor, and says no more of the others for it.
    middle = np.quantile(mean, 0.5, weights=precision, method="inverted_cdf")
    mean = np.clip(mean, middle - MOST_DEPARTURE, middle + MOST_DEPARTURE)
    centre = float(precision @ mean / precision.sum())
    excess = float(precision @ (mean - centre) ** 2) - (counts.size - 1)
    scale = float(precision.sum() - precision @ precision / precision.sum())
    variance = max(excess / scale, 0.0) if scale > 0 else 0.0
    return np.asarray(variance / (variance + noise))


def _evidence(evidence: pd.Series | None, cohorts: pd.DatetimeIndex) -> Array:
    if evidence is None:
        return np.full(cohorts.size, np.inf)
    counts = pd.Series(evidence.to_numpy(dtype=float), index=pd.to_datetime(evidence.index))
    if np.any(~(counts.to_numpy() >= 0)):
        raise InvalidValueError("evidence must be counts of purchases, none negative or missing")
    return counts.reindex(cohorts).fillna(0.0).to_numpy()


def _index(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([pd.to_datetime(frame[key]) for key in KEYS], names=KEYS)


def _require(frame: pd.DataFrame, name: str, columns: list[str]) -> None:
    found = [str(column) for column in frame.columns]
    missing = [column for column in columns if column not in found]
    if missing:
        raise MissingColumnError(name, missing, found)
