"""What the registry knows of saved versions, apart from the versions themselves.

``models/<name>/registry/<version>.json`` is written when a version is saved, and never changed: it
holds the digest of the version's manifest. ``models/<name>/champion.json`` names the version in
use. Both end with a checksum of what they say, which tells damage. It does not tell a forger: who
may write to the whole folder can write records too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clvmodels.core.errors import ModelFileError
from pipelines import files
from pipelines.nesting import from_json

CHAMPION = "champion.json"
RECORDS = "registry"
CHECKSUM = "checksum"

AGAIN = "promote a version again, or train again"

VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.[1-9][0-9]{0,8}")
"""As-of date and a counter."""


def is_version(name: str) -> bool:
    """Whether a name is that of a version: an as-of date and a counter."""
    if not VERSION.fullmatch(name):
        return False
    with contextlib.suppress(ValueError):
        dt.date.fromisoformat(name[:10])
        return True
    return False


def order(version: str) -> tuple[str, int]:
    """Sort versions by date and, as a number, by counter."""
    return version[:10], int(version[11:])


def claim(root: Path, version: str, manifest_sha256: str, **more: Any) -> bool:
    """Write the record of a version that has none; False where it has one.

    The file is made exclusively, so that of several processes one gets the version.
    """
    path = root / RECORDS / f"{version}.json"
    with files.writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            return False
        try:
            with file:
                file.write(_sealed(_record(version, manifest_sha256, more)))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return True


def replace(root: Path, version: str, manifest_sha256: str, **more: Any) -> None:
    """Write the record of a version in the place of a damaged one."""
    path = root / RECORDS / f"{version}.json"
    files.write_text(path, _sealed(_record(version, manifest_sha256, more)))


def withdraw(root: Path, version: str) -> None:
    """Take back the record of a version that was not saved after all."""
    (root / RECORDS / f"{version}.json").unlink(missing_ok=True)


def recorded(root: Path) -> list[str]:
    """Versions that have a record, in no order."""
    folder = root / RECORDS
    paths = folder.glob("*.json") if folder.is_dir() else ()
    return [path.stem for path in paths if is_version(path.stem)]


def digest(root: Path, version: str) -> str | None:
    """Digest of a version's manifest by its record; None where it has none.

    Raises
    ------
    ModelFileError
        If there is a record, and it is damaged.
    """
    path = root / RECORDS / f"{version}.json"
    if not path.is_symlink() and not path.exists():
        return None
    remedy = f"`clv models accept {version}` records the version as it is now"
    record = read_sealed(path, "version", "manifest_sha256", CHECKSUM, remedy=remedy)
    if record["version"] != version:
        raise ModelFileError(f"{path} is the record of version {record['version']!r}; {remedy}")
    return str(record["manifest_sha256"])


def champion(root: Path) -> dict[str, Any] | None:
    """What champion.json says: ``version`` and ``manifest_sha256``; None where there is none.

    Raises
    ------
    ModelFileError
        If it is damaged.
    """
    path = root / CHAMPION
    if not path.is_symlink() and not path.exists():
        return None
    named = read_sealed(path, "version", "manifest_sha256")  # earlier releases sealed none
    if not is_version(str(named["version"])):
        raise ModelFileError(f"{path} is damaged: {named['version']!r} is no version; {AGAIN}")
    return named


def readable_champion(root: Path) -> dict[str, Any] | None:
    """As :func:`champion`, and None where champion.json is damaged."""
    with contextlib.suppress(ModelFileError):
        return champion(root)
    return None


def set_champion(root: Path, version: str, manifest_sha256: str) -> None:
    """Name the version in use."""
    content = {
        "version": version,
        "manifest_sha256": manifest_sha256,
        "since": _now(),
    }
    files.write_text(root / CHAMPION, _sealed(content))


@contextlib.contextmanager
def changing(root: Path) -> Iterator[None]:
    """Keep other processes from changing records, the champion and versions meanwhile."""
    with files.locked(root) if root.is_dir() else contextlib.nullcontext():
        yield


def read_json(path: Path, *required: str, remedy: str = AGAIN) -> dict[str, Any]:
    """Read a JSON object that holds what is required.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is a link, or holds something else.
    """
    try:
        content = files.read_plain(path)
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}; {remedy}") from None
    return parse_json(content, path, *required, remedy=remedy)


def parse_json(content: bytes, path: Path, *required: str, remedy: str = AGAIN) -> dict[str, Any]:
    """Parse bytes of a file as a JSON object that holds what is required."""
    try:
        parsed = from_json(content.decode("utf-8"))
    except ValueError as error:
        raise ModelFileError(f"cannot read {path}: {error}; {remedy}") from None
    if not isinstance(parsed, dict) or any(key not in parsed for key in required):
        wanted = f" with {', '.join(required)}" if required else ""
        raise ModelFileError(f"{path} is damaged: it is no JSON object{wanted}; {remedy}")
    return parsed


def read_sealed(path: Path, *required: str, remedy: str = AGAIN) -> dict[str, Any]:
    """Read a JSON object and, where it holds one, compare its checksum."""
    content = read_json(path, *required, remedy=remedy)
    stated = content.pop(CHECKSUM, None)
    if stated is not None and stated != _checksum(content):
        raise ModelFileError(
            f"{path} is damaged: its checksum is not that of what it says; {remedy}"
        )
    return content


def _record(version: str, manifest_sha256: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"version": version, "manifest_sha256": manifest_sha256, "recorded": _now(), **more}


def _sealed(content: dict[str, Any]) -> str:
    return files.to_json({**content, CHECKSUM: _checksum(content)})


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
