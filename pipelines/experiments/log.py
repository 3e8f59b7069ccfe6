"""The log of tests and learnings of a business: lines of JSON, added to and never changed.

Beside its reports, one line a reading. Reading an experiment again adds a line only where something
differs from its last one, and that line says so: a result is restated, never replaced.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clvmodels.core.errors import DataError
from pipelines import files
from pipelines.nesting import from_json

FILE = "log.jsonl"
SCHEMA_VERSION = 1

WHEN = ("recorded", "as_of", "restates")
"""Keys that say when an entry was made, not what it tells."""


@dataclass(frozen=True)
class Recorded:
    """What became of a reading in the log.

    Attributes
    ----------
    entry : dict
        The line that stands for it: its own, or the last one, which says the same.
    is_new : bool
        Whether a line was added.
    restated : tuple of str
        Keys that differ from the line before.
    """

    entry: dict[str, Any]
    is_new: bool
    restated: tuple[str, ...]


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a log, oldest first; none where there is no log.

    Raises
    ------
    DataError
        If a line is damaged or of a later release.
    """
    path = folder / FILE
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = from_json(line)
            if entry["schema_version"] != SCHEMA_VERSION or not isinstance(entry["name"], str):
                raise ValueError("it is of another version of this log")
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}, line {number}, is no entry of a log of experiments ({error}); "
                "nothing was added. Take the file from your backup, or move it away for a new log."
            ) from None
        yield entry


def record(folder: Path, told: dict[str, Any], now: dt.datetime) -> Recorded:
    """Add a reading to the log, unless its last entry tells the same.

    Parameters
    ----------
    folder : Path
        Of the business's experiments; made where it is not there.
    told : dict
        ``name`` and all that is to be kept of the reading, JSON-safe; ``as_of`` says of when.
    now : datetime
        With a time zone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder):
        kept = list(entries(folder))
        before = [entry for entry in kept if entry["name"] == told["name"]]
        plain = json.loads(files.to_json({"schema_version": SCHEMA_VERSION, **told}))
        changed: tuple[str, ...] = ()
        if before:
            changed = differing(before[-1], plain)
            if not changed:
                return Recorded(before[-1], False, ())
        entry = {
            "recorded": now.isoformat(timespec="seconds"),
            "restates": {"recorded": before[-1]["recorded"], "changed": list(changed)}
            if before
            else None,
            **plain,
        }
        old = (folder / FILE).read_text(encoding="utf-8") if kept else ""
        line = json.dumps(entry, allow_nan=False)
        # As a whole and renamed: a run that dies leaves the log as it was.
        files.write_text(folder / FILE, f"{old}{line}\n")
    return Recorded(entry, True, changed)


def differing(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    """Return the keys in which two entries tell different things; times are none."""
    keys = sorted((one.keys() | other.keys()) - set(WHEN))
    return tuple(key for key in keys if one.get(key) != other.get(key))
