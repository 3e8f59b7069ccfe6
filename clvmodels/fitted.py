"""The grammar that every fitted model speaks: parameters, their uncertainty, and files."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from clvmodels.exceptions import InvalidValueError, ModelFileError, NotFittedError
from clvmodels.optimize import Estimate
from clvmodels.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
RandomState = int | np.random.Generator | None


class Interval(NamedTuple):
    """An estimate with its standard error and interval, each a float or an ndarray."""

    estimate: Any
    standard_error: Any
    lower: Any
    upper: Any


class Model:
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

    # Uncertainty

    @property
    def covariance_(self) -> Array:
        """Covariance of ``params_`` in their order, by the delta method; shape (k, k)."""
        jacobian = self._jacobian()
        return np.asarray(jacobian[:, None] * self._covariance() * jacobian)

    @property
    def standard_errors_(self) -> dict[str, float]:
        """Standard errors of ``params_``, from the observed information."""
        errors = np.sqrt(np.diag(self.covariance_))
        return dict(zip(self.params_, errors.tolist(), strict=True))

    def confidence_intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Wald intervals of the parameters, on the log scale where they are positive."""
        reach = _quantile(level) * np.sqrt(np.diag(self._covariance()))
        low, high = self._natural(self._working() - reach), self._natural(self._working() + reach)
        return {
            name: (float(a), float(b)) for name, a, b in zip(self.params_, low, high, strict=True)
        }

    @property
    def aic_(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * len(self.params_) - 2.0 * self.log_likelihood_

    @property
    def bic_(self) -> float:
        """Schwarz's information criterion, the number of observations being the customers."""
        return len(self.params_) * float(np.log(self.n_customers_)) - 2.0 * self.log_likelihood_

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return a table of the parameters: estimate, standard error and interval."""
        import pandas as pd

        intervals = self.confidence_intervals(level)
        percent = f"{100 * level:g}%"
        return pd.DataFrame(
            {
                "estimate": self.params_,
                "standard_error": self.standard_errors_,
                f"lower_{percent}": {name: ends[0] for name, ends in intervals.items()},
                f"upper_{percent}": {name: ends[1] for name, ends in intervals.items()},
            }
        ).rename_axis("parameter")

    def parameter_draws(self, n: int, random_state: RandomState = None) -> list[Self]:
        """Draw models from the sampling distribution of the estimates.

        The working parameters are multivariate normal with the inverse observed information as
        covariance; every draw is a model of its own that predicts as this one does.

        Parameters
        ----------
        n : int
            Number of draws.
        random_state : int or Generator, optional
        """
        rng = np.random.default_rng(random_state)
        values, axes = np.linalg.eigh(self._covariance())
        root = axes * np.sqrt(np.maximum(values, 0.0))
        normal = rng.standard_normal((n, values.size))
        return [self._at(self._working() + root @ draw) for draw in normal]

    def delta_interval(
        self, function: Callable[[Self], npt.ArrayLike], level: float = 0.95
    ) -> Interval:
        """Interval of anything computed from the model, by the delta method.

        Parameters
        ----------
        function : callable
            model -> number or ndarray, smooth in the parameters; for example
            ``lambda m: weight @ m.expected_purchases(summary, 90)``.
        level : float
            Confidence level.

        Returns
        -------
        Interval
            Of parameter uncertainty alone. Where the estimate is positive the interval is
            symmetric in its logarithm, and so never crosses zero.
        """
        at, covariance = self._working(), self._covariance()
        center = np.asarray(function(self), dtype=float)
        slopes = []
        steps = np.minimum(0.05, 1e-2 * np.sqrt(np.diag(covariance)))
        for i, step in enumerate(np.maximum(steps, 1e-6)):
            move = np.zeros_like(at)
            move[i] = step
            ahead = np.asarray(function(self._at(at + move)), dtype=float)
            behind = np.asarray(function(self._at(at - move)), dtype=float)
            slopes.append((ahead - behind) / (2 * step))
        slope = np.stack(slopes)
        variance = np.einsum("i...,ij,j...->...", slope, covariance, slope)
        return _interval(center, np.sqrt(np.maximum(variance, 0.0)), level)

    def draw_interval(
        self,
        function: Callable[[Self], npt.ArrayLike],
        level: float = 0.95,
        n_draws: int = 200,
        random_state: RandomState = None,
    ) -> Interval:
        """Interval of anything computed from the model, by draws of the parameters.

        Parameters
        ----------
        function, level
            As in :meth:`delta_interval`.
        n_draws : int
            Models drawn.
        random_state : int or Generator, optional
        """
        draws = np.stack(
            [np.asarray(function(m)) for m in self.parameter_draws(n_draws, random_state)]
        )
        tail = (1 - level) / 2
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
        center = np.asarray(function(self), dtype=float)
        return Interval(center[()], draws.std(axis=0, ddof=1)[()], low[()], high[()])

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


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise InvalidValueError(f"level must lie between 0 and 1; found {level}")
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def _interval(center: Array, error: Array, level: float) -> Interval:
    reach = _quantile(level) * error
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.exp(reach / center)
    positive = (center > 0) & np.isfinite(factor)
    with np.errstate(invalid="ignore"):
        low = np.where(positive, center / factor, center - reach)
        high = np.where(positive, center * factor, center + reach)
    return Interval(center[()], error[()], low[()], high[()])


def _nullable(value: float) -> float | None:
    return value if np.isfinite(value) else None
