"""The kind of a file by its name, whatever its capitals."""

from __future__ import annotations

import pytest

from pipelines.sources.paths import kind_of_file

KINDS = {
    "csv": ["a.csv", "a.csv.gz", "a.tsv", "a.txt", "a.tsv.gz", "a.txt.gz", "a.csv.2024", "x/*.csv"],
    "excel": ["a.xlsx", "a.xls", "a.xlsm", "a.ods", "csv/a.xlsb"],
    "parquet": ["a.parquet", "a", "folder.csv/part-0", "a.csv/a.parquet", "a.gz"],
}


@pytest.mark.parametrize("spelt", [str, str.upper, str.title, str.swapcase])
@pytest.mark.parametrize(
    ("kind", "name"), [(k, name) for k, names in KINDS.items() for name in names]
)
def test_the_kind_of_a_file_is_blind_to_capitals(kind, name, spelt):
    assert kind_of_file(spelt(name)) == kind
