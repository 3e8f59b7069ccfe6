"""What is given beside a table: numbers, levels, counts and names, checked before they are used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError

LARGEST = 1e100
"""Beyond it, or as far below 1, squares and products overflow: another unit is needed."""


def is_number(value: object) -> bool:
    """Whether something is a number, finite or not; True and False are none."""
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Whether something is a number that a float holds."""
    try:
        return is_number(value) and bool(np.isfinite(float(value)))  # type: ignore[arg-type]
    except OverflowError:
        return False


def numbers(values: Any, name: str) -> Array:
    """Return numbers as an array of their shape; nothing is read out of text or dates.

    Raises
    ------
    InvalidValueError
        If anything else is among them; the message names the first.
    """
    try:
        given = np.asarray(values)
        odd: list[object] = []
        if given.dtype.kind == "O":
            odd = [value for value in given.ravel() if not is_number(value)][:1]
        elif given.dtype.kind not in "biuf":
            odd = given.ravel()[:1].tolist() or [values]
        if not odd:
            return given.astype(np.float64)
    except (ValueError, OverflowError):  # rows of different lengths; beyond what a float holds
        odd = [values]
    raise InvalidValueError(f"{name} must hold numbers; found {shown(odd[0])}")


def number(value: Any, name: str) -> float:
    """Return one finite number.

    Raises
    ------
    InvalidValueError
        If it is none, or not finite.
    """
    found = numbers(value, name)
    if found.ndim or not np.isfinite(found):
        raise InvalidValueError(f"{name} must be one finite number; found {shown(value)}")
    return float(found)


def whole_number(value: Any, name: str, least: int) -> int:
    """Return a whole number of at least ``least``, or raise InvalidValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InvalidValueError(
            f"{name} must be a whole number of {least} or more; found {shown(value)}"
        )
    return int(value)


def probability(level: Any, name: str = "level") -> float:
    """Return a share strictly between 0 and 1, or raise InvalidValueError."""
    if not is_number(level) or not 0 < level < 1:
        raise InvalidValueError(
            f"{name} must lie between 0 and 1 (0.9 for 90 %); found {shown(level)}"
        )
    return float(level)


def day(value: Any, name: str) -> dt.date:
    """Return a date; the day of a timestamp.

    Raises
    ------
    InvalidValueError
        If it is no date, a text included.
    """
    if isinstance(value, dt.datetime):  # pandas' Timestamp and NaT too
        value = value.date() if value == value else None
    if not isinstance(value, dt.date):
        raise InvalidValueError(
            f"{name} must be a date, such as datetime.date(2021, 12, 31); found {shown(value)}"
        )
    return value


def read_horizons(horizon: npt.ArrayLike, name: str = "horizon") -> tuple[Array, bool]:
    """Return horizons as an array of shape (k,), and whether a single number was given."""
    horizons = numbers(horizon, name)
    if horizons.ndim > 1 or horizons.size == 0:
        raise InvalidValueError(
            f"{name} must be a number or a list of numbers; found shape {horizons.shape}"
        )
    if not np.all((horizons >= 0) & (horizons <= LARGEST)):
        raise InvalidValueError(
            f"a {name} must be finite and not negative, in the unit of T, and {LARGEST:g} at "
            f"most; found {horizons.tolist()}"
        )
    return np.atleast_1d(horizons), horizons.ndim == 0


def read_horizon(horizon: Any, name: str = "horizon") -> float:
    """Return the one horizon that a question is asked for."""
    (value, *more), single = read_horizons(horizon, name)
    if more or not single:
        raise InvalidValueError(
            f"{name} must be a single number here; found a list of {1 + len(more)}. Ask for one "
            "at a time."
        )
    return float(value)


def column_names(names: Any, setting: str) -> tuple[str, ...]:
    """Return names of columns; a text is one name, never its letters.

    Raises
    ------
    InvalidValueError
        If they are no texts, or one is named twice.
    """
    if isinstance(names, str):
        return (names,)
    if not isinstance(names, Iterable) or isinstance(names, Mapping | bytes):
        raise InvalidValueError(f"{setting} must be names of columns; found {shown(names)}")
    given = tuple(names)
    for name in given:
        if not isinstance(name, str):
            raise InvalidValueError(f"{setting} must be names of columns; found {shown(name)}")
    if len(set(given)) != len(given):
        raise InvalidValueError(f"each covariate may be named once; {setting} has {given}")
    return given


def shown(value: object) -> str:
    """Text for a message: what was found, cut where it is long, and its type."""
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
