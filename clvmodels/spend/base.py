"""The grammar of spend models: what a model of the value of purchases can be asked."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from clvmodels.core.arrays import Array
from clvmodels.core.estimator import Estimator
from clvmodels.estimation.parameters import Model
from clvmodels.estimation.uncertainty import Uncertainty


class SpendModel(Uncertainty, Model, Estimator):
    """A model of the value of purchases."""

    @abstractmethod
    def expected_spend(self, summary: Any) -> Array:
        """Expected mean value of a customer's future purchases; shape (n,)."""

    @abstractmethod
    def variation(self, summary: Any) -> tuple[Array, Array]:
        """Coefficients of variation of one purchase, and of the customer's own mean; (n,) each."""
