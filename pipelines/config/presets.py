"""Presets: what the columns of a known shop's export mean, as defaults of a configuration.

Each is a file in ``exports/``: the keys that it sets, when the export's format was looked up and
where that is described, the columns that an export may lack, and other names of the same column.
"""

from __future__ import annotations

import copy
import datetime as dt
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from pipelines.config.sections import Columns, Governance, PresetName, Source

NAMES: tuple[PresetName, ...] = typing.get_args(PresetName)
NONE = ""
"""What a key of ``[columns]`` is set to where an export has no such column."""
_PARTS = ("amount_includes", "revenue_includes")
_NO_COLUMNS = {"date_format"}
"""Keys of ``[columns]`` that say how, not which."""
_WHOLES = ("keep", "refund_rows")
"""Keys of ``[governance]`` that list values column by column."""


@dataclass(frozen=True)
class Preset:
    """What is known of an export.

    Attributes
    ----------
    name : str
    export : str
        Which one, in words.
    described : str
        Where its format is described.
    checked : date
        When that was looked up.
    optional : tuple of str
        Columns that it may lack: what they say is then left out.
    also : dict of str to tuple of str
        Other names of a column, in the order in which they are looked for.
    sections : dict of str to dict
        Keys of a configuration and their values.
    """

    name: str
    export: str
    described: str
    checked: dt.date
    optional: tuple[str, ...]
    also: dict[str, tuple[str, ...]]
    sections: dict[str, dict[str, Any]]

    def found(self, column: str, header: Iterable[str]) -> str | None:
        """Return what a header calls a column, None where it has none such."""
        names = set(header)
        return next((name for name in (column, *self.also.get(column, ())) if name in names), None)

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that an export must have."""
        mapped = [v for key, v in self.sections["columns"].items() if key not in _NO_COLUMNS]
        governance = self.sections["governance"]
        named = [column for key in _WHOLES for column in governance.get(key, ())]
        return tuple(c for c in dict.fromkeys([*mapped, *named]) if c not in self.optional)

    def fits(self, header: Iterable[str]) -> bool:
        """Return whether a header is that of such an export: it has all columns that one must."""
        names = list(header)
        return all(self.found(column, names) is not None for column in self.required)


@cache
def preset(name: str) -> Preset:
    """Return a preset by its name."""
    text = (resources.files(__package__) / "exports" / f"{name}.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    also = raw.pop("also", {})
    return Preset(
        name=name,
        export=raw.pop("export"),
        described=raw.pop("described"),
        checked=raw.pop("checked"),
        optional=tuple(raw.pop("optional")),
        also={column: tuple(names) for column, names in also.items()},
        sections=raw,
    )


def recognised(header: Iterable[str]) -> Preset | None:
    """Return the preset whose export has such a header, None where there is none."""
    names = list(header)
    return next((known for known in map(preset, NAMES) if known.fits(names)), None)


def with_preset(raw: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Give a configuration the keys of its preset that it does not set itself.

    Parameters
    ----------
    raw : dict
        As it was written; one that names no preset, or none that there is, stays as it is.

    Returns
    -------
    dict
        With the preset's keys. ``""`` under ``[columns]`` takes a key of the preset out.
    tuple of str
        The keys that are the preset's, as ``columns.customer_id``.
    """
    source = raw.get("source")
    name = source.get("preset") if isinstance(source, Mapping) else None
    if name not in NAMES:
        return raw, ()
    merged, keys = copy.deepcopy(raw), []
    for section, values in preset(name).sections.items():
        given = merged.setdefault(section, {})
        if not isinstance(given, dict):
            return raw, ()
        for key, value in values.items():
            if key not in given:
                given[key] = copy.deepcopy(value)
                keys.append(f"{section}.{key}")
    for key in preset(name).sections["columns"]:
        if merged["columns"][key] == NONE:
            del merged["columns"][key]
    governance = merged.get("governance", {})
    for key in _PARTS:
        if f"governance.{key}" in keys:
            governance[key] = [part for part in governance[key] if part in merged["columns"]]
    if not governance.get("amount_includes", True) and "governance.amount_includes" in keys:
        del governance["amount_includes"]
        keys.remove("governance.amount_includes")
    return merged, tuple(keys)


