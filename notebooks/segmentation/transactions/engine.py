"""What computes: DuckDB on this machine, or another engine that is given the same queries.

All queries on purchases are written once, in DuckDB's dialect. They read views and tables that an
earlier query has made: `lines`, and what is derived from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb

from segmentation.errors import InputError


class Engine(Protocol):
    """What the modules on purchases need of an engine; queries are in DuckDB's dialect."""

    def ask(self, query: str) -> list[tuple]:
        """Return the rows of a query.

        Raises
        ------
        InputError
            If the purchases cannot be read.
        """

    def keep(self, name: str, query: str) -> None:
        """Compute a query once, under a name that later queries read."""

    def define(self, name: str, query: str) -> None:
        """Name a query without computing it."""


class DuckDB:
    """The engine on this machine, which keeps what does not fit into memory in a folder.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    name : str
        What the purchases are called in messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self.connection, self.name = connection, name

    def ask(self, query: str) -> list[tuple]:
        """Return the rows of a query."""
        return self.run(query).fetchall()

    def keep(self, name: str, query: str) -> None:
        """Compute a query once, as a table."""
        self.run(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def define(self, name: str, query: str) -> None:
        """Name a query as a view."""
        self.run(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def run(self, query: str) -> duckdb.DuckDBPyConnection:
        """Run any query."""
        try:
            return self.connection.execute(query)
        except duckdb.Error as error:
            raise unreadable(self.name, error) from None


@contextmanager
def open_duckdb(name: str) -> Iterator[DuckDB]:
    """Open DuckDB on a folder of its own, which is gone afterwards.

    Times with a zone are read as UTC, whatever the zone of this machine.
    """
    with (
        TemporaryDirectory() as folder,
        closing(duckdb.connect(str(Path(folder) / "lines.duckdb"))) as connection,
    ):
        connection.execute(f"SET temp_directory = {literal(folder)}")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield DuckDB(connection, name)


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def unreadable(name: str, error: Exception) -> InputError:
    """Say in short that an engine could not read a file."""
    said = " ".join(str(error).split())[:200]
    return InputError(
        f"the transactions cannot be read: {said}",
        where=name,
        remedy="correct the line, or say with --delimiter and --encoding how it is written",
    )
