"""Simulated trials with known effects, and a slow obvious regression to hold the fast one to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clvmodels.experiments.contrasts import Contrast, Factor, contrasts

TWO = (Factor("arm", ("none", "mail")),)
THREE = (Factor("mailing", ("none", "mens", "womens")),)
SQUARE = (Factor("offer", ("none", "ten percent")), Factor("subject", ("plain", "funny")))

Draw = Callable[[np.random.Generator], "Trial"]


@dataclass(frozen=True)
class Trial:
    """One run: outcomes, cells, covariate, and the true effects by contrast."""

    outcome: np.ndarray
    cell: np.ndarray
    covariate: np.ndarray
    truth: Sequence[float]


def of_shop(rng: np.random.Generator, customers: int, truth: float = 0.0) -> Trial:
    """Half and half: outcomes follow a forecast of variance 1/4, more steeply where treated."""
    forecast = rng.uniform(1 - 0.75**0.5, 1 + 0.75**0.5, customers)
    cell = rng.permutation(np.arange(customers) % 2)
    slope = np.where(cell == 1, 1.5, 1.0)
    outcome = slope * (forecast - 1) + truth * cell + rng.normal(0, 0.6, customers)
    return Trial(outcome, cell, forecast, [truth])


def heavy_tailed(rng: np.random.Generator, customers: int, truth: float = 0.0) -> Trial:
    """One in four is treated; few buy, and some of these much: the mean is skewed."""
    cell = (rng.permutation(customers) < customers / 4).astype(int)
    bought = rng.random(customers) < 0.4
    spent = np.where(bought, rng.lognormal(3.0, 0.9, customers), 0.0)
    return Trial(spent + truth * cell, cell, np.zeros(customers), [truth])


def by_hand(
    outcome: np.ndarray, cell: np.ndarray, cells: int, covariates: np.ndarray, kind: str = "HC2"
) -> tuple[np.ndarray, np.ndarray]:
    """One regression with every covariate by cell: cell means and their sandwich covariance."""
    dummies = np.eye(cells)[cell]
    centred = covariates - covariates.mean(axis=0)
    blocks = [dummies] + [dummies * centred[:, [j]] for j in range(centred.shape[1])]
    design = np.hstack(blocks)
    bread = np.linalg.inv(design.T @ design)
    coefficients = bread @ design.T @ outcome
    residual = outcome - design @ coefficients
    leverage = np.diag(design @ bread @ design.T)
    power = {"HC0": 0, "HC2": 1, "HC3": 2}[kind]
    meat = design.T @ (design * (residual**2 / (1 - leverage) ** power)[:, None])
    return coefficients[:cells], (bread @ meat @ bread)[:cells, :cells]


def only(factors: Sequence[Factor]) -> Contrast:
    (one,) = contrasts(factors)
    return one
