"""A spend model by segment: what customers' channel or category says of the value of a purchase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array
from clvmodels.segments.values import SegmentValues
from clvmodels.spend.base import SpendModel

SPREAD = 0.5
"""Prior standard deviation of the logarithm of a segment's factor: it shrinks those of few."""


@dataclass(frozen=True)
class SpendBySegment:
    """A spend model of values over the factor of a customer's segments.

    Gamma-Gamma is a family of scale, so that a factor on all values of a customer is a factor on
    its parameter v (Fader and Hardie 2013, note 025). Factors are the exponentials of sums over
    the dimensions, from a gamma regression of customers' mean values (McCullagh and Nelder 1989,
    chapter 8), each counted by the inverse of its variance.

    Attributes
    ----------
    values : SegmentValues
    model : SpendModel
        Of values over the factors.
    effects : dict of str to float
        Logarithm of the factor, by indicator of the values.
    """

    values: SegmentValues
    model: SpendModel
    effects: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        values: SegmentValues,
        spend: pd.DataFrame,
        whole: SpendModel,
        kind: Callable[[], SpendModel],
    ) -> Self:
        """Learn the factors, then the model of what is left.

        Parameters
        ----------
        spend : DataFrame
            frequency, monetary_value, weight and the dimensions.
        whole : SpendModel
            Of everybody.
        kind : callable
            Makes a model that is not fitted.
        """
        from sklearn.linear_model import GammaRegressor

        within, between = whole.variation(spend.assign(frequency=0, monetary_value=0.0))
        variance = within**2 / spend["frequency"].to_numpy(float) + between**2
        counted = spend["weight"].to_numpy(float) / variance
        design = values.indicators(spend)
        mean = spend["monetary_value"].to_numpy(float)
        ridge = GammaRegressor(alpha=1 / (SPREAD**2 * counted.sum()), max_iter=1000, tol=1e-8)
        ridge.fit(design.to_numpy(), mean / mean.mean(), sample_weight=counted)
        effects = dict(zip(design.columns, map(float, ridge.coef_), strict=True))
        made = cls(values, whole, effects)
        return cls(values, kind().fit(made._over_factors(spend)[0]), effects)

    def log_likelihood(self, spend: pd.DataFrame) -> float:
        """Log-likelihood of mean values, a sum over customers; of ``spend`` as in :meth:`fit`."""
        scaled, factor = self._over_factors(spend)
        jacobian = float(spend["weight"].to_numpy(float) @ np.log(factor))
        return self.model.log_likelihood(scaled) - jacobian

    def expected_spend(self, spend: pd.DataFrame) -> Array:
        """Expected mean value of a customer's future purchases; shape (n,)."""
        scaled, factor = self._over_factors(spend)
        return np.asarray(self.model.expected_spend(scaled) * factor)

    def variation(self, spend: pd.DataFrame) -> tuple[Array, Array]:
        """Coefficients of variation of one purchase, and of the customer's own mean; (n,) each."""
        return self.model.variation(self._over_factors(spend)[0])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer."""
        return {"model": self.model.to_dict(), "effects": dict(self.effects)}

    def _over_factors(self, spend: pd.DataFrame) -> tuple[pd.DataFrame, Array]:
        indicators = self.values.indicators(spend)
        shift = indicators.to_numpy() @ np.array([self.effects[n] for n in indicators.columns])
        factor = np.exp(shift)
        scaled: Any = spend.assign(monetary_value=spend["monetary_value"].to_numpy() / factor)
        return scaled.drop(columns=list(self.values.dimensions)), factor
