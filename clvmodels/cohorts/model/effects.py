"""Age, season, period and cohort effects as columns of a design matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.table import Cells, CohortTable, Months
from clvmodels.core.arguments import LARGEST, numbers
from clvmodels.core.arrays import Array, Booleans
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError
from clvmodels.core.months import month_dates, month_number

RECENT_COHORTS = 3

REFERENCE_AGE = 6.0
"""Age in months at which the age effect is measured from."""

ROUNDING = 1e-9
"""Share of its mean by which a covariate must vary to be more than rounding."""

_KNOT_AGES = np.array([1.0, 2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 18.0, 25.0, 36.0, 52.0])


def log_age(age: Array) -> Array:
    """log(age + 1/2), 0 at the reference age; half a month keeps the first month finite."""
    return np.asarray(np.log(age + 0.5) - np.log(REFERENCE_AGE + 0.5))


@dataclass(frozen=True)
class EffectSpace:
    """The effects that a log can show, and how they carry on after it.

    Attributes
    ----------
    cohorts, months : ndarray of int
        Known cohorts and calendar months.
    oldest : float
        Log age up to which purchases were observed.
    damping : float
        Beyond ``oldest``, log age advances at this share of its pace: the trend in age is damped
        where nothing was observed (Gardner & McKenzie 1985 for trends in time).
    """

    cohorts: Months
    months: Months
    oldest: float
    damping: float

    @classmethod
    def of(cls, table: CohortTable, damping: float) -> EffectSpace:
        """The effects that ``table`` can show."""
        ages, last = table.cells.age, table.cells.period == table.months[-1]
        young = log_age(np.array(0.0)).item()
        before, now = (float(log_age(some).max(initial=young)) for some in (ages[~last], ages))
        # A month that has only begun has shown its age as far as it has gone.
        oldest = now if table.begun == 1.0 else before + table.begun * (now - before)
        return cls(table.cohorts, table.months, oldest, damping)

    @property
    def knots(self) -> Array:
        """Log ages at which the slope of the age effect may change, shape (k,)."""
        knots = log_age(_KNOT_AGES)
        return knots[knots < self.oldest]

    def age(self, cells: Cells) -> Array:
        """Log age, damped beyond the oldest observed, shape (n, 1)."""
        observed = np.minimum(log_age(cells.age), self.oldest)[:, None]
        return np.asarray(observed + self.damping * self.beyond(cells))

    def age_bends(self, cells: Cells) -> Array:
        """Hinges below every knot, so that past the last knot the age effect is straight."""
        return np.maximum(self.knots[None, :] - self.age(cells), 0.0)

    def first_month(self, cells: Cells) -> Array:
        """Whether a cell is its cohort's month of first purchase, shape (n, 1)."""
        return (cells.cohort == cells.period).astype(float)[:, None]

    def cohort(self, cells: Cells) -> Array:
        """Indicators of the known cohorts, shape (n, c)."""
        return (cells.cohort[:, None] == self.cohorts[None, :]).astype(float)

    def period(self, period: Months) -> Array:
        """Indicators of the known months, shape (n, p); a future month has none."""
        return (period[:, None] == self.months[None, :]).astype(float)

    def unseen_season(self, period: Months) -> Array:
        """Indicators of the month of year where the log has not shown that month, shape (n, 12)."""
        unseen = ~np.isin(np.arange(12), self.months % 12)
        return season(period) * unseen[None, :]

    def beyond(self, cells: Cells) -> Array:
        """Log age past the oldest observed, undamped, shape (n, 1)."""
        return np.maximum(log_age(cells.age) - self.oldest, 0.0)[:, None]

    def years(self, period: Months) -> Array:
        """Years since the last known month, 0 after it, shape (n, 1)."""
        return np.minimum(period - self.months[-1], 0)[:, None] / 12.0


def season(period: Months) -> Array:
    """Indicators of the month of year, January first, shape (n, 12)."""
    return (period[:, None] % 12 == np.arange(12)[None, :]).astype(float)


