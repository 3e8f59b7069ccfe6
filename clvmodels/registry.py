"""The registry of models: a name in a configuration or a saved file to a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clvmodels.contracts.shifted_beta_geometric import ShiftedBetaGeometric
from clvmodels.core.errors import ModelFileError
from clvmodels.estimation.parameters import Model
from clvmodels.evaluation.lifetimes import (
    LifetimesBGNBD,
    LifetimesGammaGamma,
    LifetimesMBGNBD,
    LifetimesParetoNBD,
)
from clvmodels.spend.base import SpendModel
from clvmodels.spend.gamma_gamma import GammaGamma
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.beta_geometric import BGNBD, MBGNBD
from clvmodels.transactions.discrete.beta_binomial import BGBB
from clvmodels.transactions.nbd import NBD
from clvmodels.transactions.pareto_nbd import ParetoNBD
from clvmodels.transactions.regular.cnbd import BGCNBD, MBGCNBD

CANDIDATES = (BGNBD, MBGNBD, ParetoNBD, MBGCNBD)
"""Transaction models that a configuration's ``auto`` chooses from, in order of preference.

Of the two regular ones that which lets customers leave at once: where many do, the other misreads
their silence, and finds k in it only if it is told the gaps."""


TRANSACTION_MODELS: Mapping[str, Callable[[], TransactionModel]] = {
    "bgnbd": BGNBD,
    "mbgnbd": MBGNBD,
    "bgcnbd": BGCNBD,
    "mbgcnbd": MBGCNBD,
    "nbd": NBD,
    "pareto_nbd": ParetoNBD,
    "lifetimes_bgnbd": LifetimesBGNBD,
    "lifetimes_mbgnbd": LifetimesMBGNBD,
    "lifetimes_pareto_nbd": LifetimesParetoNBD,
}
"""By the name that a configuration uses; lifetimes' own fitters are prefixed."""

SPEND_MODELS: Mapping[str, Callable[[], SpendModel]] = {
    "gamma_gamma": GammaGamma,
    "lifetimes_gamma_gamma": LifetimesGammaGamma,
}

_CLASSES: dict[str, type[Model]] = {
    model.__name__: model
    for model in (
        BGNBD,
        MBGNBD,
        BGCNBD,
        MBGCNBD,
        NBD,
        ParetoNBD,
        BGBB,
        ShiftedBetaGeometric,
        GammaGamma,
        LifetimesBGNBD,
        LifetimesMBGNBD,
        LifetimesParetoNBD,
        LifetimesGammaGamma,
    )
}


def model_from_dict(description: Mapping[str, Any]) -> Any:
    """Rebuild a model of any kind from its ``to_dict``.

    Raises
    ------
    ModelFileError
        If the description names no model, or is damaged.
    """
    name = description.get("model") if isinstance(description, Mapping) else description
    if not isinstance(name, str) or name not in _CLASSES:
        raise ModelFileError(
            f"expected a saved model, one of {', '.join(_CLASSES)}; found {name!r}"
        )
    return _CLASSES[name].from_dict(description)
