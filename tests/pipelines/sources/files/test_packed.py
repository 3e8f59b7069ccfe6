"""Packed files are read, and what is no table is named, by the first bytes and not by the name."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import example_logs as logs
import pandas as pd
import pyarrow as pa
import pytest

from clvmodels.core.errors import ClvError
from pipelines.data import customer_days as transactions

CSV = b"customer,day,value\n007,2022-01-05,10.5\n08,2022-01-09,2\n"
ROWS = {("007", "2022-01-05", 10.5), ("08", "2022-01-09", 2.0)}


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        one = tarfile.TarInfo("log.csv")
        one.size = len(CSV)
        archive.addfile(one, io.BytesIO(CSV))
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


PACKINGS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
    "zip": lambda content: zipped(("export/log.csv", content), ("__MACOSX/._log.csv", b"x")),
}


def read(file, kind="csv", **source) -> set[tuple[str, str, float]]:
    config = logs.config({"kind": kind, "path": str(file), **source})
    with transactions.load(config.log) as data:
        frame = data.purchases.execute()
    dates = pd.to_datetime(frame["date"]).dt.strftime("%Y-%m-%d")
    return set(zip(frame["customer_id"], dates, frame["amount"], strict=True))


@pytest.mark.parametrize("ending", PACKINGS)
@pytest.mark.parametrize("name", ["log.csv.{}", "log.{}", "log.csv"])
def test_a_packed_file_is_read_whatever_its_name(tmp_path, ending, name):
    file = tmp_path / name.format(ending)
    file.write_bytes(PACKINGS[ending](CSV))
    assert read(file) == ROWS


@pytest.mark.parametrize("ending", PACKINGS)
def test_text_is_read_where_its_name_says_that_it_is_packed(tmp_path, ending):
    file = tmp_path / f"log.csv.{ending}"
    file.write_bytes(CSV)
    assert read(file) == ROWS


@pytest.mark.parametrize("ending", PACKINGS)
def test_encodings_and_folders_of_packed_files(tmp_path, ending):
    for number in (1, 2):
        file = tmp_path / f"log{number}.csv.{ending}"
        file.write_bytes(
            PACKINGS[ending](CSV.decode().replace("08", f"\u00e9{number}").encode("cp1252"))
        )
    found = read(tmp_path, encoding="cp1252")
    assert {customer for customer, _, _ in found} == {"007", "\u00e91", "\u00e92"}


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_a_file_that_ends_early_is_damaged(tmp_path, ending):
    file = tmp_path / f"log.csv.{ending}"
    file.write_bytes(PACKINGS[ending](CSV * 200)[:-20])
    with pytest.raises(ClvError, match="get the file again"):
        read(file)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PAR1xxxx", "source.kind = 'parquet'"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "source.kind = 'excel'"),
        (zipped(("xl/workbook.xml", b"x"), ("[Content_Types].xml", b"x")), "source.kind = 'excel'"),
        (zipped(("a.csv", CSV), ("b.csv", CSV)), "2 files (a.csv, b.csv); expected one table"),
        (b"7z\xbc\xaf\x27\x1c....", "a 7z archive: unpack it"),
        (b"%PDF-1.7", "a PDF document"),
        (tarred(), "a tar archive: unpack it"),
        (gzip.compress(tarred()), "unpacked, is a tar archive"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b'{"customer": "a"}\n', "source.kind = 'json'"),
        (b'\n[ {"customer": "a"} ]', "source.kind = 'json'"),
        (bz2.compress(b'{"customer": "a"}\n'), "source.kind = 'json'"),
    ],
)
def test_what_is_no_csv_is_named_for_what_it_is(tmp_path, content, says):
    file = tmp_path / "log.csv"
    file.write_bytes(content)
    with pytest.raises(ClvError) as caught:
        read(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_an_archive_with_a_password_is_named(tmp_path):
    content = bytearray(zipped(("log.csv", CSV)))
    content[6] |= 1  # the flag of the member's own header, and of the directory's
    content[content.index(b"PK\x01\x02") + 8] |= 1
    file = tmp_path / "log.zip"
    file.write_bytes(bytes(content))
    with pytest.raises(ClvError, match="password"):
        read(file)


LINES = [
    {"customer": "007", "day": "2022-01-05", "value": 10.5},
    {"customer": 12345678901234567890, "day": "2022-01-09", "value": "2", "more": {"a": [1]}},
    {"day": "2022-01-10", "value": None},
]
KEPT = {("007", "2022-01-05", 10.5), ("12345678901234567890", "2022-01-09", 2.0)}


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "jsonl.gz", "json.zst", "jsonl.zip"])
def test_objects_are_rows(tmp_path, ending):
    content = "".join(json.dumps(line) + "\n" for line in LINES).encode()
    how = ending.partition(".")[2]
    file = tmp_path / f"log.{ending}"
    file.write_bytes(PACKINGS[how](content) if how else content)
    assert read(file, "json") == KEPT


def test_a_list_of_objects_is_rows(tmp_path):
    file = tmp_path / "log.json"
    file.write_text(json.dumps(LINES))
    assert read(file, "json") == KEPT


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"customer": "a"\n', "as JSON"),
        ("1\n2\n", "no objects"),
        ("customer,day\n1,2\n", "as JSON"),
        ('{"who": "a", "day": "2022-01-01", "value": 1}\n', "'customer', mapped by"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path, content, says):
    file = tmp_path / "log.jsonl"
    file.write_text(content)
    with pytest.raises(ClvError) as caught:
        read(file, "json")
    assert says in str(caught.value)


def test_lines_of_json_named_csv_are_told(tmp_path):
    file = tmp_path / "log.jsonl"
    file.write_text('{"customer": "a"}\n')
    with pytest.raises(ClvError, match="set it to 'json'"):
        read(file)


def test_nothing_is_left_of_what_was_unpacked(tmp_path):
    file, spill = tmp_path / "log.csv.xz", tmp_path / "spill"
    file.write_bytes(lzma.compress(CSV))
    assert read(file, temp_directory=str(spill)) == ROWS
    assert not [path for path in spill.rglob("*") if path.is_file()]
