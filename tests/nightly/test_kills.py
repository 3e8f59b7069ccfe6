"""A training that is killed at any moment leaves what was there, or the whole of the new."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shop import Shop, clv_process, copy_shop

MOMENTS = 12
"""Kills, spread evenly over the time that an undisturbed training takes."""

LATER = "2022-09-30"
"""As-of date of the trainings that are killed: a month after the one in use."""

pytestmark = pytest.mark.nightly


def start(shop: Shop) -> subprocess.Popen[bytes]:
    """Start a training in a group of processes of its own, so that workers die with it."""
    command = [
        str(Path(sys.executable).with_name("clv")), "train", "--config", str(shop.file),
        "--as-of", LATER, "--quiet",
    ]  # fmt: skip
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)


@pytest.fixture(scope="module")
def seconds(trained, tmp_path_factory) -> float:
    """What an undisturbed training takes here."""
    shop = copy_shop(trained, tmp_path_factory.mktemp("whole") / "shop")
    begin = time.monotonic()
    assert start(shop).wait() == 0
    return time.monotonic() - begin


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_killed_training_leaves_a_usable_state(trained, tmp_path, seconds, moment):
    shop = copy_shop(trained, tmp_path / "shop")
    process = start(shop)
    time.sleep(seconds * (moment + 0.5) / MOMENTS)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    options = ("--config", str(shop.file), "--json", "--quiet")
    listed = clv_process("models", "list", *options[:-1])
    assert listed.code == 0, listed.err
    assert listed.json()["champion"] in listed.json()["versions"]
    assert listed.json()["refused"] == {}
    for report in shop.reports.glob("[0-9]*"):
        drawn = clv_process("report", *options, "--as-of", report.name)
        assert drawn.code == 0, drawn.err
    scored = clv_process("forecast", *options)
    assert scored.code == 0, scored.err
    again = clv_process("train", *options, "--as-of", LATER)
    assert again.code == 0, again.err
    assert again.json()["version"].startswith(LATER)
