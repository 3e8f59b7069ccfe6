"""The uncertainty of a fitted model: standard errors, intervals, draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import probability, whole_number
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.estimation.parameters import RandomState
from clvmodels.numerics.special import symmetric_root
from clvmodels.numerics.threads import one_blas_thread

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.estimation.parameters import Model

    _Base = Model
else:
    _Base = object  # a part of a model, beside it: the classes stay a few deep


class Interval(NamedTuple):
    """An estimate with its standard error and interval, each a float or an ndarray."""

    estimate: Any
    standard_error: Any
    lower: Any
    upper: Any


class LikelihoodRatio(NamedTuple):
    """A likelihood-ratio test."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


class Uncertainty(_Base):
    """How sure a fitted model is of its parameters and of what follows from them."""

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
        reach = normal_quantile(level) * np.sqrt(np.diag(self._covariance()))
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

    @one_blas_thread
    def parameter_draws(self, n: int, random_state: RandomState = None) -> list[Self]:
        """Draw models from the sampling distribution of the estimates.

        The working parameters are multivariate normal with the inverse observed information as
        covariance; every draw is a model of its own that predicts as this one does.

        Parameters
        ----------
        n : int
            Number of draws, at least 1.
        random_state : int or Generator, optional
        """
        n = whole_number(n, "the number of draws", 1)
        rng = np.random.default_rng(random_state)
        root = symmetric_root(self._covariance())
        normal = rng.standard_normal((n, root.shape[0]))
        return [self._at(self._working() + root @ draw) for draw in normal]

    @one_blas_thread
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
        level = probability(level)
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
        return positive_interval(center, np.sqrt(np.maximum(variance, 0.0)), level)

    @one_blas_thread
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
            Models drawn, at least 2.
        random_state : int or Generator, optional

        Raises
        ------
        InvalidValueError
            If the level is not between 0 and 1, or the draws are too few for a spread.
        """
        level, n_draws = probability(level), whole_number(n_draws, "n_draws", 2)
        draws = np.stack(
            [np.asarray(function(m)) for m in self.parameter_draws(n_draws, random_state)]
        )
        tail = (1 - level) / 2
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
        center = np.asarray(function(self), dtype=float)
        return Interval(center[()], draws.std(axis=0, ddof=1)[()], low[()], high[()])

    @one_blas_thread
    def parametric_bootstrap(
        self, summary: Any, n: int = 100, random_state: RandomState = None
    ) -> pd.DataFrame:
        """Refit the model to data drawn from itself: a check of the standard errors.

        Parameters
        ----------
        summary : DataFrame
            The customers whose number and ages the drawn data share.
        n : int
            Data sets drawn.
        random_state : int or Generator, optional

        Returns
        -------
        pandas.DataFrame
            One row a data set, one column a parameter.
        """
        import pandas as pd

        n = whole_number(n, "the number of data sets", 1)
        rng = np.random.default_rng(random_state)
        refits = (type(self)(**self.get_params()) for _ in range(n))
        return pd.DataFrame([m.fit(self.resample(summary, rng)).params_ for m in refits])

    def likelihood_ratio_test(self, restricted: Model) -> LikelihoodRatio:
        """Test this model against one nested in it, fitted to the same customers.

        Parameters
        ----------
        restricted : Model
            The same model with fewer covariates.

        Returns
        -------
        LikelihoodRatio
            Twice the gain in log-likelihood, the number of extra parameters, and the p-value of
            that gain if the extra parameters were all zero (chi-squared).

        Raises
        ------
        InvalidValueError
            If the other model is not nested in this one, or was fitted to other customers.
        """
        from scipy.special import chdtrc

        extra = len(self.params_) - len(restricted.params_)
        nested = set(restricted.params_) < set(self.params_)
        if self.parameter_names != restricted.parameter_names or not nested:
            raise InvalidValueError(
                "the restricted model must be of the same kind with fewer covariates; found "
                f"{type(restricted).__name__} with {', '.join(restricted.params_)}"
            )
        if self.n_customers_ != restricted.n_customers_:
            raise InvalidValueError(
                "both models must be fitted to the same customers; found "
                f"{self.n_customers_:g} and {restricted.n_customers_:g}"
            )
        statistic = max(0.0, 2.0 * (self.log_likelihood_ - restricted.log_likelihood_))
        return LikelihoodRatio(float(statistic), extra, float(chdtrc(extra, statistic)))


def normal_quantile(level: float) -> float:
    """Half-width, in standard errors, of a central normal interval."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + probability(level) / 2))


def positive_interval(center: Array, error: Array, level: float) -> Interval:
    """Interval of known standard error, on the log scale where the estimate is positive."""
    reach = normal_quantile(level) * error
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.exp(reach / center)
    positive = (center > 0) & np.isfinite(factor)
    with np.errstate(invalid="ignore"):
        low = np.where(positive, center / factor, center - reach)
        high = np.where(positive, center * factor, center + reach)
    return Interval(center[()], error[()], low[()], high[()])
