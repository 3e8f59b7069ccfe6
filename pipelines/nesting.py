"""JSON and TOML as far as anybody means them: text that nests without end is refused.

Parsers recurse, and so does what comes after them (checks, messages), while Python's stack is
finite.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEEPEST = 50
"""Levels of lists and tables within each other; no file of this project has a third of it."""


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is no JSON of at most :data:`DEEPEST` levels.
    """
    return from_json(path.read_text(encoding="utf-8"))


def from_json(text: str) -> Any:
    """Parse JSON; ValueError where it is none, or too deep."""
    return _parsed(json.loads, text)


def from_toml(text: str) -> dict[str, Any]:
    """Parse TOML; ValueError where it is none, or too deep."""
    content: dict[str, Any] = _parsed(tomllib.loads, text)
    return content


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        content = parse(text)
    except RecursionError:
        content = None
    else:
        if _levels(content) <= DEEPEST:
            return content
    raise ValueError(f"its values are nested more than {DEEPEST} levels deep")


def _levels(content: Any) -> int:
    """Count the levels of lists and dictionaries, one at a time and not by recursion."""
    level, count = [content], 0
    while count <= DEEPEST and (level := [x for x in level if isinstance(x, dict | list)]):
        level = [x for part in level for x in (part.values() if isinstance(part, dict) else part)]
        count += 1
    return count
