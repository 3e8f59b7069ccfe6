"""The lifetimes fitters behind the grammar of this project: the reference engine.

Parameters, expected purchases, probability alive and expected spend are what lifetimes itself
computes; whatever lifetimes has no function for is inherited from this project's model at the
parameters that lifetimes found.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import read_horizons
from clvmodels.core.arrays import Array
from clvmodels.core.errors import ConvergenceWarning, DataError, InvalidValueError, warn_caller
from clvmodels.core.estimator import Estimator
from clvmodels.core.summaries import read_histories, read_spends
from clvmodels.estimation.parameters import Model
from clvmodels.estimation.saved import read_covariance
from clvmodels.estimation.uncertainty import Uncertainty
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.spend.gamma_gamma import GammaGamma
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.beta_geometric import BGNBD, MBGNBD
from clvmodels.transactions.pareto_nbd import ParetoNBD

if TYPE_CHECKING:
    import pandas as pd


ATTEMPTS: tuple[tuple[float, dict[str, float]], ...] = (
    (0.0, {}),
    (0.0, {"tol": 1e-5}),
    (0.0, {"tol": 1e-4}),
    (0.001, {"tol": 1e-5}),
    (0.01, {"tol": 1e-4}),
)
"""Penalizer and settings tried in turn where lifetimes does not converge."""


class _LifetimesModel(Uncertainty, Model, Estimator):
    """What the engine's models share: a fitter, and how its results are read."""

    _fitter_name: str

    _has_standard_errors = True
    _exact_covariance = False

    def _new_fitter(self, penalizer: float = 0.0) -> Any:
        import lifetimes

        return getattr(lifetimes, self._fitter_name)(penalizer_coef=penalizer)

    def _converged(self, *history: Array, **settings: Any) -> tuple[Any, str]:
        """Return a fitter that converged, and what was relaxed until it did."""
        from lifetimes.utils import ConvergenceError

        for penalizer, relaxed in ATTEMPTS:
            try:
                fitter = self._new_fitter(penalizer).fit(*history, **(settings | relaxed))
            except ConvergenceError:
                continue
            changes = relaxed | ({"penalizer": penalizer} if penalizer else {})
            return fitter, ", ".join(f"{name} {value:g}" for name, value in changes.items())
        raise DataError(
            f"lifetimes' {self._fitter_name} does not converge on these data, nor with a lower "
            "tolerance or a penalizer. Use this project's own engine."
        )

    def _fitter(self) -> Any:
        import pandas as pd

        fitter = self._new_fitter()
        fitter.params_ = pd.Series(self.params_)
        return fitter

    @one_blas_thread
    def _fit(self, *history: Array, **settings: Any) -> None:
        """Fit columns, the last of them weights, and take over what lifetimes found."""
        weight = history[-1]
        with _quiet():
            fitter, relaxed = self._converged(*history, **settings)
            values = fitter.params_[list(self.parameter_names)].to_numpy(dtype=float)
            logs = np.log(values) if self._has_standard_errors else values
            cost = float(fitter._negative_log_likelihood(logs, *history, 0.0))
        if relaxed:
            warn_caller(
                ConvergenceWarning(
                    f"lifetimes' {self._fitter_name} converged only with {relaxed}; its estimates "
                    "may be off the maximum likelihood ones."
                )
            )
        self.params_ = dict(zip(self.parameter_names, values.tolist(), strict=True))
        # divided by the sum of the weights, or by their mean in the Pareto/NBD fitter
        divisor = weight.sum() if self._has_standard_errors else weight.mean()
        self.log_likelihood_ = -cost * float(divisor)
        self.n_customers_ = float(weight.sum())
        self.unidentified_ = ()
        self._working_covariance = None
        if self._has_standard_errors:
            found = np.asarray(fitter.variance_matrix_ / np.outer(values, values), dtype=float)
            with contextlib.suppress(InvalidValueError):  # a flat likelihood gives it no variance
                self._working_covariance = read_covariance(found, values.size, exact=False)


