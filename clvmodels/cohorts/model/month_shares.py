"""What share of a month's purchases its days usually hold, learned from daily totals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from clvmodels.core.arguments import LARGEST, number, numbers
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError, MissingColumnError
from clvmodels.core.months import MonthGrid, last_month_end, month_end
from clvmodels.numerics.loglinear import MOST_SD, Fixed, Shrunk, fit_loglinear
from clvmodels.numerics.threads import one_blas_thread

COLUMNS = ["date", "purchases"]

MOST_MONTHS = 36
"""Latest whole months that teach the shares: shops change their hours."""

PARTS = 4
"""Stretches of a month, about a week each, that may differ between months of the year."""

USUAL_ERROR = 0.15
ERROR_MONTHS = 6.0
"""Prior guess of how far a month's half may be off (in logs), worth so many months."""

LEAST_SHARE = 1e-4
_LOOKED_AT = (3, 6, 9, 12, 15, 18, 21, 24)


@dataclass(frozen=True)
class MonthShares:
    r"""How purchases are spread over a month: weekdays, days of the month, weeks of a season.

    A day's share of its month is proportional to exp(w + d + s), w of the weekday, d of the day of
    the month and s of the week of the month of the year (the weeks before Christmas).

    Attributes
    ----------
    weekday : ndarray, shape (7,)
        Log effects, Monday first.
    day : ndarray, shape (31,)
    part : ndarray, shape (12, 4)
        By month of the year, January first, and week of the month.
    error : float
        Log error of a month's first half against what the shares promise; of a share s it is
        ``error`` x sqrt((1 - s) / s).
    months : int
        Whole months behind them; 0: days count alike.
    """

    weekday: Array
    day: Array
    part: Array
    error: float = USUAL_ERROR
    months: int = 0

    @classmethod
    def even(cls) -> Self:
        """Days that count alike."""
        return cls(np.zeros(7), np.zeros(31), np.zeros((12, PARTS)))

    @classmethod
    @one_blas_thread
    def learn(cls, daily: pd.DataFrame | None, as_of: dt.date) -> Self:
        """Learn from the whole months up to a day.

        Parameters
        ----------
        daily : DataFrame, optional
            date and purchases, of all customers together; a day without a row had none. Days
            after ``as_of`` are not read.
        as_of : date

        Raises
        ------
        MissingColumnError, InvalidValueError
            If a column is missing, a day appears twice, or a number is negative or missing.
        """
        if daily is None:
            return cls.even()
        days = _whole_months(daily, as_of)
        if days is None:
            return cls.even()
        total = days["purchases"].groupby(days["month"]).transform("sum").to_numpy(float)
        usual = total / days["date"].dt.days_in_month.to_numpy(float)
        sold = usual > 0
        days, usual = days[sold], usual[sold]
        if days.empty:
            return cls.even()
        weekday, day, part = _columns(days["date"])
        fit = fit_loglinear(
            days["purchases"].to_numpy(float),
            np.log(usual),
            [
                Fixed("level", np.ones((len(days), 1))),
                Shrunk("weekday", weekday, 0.2, 4.0),
                Shrunk("day", day, 0.05, 16.0),
                Shrunk("part", part, 0.1, 16.0),
            ],
            phi=1.0,
        )
        found = cls(fit.block("weekday"), fit.block("day"), fit.block("part").reshape(12, PARTS))
        months = int(days["month"].nunique())
        return replace(found, error=_error(found, days), months=months)

    def share(self, first: dt.date, last: dt.date) -> float:
        """Share of a month's purchases that its days from ``first`` to ``last`` usually hold."""
        days = pd.date_range(first.replace(day=1), month_end(first), freq="D")
        weight = self._weights(days)
        return float(weight[first.day - 1 : last.day].sum() / weight.sum())

    def error_of(self, share: float) -> float:
        """Log error of a part of a month that usually holds this share of it."""
        share = min(max(share, LEAST_SHARE), 1.0)
        return float(self.error * np.sqrt((1.0 - share) / share))

    def days(self, grid: MonthGrid) -> Array:
        """Days of each month of a grid that is forecast, a cut month's by its share, shape (k,)."""
        out = grid.days.copy()
        first = grid.as_of + dt.timedelta(days=1)
        for i, period in enumerate(grid.periods):
            last = min(month_end(period), grid.until)
            first = max(first, period)
            length = month_end(period).day
            if (last - first).days + 1 < length:
                out[i] = self.share(first, last) * length
        return out

    def to_dict(self) -> dict[str, Any]:
        """State as JSON-safe values."""
        return {
            "weekday": self.weekday.tolist(),
            "day": self.day.tolist(),
            "part": self.part.tolist(),
            "error": self.error,
            "months": self.months,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`."""
        effects = []
        for name, shape in (("weekday", (7,)), ("day", (31,)), ("part", (12, PARTS))):
            values = np.asarray(state[name], dtype=np.float64)
            if values.shape != shape or not np.all(np.abs(values) <= 10.0):
                raise InvalidValueError(f"shares of a month by {name} must be {shape} log effects")
            effects.append(values)
        error, months = number(state["error"], "error"), int(number(state["months"], "months"))
        if not 0 <= error <= LARGEST or months < 0:
            raise InvalidValueError("shares of a month need an error and months, none negative")
        return cls(effects[0], effects[1], effects[2], error, months)

    def _weights(self, days: pd.DatetimeIndex) -> Array:
        effect = self.weekday[days.weekday] + self.day[days.day - 1]
        effect = effect + self.part[days.month - 1, _part_of(days)]
        return np.asarray(np.exp(effect))


def _part_of(days: pd.DatetimeIndex) -> Array:
    return np.minimum((days.day.to_numpy() - 1) * PARTS // 31, PARTS - 1)


def _columns(dates: pd.Series) -> tuple[Array, Array, Array]:
    days = pd.DatetimeIndex(dates)
    place = (days.month.to_numpy() - 1) * PARTS + _part_of(days)
    return tuple(
        (values[:, None] == np.arange(size)[None, :]).astype(float)
        for values, size in (
            (days.weekday.to_numpy(), 7),
            (days.day.to_numpy() - 1, 31),
            (place, 12 * PARTS),
        )
    )


def _whole_months(daily: pd.DataFrame, as_of: dt.date) -> pd.DataFrame | None:
    """Every day of the latest whole months: date, purchases, month; None where there are none."""
    found = [str(name) for name in daily.columns]
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise MissingColumnError("the daily purchases", missing, found)
    counts = pd.Series(
        numbers(daily["purchases"], "daily purchases"), index=pd.to_datetime(daily["date"])
    )
    if counts.index.hasnans or counts.index.has_duplicates or (counts < 0).any():
        raise InvalidValueError("daily purchases need one row a day, none negative or missing")
    counts = counts[counts.index <= pd.Timestamp(last_month_end(as_of))]
    if counts.empty:
        return None
    first = pd.Timestamp(counts.index.min())
    start = first if first.day == 1 else first + pd.offsets.MonthBegin(1)
    end = pd.Timestamp(last_month_end(as_of))
    start = max(start, end - pd.offsets.MonthBegin(MOST_MONTHS))
    if start > end:
        return None
    index = pd.date_range(start, end, freq="D", name="date")
    table = counts.reindex(index).fillna(0.0).rename("purchases").reset_index()
    return table.assign(month=table["date"].dt.year * 12 + table["date"].dt.month - 1)


def _error(shares: MonthShares, days: pd.DataFrame) -> float:
    """RMS log error of the shares of past months, beyond chance, as of their halves."""
    weight = shares._weights(pd.DatetimeIndex(days["date"]))
    table = pd.DataFrame(
        {"n": days["purchases"].to_numpy(float), "w": weight, "m": days["month"].to_numpy()}
    )
    sums = table.groupby("m")[["n", "w"]].cumsum() / table.groupby("m")[["n", "w"]].transform("sum")
    some = days["date"].dt.day.isin(_LOOKED_AT).to_numpy()
    seen, usual = sums["n"].to_numpy()[some], sums["w"].to_numpy()[some]
    month = table["m"].to_numpy()[some]
    total = table.groupby("m")["n"].transform("sum").to_numpy()[some]
    # Half a purchase keeps a month that began without any finite.
    off = np.log((seen * total + 0.5) / (usual * total + 0.5))
    square = off**2 * usual / (1.0 - usual) - 1.0 / total
    by_month = pd.Series(square).groupby(month).mean()
    learned = max(float(by_month.sum()) + ERROR_MONTHS * USUAL_ERROR**2, 0.0)
    return float(min(np.sqrt(learned / (len(by_month) + ERROR_MONTHS)), MOST_SD))
