"""Pseudonyms for customer ids in outputs, and erasure of a person from every saved output."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clvmodels.core.errors import ConfigError, DataError
from pipelines.data import lines

MINIMUM_KEY = 16


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed pseudonyms: the same id and key always give the same one, nobody can go back.

    HMAC-SHA-256 (RFC 2104), cut to 128 bits and written as 32 hexadecimal digits.
    """

    key: bytes

    def __repr__(self) -> str:
        return "Pseudonyms(key=...)"

    def of(self, customer_id: str) -> str:
        """Return the pseudonym of one id."""
        return hmac.new(self.key, customer_id.encode(), hashlib.sha256).hexdigest()[:32]

    def of_all(self, customer_ids: Iterable[str]) -> list[str]:
        """Return the pseudonyms of many ids, in their order."""
        return [self.of(customer_id) for customer_id in customer_ids]


def pseudonyms(variable: str | None) -> Pseudonyms | None:
    """Return the pseudonyms that a configuration asks for, None where it asks for none.

    Parameters
    ----------
    variable : str, optional
        ``governance.pseudonym_key_env``.

    Raises
    ------
    ConfigError
        If the environment variable named by ``governance.pseudonym_key_env`` holds no key of at
        least 16 characters.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if len(key) < MINIMUM_KEY:
        raise ConfigError(
            f"governance.pseudonym_key_env: the environment variable {variable} must hold a secret "
            f"of at least {MINIMUM_KEY} characters (found {len(key)}); keep it: another key gives "
            "other pseudonyms"
        )
    return Pseudonyms(key.encode(errors="surrogateescape"))  # a secret need not be text


@dataclass(frozen=True)
class Erasure:
    """Rows of a person removed from one file."""

    file: Path
    rows: int


@dataclass(frozen=True)
class Erased:
    """What became of a person in every saved output.

    Attributes
    ----------
    removed : tuple of Erasure
        One for each file that held the person, sorted by path.
    unread : mapping of Path to str
        What could not be searched, and why: it may hold the person still.
    """

    removed: tuple[Erasure, ...]
    unread: Mapping[Path, str]

    @property
    def error(self) -> DataError | None:
        """What could not be searched, as an error; None where everything was."""
        if not self.unread:
            return None
        listed = "; ".join(f"{file}: {reason}" for file, reason in self.unread.items())
        return DataError(
            f"not searched, and may hold the customer still: {listed}. Hidden files (.name) are "
            "what a run writes: one that still goes on, or one that was stopped. Delete each of "
            "these, mend it, or let the run end, and run clv erase again."
        )


def plain_id(text: str) -> str:
    """Return an id as :func:`pipelines.data.lines.customer_ids` reads it from text."""
    return text.strip(lines.AROUND_IDS)


def erase(
    folders: Sequence[Path], customer_ids: Iterable[str], keyed: Pseudonyms | None = None
) -> Erased:
    """Remove customers from every saved output of a business, under id and pseudonym.

    Every Parquet and CSV file below the folders that has a column customer_id is written again
    without them, beside the old one, and renamed into its place; folders that Spark wrote are
    looked through file by file. One that cannot be read keeps none of the others from it. Models
    hold no customer data, so no other file needs to change.

    Parameters
    ----------
    folders : sequence of Path
        Of the business's reports and models.
    customer_ids : iterable of str
    keyed : Pseudonyms, optional
        Under which its outputs name customers.

    Raises
    ------
    ConfigError
        If an id is no text.
    DataError
        If an id is empty, or if nothing is saved where the configuration says.
    """
    if isinstance(customer_ids, str):  # one id, never the customers named by its letters
        customer_ids = [customer_ids]
    given = {_text(str(customer_id)) for customer_id in customer_ids}
    names = {plain_id(name) for name in given}
    if "" in names:
        raise DataError("an empty customer id was given; name the customer to erase")
    if not any(folder.is_dir() for folder in folders):
        raise DataError(
            f"nothing is saved under {' or '.join(str(folder.absolute()) for folder in folders)}, "
            "so nothing was searched. [output] starts at the folder in which clv runs: run it "
            "where the outputs were written, or give [output] full paths."
        )
    if keyed is not None:
        names |= set(keyed.of_all(names | given))
    unread: dict[Path, str] = {}
    found = []
    # What a stopped run has left comes last: erasing from the file itself may take it away.
    for file in sorted(_files_of_customers(folders, unread), key=lambda f: (f.name[:1] == ".", f)):
        try:
            rows = (_erase_from_text if file.suffix == ".csv" else _erase_from)(file, names)
        except (OSError, pa.ArrowException) as error:
            if file.exists():
                unread[file] = str(error)
            continue
        if rows:
            found.append(Erasure(file, rows))
    return Erased(tuple(sorted(found, key=lambda e: e.file)), dict(sorted(unread.items())))


def _text(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"the customer id {name!r} holds bytes that are no UTF-8 text, and ids are text: give "
            "it as the log has it, from a terminal or file in UTF-8"
        ) from None
    return name


def _files_of_customers(folders: Iterable[Path], unread: dict[Path, str]) -> Iterator[Path]:
    """Every file that may hold customers, finished or not; what is out of reach is noted."""
    tops = {folder.resolve(): folder for folder in folders if folder.is_dir()}

    def out_of_reach(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # a run that ends takes its folder away
            unread[Path(error.filename)] = error.strerror or str(error)

    for top in tops.values():
        for folder, folders_in, files_in in os.walk(top, onerror=out_of_reach):
            for path in (Path(folder, name) for name in (*folders_in, *files_in)):
                named = path.suffix == ".csv"
                named |= ".parquet" in path.name and path.suffix != ".crc"
                if not path.is_symlink():
                    if named and path.is_file():
                        yield path
                elif path.is_dir() or (named and path.is_file()):
                    there = path.resolve()
                    if not any(there.is_relative_to(inside) for inside in tops):
                        unread[path] = f"it is a link to {there}, outside of what is searched"


def _erase_from(file: Path, names: set[str]) -> int:
    """Remove rows a row group at a time; the old file stays until the new one is complete."""
    if file.stat().st_size == 0:  # of a run that was stopped: it holds nobody
        return 0
    beside = file.with_name(f".{file.name}.erasing")
    wanted = pa.array(sorted(names), pa.string())
    with pq.ParquetFile(file) as old:
        if "customer_id" not in old.schema_arrow.names:
            return 0
        held = sum(
            pc.sum(_matches(old.read_row_group(group, ["customer_id"]), wanted)).as_py() or 0
            for group in range(old.num_row_groups)
        )
        if held == 0:
            return 0
        try:
            with pq.ParquetWriter(beside, old.schema_arrow) as new:
                for group in range(old.num_row_groups):
                    table = old.read_row_group(group)
                    new.write_table(table.filter(pc.invert(_matches(table, wanted))))
            # Spark keeps a checksum beside each file, and refuses one that does not match.
            file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
    return int(held)


def _erase_from_text(file: Path, names: set[str]) -> int:
    """Remove rows of an audience's CSV file, which holds what its Parquet file does."""
    with file.open(encoding="utf-8", errors="replace") as lines_of_file:
        header = lines_of_file.readline()
    if '"customer_id"' not in header:
        return 0
    columns = [name.strip('"') for name in header.strip().split(",")]
    as_text = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    lines_within = pa_csv.ParseOptions(newlines_in_values=True)  # an id may hold one
    table = pa_csv.read_csv(file, parse_options=lines_within, convert_options=as_text)
    found = _matches(table, pa.array(sorted(names), pa.string()))
    held = int(pc.sum(found).as_py() or 0)
    if held:
        beside = file.with_name(f".{file.name}.erasing")
        try:
            pa_csv.write_csv(table.filter(pc.invert(found)), beside)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
    return held


def _matches(table: pa.Table, wanted: pa.Array) -> pa.ChunkedArray:
    stored = table["customer_id"].cast(pa.string())
    # Earlier versions left some white space at the ends of ids.
    return pc.is_in(pc.utf8_trim(stored, characters=lines.AROUND_IDS), value_set=wanted)
