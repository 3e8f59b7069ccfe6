"""The parameters of a fitted model: how they are held, named, saved and read back."""

from __future__ import annotations

import copy
import inspect
from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.exceptions import InvalidValueError, ModelFileError, NotFittedError
from clvmodels.optimize import Estimate
from clvmodels.schema import SCHEMA_VERSION

Array = npt.NDArray[np.float64]


class ParametricModel(ABC):
    """A fitted model holds parameters, never the data they came from.

    Estimation runs in the logarithms of the positive parameters, followed by the coefficients of
    covariates, which may have either sign; together these are the working parameters.

    Attributes
    ----------
    params_ : dict of str to float
        Natural parameters, then covariate coefficients. Scales are in the units of the data.
    log_likelihood_ : float
        Sum over customers, without the penalty, in the units of the data.
    n_customers_ : float
        Sum of the weights.
    unidentified_ : tuple of str
        Parameters that the data do not pin down; empty after a proper fit.
    """

    parameter_names: ClassVar[tuple[str, ...]]

    params_: dict[str, float]
    log_likelihood_: float
    n_customers_: float
    unidentified_: tuple[str, ...]
    _working_covariance: Array | None

    def __getattr__(self, name: str) -> Any:
        learned = getattr(type(self), name, None)
        if isinstance(learned, property) and learned.fget is not None and "params_" in vars(self):
            return learned.fget(self)  # raises anew what made the look-up fail
        if name.endswith("_") and not name.startswith("_"):
            raise NotFittedError(
                f"{type(self).__name__} has no {name} yet: call fit, or use from_params"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in self.get_params().items())
        if "params_" not in self.__dict__:
            return f"{type(self).__name__}({settings})"
        learned = ", ".join(f"{key}={value:.4g}" for key, value in self.params_.items())
        return f"<{type(self).__name__}({settings}) fitted: {learned}>"

    def get_params(self) -> dict[str, Any]:
        """Return the settings given to the constructor."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    # Construction without a fit

    @classmethod
    def from_params(cls, **params: float) -> Self:
        """Build a model from known parameters, e.g. published ones.

        Raises
        ------
        InvalidValueError
            If a parameter is missing, unknown, or not a positive number.
        """
        if set(params) != set(cls.parameter_names):
            raise InvalidValueError(
                f"{cls.__name__} has the parameters {', '.join(cls.parameter_names)}; "
                f"found {', '.join(params) or 'none'}"
            )
        bad = [f"{k} = {v}" for k, v in params.items() if not (np.isfinite(v) and v > 0)]
        if bad:
            raise InvalidValueError(f"parameters must be positive numbers; found {', '.join(bad)}")
        model = cls()
        model.params_ = {name: float(params[name]) for name in cls.parameter_names}
        model.log_likelihood_ = float("nan")
        model.n_customers_ = 0.0
        model.unidentified_ = ()
        model._working_covariance = None
        return model

    def _learn(
        self,
        names: tuple[str, ...],
        estimate: Estimate,
        shift: Array,
        log_likelihood: float,
        customers: float,
    ) -> None:
        working = estimate.theta + shift
        positive = len(self.parameter_names)
        natural = np.concatenate([np.exp(working[:positive]), working[positive:]])
        self.params_ = dict(zip(names, natural.tolist(), strict=True))
        self.log_likelihood_ = log_likelihood
        self.n_customers_ = customers
        self.unidentified_ = estimate.unidentified
        self._working_covariance = estimate.covariance

    # Files

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer data."""
        covariance = self.__dict__.get("_working_covariance")
        return {
            "schema_version": SCHEMA_VERSION,
            "model": type(self).__name__,
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.get_params().items()
            },
            "params": dict(self.params_),
            "log_likelihood": _nullable(self.log_likelihood_),
            "n_customers": self.n_customers_,
            "unidentified": list(self.unidentified_),
            "working_covariance": None if covariance is None else covariance.tolist(),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Self:
        """Rebuild a model from :meth:`to_dict`.

        Raises
        ------
        ModelFileError
            If the description is of another model or a later version, or is incomplete.
        """
        if description.get("model") != cls.__name__:
            raise ModelFileError(
                f"expected a saved {cls.__name__}; found {description.get('model')!r}"
            )
        version = description.get("schema_version")
        if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
            raise ModelFileError(
                f"this version reads files up to schema version {SCHEMA_VERSION}; "
                f"found {version!r}. Upgrade the package, or train again."
            )
        try:
            settings = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in description["settings"].items()
            }
            model = cls(**settings)
            model.params_ = {str(k): float(v) for k, v in description["params"].items()}
            value = description["log_likelihood"]
            model.log_likelihood_ = float("nan") if value is None else float(value)
            model.n_customers_ = float(description["n_customers"])
            model.unidentified_ = tuple(description["unidentified"])
            covariance = description["working_covariance"]
            model._working_covariance = (
                None if covariance is None else np.array(covariance, dtype=float)
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"the saved {cls.__name__} is damaged: {error!r}") from None
        missing = [name for name in cls.parameter_names if name not in model.params_]
        if missing:
            raise ModelFileError(f"the saved {cls.__name__} lacks {', '.join(missing)}")
        return model

    # Working parameters

    def _working(self) -> Array:
        values = np.array(list(self.params_.values()))
        positive = len(self.parameter_names)
        return np.concatenate([np.log(values[:positive]), values[positive:]])

    def _natural(self, working: Array) -> Array:
        positive = len(self.parameter_names)
        return np.concatenate([np.exp(working[:positive]), working[positive:]])

    def _jacobian(self) -> Array:
        values = np.array(list(self.params_.values()))
        values[len(self.parameter_names) :] = 1.0
        return values

    def _at(self, working: Array) -> Self:
        model = copy.copy(self)
        natural = self._natural(np.clip(working, -300, 300))
        model.params_ = dict(zip(self.params_, natural.tolist(), strict=True))
        return model

    def _covariance(self) -> Array:
        covariance = self._working_covariance
        if covariance is None:
            raise NotFittedError(
                f"this {type(self).__name__} was given its parameters; only a fit has standard "
                "errors"
            )
        return covariance


def _nullable(value: float) -> float | None:
    return value if np.isfinite(value) else None
