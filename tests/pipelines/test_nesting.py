"""Text that nests: what anybody means is read, what has no end is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.nesting import DEEPEST, from_json, from_toml, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_it_was_written(content):
    assert from_json(json.dumps(content)) == content


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("levels", [1, DEEPEST, DEEPEST + 1, 500, 995, 1_000, 5_000, 200_000])
def test_only_so_many_levels_are_read(opening, closing, levels):
    text = opening * levels + ("1" if closing == "}" else "") + closing * levels
    if levels <= DEEPEST:
        assert from_json(text) is not None
    else:
        with pytest.raises(ValueError, match=f"more than {DEEPEST} levels"):
            from_json(text)


@pytest.mark.parametrize("levels", [1, DEEPEST - 1, DEEPEST, 300, 995, 50_000])
def test_toml_has_the_same_limit(levels):
    text = f"x = {'[' * levels}{']' * levels}"
    if levels < DEEPEST:
        assert set(from_toml(text)) == {"x"}
    else:
        with pytest.raises(ValueError, match=f"more than {DEEPEST} levels"):
            from_toml(text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="codec"):
        read_json(path)
