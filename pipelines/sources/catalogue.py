"""Tables by name, and what an engine may reach beside them.

A name is looked up in DuckDB's catalogue before anything is asked of it: where DuckDB knows no
table of a name, it takes the name for a file's or a variable's. Other engines look only there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from glob import escape
from pathlib import Path

from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import ConfigError

_OWN = ("clv", "ibis_")
"""How the names begin that a run itself gives to tables and views."""
_SHOWN = 20

Written = Callable[[BaseBackend, Sequence[str], str], tuple[list[str], str]]


def find(connection: BaseBackend, name: str, where: str, written: Written | None = None) -> Table:
    """Return a table or view by its name, with schema and catalog where the name has dots.

    Parameters
    ----------
    connection : ibis backend
    name : str
    where : str
        What is read, for messages.
    written : callable, optional
        Where the engine takes a name that it does not know for something else: how its catalogue
        writes one, such as :func:`as_written`.

    Raises
    ------
    ConfigError
        If the catalogue holds none of that name (the message lists what it holds), or one that
        reads what :func:`confine` forbids.
    """
    *database, last = name.split(".")
    try:
        if written is not None:
            database, last = written(connection, database, last)
        return connection.table(last, database=tuple(database) or None)
    except Exception as error:
        if is_forbidden(error):
            raise forbidden(where, error) from None
        known = _known(connection, database) or _known(connection, ())
        hint = f"; tables there: {', '.join(known)}" if known else ""
        raise ConfigError(
            f"no table or view named '{name}' in {where}{hint}. "
            "Set [source] table to a name (schema.table where it is not in the default schema)."
        ) from None


def as_written(
    connection: BaseBackend, database: Sequence[str], name: str
) -> tuple[list[str], str]:
    """Return a name as DuckDB's catalogue writes it (its names know no case); LookupError else."""
    if len(database) > 2:
        raise LookupError(name)
    here = [connection.current_catalog, connection.current_database]
    catalog, schema = here[: 2 - len(database)] + list(database)
    listed = connection.table("tables", database=("system", "information_schema"))
    found = listed.filter(
        listed.table_catalog.lower() == catalog.lower(),
        listed.table_schema.lower() == schema.lower(),
        listed.table_name.lower() == name.lower(),
    )
    rows = found.select("table_catalog", "table_schema", "table_name").to_pyarrow().to_pylist()
    if not rows:
        raise LookupError(name)
    catalog, schema, name = rows[0].values()
    return [catalog, schema], name


def _known(connection: BaseBackend, database: Sequence[str]) -> list[str]:
    try:
        names = connection.list_tables(database=tuple(database) or None)
    except Exception:
        return []
    return sorted(name for name in names if not name.startswith(_OWN))[:_SHOWN]


def confine(connection: BaseBackend, folders: Iterable[Path], files: Iterable[Path]) -> None:
    """Let a DuckDB reach no file but its own and those named here, and nothing of the network.

    A view in a DuckDB file is SQL of whoever made the file: it could read every file that its
    reader may read. No setting can be changed afterwards.
    """
    for setting, places in (("allowed_directories", folders), ("allowed_paths", files)):
        whole = [str(place.absolute()) for place in places]
        # What is asked for is a pattern: brackets that are none are written in brackets.
        spelt = list(dict.fromkeys([*whole, *map(escape, whole)]))
        connection.con.execute(f"SET {setting} = ?", [spelt])
    connection.settings["python_enable_replacements"] = False  # names are no variables of Python
    connection.settings["enable_external_access"] = False
    connection.settings["lock_configuration"] = True


def is_forbidden(error: Exception) -> bool:
    """Return whether an error says that :func:`confine` forbids something."""
    return "PermissionException" in type(error).__name__


def forbidden(where: str, error: Exception) -> ConfigError:
    """Return the error of a view that reads what :func:`confine` forbids."""
    reason = str(error).removeprefix("Permission Error: ").splitlines()[0].partition(" - ")[0]
    return ConfigError(
        f"{where} is a view that reads more than the DuckDB file holds ({reason}), which no view "
        "may. Make it a table (CREATE TABLE ... AS FROM the view), or read those files themselves "
        "with [source] kind = 'csv' or 'parquet'"
    )
