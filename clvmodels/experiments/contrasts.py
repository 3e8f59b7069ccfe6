"""What is compared with what: arms with a control, or two factors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import numpy as np

from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError


class Kind(StrEnum):
    """What a comparison is."""

    ARM = "arm"
    MAIN = "main effect"
    INTERACTION = "interaction"


@dataclass(frozen=True)
class Factor:
    """What is varied.

    Attributes
    ----------
    name : str
    levels : tuple of str
        The first is the control.
    """

    name: str
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            raise InvalidValueError(
                f"factor '{self.name}' needs two levels or more, each once; found "
                f"{list(self.levels)}"
            )


@dataclass(frozen=True, eq=False)
class Contrast:
    """A sum of cell means by weights.

    Attributes
    ----------
    kind : Kind
    of : tuple of (str, str)
        Factor and level that are compared with the control; two of an interaction.
    weights : ndarray, shape (k,)
        They sum to nothing.
    base : ndarray, shape (k,), optional
        Weights of the mean that an effect is relative to; None of an interaction.
    """

    kind: Kind
    of: tuple[tuple[str, str], ...]
    weights: Array
    base: Array | None


def cells_of(factors: Sequence[Factor]) -> list[tuple[str, ...]]:
    """Return the cells in the order of their numbers: the last factor's level changes first."""
    return list(product(*(factor.levels for factor in factors)))


def contrasts(factors: Sequence[Factor]) -> list[Contrast]:
    """Return what an experiment of one or two factors compares.

    Of one factor every level with the control. Of two, each level with its factor's control,
    averaged over the levels of the other one alike (main effect), and each pair of levels: by how
    much their joint effect differs from the sum of both (interaction), as
    (a, b) - (a₀, b) - (a, b₀) + (a₀, b₀).

    Raises
    ------
    InvalidValueError
        If there are more factors, or none.
    """
    if len(factors) == 1:
        return [_level(factors, 0, at, Kind.ARM) for at in range(1, len(factors[0].levels))]
    if len(factors) != 2:
        raise InvalidValueError(f"one factor or two can be read; found {len(factors)}")
    mains = [
        _level(factors, which, at, Kind.MAIN)
        for which, factor in enumerate(factors)
        for at in range(1, len(factor.levels))
    ]
    first, second = factors
    joint = [
        Contrast(
            Kind.INTERACTION,
            ((first.name, first.levels[a]), (second.name, second.levels[b])),
            np.outer(_step(first, a), _step(second, b)).ravel(),
            None,
        )
        for a, b in product(range(1, len(first.levels)), range(1, len(second.levels)))
    ]
    return mains + joint


def _level(factors: Sequence[Factor], which: int, at: int, kind: Kind) -> Contrast:
    """One level of a factor against its control, the levels of others averaged."""

    def weights(level: int) -> Array:
        parts = [
            _unit(factor, level) if number == which else _even(factor)
            for number, factor in enumerate(factors)
        ]
        whole = parts[0]
        for part in parts[1:]:
            whole = np.outer(whole, part).ravel()
        return whole

    factor, base = factors[which], weights(0)
    return Contrast(kind, ((factor.name, factor.levels[at]),), weights(at) - base, base)


def _unit(factor: Factor, level: int) -> Array:
    return np.asarray(np.eye(len(factor.levels))[level])


def _step(factor: Factor, level: int) -> Array:
    return _unit(factor, level) - _unit(factor, 0)


def _even(factor: Factor) -> Array:
    return np.full(len(factor.levels), 1 / len(factor.levels))
