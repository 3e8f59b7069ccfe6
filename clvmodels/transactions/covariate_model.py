"""A transaction model's covariates: which columns act, and where its parameters are stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from clvmodels.core.arguments import column_names
from clvmodels.estimation.covariates import CovariateEffects, Effect

if TYPE_CHECKING:
    from clvmodels.estimation.covariate_parameters import CovariateParameters as _Base
else:
    _Base = object


class CovariateModel(_Base):
    """A transaction model whose parameters may depend on covariates of the customer."""

    purchase_effects: ClassVar[tuple[Effect, ...]]
    dropout_effects: ClassVar[tuple[Effect, ...]]

    purchase_covariates: Sequence[str]
    dropout_covariates: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer data."""
        described = super().to_dict()
        settings = described["settings"]
        for name in ("purchase_covariates", "dropout_covariates"):
            if name in settings and not isinstance(settings[name], str):
                settings[name] = list(column_names(settings[name], name))
        return described

    @property
    def _effects(self) -> CovariateEffects:
        purchase = column_names(self.purchase_covariates, "purchase_covariates")
        dropout = column_names(self.dropout_covariates, "dropout_covariates")
        return CovariateEffects(
            self.parameter_names,
            [(effect, purchase) for effect in self.purchase_effects]
            + [(effect, dropout) for effect in self.dropout_effects],
        )
