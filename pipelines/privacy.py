"""Pseudonyms for customer ids in outputs, and erasure of a person from every saved output."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clvmodels.exceptions import ConfigError, DataError
from pipelines import lines
from pipelines.config import Config

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


def pseudonyms(config: Config) -> Pseudonyms | None:
    """Return the pseudonyms that the configuration asks for, None where it asks for none.

    Raises
    ------
    ConfigError
        If the environment variable named by ``governance.pseudonym_key_env`` holds no key of at
        least 16 characters.
    """
    name = config.governance.pseudonym_key_env
    if name is None:
        return None
    key = os.environ.get(name, "")
    if len(key) < MINIMUM_KEY:
        raise ConfigError(
            f"governance.pseudonym_key_env: the environment variable {name} must hold a secret of "
            f"at least {MINIMUM_KEY} characters (found {len(key)}); keep it, for another key gives "
            "other pseudonyms"
        )
    return Pseudonyms(key.encode())


@dataclass(frozen=True)
class Erasure:
    """Rows of a person removed from one file."""

    file: Path
    rows: int


def plain_id(text: str) -> str:
    """Return an id as :func:`pipelines.lines.customer_ids` reads it from text."""
    return text.strip(lines.AROUND_IDS)


def erase(config: Config, customer_ids: Iterable[str]) -> list[Erasure]:
    """Remove customers from every saved output of the business, under id and pseudonym.

    Every Parquet file below ``output.reports/<name>`` and ``output.models/<name>`` that has a
    column customer_id is written again without them, beside the old one, and renamed into its
    place; folders that Spark wrote are looked through file by file. Models hold no customer data,
    so no other file needs to change.

    Parameters
    ----------
    config : Config
    customer_ids : iterable of str

    Returns
    -------
    list of Erasure
        One for each file that held them, sorted by path; empty where none did.

    Raises
    ------
    DataError
        If an id is empty, if nothing is saved where the configuration says, or if a Parquet file
        cannot be read, since it may hold the person.
    """
    if isinstance(customer_ids, str):  # one id, never the customers named by its letters
        customer_ids = [customer_ids]
    given = {str(customer_id) for customer_id in customer_ids}
    names = {plain_id(name) for name in given}
    if "" in names:
        raise DataError("an empty customer id was given; name the customer to erase")
    folders = [Path(top) / config.name for top in (config.output.reports, config.output.models)]
    if not any(folder.is_dir() for folder in folders):
        raise DataError(
            f"nothing is saved under {' or '.join(str(folder.absolute()) for folder in folders)}, "
            "so nothing was searched. [output] starts at the folder in which clv runs: run it "
            "where the outputs were written, or give [output] full paths."
        )
    keyed = pseudonyms(config)
    if keyed is not None:
        names |= set(keyed.of_all(names | given))
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*.parquet")):
            rows = _erase_from(file, names) if file.is_file() else 0
            if rows:
                found.append(Erasure(file, rows))
    return found


def _erase_from(file: Path, names: set[str]) -> int:
    """Remove rows a row group at a time; the old file stays until the new one is complete."""
    beside = file.with_name(f".{file.name}.erasing")
    wanted = pa.array(sorted(names), pa.string())
    try:
        with pq.ParquetFile(file) as old:
            if "customer_id" not in old.schema_arrow.names:
                return 0
            held = sum(
                pc.sum(_matches(old.read_row_group(group, ["customer_id"]), wanted)).as_py() or 0
                for group in range(old.num_row_groups)
            )
            if held == 0:
                return 0
            with pq.ParquetWriter(beside, old.schema_arrow) as new:
                for group in range(old.num_row_groups):
                    table = old.read_row_group(group)
                    new.write_table(table.filter(pc.invert(_matches(table, wanted))))
        # Spark keeps a checksum beside each file, and refuses one that does not match.
        file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
        beside.replace(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"cannot read {file}, which may hold the customer: {error}. Delete the file, or mend "
            "it, and run clv erase again."
        ) from None
    finally:
        beside.unlink(missing_ok=True)
    return int(held)


def _matches(table: pa.Table, wanted: pa.Array) -> pa.ChunkedArray:
    stored = table["customer_id"].cast(pa.string())
    # Earlier versions left some white space at the ends of ids.
    return pc.is_in(pc.utf8_trim(stored, characters=lines.AROUND_IDS), value_set=wanted)
