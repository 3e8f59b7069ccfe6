"""Amounts and days as people write them, read alike on every engine."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from written import AMOUNTS, DAYS

from pipelines.data import customer_days as transactions
from pipelines.data import lines
from pipelines.sources.connect import connect
from pipelines.sources.values.answers import is_granted

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("mark", [".", ","])
def test_amounts(place, mark):
    texts = list(AMOUNTS[mark])
    config = place(
        pd.DataFrame({"customer": texts, "day": ["2023-01-05"] * len(texts), "value": texts})
    )
    source = config.source.model_copy(update={"decimal": mark})
    with connect(config.log) as engine:
        raw = engine.read(source, config.columns)
        read = raw.select("customer", n=lines.number(raw.value, mark, "log")).execute()
    for text, found in zip(read["customer"], read["n"], strict=True):
        wanted = AMOUNTS[mark][text]
        assert pd.isna(found) if wanted is None else found == pytest.approx(wanted), text


def test_days(place):
    frame = pd.DataFrame(
        [(text, text, form) for form, some in DAYS.items() for text in some],
        columns=["customer", "day", "form"],
    ).assign(value=1.0)
    config = place(frame)
    with connect(config.log) as engine:
        raw = engine.read(config.source, config.columns)
        for form, wanted in DAYS.items():
            some = raw.filter(raw.form == form)
            day = lines.local_dates(some.day, config.calendar, form, "log")
            read = some.select("customer", found=day).execute()
            assert len(read) == len(wanted)
            for text, found in zip(read["customer"], read["found"], strict=True):
                value = None if pd.isna(found) else pd.Timestamp(found).date()
                assert value == wanted[text], (form, text)


ENDS = ("off", "five", "very", " half\t", "\tNov \n", "fff", "vf")


def test_only_white_space_is_taken_off_a_text(place):
    """No letter of its ends, as an escape read literally would."""
    config = place(
        pd.DataFrame(
            {"customer": ENDS, "day": ["2023-01-05"] * len(ENDS), "value": [1] * len(ENDS)}
        )
    )
    with connect(config.log) as engine:
        raw = engine.read(config.source, config.columns)
        read = raw.select("customer", found=engine.stripped(raw.customer)).execute()
    assert sorted(read["found"]) == sorted(text.strip() for text in ENDS)


def test_a_day_that_ends_in_a_letter_and_a_grant_keep_theirs(place):
    texts = ["5 2023 Nov", "6 2023 Nov ", " 7 2023 Feb"]
    config = place(pd.DataFrame({"customer": texts, "day": texts, "value": ["on", "T ", "tv"]}))
    with connect(config.log) as engine:
        raw = engine.read(config.source, config.columns)
        days = lines.local_dates(raw.day, config.calendar, "%d %Y %b", "log")
        yes = is_granted(raw.value, engine)
        read = raw.select("customer", day=days, yes=yes).execute()
    told = {
        str(c).strip(): (pd.Timestamp(d).date(), bool(y))
        for c, d, y in read[["customer", "day", "yes"]].itertuples(index=False)
    }
    assert told == {
        "5 2023 Nov": (dt.date(2023, 11, 5), False),
        "6 2023 Nov": (dt.date(2023, 11, 6), True),
        "7 2023 Feb": (dt.date(2023, 2, 7), False),
    }


FOUND = {
    "mdy": ["1/6/2023 11:53", "1/14/2023 2:02"],
    "excel": ["44932.4957", "44945.1"],
    "epoch": ["1672963199", "1673963199"],
    "iso_week": ["2023-W01", "2023-W03"],
    "yyyymmdd": ["20230105", "20230119"],
}


@pytest.mark.parametrize("form", sorted(FOUND))
def test_the_form_is_found(place, form):
    frame = pd.DataFrame(
        {"customer": ["a", "b"], "day": FOUND[form], "value": ["$1,000.50", "(3)"]}
    )
    config = place(frame)
    with transactions.load(config.log, as_of=dt.date(2023, 6, 1)) as data:
        assert data.sales.date_forms == {"day": form}
        assert data.account.source_total == pytest.approx(997.5)
