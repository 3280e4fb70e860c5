"""Transaction lines opened in DuckDB: in pieces, never as a whole, what does not fit on disk."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import duckdb

from customer_tables.changes import Change
from customer_tables.duckdb_files import (
    Lines,
    Relation,
    literal,
    quoted,
    unreadable,
)
from customer_tables.errors import UserError
from customer_tables.memory import free_memory
from customer_tables.sniff import RUNS, format_of, settle_delimiter, unpacked
from customer_tables.source import FOUND_OUT, Options
from customer_tables.table import read_table

LEAST_MEMORY, MOST_MEMORY = 512 << 20, 2 << 30  # bytes that DuckDB may take
HEAD, PIECE = 1 << 16, 1 << 22  # bytes that show how a file is written, and that are read at a time
PARQUETS = "read_parquet({})"
JSON = "read_json({}, format='newline_delimited', compression='none', sample_size=100000)"
ENCODINGS = dict.fromkeys(("utf8", "utf-8", "utf-8-sig"), "utf-8")
ENCODINGS |= dict.fromkeys(("utf16", "utf-16"), "utf-16")
ENCODINGS |= dict.fromkeys(("latin1", "latin-1", "cp1252", "iso-8859-1"), "latin-1")


@contextmanager
def open_lines(
    path: Path, options: Options = FOUND_OUT, products: Path | None = None
) -> Iterator[Lines]:
    """Open transaction lines, and what is known about products, in a DuckDB of their own.

    It lies in a folder that is gone afterwards. Times with a zone are read as UTC, whatever the
    zone of this machine.

    Raises
    ------
    UserError
        If the file cannot be read; also in place of any error of DuckDB's while it is open.
    """
    with (
        TemporaryDirectory() as name,
        closing(duckdb.connect(str(Path(name) / "lines.duckdb"))) as connection,
    ):
        connection.execute(f"SET temp_directory = {literal(name)}")
        connection.execute(f"SET memory_limit = '{memory_limit() >> 20} MiB'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        try:
            file = _open(connection, Path(name), path, options)
            catalogue = _open(connection, Path(name), products) if products else None
            yield Lines(path, options, connection, file, catalogue)
        except duckdb.Error as error:
            raise unreadable(path.name, error) from None


def memory_limit() -> int:
    """Return how many bytes DuckDB may take; what does not fit goes to its folder."""
    free = free_memory()
    return MOST_MEMORY if free is None else max(LEAST_MEMORY, min(MOST_MEMORY, free // 2))


def _open(
    connection: duckdb.DuckDBPyConnection, folder: Path, path: Path, options: Options = FOUND_OUT
) -> Relation:
    """Make a file of text, JSON, Parquet or Excel readable in SQL, or raise a `UserError`."""
    changes: tuple[Change, ...] = ()
    place = _unpacked_into(folder, path)
    with place.open("rb") as file:
        form = format_of(file.read(HEAD), path.name)
    if form == "excel":
        reading = read_table(path, Options(sheet=options.sheet))
        sql, changes = quoted(f"sheet of {path}"), tuple(reading.changes)
        connection.register(f"sheet of {path}", reading.table)
    elif form == "text":
        sql, changes = _text(folder, place, path.name, options)
    else:
        sql = (PARQUETS if form == "parquet" else JSON).format(literal(str(place)))
    described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    types = {row[0]: row[1] for row in described}
    return Relation(sql, types, changes, form, place if form == "text" else None)


def _unpacked_into(folder: Path, path: Path) -> Path:
    """Return where a file can be read as it is: in a folder if it is packed."""
    with unpacked(path) as (source, packed):
        if not packed:
            return path
        return _written(folder, path, partial(shutil.copyfileobj, source))


def _written(folder: Path, path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Write another form of a file into a folder."""
    place = folder / f"{len(list(folder.iterdir()))}_{path.stem}"
    with place.open("wb") as target:
        write(target)
    return place


def _text(folder: Path, path: Path, name: str, options: Options) -> tuple[str, tuple[Change, ...]]:
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
    delimiter, announced, seen = settle_delimiter(whole, name, encoding, options.delimiter)
    if delimiter == RUNS:
        with path.open("rb") as source:
            lines = (b"\t".join(line.split()) + b"\n" for line in source)
            path, delimiter = _written(folder, path, lambda file: file.writelines(lines)), "\t"
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
        "compression": literal("none"),
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
    with path.open("rb") as file:
        for piece in chain(iter(partial(file.read, PIECE), b""), [b""]):
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
