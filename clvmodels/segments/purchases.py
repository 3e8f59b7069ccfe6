"""A transaction model by segment: what customers' channel or category says of when they buy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from clvmodels.core.arrays import Array
from clvmodels.core.errors import ConvergenceWarning
from clvmodels.segments.values import SegmentValues
from clvmodels.transactions.base import TransactionModel

OTHERS_WEIGHT = 50.0
"""In the fit of one segment, all other customers together count for so many of its own."""

Ask = Callable[[TransactionModel, pd.DataFrame], Array]


@dataclass(frozen=True)
class PurchasesBySegment:
    """Transaction models that know the segment of a customer.

    Either one model whose rates of purchase and dropout depend on all dimensions (static
    covariates: Fader and Hardie 2007, note 019), or a model for each value of one dimension,
    fitted to its customers and, for :data:`OTHERS_WEIGHT` of them, to everybody else (a power
    prior: Ibrahim and Chen 2000, Statistical Science 15(1), equation 1).

    Attributes
    ----------
    values : SegmentValues
    model : TransactionModel
        With the indicators of the values as covariates; or, of customers of another value, the
        model of everybody.
    dimension : str, optional
        Whose values have models of their own.
    own : dict of str to TransactionModel
        By value of ``dimension``.
    """

    values: SegmentValues
    model: TransactionModel
    dimension: str | None = None
    own: Mapping[str, TransactionModel] = field(default_factory=dict)

    @classmethod
    def with_covariates(
        cls, values: SegmentValues, summary: pd.DataFrame, kind: Callable[[], TransactionModel]
    ) -> Self:
        """Fit one model with the indicators of all dimensions as covariates.

        Parameters
        ----------
        summary : DataFrame
            frequency, recency, T, weight and the dimensions.
        kind : callable
            Makes a model that is not fitted.
        """
        names = values.indicator_names
        model = kind().set_params(purchase_covariates=names, dropout_covariates=names)
        return cls(values, model.fit(pd.concat([summary, values.indicators(summary)], axis=1)))

    @classmethod
    def separately(
        cls,
        values: SegmentValues,
        dimension: str,
        summary: pd.DataFrame,
        whole: TransactionModel,
        kind: Callable[[], TransactionModel],
    ) -> Self:
        """Fit a model for each value of a dimension, drawn towards everybody.

        Parameters
        ----------
        summary : DataFrame
            frequency, recency, T, weight and the dimensions.
        whole : TransactionModel
            Of everybody.
        kind : callable
            Makes a model that is not fitted.
        """
        codes = values.codes(summary, dimension)
        weight = summary["weight"].to_numpy(dtype=float)
        history = summary[["frequency", "recency", "T"]]
        own = {}
        for at, value in enumerate(values.shares[dimension]):
            others = float(weight[codes != at].sum())
            share = min(1.0, OTHERS_WEIGHT / others) if others else 0.0
            counted = np.where(codes == at, weight, weight * share)
            with warnings.catch_warnings():
                # What a small segment does not pin down, the others do.
                warnings.simplefilter("ignore", ConvergenceWarning)
                own[value] = kind().fit(history[counted > 0], weights=counted[counted > 0])
        return cls(values, whole, dimension, own)

    def probability_alive(self, summary: pd.DataFrame) -> Array:
        """Probability that a customer is still one; shape (n,)."""
        return self._ask(summary, lambda model, rows: model.probability_alive(rows))

    def expected_purchases(self, summary: pd.DataFrame, horizon: npt.ArrayLike) -> Array:
        """Expected purchases within a horizon; shape (n,), or (n, k) for k horizons."""
        return self._ask(summary, lambda model, rows: model.expected_purchases(rows, horizon))

    def probability_no_purchase(self, summary: pd.DataFrame, horizon: npt.ArrayLike) -> Array:
        """Probability of no purchase within a horizon; shape (n,), or (n, k)."""
        return self._ask(summary, lambda model, rows: model.probability_no_purchase(rows, horizon))

    def purchase_rate_shape(self, summary: pd.DataFrame) -> Array:
        """Shape of the gamma distribution of a customer's rate, if alive; shape (n,)."""
        return self._ask(summary, lambda model, rows: model.purchase_rate_shape(rows))

    def purchase_rate_quantile(self, summary: pd.DataFrame, probability: float) -> Array:
        """Quantile of a customer's purchase rate, if alive; shape (n,)."""
        return self._ask(
            summary, lambda model, rows: model.purchase_rate_quantile(rows, probability)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer."""
        return {
            "model": self.model.to_dict(),
            "dimension": self.dimension,
            "own": {value: model.to_dict() for value, model in self.own.items()},
        }

    def _ask(self, summary: pd.DataFrame, ask: Ask) -> Array:
        if self.dimension is None:
            return ask(self.model, pd.concat([summary, self.values.indicators(summary)], axis=1))
        codes = self.values.codes(summary, self.dimension)
        models = [*self.own.values(), self.model]  # the last one, -1, is of other values
        answers = {code: ask(models[code], summary[codes == code]) for code in np.unique(codes)}
        if not answers:
            return ask(self.model, summary)
        shape = next(iter(answers.values())).shape[1:]
        out = np.empty((len(summary), *shape))
        for code, answer in answers.items():
            out[codes == code] = answer
        return out
