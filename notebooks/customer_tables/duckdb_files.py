"""What stands between transaction lines and the queries over them, in DuckDB's dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.names import full_name
from customer_tables.source import FOUND_OUT, Options, summands

if TYPE_CHECKING:
    import pandas as pd

# Runs a query in DuckDB's dialect, on this machine or elsewhere, and returns its rows.
Run = Callable[[str], list[tuple]]


@dataclass(frozen=True)
class Lines:
    """Transaction lines, or products, in an engine that runs queries in DuckDB's dialect."""

    path: Path
    run: Run
    table: Callable[[str], pd.DataFrame]  # the same, for many rows
    sql: str  # what stands behind FROM
    types: dict[str, str]  # column name to DuckDB's type; everything in a text file is VARCHAR
    changes: tuple[Change, ...] = ()
    format: str = "text"
    options: Options = FOUND_OUT
    text: Path | None = None  # on this machine and unpacked, where it is a text
    catalogue: Lines | None = None  # what a second file says about products

    @property
    def name(self) -> str:
        """What the file is called in messages."""
        return self.path.name

    def ask(self, what: str, more: str = "") -> list[tuple]:
        """Select something from the file."""
        return self.run(f"SELECT {what} FROM {self.sql} {more}")

    def line_of(self, cell: str) -> str:
        """Say in which line of a text a cell first stands; nothing where that is not known."""
        if self.text is None:
            return ""
        with self.text.open("rb") as file:
            numbered = (place for place, line in enumerate(file, 1) if cell.encode() in line)
            place = next(numbered, None)
        return f", line {place} ({cell[:30]!r})" if place else ""

    def require(self, needed: Mapping[str, str]) -> None:
        """Refuse a [source] whose parts name columns that there are not, by a `UserError`."""
        for column, part in needed.items():
            if column not in self.types:
                raise UserError(
                    f"the transactions have no column {column!r} ({part})",
                    where=f"{self.name}: {', '.join(self.types)[:300]}",
                    remedy=f"correct {part} under [source] in dataset.toml",
                )


def with_full_names(lines: Lines) -> Lines:
    """Add a column of first and last names together, where each has a column of its own."""
    if not (name := full_name(lines.types)):
        return lines
    parts = (f"trim(CAST({quoted(part)} AS VARCHAR))" for part in summands(name))
    both = f"nullif(trim(concat_ws(' ', {', '.join(parts)})), '') AS {quoted(name)}"
    sql = f"(SELECT *, {both} FROM {lines.sql})"
    return replace(lines, sql=sql, types=lines.types | {name: "VARCHAR"})


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
