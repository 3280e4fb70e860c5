"""Transaction lines opened in DuckDB: in pieces, never as a whole, what does not fit on disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow.parquet as pq

from customer_tables.changes import Change
from customer_tables.duckdb_files import Lines, literal, quoted, unreadable, with_full_names
from customer_tables.errors import UserError
from customer_tables.header import find_header, join_two_rows
from customer_tables.memory import free_memory, require_space
from customer_tables.rows import read_rows
from customer_tables.sniff import (
    HEAD,
    RUNS,
    SAMPLE_ROWS,
    WIDE,
    Dialect,
    format_of,
    settle_delimiter,
    settle_encoding,
    split_spaces,
    unpacked,
)
from customer_tables.source import FOUND_OUT, Options
from customer_tables.table import read_table

LEAST_MEMORY, MOST_MEMORY = 512 << 20, 1280 << 20  # bytes that DuckDB may take
MOMENT = "TIMESTAMP WITH TIME ZONE"
JSON = "read_json({}, format='auto', compression='none', sample_size=100000)"


@contextmanager
def open_lines(
    path: Path, options: Options = FOUND_OUT, products: Path | None = None
) -> Iterator[Lines]:
    """Open transaction lines, and what is known about products, in a DuckDB of their own.

    It lies in a folder that is gone afterwards. Times with a zone are read by their own clock,
    whatever the zone of this machine.

    Raises
    ------
    UserError
        If there is no space for the lines, or the file cannot be read; also in place of any error
        of DuckDB's while it is open.
    """
    require_space(path)
    with (
        TemporaryDirectory() as name,
        closing(duckdb.connect(":memory:")) as connection,  # what is too much for it goes there
    ):
        connection.execute(f"SET temp_directory = {literal(name)}")
        connection.execute(f"SET memory_limit = '{memory_limit() >> 20} MiB'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        try:
            lines = _open(connection, Path(name), path, options)
            if products:
                lines = replace(lines, catalogue=_open(connection, Path(name), products, number=1))
            yield lines
        except duckdb.Error as error:
            raise unreadable(path.name, error) from None


def memory_limit() -> int:
    """Return how many bytes DuckDB may take; what does not fit goes to its folder."""
    free = free_memory()
    return MOST_MEMORY if free is None else max(LEAST_MEMORY, min(MOST_MEMORY, free // 2))


def _open(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    path: Path,
    options: Options = FOUND_OUT,
    number: int = 0,
) -> Lines:
    """Make a file of text, JSON, Parquet or Excel readable in SQL, or raise a `UserError`.

    A text is a view, which reads the file at each look.
    """
    changes: tuple[Change, ...] = ()
    place = path
    with unpacked(path) as (source, packed):
        if packed:
            place = folder / f"{number}_{path.stem}"
            with place.open("wb") as target:
                shutil.copyfileobj(source, target)
    with place.open("rb") as file:
        form = format_of(file.read(HEAD), path.name)
    if form == "excel":
        reading = read_table(path, Options(sheet=options.sheet))
        sql, changes = quoted(f"sheet of {path}"), tuple(reading.changes)
        connection.register(f"sheet of {path}", reading.table)
    elif form == "parquet":
        sql, changes = _view_parquet(place)
    else:
        sql = f"file_{number}"
        if form == "json":
            read = JSON.format(literal(str(place)))
            kinds = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
            if any(MOMENT in kind for _, kind, *_ in kinds):  # their zones are not to be lost
                named = {name: kind.replace(MOMENT, "VARCHAR") for name, kind, *_ in kinds}
                read = read.removesuffix(")") + f", columns={named})"
            listed = _flattened(connection, read)
            connection.execute(f"CREATE TABLE {sql} AS SELECT {listed} FROM {read}")
        else:
            changes = _view_text(connection, sql, folder, place, path.name, options)
    described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    lines = Lines(
        path=path,
        run=lambda query: connection.execute(query).fetchall(),
        table=lambda query: connection.execute(query).df(),
        sql=sql,
        types={row[0]: row[1] for row in described},
        changes=changes,
        format=form,
        options=options,
        text=place if form == "text" else None,
    )
    return with_full_names(lines)


def _view_parquet(path: Path) -> tuple[str, tuple[Change, ...]]:
    """Return a Parquet file as SQL, moments by the clock of their zone, and which these are."""
    shown, changes = [], []
    file = pq.ParquetFile(path)
    for column in file.schema_arrow:
        zone = getattr(column.type, "tz", None)
        if not zone:
            continue
        name, offset = quoted(column.name), re.fullmatch(r"([+-])(\d\d):(\d\d)", zone)
        local = f"timezone({literal(zone)}, {name})"
        if offset:
            minutes = int(f"{offset[1]}{60 * int(offset[2]) + int(offset[3])}")
            local = f"CAST({name} AS TIMESTAMP) + to_minutes({minutes})"
        shown.append(f"{local} AS {name}")
        what, action = f"times in {zone}", "read by the clock there"
        changes.append(Change(what, column.name, file.metadata.num_rows, action))
    replaced = f" REPLACE ({', '.join(shown)})" if shown else ""
    read = f"read_parquet({literal(str(path))})"
    return (f"(SELECT *{replaced} FROM {read})" if shown else read), tuple(changes)


def _flattened(connection: duckdb.DuckDBPyConnection, read: str) -> str:
    """List the columns of JSON as SQL; the parts of an object become columns `name.part`."""
    listed = []
    for column, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall():
        whole, parts = quoted(column), []
        if kind.startswith("STRUCT") and not kind.endswith("]"):
            parts = connection.execute(f"DESCRIBE SELECT {whole}.* FROM {read}").fetchall()
        listed += [f"{whole}.{quoted(p)} AS {quoted(f'{column}.{p}')}" for p, *_ in parts] or [
            whole
        ]
    return ", ".join(listed)


def _has_quotes(path: Path) -> bool:
    """Whether a cell of a text can hold a line's end."""
    with path.open("rb") as file:
        return any(b'"' in piece for piece in iter(lambda: file.read(1 << 20), b""))


