"""Amounts and days as people write them, on the embedded engine; tests/engines has the others."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import AMOUNTS, DAYS

from pipelines.config.sections import DATE_FORMS
from pipelines.sources.engines.duckdb import DuckDB
from pipelines.sources.values import forms, numbers


@pytest.fixture(scope="module")
def connection():
    return ibis.duckdb.connect()


@pytest.mark.parametrize("mark", [".", ","])
def test_amounts_as_people_write_them(connection, mark):
    table = connection.create_table("a", ibis.memtable({"a": list(AMOUNTS[mark])}), overwrite=True)
    read = table.mutate(n=numbers.number_of(table.a, mark)).execute()
    for text, found in zip(read["a"], read["n"], strict=True):
        wanted = AMOUNTS[mark][text]
        assert pd.isna(found) if wanted is None else found == pytest.approx(wanted), text
        assert numbers.reads(text, mark) == (wanted is not None), text


@pytest.mark.parametrize("form", sorted(DAYS))
def test_days_as_people_write_them(connection, form):
    table = connection.create_table("d", ibis.memtable({"d": list(DAYS[form])}), overwrite=True)
    day = forms.day_of(table.d, form, "UTC", "UTC", DuckDB(connection))
    read = table.mutate(day=day).execute()
    for text, found in zip(read["d"], read["day"], strict=True):
        wanted = DAYS[form][text]
        assert pd.isna(found) if wanted is None else pd.Timestamp(found).date() == wanted, text


def test_a_configuration_names_every_form():
    assert set(DATE_FORMS) == set(forms.FORMS) == set(DAYS)


@given(
    value=st.decimals(0, 10**9, places=2, allow_nan=False),
    mark=st.sampled_from([".", ","]),
    group=st.sampled_from(["", "other", " ", "\u00a0", "'"]),
    sign=st.sampled_from(["", "-", "()", "after"]),
    money=st.sampled_from(["", "$ahead", "ahead EUR", "\u20acahead", "kr"]),
)
def test_whatever_is_written_is_read_back(value, mark, group, sign, money):
    """Write a number in a form and read it by the pattern that the engines use."""
    other = "," if mark == "." else "."
    text = f"{value:,.2f}".replace(",", "G").replace(".", mark)
    text = text.replace("G", other if group == "other" else group)
    text = {"$ahead": "$" + text, "ahead EUR": text + " EUR", "kr": text + " kr"}.get(
        money, "\u20ac" + text if money else text
    )
    text = {"-": "-" + text, "()": f"({text})", "after": text + "-"}.get(sign, text)
    assert numbers.reads(text, mark), text


def test_zones_move_the_day(connection):
    table = connection.create_table("z", ibis.memtable({"z": ["1672963199"]}), overwrite=True)
    engine = DuckDB(connection)
    for zone, day in (("UTC", 5), ("Asia/Tokyo", 6), ("America/New_York", 5)):
        found = table.mutate(day=forms.day_of(table.z, "epoch", "UTC", zone, engine)).execute()
        assert pd.Timestamp(found["day"].iloc[0]).day == day
