"""Versions that earlier releases saved: recorded as they are, and rid of their pickles.

A pickle is a program that is run when it is read. Nothing else in this project reads one, and here
it is read only from a version whose digests agree, and only when somebody asks for it.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import io
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from clvmodels.churn.classifier import ChurnClassifier
from clvmodels.churn.trees import Trees
from clvmodels.core.errors import ClvError, ModelFileError
from pipelines import files
from pipelines.registry import saved, version_records
from pipelines.registry import store as registry
from pipelines.registry.saved import CARD, CHURN, MANIFEST, PARAMETERS, PICKLED_CHURN, SavedModel


def accept(home: Path, version: str) -> tuple[SavedModel, str]:
    """Record a version that has no record, as it is now; return it with its manifest's digest.

    Its files are compared with its manifest, and where it is in use the manifest with what
    champion.json says of it. No file is opened. A version that has a record must be what that says.

    Raises
    ------
    ModelFileError
        If the version is not what its record, champion.json or its manifest says.
    """
    with version_records.changing(home):
        named = version_records.readable_champion(home)
        try:
            recorded = version_records.digest(home, version)
        except ModelFileError:  # damaged: it is written anew
            recorded = None
        expected = recorded
        if expected is None and named is not None and named["version"] == version:
            expected = str(named["manifest_sha256"])
        model = saved.read(home, version, expected)
        if model.manifest.get("version") != version or model.manifest.get("name") != home.name:
            raise ModelFileError(
                f"{model.folder} holds version {model.manifest.get('version')!r} of "
                f"{model.manifest.get('name')!r}: it was renamed, or belongs elsewhere. Give it "
                "back its name, or train again."
            )
        digest = files.sha256(model.folder / MANIFEST)
        if recorded is None:
            version_records.replace(home, version, digest, accepted=True)
    return model, digest


def migrate(home: Path, version: str) -> SavedModel:
    """Save a version with a pickled churn classifier anew, as numbers, under a number of its own.

    The old version stays as it is. The new one takes its place in use, where it is in use.

    Raises
    ------
    ModelFileError
        If its digests do not agree, it holds no pickle, was migrated before, or its pickle is of
        another scikit-learn or no churn classifier.
    """
    old = registry.verify(home, version)
    if not old.is_pickled:
        raise ModelFileError(
            f"{old.folder} holds nothing to migrate: `clv forecast --version {version}` uses it as "
            "it is"
        )
    origin = {"version": version, "manifest_sha256": files.sha256(old.folder / MANIFEST)}

    def require_first() -> None:
        for other in registry.versions(home):
            if _migrated_from(home, other) == origin:
                raise ModelFileError(f"{old.folder} was migrated before, to version {other}")

    require_first()
    _require_same_sklearn(old)
    classifier = _unpickled(old)
    parameters = version_records.parse_json(old.contents[PARAMETERS], old.folder / PARAMETERS)
    now = dt.datetime.now(dt.UTC)
    contents = {
        PARAMETERS: files.to_json(parameters),
        CARD: f"{old.card}\nMigrated from version {version} on {now:%Y-%m-%d}: the same models, "
        "the churn classifier saved as numbers.\n",
        CHURN: files.to_json(classifier.to_dict()),
    }
    manifest = {
        **old.manifest,
        "schema_version": saved.MANIFEST_VERSION,
        "created": now.isoformat(timespec="seconds"),
        "migrated_from": origin,
    }
    as_of = dt.date.fromisoformat(version[:10])
    return registry.add(home, as_of, contents, manifest, replaces=(version,), check=require_first)


def migrated(home: Path) -> dict[str, str]:
    """Versions that were migrated, and the sound version that each was saved anew as."""
    anew = {}
    for new in registry.versions(home):
        origin = _migrated_from(home, new)
        if isinstance(origin, dict):
            anew[str(origin.get("version"))] = new
    return anew


def _migrated_from(home: Path, version: str) -> Any:
    try:
        return registry.verify(home, version).manifest.get("migrated_from")
    except ModelFileError:  # damaged: nothing that could be used instead
        return None


def _unpickled(old: SavedModel) -> ChurnClassifier:
    """Read the pickle, which runs what is in it, and take the numbers out."""
    path = old.folder / PICKLED_CHURN
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another patch of the same scikit-learn
            state = vars(joblib.load(io.BytesIO(old.contents[PICKLED_CHURN])))
        classifier = ChurnClassifier(
            **{name: state[name] for name in ChurnClassifier().get_params()}
        )
        trees = state["classifier_"]
        names, categories = state["feature_names_"], state["categories_"]
        classifier.feature_names_ = tuple(map(str, names))
        classifier.categories_ = {
            str(name): [str(value) for value in categories[name]]
            for name in names
            if name in categories
        }
        coded = _coded(trees)
        if coded != list(classifier.categories_.values()):
            raise ValueError("its trees read other categories than it names")
        classifier.trees_ = Trees.of(trees, [len(values) for values in coded])
        weighed = state["calibration_"]
        classifier.calibration_ = np.concatenate([weighed.intercept_, weighed.coef_[0]])
        return ChurnClassifier.from_dict(classifier.to_dict())
    except ClvError:
        raise
    except Exception as error:  # whatever a foreign pickle does
        raise ModelFileError(
            f"{path} is no churn classifier that this release knows ({type(error).__name__}: "
            f"{error}); train again"
        ) from None


def _coded(classifier: Any) -> list[list[str]]:
    """The categories that scikit-learn's own encoder counts, feature by feature."""
    if not np.any(classifier.is_categorical_):
        return []
    encoder = classifier._preprocessor.named_transformers_["encoder"]
    return [[str(v) for v in values if v == v and v is not None] for values in encoder.categories_]


def _require_same_sklearn(old: SavedModel) -> None:
    """Pickled trees are only promised to load in the scikit-learn minor that saved them."""
    then = str(old.manifest["packages"].get("scikit-learn"))
    now = importlib.metadata.version("scikit-learn")
    if then.split(".")[:2] != now.split(".")[:2]:
        raise ModelFileError(
            f"{old.folder / PICKLED_CHURN} was saved by scikit-learn {then} and cannot be read by "
            f"{now}. Install that version to migrate it, or train again."
        )
