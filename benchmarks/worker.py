"""One step of one engine in a process of its own: ``python -m benchmarks.worker``.

Prints one line of JSON: seconds of every repeat by the clock and of all cores together, peak
memory of the process, facts. On a busy machine the latter are the steadier ones.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.steps import STEPS, judged


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


def main(step: str, engine: str, folder: str, repeats: str) -> None:
    work = STEPS[step][engine](Path(folder))
    seconds, cpu = [], []
    facts = {}
    for _ in range(int(repeats)):
        start, cpu_start = time.perf_counter(), time.process_time()
        facts = work()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    outcome = {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak_megabytes()}
    print(json.dumps(outcome | {"facts": judged(facts)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
