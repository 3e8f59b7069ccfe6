"""Customer models by segment, as one object that is saved and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from clvmodels.core.arguments import number
from clvmodels.core.errors import InvalidValueError
from clvmodels.estimation.parameters import Model
from clvmodels.segments.purchases import PurchasesBySegment
from clvmodels.segments.spend import SpendBySegment
from clvmodels.segments.values import SegmentValues
from clvmodels.spend.base import SpendModel
from clvmodels.transactions.base import TransactionModel


@dataclass(frozen=True)
class Segments:
    """What segments say of customers; a part is None where they earned no place in it.

    Attributes
    ----------
    values : SegmentValues
    purchases : PurchasesBySegment, optional
    spend : SpendBySegment, optional
    """

    values: SegmentValues
    purchases: PurchasesBySegment | None = None
    spend: SpendBySegment | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer."""
        return {
            "values": self.values.to_dict(),
            "purchases": None if self.purchases is None else self.purchases.to_dict(),
            "spend": None if self.spend is None else self.spend.to_dict(),
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Any], read: Callable[[Any], Model]) -> Self:
        """Build it from :meth:`to_dict`.

        Parameters
        ----------
        described : dict
        read : callable
            A model from its description (:func:`clvmodels.registry.model_from_dict`).

        Raises
        ------
        KeyError, InvalidValueError
            If a part is missing or of the wrong kind.
        """
        values = SegmentValues.from_dict(described["values"])
        purchases, spend = described["purchases"], described["spend"]
        return cls(
            values,
            None if purchases is None else _purchases(values, purchases, read),
            None if spend is None else _spend(values, spend, read),
        )


def _purchases(
    values: SegmentValues, described: Mapping[str, Any], read: Callable[[Any], Model]
) -> PurchasesBySegment:
    dimension = described["dimension"]
    own = {str(value): _transactions(read(one)) for value, one in described["own"].items()}
    if set(own) != set(values.shares.get(dimension, ()) if dimension else ()):
        raise InvalidValueError(f"models of {', '.join(own)} are not those of {dimension}")
    return PurchasesBySegment(values, _transactions(read(described["model"])), dimension, own)


def _spend(
    values: SegmentValues, described: Mapping[str, Any], read: Callable[[Any], Model]
) -> SpendBySegment:
    model = read(described["model"])
    if not isinstance(model, SpendModel):
        raise InvalidValueError(f"{type(model).__name__} is no model of spend")
    effects = {
        name: number(described["effects"][name], f"the effect of {name}")
        for name in values.indicator_names
    }
    return SpendBySegment(values, model, effects)


def _transactions(model: Model) -> TransactionModel:
    if not isinstance(model, TransactionModel):
        raise InvalidValueError(f"{type(model).__name__} is no transaction model")
    return model
