"""What docs/activation.md shows is so: its table of segments, and its example."""

from __future__ import annotations

import re
from pathlib import Path

from clvmodels.activation.rfm_segments import USUAL

PAGE = (Path(__file__).parents[3] / "docs" / "activation.md").read_text(encoding="utf-8")


def span(ends: tuple[int, int]) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def test_the_page_shows_the_usual_table():
    section = PAGE[PAGE.index("## Segments") :]
    rows = section[section.index("|---") :].split("\n\n")[0].splitlines()[1:]
    assert rows == [
        f"| {box.name} | {' | '.join(span(ends) for ends in box.ends)} |" for box in USUAL.boxes
    ]


def test_the_example_runs():
    section = PAGE[PAGE.index("## In Python") :]
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    exec(compile(code, "docs/activation.md", "exec"), {})
