"""One step of one engine in a process of its own: ``python -m benchmarks.worker``.

Prints one line of JSON: seconds of every repeat, peak memory of the process, facts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.steps import STEPS, judged


def peak_megabytes() -> float:
    """Largest resident set of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the parent's memory too, from before the program was replaced.
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def main(step: str, engine: str, folder: str, repeats: str) -> None:
    work = STEPS[step][engine](Path(folder))
    seconds = []
    facts = {}
    for _ in range(int(repeats)):
        start = time.perf_counter()
        facts = work()
        seconds.append(time.perf_counter() - start)
    peak = peak_megabytes()
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "facts": judged(facts)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
