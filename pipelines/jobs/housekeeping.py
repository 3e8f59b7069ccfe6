"""The jobs that forecast nothing: account for the data, erase a person, list models."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from clvmodels.core.errors import DataError, ModelFileError
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data import customer_days as transactions
from pipelines.data import privacy
from pipelines.data.features import drivers
from pipelines.data.lines import folded_text
from pipelines.data.quality import checks, preview
from pipelines.jobs import messages, stages
from pipelines.jobs.folders import models_folder, reports_folder
from pipelines.registry import migration, version_records
from pipelines.registry import store as registry

RARE = (
    "note:   it keeps the names of all categories of the old model, also of those that fewer than "
    "ten customers share, as the old files hold no counts; the next training drops these"
)


def check_job(config: Config, as_of: dt.date | None, progress: Progress, show: int = 0) -> Outcome:
    """Read the source, account for every row, and show how the first rows are read."""
    stages.check_spend(config)
    with progress.step("read and check the transactions"):
        try:
            with transactions.load(config.log, as_of, enforce=False) as data:
                account, fingerprint = data.account, data.fingerprint
                broken = data.sales.broken_limits(config.governance)
                plausible = data.plausibility
                controlled = stages.controlled(data, config)
                checks.validate(data.purchases, config.calendar.earliest, data.as_of)
                beside = stages.drivers_at(config)(data.snapshot)
        except DataError as error:
            if not show:
                raise
            return Outcome(*_first_rows(config, show), error=error)
        shown, rows = _first_rows(config, show) if show else ([], {})
    broken += [*account.broken_limits(config.governance), *plausible.broken]
    broken += controlled.broken if controlled else []
    facts = {
        **account.to_dict(),
        "fingerprint": fingerprint,
        "plausibility": plausible.to_dict(),
        "control": controlled.records() if controlled else [],
        "broken_limits": broken,
        "from_preset": list(config.from_preset),
        **rows,
    }
    lines = [
        *messages.preset_line(config),
        *messages.account_lines(account, config),
        *messages.plausibility_lines(plausible),
        *messages.control_lines(controlled),
        *drivers.described(beside),
        *drivers.notes(beside, data.as_of),
    ]
    if show:
        lines += ["", *shown]
    lines += [f"failed: {sentence}" for sentence in broken] or ["every limit is kept"]
    return Outcome(lines, facts)


def _first_rows(config: Config, show: int) -> tuple[list[str], dict[str, Any]]:
    """Return how the first rows are read, for people and for programs."""
    first = preview.preview(config.log, show)
    records = json.loads(first.to_json(orient="records", date_format="iso"))
    return [first.to_string(index=False, na_rep="")], {"first_rows": records}


def erase_job(config: Config, customer_ids: list[str]) -> Outcome:
    """Remove persons from every saved output, and say from where, and what was not searched."""
    folders = [reports_folder(config), models_folder(config)]
    names = privacy.pseudonyms(config.governance.pseudonym_key_env)
    if config.columns.fold_ids:  # as they were written before that key was set, too
        customer_ids = [*customer_ids, *map(folded_text, customer_ids)]
    erased = privacy.erase(folders, customer_ids, names)
    removed = [f"{e.file}: {e.rows} row{'s' if e.rows > 1 else ''} removed" for e in erased.removed]
    that = f"no {'other ' if erased.unread else ''}saved output of '{config.name}'"
    return Outcome(
        [
            *(removed or [f"{that} holds them, by this spelling of the id"]),
            "saved models and report pages hold no customers; the source itself is not touched",
        ],
        {
            "erased": [{"file": str(e.file), "rows": e.rows} for e in erased.removed],
            "not_searched": [
                {"file": str(file), "reason": reason} for file, reason in erased.unread.items()
            ],
        },
        erased.error,
    )


def list_models(config: Config) -> Outcome:
    """All saved versions, the one in use marked, and those that cannot be used with the reason."""
    home = models_folder(config)
    versions = registry.versions(home)
    used, error, refused, errors = None, None, {}, {}
    try:
        used = registry.champion_or_none(home)
    except ModelFileError as damaged:
        error = damaged
    for version in versions:
        try:
            saved = registry.require_loadable(registry.verify(home, version))
            errors[version] = saved.manifest.get("errors", [])  # earlier releases saved none
        except ModelFileError as reason:
            refused[version] = str(reason)
    for version, new in migration.migrated(home).items():
        if version in refused:
            refused[version] = f"it was migrated to {new}, and may be deleted"
    lines = []
    for version in versions:
        lines.append(f"{'*' if version == used else ' '} {version}  {home / version}")
        lines += messages.version_errors(errors.get(version, []))
        if version in refused:
            lines.append(f"    cannot be used: {refused[version]}")
    return Outcome(
        lines or [f"no saved models of '{config.name}'; run `clv train`"],
        {"champion": used, "versions": versions, "refused": refused, "errors": errors},
        error,
    )


def accept_job(config: Config, version: str) -> Outcome:
    """Record a version as it is now."""
    model, digest = migration.accept(models_folder(config), version)
    return Outcome(
        [
            f"recorded: {model.folder}",
            f"its manifest has the SHA-256 {digest}; from now on it is refused with any other",
        ],
        {"model": str(model.folder), "version": version, "manifest_sha256": digest},
    )


def migrate_job(config: Config, version: str | None, progress: Progress) -> Outcome:
    """Save a version of an earlier release anew, without its pickle."""
    home = models_folder(config)
    old = version or registry.champion(home)
    with progress.step(
        f"read the pickle of {old}, which runs the code in it, and save its numbers"
    ):
        new = migration.migrate(home, old)
    in_use = registry.champion_or_none(home) == new.version
    churn = version_records.parse_json(new.contents[registry.CHURN], new.folder / registry.CHURN)
    categories = {name: len(values) for name, values in churn["categories"].items()}
    return Outcome(
        [
            f"model:  {new.folder}{'' if in_use else ' (not in use)'}",
            f"from:   {home / old} (as it was; nothing reads it any more)",
            *([RARE] if categories else []),
        ],
        {
            "model": str(new.folder),
            "version": new.version,
            "from": old,
            "in_use": in_use,
            "kept_categories": categories,
        },
    )
