"""``python -m benchmarks``: time this project and lifetimes on the same log, in one run."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import clvmodels
from benchmarks.log import write_log
from benchmarks.steps import STEPS, TITLES
from benchmarks.steps.common import DUCKDB, LIFETIMES, LOG, OWN, PARAMETERS, SUMMARY
from benchmarks.steps.reading import read_own
from benchmarks.worker import AGAIN, LAST

RESULTS = Path(__file__).parent / "results"
ENGINES = (LIFETIMES, OWN, DUCKDB)
LOOSE = 1e-6
"""Relative difference up to which two engines' results count as the same."""

Outcome = dict[str, Any]


def say(text: str) -> None:
    """Progress, kept apart from the table."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def worker(step: str, engine: str, folder: Path) -> Iterator[Callable[[str], Outcome]]:
    """Start a process for one engine; yield what does the step once more in it."""
    command = [sys.executable, "-m", "benchmarks.worker", step, engine, str(folder)]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True) as process,
    ):

        def repeat(word: str) -> Outcome:
            """Return the times; a failure is an outcome, not the end."""
            with contextlib.suppress(BrokenPipeError):  # the process says why on its way out
                print(word, file=process.stdin, flush=True)
            answer = process.stdout.readline() if process.stdout else ""
            if answer:
                outcome: Outcome = json.loads(answer)
                return outcome
            code = process.wait()
            errors.seek(0)
            lines = errors.read().strip().splitlines() or [f"exit code {code}"]
            return {"failed": lines[-1]}

        yield repeat


def measure(step: str, engines: list[str], folder: Path, repeats: int) -> dict[str, Outcome]:
    """Let the engines take turns at one step, so that all meet the machine in the same moods.

    Every other turn runs backwards: memory and caches depend on who was there before.
    """
    say(f"{TITLES[step]}: {', '.join(engines)}")
    found: dict[str, list[Outcome]] = {engine: [] for engine in engines}
    with contextlib.ExitStack() as stack:
        workers = {e: stack.enter_context(worker(step, e, folder)) for e in engines}
        for turn, word in enumerate([AGAIN] * (repeats - 1) + [LAST]):
            for engine, repeat in list(workers.items())[:: -1 if turn % 2 else 1]:
                if not any("failed" in outcome for outcome in found[engine]):
                    found[engine].append(repeat(word))
    return {engine: _together(engine, outcomes) for engine, outcomes in found.items()}


def _together(engine: str, outcomes: list[Outcome]) -> Outcome:
    last = outcomes[-1]
    if "failed" in last:
        say(f"  {engine} failed: {last['failed']}")
        return last
    seconds = [outcome["seconds"] for outcome in outcomes]
    cpu = [outcome["cpu_seconds"] for outcome in outcomes]
    return last | {"seconds": seconds, "cpu_seconds": cpu, "median": statistics.median(seconds)}


def prepare(folder: Path, customers: int, seed: int) -> int:
    """Write the log, and the summary that the fits and forecasts read."""
    started = time.perf_counter()
    rows = write_log(folder / LOG, customers, seed)
    table = read_own(folder)
    # Rows in no particular order must not favour anyone.
    pq.write_table(table.sort_by("customer_id"), folder / SUMMARY)
    say(f"{customers:,} customers, {rows:,} transactions in {time.perf_counter() - started:.1f} s")
    return rows


def run(folder: Path, steps: list[str], engines: list[str], repeats: int) -> dict[str, Any]:
    """Measure every step of every engine, fits before the forecasts that use them."""
    results: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for step in STEPS:
        needed = step in ("bgnbd", "spend") and bool({"expected", "clv"} & set(steps))
        asked = [e for e in ENGINES if e in STEPS[step] and e in engines] if step in steps else []
        if needed and OWN not in asked:
            asked.append(OWN)
        if asked:
            results[step] = measure(step, asked, folder, repeats)
        fitted = results.get(step, {}).get(OWN, {}).get("facts", {}).get("parameters")
        if fitted:
            parameters[step] = fitted
            (folder / PARAMETERS).write_text(json.dumps(parameters), encoding="utf-8")
    return results


def ratio(results: dict[str, Any], step: str, other: str = LIFETIMES) -> float | None:
    """How many times as long the other engine takes."""
    found = results.get(step, {})
    own, theirs = found.get(OWN, {}).get("median"), found.get(other, {}).get("median")
    return theirs / own if own and theirs else None


def agreement(outcomes: dict[str, Outcome]) -> str:
    """Whether the engines' results are the same, in words."""
    facts = {name: o["facts"] for name, o in outcomes.items() if "facts" in o}
    if any("log_likelihood" in f for f in facts.values()):
        return "log-likelihood " + ", ".join(
            f"{name} {f['log_likelihood']:,.2f}" for name, f in facts.items()
        )
    if len(facts) < 2:
        return ""
    first, *others = facts.values()
    if not first:
        return ""
    apart = max(
        abs(other[key] - value) / max(abs(value), 1e-300)
        for other in others
        for key, value in first.items()
    )
    return "same result" if apart < LOOSE else f"results {apart:.1e} apart"


