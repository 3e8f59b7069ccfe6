"""What docs/models.md shows, runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {})
    shown = capsys.readouterr().out
    assert "BGNBD" in shown
    assert "7+" in shown


def test_the_modules_it_names_exist():
    table = PAGE.read_text(encoding="utf-8").split("Notation")[0]
    home = PAGE.parents[1] / "clvmodels"
    modules = set(re.findall(r"`([a-z_/]+)`", table)) - {"clvmodels"}
    assert modules
    assert [name for name in modules if not (home / f"{name}.py").exists()] == []
