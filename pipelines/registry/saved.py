"""A saved version on disk: what its files are called, and how they are verified and read."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clvmodels.core.errors import ModelFileError
from pipelines import files
from pipelines.registry import version_records

MANIFEST = "manifest.json"
PARAMETERS = "parameters.json"
CHURN = "churn.json"
CARD = "model_card.md"

PICKLED_CHURN = "churn.joblib"
"""The churn classifier of versions that earlier releases saved: a pickle."""

MANIFEST_VERSION = 2
"""Version of the manifest: 2 has its churn classifier as JSON, 1 had it as a pickle."""

UNRECORDED = 1
"""Version of the manifests of releases that kept no records: champion.json alone vouches for it."""

FILES = {1: {PARAMETERS, CARD, PICKLED_CHURN}, 2: {PARAMETERS, CARD, CHURN}}
"""Names that the manifests of each version may list; the churn classifier is optional."""


@dataclass(frozen=True)
class SavedModel:
    """One saved version, verified.

    Attributes
    ----------
    folder : Path
    manifest : dict
        As in ``manifest.json``.
    contents : mapping of str to bytes
        Of every file that the manifest lists, as they were when they were verified.
    later : date, optional
        Last day known to the version in use, where it kept this one out of use.
    """

    folder: Path
    manifest: dict[str, Any]
    contents: Mapping[str, bytes] = field(repr=False)
    later: dt.date | None = None

    @property
    def version(self) -> str:
        """Name of the version: as-of date and a counter."""
        return self.folder.name

    @property
    def is_pickled(self) -> bool:
        """Whether it was saved by an earlier release, with a churn classifier as a pickle."""
        return PICKLED_CHURN in self.contents

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self.contents[CARD].decode(errors="replace")


def versions(home: Path) -> list[str]:
    """All saved versions of one business, oldest first.

    Parameters
    ----------
    home : Path
        Folder of all of its versions, which bears its name.
    """
    names = [path.name for path in home.iterdir()] if home.is_dir() else []
    return sorted(filter(version_records.is_version, names), key=version_records.order)


def verify(home: Path, version: str) -> SavedModel:
    """Check that a version is complete and unaltered, and read it.

    Raises
    ------
    ModelFileError
        If a file is missing, altered, no plain file, or written by a later version of this
        package; or if no record holds the digest of the manifest. For versions of releases that
        kept no records champion.json does, where it names them.
    """
    require_known(home, version)
    digest = known_digest(home, version)
    # Releases that sealed no champion.json kept no records; those that keep them record everything.
    oldest = digest is not None and version_records.digest(home, version) is None
    saved = None if digest is None else read(home, version, digest)
    if saved is None or (oldest and saved.manifest["schema_version"] != UNRECORDED):
        raise ModelFileError(
            f"nothing tells whether {home / version} is as it was saved: it has no record, "
            "since an earlier release saved it, somebody put it there, or the record was removed. "
            f"Where you trust it, `clv models accept {version}` records it as it is now."
        )
    return saved


def require_known(home: Path, version: str) -> None:
    """Refuse the name of a version that there is not."""
    existing = versions(home)
    if version not in existing:
        raise ModelFileError(
            f"there is no version '{version}' of '{home.name}'; "
            f"found: {', '.join(existing) or 'none'}"
        )


def known_digest(home: Path, version: str) -> str | None:
    """What the manifest's digest must be, by the record of the version or by champion.json.

    Raises
    ------
    ModelFileError
        If the two do not agree, or the record is damaged.
    """
    recorded = version_records.digest(home, version)
    named = version_records.readable_champion(home)
    if named is None or named["version"] != version:
        return recorded
    if recorded not in (None, named["manifest_sha256"]):
        raise ModelFileError(
            f"{home / version_records.CHAMPION} and the record of {version} do not agree on its "
            "manifest; promote another version, or train again"
        )
    return str(named["manifest_sha256"])


def read(home: Path, version: str, digest: str | None) -> SavedModel:
    """Read a version whose manifest has a digest, each file compared with the manifest's."""
    require_known(home, version)
    folder = home / version
    if folder.is_symlink() or not folder.is_dir():
        raise ModelFileError(
            f"{folder} is a link or a file, not a folder, and could change under the registry; put "
            "the folder itself there, promote another version, or train again"
        )
    raw = _plain(folder / MANIFEST)
    if digest is not None and hashlib.sha256(raw).hexdigest() != digest:
        raise ModelFileError(
            f"{folder / MANIFEST} is not the one that was saved (its SHA-256 differs from the "
            "registry's record); promote another version or train again"
        )
    manifest = version_records.parse_json(
        raw, folder / MANIFEST, "schema_version", "files", "packages"
    )
    schema, listed = manifest["schema_version"], manifest["files"]
    if type(schema) is not int or schema not in FILES:
        raise ModelFileError(
            f"{folder} was saved with schema version {schema}; this package reads up to "
            f"{MANIFEST_VERSION}. Train again, or use the package that saved it."
        )
    if not isinstance(listed, dict) or not {PARAMETERS, CARD} <= listed.keys() <= FILES[schema]:
        raise ModelFileError(
            f"{folder / MANIFEST} is damaged: it lists other files than a version has; promote "
            "another version or train again"
        )
    contents = {}
    for name, expected in listed.items():
        contents[name] = _plain(folder / name)
        if hashlib.sha256(contents[name]).hexdigest() != expected:
            raise ModelFileError(
                f"{folder / name} is not the file that was saved (its SHA-256 differs from the "
                "manifest's); promote another version or train again"
            )
    return SavedModel(folder, manifest, contents)


def _plain(path: Path) -> bytes:
    try:
        return files.read_plain(path)
    except OSError as error:
        raise ModelFileError(
            f"cannot read {path}: {error.strerror}; promote another version or train again"
        ) from None


def require_loadable(saved: SavedModel) -> SavedModel:
    """Refuse a version that can be read by running a pickle only."""
    if saved.is_pickled:
        raise ModelFileError(
            f"{saved.folder} was saved by an earlier release, with a churn classifier "
            f"({PICKLED_CHURN}) that can run code when it is read. `clv models migrate "
            f"{saved.version}` reads it once and saves it anew as numbers; or train again."
        )
    return saved
