"""Tables that are described once: what follows from a description, and the docs that repeat it."""

import re
from pathlib import Path

import pytest

from clvmodels.core import schema
from clvmodels.core.errors import MissingColumnError
from clvmodels.core.schema import ColumnSchema, TableSchema

DOCS = Path(__file__).parents[3] / "docs" / "data.md"

EXAMPLE = TableSchema(
    "example",
    (
        ColumnSchema("who", "string", "", key=True),
        ColumnSchema("day", "date", "", key=True),
        ColumnSchema("at", "timestamp", ""),
        ColumnSchema("count", "integer", ""),
        ColumnSchema("value", "number", ""),
        ColumnSchema("kept", "boolean", ""),
        ColumnSchema("note", "string", "", required=False),
    ),
)


def test_names_of_tables_and_columns_stand_once():
    assert len({table.name for table in schema.TABLES}) == len(schema.TABLES)
    for table in schema.TABLES:
        assert len(set(table.names)) == len(table.columns), table.name


def test_keys_are_required():
    assert [c for t in schema.TABLES for c in t.columns if c.key and not c.required] == []


def test_a_table_that_lacks_a_column_says_so():
    EXAMPLE.require(["who", "day", "at", "count", "value", "kept", "more"])
    with pytest.raises(MissingColumnError, match="the example table needs the column value"):
        EXAMPLE.require(["who", "day", "at", "count", "kept"])


def test_an_empty_table_has_the_types_of_a_full_one():
    empty = EXAMPLE.empty()
    assert list(empty) == ["who", "day", "at", "count", "value", "kept"]
    assert [kind.kind for kind in empty.dtypes[1:]] == ["M", "M", "i", "f", "b"]
    assert len(empty) == 0


def test_arrow_types_follow_and_keys_are_never_missing():
    arrow = EXAMPLE.arrow()
    assert [str(field.type) for field in arrow] == [
        "string", "date32[day]", "timestamp[us]", "int64", "double", "bool",
    ]  # fmt: skip
    assert [field.nullable for field in arrow] == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("customers.parquet", schema.CUSTOMER_FORECAST),
        ("cohorts.parquet", schema.COHORT_FORECAST),
        ("new_cohorts.parquet", schema.NEW_COHORTS),
    ],
)
def test_the_docs_name_the_columns_of_files(file, table):
    page = DOCS.read_text(encoding="utf-8")
    section = page[page.index(f"**{file}**") :]
    rows = section[section.index("|---") :].split("\n\n")[0].splitlines()[1:]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    ends = {f"{name}{end}" for name in ("revenue", "margin") for end in ("_low", "_high")}
    missing = set(table.required) - set(named)
    assert set(named) <= set(table.required)
    assert missing <= ends  # of intervals the page names those of purchases, "and so for" the rest
