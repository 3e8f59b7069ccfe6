"""The grammar of transaction models: what a model of when customers buy can be asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.core.arrays import Array, Integers
from clvmodels.core.estimator import Estimator
from clvmodels.core.summaries import Histories, compress, read_exposures, read_histories
from clvmodels.estimation.covariate_parameters import CovariateParameters
from clvmodels.estimation.covariates import Design, Scaling
from clvmodels.estimation.doubts import doubt_frequency, doubt_weight
from clvmodels.estimation.likelihood import Terms, Total, Value, add_by_row, dot
from clvmodels.estimation.maximum import (
    Estimate,
    LogLikelihood,
    check_penalty,
    estimate,
    systematic_sample,
)
from clvmodels.estimation.parameters import Model, RandomState
from clvmodels.estimation.uncertainty import Uncertainty
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.transactions.alive import AliveModel, Parameters
from clvmodels.transactions.covariate_model import CovariateModel
from clvmodels.transactions.forecasts import Forecasts

if TYPE_CHECKING:
    import pandas as pd


SAMPLE_ROWS = 60_000
SAMPLE_CUSTOMERS = 20_000
_CHUNK = 32_768


class TransactionModel(
    CovariateModel, CovariateParameters, Forecasts, AliveModel, Uncertainty, Model, Estimator
):
    """A model of when customers buy and when they leave.

    Parameters
    ----------
    penalty : float
        L2 penalty on the logarithms of the parameters, with time in units of the mean T (and
        covariates standardised); its strength depends neither on units nor on the number of
        customers (see :func:`clvmodels.estimation.maximum.estimate`).
    purchase_covariates, dropout_covariates : sequence of str
        Columns of static covariates z that scale each customer's rates of purchase and dropout
        by exp(gamma' (z - centre)); their coefficients, by unit of the covariate, join
        ``params_``. The other parameters are stated at the centre, the mean of the customers
        fitted, so that no origin or unit of a covariate changes a forecast. A text is one name.

    Attributes
    ----------
    covariate_centre_, covariate_scale_ : dict of str to float
        Mean and standard deviation of each covariate over the customers of the fit (scale 1 where
        it does not vary). Empty in models saved by earlier releases, whose parameters are stated
        at covariates of 0.
    """

    scale_names: ClassVar[tuple[str, ...]]
    """Parameters measured in time."""

    advice: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        penalty: float = 0.0,
        purchase_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
    ) -> None:
        self.penalty = penalty
        self.purchase_covariates = purchase_covariates
        self.dropout_covariates = dropout_covariates

    @abstractmethod
    def _start(self, data: Histories) -> Array:
        """Logarithms of the parameters to start from."""

    @abstractmethod
    def _log_likelihood(self, data: Histories) -> LogLikelihood:
        """Log-likelihood of customers who share the parameters."""

    @abstractmethod
    def _draw_histories(
        self, p: Parameters, T: Array, rng: np.random.Generator
    ) -> tuple[Integers, Array]:
        """Frequency and recency of new customers observed for T; shapes (n,)."""

    @abstractmethod
    def _terms(self, data: Histories, values: Sequence[Value]) -> Iterable[Terms]:
        """Log-likelihood by row, for parameters by row."""

    # Fit

    @one_blas_thread
    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        summary : DataFrame
            pandas, polars or pyarrow, with columns frequency, recency, T and, where rows stand
            for several customers, weight. Time may be in any unit.
        weights : array_like, shape (n,), optional
            Customers behind each row; overrides the column.

        Returns
        -------
        self

        Raises
        ------
        DataError, InvalidValueError, MissingColumnError
            If the table cannot be used; the message names the first offending rows.

        Warns
        -----
        ConvergenceWarning
            If the data do not identify every parameter; the estimates are finite all the same.
        """
        check_penalty(self.penalty)
        data = self._read_to_fit(summary, weights)
        customers = float(data.weight.sum())
        unit = self._unit_of_time(data, customers)
        scaled = data.in_units_of(unit)
        scaling = Scaling.of(data)
        if self._effects.names:
            result = self._fit_with_covariates(scaled, customers, scaling)
        else:
            result = self._fit_plain(scaled, customers)
        names = self._names
        shift = np.array([np.log(unit) if name in self.scale_names else 0.0 for name in names])
        # A purchase has a density in time: changing the unit of time changes it by the unit.
        in_units = result.log_likelihood - dot(data.weight, data.frequency) * np.log(unit)
        self._scaling = scaling
        self._learn(names, result, shift, in_units, customers)
        return self

    @one_blas_thread
    def log_likelihood(self, summary: Any, weights: npt.ArrayLike | None = None) -> float:
        """Log-likelihood of any histories at the model's parameters, a sum over customers.

        Parameters
        ----------
        summary, weights
            As for :meth:`fit`.
        """
        data = read_histories(summary, weights, self._effects.columns)
        values = self._parameters(data)
        of_rows = (terms.value for terms in self._terms(data, list(values.values())))
        return sum(dot(data.weight, value) for value in of_rows)

    def resample(self, summary: Any, random_state: RandomState = None) -> pd.DataFrame:
        """Draw histories of new customers from the fitted model, in continuous time.

        Parameters
        ----------
        summary : DataFrame
            With T and the model's covariates; a whole-number ``weight`` repeats a row.
        random_state : int or Generator, optional

        Returns
        -------
        pandas.DataFrame
            frequency, recency, T and the covariates; one row a customer.
        """
        import pandas as pd

        rng = np.random.default_rng(random_state)
        data = read_exposures(summary, self._effects.columns)
        data = data.rows(np.repeat(np.arange(data.size), data.weight.astype(np.int64)))
        frequency, recency = self._draw_histories(self._parameters(data), data.T, rng)
        return pd.DataFrame(
            {"frequency": frequency, "recency": recency, "T": data.T, **data.covariates}
        )

    def _read_to_fit(self, summary: Any, weights: npt.ArrayLike | None) -> Histories:
        data = read_histories(summary, weights, self._effects.columns)
        doubt_frequency(data)
        if weights is None:
            doubt_weight(summary)
        return compress(data)

    def _unit_of_time(self, data: Histories, customers: float) -> float:
        """In which a fit measures time, so that no unit of the data changes it."""
        return dot(data.weight, data.T) / customers or 1.0

    def _fit_plain(self, data: Histories, customers: float) -> Estimate:
        sample = None
        if data.size > SAMPLE_ROWS:
            rows, weight = systematic_sample(data.weight, SAMPLE_CUSTOMERS)
            sample = (self._log_likelihood(data.rows(rows, weight)), float(weight.sum()))
        return self._estimate(
            self._log_likelihood(data), self._start(data), self.parameter_names, customers, sample
        )

    def _fit_with_covariates(self, data: Histories, customers: float, scaling: Scaling) -> Estimate:
        design = self._effects.design(data, scaling)
        names = np.array(self._names)
        free = np.flatnonzero(design.free)
        start = np.zeros(names.size)
        start[: len(self.parameter_names)] = self._start(data)

        def of(part: Histories, its_design: Design) -> LogLikelihood:
            def total(theta: Array) -> Total:
                full = np.zeros(names.size)
                full[free] = theta
                result = self._total_by_row(part, its_design, full)
                block = np.ix_(free, free)
                return Total(result.value, result.gradient[free], result.hessian[block])

            return total

        sample = None
        if data.size > SAMPLE_ROWS:
            rows, weight = systematic_sample(data.weight, SAMPLE_CUSTOMERS)
            part = of(data.rows(rows, weight), design.rows(rows))
            sample = (part, float(weight.sum()))
        if free.size == len(self.parameter_names):
            found = self._fit_plain(data, customers)
        else:
            found = self._estimate(
                of(data, design), start[free], names[free].tolist(), customers, sample
            )
        return self._with_constants(found, design)

    def _estimate(
        self,
        log_likelihood: LogLikelihood,
        start: Array,
        names: Sequence[str],
        customers: float,
        sample: tuple[LogLikelihood, float] | None,
    ) -> Estimate:
        return estimate(
            log_likelihood,
            start,
            names,
            customers,
            penalty=self.penalty,
            sample=sample,
            advice=self.advice,
            model=type(self).__name__,
        )

    def _total_by_row(self, data: Histories, design: Design, theta: Array) -> Total:
        result = Total.zero(theta.size)
        for at in range(0, data.size, _CHUNK):
            rows = np.arange(at, min(at + _CHUNK, data.size))
            part, covariates = data.rows(rows), design.rows(rows)
            values = covariates.parameters(theta)
            for terms in self._terms(part, values):
                add_by_row(result, terms, part.weight, values, covariates.matrices, design.columns)
        return result


def moment_start(data: Histories) -> tuple[float, float]:
    """Shape and scale of a gamma rate that matches the mean and spread of repeat purchases."""
    weight, T = data.weight, data.T
    rate = max(dot(weight, data.frequency), 0.5) / max(dot(weight, T), 1e-12)
    expected = rate * T
    square = expected * expected
    excess = dot(weight, (data.frequency - expected) ** 2 - expected)
    ratio = excess / max(dot(weight, square), 1e-12 * float(weight.sum()))
    shape = float(np.clip(1.0 / max(ratio, 1e-3), 0.05, 20.0))
    return shape, shape / rate