def _view_text(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    folder: Path,
    path: Path,
    name: str,
    options: Options,
) -> tuple[Change, ...]:
    """Make a view of a text, every cell as text; return what was noticed."""
    with path.open("rb") as file:
        encoding, changes = settle_encoding(file, name, options.encoding)
        file.seek(0)
        start = file.read(HEAD + 1)  # of which the last line, which may be cut, is not looked at
    delimiter, announced, seen = settle_delimiter(start, name, encoding, options.delimiter)
    if not encoding.startswith("utf-8"):
        again = folder / f"{view}.txt"
        with (
            path.open(encoding=encoding, newline="") as text,
            again.open("w", encoding="utf-8", newline="") as target,
        ):
            shutil.copyfileobj(text, target)
        path = again
    if (spaces := delimiter) in (RUNS, WIDE):
        spaced, delimiter = folder / f"{view}.tsv", "\t"
        with path.open(encoding="utf-8") as source, spaced.open("w", encoding="utf-8") as target:
            target.writelines("\t".join(split_spaces(line, spaces)) + "\n" for line in source)
        path = spaced
    skip, names, found = _header(path, name, delimiter, announced)
    how = {
        "delim": literal(delimiter),
        "header": "false" if names else "true",
        "all_varchar": "true",
        "quote": literal('"'),
        "escape": literal('"'),
        "comment": "''",  # a number of an order may be #1001
        "null_padding": "true",
        "strict_mode": "false",
        "skip": str(skip),
        "compression": literal("none"),
        # Short lines are not filled up in parallel where a cell holds a line's end.
        "parallel": "false" if _has_quotes(path) else "true",
    }
    how |= {"names": f"[{', '.join(map(literal, names))}]"} if names else {}
    listed = ", ".join(f"{key}={value}" for key, value in how.items())
    read = f"read_csv({literal(str(path))}, {listed})"
    connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {read}")
    return (*changes, *seen, *found)


def _header(
    path: Path, name: str, delimiter: str, announced: bool
) -> tuple[int, list[str], list[Change]]:
    """Return how many lines of a UTF-8 text to skip, and names that stand over two rows.

    What is skipped above the header is a title or empty; both rows of such names are, too.
    """
    with path.open("rb") as file:
        start = file.read(HEAD)
    start = start[: start.rfind(b"\n") + 1] or start  # a line may have been cut
    try:
        rows = read_rows(start, name, Dialect("utf-8-sig", delimiter, announced, []))
        head = list(islice(rows, SAMPLE_ROWS))
        place, lead, before = find_header(head, name)
    except UserError:  # reading the rows says why
        return announced, [], []
    both = None if lead else join_two_rows(head, place)
    above, below, names = both or (place, place, [])
    first, skip, changes = head[above][0], int(announced), list[Change]()
    if not lead and first > 1 + announced:
        skip, places = first - 1, range(1 + announced, first)
        shown = tuple(f"line {line}" for line in places[:3])
        changes.append(Change("lines before the header", "", len(places), "skipped", shown))
    if both and below + 1 < len(head) and len({*names}) == len(names):
        skip = head[below + 1][0] - 1
        changes.append(Change("names over two rows", "", 1, "joined", (f"line {first}",)))
        return skip, names, changes
    return skip, [], changes
