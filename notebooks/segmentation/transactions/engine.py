"""What computes: DuckDB on this machine, or another engine that is given the same queries.

All queries on purchases are written once, in DuckDB's dialect. They read views and tables that an
earlier query has made: `lines`, and what is derived from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb

from customer_tables.errors import UserError
from customer_tables.memory import SMALL, free_memory, unpacked_size

LEAST_MEMORY, MOST_MEMORY = 512 << 20, 2 << 30  # bytes that DuckDB may take
LITTLE = 128 << 20  # bytes of an unpacked file whose lines are not worth writing to a disk
SPACE = 2  # temporary files over the unpacked file: the lines, and baskets that do not fit


class Engine(Protocol):
    """What the modules on purchases need of an engine; queries are in DuckDB's dialect."""

    def ask(self, query: str) -> list[tuple]:
        """Return the rows of a query.

        Raises
        ------
        UserError
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
    folder : str
        Its own, for what does not fit into memory.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, folder: str = "") -> None:
        self.connection, self.name, self.folder = connection, name, folder

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


def memory_limit() -> int:
    """Return how many bytes DuckDB may take; what does not fit goes to its folder."""
    free = free_memory()
    return MOST_MEMORY if free is None else max(LEAST_MEMORY, min(MOST_MEMORY, free // 2))


def require_space(path: Path, folder: str) -> None:
    """Refuse lines of purchases that this machine has no space to sort, with the arithmetic.

    Raises
    ------
    UserError
        If the place for temporary files has less free than the lines may take there.
    """
    size, free = unpacked_size(path), shutil.disk_usage(folder).free
    if size > SMALL and size * SPACE > free:
        raise UserError(
            f"the purchases are too large for this machine: {size / 1e9:,.1f} GB unpacked, times "
            f"{SPACE} to sort them, is {size * SPACE / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are "
            "free for temporary files",
            where=path.name,
            remedy="make space, set TMPDIR to a folder on a larger disk, or sum the purchases up "
            "by year or region",
        )


@contextmanager
def open_duckdb(name: str, size: int | None = None) -> Iterator[DuckDB]:
    """Open DuckDB on a folder of its own, which is gone afterwards.

    What is kept of a file of a small size stays in memory, as long as there is some.

    Times with a zone are read as UTC, whatever the zone of this machine.
    """
    with TemporaryDirectory() as folder, ExitStack() as opened:
        place = str(Path(folder) / "lines.duckdb") if size is None or size > LITTLE else ":memory:"
        connection = opened.enter_context(closing(duckdb.connect(place)))
        connection.execute(f"SET temp_directory = {literal(folder)}")
        connection.execute(f"SET memory_limit = '{memory_limit() >> 20} MiB'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield DuckDB(connection, name, folder)


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def unreadable(name: str, error: Exception) -> UserError:
    """Say in short that an engine could not read a file."""
    said = " ".join(str(error).split())[:200]
    return UserError(
        f"the transactions cannot be read: {said}",
        where=name,
        remedy="correct the line, or say with --delimiter and --encoding how it is written",
    )