@dataclass(frozen=True)
class Covariates:
    """Known drivers of purchases, by period or by cohort, on a common scale.

    Attributes
    ----------
    key : str
        ``period`` or ``cohort``.
    names : tuple of str
    mean, sd : ndarray, shape (k,)
        Of the values up to the as-of date.
    months : ndarray of int, shape (m,)
        Months whose values are kept.
    values : ndarray, shape (m, k)
        In standard deviations from the mean.
    """

    key: str
    names: tuple[str, ...]
    mean: Array
    sd: Array
    months: Months
    values: Array

    @classmethod
    def of(cls, table: pd.DataFrame | None, key: str, upto: int) -> Covariates:
        """Learn names, scale and values from the rows up to month ``upto``."""
        if table is None:
            nothing = np.zeros(0)
            return cls(key, (), nothing, nothing, np.zeros(0, dtype=np.int64), np.zeros((0, 0)))
        names = tuple(str(name) for name in table.columns if name != key)
        months, values = _covariate_rows(table, key, names, lambda months: months <= upto)
        if not months.size:
            raise DataError(f"the {key} covariates have no row up to the as-of date; add them")
        mean, spread = values.mean(axis=0), values.std(axis=0)
        sd = np.where(spread > ROUNDING * np.abs(mean), spread, 1.0)  # equal numbers may differ
        return cls(key, names, mean, sd, months, (values - mean) / sd)

    def columns(self, months: Months, table: pd.DataFrame | None = None) -> Array:
        """Values of ``months``, shape (n, k); those after the fit are read from ``table``.

        A value further outside what was seen than :func:`followed` counts as at its edge: an
        effect learned within it says nothing of what lies further.
        Cohorts still to come have, unless ``table`` says otherwise, the mean of the latest
        :data:`RECENT_COHORTS`.
        """
        if not self.names:
            return np.zeros((months.size, 0))
        months_known, values = self.months, self.values
        if table is not None:
            asked = np.setdiff1d(months, months_known)
            later, rows = _covariate_rows(
                table, self.key, self.names, lambda found: np.isin(found, asked)
            )
            ahead = np.clip((rows - self.mean) / self.sd, *followed(self.values))
            months_known = np.concatenate([months_known, later])
            values = np.vstack([values, ahead])
        if self.key == "cohort":
            later = np.setdiff1d(months[months > months_known.max()], months_known)
            recent = values[np.argsort(months_known)[-RECENT_COHORTS:]].mean(axis=0)
            months_known = np.concatenate([months_known, later])
            values = np.vstack([values, np.tile(recent, (later.size, 1))])
        absent = np.setdiff1d(months, months_known)
        if absent.size:
            raise DataError(
                f"the model uses the {self.key} covariates {', '.join(self.names)}, whose value "
                f"for {month_dates(absent)[0].date()} is missing ({absent.size} months in all); "
                f"give {self.key}_covariates with a row for every month"
            )
        order = np.argsort(months_known)
        return values[order[np.searchsorted(months_known, months, sorter=order)]]


def followed(seen: Array) -> tuple[Array, Array]:
    """Ends of the range in which a covariate's value ahead counts as it is, shape (k,) each.

    Parameters
    ----------
    seen : ndarray, shape (m, k)
        Values so far; their range, and its width again on either side.
    """
    low, high = seen.min(axis=0), seen.max(axis=0)
    return 2 * low - high, 2 * high - low


def _covariate_rows(
    table: pd.DataFrame,
    key: str,
    names: tuple[str, ...],
    wanted: Callable[[Months], Booleans],
) -> tuple[Months, Array]:
    """Months and values of the rows that are wanted; no other value is looked at."""
    found = [str(name) for name in table.columns]
    missing = [name for name in (key, *names) if name not in found]
    if missing:
        raise MissingColumnError(f"the {key} covariates", missing, found)
    months = month_number(table[key])
    rows = wanted(months)
    months, kept = months[rows], table.loc[rows]
    values = np.zeros((months.size, len(names)))
    for i, name in enumerate(names):
        values[:, i] = numbers(kept[name], f"the {key} covariate {name}")
    if np.unique(months).size != months.size or not np.all(np.abs(values) <= LARGEST):
        raise InvalidValueError(
            f"the {key} covariates need one row a month and finite numbers, {LARGEST:g} at most "
            "in size, throughout"
        )
    return months, values
