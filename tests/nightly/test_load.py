"""Many customers: every one is scored, and memory grows more slowly than their number."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.nightly

FEW, MANY = 100_000, 1_000_000


def peak_megabytes(customers: int) -> float:
    """Peak memory of a run from the log to the written forecast."""
    command = [
        sys.executable, "-m", "benchmarks.scale", "--customers", str(customers),
        "--memory-limit", "2GB",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("| all |"), done.stdout
    return float(last.split("|")[-2].replace(",", ""))


def test_ten_times_the_customers_take_less_than_five_times_the_memory():
    assert peak_megabytes(MANY) < 5 * peak_megabytes(FEW)
