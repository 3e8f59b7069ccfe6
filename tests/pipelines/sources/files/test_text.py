"""What one look at the bytes of a file tells, beside a reader that holds them all."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.files import text as text_files

PIECES = [b"a", b"\n", b"\r\n", b"\r", "é".encode(), "日".encode(), b"\xfc"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=9), block=st.integers(1, 9))
@pytest.mark.parametrize("zipped", [False, True])
def test_a_scan_by_blocks_tells_what_the_whole_holds(tmp_path, monkeypatch, pieces, block, zipped):
    content = b"".join(pieces)
    file = tmp_path / ("log.csv.gz" if zipped else "log.csv")
    file.write_bytes(gzip.compress(content) if zipped else content)
    monkeypatch.setattr(text_files, "_BLOCK", block)
    found = text_files.scan(file)
    bare = content.replace(b"\r\n", b"")
    kinds = [b"\r\n" in content, b"\n" in bare, b"\r" in bare]
    assert found.even == (sum(kinds) <= 1 and not kinds[2])
    assert found.lines == len(content.splitlines())
    assert found.is_utf8 == (b"\xfc" not in content)
    filled = [line for line in content.split(b"\n") if line.strip(b"\r")]
    assert text_files.filled_lines(file) == len(filled)
