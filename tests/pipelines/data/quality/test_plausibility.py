"""What looks implausible in a log, and what does not."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from pathlib import Path

import example_logs as logs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data import customer_days as transactions
from pipelines.data import lines
from pipelines.data.quality.plausibility import Plausibility

Row = tuple[str, str, float]


def shop(customers: int = 60, months: int = 18, seed: int = 3) -> list[Row]:
    """Purchases of named customers, about five each, evenly over the months of 2022 and 2023."""
    rng = np.random.default_rng(seed)
    first = dt.date(2022, 1, 1)
    return [
        (
            f"s{number}@example.com",
            (first + dt.timedelta(days=int(rng.integers(0, months * 30)))).isoformat(),
            round(float(rng.gamma(4, 10)), 2),
        )
        for number in range(customers)
        for _ in range(rng.integers(3, 8))
    ]


def looked(folder: Path, rows: Iterable[Row], **sections: dict[str, object]) -> Plausibility:
    frame = pd.DataFrame(rows, columns=["customer", "day", "value"])
    frame.to_csv(folder / "log.csv", index=False)
    source = {"kind": "csv", "path": str(folder / "log.csv")}
    with transactions.load(logs.config(source, **sections).log) as data:
        return data.plausibility


def test_an_even_log_is_plausible(tmp_path):
    found = looked(tmp_path, shop())
    assert found.warnings == found.told == found.broken == ()
    assert found.twins == 0


def test_shares_of_the_largest_are_those_of_plain_sums(tmp_path):
    rows = shop()
    frame = pd.DataFrame(rows, columns=["customer", "day", "value"])
    by_customer = frame.groupby("customer")["value"].agg(["sum", "size"])
    by_day = frame.groupby(["customer", "day"])["value"].sum()
    found = looked(tmp_path, rows).largest
    total = frame["value"].sum()
    assert found.revenue == pytest.approx(by_customer["sum"].max() / total)
    assert found.rows == by_customer["size"].max() / len(rows)
    assert found.row == pytest.approx(by_day.max() / total)
    ten = by_customer["sum"].nlargest(10).sum() / total
    assert found.ten_revenue == pytest.approx(ten)
    assert found.ten_rows == by_customer["size"].nlargest(10).sum() / len(rows)


def with_guest(rows: list[Row], word: str) -> list[Row]:
    """Every third row without an account."""
    return [(word if at % 3 == 0 else who, day, paid) for at, (who, day, paid) in enumerate(rows)]


@pytest.mark.parametrize("word", ["guest", "Guest ", "N/A", "unknown"])
def test_a_word_among_the_ids_is_named_with_its_rows_and_the_key(tmp_path, word):
    rows = with_guest(shop(), word)
    held = sum(who == word for who, _, _ in rows)
    found = looked(tmp_path, rows)
    assert len(found.warnings) == len(found.told) == 1
    said = found.warnings[0]
    assert f"one id, {word.strip()!r}, holds {held} of {len(rows)} rows" in said
    assert "source.null_values" in said
    assert word.strip() not in found.told[0].replace("(a word such as guest)", "")


def test_null_values_take_the_word_for_no_id(tmp_path):
    rows = with_guest(shop(), "guest")
    frame = pd.DataFrame(rows, columns=["customer", "day", "value"])
    frame.to_csv(tmp_path / "log.csv", index=False)
    source = {"kind": "csv", "path": str(tmp_path / "log.csv"), "null_values": ["", "guest"]}
    with transactions.load(logs.config(source).log) as data:
        assert data.account.set_aside == {"no_id": (frame["customer"] == "guest").sum()}
        assert data.plausibility.warnings == ()


def test_an_id_of_a_person_is_never_named(tmp_path):
    rows = with_guest(shop(), "s7@example.com")
    found = looked(tmp_path, rows)
    held = sum(who == "s7@example.com" for who, _, _ in rows)
    assert any(f"one id holds {held} of {len(rows)} rows" in said for said in found.warnings)
    assert "s7@" not in " ".join([*found.warnings, *found.told])
    assert str(held) not in " ".join(found.told)  # nor what it holds, in a report


def test_a_number_that_stands_for_nobody_is_named(tmp_path):
    found = looked(tmp_path, with_guest(shop(), "-1"))
    assert any("one id, '-1', holds" in said for said in found.warnings)


def test_a_large_customer_is_no_placeholder(tmp_path):
    """A tenth of the rows and nearly all revenue, six times what the next hold."""
    giant = [("GIANT", f"2022-{m:02d}-{d:02d}", 20_000.0) for m in range(1, 13) for d in (3, 9, 21)]
    found = looked(tmp_path, [*shop(), *giant])
    assert found.warnings == ()
    assert found.largest.revenue > 0.9


def spelled(rows: list[Row]) -> list[Row]:
    ways = itertools.cycle([str, str.upper, str.title, lambda who: f"{who}\u00a0"])
    return [(way(who), day, paid) for (who, day, paid), way in zip(rows, ways, strict=False)]


def test_ids_that_differ_in_case_or_white_space_are_counted_and_a_key_folds_them(tmp_path):
    rows = shop()
    plain = {who for who, _, _ in rows}
    other = spelled(rows)
    found = looked(tmp_path, other)
    many = len({who for who, _, _ in other})
    assert found.twins == many - len(plain)
    said = f"{many} customer ids are {len(plain)} where case and white space make no difference"
    assert any(said in warning and "fold_ids = true" in warning for warning in found.warnings)
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")}
    folding = logs.config(source, columns={"fold_ids": True})
    with transactions.load(folding.log) as data:
        assert data.account.customers == len(plain)
        assert set(data.summary.customer_id.execute()) == plain
        assert data.plausibility.warnings == ()


@given(st.text(max_size=12))
def test_folding_is_idempotent_and_forgets_white_space_and_plain_case(text):
    once = lines.folded_text(text)
    assert lines.folded_text(once) == once
    assert not set(once) & (set(lines.WHITE_SPACE) | set(lines.CAPITALS))
    assert lines.folded_text(f" {text}\u00a0\n") == once
    if text.isascii():
        assert once == "".join(text.lower().split()).replace("\x1c", "") or min(text) >= "\x1c"


def test_a_total_line_breaks_the_log(tmp_path):
    rows = shop()
    total = round(sum(paid for _, _, paid in rows), 2)
    found = looked(tmp_path, [*rows, ("Gesamt", "2023-06-30", total)])
    assert len(found.broken) == 1
    assert f"one row holds {total:,.2f}, to the cent the sum of all others" in found.broken[0]
    assert looked(tmp_path, [*rows, ("new", "2023-06-30", total - 1)]).broken == ()


def test_months_without_a_purchase_are_named(tmp_path):
    rows = [row for row in shop() if row[1][:7] not in ("2022-05", "2022-06")]
    found = looked(tmp_path, rows).warnings
    assert [said[:29] for said in found] == [
        f"no purchase in {month}, while" for month in ("2022-05", "2022-06")
    ]


def test_a_month_that_is_there_many_times_is_named(tmp_path):
    rows = shop(300)
    again = [
        (f"x{copy}{who}", day, paid)
        for copy in range(9)
        for who, day, paid in rows
        if day[:7] == "2022-09"
    ]
    found = looked(tmp_path, rows + again).warnings
    assert any(said.startswith("2022-09 holds ") and "purchases" in said for said in found)
    assert all("2022-09" in said for said in found)


def test_a_step_in_the_mean_value_is_named_with_its_month(tmp_path):
    rows = [(who, day, paid * (100 if day >= "2022-10" else 1)) for who, day, paid in shop(300)]
    found = looked(tmp_path, rows).warnings
    assert any(
        said.startswith("a purchase is worth ") and "before 2022-10 and" in said for said in found
    )


def test_the_day_of_an_import_is_named(tmp_path):
    opening = [(f"old{n}", "2022-03-01", 20.0) for n in range(400)]
    found = looked(tmp_path, shop(300) + opening).warnings
    assert any(said.startswith("2022-03-01 holds 40") for said in found)
