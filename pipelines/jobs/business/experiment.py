"""`clv experiment`: read a controlled experiment, or plan one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from clvmodels.core.errors import CheckFailedError, ConfigError
from clvmodels.numerics.threads import one_blas_thread
from pipelines import files
from pipelines.config.experiment import Experiment
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data import margins
from pipelines.experiments import assignment, log, planning, reading
from pipelines.experiments.assignment import Assigned
from pipelines.experiments.collect import Collected, collect
from pipelines.jobs import stages
from pipelines.jobs.business import experiment_words as words
from pipelines.jobs.folders import reports_folder

FOLDER = "experiments"


@one_blas_thread
def experiment_job(
    config: Config, experiment: Experiment, as_of: dt.date | None, progress: Progress
) -> Outcome:
    """Read an experiment whose windows are over, and add it to the log of tests and learnings."""
    table = experiment.assignment
    if table is None:
        raise ConfigError(
            "a section [assignment] with the path of the assignment table is needed to read an "
            "experiment; before it starts, use --plan"
        )
    with progress.step("read the assignment table"):
        frame = assignment.read(config.log, table, experiment.factors)
    with stages.dataset(config, as_of, progress) as data:
        margin = stages.margin_of(data, config)
        assigned = assignment.assigned(
            frame, experiment.factors, experiment.window_days, data.as_of, table.path
        )
        with progress.step(f"what {len(assigned.customers):,} customers did and were expected to"):
            collected = collect(
                data.snapshot,
                assigned.customers,
                metrics=experiment.metrics,
                window_days=experiment.window_days,
                settings=config.train,
                economics=margins.valuation(config.economics, margin),
                horizon_months=config.economics.horizon_months,
            )
        known_until = data.as_of
    with progress.step("compare the arms"):
        found = reading.read(experiment, assigned, collected)
    folder = reports_folder(config) / FOLDER
    facts = _facts(experiment, assigned, collected, found)
    currency = config.economics.currency
    facts |= {"currency": currency, "gross_margin": margin.described()}
    recorded = log.record(folder, {**facts, "as_of": str(known_until)}, dt.datetime.now(dt.UTC))
    lines = words.lines(facts, config.economics, recorded)
    written = _write(folder, experiment.name, facts, known_until, lines)
    broken = None if found.is_readable else CheckFailedError(words.broken_ratio(facts))
    return Outcome(
        [*lines, f"log:    {folder / log.FILE}", *(f"result: {path}" for path in written)],
        {
            **facts,
            "as_of": known_until,
            "log": {
                "file": str(folder / log.FILE),
                "added": recorded.is_new,
                "restated": list(recorded.restated),
                "recorded": recorded.entry["recorded"],
            },
            "files": [str(path) for path in written],
        },
        broken,
    )


def _facts(
    experiment: Experiment, assigned: Assigned, collected: Collected, found: reading.Reading
) -> dict[str, Any]:
    """What is kept of a reading: no ids, nothing that changes from run to run."""
    days = assigned.customers
    return {
        "name": experiment.name,
        "question": experiment.question,
        "learned": experiment.learned,
        "core_metric": experiment.core_metric,
        "window_days": experiment.window_days,
        "alpha": experiment.alpha,
        "controls": {name: factor.control for name, factor in experiment.factors.items()},
        "first_assignment": f"{days['day'].min():%Y-%m-%d}",
        "last_window_ends": f"{days['until'].max():%Y-%m-%d}",
        "assignment": {
            "rows": assigned.rows,
            "repeated_rows": assigned.repeated,
            "customers": int(assigned.by_cell.sum()) + assigned.set_aside["several_arms"],
            "read": len(collected.place),
            "set_aside": {**assigned.set_aside, **collected.set_aside},
        },
        "sample_ratio": found.sample_ratio,
        "arms": found.arms,
        "effects": found.effects,
        "left_out": found.left_out,
        "notes": list(found.notes),
    }


def _write(
    folder: Path, name: str, facts: dict[str, Any], as_of: dt.date, lines: list[str]
) -> list[Path]:
    """Write the reading for programs and for people."""
    json_file, text_file = folder / f"{name}.json", folder / f"{name}.md"
    files.write_text(json_file, files.to_json({**facts, "as_of": str(as_of)}))
    files.write_text(text_file, words.page(facts, as_of, lines))
    return [json_file, text_file]


@one_blas_thread
def plan_job(
    config: Config, experiment: Experiment, as_of: dt.date | None, progress: Progress
) -> Outcome:
    """Say how many customers and days an experiment needs; nothing is written."""
    planning.wished(experiment)
    with stages.dataset(config, as_of, progress) as data:
        margin = stages.margin_of(data, config)
        with progress.step("how much customers differ"):
            past = planning.history(
                data.snapshot,
                experiment,
                settings=config.train,
                economics=margins.valuation(config.economics, margin),
                horizon_months=config.economics.horizon_months,
            )
        facts = planning.plan(experiment, past, data.as_of)
    facts = {"name": experiment.name, "question": experiment.question, **facts}
    facts["currency"] = config.economics.currency
    return Outcome(words.plan_lines(facts, config.economics), facts)
