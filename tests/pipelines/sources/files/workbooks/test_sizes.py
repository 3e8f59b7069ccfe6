"""Workbooks that are larger than they look: what of them is read, and in how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import example_logs as logs
import pytest
import raw_workbook as raw

from clvmodels.core.errors import DataError
from pipelines.config.load import Consent
from pipelines.data import customer_days as transactions
from pipelines.sources import month_files
from pipelines.sources.connect import connect

LAST = 1_048_576
STRAY = f"reaches to XFD{LAST}.*nearly all of them empty.*Ctrl"


def settings_of(path: Path, **source):
    return logs.config({"kind": "excel", "path": str(path)} | source)


def rows_of(path: Path, **source) -> list[dict[str, str | None]]:
    settings = settings_of(path, **source)
    with connect(settings.log) as engine:
        return engine.read(settings.source, settings.columns).to_pyarrow().to_pylist()


def far(*cells: tuple[str, object]) -> list[str]:
    """Return the good table with cells anywhere below it."""
    numbers = {place: int("".join(filter(str.isdigit, place))) for place, _ in cells}
    return [*raw.table(), *(raw.row(numbers[place], raw.cell(place, v)) for place, v in cells)]


def expected() -> list[dict[str, str]]:
    numbers = ((a, b, str(int(c)) if c.is_integer() else repr(c)) for a, b, c in raw.GOOD[1:])
    return [dict(zip(raw.HEADER, values, strict=True)) for values in numbers]


def test_a_value_in_the_last_corner_is_named_and_not_read(tmp_path):
    file = raw.workbook(tmp_path / "log.xlsx", April=far((f"XFD{LAST}", "x")))
    with pytest.raises(DataError, match=rf"sheet 'April' of .*log\.xlsx holds 124 values.*{STRAY}"):
        rows_of(file)


@pytest.mark.parametrize("prefix", ["", "x:"])
def test_two_stray_cells_make_a_rectangle_too(tmp_path, prefix):
    """Also where elements are written with the prefix of their namespace."""
    sheet = [line.replace("<c ", f"<{prefix}c ") for line in far(("XFD90", 1), (f"A{LAST}", 1))]
    file = raw.workbook(tmp_path / "log.xlsx", April=sheet)
    with pytest.raises(DataError, match=rf"'April' of .* reaches to XFD90 and A{LAST}: a table of"):
        rows_of(file)


def test_a_stray_cell_far_to_the_right_is_named(tmp_path):
    file = raw.workbook(tmp_path / "log.xlsx", April=far(("XFD90", "note")))
    with pytest.raises(
        DataError, match=r"sheet 'April' of .* holds 'note' in XFD90, more than 100"
    ):
        rows_of(file)


def test_a_stray_cell_far_below_is_a_row_that_is_accounted_for(tmp_path):
    file = raw.workbook(
        tmp_path / "log.xlsx", April=far((f"C{LAST}", 7), (f"E{LAST - 1}", "total"))
    )
    with transactions.load(settings_of(file).log) as data:
        assert data.account.set_aside == {"no_id": 2}
        assert data.account.kept == 40


def test_cells_with_a_format_and_nothing_in_them_are_no_part_of_a_sheet(tmp_path):
    below = [raw.row(n, raw.cell(f"A{n}", None)) for n in range(60, LAST, 20)]
    below[-1] = raw.row(LAST, raw.cell(f"XFD{LAST}", None), f'<c r="XFD{LAST}" s="0"></c>')
    file = raw.workbook(tmp_path / "log.xlsx", April=[*raw.table(), *below])
    assert rows_of(file, memory_limit="200MB") == expected()


def test_sheets_that_are_not_read_may_hold_what_they_like(tmp_path):
    stray = far((f"XFD{LAST}", "x"))
    sheets = {"lookup": stray, "April": raw.table()}
    file = raw.workbook(tmp_path / "log.xlsx", hidden=["lookup"], **sheets)
    assert rows_of(file) == expected()
    assert rows_of(file, sheets=["April"]) == expected()
    with pytest.raises(DataError, match=STRAY):
        rows_of(file, sheets=["lookup"])


def test_the_values_of_a_sheet_are_weighed_before_it_is_read(tmp_path):
    long = [raw.HEADER, *([n] * 3 for n in range(200_000))]
    file = raw.workbook(tmp_path / "log.xlsx", April=raw.table(long))
    with pytest.raises(
        DataError, match=r"'April' of .* with 600,003 values to A200001 takes about"
    ):
        rows_of(file, memory_limit="40MB")


# Not RUSAGE_SELF: what starts a process lends it its own peak.
MEASURED = """
import json, re, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import example_logs as logs
from clvmodels.core.errors import DataError
from pipelines.sources.connect import connect
settings = logs.config(json.loads(sys.argv[2]))
said = None
try:
    with connect(settings.log) as engine:
        engine.read(settings.source, settings.columns).count().execute()
except DataError as error:
    said = str(error)
own = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([said, max(int(own[1]), others) / 1024]))
"""


@pytest.fixture
def proc() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")


def measured(path: Path, memory: str) -> tuple[str | None, float]:
    """Read a workbook in a process of its own; return its error and the peak memory in MB."""
    source = json.dumps({"kind": "excel", "path": str(path), "memory_limit": memory})
    support = str(Path(raw.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, support, source],
        capture_output=True,
        text=True,
        check=True,
    )
    said, peak = json.loads(done.stdout)
    return said, peak


def shared_text(folder: Path) -> Path:
    """Write 0.2 MB that become 1.3 GB: every cell holds the same text of the longest kind."""
    cells = (
        raw.row(n, *(f'<c r="{letter}{n}" t="s"><v>0</v></c>' for letter in "ABC"))
        for n in range(2, 13_500)
    )
    strings = ["x" * 32_767]
    sheet = [next(iter(raw.table())), *cells]
    return raw.workbook(folder / "log.xlsx", strings, April=sheet)


def repeated_cells(folder: Path) -> Path:
    """Write 1 kB that become 33 million cells, in a format that nobody looks into beforehand."""
    rows = raw.ods_row(*raw.HEADER) + raw.ods_row("x", repeated=2_000, across=16_384)
    return raw.ods(folder / "log.ods", rows)


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize("make", [shared_text, repeated_cells])
def test_reading_takes_no_more_memory_than_it_may(tmp_path, make):
    """300 MB for the workbook, and at most as much again for the interpreter and its libraries."""
    file = make(tmp_path)
    assert file.stat().st_size < 1_000_000
    said, peak = measured(file, "300MB")
    assert said is not None
    assert said.startswith("reading sheet 'April' of " if file.suffix == ".xlsx" else "reading ")
    assert file.name in said
    assert "takes more than the 0.3 GB of memory" in said
    assert peak < 700


@pytest.mark.usefixtures("proc")
def test_what_fits_is_read_under_a_limit(tmp_path):
    file = raw.workbook(tmp_path / "log.xlsx", April=raw.table())
    said, peak = measured(file, "300MB")
    assert said is None
    assert peak < 700


def test_texts_that_do_not_fit_are_told_by_the_table_of_contents(tmp_path):
    strings = ["x" * 32_767] * 4_000
    file = raw.workbook(tmp_path / "log.xlsx", strings, April=raw.table())
    with pytest.raises(DataError, match=r"the text of .*log\.xlsx takes about 0\.13 GB"):
        rows_of(file, memory_limit="100MB")


def test_an_archive_that_says_less_than_it_holds_is_damaged(tmp_path):
    file = raw.workbook(tmp_path / "log.xlsx", April=raw.table())
    content = bytearray(file.read_bytes())
    entry = content.rindex(b"xl/worksheets/sheet1.xml") - 46  # of the table of contents
    content[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*log\.xlsx as a workbook: Bad CRC"):
        rows_of(file)


def test_entities_are_refused(tmp_path):
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    file = raw.workbook(tmp_path / "log.xlsx", before=laughs, April=raw.table())
    with pytest.raises(DataError, match="defines entities of XML"):
        rows_of(file)


def test_open_document_sheets_are_read(tmp_path):
    rows = raw.ods_row(*raw.HEADER) + raw.ods_row("a", "2022-01-05", "1.5", repeated=3)
    assert len(rows_of(raw.ods(tmp_path / "log.ods", rows))) == 3


def test_a_locked_workbook_is_refused(tmp_path):
    file = raw.ods(tmp_path / "log.ods", raw.ods_row(*raw.HEADER), locked=True)
    with pytest.raises(DataError, match=r"log\.ods asks for a password"):
        rows_of(file)


def test_a_consent_workbook_is_looked_at_too(tmp_path):
    """And its sheets are its own, whatever source.sheets says of the log."""
    log = raw.workbook(tmp_path / "log.xlsx", April=raw.table())
    words = [["customer_id", "timestamp", "granted"], ["C1", "2022-01-01", "yes"]]
    settings = settings_of(log, sheets=["April"])
    governance = settings.governance.model_copy(update={"consent": "exclude"})
    settings = settings.model_copy(update={"governance": governance})
    sheet = list(raw.table(words))
    file = raw.workbook(tmp_path / "consent.xlsx", said=sheet)
    told = settings.model_copy(update={"consent": Consent(path=str(file))})
    with transactions.load(told.log) as data:
        assert data.summary.customer_id.execute().tolist() == ["C1"]
    stray = raw.row(LAST, raw.cell(f"XFD{LAST}", "x"))
    raw.workbook(file, said=[*sheet, stray])
    with pytest.raises(DataError, match=rf"'said' of .*consent\.xlsx .*{STRAY}"):
        transactions.load(told.log).__enter__()


def test_workbooks_of_months_are_looked_at_too(tmp_path):
    months = [["month", "spend"], *([f"2022-{n:02d}", n * 10.5] for n in range(1, 13))]
    old = [["month", "spend"], ["2022-01", 1]]
    sheet = list(raw.table(months))
    file = raw.workbook(tmp_path / "d.xlsx", hidden=["old"], old=raw.table(old), plan=sheet)
    table = month_files.read_months(str(file), "month", ["spend"], "covariates")
    assert table["spend"].tolist() == pytest.approx([n * 10.5 for n in range(1, 13)], rel=1e-12)
    stray = raw.row(LAST, raw.cell(f"XFD{LAST}", "x"))
    raw.workbook(file, plan=[*sheet, stray])
    with pytest.raises(DataError, match=rf"'plan' of .*d\.xlsx .*{STRAY}"):
        month_files.read_months(str(file), "month", ["spend"], "covariates")
