"""From a table of any kind to checked NumPy arrays: the one boundary of every model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import LARGEST, column_names, numbers
from clvmodels.core.arrays import Array, Booleans
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError

MAX_FREQUENCY = 10_000_000


@dataclass(frozen=True)
class Histories:
    """Purchase histories as arrays of one length, checked.

    Attributes
    ----------
    frequency, recency, T, weight : ndarray of float, shape (n,)
        As in the RFM summary; ``weight`` is the number of customers a row stands for.
    covariates : dict of str to ndarray
        Static covariates by column name, each of shape (n,).
    """

    frequency: Array
    recency: Array
    T: Array
    weight: Array
    covariates: dict[str, Array]

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.frequency.size

    def rows(self, index: npt.NDArray[np.intp], weight: Array | None = None) -> Histories:
        """Return the rows at ``index``, with other weights if given."""
        weight = self.weight[index] if weight is None else weight
        covariates = {name: values[index] for name, values in self.covariates.items()}
        return Histories(
            self.frequency[index], self.recency[index], self.T[index], weight, covariates
        )

    def in_units_of(self, unit: float) -> Histories:
        """Return the histories with time measured in ``unit`` of the present unit."""
        return Histories(
            self.frequency, self.recency / unit, self.T / unit, self.weight, self.covariates
        )


@dataclass(frozen=True)
class Spends:
    """Numbers of purchases and their mean values, checked.

    Attributes
    ----------
    frequency, monetary_value, weight : ndarray of float, shape (n,)
    """

    frequency: Array
    monetary_value: Array
    weight: Array

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.frequency.size

    def rows(self, index: npt.NDArray[np.intp], weight: Array) -> Spends:
        """Return the rows at ``index``, with other weights."""
        return Spends(self.frequency[index], self.monetary_value[index], weight)


def read_histories(
    summary: Any, weights: npt.ArrayLike | None = None, covariates: Sequence[str] = ()
) -> Histories:
    """Read frequency, recency and T [, weight, covariates] from a table and check them.

    Parameters
    ----------
    summary : DataFrame
        pandas, polars, pyarrow or any table that narwhals reads.
    weights : array_like, optional
        Customers that each row stands for; by default the column ``weight`` where there is one,
        else one.
    covariates : sequence of str
        Names of further numeric columns to read.

    Raises
    ------
    MissingColumnError
        If a column is missing.
    DataError
        If there are no rows, or no row of positive weight.
    InvalidValueError
        If a value is missing or impossible (recency beyond T, a negative count, ...).
    """
    covariates = column_names(covariates, "covariates")
    columns = read_columns(summary, ("frequency", "recency", "T", *covariates), weights)
    frequency, recency, T = columns["frequency"], columns["recency"], columns["T"]
    _check_frequency(frequency)
    _check_size("T", T)
    reject(recency < 0, "recency must not be negative", recency=recency)
    reject(
        recency > T,
        "recency must not exceed T: the last purchase lies after the end of observation",
        recency=recency,
        T=T,
    )
    reject(
        (frequency == 0) & (recency > 0),
        "a customer without repeat purchases has recency 0",
        frequency=frequency,
        recency=recency,
    )
    extra = {name: columns[name] for name in covariates}
    return Histories(frequency, recency, T, columns["weight"], extra)


def read_exposures(table: Any, covariates: Sequence[str] = ()) -> Histories:
    """Read T [, weight, covariates] of customers whose purchases are still to be drawn.

    As :func:`read_histories`, with frequency and recency 0.
    """
    covariates = column_names(covariates, "covariates")
    columns = read_columns(table, ("T", *covariates), None)
    reject(columns["T"] < 0, "T must not be negative", T=columns["T"])
    _check_size("T", columns["T"])
    zero = np.zeros_like(columns["T"])
    extra = {name: columns[name] for name in covariates}
    return Histories(zero, zero, columns["T"], columns["weight"], extra)


def read_counts(table: Any) -> tuple[Array, Array]:
    """Read frequency and weight (1 where there is none); shapes (n,)."""
    columns = read_columns(table, ("frequency",), None)
    _check_frequency(columns["frequency"])
    return columns["frequency"], columns["weight"]


def compress(data: Histories) -> Histories:
    """Merge equal rows where that is cheap and makes a fit faster, and drop weightless ones.

    Done for many rows of one customer each whose times are whole numbers, as in a log by days;
    other tables come back as they are.
    """
    if not data.weight.all():
        kept = np.flatnonzero(data.weight)
        return data.rows(kept, data.weight[kept])
    if data.size < 50_000 or data.covariates or np.any(data.weight != 1):
        return data
    columns = (data.frequency, data.recency, data.T)
    sizes = [int(column.max()) + 1 for column in columns]
    if np.prod([float(size) for size in sizes]) > 2**62:
        return data
    key = np.zeros(data.size, dtype=np.int64)
    for column, size in zip(columns, sizes, strict=True):
        whole = column.astype(np.int64)
        if not np.array_equal(whole, column):
            return data
        key = key * size + whole
    key.sort()
    first = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    weight = np.diff(first, append=key.size).astype(float)
    rest, T = np.divmod(key[first], sizes[2])
    frequency, recency = np.divmod(rest, sizes[1])
    return Histories(frequency.astype(float), recency.astype(float), T.astype(float), weight, {})


def read_spends(summary: Any, weights: npt.ArrayLike | None = None, *, fit: bool = False) -> Spends:
    """Read frequency and monetary_value [, weight] from a table and check them.

    Rows without purchases are left out of a fit; in a forecast they are kept, and their
    monetary_value is not read.

    Parameters
    ----------
    summary, weights
        As in :func:`read_histories`.
    fit : bool
        Whether the rows are to be fitted.

    Raises
    ------
    MissingColumnError, DataError, InvalidValueError
        As in :func:`read_histories`; a monetary_value must be positive in a fit, and must not be
        negative in a forecast.
    """
    columns = read_columns(
        summary, ("frequency", "monetary_value"), weights, may_be_null="monetary_value"
    )
    frequency, value, weight = (columns[name] for name in ("frequency", "monetary_value", "weight"))
    _check_frequency(frequency)
    bought = frequency > 0
    reject(
        bought & ~(value > 0 if fit else value >= 0),
        f"monetary_value must {'be positive' if fit else 'not be negative'} wherever frequency "
        "is positive: leave out free and refunded purchases before the summary",
        frequency=frequency,
        monetary_value=value,
    )
    value = np.where(bought, value, 0.0)
    _check_size("monetary_value", value, 1 / LARGEST if fit else 0.0)
    if not fit:
        return Spends(frequency, value, weight)
    if not np.any(bought & (weight > 0)):
        raise DataError(
            "a spend model needs customers with repeat purchases (frequency > 0); found none "
            f"among {frequency.size} rows. Observe for longer or lower the required frequency."
        )
    if bought.all():
        return Spends(frequency, value, weight)
    return Spends(frequency[bought], value[bought], weight[bought])


def has_column(table: Any, name: str) -> bool:
    """Whether a table has a column; False of what is no table, which reading it will refuse."""
    try:
        return name in nw.from_native(table, eager_only=True).columns
    except TypeError:
        return False


def read_columns(
    table: Any,
    names: Sequence[str],
    weights: npt.ArrayLike | None,
    may_be_null: str | None = None,
) -> dict[str, Array]:
    """Read numeric columns and ``weight`` (1 where there is none); finite but for one of them."""
    try:
        frame = nw.from_native(table, eager_only=True)
    except TypeError:
        raise DataError(
            "expected a pandas, polars or pyarrow table with the columns "
            f"{', '.join(names)}; found {type(table).__name__}"
        ) from None
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise MissingColumnError("the RFM summary", missing, frame.columns)
    arrays = {name: _numbers(frame[name], name) for name in names}
    rows = arrays[names[0]].size
    if rows == 0:
        raise DataError(f"expected at least one row with {', '.join(names)}; the table is empty")
    if weights is not None:
        weight = numbers(weights, "weights")
        if weight.shape != (rows,):
            raise InvalidValueError(
                f"weights must hold one number for each of the {rows} rows; "
                f"found shape {weight.shape}"
            )
    elif "weight" in frame.columns:
        weight = _numbers(frame["weight"], "weight")
    else:
        weight = np.ones(rows)
    for name, values in arrays.items():
        if name != may_be_null:
            sized = {name: values}
            reject(~np.isfinite(values), f"{name} must be a finite number", **sized)
            reject(np.abs(values) > LARGEST, f"{name} must be {LARGEST:g} at most", **sized)
    reject(
        ~(np.isfinite(weight) & (weight >= 0)),
        "a weight must be finite and not negative",
        weight=weight,
    )
    _check_size("weight", weight)
    if not np.any(weight > 0):
        raise DataError("every weight is zero; give the number of customers behind each row")
    return arrays | {"weight": weight}


def _numbers(series: nw.Series[Any], name: str) -> Array:
    if not (series.dtype.is_numeric() or series.dtype == nw.Boolean):
        raise InvalidValueError(
            f"{name} must be numeric; found dtype {series.dtype}. Convert it before the call."
        )
    values = series.to_numpy()
    return np.ascontiguousarray(values, dtype=np.float64)


def _check_frequency(frequency: Array) -> None:
    check_whole("frequency", frequency)


def check_whole(name: str, values: Array) -> None:
    """Refuse what is no whole number from 0 to :data:`MAX_FREQUENCY`, by row."""
    reject(
        (values < 0) | (values > MAX_FREQUENCY) | (values != np.floor(values)),
        f"{name} must be a whole number from 0 to {MAX_FREQUENCY}",
        **{name: values},
    )


def _check_size(name: str, values: Array, least: float = 1 / LARGEST) -> None:
    """Refuse what overflows once it is squared or divided by."""
    reject(
        (values > LARGEST) | ((values > 0) & (values < least)),
        f"{name} must be 0 or lie between {least:g} and {LARGEST:g}; use another unit",
        **{name: values},
    )


def reject(bad: Booleans, rule: str, **columns: Array) -> None:
    """Raise an InvalidValueError that shows the first rows that break a rule, if any does."""
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    examples = "; ".join(
        f"row {row}: " + ", ".join(f"{name} {values[row]:g}" for name, values in columns.items())
        for row in rows[:3]
    )
    raise InvalidValueError(f"{rule}; found {rows.size} of {bad.size} rows otherwise ({examples})")
