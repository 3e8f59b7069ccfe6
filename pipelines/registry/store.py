"""Fitted models as verified files: `models/<name>/<version>/` and the champion in use.

A version is written once and never changed. It is claimed, and the one in use named, by
:mod:`pipelines.registry.version_records`: the record and ``champion.json`` hold the digest of its
manifest, the manifest the digest of every other file; nothing is opened before all of them agree.
Every file is text or JSON: nothing that is loaded can run code. Versions of earlier releases that
hold a pickle are refused here, and taken over by :mod:`pipelines.registry.migration`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.metadata
import logging
import platform
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clvmodels.churn.classifier import ChurnClassifier
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.errors import ClvError, ModelFileError
from clvmodels.core.schema import SCHEMA_VERSION
from clvmodels.registry import model_from_dict
from clvmodels.segments.segments import Segments
from pipelines import files
from pipelines.registry import version_records
from pipelines.registry.saved import (
    CARD,
    CHURN,
    MANIFEST,
    MANIFEST_VERSION,
    PARAMETERS,
    SavedModel,
    require_loadable,
    verify,
    versions,
)
from pipelines.training.fit import Fitted
from pipelines.training.level_source import LevelSource

__all__ = [
    "CARD", "CHURN", "MANIFEST", "PARAMETERS", "SavedModel", "require_loadable", "verify",
    "versions",
]  # fmt: skip

logger = logging.getLogger(__package__)

PACKAGES = (
    "clvmodels", "duckdb", "ibis-framework", "joblib", "lifetimes", "numpy", "pandas",
    "scikit-learn", "scipy",
)  # fmt: skip


def save(
    home: Path,
    fitted: Fitted,
    *,
    config: dict[str, Any],
    card: str,
    metrics: list[dict[str, Any]],
    data: dict[str, Any],
    promote: bool = True,
    decided: dict[str, Any] | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> SavedModel:
    """Write a new version, whole or not at all, and by default make it the champion.

    A version that knows later data stays in use.

    Parameters
    ----------
    home : Path
        Folder of all versions of one business, which bears its name.
    fitted : Fitted
    config : dict
        The configuration as given, JSON-safe.
    card : str
        The model card, Markdown.
    metrics : list of dict
        The backtest's metrics of the product's own forecasts, as in backtest.json.
    data : dict
        Where the data came from: account and fingerprint.
    decided : dict, optional
        What the run decided, beside the configuration as given: the gross margin and the
        transaction model, each with its source.
    errors : list of dict, optional
        The pooled errors of those forecasts over all origins, one record a quantity and model.
    """
    contents = {PARAMETERS: files.to_json(_parameters(fitted)), CARD: card}
    if fitted.churn is not None:
        contents[CHURN] = files.to_json(fitted.churn.to_dict())
    manifest = {
        "schema_version": MANIFEST_VERSION,
        "name": home.name,
        "version": None,
        "as_of": fitted.as_of.isoformat(),
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "config": config,
        "decided": decided or {},
        "data": data,
        "packages": packages(),
        "metrics": metrics,
        "errors": errors or [],
    }
    return add(home, fitted.as_of, contents, manifest, replaces=None if promote else ())


def add(
    home: Path,
    as_of: dt.date,
    contents: Mapping[str, str],
    manifest: Mapping[str, Any],
    replaces: Collection[str] | None,
    check: Callable[[], None] | None = None,
) -> SavedModel:
    """Write files and manifest as a version of their own, of a number that nobody else has.

    Parameters
    ----------
    as_of : date
        Names the version, with a counter.
    contents : mapping of str to str
        Text of each file.
    manifest : mapping
        Without the digests of the files; the version's name is filled in.
    replaces : collection of str, optional
        The version is put into use only where one of these is in use; None: unless the one in use
        knows later data.
    check : callable, optional
        Called once no other process can save a version; what it raises keeps this one from it.
    """
    day = as_of.isoformat()
    with files.new_folder(home / day) as beside:
        for name, text in contents.items():
            files.write_text(beside / name, text)
        digests = {name: files.sha256(beside / name) for name in sorted(contents)}
        with version_records.changing(home):
            if check is not None:
                check()
            named = version_records.readable_champion(home)
            while True:
                version = f"{day}.{_next_counter(home, day)}"
                whole = {**manifest, "version": version, "files": digests}
                files.write_text(beside / MANIFEST, files.to_json(whole))
                if _claimed(home, version, beside):
                    break
            later = None
            used = str(named["version"]) if named else None
            if replaces is not None:
                promoted = used in replaces
            else:
                its_day = dt.date.fromisoformat(used[:10]) if used else as_of
                later = its_day if its_day > as_of else None
                promoted = later is None
            saved = replace(verify(home, version), later=later)
            if promoted:
                _use(home, saved)
    return saved


def _next_counter(home: Path, day: str) -> int:
    """One more than that of any version of the day that there is or was."""
    taken = {*versions(home), *version_records.recorded(home)}
    return max((int(v[11:]) for v in taken if v.startswith(f"{day}.")), default=0) + 1


def _claimed(home: Path, version: str, beside: Path) -> bool:
    """Record a version and give its folder the name; False where another process was faster."""
    if not version_records.claim(home, version, files.sha256(beside / MANIFEST)):
        return False
    try:
        done = files.take_name(beside, home / version)
    except BaseException:
        version_records.withdraw(home, version)
        raise
    if not done:
        version_records.withdraw(home, version)
    return done


def make_champion(home: Path, version: str) -> SavedModel:
    """Put a saved version into use, after verifying it."""
    with version_records.changing(home):
        saved = require_loadable(verify(home, version))
        _use(home, saved)
    return saved


def _use(home: Path, saved: SavedModel) -> None:
    before = version_records.readable_champion(home)
    if before is not None:
        # Earlier releases kept the champion's digest and no other: it is lost here otherwise.
        with contextlib.suppress(ModelFileError):  # recorded only where it vouches for the version
            verify(home, str(before["version"]))
            version_records.claim(home, str(before["version"]), str(before["manifest_sha256"]))
    version_records.set_champion(home, saved.version, files.sha256(saved.folder / MANIFEST))
    logger.info("in use: version %s in %a", saved.version, str(home))


def champion_or_none(home: Path) -> str | None:
    """Version in use; None where none has been put into use."""
    named = version_records.champion(home)
    return None if named is None else str(named["version"])


def champion(home: Path) -> str:
    """Version in use.

    Raises
    ------
    ModelFileError
        If no model has been trained for this business yet, or champion.json is damaged.
    """
    named = champion_or_none(home)
    if named is None:
        path = home / version_records.CHAMPION
        raise ModelFileError(
            f"no model of '{home.name}' is in use: {path} does not exist. Run `clv train` first."
        )
    return named


def load(home: Path, version: str | None = None) -> tuple[Fitted, SavedModel]:
    """Load a verified version; the champion where none is named.

    Raises
    ------
    ModelFileError
        As :func:`verify`, or if the version was saved by an earlier release as a pickle.
    """
    saved = require_loadable(verify(home, version or champion(home)))
    path = saved.folder / PARAMETERS
    content = version_records.parse_json(saved.contents[PARAMETERS], path)
    try:
        return _fitted(content, saved), saved
    except ClvError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelFileError(
            f"{path} is damaged ({type(error).__name__}: {error}); promote another version or "
            "train again"
        ) from None


def _fitted(content: dict[str, Any], saved: SavedModel) -> Fitted:
    churn, cohorts = None, content["cohorts"]
    if CHURN in saved.contents:
        described = version_records.parse_json(saved.contents[CHURN], saved.folder / CHURN)
        churn = ChurnClassifier.from_dict(described)
    return Fitted(
        dt.date.fromisoformat(content["as_of"]),
        model_from_dict(content["transactions"]),
        model_from_dict(content["spend"]),
        churn,
        None if cohorts is None else CohortForecaster.from_dict(cohorts),
        content["spend_from"],
        tuple(content["notes"]),
        # Files of earlier releases name none.
        level=LevelSource(content.get("level", LevelSource.COHORTS)),
        segments=None
        if content.get("segments") is None
        else Segments.from_dict(content["segments"], model_from_dict),
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
        "level": fitted.level.value,
        "segments": None if fitted.segments is None else fitted.segments.to_dict(),
    }


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that a model depends on."""
    installed = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **installed}
