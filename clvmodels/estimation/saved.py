"""What a saved model may hold: every value is checked before a model is built from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from clvmodels.core.arguments import is_finite, number, numbers
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError, ModelFileError
from clvmodels.estimation.covariates import Scaling

MODEL_VERSION = 2
"""Schema version of models whose parameters are stated at a centre of the covariates: a release
that knows of no centre would read them wrongly. Other models are still of version 1."""

_MOST = 1e150
"""Largest parameter, and one over the least: beyond, squares overflow. Parameters stated at
covariates of 0, far from the customers, may lie beyond, as forecasts never are made there."""

_ROUNDING = 1e-6
"""Share of a covariance's largest entry by which it may miss symmetry or lie below zero."""


@contextmanager
def part_of(name: str) -> Iterator[None]:
    """Raise as damage to the saved model ``name`` whatever its description does not hold."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        found = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"the saved {name} is damaged: {found}. Fit it again, or restore the file."
        ) from None


def read_parameters(
    given: Mapping[str, Any], positive: Sequence[str], names: Sequence[str]
) -> dict[str, float]:
    """Return the parameters in the order of ``names``; the ``positive`` ones lie above 0.

    Raises
    ------
    InvalidValueError
        If one is missing, unknown, or no number that it can be.
    """
    if not isinstance(given, Mapping) or set(given) != set(names):
        found = ", ".join(map(str, given)) if isinstance(given, Mapping) else repr(given)
        raise InvalidValueError(
            f"expected the parameters {', '.join(names)}; found {found or 'none'}"
        )
    plain = set(names) == set(positive)
    least, most = (1 / _MOST, _MOST) if plain else (np.nextafter(0.0, 1.0), np.finfo(float).max)

    bad = [
        f"{name} = {value!r}"
        for name, value in given.items()
        if not is_finite(value) or (name in positive and not least <= value <= most)
    ]
    if bad:
        limits = f"from {least:g} to {most:g}" if plain else "coefficients of covariates finite"
        raise InvalidValueError(
            f"parameters must be positive numbers; found {', '.join(bad)} ({limits})"
        )
    return {name: float(given[name]) for name in names}


def read_covariance(given: Any, size: int, exact: bool = True) -> Array | None:
    """Return a covariance of the parameters, or none where there is none.

    Parameters
    ----------
    given : array_like, shape (k, k), or None
    size : int
        k, the number of parameters.
    exact : bool
        Whether it comes from exact derivatives; one of difference quotients may be lopsided.

    Raises
    ------
    InvalidValueError
        If it is not symmetric and finite, of one row and column a parameter, or some
        combination of the parameters has a negative variance.
    """
    if given is None:
        return None
    covariance = numbers(given, "the covariance")
    fault = _covariance_fault(covariance, size, exact)
    if fault:
        raise InvalidValueError(
            f"the covariance must be a symmetric matrix of {size} x {size} finite numbers without "
            f"negative variances; {fault}"
        )
    return covariance


def _covariance_fault(covariance: Array, size: int, exact: bool) -> str:
    if covariance.shape != (size, size):
        return f"found shape {covariance.shape}"
    if not np.all(np.isfinite(covariance)):
        return f"found {covariance[~np.isfinite(covariance)][0]}"
    tolerance = _ROUNDING * float(np.abs(covariance).max(initial=0.0))
    lack = float(np.abs(covariance - covariance.T).max(initial=0.0))
    if exact and lack > tolerance:
        return f"found entries that differ by {lack:g} from their mirror image"
    variances = np.linalg.eigvalsh(covariance) if exact else np.diag(covariance)
    least = float(variances.min(initial=0.0))
    return f"found the variance {least:g}" if least < -tolerance else ""


def read_scaling(description: Mapping[str, Any], columns: Sequence[str]) -> Scaling:
    """Return the centre and scale of the covariates ``columns``.

    Raises
    ------
    KeyError, InvalidValueError
        If one is missing, not finite, or a scale is not positive.
    """
    found = {}
    for part in ("centre", "scale"):
        given = description[f"covariate_{part}"]
        if not isinstance(given, Mapping) or set(given) != set(columns):
            raise InvalidValueError(
                f"covariate_{part} must hold {', '.join(columns)}; found {given!r}"
            )
        found[part] = {name: number(given[name], f"the {part} of {name}") for name in columns}
    if not all(scale > 0 for scale in found["scale"].values()):
        raise InvalidValueError(f"scales of covariates must be positive; found {found['scale']}")
    return Scaling(found["centre"], found["scale"])
