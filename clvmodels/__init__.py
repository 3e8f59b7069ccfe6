"""Customer lifetime value: the mathematics. Tables in, fitted models and forecasts out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clvmodels.bgnbd import BGNBD
    from clvmodels.gamma_gamma import GammaGamma
    from clvmodels.lifetimes_engine import LifetimesBGNBD, LifetimesGammaGamma, LifetimesMBGNBD
    from clvmodels.mbgnbd import MBGNBD

_HOMES = {
    "BGNBD": "bgnbd",
    "GammaGamma": "gamma_gamma",
    "LifetimesBGNBD": "lifetimes_engine",
    "LifetimesGammaGamma": "lifetimes_engine",
    "LifetimesMBGNBD": "lifetimes_engine",
    "MBGNBD": "mbgnbd",
}

__all__ = [
    "BGNBD",
    "MBGNBD",
    "GammaGamma",
    "LifetimesBGNBD",
    "LifetimesGammaGamma",
    "LifetimesMBGNBD",
]


def __getattr__(name: str) -> Any:
    """Import a model on first use, so that the package itself imports at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'clvmodels' has no attribute {name!r}")
    return getattr(importlib.import_module(f"clvmodels.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
