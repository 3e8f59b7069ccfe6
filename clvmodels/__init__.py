"""Customer lifetime value: the mathematics. Tables in, fitted models and forecasts out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clvmodels.churn.classifier import ChurnClassifier
    from clvmodels.contracts.shifted_beta_geometric import ShiftedBetaGeometric
    from clvmodels.contracts.table import renewals_table
    from clvmodels.evaluation.lifetimes import (
        LifetimesBGNBD,
        LifetimesGammaGamma,
        LifetimesMBGNBD,
        LifetimesParetoNBD,
    )
    from clvmodels.registry import SPEND_MODELS, TRANSACTION_MODELS, model_from_dict
    from clvmodels.spend.gamma_gamma import GammaGamma
    from clvmodels.transactions.beta_geometric import BGNBD, MBGNBD
    from clvmodels.transactions.discrete.beta_binomial import BGBB
    from clvmodels.transactions.nbd import NBD
    from clvmodels.transactions.pareto_nbd import ParetoNBD
    from clvmodels.transactions.regular.cnbd import BGCNBD, MBGCNBD

_HOMES = {
    "BGBB": "transactions.discrete.beta_binomial",
    "ShiftedBetaGeometric": "contracts.shifted_beta_geometric",
    "renewals_table": "contracts.table",
    "BGCNBD": "transactions.regular.cnbd",
    "MBGCNBD": "transactions.regular.cnbd",
    "BGNBD": "transactions.beta_geometric",
    "MBGNBD": "transactions.beta_geometric",
    "NBD": "transactions.nbd",
    "ParetoNBD": "transactions.pareto_nbd",
    "GammaGamma": "spend.gamma_gamma",
    "ChurnClassifier": "churn",
    "LifetimesBGNBD": "evaluation.lifetimes",
    "LifetimesMBGNBD": "evaluation.lifetimes",
    "LifetimesParetoNBD": "evaluation.lifetimes",
    "LifetimesGammaGamma": "evaluation.lifetimes",
    "SPEND_MODELS": "registry",
    "TRANSACTION_MODELS": "registry",
    "model_from_dict": "registry",
}

__all__ = [
    "BGBB",
    "BGCNBD",
    "BGNBD",
    "MBGCNBD",
    "MBGNBD",
    "NBD",
    "SPEND_MODELS",
    "TRANSACTION_MODELS",
    "ChurnClassifier",
    "GammaGamma",
    "LifetimesBGNBD",
    "LifetimesGammaGamma",
    "LifetimesMBGNBD",
    "LifetimesParetoNBD",
    "ParetoNBD",
    "ShiftedBetaGeometric",
    "model_from_dict",
    "renewals_table",
]


def __getattr__(name: str) -> Any:
    """Import a model on first use, so that the package itself imports at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'clvmodels' has no attribute {name!r}")
    return getattr(importlib.import_module(f"clvmodels.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
