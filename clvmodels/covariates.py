"""Static covariates that scale purchase and dropout rates (Fader and Hardie, note 019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clvmodels.exceptions import InvalidValueError
from clvmodels.frames import Histories
from clvmodels.likelihood import Value

Array = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Effect:
    """How a group of covariates acts on one parameter.

    The parameter of a customer with covariates z is its baseline times exp(sign * gamma' z).
    """

    parameter: str
    sign: float
    label: str


@dataclass(frozen=True)
class Design:
    """Covariates of the customers, standardised, as linear predictors of the log-parameters.

    Attributes
    ----------
    matrices : list of ndarray, shape (n, d_i)
        For each parameter: a column of ones, then its covariates.
    columns : list of ndarray of int, shape (d_i,)
        Where the coefficients stand in the working parameters.
    to_working : ndarray, shape (k, k)
        Turns coefficients of standardised covariates, with zero rows for those that do not vary,
        into coefficients of the covariates themselves.
    constant : tuple of str
        Coefficients of covariates that do not vary; they are 0.
    """

    matrices: list[Array]
    columns: list[Positions]
    to_working: Array
    constant: tuple[str, ...]

    @property
    def free(self) -> npt.NDArray[np.bool_]:
        """Which working parameters are estimated; shape (k,)."""
        return np.asarray(np.any(self.to_working != 0, axis=0))

    def rows(self, index: Positions) -> Design:
        """Return the design of some of the customers."""
        matrices = [matrix[index] for matrix in self.matrices]
        return Design(matrices, self.columns, self.to_working, self.constant)


class CovariateEffects:
    """Which columns act on which parameters, and under what names.

    Parameters
    ----------
    parameters : sequence of str
        Names of the model's parameters.
    effects : sequence of (Effect, sequence of str)
        Each effect with the columns of its covariates.
    """

    def __init__(
        self, parameters: Sequence[str], effects: Sequence[tuple[Effect, Sequence[str]]]
    ) -> None:
        self.parameters = tuple(parameters)
        self.effects = [(effect, tuple(columns)) for effect, columns in effects if columns]
        for _, columns in self.effects:
            if len(set(columns)) != len(columns):
                raise InvalidValueError(f"each covariate may be named once; found {columns}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the table must have."""
        return tuple(dict.fromkeys(name for _, columns in self.effects for name in columns))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in the order of the working parameters."""
        return tuple(f"{e.label}:{name}" for e, columns in self.effects for name in columns)

    def natural(
        self, params: Mapping[str, float], covariates: Mapping[str, Array]
    ) -> dict[str, Value]:
        """Return each customer's parameters, arrays of shape (n,) where covariates act."""
        values: dict[str, Value] = {name: params[name] for name in self.parameters}
        for effect, columns in self.effects:
            shift = sum(params[f"{effect.label}:{name}"] * covariates[name] for name in columns)
            log_value = np.log(params[effect.parameter]) + effect.sign * shift
            values[effect.parameter] = np.exp(np.clip(log_value, -200.0, 200.0))
        return values

    def design(self, data: Histories) -> Design:
        """Standardise the covariates of some customers."""
        size = len(self.parameters) + len(self.names)
        mean, spread = {}, {}
        whole = data.weight.sum()
        for name in self.columns:
            values = data.covariates[name]
            mean[name] = float(data.weight @ values / whole)
            deviation = float(np.sqrt(data.weight @ (values - mean[name]) ** 2 / whole))
            varies = deviation > 1e-12 * (abs(mean[name]) + 1e-300)
            spread[name] = deviation if varies else 0.0
        ones = np.ones((data.size, 1))
        matrices = [ones for _ in self.parameters]
        columns_of = [np.array([i], dtype=np.intp) for i in range(len(self.parameters))]
        to_working = np.eye(size)
        constant = []
        at = len(self.parameters)
        for effect, columns in self.effects:
            i = self.parameters.index(effect.parameter)
            for name in columns:
                if spread[name] == 0.0:
                    to_working[at, at] = 0.0
                    constant.append(f"{effect.label}:{name}")
                else:
                    scaled = effect.sign * (data.covariates[name] - mean[name]) / spread[name]
                    matrices[i] = np.column_stack([matrices[i], scaled])
                    columns_of[i] = np.append(columns_of[i], at)
                    to_working[at, at] = 1 / spread[name]
                    to_working[i, at] = -effect.sign * mean[name] / spread[name]
                at += 1
        return Design(matrices, columns_of, to_working, tuple(constant))
