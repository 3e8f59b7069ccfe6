"""Text files that are not quite as they should be: no line of them is lost without a word."""

from __future__ import annotations

import example_logs as logs
import pandas as pd
import pytest

from clvmodels.core.errors import CheckFailedError, ConfigError, DataError
from pipelines.data import customer_days as transactions

LINES = [f"{n:03d},2022-01-{n % 28 + 1:02d},5,t{n}" for n in range(400)]
HEADER = "customer,day,value,note"


def account_of(tmp_path, lines, header=HEADER, end="\n", limit=1.0, **source):
    """Return the account of a log."""
    content = end.join([header, *lines]) + end
    (tmp_path / "log.csv").write_bytes(content.encode(source.get("encoding", "utf-8")))
    source = {"kind": "csv", "path": str(tmp_path / "log.csv")} | source
    settings = logs.config(source, governance={"max_bad_row_share": limit})
    with transactions.load(settings.log) as data:
        return data.account


def opened(*changed: tuple[int, str]) -> list[str]:
    """Return the good lines, some of them with another text in place of their last field."""
    lines = list(LINES)
    for position, text in changed:
        lines[position] = lines[position].rpartition(",")[0] + "," + text
    return lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (['"' + line if n == 100 else line for n, line in enumerate(LINES)], 100),  # to the end
        (opened((100, '"t'), (300, '"t')), 199),  # closed by a quote inside a line
        (opened((100, '"t'), (300, '"')), 200),  # closed as CSV allows: one long value
    ],
)
def test_lines_that_an_open_quote_swallows_are_unreadable(tmp_path, lines, kept, end):
    account = account_of(tmp_path, lines, end=end)
    assert (account.read, account.kept) == (400, kept)
    assert account.set_aside == {"unreadable": 400 - kept}
    assert any("a quote that was left open" in shown for shown in account.examples["unreadable"])
    assert any("101,2022-01-18,5,t101" in shown for shown in account.examples["unreadable"])
    assert all(len(shown) < 300 for shown in account.examples["unreadable"])
    with pytest.raises(CheckFailedError, match="cannot be read"):
        account_of(tmp_path, lines, end=end, limit=0.05)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_of_several_lines_is_one_row(tmp_path, end):
    note = f'"two lines,{end}{end}a blank one, and a ""word"",{end}and a break at the end{end}"'
    account = account_of(tmp_path, [*opened((3, note), (100, note)), "", ""], end=end)
    assert (account.read, account.kept, account.set_aside) == (400, 400, {})


def test_text_of_several_lines_beside_a_swallowed_line(tmp_path):
    lines = opened((3, '"two\nlines"'), (100, '"t'), (101, '"'))
    account = account_of(tmp_path, lines)
    assert (account.read, account.kept, account.set_aside) == (400, 399, {"unreadable": 1})


@pytest.mark.parametrize(("most", "odd"), [("\n", "\r\n"), ("\r\n", "\n"), ("\n", "\r")])
def test_line_ends_may_be_mixed(tmp_path, most, odd):
    lines = [*LINES[:7], LINES[7] + odd + LINES[8], *LINES[9:], "1,2,3"]
    account = account_of(tmp_path, lines, end=most)
    assert (account.read, account.kept, account.set_aside) == (401, 400, {"unreadable": 1})


def test_line_ends_may_be_mixed_beside_broken_bytes(tmp_path):
    lines = [line.encode() for line in LINES[:50]]
    lines[3] = lines[3].replace(b"t", b"\xfc") + b"\r"
    (tmp_path / "log.csv").write_bytes(b"\n".join([HEADER.encode(), *lines]))
    settings = logs.config({"kind": "csv", "path": str(tmp_path / "log.csv")})
    with transactions.load(settings.log) as data:
        assert (data.account.kept, data.account.set_aside) == (49, {"unreadable": 1})


