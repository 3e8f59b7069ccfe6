"""All effects of one outcome: plain, adjusted, by the bootstrap where tails are heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from clvmodels.core.arguments import numbers
from clvmodels.experiments.bootstrap import (
    bootstrap_interval,
    bootstrap_p_value,
    draws_for,
    has_heavy_tails,
    studentised_draws,
)
from clvmodels.experiments.cells import CellMeans, cell_means, usable
from clvmodels.experiments.contrasts import Contrast
from clvmodels.experiments.effects import Effect, effect
from clvmodels.experiments.multiplicity import simultaneous_level


class Method(StrEnum):
    """Which interval counts: settled by the data's size and skewness, never by the effect.

    ``BOOTSTRAP`` is the wider of its own and Student's at each end, and the larger p-value: see
    :mod:`clvmodels.experiments.bootstrap`.
    """

    WELCH = "Welch"
    ADJUSTED = "adjusted"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True)
class Compared:
    """One effect on one outcome.

    Attributes
    ----------
    contrast : Contrast
    plain : Effect
        Without covariates (Welch).
    best : Effect
        Adjusted where there are covariates; the same as ``plain`` elsewhere.
    method : Method
        Whose interval and p-value the next ones are.
    interval : tuple of float
        At the level asked for; an end is infinite where so many draws have no spread that it
        cannot be told.
    together : tuple of float
        That holds with all others of the family at that level (Bonferroni).
    p_value : float
    base : float
        Mean that the effect is relative to; NaN of an interaction.
    """

    contrast: Contrast
    plain: Effect
    best: Effect
    method: Method
    interval: tuple[float, float]
    together: tuple[float, float]
    p_value: float
    base: float

    @property
    def gain(self) -> float:
        """Share of the variance that the covariates took away; NaN where nothing varies."""
        if not self.plain.is_told:
            return float("nan")
        return 1 - (self.best.standard_error / self.plain.standard_error) ** 2


def compare(
    outcome: ArrayLike,
    cell: ArrayLike,
    contrasts: Sequence[Contrast],
    covariates: ArrayLike | None = None,
    *,
    level: float = 0.95,
    family: int | None = None,
    random_state: int = 0,
) -> list[Compared]:
    """Estimate every effect on one outcome.

    Parameters
    ----------
    outcome : array_like, shape (n,)
        One value a customer.
    cell : array_like of int, shape (n,)
    contrasts : sequence of Contrast
        Of :func:`clvmodels.experiments.contrasts.contrasts`.
    covariates : array_like, shape (n, p), optional
        Known before the assignment; those that no adjustment can rest on are left out.
    level : float
        Of the intervals.
    family : int, optional
        How many comparisons are made in all; by default these.
    random_state : int
        Seed of the bootstrap.
    """
    cells = contrasts[0].weights.size
    plain = cell_means(outcome, cell, cells)
    best = plain
    if covariates is not None:
        x = numbers(covariates, "covariates")
        kept = usable(x, cell, cells)
        best = cell_means(outcome, cell, cells, x[:, kept]) if kept else plain
    strict = simultaneous_level(level, family or len(contrasts))
    heavy = [one for one in contrasts if has_heavy_tails(best, one)]
    drawn = studentised_draws(best, heavy, draws_for(strict), random_state) if heavy else None
    found = []
    for one in contrasts:
        draws = None if drawn is None or one not in heavy else drawn[:, heavy.index(one)]
        found.append(_compared(one, plain, best, draws, level, strict))
    return found


def _compared(
    contrast: Contrast,
    plain: CellMeans,
    best: CellMeans,
    draws: np.ndarray | None,
    level: float,
    strict: float,
) -> Compared:
    first, second = effect(plain, contrast), effect(best, contrast)
    base = float("nan") if contrast.base is None else float(contrast.base @ best.means)
    if draws is not None and second.is_told:
        method = Method.BOOTSTRAP
        p_value = max(bootstrap_p_value(second, draws), second.p_value)
        near, wide = (
            _wider(bootstrap_interval(second, draws, each), second.interval(each))
            for each in (level, strict)
        )
    else:
        method = Method.ADJUSTED if best.covariates else Method.WELCH
        p_value = second.p_value
        near, wide = (second.interval(each) for each in (level, strict))
    return Compared(contrast, first, second, method, near, wide, p_value, base)


def _wider(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])
