"""A transaction model's covariates: which columns act, and where its parameters are stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import column_names
from clvmodels.estimation.covariates import CovariateEffects, Effect, Scaling
from clvmodels.estimation.saved import MODEL_VERSION, part_of, read_scaling

if TYPE_CHECKING:
    from clvmodels.transactions.alive import AliveModel as _Base
else:
    _Base = object

Array = npt.NDArray[np.float64]


class CovariateModel(_Base):
    """A transaction model whose parameters may depend on covariates of the customer."""

    purchase_effects: ClassVar[tuple[Effect, ...]]
    dropout_effects: ClassVar[tuple[Effect, ...]]

    purchase_covariates: Sequence[str]
    dropout_covariates: Sequence[str]

    @property
    def covariate_centre_(self) -> dict[str, float]:
        """Mean of each covariate over the customers of the fit: where parameters are stated."""
        return dict(self._learned_scaling().centre)

    @property
    def covariate_scale_(self) -> dict[str, float]:
        """Standard deviation of each covariate over the customers of the fit."""
        return dict(self._learned_scaling().scale)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer data."""
        described = super().to_dict()
        settings = described["settings"]
        for name in ("purchase_covariates", "dropout_covariates"):
            if name in settings and not isinstance(settings[name], str):
                settings[name] = list(column_names(settings[name], name))
        if self._scaling.centre:
            described["schema_version"] = MODEL_VERSION
            described["covariate_centre"] = dict(self._scaling.centre)
            described["covariate_scale"] = dict(self._scaling.scale)
        return described

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Self:
        """Rebuild a model from :meth:`to_dict`.

        Parameters of models without a centre, saved by earlier releases, are stated at
        covariates of 0.

        Raises
        ------
        ModelFileError
            If the description is of another model or a later version, is incomplete, or holds
            values that no model can have.
        """
        model = super().from_dict(description)
        columns = model._effects.columns
        if columns and description["schema_version"] >= MODEL_VERSION:
            with part_of(cls.__name__):
                model._scaling = read_scaling(description, columns)
        return model

    @property
    def _effects(self) -> CovariateEffects:
        purchase = column_names(self.purchase_covariates, "purchase_covariates")
        dropout = column_names(self.dropout_covariates, "dropout_covariates")
        return CovariateEffects(
            self.parameter_names,
            [(effect, purchase) for effect in self.purchase_effects]
            + [(effect, dropout) for effect in self.dropout_effects],
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self.parameter_names, *self._effects.names)

    def _coefficient_scales(self) -> Array:
        scale = self._scaling.scale
        return np.array([scale.get(column, 1.0) for _, column in self._effects.coefficients])

    def _learned_scaling(self) -> Scaling:
        self._require_fit()
        return self._scaling
