"""The table among the rows of a file: columns of equal length, and what is no part of them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables import header
from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.header import clean_name, filled
from customer_tables.sniff import SAMPLE_ROWS, Dialect

CHUNK_ROWS = 20_000
SHOWN_CELLS = 1000  # by which the header is judged
TOTAL = re.compile(
    r"((grand|sub|over)?[ -]?(total|totals|totale|totaal)( g[eé]n[eé]ral)?|total general|sums?|"
    r"average|mean|gesamt(summe)?|summe|somme|suma|итого|всего|合計)\s*:?",
    re.IGNORECASE,
)
REMARK = re.compile(r"[\s:(]|^(end|eof)$", re.IGNORECASE)
SAVED_INDEX = re.compile(r"(unnamed[:_ ]*\d+|__index_level_\d+__)?", re.IGNORECASE)

csv.field_size_limit(10_000_000)  # one long comment is no error


@dataclass(frozen=True)
class Raw:
    """The columns of a file before their cells are understood.

    Attributes
    ----------
    file : str
        The file's name, for messages.
    names : list of str
    columns : list of pyarrow.ChunkedArray
        Text; from a Parquet file also numbers, truth values and timestamps.
    lines : ndarray of int
        The line (or row) of the file that each row of the table stands in.
    word : str
        What `lines` counts.
    changes : list of Change
    units : dict
        Column name to the unit that its cells' format shows.
    places : list of int
        Where in the rows of a text or a sheet the columns stand.
    """

    file: str
    names: list[str]
    columns: list[pa.ChunkedArray]
    lines: np.ndarray
    word: str = "line"
    changes: list[Change] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)

    def with_change(self, what: str, rows: int, action: str, lines: Iterable[int] = ()) -> Raw:
        """Return the table with a change of its rows noted; none where there are no rows."""
        if not rows:
            return self
        examples = tuple(f"{self.word} {line}" for line in islice(lines, 3))
        return replace(self, changes=[*self.changes, Change(what, "", rows, action, examples)])

    def with_columns(self, keep: list[int]) -> Raw:
        """Return the table with only the columns at these places."""
        names, columns = [self.names[i] for i in keep], [self.columns[i] for i in keep]
        places = [self.places[i] for i in keep] if self.places else []
        return replace(self, names=names, columns=columns, places=places)

    def with_rows(self, first: int, count: int) -> Raw:
        """Return the table with only some of its rows."""
        columns = [column.slice(first, count) for column in self.columns]
        return replace(self, columns=columns, lines=self.lines[first : first + count])

    def refusal(self, what: str, lines: list[int], remedy: str) -> UserError:
        """Make the error that names the first of these lines."""
        more = " ..." if len(lines) > 5 else ""
        places = ", ".join(str(line) for line in lines[:5])
        return UserError(what, f"{self.file}, {self.word} {places}{more}", remedy)


@dataclass
class _Body:
    """What is noticed while the rows below the header go by."""

    header: list[str]
    lines: list[int] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    trailing: list[int] = field(default_factory=list)
    long: dict[int, int] = field(default_factory=dict)  # line to its number of cells
    short: dict[int, int] = field(default_factory=dict)


def read_rows(data: bytes, file: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's first line number and its cells; blank lines are empty rows.

    Raises
    ------
    UserError
        If a quotation mark is not closed, or closed and followed by text.
    """
    stream = io.TextIOWrapper(io.BytesIO(data), encoding=dialect.encoding, newline="")
    skipped = int(dialect.announced)
    if skipped:
        stream.readline()
    reader = csv.reader(stream, delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    line = 1 + skipped
    try:
        for row in reader:
            several = reader.line_num + skipped > line
            if several and any(_swallows(cell, dialect.delimiter, len(row)) for cell in row):
                raise csv.Error
            yield line, row
            line = reader.line_num + skipped + 1
    except csv.Error:
        raise UserError(
            "a quotation mark is not closed, or text follows a closing one",
            where=f"{file}, in the row that starts at line {line}",
            remedy='close the quotation mark; double (" -> "") those that belong to the text',
        ) from None


def _swallows(cell: str, delimiter: str, width: int) -> bool:
    """Whether one of a cell's further lines has the delimiters of a whole row."""
    lines = re.split(r"\r\n|\r|\n", cell)[1:]
    return any(line.count(delimiter) >= max(2, width - 1) for line in lines)


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
        width = max((len(cells) for _, cells in head), default=0)
        head = [(line, cells + [""] * (width - len(cells))) for line, cells in head]
    place, lead, preamble = header.find_header(head, file)
    body = _Body([""] * lead + [clean_name(cell) for cell in head[place][1]])
    columns = _read_body(chain(head[place + 1 :], rows), body)
    raw = Raw(
        file, body.header, columns, np.array(body.lines, dtype=np.int64), "row" if sheet else "line"
    )
    raw = raw.with_change("lines before the header", len(preamble), "skipped", preamble)
    raw = raw.with_change("empty rows", len(body.blank), "skipped", body.blank)
    between = "the header again, between the rows"
    raw = raw.with_change(between, len(body.repeated), "skipped", body.repeated)
    trailing = "delimiters after the last cell"
    raw = raw.with_change(trailing, len(body.trailing), "ignored", body.trailing)
    raw = replace(raw, places=list(range(len(body.header))))
    raw = _settle_width(raw, body, whole)
    if not len(raw.lines):
        raise UserError("the file has a header and no rows", file, "export the table again")
    return _settle_header(raw, head[place][0])


def _read_body(rows: Iterable[tuple[int, list[str]]], body: _Body) -> list[pa.ChunkedArray]:
    chunks: list[list[pa.Array]] = [[] for _ in body.header]
    fitted = _fit(rows, body)
    while some := list(islice(fitted, CHUNK_ROWS)):
        for chunk, cells in zip(chunks, zip(*some, strict=True), strict=True):
            chunk.append(pa.array(cells, pa.string()))
    return [pa.chunked_array(chunk, pa.string()) for chunk in chunks]


def _fit(rows: Iterable[tuple[int, list[str]]], body: _Body) -> Iterator[list[str]]:
    """Yield the rows that hold something, each with as many cells as the header."""
    names, width = body.header, len(body.header)
    for line, row in rows:
        if not any(row):
            body.blank.append(line)
            continue
        if len(row) > width:
            if any(cell.strip() for cell in row[width:]):
                body.long[line] = len(row)
            body.trailing.append(line)
            row = row[:width]
        elif len(row) < width:
            body.short[line] = len(row)
            row = row + [""] * (width - len(row))
        if row[0].strip() == names[0] and [clean_name(cell) for cell in row] == names:
            body.repeated.append(line)
            continue
        body.lines.append(line)
        yield row


def _settle_width(raw: Raw, body: _Body, whole: bool) -> Raw:
    """Accept rows that lack cells at their end; refuse those that do not fit the header."""
    if body.long:
        raise raw.refusal(
            f"{len(body.long):,} row(s) have more cells than the header's {len(raw.names)}, "
            f"the first one {next(iter(body.long.values()))}",
            list(body.long),
            "put cells that contain the delimiter in quotation marks, or give another --delimiter",
        )
    named = [i for i, name in enumerate(raw.names) if name or _any_text(raw.columns[i])]
    hollow = len(raw.names) - len(named)
    raw = raw.with_columns(named).with_change("empty columns without a name", hollow, "left out")
    raw = drop_closing_rows(raw)
    last = int(raw.lines[-1]) if len(raw.lines) else 0
    short = {
        line: cells for line, cells in body.short.items()
        if cells < len(raw.names) and line <= last
    }  # fmt: skip
    if not short or raw.word == "row":
        return raw
    _check_short(raw, short, whole)
    missing = "the cells that lack were taken as missing"
    return raw.with_change("rows that end before the last column", len(short), missing, short)


def _any_text(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())


def _check_short(raw: Raw, short: dict[int, int], whole: bool) -> None:
    """Refuse rows that are too short because something was broken, cut off, or is no row."""
    width, last = len(raw.names), int(raw.lines[-1])
    broken = [n for n in short if short[n] + short.get(n + 1, -width) in (width, width + 1)]
    if broken:
        raise raw.refusal(
            "rows are broken in two by a line break within a cell",
            broken,
            "put the cells that hold line breaks in quotation marks",
        )
    if not whole and list(short)[-1] == last:
        raise raw.refusal(
            "the last row stops in the middle: the file seems to be cut off",
            [last],
            "download or export it again, or delete that row",
        )
    lone = [line for line, cells in short.items() if cells == 1 and width > 2]
    if lone or len(short) == len(raw.lines):
        lines = lone or list(short)
        raise raw.refusal(
            f"a row has {short[lines[0]]} cell(s) where the header has {width}",
            lines,
            "complete or delete these rows, or give another --delimiter",
        )


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
        raw = raw.with_rows(0, len(raw.lines) - 1)
    raw = raw.with_change("totals at the end", len(totals), "left out", reversed(totals))
    return raw.with_change("remarks at the end", len(remarks), "left out", reversed(remarks))


def _settle_header(raw: Raw, line: int) -> Raw:
    """Refuse a missing header; skip a second one, or take the names from it."""
    first = [column.slice(0, SHOWN_CELLS).to_pylist() for column in raw.columns]
    columns = [[(cell or "").strip() for cell in cells] for cells in first]
    if header.is_missing(raw.names, columns):
        shown = ", ".join(raw.names)[:60]
        raise raw.refusal(
            f"the header is missing: the first row reads {shown!r}, like the rows below it",
            [line],
            "add a first row with the names of the columns",
        )
    second = header.second_header(raw.names, columns)
    if not second:
        return raw
    below = raw.with_rows(1, len(raw.lines) - 1)
    if second == "labels":
        return below.with_change("a second line of headings", 1, "skipped", raw.lines[:1])
    names = [clean_name(cells[0]) for cells in columns]
    return replace(below, names=names).with_change(
        "a line of numbers above the names", 1, "skipped"
    )


def name_columns(raw: Raw) -> Raw:
    """Drop a saved row index; give every other column a name of its own."""
    keep = [
        place
        for place, name in enumerate(raw.names)
        if not (SAVED_INDEX.fullmatch(name) and _is_row_number(raw.columns[place]))
    ]
    if not keep:
        what = "the file holds a row index and no other column"
        raise UserError(what, raw.file, "export again")
    rows = len(raw.lines)
    names: list[str] = []
    changes: list[Change] = []
    for place, name in enumerate(raw.names):
        shown = name or f"column {place + 1}"
        if place not in keep:
            shown += "" if name else " (no name)"
            changes.append(Change("a saved row index", shown, rows, "column left out"))
            continue
        if not name:
            changes.append(Change("a column without a name", shown, rows, f"called {shown!r}"))
        if shown in names:
            taken, count = {*names, *raw.names}, 2
            while f"{shown} ({count})" in taken:
                count += 1
            new = f"{shown} ({count})"
            changes.append(Change("a name that two columns share", shown, rows, f"renamed '{new}'"))
            shown = new
        names.append(shown)
    kept = raw.with_columns(keep)
    return replace(kept, names=names, changes=raw.changes + changes)


def _is_row_number(column: pa.ChunkedArray) -> bool:
    """Whether a column counts its rows from 0 or 1."""
    try:
        numbers = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        return False
    if numbers.null_count or numbers[0].as_py() not in (0, 1):
        return False
    values = numbers.to_numpy()
    return bool((values == values[0] + np.arange(len(values))).all())
