"""The gradient-boosted churn classifier: the probability that a customer buys no more.

Churn is "no purchase in the next ``horizon`` days". The trees are scikit-learn's
HistGradientBoostingClassifier. On a later origin than those they were grown on, a logistic
regression weighs their log odds against the purchase model's own and calibrates the two, so that
a probability of 0.8 means eight in ten (Platt scaling, with stacking).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from clvmodels.exceptions import DataError, MissingColumnError, NotFittedError
from clvmodels.threads import one_blas_thread, one_openmp_thread

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

Array = NDArray[np.float64]

MIN_ROWS = 50
"""Fewest customers of each class that the trees, and again the calibration, must see."""

MAX_CATEGORIES = 100
"""Most frequent values of a text column that are told apart."""


@dataclass(frozen=True)
class ChurnSample:
    """Customers at one or more origins: what was known then, and what happened after.

    Attributes
    ----------
    features : DataFrame, shape (n, f)
        Columns from on or before the origin: numbers, or text for categories such as a channel.
        Missing values are allowed.
    churned : ndarray of bool, shape (n,)
        True where the customer made no purchase within the horizon after the origin.
    """

    features: pd.DataFrame
    churned: NDArray[np.bool_]

    @staticmethod
    def concat(samples: list[ChurnSample]) -> ChurnSample:
        """Several origins as one sample."""
        return ChurnSample(
            pd.concat([s.features for s in samples], ignore_index=True),
            np.concatenate([s.churned for s in samples]),
        )

    def thinned(self, rows: int, seed: int) -> ChurnSample:
        """At most ``rows`` rows, chosen at random and kept in order."""
        if len(self.churned) <= rows:
            return self
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(len(self.churned), rows, replace=False))
        return ChurnSample(self.features.iloc[chosen], self.churned[chosen])

    @property
    def smaller_class(self) -> int:
        """Number of customers in the rarer of the two classes."""
        return int(min(self.churned.sum(), (~self.churned).sum()))


class ChurnClassifier:
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
    """

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
        # Nothing can be learned from a feature that no customer has yet, and scikit-learn's
        # binning fails on one.
        known = sample.features.notna().any()
        self.feature_names_: tuple[str, ...] = tuple(known.index[known])
        self.categories_: dict[str, list[str]] = {
            str(name): sorted(column.dropna().value_counts().index[:MAX_CATEGORIES])
            for name, column in sample.features.items()
            if not pd.api.types.is_numeric_dtype(column)
        }
        classifier = HistGradientBoostingClassifier(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            early_stopping=False,
            categorical_features="from_dtype",
            random_state=self.random_state,
        )
        with one_openmp_thread, one_blas_thread:
            self.classifier_: HistGradientBoostingClassifier = classifier.fit(
                self._matrix(sample.features), sample.churned
            )
            self.calibration_: LogisticRegression = LogisticRegression().fit(
                self._logits(calibration.features), calibration.churned
            )
        return self

    def churn_probability(self, features: pd.DataFrame) -> Array:
        """Probability of no purchase within the horizon, shape (n,)."""
        with one_openmp_thread, one_blas_thread:
            return np.asarray(self.calibration_.predict_proba(self._logits(features))[:, 1])

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

        sample = sample.thinned(max_rows, self.random_state)
        with one_openmp_thread, one_blas_thread:
            result = permutation_importance(
                self.classifier_,
                self._matrix(sample.features),
                sample.churned,
                scoring="roc_auc",
                n_repeats=n_repeats,
                random_state=self.random_state,
            )
        table = pd.DataFrame(
            {
                "feature": self.feature_names_,
                "importance": result.importances_mean,
                "importance_sd": result.importances_std,
            }
        )
        return table.sort_values("importance", ascending=False, ignore_index=True)

    def _logits(self, features: pd.DataFrame) -> Array:
        """Log odds of the trees and, where given, of the purchase model; shape (n, 1 or 2)."""
        columns = [self.classifier_.predict_proba(self._matrix(features))[:, 1]]
        if self.model_feature in self.feature_names_:
            columns.append(features[self.model_feature].to_numpy(dtype=float))
        probability = np.clip(np.column_stack(columns), 1e-6, 1 - 1e-6)
        return np.asarray(np.log(probability / (1 - probability)))

    def _matrix(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns in the order of the fit; categories it did not know count as missing."""
        names = self.feature_names_
        missing = [name for name in names if name not in features.columns]
        if missing:
            raise MissingColumnError("the churn features", missing, list(features.columns))
        return pd.DataFrame(
            {
                name: _categorical(features[name], self.categories_[name])
                if name in self.categories_
                else features[name].to_numpy(dtype=float, na_value=np.nan)
                for name in names
            }
        )

    def __getattr__(self, name: str) -> object:
        if name.endswith("_") and not name.startswith("__"):
            raise NotFittedError(f"ChurnClassifier has no {name} yet: call fit first")
        raise AttributeError(f"'ChurnClassifier' object has no attribute '{name}'")


def _categorical(column: pd.Series, known: list[str]) -> pd.Categorical:
    return pd.Categorical(column.where(column.isin(known)), categories=known)


def churn_scores(churned: ArrayLike, probability: ArrayLike) -> dict[str, float]:
    """AUC, Brier score and log loss of churn probabilities.

    AUC is ``nan`` where everybody or nobody churned.
    """
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    y = np.asarray(churned, dtype=bool)
    p = np.clip(np.asarray(probability, dtype=float), 1e-12, 1 - 1e-12)
    one_class = bool(y.all() or not y.any())
    return {
        "auc": float("nan") if one_class else float(roc_auc_score(y, p)),
        "brier": float(brier_score_loss(y, p)),
        "log_loss": float(log_loss(y, p, labels=[False, True])),
    }


def reliability(churned: ArrayLike, probability: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Reliability curve over bins of about equal size.

    Returns
    -------
    DataFrame
        bin (1 = lowest), predicted and observed (mean churn), customers.
    """
    y = np.asarray(churned, dtype=float)
    p = np.asarray(probability, dtype=float)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, p, side="right")
    table = pd.DataFrame({"bin": group, "predicted": p, "observed": y})
    grouped = table.groupby("bin").agg(
        predicted=("predicted", "mean"), observed=("observed", "mean"), customers=("bin", "size")
    )
    grouped.index = pd.RangeIndex(1, len(grouped) + 1, name="bin")
    return grouped.reset_index()
