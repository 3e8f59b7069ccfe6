"""Fitted models as verified files: `models/<name>/<version>/` and the champion in use.

A version is written once and never changed. ``champion.json`` names the version in use and the
digest of its manifest, the manifest the digest of every other file; nothing is unpickled before
all of them agree.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from clvmodels.cohorts import CohortForecaster
from clvmodels.exceptions import ModelFileError
from clvmodels.models import model_from_dict
from clvmodels.schema import SCHEMA_VERSION
from pipelines import files
from pipelines.config import Config
from pipelines.nesting import read_json
from pipelines.train import Fitted

CHAMPION = "champion.json"
MANIFEST = "manifest.json"
PARAMETERS = "parameters.json"
CHURN = "churn.joblib"
CARD = "model_card.md"

PACKAGES = (
    "clvmodels", "duckdb", "ibis-framework", "joblib", "lifetimes", "numpy", "pandas",
    "scikit-learn", "scipy",
)  # fmt: skip
VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}\.(\d+)$")


@dataclass(frozen=True)
class SavedModel:
    """One saved version.

    Attributes
    ----------
    folder : Path
    manifest : dict
        As in ``manifest.json``.
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        """Name of the version: as-of date and a counter."""
        return self.folder.name


def root(config: Config) -> Path:
    """Folder of all versions of one business."""
    return Path(config.output.models) / config.name


def versions(config: Config) -> list[str]:
    """All saved versions, oldest first."""
    folder = root(config)
    found = [p.name for p in folder.iterdir() if VERSION.match(p.name)] if folder.is_dir() else []
    return sorted(found, key=lambda v: (v[:10], int(v[11:])))


def save(
    fitted: Fitted,
    config: Config,
    *,
    card: str,
    metrics: list[dict[str, Any]],
    data: dict[str, Any],
    promote: bool = True,
    decided: dict[str, Any] | None = None,
) -> SavedModel:
    """Write a new version, whole or not at all, and by default make it the champion.

    Parameters
    ----------
    card : str
        The model card, Markdown.
    metrics : list of dict
        The backtest's metrics, as in backtest.json; those of the product's own forecast go into
        the manifest.
    data : dict
        Where the data came from: account and fingerprint.
    decided : dict, optional
        What the run decided, beside the configuration as given: the gross margin and its source.
    """
    same_day = [v for v in versions(config) if v.startswith(f"{fitted.as_of}.")]
    counter = int(same_day[-1][11:]) + 1 if same_day else 1
    target = root(config) / f"{fitted.as_of}.{counter}"
    with files.replacing_folder(target) as folder:
        files.write_text(folder / PARAMETERS, files.to_json(_parameters(fitted)))
        files.write_text(folder / CARD, card)
        if fitted.churn is not None:
            joblib.dump(fitted.churn, folder / CHURN, compress=3)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "name": config.name,
            "version": target.name,
            "as_of": fitted.as_of.isoformat(),
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "config": config.model_dump(mode="json"),
            "decided": decided or {},
            "data": data,
            "packages": _packages(),
            "metrics": [row for row in metrics if row["model"] in ("clv", "churn")],
            "files": {p.name: files.sha256(p) for p in sorted(folder.iterdir())},
        }
        files.write_text(folder / MANIFEST, files.to_json(manifest))
    saved = SavedModel(target, manifest)
    if promote:
        make_champion(config, saved.version)
    return saved


