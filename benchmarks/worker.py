"""One step of one engine in a process of its own: ``python -m benchmarks.worker``.

Waits for a line on standard input before every repeat, so that engines can take turns, and answers
with a line of JSON: seconds by the clock and of all cores together (on a busy machine the latter
are the steadier ones), peak memory of the process so far; after the line ``last`` also facts about
the result.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.steps import STEPS
from benchmarks.steps.fits import judged

AGAIN, LAST = "again", "last"


def peak_megabytes() -> float:
    """Largest resident set of this process, or of a child that has ended, so far."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the parent's memory too, from before the program was replaced.
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        own = int(line.split()[1]) / 2**10
    else:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return max(own, children)


def main(step: str, engine: str, folder: str) -> None:
    work = STEPS[step][engine](Path(folder))
    for line in sys.stdin:
        start, cpu_start = time.perf_counter(), time.process_time()
        facts = work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        outcome: dict[str, Any] = {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "peak_mb": peak_megabytes(),
        }
        if line.strip() == LAST:
            outcome["facts"] = judged(facts)
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
