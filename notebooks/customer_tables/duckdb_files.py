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
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import IO

import duckdb

from customer_tables.changes import Change, Reading
from customer_tables.errors import UserError
from customer_tables.memory import SMALL, free_memory, unpacked_size
from customer_tables.sniff import (
    GZIP,
    OLE,
    PARQUET,
    RUNS,
    ZIP,
    has_json_lines,
    packed_table,
    settle_delimiter,
    unpacked,
)
from customer_tables.table import read_table

# Runs a query in DuckDB's dialect, on this machine or elsewhere, and returns its rows.
Run = Callable[[str], list[tuple]]

LEAST_MEMORY, MOST_MEMORY = 512 << 20, 2 << 30  # bytes that DuckDB may take
SPACE = 2  # temporary files over the unpacked file: the lines, and baskets that do not fit
HEAD = 1 << 16
JSON = "format='newline_delimited', compression='auto_detect', sample_size=100000"
ENCODINGS = dict.fromkeys(("utf8", "utf-8", "utf-8-sig"), "utf-8")
ENCODINGS |= dict.fromkeys(("utf16", "utf-16"), "utf-16")
ENCODINGS |= dict.fromkeys(("latin1", "latin-1", "cp1252", "iso-8859-1"), "latin-1")


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
    path: Path | None = None  # of a file of text on this machine

    def line_of(self, cell: str) -> str:
        """Say in which line of a text a cell first stands; nothing where that is not known."""
        if self.path is None:
            return ""
        with (gzip.open if _is_packed(self.path) else open)(self.path, "rb") as file:
            numbered = (place for place, line in enumerate(file, 1) if cell.encode() in line)
            place = next(numbered, None)
        return f", line {place} ({cell[:30]!r})" if place else ""


@contextmanager
def open_duckdb(name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB on a folder of its own, which is gone afterwards.

    Times with a zone are read as UTC, whatever the zone of this machine. In place of any error of
    DuckDB's, a `UserError` says that the file called `name` cannot be read.
    """
    with (
        TemporaryDirectory() as folder,
        closing(duckdb.connect(str(Path(folder) / "lines.duckdb"))) as connection,
    ):
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
    """Refuse transaction lines that this machine has no space to sort, with the arithmetic."""
    size, free = unpacked_size(path), shutil.disk_usage(gettempdir()).free
    if size > SMALL and size * SPACE > free:
        raise UserError(
            f"the purchases are too large for this machine: {size / 1e9:,.1f} GB unpacked, times "
            f"{SPACE} to sort them, is {size * SPACE / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are "
            "free for temporary files",
            where=path.name,
            remedy="make space, set TMPDIR to a folder on a larger disk, or aggregate purchases "
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
    """Make a file of text, JSON, Parquet or Excel readable in SQL, or raise a `UserError`."""
    changes: tuple[Change, ...] = ()
    packed, head = _is_packed(path), next(_pieces(path, HEAD), b"")
    if head[:4] == ZIP and not packed:
        with path.open("rb") as archive:
            if packed_table(archive, path.name):
                path = _rewritten(connection, path, shutil.copyfileobj)
                head = next(_pieces(path, HEAD), b"")
    start = head[:4]
    if start == PARQUET and not packed:
        sql, form = f"read_parquet({literal(str(path))})", "parquet"
    elif start in (ZIP, PARQUET, OLE):
        stamp = path.stat()
        reading = _workbook(path, options.sheet, (stamp.st_mtime_ns, stamp.st_size))
        connection.register("sheet", reading.table)
        sql, form, changes = "sheet", str(reading.source["format"]), tuple(reading.changes)
    elif has_json_lines(head):
        sql, form = f"read_json({literal(str(path))}, {JSON})", "json"
    else:
        sql, changes = _text(connection, path, packed, options)
        form = "text"
    described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    types = {row[0]: row[1] for row in described}
    return Relation(sql, types, changes, form, path if form == "text" else None)


@lru_cache(maxsize=1)
def _workbook(path: Path, sheet: str, stamp: tuple[int, int]) -> Reading:
    """Read a workbook's sheet, which takes long, once for all questions about it."""
    return read_table(path, sheet=sheet or None)


def _is_packed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == GZIP
    except OSError as error:
        raise UserError(
            f"the file cannot be read: {error.strerror}", where=str(path), remedy="check the path"
        ) from None


def _pieces(path: Path, size: int = 1 << 22) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked."""
    try:
        with (gzip.open if _is_packed(path) else open)(path, "rb") as file:
            while piece := file.read(size):
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path.name, error) from None


def _rewritten(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    rewrite: Callable[[IO[bytes], IO[bytes]], object],
) -> Path:
    """Write what a file holds, unpacked and rewritten, into DuckDB's folder, piece by piece."""
    folder = connection.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    target = Path(folder) / f"{len(list(Path(folder).iterdir()))}_{path.stem}"
    with unpacked(path) as source, target.open("wb") as file:
        rewrite(source, file)
    return target


def _as_tabs(source: IO[bytes], target: IO[bytes]) -> None:
    """Put a tab in the place of each run of spaces."""
    for line in source:
        target.write(b"\t".join(line.split()) + b"\n")


def _text(
    connection: duckdb.DuckDBPyConnection, path: Path, packed: bool, options: Options
) -> tuple[str, tuple[Change, ...]]:
    """Return the call that reads a text file, every cell as text."""
    head, is_unicode, has_breaks = _scan(path)
    encoding, noticed = options.encoding.lower().replace("_", "-"), list[Change]()
    encoding = ENCODINGS.get(encoding, encoding)
    if encoding not in ("", *ENCODINGS.values()):
        raise UserError(
            f"transactions are not read as {options.encoding!r}",
            where="--encoding",
            remedy="save the file as UTF-8; utf-8, utf-16 and latin-1 are possible",
        )
    if not encoding and head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif not encoding and not is_unicode:
        noticed.append(Change("text that is not UTF-8", action="read as Latin-1"))
        encoding = "latin-1"
    whole = head[: head.rfind(b"\n") + 1] or head  # a line may have been cut in a letter
    encoding = encoding or "utf-8"
    delimiter, announced, seen = settle_delimiter(
        whole, path.name, encoding, options.delimiter or None
    )
    if delimiter == RUNS:
        path, delimiter, packed = _rewritten(connection, path, _as_tabs), "\t", False
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
        "compression": literal("gzip" if packed else "none"),
        # Or DuckDB refuses to fill up short lines.
        "parallel": "false" if has_breaks else "true",
    }
    listed = ", ".join(f"{key}={value}" for key, value in how.items())
    return f"read_csv({literal(str(path))}, {listed})", (*noticed, *seen)


def _scan(path: Path) -> tuple[bytes, bool, bool]:
    """Return how a text begins, whether it is UTF-8, and whether a line may end between quotes.

    The last is true for every file in which a cell holds the end of a line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    head, is_unicode, has_breaks, between = b"", True, False, 0
    for piece in chain(_pieces(path), [b""]):
        head = head or piece[:HEAD]
        if is_unicode:
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError:
                is_unicode = False
        parts = piece.split(b'"')
        cells = b"".join(parts[1 - between :: 2])
        has_breaks = has_breaks or b"\n" in cells or b"\r" in cells
        between ^= len(parts) - 1 & 1
    return head, is_unicode, has_breaks
