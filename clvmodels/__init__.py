"""Customer lifetime value: the mathematics. Tables in, fitted models and forecasts out."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clvmodels.activation.rfm_segments import RfmBox, RfmSegments
    from clvmodels.activation.scores import RfmLimits, rfm_scores
    from clvmodels.churn.classifier import ChurnClassifier
    from clvmodels.cohorts.forecaster import CohortForecaster
    from clvmodels.cohorts.reconcile import reconcile
    from clvmodels.contracts.shifted_beta_geometric import ShiftedBetaGeometric
    from clvmodels.contracts.table import renewals_table
    from clvmodels.core.rfm import rfm_summary
    from clvmodels.evaluation.lifetimes import (
        LifetimesBGNBD,
        LifetimesGammaGamma,
        LifetimesMBGNBD,
        LifetimesParetoNBD,
    )
    from clvmodels.finance.clv import (
        UnitEconomics,
        cumulative_ltv,
        customer_lifetime_value,
        historical_ltv,
        ltv_to_cac,
        payback_period,
        value_tiers,
    )
    from clvmodels.registry import SPEND_MODELS, TRANSACTION_MODELS, model_from_dict
    from clvmodels.simulation.simulate import simulate_log
    from clvmodels.spend.gamma_gamma import GammaGamma
    from clvmodels.transactions.beta_geometric import BGNBD, MBGNBD
    from clvmodels.transactions.discrete.beta_binomial import BGBB
    from clvmodels.transactions.nbd import NBD
    from clvmodels.transactions.pareto_nbd import ParetoNBD
    from clvmodels.transactions.regular.cnbd import BGCNBD, MBGCNBD

logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "RfmBox": "activation.rfm_segments",
    "RfmLimits": "activation.scores",
    "RfmSegments": "activation.rfm_segments",
    "rfm_scores": "activation.scores",
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
    "CohortForecaster": "cohorts.forecaster",
    "LifetimesBGNBD": "evaluation.lifetimes",
    "LifetimesMBGNBD": "evaluation.lifetimes",
    "LifetimesParetoNBD": "evaluation.lifetimes",
    "LifetimesGammaGamma": "evaluation.lifetimes",
    "SPEND_MODELS": "registry",
    "TRANSACTION_MODELS": "registry",
    "UnitEconomics": "finance.clv",
    "cumulative_ltv": "finance.clv",
    "customer_lifetime_value": "finance.clv",
    "historical_ltv": "finance.clv",
    "ltv_to_cac": "finance.clv",
    "model_from_dict": "registry",
    "payback_period": "finance.clv",
    "reconcile": "cohorts.reconcile",
    "rfm_summary": "core.rfm",
    "simulate_log": "simulation.simulate",
    "value_tiers": "finance.clv",
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
    "CohortForecaster",
    "GammaGamma",
    "LifetimesBGNBD",
    "LifetimesGammaGamma",
    "LifetimesMBGNBD",
    "LifetimesParetoNBD",
    "ParetoNBD",
    "RfmBox",
    "RfmLimits",
    "RfmSegments",
    "ShiftedBetaGeometric",
    "UnitEconomics",
    "cumulative_ltv",
    "customer_lifetime_value",
    "historical_ltv",
    "ltv_to_cac",
    "model_from_dict",
    "payback_period",
    "reconcile",
    "renewals_table",
    "rfm_scores",
    "rfm_summary",
    "simulate_log",
    "value_tiers",
]


def __getattr__(name: str) -> Any:
    """Import a model on first use, so that the package itself imports at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'clvmodels' has no attribute {name!r}")
    return getattr(importlib.import_module(f"clvmodels.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
