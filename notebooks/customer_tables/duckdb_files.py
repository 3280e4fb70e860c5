"""What stands between transaction lines and the queries over them, in DuckDB's dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.source import Options

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# Runs a query in DuckDB's dialect, on this machine or elsewhere, and returns its rows.
Run = Callable[[str], list[tuple]]


@dataclass(frozen=True)
class Relation:
    """What stands behind FROM, and how the file is written."""

    sql: str
    types: dict[str, str]  # column name to DuckDB's type; everything in a text file is VARCHAR
    changes: tuple[Change, ...] = ()
    format: str = "text"
    path: Path | None = None  # of a file of text on this machine

    def line_of(self, cell: str) -> str:
        """Say in which line of a text a cell first stands; nothing where that is not known."""
        if self.path is None:
            return ""
        with self.path.open("rb") as file:
            numbered = (place for place, line in enumerate(file, 1) if cell.encode() in line)
            place = next(numbered, None)
        return f", line {place} ({cell[:30]!r})" if place else ""

    def require(self, needed: Mapping[str, str], name: str) -> None:
        """Refuse a [source] whose parts name columns that there are not, by a `UserError`."""
        for column, part in needed.items():
            if column not in self.types:
                raise UserError(
                    f"the transactions have no column {column!r} ({part})",
                    where=f"{name}: {', '.join(self.types)[:300]}",
                    remedy=f"correct {part} under [source] in dataset.toml",
                )


@dataclass(frozen=True)
class Lines:
    """A file of transaction lines that is open in DuckDB, as `lines.open_lines` gives it."""

    path: Path
    options: Options
    connection: duckdb.DuckDBPyConnection
    file: Relation
    catalogue: Relation | None = None  # what a second file says about products

    @property
    def name(self) -> str:
        """What the file is called in messages."""
        return self.path.name

    def run(self, query: str) -> list[tuple]:
        """Run a query and return its rows."""
        return self.connection.execute(query).fetchall()

    def table(self, query: str) -> pd.DataFrame:
        """Return what a query gives as a table."""
        return self.connection.execute(query).df()


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def unreadable(name: str, error: Exception) -> UserError:
    """Say in short that a file could not be read."""
    said = " ".join(str(error).split())[:200]
    return UserError(
        f"the transactions cannot be read: {said}",
        where=name,
        remedy="correct the line, or say with --delimiter and --encoding how it is written",
    )
