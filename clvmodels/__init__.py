"""Customer lifetime value: the mathematics. Tables in, fitted models and forecasts out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clvmodels.bgnbd import BGNBD
    from clvmodels.churn import ChurnClassifier
    from clvmodels.gamma_gamma import GammaGamma
    from clvmodels.lifetimes_engine import (
        LifetimesBGNBD,
        LifetimesGammaGamma,
        LifetimesMBGNBD,
        LifetimesParetoNBD,
    )
    from clvmodels.mbgnbd import MBGNBD
    from clvmodels.models import SPEND_MODELS, TRANSACTION_MODELS, model_from_dict
    from clvmodels.nbd import NBD
    from clvmodels.pareto_nbd import ParetoNBD

_HOMES = {
    "BGNBD": "bgnbd",
    "MBGNBD": "mbgnbd",
    "NBD": "nbd",
    "ParetoNBD": "pareto_nbd",
    "GammaGamma": "gamma_gamma",
    "ChurnClassifier": "churn",
    "LifetimesBGNBD": "lifetimes_engine",
    "LifetimesMBGNBD": "lifetimes_engine",
    "LifetimesParetoNBD": "lifetimes_engine",
    "LifetimesGammaGamma": "lifetimes_engine",
    "SPEND_MODELS": "models",
    "TRANSACTION_MODELS": "models",
    "model_from_dict": "models",
}

__all__ = [
    "BGNBD",
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
    "model_from_dict",
]


def __getattr__(name: str) -> Any:
    """Import a model on first use, so that the package itself imports at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'clvmodels' has no attribute {name!r}")
    return getattr(importlib.import_module(f"clvmodels.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