class _LifetimesTransactions(_LifetimesModel, TransactionModel):
    _settings: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()

    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Fit with lifetimes, without penalizer; input as for this project's models."""
        data = read_histories(summary, weights)
        self._fit(data.frequency, data.recency, data.T, data.weight, **self._settings)
        return self

    def probability_alive(self, summary: Any) -> Array:
        """Probability alive, as lifetimes computes it; shape (n,)."""
        data = read_histories(summary)
        with _quiet():
            alive = self._fitter().conditional_probability_alive(
                data.frequency, data.recency, data.T
            )
        return np.asarray(alive, dtype=float)

    def expected_purchases(self, summary: Any, horizon: npt.ArrayLike) -> Array:
        """Conditional expected purchases, as lifetimes computes them; (n,) or (n, k)."""
        horizons, single = read_horizons(horizon)
        data = read_histories(summary)
        with _quiet():
            fitter = self._fitter()
            columns = [
                np.asarray(
                    fitter.conditional_expected_number_of_purchases_up_to_time(
                        t, data.frequency, data.recency, data.T
                    ),
                    dtype=float,
                )
                for t in horizons
            ]
        purchases = columns[0] if single else np.stack(columns, axis=1)
        broken = ~np.isfinite(purchases)
        if broken.any():
            # Its hypergeometric function overflows for frequent buyers; the quantity does not.
            purchases = np.where(broken, super().expected_purchases(summary, horizon), purchases)
        return purchases


class LifetimesBGNBD(_LifetimesTransactions, BGNBD):
    """BG/NBD fitted by lifetimes' BetaGeoFitter."""

    _fitter_name = "BetaGeoFitter"


class LifetimesMBGNBD(_LifetimesTransactions, MBGNBD):
    """MBG/NBD fitted by lifetimes' ModifiedBetaGeoFitter."""

    _fitter_name = "ModifiedBetaGeoFitter"


class LifetimesParetoNBD(_LifetimesTransactions, ParetoNBD):
    """Pareto/NBD fitted by lifetimes' ParetoNBDFitter, which has no standard errors."""

    _fitter_name = "ParetoNBDFitter"
    _has_standard_errors = False
    # else its start is random
    _settings: ClassVar[dict[str, Any]] = {"initial_params": np.ones(4)}


class LifetimesGammaGamma(_LifetimesModel, GammaGamma):
    """Gamma-Gamma fitted by lifetimes' GammaGammaFitter."""

    _fitter_name = "GammaGammaFitter"

    def __init__(self) -> None:
        super().__init__()

    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Fit with lifetimes, without penalizer; input as for this project's model."""
        data = read_spends(summary, weights, fit=True)
        self._fit(data.frequency, data.monetary_value, data.weight)
        return self

    def expected_spend(self, summary: Any) -> Array:
        """Conditional expected mean spend, as lifetimes computes it; shape (n,)."""
        data = read_spends(summary)
        with _quiet():
            spend = self._fitter().conditional_expected_average_profit(
                data.frequency, data.monetary_value
            )
        return np.asarray(spend, dtype=float)


ENGINES: dict[str, type[Model]] = {
    "BGNBD": LifetimesBGNBD,
    "MBGNBD": LifetimesMBGNBD,
    "ParetoNBD": LifetimesParetoNBD,
    "GammaGamma": LifetimesGammaGamma,
}
"""The lifetimes counterpart of each model, by the name of the model's class."""


def compare(own: Model, summary: Any, weights: npt.ArrayLike | None = None) -> pd.DataFrame:
    """Fit a model and its lifetimes counterpart to the same data, side by side.

    Parameters
    ----------
    own : Model
        A model of this project, fitted or not; it is fitted anew with the same settings.
    summary, weights
        As for ``fit``.

    Returns
    -------
    pandas.DataFrame
        Columns ``own``, ``lifetimes`` and ``difference`` (own less lifetimes); one row a
        parameter, then ``log_likelihood`` (a sum over customers) and ``seconds`` of the fit.

    Raises
    ------
    InvalidValueError
        If lifetimes has no such model.
    """
    import pandas as pd

    name = type(own).__name__
    if name not in ENGINES:
        raise InvalidValueError(f"lifetimes has no {name}; it has {', '.join(ENGINES)}")
    columns = {}
    for engine, model in (
        ("own", type(own)(**own.get_params())),
        ("lifetimes", ENGINES[name]()),
    ):
        started = time.perf_counter()
        model.fit(summary, weights)
        seconds = time.perf_counter() - started
        columns[engine] = {
            **model.params_,
            "log_likelihood": model.log_likelihood_,
            "seconds": seconds,
        }
    table = pd.DataFrame(columns)
    table["difference"] = table["own"] - table["lifetimes"]
    return table.rename_axis("quantity")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence NumPy's and lifetimes' own warnings, for the calls into lifetimes only."""
    nowhere = io.StringIO()  # a fit that fails is printed by lifetimes
    silent = contextlib.redirect_stdout(nowhere)
    with warnings.catch_warnings(), np.errstate(all="ignore"), silent:
        warnings.simplefilter("ignore")
        yield
