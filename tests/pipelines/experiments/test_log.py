"""The log of tests and learnings is added to and never changed."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from pipelines.experiments import log

NOON = dt.datetime(2022, 9, 30, 12, tzinfo=dt.UTC)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=12))
def test_every_change_is_one_more_line_and_no_line_changes(tmp_path_factory, readings):
    folder = tmp_path_factory.mktemp("log")
    file, last, lines = folder / log.FILE, {}, []
    for hour, (name, result) in enumerate(readings):
        now = NOON + dt.timedelta(hours=hour)
        made = log.record(folder, {"name": name, "as_of": str(now.date()), "result": result}, now)
        assert made.is_new == (last.get(name) != result)
        assert made.restated == (("result",) if made.is_new and name in last else ())
        now_there = file.read_text(encoding="utf-8").splitlines()
        assert now_there[: len(lines)] == lines
        assert len(now_there) == len(lines) + made.is_new
        last[name], lines = result, now_there
    assert [entry["name"] for entry in log.entries(folder)] == [
        name for at, (name, result) in enumerate(readings) if is_new(readings, at)
    ]


def is_new(readings, at):
    name, result = readings[at]
    before = [r for n, r in readings[:at] if n == name]
    return not before or before[-1] != result


def test_numbers_that_are_not_finite_are_kept_as_nothing(tmp_path):
    told = {"name": "a", "value": float("nan")}
    assert log.record(tmp_path, told, NOON).is_new
    assert not log.record(tmp_path, told, NOON).is_new
    assert next(log.entries(tmp_path))["value"] is None
