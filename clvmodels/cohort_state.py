"""Parts of a fitted cohort model as JSON-safe values: effects and variances, no customer."""

from __future__ import annotations

from typing import Any

import numpy as np

from clvmodels.cohort_effects import Covariates, EffectSpace
from clvmodels.loglinear import LogLinearFit


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
    }


def fit_from_dict(state: dict[str, Any]) -> LogLinearFit:
    """Rebuild from :func:`fit_to_dict`."""
    return LogLinearFit(
        np.array(state["coefficients"]),
        np.array(state["covariance"]),
        {name: slice(*where) for name, where in state["slices"].items()},
        dict(state["sds"]),
        state["phi"],
        state["kappa"],
        state["degrees_of_freedom"],
    )


def space_to_dict(space: EffectSpace) -> dict[str, Any]:
    """Effects as JSON-safe values."""
    return {
        "cohorts": space.cohorts.tolist(),
        "months": space.months.tolist(),
        "oldest": space.oldest,
        "damping": space.damping,
    }


def space_from_dict(state: dict[str, Any]) -> EffectSpace:
    """Rebuild from :func:`space_to_dict`."""
    cohorts = np.array(state["cohorts"], dtype=np.int64)
    months = np.array(state["months"], dtype=np.int64)
    return EffectSpace(cohorts, months, state["oldest"], state["damping"])


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


def covariates_from_dict(state: dict[str, Any]) -> Covariates:
    """Rebuild from :func:`covariates_to_dict`."""
    names, months = tuple(state["names"]), np.array(state["months"], dtype=np.int64)
    values = np.array(state["values"], dtype=float).reshape(months.size, len(names))
    return Covariates(
        state["key"], names, np.array(state["mean"]), np.array(state["sd"]), months, values
    )
