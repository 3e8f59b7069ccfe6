"""Parts of a fitted cohort model as JSON-safe values: effects and variances, no customer.

What is read back is checked part by part, so that a damaged file is refused with what was found,
and never forecast from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clvmodels.cohorts.model.effects import Covariates, EffectSpace
from clvmodels.cohorts.model.table import Months
from clvmodels.core.arguments import LARGEST, column_names, number, numbers, shown, whole_number
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.estimation.saved import read_covariance
from clvmodels.numerics.loglinear import LogLinearFit

SHRUNK = frozenset({"period", "age_bends", "cohort", "season", "begun"})
"""Blocks whose spread is learned."""

_LAST_MONTH = 12 * 10_000 - 1


def fit_to_dict(fit: LogLinearFit) -> dict[str, Any]:
    """A fit as JSON-safe values."""
    return {
        "coefficients": fit.coefficients.tolist(),
        "covariance": fit.covariance.tolist(),
        "slices": {name: [where.start, where.stop] for name, where in fit.slices.items()},
        "sds": fit.sds,
        "phi": fit.phi,
        "kappa": fit.kappa,
        "degrees_of_freedom": fit.degrees_of_freedom,
        "converged": fit.converged,
    }


def fit_from_dict(state: Mapping[str, Any], widths: Mapping[str, int]) -> LogLinearFit:
    """Rebuild from :func:`fit_to_dict`.

    Parameters
    ----------
    state : mapping
    widths : mapping of str to int
        Coefficients of every block that the fit may hold.
    """
    coefficients = read_amounts(state["coefficients"], "coefficients", signed=True)
    size = coefficients.size
    covariance = read_covariance(state["covariance"], size)
    if covariance is None:
        raise InvalidValueError("the covariance is missing")
    slices = {name: _slice(where) for name, where in state["slices"].items()}
    spans = sorted((where.start, where.stop) for where in slices.values())
    ends = [0, *(stop for _, stop in spans)]
    as_wide = all(where.stop - where.start == widths.get(n) for n, where in slices.items())
    if not as_wide or ends[-1] != size or ends[:-1] != [start for start, _ in spans]:
        raise InvalidValueError(
            f"slices must part {size} coefficients among blocks of {dict(widths)}; "
            f"found {state['slices']}"
        )
    sds = {str(name): at_least_0(sd, f"sds of {name}") for name, sd in state["sds"].items()}
    if set(sds) != SHRUNK & set(slices):
        raise InvalidValueError(
            f"sds must hold {', '.join(sorted(SHRUNK & set(slices))) or 'nothing'}; "
            f"found {', '.join(sds) or 'nothing'}"
        )
    return LogLinearFit(
        coefficients,
        covariance,
        slices,
        sds,
        above_0(state["phi"], "phi"),
        at_least_0(state["kappa"], "kappa"),
        number(state["degrees_of_freedom"], "degrees_of_freedom"),
        _flag(state.get("converged", True), "converged"),  # not told by earlier releases
    )


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError(f"{name} must be true or false; found {shown(value)}")
    return value


def space_to_dict(space: EffectSpace) -> dict[str, Any]:
    """Effects as JSON-safe values."""
    return {
        "cohorts": space.cohorts.tolist(),
        "months": space.months.tolist(),
        "oldest": space.oldest,
        "damping": space.damping,
    }


def space_from_dict(state: Mapping[str, Any]) -> EffectSpace:
    """Rebuild from :func:`space_to_dict`."""
    cohorts, months = (read_months(state[part], part) for part in ("cohorts", "months"))
    oldest, damping = (number(state[part], part) for part in ("oldest", "damping"))
    return EffectSpace(cohorts, months, oldest, damping)


def block_widths(space: EffectSpace, period: Covariates, cohort: Covariates) -> dict[str, int]:
    """Coefficients of each block that a fit over a space may hold."""
    one = ("level", "age", "first_month", "trend", "company_level", "company_growth", "begun")
    return {
        **dict.fromkeys(one, 1),
        "age_bends": space.knots.size,
        "period": space.months.size,
        "cohort": space.cohorts.size,
        "season": 12,
        "period_covariates": len(period.names),
        "company_covariates": len(period.names),
        "cohort_covariates": len(cohort.names),
    }


def covariates_to_dict(covariates: Covariates) -> dict[str, Any]:
    """Covariates as JSON-safe values."""
    return {
        "key": covariates.key,
        "names": list(covariates.names),
        "mean": covariates.mean.tolist(),
        "sd": covariates.sd.tolist(),
        "months": covariates.months.tolist(),
        "values": covariates.values.tolist(),
    }


def covariates_from_dict(state: Mapping[str, Any], key: str) -> Covariates:
    """Rebuild from :func:`covariates_to_dict`; ``key`` is what they go by."""
    if state["key"] != key or not isinstance(state["names"], list):
        raise InvalidValueError(
            f"expected covariates by {key} and a list of their names; "
            f"found {state['key']!r} and {state['names']!r}"
        )
    names = column_names(state["names"], "names")
    months = read_months(state["months"], "months", rising=False)
    mean = read_amounts(state["mean"], "mean", len(names), signed=True)
    sd = read_amounts(state["sd"], "sd", len(names))
    if np.any(sd <= 0):
        raise InvalidValueError(f"sd must be above 0; found {sd.min():g}")
    values = numbers(state["values"], "values")
    if values.size != months.size * len(names) or len(values) != months.size:
        raise InvalidValueError(
            f"values must hold {len(names)} covariates of {months.size} months; "
            f"found shape {values.shape}"
        )
    read_amounts(values.ravel(), "values", signed=True)
    return Covariates(key, names, mean, sd, months, values.reshape(months.size, len(names)))


def read_months(given: Any, name: str, *, rising: bool = True) -> Months:
    """Return months counted as in :func:`clvmodels.core.months.month_number`."""
    months = numbers(given, name)
    whole = (months >= 12) & (months <= _LAST_MONTH) & (months == np.floor(months))
    if months.ndim != 1 or not whole.all() or (rising and np.any(np.diff(months) <= 0)):
        raise InvalidValueError(f"{name} must be months in order, none twice; found {shown(given)}")
    return months.astype(np.int64)


def read_amounts(given: Any, name: str, size: int | None = None, *, signed: bool = False) -> Array:
    """Return finite numbers, shape (n,), none negative unless ``signed``."""
    values = numbers(given, name)
    if values.ndim != 1 or (size is not None and values.size != size):
        expected = "a list" if size is None else f"{size} numbers"
        raise InvalidValueError(f"{name} must be {expected}; found shape {values.shape}")
    if not np.all(np.abs(values) <= LARGEST):
        raise InvalidValueError(f"{name} must be finite numbers; found {shown(given)}")
    if not signed and np.any(values < 0):
        raise InvalidValueError(f"{name} must not be negative; found {values.min():g}")
    return values


def at_least_0(given: Any, name: str) -> float:
    """Return a finite number of 0 or more."""
    if number(given, name) < 0:
        raise InvalidValueError(f"{name} must not be negative; found {given}")
    return float(given)


def above_0(given: Any, name: str) -> float:
    """Return a finite number above 0."""
    if number(given, name) <= 0:
        raise InvalidValueError(f"{name} must be above 0; found {given}")
    return float(given)


def _slice(given: Any) -> slice:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise InvalidValueError(f"slices must be pairs of start and end; found {shown(given)}")
    start, stop = (whole_number(end, "slices", 0) for end in given)
    return slice(start, stop)
