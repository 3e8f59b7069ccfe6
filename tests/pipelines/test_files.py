"""Writing beside and renaming into place: what is there is always whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.errors import ConfigError
from pipelines import files


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def target(tmp_path):
    """A folder that holds an earlier good state."""
    folder = tmp_path / "a" / "b" / "2022-01-31"
    folder.mkdir(parents=True)
    (folder / "old.txt").write_text("old", encoding="utf-8")
    return folder


def test_a_finished_folder_takes_the_place_of_the_old_one(tmp_path, target):
    with files.replacing_folder(target) as beside:
        (beside / "new.txt").write_text("new", encoding="utf-8")
        assert (target / "old.txt").exists()
    assert tree(tmp_path) == {
        "a": b"", "a/b": b"", "a/b/2022-01-31": b"", "a/b/2022-01-31/new.txt": b"new",
    }  # fmt: skip


def test_keep_starts_from_what_is_there(target):
    with files.replacing_folder(target, keep=True) as beside:
        (beside / "new.txt").write_text("new", encoding="utf-8")
    assert tree(target) == {"old.txt": b"old", "new.txt": b"new"}


def test_keep_takes_over_what_is_there_at_the_end(target):
    """Also what another has written meanwhile, and no half of what is written anew."""
    (target / "folder").mkdir()
    (target / "folder" / "old.txt").write_text("old", encoding="utf-8")
    (target / "kept").mkdir()
    (target / "kept" / "old.txt").write_text("old", encoding="utf-8")
    with files.replacing_folder(target, keep=True) as beside:
        (beside / "folder").mkdir()
        (beside / "folder" / "new.txt").write_text("new", encoding="utf-8")
        with files.replacing_folder(target, keep=True) as other:
            (other / "old.txt").write_text("newer", encoding="utf-8")
    assert tree(target) == {
        "folder": b"", "folder/new.txt": b"new", "kept": b"", "kept/old.txt": b"old",
        "old.txt": b"newer",
    }  # fmt: skip
    assert [p.name for p in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("links", [True, False])
def test_what_is_kept_may_be_written_again(target, monkeypatch, links):
    def without(*_, **__):
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(files.os, "link", without)
    for content in ("one", "two"):
        with files.replacing_folder(target, keep=True) as beside:
            (beside / "new.txt").write_text(content, encoding="utf-8")
    assert tree(target) == {"old.txt": b"old", "new.txt": b"two"}


WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pipelines import files
target, me, keep, locks = Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "keep", sys.argv[5]
if locks == "none":
    files.fcntl = None
while not (target.parent.parent / "go").exists():
    time.sleep(0.001)
for turn in range(25):
    with files.replacing_folder(target, keep=keep) as beside:
        for part in "ab":
            (beside / part).write_text(f"{me} {turn}", encoding="utf-8")
        if keep:
            (beside / f"of {me}").write_text(str(turn), encoding="utf-8")
"""


def together(script: str, folder: Path, arguments: list[list[str]]) -> list[subprocess.Popen]:
    """Start processes that wait for each other, and let them go."""
    home = str(Path(files.__file__).parents[1])
    started = [
        subprocess.Popen([sys.executable, "-c", script, home, *given], stderr=subprocess.PIPE)
        for given in arguments
    ]
    (folder / "go").touch()
    return started


@pytest.mark.parametrize(("keep", "locks"), [("keep", "flock"), ("", "flock"), ("", "none")])
def test_processes_that_replace_one_folder_leave_it_whole(tmp_path, target, keep, locks):
    """Nobody fails, nobody's half is seen, and nothing is left beside it."""
    names = [f"p{number}" for number in range(6)]
    started = together(WRITER, tmp_path / "a", [[str(target), me, keep, locks] for me in names])
    seen = set()
    while any(process.poll() is None for process in started):
        with contextlib.suppress(FileNotFoundError):
            text = (target / "a").read_text(encoding="utf-8")
            seen.add(text.split()[0])
            assert len(text.split()) == 2, "a file is half written"
    for process in started:
        assert process.communicate() == (None, b"")
        assert process.returncode == 0
    assert seen <= set(names)
    left = tree(target)
    assert left["a"] == left["b"]
    assert left["a"].split()[1] == b"24"
    assert [p.name for p in target.parent.iterdir()] == [target.name]
    if keep:
        assert {f"of {me}": b"24" for me in names}.items() <= left.items()


def test_a_name_that_is_taken_is_not_claimed(tmp_path):
    for taken in ("folder", "full", "file", "link"):
        target = tmp_path / taken
        if taken == "file":
            target.write_text("", encoding="utf-8")
        elif taken == "link":
            target.symlink_to(tmp_path / "nowhere")
        else:
            target.mkdir()
        if taken == "full":
            (target / "old.txt").write_text("old", encoding="utf-8")
        before = tree(tmp_path)
        with files.new_folder(target) as beside:
            (beside / "new.txt").write_text("new", encoding="utf-8")
            assert not files.take_name(beside, target)
        assert tree(tmp_path) == before
    with files.new_folder(tmp_path / "free") as beside:
        (beside / "new.txt").write_text("new", encoding="utf-8")
        assert files.take_name(beside, tmp_path / "free")
    assert tree(tmp_path / "free") == {"new.txt": b"new"}


