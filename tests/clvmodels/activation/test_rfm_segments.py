"""Tables of segments hold every combination of scores once, or are refused by name."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels import RfmBox, RfmSegments
from clvmodels.activation.rfm_segments import USUAL, rfm_segments
from clvmodels.core.errors import InvalidValueError

CUBE = list(itertools.product(range(1, 6), repeat=3))


def holders(boxes, scores) -> list[str]:
    """Names of the boxes that hold a combination, asked one by one."""
    return [
        box.name
        for box in boxes
        if all(low <= s <= high for s, (low, high) in zip(scores, box.ends, strict=True))
    ]


def test_the_usual_table_holds_every_combination_once():
    assert all(len(holders(USUAL.boxes, scores)) == 1 for scores in CUBE)
    assert USUAL.of(*np.transpose(CUBE)).tolist() == [
        holders(USUAL.boxes, scores)[0] for scores in CUBE
    ]
    assert set(USUAL.names) == {
        "champions", "loyal", "potential loyalists", "new", "promising", "needs attention",
        "about to sleep", "at risk", "cannot lose", "hibernating", "lost",
    }  # fmt: skip
    assert rfm_segments([]) is USUAL


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        ((5, 5, 5), "champions"), ((5, 5, 1), "loyal"), ((5, 1, 5), "new"),
        ((4, 1, 1), "promising"),
        ((1, 5, 5), "cannot lose"), ((1, 5, 1), "at risk"), ((2, 3, 3), "at risk"),
        ((3, 1, 1), "about to sleep"), ((3, 2, 5), "needs attention"), ((2, 1, 1), "hibernating"),
        ((1, 1, 1), "lost"), ((4, 2, 1), "potential loyalists"),
    ],
)  # fmt: skip
def test_segments_mean_what_their_names_say(scores, name):
    assert USUAL.of(*([s] for s in scores)).tolist() == [name]


ends = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda pair: tuple(sorted(pair)))
boxes = st.lists(
    st.builds(RfmBox, st.sampled_from(["a", "b", "c"]), ends, ends, ends), min_size=1, max_size=5
)


@given(boxes=boxes)
def test_a_table_is_refused_exactly_where_a_combination_is_in_none_or_two(boxes):
    counts = [len(holders(boxes, scores)) for scores in CUBE]
    if set(counts) == {1}:
        assert RfmSegments(tuple(boxes)).names
        return
    with pytest.raises(InvalidValueError) as caught:
        RfmSegments(tuple(boxes))
    assert ("overlap" in str(caught.value)) == (max(counts) > 1)
    assert ("no segment holds" in str(caught.value)) == (min(counts) == 0)


@given(cut=st.integers(1, 4), again=st.integers(1, 4))
def test_any_partition_is_taken(cut, again):
    table = RfmSegments(
        (
            RfmBox("late", r=(1, cut)),
            RfmBox("often", r=(cut + 1, 5), f=(again + 1, 5)),
            RfmBox("seldom", r=(cut + 1, 5), f=(1, again)),
        )
    )
    for r, f, m in CUBE:
        expected = "late" if r <= cut else "often" if f > again else "seldom"
        assert table.of([r], [f], [m]).tolist() == [expected]


def test_faults_are_named():
    with pytest.raises(InvalidValueError, match="segments 'a' and 'b' overlap at r 3, f 1 to 5"):
        RfmSegments((RfmBox("a", r=(1, 3)), RfmBox("b", r=(3, 5))))
    with pytest.raises(InvalidValueError, match=r"no segment holds r 4 f 1 m 1, .* and 47 more"):
        RfmSegments((RfmBox("a", r=(1, 3)),))
    with pytest.raises(InvalidValueError, match=r"segment 'a': f = \[0, 5\]"):
        RfmSegments((RfmBox("a", f=(0, 5)),))
    with pytest.raises(InvalidValueError, match="whole numbers from 1 to 5"):
        USUAL.of([6], [1], [1])
