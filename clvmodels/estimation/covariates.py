"""Static covariates that scale purchase and dropout rates (Fader and Hardie, note 019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import LARGEST, number
from clvmodels.core.arrays import Array, Booleans
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.summaries import Histories
from clvmodels.estimation.likelihood import Value, dot

Positions = npt.NDArray[np.intp]

REACH = 30.0
"""How far covariates carry the logarithm of a parameter from its value at their centre, at most:
a factor of 1e13 either way."""

ROUNDING = 1e-12
"""Share of its mean by which a covariate must vary to be more than rounding."""

_LEAST_SCALE = 1 / LARGEST
"""Below it the variance of a coefficient by unit of the covariate would overflow."""


@dataclass(frozen=True)
class Effect:
    """How a group of covariates acts on one parameter.

    The parameter of a customer with covariates z is its baseline times exp(sign * gamma' z).
    """

    parameter: str
    sign: float
    label: str


@dataclass(frozen=True)
class Scaling:
    """Centre and scale of the covariates of a fit: mean and standard deviation, by weight.

    Parameters are estimated, stated and moved in these units, so that neither the origin nor the
    unit of a covariate changes anything: a year counted from 0 carries alpha itself to
    exp(gamma 2021), beyond what a number can hold.

    Attributes
    ----------
    centre : dict of str to float
        Mean by column. Empty in models of earlier releases, which state parameters at 0.
    scale : dict of str to float
        Standard deviation by column; 1 where a covariate does not vary.
    constant : frozenset of str
        Covariates that do not vary.
    """

    centre: dict[str, float]
    scale: dict[str, float]
    constant: frozenset[str] = frozenset()

    @classmethod
    def of(cls, data: Histories) -> Scaling:
        """Learn the scaling of the covariates of some customers."""
        centre, scale, constant = {}, {}, set()
        whole = float(data.weight.sum())
        for name, values in data.covariates.items():
            # Measured in the largest of them, so that no square overflows.
            unit = float(np.abs(values).max()) or 1.0
            mean = dot(data.weight, values / unit) / whole
            variance = dot(data.weight, (values / unit - mean) ** 2) / whole
            spread = float(np.sqrt(variance))
            varies = spread > ROUNDING * abs(mean) and spread * unit >= _LEAST_SCALE
            centre[name] = mean * unit
            scale[name] = spread * unit if varies else 1.0
            if not varies:
                constant.add(name)
        return cls(centre, scale, frozenset(constant))

    def apply(self, name: str, values: Array) -> Array:
        """Values of a covariate in standard deviations from its mean."""
        return np.asarray((values - self.centre.get(name, 0.0)) / self.scale.get(name, 1.0))


@dataclass(frozen=True)
class Design:
    """Covariates of the customers, standardised, as linear predictors of the log-parameters.

    Attributes
    ----------
    matrices : list of ndarray, shape (n, d_i)
        For each parameter: a column of ones, then its covariates.
    columns : list of ndarray of int, shape (d_i,)
        Where the coefficients stand in the working parameters.
    free : ndarray of bool, shape (k,)
        Which working parameters are estimated; coefficients of covariates that do not vary are
        not, and are 0.
    """

    matrices: list[Array]
    columns: list[Positions]
    free: Booleans

    def rows(self, index: Positions) -> Design:
        """Return the design of some of the customers."""
        return Design([matrix[index] for matrix in self.matrices], self.columns, self.free)

    def parameters(self, theta: Array) -> list[Value]:
        """Return each customer's parameters at the working parameters, arrays of shape (n,)."""
        return [
            np.exp(theta[columns[0]] + _within_reach(matrix[:, 1:] @ theta[columns[1:]]))
            for matrix, columns in zip(self.matrices, self.columns, strict=True)
        ]


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

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the table must have."""
        return tuple(dict.fromkeys(name for _, columns in self.effects for name in columns))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in the order of the working parameters."""
        return tuple(name for name, _ in self.coefficients)

    @property
    def coefficients(self) -> tuple[tuple[str, str], ...]:
        """Name and covariate of each coefficient, in the order of the working parameters."""
        return tuple(
            (f"{effect.label}:{name}", name) for effect, columns in self.effects for name in columns
        )

    def natural(
        self, params: Mapping[str, float], covariates: Mapping[str, Array], scaling: Scaling
    ) -> dict[str, Value]:
        """Return each customer's parameters, arrays of shape (n,) where covariates act.

        Coefficients are by unit of the covariate, the other parameters at its centre.
        """
        values: dict[str, Value] = {name: params[name] for name in self.parameters}
        for effect, columns in self.effects:
            shift = np.zeros(1)
            for name in columns:
                slope = params[f"{effect.label}:{name}"] * scaling.scale.get(name, 1.0)
                shift = shift + slope * scaling.apply(name, covariates[name])
            at_centre = np.log(params[effect.parameter])
            if scaling.centre:
                log_value = at_centre + effect.sign * _within_reach(shift)
            else:  # stated at 0, from where no customer need be within reach
                log_value = np.clip(at_centre + effect.sign * shift, -200.0, 200.0)
            values[effect.parameter] = np.exp(log_value)
        return values

    def design(self, data: Histories, scaling: Scaling) -> Design:
        """Standardise the covariates of some customers."""
        ones = np.ones((data.size, 1))
        matrices = [ones for _ in self.parameters]
        columns_of = [np.array([i], dtype=np.intp) for i in range(len(self.parameters))]
        free = np.ones(len(self.parameters) + len(self.names), dtype=np.bool_)
        at = len(self.parameters)
        for effect, columns in self.effects:
            i = self.parameters.index(effect.parameter)
            for name in columns:
                if name in scaling.constant:
                    free[at] = False
                else:
                    scaled = effect.sign * scaling.apply(name, data.covariates[name])
                    matrices[i] = np.column_stack([matrices[i], scaled])
                    columns_of[i] = np.append(columns_of[i], at)
                at += 1
        return Design(matrices, columns_of, free)


def values_of_new_customer(
    given: Mapping[str, float] | None, names: Sequence[str], scaling: Scaling
) -> dict[str, Array]:
    """Read the covariates of a customer of whom nothing else is known; shapes (1,).

    What is not given is the mean of the customers fitted (0 where none is kept).

    Raises
    ------
    InvalidValueError
        If one is unknown or no number.
    """
    given = given or {}
    if not isinstance(given, Mapping):
        raise InvalidValueError(
            f"covariates must map names to values, as {{'age': 40}}; found {given!r}"
        )
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InvalidValueError(
            f"unknown covariates {', '.join(unknown)}; the model has {', '.join(names) or 'none'}"
        )
    usual = scaling.centre
    return {
        name: np.array([number(given.get(name, usual.get(name, 0.0)), f"the covariate {name}")])
        for name in names
    }


def _within_reach(shift: Array) -> Array:
    """Limit what covariates do to the logarithm of a parameter, in a fit as in a forecast."""
    return np.clip(shift, -REACH, REACH)
