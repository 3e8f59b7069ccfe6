"""The benchmark runs, its engines agree, and it writes what it prints."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from benchmarks.__main__ import agreement, ratio, show
from benchmarks.log import write_log
from benchmarks.steps.common import LIFETIMES, OWN


def test_log_is_seeded_and_as_large_as_asked(tmp_path):
    rows = write_log(tmp_path / "a.parquet", 500, seed=3)
    write_log(tmp_path / "b.parquet", 500, seed=3)
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.num_rows == rows
    assert table.equals(pq.read_table(tmp_path / "b.parquet"))
    assert len(set(table["customer_id"].to_pylist())) == 500
    assert table["timestamp"].to_pandas().is_monotonic_increasing


def test_a_wrong_result_is_seen():
    same = {OWN: {"facts": {"sum": 10.0}}, LIFETIMES: {"facts": {"sum": 10.0 + 1e-9}}}
    wrong = {OWN: {"facts": {"sum": 10.0}}, LIFETIMES: {"facts": {"sum": 11.0}}}
    assert agreement(same) == "same result"
    assert agreement(wrong) == "results 1.0e-01 apart"


def test_a_failure_is_shown_and_has_no_ratio():
    results = {"clv": {OWN: {"median": 0.1, "peak_mb": 9.0}, LIFETIMES: {"failed": "MemoryError"}}}
    assert ratio(results, "clv") is None
    assert "failed" in show(results)


@pytest.mark.slow
def test_whole_benchmark(tmp_path):
    output = tmp_path / "result.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks", "--customers", "3000", "--repeats", "1",
            "--output", str(output),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads(output.read_text(encoding="utf-8"))
    assert content["customers"] == 3000
    assert {"summary", "bgnbd", "spend", "expected", "clv", "whole"} <= set(content["ratios"])
    assert all(content["ratios"][step] > 0 for step in ("summary", "clv", "whole"))
    for step in ("summary", "expected", "clv"):
        assert agreement(content["results"][step]) == "same result"
    bgnbd = content["results"]["bgnbd"]
    own, reference = (bgnbd[e]["facts"]["log_likelihood"] for e in (OWN, LIFETIMES))
    assert own >= reference - 1e-6 * abs(reference)
    assert done.stdout.startswith("| step | lifetimes, s | this project, s | ratio |")
