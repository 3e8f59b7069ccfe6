"""The package itself: what it exports, and how little it imports to begin with."""

from __future__ import annotations

import subprocess
import sys

import pytest

import clvmodels


def test_everything_exported_exists():
    for name in clvmodels.__all__:
        assert getattr(clvmodels, name) is not None
    assert set(clvmodels.__all__) <= set(dir(clvmodels))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = clvmodels.Nothing


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import clvmodels", ["numpy", "pandas", "scipy"]),
        ("from clvmodels import BGNBD", ["pandas", "lifetimes", "sklearn", "ibis", "matplotlib"]),
        ("import clvmodels.registry", ["lifetimes", "sklearn", "ibis", "matplotlib"]),
    ],
)
def test_imports_only_what_it_needs(statement, unwanted):
    code = f"{statement}; import sys; print([m for m in {unwanted!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
