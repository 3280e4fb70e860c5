"""A file of purchases as DuckDB sees it: in pieces, never as a whole."""

from __future__ import annotations

import codecs
import gzip
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb

from customer_tables.changes import Change, Reading
from customer_tables.errors import UserError
from customer_tables.sniff import GZIP, PARQUET, ZIP, settle_delimiter
from customer_tables.table import read_table
from segmentation.transactions.engine import literal, unreadable

HEAD = 1 << 16
PIECE = 1 << 22


@dataclass(frozen=True)
class Relation:
    """What stands behind FROM, and how the file is written."""

    sql: str
    types: dict[str, str]  # column name to DuckDB's type; everything in a text file is VARCHAR
    changes: tuple[Change, ...] = ()
    format: str = "text"
    cheap: bool = False  # to be read at each look; otherwise once


def open_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Relation:
    """Make a file of text, Parquet or Excel readable in SQL.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise UserError(
            f"the file cannot be read: {error.strerror}", where=str(path), remedy="check the path"
        ) from None
    changes: tuple[Change, ...] = ()
    if head.startswith(PARQUET):
        sql, form = f"read_parquet({literal(str(path))})", "parquet"
    elif head.startswith(ZIP) or _unpacked(path, head)[:4] in (ZIP, PARQUET):
        stamp = path.stat()
        reading = _workbook(path, sheet, (stamp.st_mtime_ns, stamp.st_size))
        connection.register("sheet", reading.table)
        sql, form, changes = "sheet", reading.source["format"], tuple(reading.changes)
    else:
        sql, changes = _text(path, head, delimiter, encoding)
        form = "text"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except duckdb.Error as error:
        raise unreadable(path.name, error) from None
    types = {row[0]: row[1] for row in described}
    return Relation(sql, types, changes, form, cheap=form == "parquet")


@lru_cache(maxsize=1)
def _workbook(path: Path, sheet: str | None, stamp: tuple[int, int]) -> Reading:
    """Read a workbook's sheet, which takes long, once for all questions about it."""
    return read_table(path, sheet=sheet)


def _text(
    path: Path, head: bytes, delimiter: str | None, encoding: str | None
) -> tuple[str, tuple[Change, ...]]:
    """Return the call that reads a text file, every cell as text."""
    packed = head.startswith(GZIP)
    head = _unpacked(path, head)
    encoding, noticed = _encoding(path, head, encoding, packed)
    whole = head[: head.rfind(b"\n") + 1] or head  # a line may have been cut in a letter
    mark = "latin-1" if encoding == "latin-1" else "utf-16" if encoding == "utf-16" else "utf-8"
    delimiter, announced, seen = settle_delimiter(whole, path.name, mark, delimiter)
    options = {
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
        options["compression"] = literal("gzip")
    if _has_breaks_in_cells(path, packed):
        options["parallel"] = "false"  # or DuckDB refuses to fill up short lines
    listed = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"read_csv({literal(str(path))}, {listed})", (*noticed, *seen)


def _has_breaks_in_cells(path: Path, packed: bool) -> bool:
    """Whether a line may end between quotes: true for every file in which a cell does."""
    between = 0
    try:
        with (gzip.open if packed else open)(path, "rb") as file:
            while piece := file.read(PIECE):
                if not between and b'"' not in piece:
                    continue
                parts = piece.split(b'"')
                quoted = b"".join(parts[1 - between :: 2])
                if b"\n" in quoted or b"\r" in quoted:
                    return True
                between ^= len(parts) - 1 & 1
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path.name, error) from None
    return False


def _unpacked(path: Path, head: bytes) -> bytes:
    """Return the beginning of what a file holds, unpacked where it is a gzip archive."""
    if not head.startswith(GZIP):
        return head
    try:
        with gzip.open(path) as file:
            return file.read(HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path.name, error) from None


def _encoding(
    path: Path, head: bytes, given: str | None, packed: bool
) -> tuple[str, tuple[Change, ...]]:
    """Return the encoding in DuckDB's words: utf-8, utf-16 or latin-1."""
    if given or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = (given or "utf-16").lower().replace("_", "-")
        known = {"utf8": "utf-8", "utf-8-sig": "utf-8", "utf16": "utf-16", "cp1252": "latin-1",
                 "iso-8859-1": "latin-1", "latin1": "latin-1"}  # fmt: skip
        name = known.get(name, name)
        if name not in ("utf-8", "utf-16", "latin-1"):
            raise UserError(
                f"transactions are not read as {given!r}",
                where="--encoding",
                remedy="save the file as UTF-8; utf-8, utf-16 and latin-1 are possible",
            )
        return name, ()
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with (gzip.open if packed else open)(path, "rb") as file:
            while piece := file.read(PIECE):
                if not piece.isascii() or decoder.getstate()[0]:
                    decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1", (Change("text that is not UTF-8", action="read as Latin-1"),)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path.name, error) from None
    return "utf-8", ()
