"""Parameters that depend on covariates: where they are stated, saved and read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from clvmodels.core.arrays import Array
from clvmodels.core.errors import ConvergenceWarning, warn_caller
from clvmodels.estimation.covariates import CovariateEffects, Design, Scaling
from clvmodels.estimation.maximum import Estimate
from clvmodels.estimation.saved import MODEL_VERSION, part_of, read_scaling

if TYPE_CHECKING:
    from clvmodels.estimation.parameters import Model as _Base
else:
    _Base = ABC  # a part of a model, beside it: the classes stay a few deep


class CovariateParameters(_Base):
    """A model whose parameters may depend on covariates, and are stated at their mean."""

    _scaling: Scaling = Scaling({}, {})

    @property
    @abstractmethod
    def _effects(self) -> CovariateEffects: ...

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
    def _names(self) -> tuple[str, ...]:
        return (*self.parameter_names, *self._effects.names)

    def _coefficient_scales(self) -> Array:
        scale = self._scaling.scale
        return np.array([scale.get(column, 1.0) for _, column in self._effects.coefficients])

    def _learned_scaling(self) -> Scaling:
        self._require_fit()
        return self._scaling

    def _with_constants(self, found: Estimate, design: Design) -> Estimate:
        """Set the coefficients of covariates that do not vary to 0, and say so."""
        names = np.array(self._names)
        constant = tuple(names[~design.free].tolist())
        if constant:
            warn_caller(
                ConvergenceWarning(
                    f"{type(self).__name__}: the coefficients {', '.join(constant)} are not "
                    "identified, because their covariates do not vary; they are set to 0.",
                    "Leave those covariates out.",
                )
            )
        every = np.eye(names.size)[:, np.flatnonzero(design.free)]
        return Estimate(
            every @ found.theta,
            found.log_likelihood,
            every @ found.covariance @ every.T,
            found.unidentified + constant,
        )
