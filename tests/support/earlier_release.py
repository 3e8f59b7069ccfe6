"""Folders of models as the release before wrote them: a pickled classifier, and no records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from shop import Shop
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from clvmodels.churn.classifier import ChurnClassifier, ChurnSample
from pipelines import files


def fit_classifier(
    sample: ChurnSample, calibration: ChurnSample, horizon: int = 60, **options: object
) -> ChurnClassifier:
    """A classifier as it was pickled: scikit-learn's own objects, on frames of categories."""
    old = ChurnClassifier(horizon, **options)
    old.feature_names_ = tuple(sample.features.columns[sample.features.notna().any()])
    old.categories_ = {
        name: sorted(column.dropna().unique())
        for name, column in sample.features.items()
        if not pd.api.types.is_numeric_dtype(column)
    }
    old.classifier_ = HistGradientBoostingClassifier(
        max_iter=old.max_iter, learning_rate=old.learning_rate, max_leaf_nodes=old.max_leaf_nodes,
        min_samples_leaf=old.min_samples_leaf, l2_regularization=old.l2_regularization,
        early_stopping=False, categorical_features="from_dtype", random_state=old.random_state,
    ).fit(_frame(old, sample.features), sample.churned)  # fmt: skip
    old.calibration_ = LogisticRegression().fit(
        _logits(old, calibration.features), calibration.churned
    )
    return old


def churn_probability(old: ChurnClassifier, features: pd.DataFrame) -> np.ndarray:
    """What that classifier predicted."""
    return old.calibration_.predict_proba(_logits(old, features))[:, 1]


def _logits(old: ChurnClassifier, features: pd.DataFrame) -> np.ndarray:
    columns = [old.classifier_.predict_proba(_frame(old, features))[:, 1]]
    if old.model_feature in old.feature_names_:
        columns.append(features[old.model_feature].to_numpy(dtype=float))
    probability = np.clip(np.column_stack(columns), 1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability))


def _frame(old: ChurnClassifier, features: pd.DataFrame) -> pd.DataFrame:
    def column(name: str) -> object:
        known = old.categories_.get(name)
        if known is None:
            return features[name].to_numpy(dtype=float, na_value=np.nan)
        return pd.Categorical(features[name].where(features[name].isin(known)), categories=known)

    return pd.DataFrame({name: column(name) for name in old.feature_names_})


def write(shop: Shop, version: str, classifier: object | None) -> Path:
    """Turn a saved version, and its registry, into what the release before wrote."""
    folder = shop.models / version
    (folder / "churn.json").unlink(missing_ok=True)
    if classifier is not None:
        joblib.dump(classifier, folder / "churn.joblib", compress=3)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["schema_version"] = 1
    seal(folder, manifest)
    shutil.rmtree(shop.models / "registry", ignore_errors=True)
    put_into_use(shop, version)
    return folder


def seal(folder: Path, manifest: dict) -> None:
    """Write a manifest with the digests of the files as they are."""
    manifest["files"] = {
        path.name: files.sha256(path)
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }
    files.write_text(folder / "manifest.json", files.to_json(manifest))


def put_into_use(shop: Shop, version: str) -> None:
    """Name the champion as the release before did: without a checksum."""
    digest = files.sha256(shop.models / version / "manifest.json")
    champion = {"version": version, "manifest_sha256": digest, "since": "2025-01-01T00:00:00+00:00"}
    files.write_text(shop.models / "champion.json", files.to_json(champion))
