r"""The effect that a contrast of cell means estimates, with its interval.

An effect is Σ cₖ mₖ. Cells are independent, so that its variance is Σ cₖ² vₖ, with
Satterthwaite's degrees of freedom (Σ cₖ² vₖ)² / Σ (cₖ² vₖ)² / fₖ: of two arms without covariates
this is Welch's interval. Where slopes differ between cells, the mean x̄ at which they are compared
is itself an estimate, and adds (Σ cₖ bₖ)' Var(x̄) (Σ cₖ bₖ).

References
----------
Welch (1947), Biometrika 34(1/2); Satterthwaite (1946), Biometrics Bulletin 2(6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from clvmodels.core.arguments import probability
from clvmodels.experiments.cells import CellMeans
from clvmodels.experiments.contrasts import Contrast


@dataclass(frozen=True)
class Effect:
    """An estimated effect.

    Attributes
    ----------
    estimate, standard_error : float
        In the unit of the outcome, per customer.
    freedom : float
        Degrees of freedom.
    p_value : float
        Two-sided, of no effect; NaN where no outcome varies, and so nothing can be told.
    """

    estimate: float
    standard_error: float
    freedom: float
    p_value: float

    @property
    def is_told(self) -> bool:
        """Whether outcomes vary, so that the estimate has an error."""
        return self.standard_error > 0

    def interval(self, level: float) -> tuple[float, float]:
        """Return the ends of the interval by Student's t; NaN where nothing can be told."""
        if not self.is_told:
            return float("nan"), float("nan")
        reach = stats.t.ppf((1 + probability(level)) / 2, self.freedom) * self.standard_error
        return self.estimate - reach, self.estimate + reach


def effect(cells: CellMeans, contrast: Contrast) -> Effect:
    """Estimate one effect."""
    weights = contrast.weights
    estimate = float(weights @ cells.means)
    parts = weights**2 * cells.variances
    bend = weights @ cells.slopes
    at_mean = float(bend @ cells.covariate_variance @ bend) if cells.covariates else 0.0
    variance = float(parts.sum()) + at_mean
    # What is left of outcomes that are all alike is rounding.
    if variance <= (1e-12 * float(np.abs(cells.means).max(initial=0.0))) ** 2:
        return Effect(estimate, 0.0, float("nan"), float("nan"))
    used = parts > 0
    scatter = float((parts[used] ** 2 / cells.freedom[used]).sum())
    scatter += at_mean**2 / max(len(cells.cell) - 1, 1)
    error, freedom = variance**0.5, variance**2 / scatter
    return Effect(estimate, error, freedom, float(2 * stats.t.sf(abs(estimate) / error, freedom)))
