"""RFM segments on the page: sums that agree, limits in words, moves that tell on nobody."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_example import example_inputs, rfm, rows, section
from scipy.optimize import linprog

from pipelines.forecasting.rfm.found import RfmFound
from pipelines.forecasting.rfm.moves import GONE, NOT_YET
from pipelines.jobs.messages import rfm_facts, rfm_lines
from pipelines.report import summarize
from pipelines.report.groups.moves import told_moves
from pipelines.report.groups.small import LEAST_CUSTOMERS

MOVES = ["from_segment", "to_segment", "customers"]


def made(found: RfmFound):
    return summarize(example_inputs(rfm=found))


def test_shares_are_of_all_segments(summary):
    table = rows(summary, "rfm_segments")
    assert [row["rfm_segment"] for row in table] == ["champions", "loyal", "new", "lost"]
    for share in ("share_of_customers", "share_of_revenue"):
        assert sum(row[share] for row in table) == pytest.approx(1)
    assert table[0]["clv_each"] == pytest.approx(52_000 / 600)
    assert summary["charts"]["rfm_segments"]["segment"] == [row["rfm_segment"] for row in table]


def test_small_segments_are_put_together():
    found = rfm()
    sizes = found.sizes.assign(customers=[600, 4, 900, 2_047])
    few = dataclasses.replace(found, sizes=sizes)
    table = rows(made(few), "rfm_segments")
    assert [row["rfm_segment"] for row in table] == ["champions", "loyal to new", "lost"]
    assert table[1]["customers"] == 904
    assert table[1]["clv"] == pytest.approx(45_000)
    assert rfm_lines(few)[0] == "RFM segments: champions 600, loyal to new 904, lost 2,047"
    assert rfm_facts(few)["segments"] == {"champions": 600, "loyal to new": 904, "lost": 2_047}
    assert "put together" in " ".join(section(made(few), "rfm")["text"])
    tiny = dataclasses.replace(found, sizes=sizes.assign(customers=1))
    assert section(made(tiny), "rfm")["missing"]
    assert rfm_lines(tiny) == []


def test_limits_are_told_and_amounts_rounded(summary):
    said = section(summary, "rfm")["text"][1]
    assert "R: 5 up to 20 days, 4 up to 61 days" in said
    assert "F: 1 up to 0, 2 up to 0, 3 up to 1, 4 up to 4, 5 beyond" in said
    assert "M: 1 up to GBP 22, 2 up to GBP 40, 3 up to GBP 81, 4 up to GBP 160" in said
    assert "the score between them is nobody's" in said


def test_moves_are_told_in_counts(summary):
    part = section(summary, "rfm")
    changed = 120 + 190 + 250 + 10 + 900
    assert f"{changed:,} customers moved in ways that may be told" in part["text"][-1]
    table = rows(summary, "rfm_moves")
    assert table[0] == {
        "from_segment": "(not yet a customer)", "to_segment": "new", "customers": 900,
    }  # fmt: skip
    shown = {(row["from_segment"], row["to_segment"]) for row in rows(summary, "rfm_all_moves")}
    # the six who came back from the lost are one corner of a circle, which hides them
    hidden = {("lost", "loyal"), ("lost", "lost"), ("new", "loyal"), ("new", "lost")}
    assert shown == {*rfm().moves[MOVES[:2]].itertuples(index=False, name=None)} - hidden


def test_without_a_forecast_before_nobody_moved():
    alone = section(made(dataclasses.replace(rfm(), since=None, moves=RfmFound().moves)), "rfm")
    assert "No earlier forecast" in alone["text"][-1]
    note = "its customers lack rfm_segment: an earlier release wrote them."
    found = dataclasses.replace(rfm(), moves=RfmFound().moves, note=note)
    assert note in section(made(found), "rfm")["text"][-1]
    assert note in rfm_lines(found)[1]
    assert section(made(RfmFound()), "rfm")["missing"] == "No customer forecast was made."


ORDER = list("dbac")
names = st.sampled_from(ORDER)
flows = st.dictionaries(st.tuples(names, names), st.integers(1, 40), min_size=1, max_size=14)


@given(flows=flows)
def test_no_small_move_follows_from_what_is_told(flows):
    """Held against linear programming: another table would say the same, with another count."""
    moves = pd.DataFrame([(a, b, n) for (a, b), n in flows.items()], columns=MOVES)
    told = told_moves(moves, ORDER)
    assert (told["customers"] >= LEAST_CUSTOMERS).all()
    if told.empty:
        return
    for end in MOVES[:2]:  # segments of few are told with their neighbours
        sizes = moves.groupby(end)["customers"].sum()
        groups, run = [], []
        for name in (name for name in ORDER if name in sizes):
            run.append(name)
            if sizes[run].sum() >= LEAST_CUSTOMERS:
                groups, run = [*groups, run], []
        groups[-1] += run
        names_ = {n: " to ".join(dict.fromkeys((g[0], g[-1]))) for g in groups for n in g}
        moves = moves.assign(**{end: moves[end].map(names_)})
    moves = moves.groupby(MOVES[:2])["customers"].sum().reset_index()
    pairs, told_pairs = (pd.MultiIndex.from_frame(t[MOVES[:2]]) for t in (moves, told))
    is_told = pairs.isin(told_pairs)
    assert is_told.sum() == len(told)
    keys = [moves["from_segment"], moves["to_segment"]]
    sums = [(key == name).to_numpy(float) for key in keys for name in key.unique()]
    each = np.eye(len(moves))
    known, values = np.vstack([*sums, each[is_told]]), moves["customers"].to_numpy(float)
    for aim in each[~is_told]:
        low, high = (
            sign * linprog(sign * aim, A_eq=known, b_eq=known @ values, bounds=(0, None)).fun
            for sign in (1, -1)
        )
        assert high - low > 1e-6
    for key in keys:
        rest = moves[~is_told].groupby(key[~is_told])["customers"].sum()
        assert (rest >= LEAST_CUSTOMERS).all()


def test_moves_of_many_are_all_told():
    moves = pd.DataFrame([("a", "a", 50), ("a", "b", 12), ("b", "a", 10)], columns=MOVES)
    pd.testing.assert_frame_equal(told_moves(moves, ORDER), moves)


def test_moves_put_segments_together_as_their_sizes_do():
    """Two ways of putting segments together, side by side, would give the four loyal ones away."""
    found, few = rfm(), [600, 4, 900, 2_047]
    flows = [
        ("champions", "champions", 600), ("loyal", "loyal", 4), ("new", "new", 900),
        ("lost", "lost", 2_047),
    ]  # fmt: skip
    summary = made(
        dataclasses.replace(
            found,
            sizes=found.sizes.assign(customers=few),
            moves=pd.DataFrame(flows, columns=MOVES),
        )
    )
    sizes = {row["rfm_segment"] for row in rows(summary, "rfm_segments")}
    assert {row["to_segment"] for row in rows(summary, "rfm_all_moves")} <= sizes


def test_who_is_new_or_gone_is_put_with_others_where_they_are_few():
    flows = [("a", "a", 50), ("b", "b", 70), (NOT_YET, "a", 3), ("b", GONE, 2)]
    told = told_moves(pd.DataFrame(flows, columns=MOVES), ["a", "b"])
    assert not set(told[MOVES[:2]].to_numpy().ravel()) & {NOT_YET, GONE}
    assert (told["customers"] >= LEAST_CUSTOMERS).all()
    nobody = told_moves(pd.DataFrame([("a", "a", 3), ("a", "b", 4)], columns=MOVES), ["a", "b"])
    assert nobody.empty
