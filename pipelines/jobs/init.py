"""The job that looks at a file or table and writes a first configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ibis.expr.types import Table

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config import load as configuration
from pipelines.config import presets
from pipelines.config.load import Governance
from pipelines.config.presets import Preset
from pipelines.console import Outcome, Progress
from pipelines.data.sales import questions
from pipelines.draft import fields as looks
from pipelines.draft import guess as guesses
from pipelines.draft import text, values
from pipelines.draft.fields import Field
from pipelines.draft.guess import Guess
from pipelines.draft.source import source_keys
from pipelines.draft.text import Draft
from pipelines.sources.connect import connect
from pipelines.sources.failures import reading

LONGEST_STATUS = 40
"""Characters of a value that is still one of a status."""


def init_job(
    path: str | None,
    output: Path,
    progress: Progress,
    *,
    kind: str | None = None,
    table: str | None = None,
    uri_env: str | None = None,
    force: bool = False,
) -> Outcome:
    """Look at a source and write a configuration that reads it, with what is unsure as comments.

    Raises
    ------
    ConfigError
        If the output is there already and ``force`` is off, or the source is not.
    DataError
        If the source cannot be read, or has no columns to tell apart.
    """
    if output.exists() and not force:
        raise ConfigError(f"{output} is there already; name another file with --output, or --force")
    keys, unsure = source_keys(path, kind, table, uri_env, output.parent)
    place = path or f"table {table}"
    here = {**keys, "path": path} if path is not None else keys
    config = configuration.parse(
        {"name": _name(output), "source": here, "columns": {"amount": "amount"}}, where=place
    )
    with progress.step("look at the columns"), connect(config.log) as engine:
        raw = engine.read(config.source, config.columns)
        with reading(config.source):
            rows = int(raw.count().execute())
            fields = looks.fields(raw)
            _require_names(fields, place)
            preset = presets.recognised(raw.columns)
            found = guesses.guess(fields)
            columns = found.columns
            if preset is not None:
                columns = _of_preset(preset.name, here, fields)
                found = _beside(columns, fields)
            statuses = _statuses(raw, found) if preset is None else _counted(raw, preset)
    notes = _without_ids(columns, fields)
    draft = Draft(
        config.name,
        f"{place} ({rows:,} rows, {len(fields)} columns)",
        output.name,
        keys,
        unsure,
        found,
        statuses,
        preset,
        notes,
    )
    written = text.toml(draft)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(written, encoding="utf-8")
    return _outcome(draft, output, rows, text.doubts(written))


def _name(output: Path) -> str:
    """The name of a business, from that of its configuration."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", output.stem).strip("-_")[:64] or "shop"


def _require_names(fields: Sequence[Field], place: str) -> None:
    """Raise DataError where the first line holds values, or one name only."""
    names = [field.name for field in fields]
    if len(names) < 2:
        raise DataError(
            f"{place} has one column. Where its values are parted by another sign than a comma, "
            "semicolon, tab or bar, write a configuration with [source] delimiter"
        )
    told = sum(
        values.numbers([name]).share > 0 or values.dates([name]) is not None for name in names
    )
    if told >= len(names) / 2:
        raise DataError(
            f"{place}: the first line holds values, not the names of columns; add a header"
        )


def _of_preset(name: str, source: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, str]:
    """Return the columns that a preset maps, as the export calls them."""
    config = configuration.parse({"name": "x", "source": {**source, "preset": name}})
    columns = config.log.of_header([field.name for field in fields]).columns
    return columns.model_dump(exclude_none=True, exclude={"dimensions"})


def _beside(columns: Mapping[str, str], fields: Sequence[Field]) -> Guess:
    """What a preset does not say of an export: how days and amounts are written, the currency."""
    by_name = {field.name: field for field in fields}
    days, date_format = by_name[columns["timestamp"]].dates, None
    if days is not None and days.form != columns.get("date_format"):
        date_format = days.form or presets.NONE
    value = by_name[_value(columns)]
    currency = by_name.get(columns.get("currency", ""))
    codes = [cell.upper() for cell in currency.filled] if currency is not None else []
    told = sorted(set(codes), key=lambda code: (-codes.count(code), code))
    if not all(re.fullmatch("[A-Z]{3}", code) for code in told):
        told = []
    sign = value.numbers.currency
    return Guess(
        {},
        date_format=date_format,
        or_date_format=days.or_form if days is not None else None,
        offsets=days.offsets if days is not None else (),
        decimal=value.numbers.decimal if value.kind == "text" else ".",
        thousands=value.numbers.thousands if value.kind == "text" else None,
        currencies=tuple(told) or ((sign,) if sign else ()),
    )


def _value(columns: Mapping[str, str]) -> str:
    return next(columns[key] for key in ("amount", "order_total", "price") if key in columns)


def _without_ids(columns: Mapping[str, str], fields: Sequence[Field]) -> tuple[str, ...]:
    """Say so where more rows name no customer than a run may have."""
    by_name = {field.name: field for field in fields}
    if "customer_id" not in columns or not {"amount", "order_total", "price"} & set(columns):
        return ()
    share = looks.without_id(by_name[columns["customer_id"]], by_name[_value(columns)])
    limit = Governance.model_fields["max_missing_id_share"].default
    if share <= limit:
        return ()
    return (
        f"question: {share:.0%} of the rows name no customer. A run fails where more than "
        f"governance.max_missing_id_share ({limit}) do; is another column the customer?",
    )


def _statuses(raw: Table, found: Guess) -> dict[str, dict[str, int]]:
    """Values and rows of the columns that look like a status; none that may name a person."""
    mapped = found.columns.values()
    names = [
        name
        for name in questions.named(raw, questions.STATUS, mapped)
        if not questions.PLACES.search(name) and not raw[name].type().is_floating()
    ]
    told = looks.counts(raw, names, questions.MOST)
    return {name: some for name, some in told.items() if all(map(_is_status, some))}


def _counted(raw: Table, preset: Preset) -> dict[str, dict[str, int]]:
    """Values and rows of the columns by which a preset tells sales."""
    kept = preset.sections["governance"].get("keep", {})
    names = [name for column in kept if (name := preset.found(column, raw.columns)) is not None]
    told = looks.counts(raw, names, questions.MOST)
    return {name: some for name, some in told.items() if all(map(_is_status, some))}


def _is_status(value: str) -> bool:
    return len(value) <= LONGEST_STATUS and "@" not in value and not re.search(r"\d{3}", value)


def _outcome(draft: Draft, output: Path, rows: int, doubts: int) -> Outcome:
    guess, missing = draft.guess, draft.guess.missing
    told = [f'{key} = "{column}"' for key, column in guess.columns.items()]
    if draft.preset is not None:
        told.insert(0, f"the {draft.preset.export} of {draft.preset.name} (preset)")
    asked = f"; {doubts} remark{'s' if doubts != 1 else ''} in it to look at" if doubts else ""
    first = "next"
    if missing:
        names = ", ".join(f"columns.{key}" for key in missing)
        first = f"fill in {names}, for which no column qualifies, and then"
    return Outcome(
        [
            f"wrote {output} ({rows:,} rows: {', '.join(told) or 'no column is known'}{asked}); "
            f"{first}: clv check -c {output}"
        ],
        {
            "config": str(output),
            "rows": rows,
            "preset": draft.preset.name if draft.preset is not None else None,
            "columns": guess.columns,
            "unsure": guess.unsure,
            "missing": list(missing),
            "currencies": list(guess.currencies),
            "remarks": doubts,
        },
    )
