"""The gradient-boosted churn classifier: the probability that a customer buys no more.

Churn is "no purchase in the next ``horizon`` days". The trees are scikit-learn's
HistGradientBoostingClassifier. On a later origin than those they were grown on, a logistic
regression weighs their log odds against the purchase model's own and calibrates the two, so that
a probability of 0.8 means eight in ten (Platt scaling, with stacking).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from clvmodels.churn.evaluation import churn_scores as churn_scores
from clvmodels.churn.evaluation import reliability as reliability
from clvmodels.churn.sample import ChurnSample as ChurnSample
from clvmodels.churn.trees import Trees, reals
from clvmodels.core.arrays import Array, Booleans
from clvmodels.core.errors import DataError, MissingColumnError, ModelFileError
from clvmodels.core.estimator import Estimator
from clvmodels.core.schema import SCHEMA_VERSION
from clvmodels.numerics.threads import one_blas_thread, one_openmp_thread

MIN_ROWS = 50
"""Fewest customers of each class that the trees, and again the calibration, must see."""

MOST_CERTAIN = 1 - 1e-6
"""Probabilities count as at most this, and as at least 1 less it, before they are weighed."""


class ChurnClassifier(Estimator):
    """Probability of no purchase within a horizon, by calibrated gradient boosting.

    Parameters
    ----------
    horizon_days : int
        Length of the window in which no purchase counts as churn, in days.
    model_feature : str, optional
        A feature that is itself a probability of no purchase; the calibration weighs it against
        the trees. Without such a column the trees are calibrated alone.
    max_iter, learning_rate, max_leaf_nodes, min_samples_leaf, l2_regularization
        As in scikit-learn's HistGradientBoostingClassifier.
    max_rows : int
        Most rows the trees are grown on; a larger sample is thinned at random.
    random_state : int
        Seed; the same seed and data give the same classifier.

    Attributes
    ----------
    feature_names_ : tuple of str
        Columns that the trees read.
    categories_ : dict of str to list of str
        Of each text column the values that are told apart; none that fewer than
        :data:`~clvmodels.core.schema.LEAST_CUSTOMERS` customers share.
    trees_ : Trees
        The grown trees, without the data they came from.
    calibration_ : ndarray
        Intercept, weight of the trees' log odds and, where given, of the purchase model's.
    """

    feature_names_: tuple[str, ...]
    categories_: dict[str, list[str]]
    trees_: Trees
    calibration_: Array

    def __init__(
        self,
        horizon_days: int = 90,
        *,
        model_feature: str | None = "model_probability_no_purchase",
        max_iter: int = 100,
        learning_rate: float = 0.05,
        max_leaf_nodes: int = 6,
        min_samples_leaf: int = 100,
        l2_regularization: float = 5.0,
        max_rows: int = 200_000,
        random_state: int = 0,
    ) -> None:
        self.horizon_days = horizon_days
        self.model_feature = model_feature
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, sample: ChurnSample, calibration: ChurnSample) -> Self:
        """Grow the trees on ``sample`` and calibrate them on the later ``calibration``.

        Features without a single value in ``sample`` are left out.

        Raises
        ------
        DataError
            If either sample holds fewer than MIN_ROWS customers of a class.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression

        for name, part in (("training", sample), ("calibration", calibration)):
            if part.smaller_class < MIN_ROWS:
                raise DataError(
                    f"the churn model's {name} sample needs at least {MIN_ROWS} customers who "
                    f"bought again and {MIN_ROWS} who did not; found "
                    f"{int((~part.churned).sum())} and {int(part.churned.sum())}. Give it more "
                    "history, or another [train] churn_horizon_days."
                )
        sample = sample.thinned(self.max_rows, self.random_state)
        # Nothing can be learned from a feature that no customer has yet, or that names small
        # groups only, and scikit-learn's binning fails on one.
        categories = sample.categories()
        filled = sample.features.notna().any()
        self.feature_names_ = tuple(
            name for name in filled.index[filled] if categories.get(name) != []
        )
        self.categories_ = {name: values for name, values in categories.items() if values}
        sizes = self._sizes()
        classifier = HistGradientBoostingClassifier(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            early_stopping=False,
            categorical_features=list(range(len(sizes))) or None,
            random_state=self.random_state,
        )
        with one_openmp_thread, one_blas_thread:
            classifier.fit(self._matrix(sample.features), sample.churned)
            self.trees_ = Trees.of(classifier, sizes)
            weighed = LogisticRegression().fit(
                self._logits(calibration.features), calibration.churned
            )
        self.calibration_ = np.concatenate([weighed.intercept_, weighed.coef_[0]])
        return self

    def churn_probability(self, features: pd.DataFrame) -> Array:
        """Probability of no purchase within the horizon, shape (n,)."""
        weights = self.calibration_[1:]
        return np.asarray(
            expit(self.calibration_[0] + (self._logits(features) * weights).sum(axis=1))
        )

    def permutation_importance(
        self, sample: ChurnSample, n_repeats: int = 3, max_rows: int = 5_000
    ) -> pd.DataFrame:
        """Loss of AUC when a feature's values are shuffled among customers.

        Returns
        -------
        DataFrame
            feature, importance (mean loss of AUC), importance_sd; largest first.
        """
        from sklearn.inspection import permutation_importance
        from sklearn.metrics import roc_auc_score

        def auc(model: ChurnClassifier, matrix: Array, churned: Booleans) -> float:
            return float(roc_auc_score(churned, model.trees_.log_odds(matrix)))

        sample = sample.thinned(max_rows, self.random_state)
        with one_openmp_thread, one_blas_thread:
            result = permutation_importance(
                self,
                self._matrix(sample.features),
                sample.churned,
                scoring=auc,
                n_repeats=n_repeats,
                random_state=self.random_state,
            )
        table = pd.DataFrame(
            {
                "feature": self._columns(),
                "importance": result.importances_mean,
                "importance_sd": result.importances_std,
            }
        )
        return table.sort_values("importance", ascending=False, ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer data and runs no code."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": type(self).__name__,
            "settings": self.get_params(),
            "features": list(self.feature_names_),
            "categories": {name: list(self.categories_[name]) for name in self.categories_},
            **self.trees_.to_dict(),
            "calibration": self.calibration_.tolist(),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Self:
        """Rebuild a classifier from :meth:`to_dict`; every number is checked.

        Raises
        ------
        ModelFileError
            If the description is of another model or a later version, or is damaged.
        """
        if description.get("model") != cls.__name__:
            raise ModelFileError(
                f"expected a saved {cls.__name__}; found {description.get('model')!r}"
            )
        version = description.get("schema_version")
        if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
            raise ModelFileError(
                f"this version reads files up to schema version {SCHEMA_VERSION}; "
                f"found {version!r}. Upgrade the package, or train again."
            )
        try:
            model = cls(**_checked(description["settings"]))
            model.feature_names_ = _texts(description["features"])
            model.categories_ = {
                name: list(_texts(values)) for name, values in description["categories"].items()
            }
            model.calibration_ = np.array(reals(description["calibration"], "calibration"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"the saved {cls.__name__} is damaged: {error!r}") from None
        lost = set(model.categories_) - set(model.feature_names_)
        inputs = 1 + (model.model_feature in model.feature_names_)
        if lost or model.calibration_.shape != (1 + inputs,):
            raise ModelFileError(
                f"the saved {cls.__name__} is damaged: its features, categories and calibration "
                "do not fit each other"
            )
        model.trees_ = Trees.from_dict(description, model._sizes(), len(model.feature_names_))
        return model

    # What the trees read

    def _logits(self, features: pd.DataFrame) -> Array:
        """Log odds of the trees and, where given, of the purchase model; shape (n, 1 or 2)."""
        most = float(logit(MOST_CERTAIN))
        columns = [np.clip(self.trees_.log_odds(self._matrix(features)), -most, most)]
        if self.model_feature in self.feature_names_:
            probability = features[self.model_feature].to_numpy(dtype=float)
            columns.append(logit(np.clip(probability, 1 - MOST_CERTAIN, MOST_CERTAIN)))
        return np.column_stack(columns)

    def _columns(self) -> list[str]:
        """Features in the order of the trees' columns: categories first."""
        numbers = [name for name in self.feature_names_ if name not in self.categories_]
        return [*self.categories_, *numbers]

    def _sizes(self) -> list[int]:
        return [len(values) for values in self.categories_.values()]

    def _matrix(self, features: pd.DataFrame) -> Array:
        """What the trees read, shape (n, f); categories that they do not know are missing."""
        missing = [name for name in self.feature_names_ if name not in features.columns]
        if missing:
            raise MissingColumnError("the churn features", missing, list(features.columns))
        matrix = np.empty((len(features), len(self.feature_names_)), order="F")
        for column, name in zip(matrix.T, self._columns(), strict=True):
            if name in self.categories_:
                number = pd.Index(self.categories_[name]).get_indexer(pd.Index(features[name]))
                column[:] = np.where(number < 0, np.nan, number)
            else:
                column[:] = features[name].to_numpy(dtype=float, na_value=np.nan)
        return matrix


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a file, each of the type that the constructor gives it."""
    for name, value in settings.items():
        default = ChurnClassifier.parameter_defaults()[name]
        wanted = (int, float) if isinstance(default, float) else (type(default),)
        optional = name == "model_feature" and value is None
        if not optional and type(value) not in wanted:
            raise ValueError(f"{name} = {value!r}")
        if isinstance(default, float):
            reals([value], name)
    if settings["horizon_days"] < 1:
        raise ValueError(f"horizon_days = {settings['horizon_days']}")
    return dict(settings)


def _texts(values: Any) -> tuple[str, ...]:
    """Texts of a file, none twice."""
    if not isinstance(values, list) or any(type(value) is not str for value in values):
        raise ValueError(f"expected a list of texts; found {type(values).__name__}")
    if len(set(values)) < len(values):
        raise ValueError("a text stands twice")
    return tuple(values)