def contradicted(merged: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Say which keys of a preset may be what a configuration contradicts; none: no preset."""
    mapped = [key.removeprefix("columns.") for key in keys if key.startswith("columns.")]
    if not mapped:
        return []
    name = merged["source"]["preset"]
    columns = merged["columns"]
    told = [f'{key} = "{columns[key]}"' for key in mapped if key in columns]
    return [f"of the preset '{name}' are {', '.join(told)}; set one to \"\" to take it out"]


@dataclass(frozen=True)
class Exported:
    """What a preset's keys are in one export.

    Attributes
    ----------
    columns : Columns
    governance : Governance
    notes : tuple of str
        What the export calls otherwise, or lacks.
    """

    columns: Columns
    governance: Governance
    notes: tuple[str, ...] = ()


def in_export(
    source: Source,
    columns: Columns,
    governance: Governance,
    keys: Iterable[str],
    header: Iterable[str],
) -> Exported:
    """Say what the columns that a preset names are called in an export; those it lacks go.

    Columns that an export must have, and that are under none of their names, stay as they are:
    reading then ends, and :func:`remedy` says what to do.

    Parameters
    ----------
    source : Source
    columns : Columns
    governance : Governance
    keys : iterable of str
        Those that are the preset's (:func:`with_preset`); no other is touched.
    header : iterable of str
        Names of the export's columns.
    """
    if source.preset is None:
        return Exported(columns, governance)
    known, names, notes = preset(source.preset), list(header), []

    def called(column: str) -> str | None:
        name = known.found(column, names)
        if name is None and column not in known.optional:
            return column
        if name != column:
            said = "not there" if name is None else f"called '{name}'"
            notes.append(f"'{column}' is {said}")
        return name

    mapped = {key.partition(".")[2] for key in keys if key.startswith("columns.")}
    mapped -= _NO_COLUMNS
    wanted = {key: getattr(columns, key) for key in Columns.model_fields if key in mapped}
    updated = {key: called(column) for key, column in wanted.items() if column is not None}
    wholes: dict[str, dict[str, tuple[str, ...]]] = {}
    for key in _WHOLES:
        if f"governance.{key}" in keys:
            told = {called(column): values for column, values in getattr(governance, key).items()}
            wholes[key] = {name: values for name, values in told.items() if name is not None}
    said = f"preset '{known.name}': in this export {', '.join(dict.fromkeys(notes))}"
    return Exported(
        columns.model_copy(update=updated),
        governance.model_copy(update=wholes),
        (said,) if notes else (),
    )


def remedy(name: str, keys: Iterable[str]) -> str:
    """Say what to do where an export lacks columns that its preset names.

    Parameters
    ----------
    name : str
        Of the preset.
    keys : iterable of str
        The keys that name the columns, as ``columns.customer_id`` or ``governance.keep.Status``.
    """
    known, named = preset(name), list(keys)
    mapped = [key.removeprefix("columns.") for key in named if key.startswith("columns.")]
    tables = sorted({".".join(key.split(".")[:2]) for key in named if key.startswith("governance")})
    steps = []
    if mapped:
        steps.append(
            f"set [columns] {', '.join(mapped)} to what this export calls "
            f'{"it" if len(mapped) == 1 else "them"}, or to "" where it has none'
        )
    if tables:
        steps.append(f"write [{'], ['.join(tables)}] with the columns and values of this export")
    return (
        f"The preset '{name}' is of the {known.export}, as of {known.checked}: "
        f"{'; '.join(steps)}; or take preset out and map all columns."
    )
