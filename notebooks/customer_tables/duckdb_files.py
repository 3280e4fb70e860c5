"""Files as DuckDB sees them: read in pieces, never as a whole, with what does not fit on disk."""

from __future__ import annotations

import codecs
import gzip
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from customer_tables.changes import Change, Reading
from customer_tables.errors import UserError
from customer_tables.memory import SMALL, free_memory, unpacked_size
from customer_tables.sniff import GZIP, PARQUET, ZIP, settle_delimiter
from customer_tables.table import read_table

# Runs a query in DuckDB's dialect, on this machine or elsewhere, and returns its rows.
Run = Callable[[str], list[tuple]]

LEAST_MEMORY, MOST_MEMORY = 512 << 20, 2 << 30  # bytes that DuckDB may take
LITTLE = 128 << 20  # bytes of an unpacked file whose lines are not worth writing to a disk
SPACE = 2  # temporary files over the unpacked file: the lines, and baskets that do not fit
HEAD = 1 << 16
PIECE = 1 << 22
ENCODINGS = {
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf16": "utf-16",
    "cp1252": "latin-1",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
}


@dataclass(frozen=True)
class Options:
    """What the user said about a file, as in `read_table`; empty where it is to be found out."""

    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""
    sheet: str = ""
    date_order: str = ""


FOUND_OUT = Options()


@dataclass(frozen=True)
class Relation:
    """What stands behind FROM, and how the file is written."""

    sql: str
    types: dict[str, str]  # column name to DuckDB's type; everything in a text file is VARCHAR
    changes: tuple[Change, ...] = ()
    format: str = "text"


@contextmanager
def open_duckdb(name: str, size: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB on a folder of its own, which is gone afterwards.

    What is kept of a file of a small size stays in memory, as long as there is some. Times with a
    zone are read as UTC, whatever the zone of this machine.

    Raises
    ------
    UserError
        In place of any error of DuckDB's: the file called `name` cannot be read.
    """
    with TemporaryDirectory() as folder:
        place = str(Path(folder) / "lines.duckdb") if size is None or size > LITTLE else ":memory:"
        with closing(duckdb.connect(place)) as connection:
            connection.execute(f"SET temp_directory = {literal(folder)}")
            connection.execute(f"SET memory_limit = '{memory_limit() >> 20} MiB'")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET TimeZone = 'UTC'")
            try:
                yield connection
            except duckdb.Error as error:
                raise unreadable(name, error) from None


def rows_of(connection: duckdb.DuckDBPyConnection) -> Run:
    """Return the function that runs a query on this machine."""
    return lambda query: connection.execute(query).fetchall()


def memory_limit() -> int:
    """Return how many bytes DuckDB may take; what does not fit goes to its folder."""
    free = free_memory()
    return MOST_MEMORY if free is None else max(LEAST_MEMORY, min(MOST_MEMORY, free // 2))


def require_space(path: Path) -> None:
    """Refuse transaction lines that this machine has no space to sort, with the arithmetic.

    Raises
    ------
    UserError
        If the place for temporary files has less free than the lines may take there.
    """
    with TemporaryDirectory() as folder:
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


def open_file(
    connection: duckdb.DuckDBPyConnection, path: Path, options: Options = FOUND_OUT
) -> Relation:
    """Make a file of text, Parquet or Excel readable in SQL.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read.
    """
    changes: tuple[Change, ...] = ()
    head = _head(path)
    if head.startswith(PARQUET):
        sql, form = f"read_parquet({literal(str(path))})", "parquet"
    elif head.startswith(ZIP) or _unpacked(path, head)[:4] in (ZIP, PARQUET):
        stamp = path.stat()
        reading = _workbook(path, options.sheet, (stamp.st_mtime_ns, stamp.st_size))
        connection.register("sheet", reading.table)
        sql, form, changes = "sheet", str(reading.source["format"]), tuple(reading.changes)
    else:
        sql, changes = _text(path, head, options)
        form = "text"
    described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    return Relation(sql, {row[0]: row[1] for row in described}, changes, form)


@lru_cache(maxsize=1)
def _workbook(path: Path, sheet: str, stamp: tuple[int, int]) -> Reading:
    """Read a workbook's sheet, which takes long, once for all questions about it."""
    return read_table(path, sheet=sheet or None)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise UserError(
            f"the file cannot be read: {error.strerror}", where=str(path), remedy="check the path"
        ) from None


def _unpacked(path: Path, head: bytes) -> bytes:
    """Return the beginning of what a file holds, unpacked where it is a gzip archive."""
    return next(_pieces(path, HEAD), b"") if head.startswith(GZIP) else head


def _pieces(path: Path, size: int = PIECE) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        with (gzip.open if packed else open)(path, "rb") as file:
            while piece := file.read(size):
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path.name, error) from None


def _text(path: Path, head: bytes, options: Options) -> tuple[str, tuple[Change, ...]]:
    """Return the call that reads a text file, every cell as text."""
    packed, head = head.startswith(GZIP), _unpacked(path, head)
    encoding, noticed = _encoding(path, head, options.encoding)
    whole = head[: head.rfind(b"\n") + 1] or head  # a line may have been cut in a letter
    delimiter, announced, seen = settle_delimiter(
        whole, path.name, encoding, options.delimiter or None
    )
    how = {
        "delim": literal(delimiter),
        "header": "true",
        "all_varchar": "true",
        "quote": literal('"'),
        "escape": literal('"'),
        "null_padding": "true",
        "strict_mode": "false",
        "encoding": literal(encoding),
        "skip": "1" if announced else "0",
    }
    if packed:
        how["compression"] = literal("gzip")
    if _has_breaks_in_cells(path):
        how["parallel"] = "false"  # or DuckDB refuses to fill up short lines
    listed = ", ".join(f"{key}={value}" for key, value in how.items())
    return f"read_csv({literal(str(path))}, {listed})", (*noticed, *seen)


def _has_breaks_in_cells(path: Path) -> bool:
    """Whether a line may end between quotes: true for every file in which a cell does."""
    between = 0
    for piece in _pieces(path):
        if not between and b'"' not in piece:
            continue
        parts = piece.split(b'"')
        cells = b"".join(parts[1 - between :: 2])
        if b"\n" in cells or b"\r" in cells:
            return True
        between ^= len(parts) - 1 & 1
    return False


def _encoding(path: Path, head: bytes, given: str) -> tuple[str, tuple[Change, ...]]:
    """Return the encoding in DuckDB's words: utf-8, utf-16 or latin-1."""
    if given or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = (given or "utf-16").lower().replace("_", "-")
        name = ENCODINGS.get(name, name)
        if name not in ("utf-8", "utf-16", "latin-1"):
            raise UserError(
                f"transactions are not read as {given!r}",
                where="--encoding",
                remedy="save the file as UTF-8; utf-8, utf-16 and latin-1 are possible",
            )
        return name, ()
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in _pieces(path):
            if not piece.isascii() or decoder.getstate()[0]:
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1", (Change("text that is not UTF-8", action="read as Latin-1"),)
    return "utf-8", ()
