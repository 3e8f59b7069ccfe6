"""Broken files and configurations: each has its message, its exit code, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bad_cases import Case
from bad_configurations import CONFIGURATIONS
from bad_files import FILES
from bad_rows import ROWS_OF_FILES

from clvmodels.core.errors import ClvError
from pipelines import cli

CASES = CONFIGURATIONS + FILES + ROWS_OF_FILES


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Case], ClvError]:
    """Return a function that runs ``clv train`` on a case and gives the error that ends it."""
    monkeypatch.chdir(tmp_path)

    def run(case: Case) -> ClvError:
        (tmp_path / "config.toml").write_bytes(case.toml().encode("utf-8", "surrogateescape"))
        for name, content in {case.file: case.log, **case.others}.items():
            if content is not None:
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(content)
        before = sorted(tmp_path.rglob("*"))
        arguments = ["train", "--config", "config.toml", "--quiet", *case.arguments]
        with pytest.raises(ClvError) as caught:
            cli.app(arguments, standalone_mode=False)
        assert sorted(tmp_path.rglob("*")) == before
        return caught.value

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_input_is_refused_with_its_message(case, refused):
    error = refused(case)
    message = str(error)
    for fragment in (case.says,) if isinstance(case.says, str) else case.says:
        assert fragment in message
    assert error.exit_code == case.code
    assert "\n" not in message
    assert "Traceback" not in message


def test_the_corpus_is_large_enough():
    assert len({case.name for case in CASES}) == len(CASES) >= 60