@pytest.mark.parametrize("header", [HEADER, HEADER + ","])
def test_a_delimiter_at_the_end_of_every_line_is_no_column(tmp_path, header):
    lines = LINES if header == HEADER else [line + "," for line in LINES]
    assert account_of(tmp_path, lines, header=header).kept == 400


def test_a_delimiter_at_the_end_of_the_header_alone_sets_lines_aside(tmp_path):
    with pytest.raises(DataError, match="wrong number of fields"):
        account_of(tmp_path, LINES, header=HEADER + ",")


@pytest.mark.parametrize("delimiter", ["||", "~|~", "\x01"])
def test_delimiters_of_any_length(tmp_path, delimiter):
    lines = [line.replace(",", delimiter) for line in LINES]
    header = HEADER.replace(",", delimiter)
    account = account_of(tmp_path, lines, header=header, delimiter=delimiter)
    assert (account.read, account.kept) == (400, 400)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8-sig", "utf_8"), ("utf-8-sig", "U8"), ("utf-16", "utf16"), ("cp1252", "windows-1252")],
)
def test_encodings_have_several_names(tmp_path, encoding, named):
    rows = [*LINES[:3], "é,2022-01-01,5,t"]
    (tmp_path / "log.csv").write_bytes("\n".join([HEADER, *rows]).encode(encoding))
    source = {"kind": "csv", "path": str(tmp_path / "log.csv"), "encoding": named}
    with transactions.load(logs.config(source).log) as data:
        assert set(data.purchases.customer_id.execute()) == {"000", "001", "002", "é"}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("customer,day,value,Value", "names the column Value, value twice"),
        ("customer,day,value,value", "names the column value twice"),
        ("sep=;", "begins with the line 'sep=;', which only Excel knows; remove it"),
    ],
)
def test_headers_that_are_refused(tmp_path, header, says):
    with pytest.raises(DataError, match=says):
        account_of(tmp_path, LINES, header=header)


@pytest.mark.parametrize("encoding", ["utf-9", "base64"])
def test_encodings_that_are_none(tmp_path, encoding):
    (tmp_path / "log.csv").write_text("\n".join([HEADER, *LINES]))
    source = {"kind": "csv", "path": str(tmp_path / "log.csv"), "encoding": encoding}
    settings = logs.config(source)
    with pytest.raises(ConfigError, match=r"source\.encoding"), transactions.load(settings.log):
        pass


@pytest.mark.parametrize("path", ["log*.csv", "log[[]1].csv", "log[1].csv", "."])
def test_names_that_look_like_patterns(tmp_path, path):
    folder = tmp_path / "2022 [new]"
    folder.mkdir()
    (folder / "log[1].csv").write_text("\n".join([HEADER, *LINES[:40]]))
    (folder / "log1.csv").write_text("\n".join([HEADER, LINES[40]]))
    where = folder if path == "." else f"{tmp_path}/2022 [[]new]/{path}"
    if path == "log[1].csv":
        where = folder / path  # a file of this name is that file
    with transactions.load(logs.config({"kind": "csv", "path": str(where)}).log) as data:
        assert data.account.read == (40 if "1" in path else 41)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_folder_is_read_without_what_is_hidden_or_being_written(tmp_path, kind):
    frame = pd.DataFrame({"customer": ["1"], "day": ["2022-01-01"], "value": [5.0]})
    kept = ["log", "part=1/log", "_part=1/log", "de[ep]/log"]
    names = [*kept, "_temporary/log", ".hidden/log", "deep/_temporary/0/log", "_log", ".log"]
    for number, name in enumerate(names):
        for end in ("", ".bak"):
            file = tmp_path / f"{name}.{kind}{end}"
            file.parent.mkdir(parents=True, exist_ok=True)
            changed = frame.assign(customer=str(number))
            if kind == "csv":
                changed.to_csv(file, index=False)
            else:
                changed.to_parquet(file, index=False)
    with transactions.load(logs.config({"kind": kind, "path": str(tmp_path)}).log) as data:
        assert sorted(data.purchases.customer_id.execute()) == ["0", "1", "2", "3"]