def make_champion(config: Config, version: str) -> SavedModel:
    """Put a saved version into use, after verifying it."""
    saved = verify(config, version)
    content = {
        "version": version,
        "manifest_sha256": files.sha256(saved.folder / MANIFEST),
        "since": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    files.write_text(root(config) / CHAMPION, files.to_json(content))
    return saved


def has_champion(config: Config) -> bool:
    """Whether any version has been put into use."""
    return (root(config) / CHAMPION).is_file()


def used_as_of(config: Config) -> dt.date | None:
    """Last day known to the version in use; None where there is none."""
    return dt.date.fromisoformat(champion(config)[:10]) if has_champion(config) else None


def champion(config: Config) -> str:
    """Version in use.

    Raises
    ------
    ModelFileError
        If no model has been trained for this business yet.
    """
    return str(_champion(config)["version"])


def verify(config: Config, version: str) -> SavedModel:
    """Check that a version is complete and unaltered.

    Raises
    ------
    ModelFileError
        If a file is missing, altered, or written by a later version of this package.
    """
    folder = root(config) / version
    known = versions(config)
    if version not in known:
        raise ModelFileError(
            f"there is no version '{version}' of '{config.name}'; "
            f"found: {', '.join(known) or 'none'}"
        )
    manifest = _read_json(folder / MANIFEST, "schema_version", "files", "packages")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ModelFileError(
            f"{folder} was saved with schema version {manifest.get('schema_version')}; this "
            f"package reads {SCHEMA_VERSION}. Train again, or use the package that saved it."
        )
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise ModelFileError(f"{path} is missing; promote another version or train again")
        if files.sha256(path) != digest:
            raise ModelFileError(
                f"{path} is not the file that was saved (its SHA-256 differs from the "
                "manifest's); promote another version or train again"
            )
    return SavedModel(folder, manifest)


def load(config: Config, version: str | None = None) -> tuple[Fitted, SavedModel]:
    """Load a verified version; the champion where none is named.

    Raises
    ------
    ModelFileError
        As :func:`verify`, or if the churn classifier was saved by another scikit-learn.
    """
    if version is None:
        named = _champion(config)
        saved = verify(config, str(named["version"]))
        if files.sha256(saved.folder / MANIFEST) != named["manifest_sha256"]:
            raise ModelFileError(
                f"{saved.folder / MANIFEST} is not the one that was put into use; promote a "
                "version again to accept it, or train again"
            )
    else:
        saved = verify(config, version)
    content = _read_json(saved.folder / PARAMETERS)
    churn = None
    if CHURN in saved.manifest["files"]:
        _require_same_sklearn(saved)
        churn = joblib.load(saved.folder / CHURN)
    cohorts = content["cohorts"]
    return (
        Fitted(
            dt.date.fromisoformat(content["as_of"]),
            model_from_dict(content["transactions"]),
            model_from_dict(content["spend"]),
            churn,
            None if cohorts is None else CohortForecaster.from_dict(cohorts),
            content["spend_from"],
            tuple(content["notes"]),
            level=content.get("level", "cohorts"),  # files of earlier releases name none
        ),
        saved,
    )


def _parameters(fitted: Fitted) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "as_of": fitted.as_of.isoformat(),
        "transactions": fitted.transactions.to_dict(),
        "spend": fitted.spend.to_dict(),
        "cohorts": None if fitted.cohorts is None else fitted.cohorts.to_dict(),
        "spend_from": fitted.spend_from,
        "notes": list(fitted.notes),
        "level": fitted.level,
    }


def _packages() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def _require_same_sklearn(saved: SavedModel) -> None:
    """Pickled trees are only promised to load in the scikit-learn minor that saved them."""
    then = str(saved.manifest["packages"]["scikit-learn"])
    now = importlib.metadata.version("scikit-learn")
    if then.split(".")[:2] != now.split(".")[:2]:
        raise ModelFileError(
            f"{saved.folder / CHURN} was saved by scikit-learn {then} and cannot be loaded by "
            f"{now}. Install that version, or train again."
        )


def _champion(config: Config) -> dict[str, Any]:
    path = root(config) / CHAMPION
    if not path.is_file():
        raise ModelFileError(
            f"no model of '{config.name}' is in use: {path} does not exist. Run `clv train` first."
        )
    return _read_json(path, "version", "manifest_sha256")


def _read_json(path: Path, *required: str) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict) or any(key not in content for key in required):
        wanted = f" with {', '.join(required)}" if required else ""
        raise ModelFileError(
            f"{path} is damaged: it does not hold a JSON object{wanted}; promote a version again "
            "or train again"
        )
    return content