def test_a_lock_ends_with_its_process(tmp_path):
    """And keeps others out until then."""
    script = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pipelines import files
with files.locked(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""
    home = str(Path(files.__file__).parents[1])
    holder = subprocess.Popen(
        [sys.executable, "-c", script, home, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    order = []

    def wait():
        with files.locked(tmp_path):
            order.append("entered")

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.2)
    order.append("killed")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    waiting.join()
    assert order == ["killed", "entered"]
    assert tree(tmp_path) == {}


def test_only_a_plain_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"here")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert files.read_plain(tmp_path / "file") == b"here"
    for name in ("folder", "link", "pipe", "none"):
        with pytest.raises(OSError, match=name):
            files.read_plain(tmp_path / name)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("keep", [False, True])
def test_a_run_that_dies_leaves_the_last_good_state(tmp_path, target, error, keep):
    before = tree(tmp_path)

    def die():
        with files.replacing_folder(target, keep=keep) as beside:
            (beside / "old.txt").write_text("half", encoding="utf-8")
            (beside / "new.txt").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        die()
    assert tree(tmp_path) == before


def test_a_first_run_that_dies_leaves_no_folder_at_all(tmp_path):
    with pytest.raises(ValueError, match="dies"), files.replacing_folder(tmp_path / "x/y/z"):
        raise ValueError("dies")
    assert tree(tmp_path) == {}


def test_folders_that_others_use_meanwhile_stay(tmp_path):

    def die():
        with files.replacing_folder(tmp_path / "x/y/z"):
            (tmp_path / "x" / "other").mkdir()
            raise ValueError("dies")

    with pytest.raises(ValueError, match="dies"):
        die()
    assert set(tree(tmp_path)) == {"x", "x/other"}


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path, target):
    before = tree(tmp_path)
    with pytest.raises(FileNotFoundError), files.replacing_folder(target) as beside:
        beside.rmdir()  # somebody cleans up under us: nothing is left to rename into place
    assert tree(tmp_path) == before


def test_two_writers_of_one_folder_leave_one_of_their_states(tmp_path, target):
    with files.replacing_folder(target) as first:
        (first / "first.txt").write_text("1", encoding="utf-8")
        with files.replacing_folder(target) as second:
            (second / "second.txt").write_text("2", encoding="utf-8")
    assert tree(target) == {"first.txt": b"1"}
    assert [p.name for p in target.parent.iterdir()] == [target.name]


def test_a_place_that_cannot_be_written_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for write in (
        lambda: files.write_text(tmp_path / "file" / "x.json", "{}"),
        lambda: files.replacing_folder(tmp_path / "file" / "x").__enter__(),
        lambda: files.replacing_folder(Path("/proc/clv/x")).__enter__(),
        lambda: files.replacing_folder(tmp_path / ("n" * 255)).__enter__(),
        lambda: files.write_text(tmp_path / ("n" * 255), "{}"),
    ):
        with pytest.raises(ConfigError, match="cannot write to"):
            write()
    assert set(tree(tmp_path)) == {"file"}


def test_write_text_replaces_whole_files_or_nothing(tmp_path):
    path = tmp_path / "sub" / "champion.json"
    files.write_text(path, "eins")
    files.write_text(path, "zwei – 2")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "\udcff")
    assert tree(tmp_path) == {"sub": b"", "sub/champion.json": "zwei – 2".encode()}
    assert path.stat().st_mode & 0o777 == 0o644


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
contents = st.recursive(
    leaves, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(), x, max_size=4)
)


def finite(content):
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, list):
        return [finite(value) for value in content]
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    return content


@given(contents)
def test_json_is_strict_and_keeps_every_finite_value(content):
    text = files.to_json(content)

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse) == finite(content)


def test_json_takes_numpy_and_pandas_values():
    content = {
        "a": np.float64("nan"), "b": np.int64(3), "c": (np.bool_(True), np.float32(0.5)),
        1: pd.Timestamp("2022-01-31"), "t": Path("x/y"),
    }  # fmt: skip
    assert json.loads(files.to_json(content)) == {
        "a": None, "b": 3, "c": [True, 0.5], "1": "2022-01-31 00:00:00", "t": "x/y",
    }  # fmt: skip


@given(st.binary(max_size=10_000))
def test_sha256_is_that_of_the_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "hashed"
    path.write_bytes(content)
    assert files.sha256(path) == hashlib.sha256(content).hexdigest()
