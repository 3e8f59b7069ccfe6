"""Databases by a connection URI, which may hold a password and so comes from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import ConfigError
from pipelines.config.load import Columns, Source
from pipelines.redaction import cleanse, secrets_in, without
from pipelines.sources import catalogue
from pipelines.sources.engines.base import Engine
from pipelines.sources.engines.duckdb import DuckDB
from pipelines.sources.failures import first_line

_HOST = re.compile(r"(?:\[[^\]]*\]|[^:/]*)(?::\d*)?(?:/.*)?")
_PARAMETERS = re.compile(r"[\w.-]+=")
_ELSEWHERE = "://md:"
"""MotherDuck is not on this machine: there is nothing to confine."""


class Postgres(Engine):
    """PostgreSQL."""

    def _read(self, source: Source, columns: Columns, name: str) -> Table:
        table = super()._read(source, columns, name)
        # Cast columns that Ibis takes for text: an enumeration is none, and lacks its functions.
        # Ibis leaves out a cast to the type that it believes a column to have.
        words = [name for name, kind in table.schema().items() if kind.is_string()]
        return table.mutate(**{name: table[name].cast("!string").cast("string") for name in words})


@contextmanager
def connect(source: Source, zone: str, reports: Path) -> Iterator[Engine]:
    """Open the database that the environment variable ``source.uri_env`` names.

    Parameters
    ----------
    source : Source
    zone : str
        Of times that have no offset.
    reports : Path
        What a DuckDB may reach beside its own file.

    Raises
    ------
    ConfigError
        If the variable is not set, or there is no way to the database.
    """
    variable = str(source.uri_env)
    uri = _uri(variable, source)
    with opened(uri, variable) as connection:
        try:
            engine = _engine(connection, uri, zone, reports)
        except Exception as error:
            raise _refused(error, uri, variable, "database") from None
        yield engine


@contextmanager
def opened(uri: str, variable: str, what: str = "database") -> Iterator[BaseBackend]:
    """Open the database at a URI; its secrets are in no message, and the variable in their place.

    Parameters
    ----------
    uri : str
        Of :func:`address`.
    variable : str
        That holds it.
    what : str
        What the database is, in messages.

    Raises
    ------
    ConfigError
        If there is no way to it.
    """
    try:
        connection = ibis.connect(uri)
    except Exception as error:
        raise _refused(error, uri, variable, what) from None
    try:
        yield connection
    except Exception as error:  # a driver may repeat the URI in any of its messages
        cleanse(error, secrets_in(uri), f"${variable}")
        raise
    finally:
        connection.disconnect()


def address(variable: str, key: str) -> str:
    """Return the connection URI that an environment variable holds.

    Parameters
    ----------
    variable : str
    key : str
        Of the configuration, which names it.

    Raises
    ------
    ConfigError
        If it is not set.
    """
    uri = os.environ.get(variable)
    if not uri:
        raise ConfigError(
            f"the environment variable {variable}, named by {key}, is not set; set it to "
            "the connection URI, e.g. postgres://user:password@host/database"
        )
    return uri


def _refused(error: Exception, uri: str, variable: str, what: str) -> ConfigError:
    reason = without(first_line(error), secrets_in(uri), f"${variable}")
    return ConfigError(f"cannot connect to the {what} that {variable} names: {reason}")


def _engine(connection: BaseBackend, uri: str, zone: str, reports: Path) -> Engine:
    if connection.name == "duckdb":
        if _ELSEWHERE not in uri:
            catalogue.confine(connection, [reports], [])
        return DuckDB(connection)
    if connection.name == "postgres":
        connection.con.execute("SELECT set_config('TimeZone', %s, false)", [zone])
        return Postgres(connection)
    return Engine(connection)


def _uri(variable: str, source: Source) -> str:
    uri = address(variable, "source.uri_env")
    if source.kind == "postgres" and set("/?#@") & set(_user_info(uri)):
        raise ConfigError(
            f"the connection URI in {variable} has a user name or password with one of / ? # @ in "
            "it; write these percent-encoded, e.g. %2F for /"
        )
    return uri


def _user_info(uri: str) -> str:
    """Return user:password, all before the last @ that is none of the query's."""
    rest = uri.partition("://")[2]
    host, _, query = rest.partition("?")
    # A ? within a password has no host, nor a host and a port, before it.
    if "@" in host or (_HOST.fullmatch(host) and _PARAMETERS.match(query)):
        rest = host
    return rest.rpartition("@")[0]
