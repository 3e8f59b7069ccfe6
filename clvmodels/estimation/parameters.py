"""The parameters of a fitted model: how they are held, named, saved and read back."""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import column_names, number
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError, ModelFileError, NotFittedError
from clvmodels.core.schema import SCHEMA_VERSION
from clvmodels.estimation.maximum import Estimate
from clvmodels.estimation.saved import MODEL_VERSION, part_of, read_covariance, read_parameters

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.core.estimator import Estimator as _Base
else:
    _Base = ABC  # what is fitted is an Estimator too, beside it: the classes stay a few deep

logger = logging.getLogger(__package__)

RandomState = int | np.random.Generator | None


class Model(_Base):
    """A fitted model holds parameters, never the data they came from.

    Estimation runs in the logarithms of the positive parameters, followed by the coefficients of
    standardised covariates, which may have either sign; together these are the working
    parameters.

    Attributes
    ----------
    params_ : dict of str to float
        Natural parameters, then covariate coefficients. Scales are in the units of the data; so
        are coefficients, which are by unit of their covariate.
    log_likelihood_ : float
        Sum over customers, without the penalty, in the units of the data.
    n_customers_ : float
        Sum of the weights.
    unidentified_ : tuple of str
        Parameters that the data do not pin down; empty after a proper fit.
    """

    parameter_names: ClassVar[tuple[str, ...]]

    _exact_covariance: ClassVar[bool] = True
    """Whether it comes from exact derivatives."""

    params_: dict[str, float]
    log_likelihood_: float
    n_customers_: float
    unidentified_: tuple[str, ...]
    _working_covariance: Array | None

    @abstractmethod
    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Estimate the parameters."""

    @abstractmethod
    def log_likelihood(self, summary: Any, weights: npt.ArrayLike | None = None) -> float:
        """Log-likelihood at the model's parameters, a sum over customers in the data's units."""

    @abstractmethod
    def resample(self, summary: Any, random_state: RandomState = None) -> pd.DataFrame:
        """Draw new data from the fitted model for customers as many and as old as these."""

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in self.get_params().items())
        if "params_" not in self.__dict__:
            return f"{type(self).__name__}({settings})"
        learned = ", ".join(f"{key}={value:.4g}" for key, value in self.params_.items())
        return f"<{type(self).__name__}({settings}) fitted: {learned}>"

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
        model = cls()
        model.params_ = read_parameters(params, cls.parameter_names, cls.parameter_names)
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
        logger.debug("%s: log-likelihood %.4f", type(self).__name__, log_likelihood)
        natural = self._natural(estimate.theta + shift)
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
            If the description is of another model or a later version, is incomplete, or holds
            values that no model can have.
        """
        with part_of(cls.__name__):
            if description.get("model") != cls.__name__:
                raise ModelFileError(
                    f"expected a saved {cls.__name__}; found {description.get('model')!r}"
                )
            version = description.get("schema_version")
            if not isinstance(version, int) or not 1 <= version <= MODEL_VERSION:
                raise ModelFileError(
                    f"this version reads models up to schema version {MODEL_VERSION}; "
                    f"found {version!r}. Upgrade the package, or train again."
                )
            settings = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in description["settings"].items()
            }
            model = cls(**settings)
            names = model._names
            model.params_ = read_parameters(description["params"], cls.parameter_names, names)
            value = description["log_likelihood"]
            model.log_likelihood_ = (
                float("nan") if value is None else number(value, "log_likelihood")
            )
            model.n_customers_ = number(description["n_customers"], "n_customers")
            if model.n_customers_ < 0:
                raise InvalidValueError(f"n_customers must be 0 or more; found {value}")
            model.unidentified_ = column_names(description["unidentified"], "unidentified")
            model._working_covariance = read_covariance(
                description["working_covariance"], len(names), cls._exact_covariance
            )
        return model

    # Working parameters

    @property
    def _names(self) -> tuple[str, ...]:
        """Names of ``params_``, in their order."""
        return self.parameter_names

    def _coefficient_scales(self) -> Array:
        """Scales of the covariates, one a coefficient: working coefficients are multiples."""
        return np.ones(0)

    def _working(self) -> Array:
        values = np.array(list(self.params_.values()))
        positive = len(self.parameter_names)
        coefficients = values[positive:] * self._coefficient_scales()
        return np.concatenate([np.log(values[:positive]), coefficients])

    def _natural(self, working: Array) -> Array:
        positive = len(self.parameter_names)
        coefficients = working[positive:] / self._coefficient_scales()
        return np.concatenate([np.exp(working[:positive]), coefficients])

    def _jacobian(self) -> Array:
        values = np.array(list(self.params_.values()))
        values[len(self.parameter_names) :] = 1.0 / self._coefficient_scales()
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
                f"this {type(self).__name__} has no standard errors: it was given its parameters, "
                "or was fitted by an engine that finds none"
            )
        return covariance


def _nullable(value: float) -> float | None:
    return value if np.isfinite(value) else None
