"""``python -m benchmarks.scale``: read, extract, fit, score and write a large log, step by step.

Prints Markdown: seconds by the clock and of all cores, and the peak memory up to each step.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.log import AS_OF, write_log
from benchmarks.steps import common as steps
from benchmarks.worker import peak_megabytes
from pipelines.config.load import Config
from pipelines.data import customer_days as transactions
from pipelines.data.features import CohortHistory
from pipelines.data.margins import Margin
from pipelines.jobs import stages
from pipelines.training import fit as train


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print what a step took, as a row of the table."""
    start, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, busy = time.perf_counter() - start, time.process_time() - cpu
    print(f"| {step} | {seconds:.1f} | {busy:.1f} | {peak_megabytes():,.0f} |", flush=True)


def run(config: Config, folder: Path) -> None:
    """Go from the log to the written forecast."""
    with ExitStack() as stack:
        with timed("read, check and summarise"):
            data = stack.enter_context(transactions.load(config, AS_OF))
        with timed("extract"):
            learned_from = stages.read_training(data.snapshot, config)
        with timed("fit"):
            fitted = train.estimate(learned_from, config.train)
        with timed("score and write"):
            history = CohortHistory.of(data.snapshot)
            margin = Margin(config.economics.margin)
            stages.delivered(fitted, data.snapshot, history, folder, config, margin)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--memory-limit", help="DuckDB's share, as source.memory_limit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clv-scale-") as name:
        folder = Path(name)
        rows = write_log(folder / steps.LOG, options.customers, options.seed)
        print(f"{options.customers:,} customers, {rows:,} transactions", file=sys.stderr)
        config = steps.config(folder)
        source = config.source.model_copy(update={"memory_limit": options.memory_limit})
        config = config.model_copy(update={"source": source})
        print("| step | seconds | processor seconds | peak MB so far |\n|---|---:|---:|---:|")
        with timed("all"):
            run(config, folder)


if __name__ == "__main__":
    main()
