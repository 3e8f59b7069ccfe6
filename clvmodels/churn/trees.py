"""Grown trees as plain numbers, and scikit-learn's own predictor made of them again.

scikit-learn has no public way to save its histogram-based trees but to pickle them, and a pickle
is a program. Here they are read out field by field, and put back into the predictor that they came
from, so that scoring stays in compiled code. Everything of scikit-learn that is not public is used
in this module only.

That compiled code checks no index: every number that comes from a file is checked before it.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from clvmodels.core.arrays import Array
from clvmodels.core.errors import ModelFileError

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier


WHOLE = {
    "count": 2**32, "feature_idx": 2**31, "missing_go_to_left": 2, "left": 2**32, "right": 2**32,
    "depth": 2**32, "is_leaf": 2, "bin_threshold": 2**8, "is_categorical": 2, "bitset_idx": 2**32,
}  # fmt: skip
"""Fields of a node that are whole numbers, and what each is below."""

REAL = ("value", "num_threshold", "gain")
"""Fields of a node that are real numbers."""

MOST_CATEGORIES = 255
"""Of one column: scikit-learn keeps them in 8 x 32 bits, one of them for missing values."""


@dataclass(frozen=True)
class Trees:
    """Gradient-boosted trees of two classes, over a matrix whose first columns are categories.

    Attributes
    ----------
    predictors : tuple of TreePredictor
        scikit-learn's.
    baseline : float
        Log odds before the first tree.
    categories : tuple of int
        How many categories each of the first columns has; they are the numbers from 0 on.
    columns : int
        Of the matrix, categories and numbers together.
    """

    predictors: tuple[Any, ...]
    baseline: float
    categories: tuple[int, ...]
    columns: int

    @classmethod
    def of(cls, classifier: HistGradientBoostingClassifier, categories: Sequence[int]) -> Self:
        """Take the trees out of a fitted classifier.

        Parameters
        ----------
        classifier : HistGradientBoostingClassifier
            Fitted on two classes.
        categories : sequence of int
            How many categories each of its categorical features has; scikit-learn puts these
            features before all others.

        Raises
        ------
        ModelFileError
            If the installed scikit-learn keeps its trees otherwise than this module knows.
        """
        _predictor()
        try:
            grown = [tree for (tree,) in classifier._predictors]
            baseline = float(np.asarray(classifier._baseline_prediction).item())
            columns = int(classifier.n_features_in_)
        except (AttributeError, TypeError, ValueError) as error:
            raise _unknown_form(str(error)) from None
        # Through the checked form, so that what is fitted and what is loaded are one thing.
        trees = cls(tuple(grown), baseline, tuple(categories), columns)
        return cls.from_dict(trees.to_dict(), trees.categories, columns)

    def log_odds(self, matrix: Array) -> Array:
        """Log odds of the second class, shape (n,).

        Parameters
        ----------
        matrix : ndarray, shape (n, columns)
            Numbers of categories first, then numbers; NaN where missing.
        """
        matrix = np.asfortranarray(matrix, dtype=float)
        if matrix.ndim != 2 or matrix.shape[1] != self.columns:
            raise ValueError(f"expected {self.columns} columns; found shape {matrix.shape}")
        category_sets = _bit_sets([range(number) for number in self.categories])
        places = np.zeros(self.columns, dtype=np.uint32)
        places[: len(self.categories)] = np.arange(len(self.categories))
        total = np.full(len(matrix), self.baseline)
        for tree in self.predictors:
            total += tree.predict(matrix, category_sets, places, 1)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return the trees as JSON-safe numbers: a list a field, and the category sets."""
        return {
            "baseline": self.baseline,
            "trees": [
                {
                    **{name: _plain(tree.nodes[name]) for name in (*WHOLE, *REAL)},
                    "left_categories": _members(tree.raw_left_cat_bitsets),
                }
                for tree in self.predictors
            ],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], categories: Sequence[int], columns: int) -> Self:
        """Rebuild the trees from :meth:`to_dict`, every number checked.

        Raises
        ------
        ModelFileError
            If a field is missing, no number, or points outside its tree, its features or its
            category sets; or if the installed scikit-learn keeps its trees otherwise.
        """
        if columns < max(1, len(categories)) or max(categories, default=0) > MOST_CATEGORIES:
            raise ModelFileError("the saved trees are damaged: their features do not fit them")
        try:
            baseline = reals([state["baseline"]], "baseline")[0]
            trees = [_tree(tree, categories, columns) for tree in state["trees"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"the saved trees are damaged: {error!r}") from None
        return cls(tuple(trees), float(baseline), tuple(categories), columns)


def _tree(state: Mapping[str, Any], categories: Sequence[int], columns: int) -> Any:
    """One predictor of scikit-learn's, which follows indices without looking."""
    predictor, dtype = _predictor()
    sets = [
        _whole(members, "left_categories", MOST_CATEGORIES + 1)
        for members in state["left_categories"]
    ]
    nodes = np.zeros(len(state["value"]), dtype=dtype)
    for name in (*WHOLE, *REAL):
        values = state[name]
        if not isinstance(values, list) or len(values) != len(nodes):
            raise ModelFileError(
                f"the saved trees are damaged: '{name}' is not a list of {len(nodes)} numbers"
            )
        if name in WHOLE:
            nodes[name] = _whole(values, name, WHOLE[name])
        else:
            nodes[name] = reals(values, name, endless=name == "num_threshold")
    split = nodes[nodes["is_leaf"] == 0]
    at = np.flatnonzero(nodes["is_leaf"] == 0)
    by_category = split[split["is_categorical"] == 1]
    sound = {
        "a tree without nodes": len(nodes) > 0,
        # scikit-learn numbers a branch after its root, so that no way leads back up
        "a branch that does not lead on": all(
            np.all((split[side] > at) & (split[side] < len(nodes))) for side in ("left", "right")
        ),
        "a feature that there is not": np.all(split["feature_idx"] < columns),
        "categories of a feature that has none": np.all(
            by_category["feature_idx"] < len(categories)
        ),
        "a set of categories that there is not": np.all(by_category["bitset_idx"] < len(sets)),
    }
    for finding, held in sound.items():
        if not held:
            raise ModelFileError(f"the saved trees are damaged: {finding}")
    bits = _bit_sets(sets)
    return predictor(nodes, bits, bits)  # categories are their own bins


def _predictor() -> tuple[Any, np.dtype[Any]]:
    """scikit-learn's class of one tree and the type of its nodes, known or refused."""
    try:
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    except ImportError as error:
        raise _unknown_form(str(error)) from None
    dtype = np.dtype(PREDICTOR_RECORD_DTYPE)
    if set(dtype.names or ()) != {*WHOLE, *REAL}:
        raise _unknown_form(f"fields {', '.join(dtype.names or ())}")
    return TreePredictor, dtype


def _unknown_form(found: str) -> ModelFileError:
    version = importlib.metadata.version("scikit-learn")
    return ModelFileError(
        f"scikit-learn {version} keeps its trees in a form that this release does not know "
        f"({found}). Install scikit-learn 1.6 to 1.9, or a later release of this package."
    )


def _plain(values: NDArray[Any]) -> list[Any]:
    """JSON-safe numbers; None for the threshold that everything but a missing value is below."""
    lowest = np.finfo(float).min
    return [
        None if value == math.inf else max(value, lowest) if isinstance(value, float) else value
        for value in values.tolist()
    ]


def _whole(values: Any, name: str, below: int) -> list[int]:
    if not isinstance(values, list) or any(
        type(value) is not int or not 0 <= value < below for value in values
    ):
        raise ModelFileError(
            f"the saved trees are damaged: '{name}' must hold whole numbers from 0 to {below - 1}"
        )
    return values


def reals(values: Any, name: str, endless: bool = False) -> list[float]:
    """Return the finite numbers that a file lists; None is infinite where ``endless``.

    Raises
    ------
    ModelFileError
        If it lists something else, a whole number beyond what a float holds included.
    """
    most = float(np.finfo(float).max)
    listed = values if isinstance(values, list) else [values]
    given = [value for value in listed if value is not None or not endless]
    if listed is not values or any(
        type(value) not in (int, float) or not -most <= value <= most for value in given
    ):
        raise ModelFileError(f"the saved classifier is damaged: '{name}' must hold finite numbers")
    return [math.inf if value is None else float(value) for value in values]


def _bit_sets(sets: Sequence[Sequence[int]]) -> NDArray[np.uint32]:
    """Sets of numbers below 256 as scikit-learn's rows of 8 x 32 bits."""
    held = np.zeros((len(sets), 256), dtype=bool)
    for row, members in zip(held, sets, strict=True):
        row[list(members)] = True
    weights = np.uint32(1) << np.arange(32, dtype=np.uint32)
    bits = (held.reshape(-1, 8, 32) * weights).sum(axis=2, dtype=np.uint32)
    return np.ascontiguousarray(bits)


def _members(bits: NDArray[np.uint32]) -> list[list[int]]:
    """The numbers in each of scikit-learn's sets."""
    held = (np.asarray(bits)[:, :, None] >> np.arange(32, dtype=np.uint32)) & 1
    return [np.flatnonzero(row).tolist() for row in held.reshape(len(bits), 256)]
