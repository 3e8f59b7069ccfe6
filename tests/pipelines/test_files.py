"""Writing beside and renaming into place: what is there is always whole."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.exceptions import ConfigError
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