def show(results: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    head = ["step", "lifetimes, s", "this project, s", "ratio", "peak MB", "results"]
    rows = [head, ["---", "---:", "---:", "---:", "---:", "---"]]
    for step, outcomes in results.items():
        times = [_seconds(outcomes.get(engine)) for engine in (LIFETIMES, OWN)]
        peaks = " / ".join(
            f"{outcomes[e]['peak_mb']:,.0f}" if "peak_mb" in outcomes.get(e, {}) else "–"
            for e in (LIFETIMES, OWN)
        )
        times_faster = ratio(results, step)
        rows.append(
            [
                TITLES[step],
                *times,
                f"{times_faster:.1f} x" if times_faster else "–",
                peaks,
                agreement(outcomes),
            ]
        )
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    by_hand = results.get("summary", {}).get(DUCKDB, {}).get("median")
    if by_hand:
        slower = 1 / (ratio(results, "summary", DUCKDB) or math.nan)
        lines.append(
            f"\nHand-written DuckDB SQL makes the summary in {by_hand:.2f} s, without the checks "
            f"and the account: this project takes {slower:.2f} x as long."
        )
    pareto, reference = (
        results.get(step, {}).get(engine, {}).get("median")
        for step, engine in (("pareto", OWN), ("bgnbd", LIFETIMES))
    )
    if pareto and reference:
        lines.append(
            f"\nThe Pareto/NBD fit takes {pareto / reference:.2f} x as long as lifetimes' BG/NBD "
            "fit."
        )
    return "\n".join(lines)


def _seconds(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    return "failed" if "failed" in outcome else f"{outcome['median']:.3f}"


def environment() -> dict[str, Any]:
    """Where the figures come from."""
    packages = ("lifetimes", "numpy", "scipy", "pandas", "duckdb", "ibis-framework", "pyarrow")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "packages": {name: importlib.metadata.version(name) for name in packages},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--customers",
        type=int,
        default=1_000_000,
        help="10000 to 10000000 (default: 1000000, about 4 million transactions)",
    )
    parser.add_argument("--repeats", type=int, default=6, help="of every step (default: 6)")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument(
        "--without-lifetimes", action="store_true", help="for sizes that lifetimes cannot hold"
    )
    parser.add_argument("--output", type=Path, help="JSON file (default: in benchmarks/results)")
    options = parser.parse_args()
    if options.customers < 1 or options.repeats < 1:
        parser.error("--customers and --repeats must be at least 1")
    engines = [e for e in ENGINES if not (e == LIFETIMES and options.without_lifetimes)]
    steps = [s for s in options.steps if s != "pareto" or "ParetoNBD" in clvmodels.__all__]
    with tempfile.TemporaryDirectory(prefix="clv-bench-") as name:
        folder = Path(name)
        rows = prepare(folder, options.customers, options.seed)
        results = run(folder, steps, engines, options.repeats)
    print(show(results))
    output = options.output or RESULTS / f"{options.customers}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "customers": options.customers,
        "transactions": rows,
        "seed": options.seed,
        "repeats": options.repeats,
        "environment": environment(),
        "ratios": {step: ratio(results, step) for step in results},
        "results": results,
    }
    output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    say(f"written to {output}")
    if any("failed" in o for outcomes in results.values() for o in outcomes.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
