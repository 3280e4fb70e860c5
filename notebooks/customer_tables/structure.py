"""The body of a table: rows of equal length, and what stands among them without being one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.header import (
    check_header,
    clean_name,
    drop_second_header,
    filled,
    find_header,
)
from customer_tables.raw import Raw, keep_columns, keep_rows

SAMPLE_ROWS = 200
CHUNK_ROWS = 20_000
TOTAL = re.compile(
    r"((grand|sub|over)?[ -]?(total|totals|totale|totaal)( g[eé]n[eé]ral)?|total general|sums?|"
    r"average|mean|gesamt(summe)?|summe|somme|suma|итого|всего|合計)\s*:?",
    re.IGNORECASE,
)
REMARK = re.compile(r"[\s:(]|^(end|eof)$", re.IGNORECASE)


@dataclass
class _Body:
    """What is noticed while the rows of the body go by."""

    width: int
    header: list[str]
    lines: list[int] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    trailing: list[int] = field(default_factory=list)
    long: list[tuple[int, int]] = field(default_factory=list)
    short: list[tuple[int, int]] = field(default_factory=list)


def assemble(
    rows: Iterable[tuple[int, list[str]]], file: str, *, sheet: bool = False, whole: bool = True
) -> Raw:
    """Find the header, and bring the rows below it into equally long columns.

    Parameters
    ----------
    rows : iterable of (line number, cells)
    file : str
        The file's name, for messages.
    sheet : bool
        Whether the rows come from a sheet, which leaves out the empty cells at a row's end.
    whole : bool
        Whether the file ends with a line end, as a file that is not cut off usually does.

    Raises
    ------
    UserError
        If there is no table, no header, no row, or rows have too many or too few cells.
    """
    rows = iter(rows)
    head = list(islice(rows, SAMPLE_ROWS))
    if sheet:
        width = max(len(cells) for _, cells in head)
        head = [(line, cells + [""] * (width - len(cells))) for line, cells in head]
    start, lead, preamble = find_header(head, file)
    word = "row" if sheet else "line"
    header = [""] * lead + [clean_name(cell) for cell in head[start][1]]
    body = _Body(len(header), header)
    columns = _read_body(chain(head[start + 1 :], rows), body)
    raw = Raw(file, header, columns, np.array(body.lines, dtype=np.int64), word)
    raw = replace(raw, places=list(range(len(header))))
    raw = _settle_width(raw, body, whole)
    if not len(raw.lines):
        raise UserError(
            "the file has a header and no rows", where=file, remedy="export the table again"
        )
    check_header(raw, head[start][0])
    raw = drop_second_header(raw)
    noticed = [
        (preamble, "lines before the header", "skipped"),
        (body.blank, "empty rows", "skipped"),
        (body.repeated, "the header again, between the rows", "skipped"),
        (body.trailing, "delimiters after the last cell", "ignored"),
    ]
    changes = [
        Change(what, rows=len(lines), action=action, examples=_places(lines, word))
        for lines, what, action in noticed
        if lines
    ]
    return replace(raw, changes=changes + raw.changes)


def _places(lines: list[int], word: str) -> tuple[str, ...]:
    return tuple(f"{word} {line}" for line in lines[:3])


def _read_body(rows: Iterable[tuple[int, list[str]]], body: _Body) -> list[pa.ChunkedArray]:
    chunks: list[list[pa.Array]] = [[] for _ in range(body.width)]
    waiting: list[list[str]] = []

    def store() -> None:
        for chunk, cells in zip(chunks, zip(*waiting, strict=True), strict=True):
            chunk.append(pa.array(cells, pa.string()))
        waiting.clear()

    for row in _fit(rows, body):
        waiting.append(row)
        if len(waiting) == CHUNK_ROWS:
            store()
    if waiting:
        store()
    return [pa.chunked_array(chunk, pa.string()) for chunk in chunks]


def _fit(rows: Iterable[tuple[int, list[str]]], body: _Body) -> Iterator[list[str]]:
    """Yield the rows that hold something, each with as many cells as the header."""
    width, header = body.width, body.header
    for line, row in rows:
        if not any(row):
            body.blank.append(line)
            continue
        if len(row) > width:
            if any(cell.strip() for cell in row[width:]):
                body.long.append((line, len(row)))
            body.trailing.append(line)
            row = row[:width]
        elif len(row) < width:
            body.short.append((line, len(row)))
            row = row + [""] * (width - len(row))
        if row[0].strip() == header[0] and [clean_name(cell) for cell in row] == header:
            body.repeated.append(line)
            continue
        body.lines.append(line)
        yield row


def _settle_width(raw: Raw, body: _Body, whole: bool) -> Raw:
    """Accept rows that lack cells at their end; refuse those that do not fit the header."""
    width = body.width
    if body.long:
        line, cells = body.long[0]
        raise _misfit(
            raw,
            f"{len(body.long):,} row(s) have more cells than the header's {width}, "
            f"the first one {cells}",
            body.long,
            "put cells that contain the delimiter in quotation marks, or give another --delimiter",
        )
    hollow = [i for i in range(width) if not raw.names[i] and not _any_text(raw.columns[i])]
    if hollow:
        change = Change("empty columns without a name", rows=len(hollow), action="left out")
        raw = keep_columns(raw, [i for i in range(width) if i not in hollow])
        raw = replace(raw, changes=[*raw.changes, change])
    raw = drop_closing_rows(raw)
    last = int(raw.lines[-1]) if len(raw.lines) else 0
    short = [pair for pair in body.short if pair[1] < len(raw.names) and pair[0] <= last]
    if not short or raw.word == "row":
        return raw
    _check_short(raw, short, whole)
    change = Change(
        "rows that end before the last column",
        rows=len(short),
        action="the cells that lack were taken as missing",
        examples=_places([line for line, _ in short], raw.word),
    )
    return replace(raw, changes=[*raw.changes, change])


def _any_text(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())


def _check_short(raw: Raw, short: list[tuple[int, int]], whole: bool) -> None:
    width = len(raw.names)
    cells_of = dict(short)
    broken = [
        (line, n) for line, n in short if n + cells_of.get(line + 1, -width) in (width, width + 1)
    ]
    if broken:
        raise _misfit(
            raw,
            "rows are broken in two by a line break within a cell",
            broken,
            "put the cells that hold line breaks in quotation marks",
        )
    if not whole and short[-1][0] == int(raw.lines[-1]):
        raise _misfit(
            raw,
            "the last row stops in the middle: the file seems to be cut off",
            short[-1:],
            "download or export it again, or delete that row",
        )
    lone = [(line, n) for line, n in short if n == 1 and width > 2]
    if len(short) == len(raw.lines) or lone:
        line, cells = (lone or short)[0]
        raise _misfit(
            raw,
            f"a row has {cells} cell(s) where the header has {width}",
            lone or short,
            "complete or delete these rows, or give another --delimiter",
        )


def _misfit(raw: Raw, what: str, rows: list[tuple[int, int]], remedy: str) -> UserError:
    more = " ..." if len(rows) > 5 else ""
    places = ", ".join(str(line) for line, _ in rows[:5])
    return UserError(what, where=f"{raw.file}, {raw.word} {places}{more}", remedy=remedy)


def drop_closing_rows(raw: Raw) -> Raw:
    """Drop totals and remarks at the end of the table, which are no customers."""
    totals, remarks = [], []
    while len(raw.lines) > 1:
        cells = [str(column[-1].as_py() or "").strip() for column in raw.columns]
        label = next((cell for cell in cells if cell), "")
        if TOTAL.fullmatch(label) and filled(cells) > 1:
            totals.append(int(raw.lines[-1]))
        elif len(cells) > 2 and filled(cells) == 1 and cells[0] and REMARK.search(label):
            remarks.append(int(raw.lines[-1]))
        else:
            break
        raw = keep_rows(raw, len(raw.lines) - 1)
    changes = [
        Change(what, rows=len(lines), action="left out", examples=_places(lines[::-1], raw.word))
        for what, lines in (("totals at the end", totals), ("remarks at the end", remarks))
        if lines
    ]
    return replace(raw, changes=raw.changes + changes)
