"""The table among the rows of a file: columns of equal length, and what is no part of them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables import header
from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.header import clean_name, filled
from customer_tables.sniff import RUNS, SAMPLE_ROWS, WIDE, Dialect, split_spaces
from customer_tables.vocabulary import MEAN, TOTAL

CHUNK_ROWS = 20_000
SHOWN_CELLS = 1000  # by which the header is judged
SUM_OR_MEAN = re.compile(rf"({TOTAL}|{MEAN})\s*:?", re.IGNORECASE)
REMARK = re.compile(r"[\s:(]|^(end|eof)$", re.IGNORECASE)
SAVED_INDEX = re.compile(r"(unnamed[:_ ]*\d+|__index_level_\d+__)?", re.IGNORECASE)
BLANK, AGAIN, TRAILING, LONG, SHORT = (
    "empty rows",
    "the header again, between the rows",
    "delimiters after the last cell",
    "rows with more cells than the header",
    "rows that end before the last column",
)

csv.field_size_limit(10_000_000)  # one long comment is no error


@dataclass
class Raw:
    """The columns of a file before their cells are understood."""

    file: str  # its name, for messages
    names: list[str]
    columns: list[pa.ChunkedArray]  # text; from Parquet also numbers, truth values and timestamps
    lines: np.ndarray  # where in the file each row stands
    word: str = "line"  # what `lines` counts
    changes: list[Change] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)  # by column, as its cells' format shows
    places: list[int] = field(default_factory=list)  # of the columns in the rows of a sheet

    def note(self, what: str, rows: int | Collection[int], action: str) -> None:
        """Note a change of rows, by their number or their lines; nothing where there are none."""
        lines = () if isinstance(rows, int) else rows
        count = rows if isinstance(rows, int) else len(rows)
        if count:
            examples = tuple(f"{self.word} {line}" for line in islice(lines, 3))
            self.changes.append(Change(what, "", count, action, examples))

    def keep_columns(self, places: list[int]) -> None:
        """Keep only the columns at these places."""
        self.names = [self.names[i] for i in places]
        self.columns = [self.columns[i] for i in places]
        self.places = [self.places[i] for i in places] if self.places else []

    def keep_rows(self, first: int, end: int) -> None:
        """Keep only the rows from the first to before the end."""
        self.columns = [column.slice(first, end - first) for column in self.columns]
        self.lines = self.lines[first:end]

    def refusal(self, what: str, lines: Collection[int], remedy: str) -> UserError:
        """Make the error that names the first of these lines."""
        places = ", ".join(str(line) for line in islice(lines, 5))
        more = " ..." if len(lines) > 5 else ""
        return UserError(what, f"{self.file}, {self.word} {places}{more}", remedy)


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
    if (spaces := dialect.delimiter) in (RUNS, WIDE):
        for place, text in enumerate(stream, 1 + skipped):
            yield place, split_spaces(text, spaces) if text.strip() else []
        return
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
    """Whether one of a cell's further lines has the delimiters of a whole row, as no prose has."""
    lines = re.split(r"\r\n|\r|\n", cell.replace(f"{delimiter} ", ""))[1:]
    return any(line.count(delimiter) >= max(2, width - 1) for line in lines)


def assemble(
    rows: Iterable[tuple[int, list[str]]], file: str, *, sheet: bool = False, whole: bool = True
) -> Raw:
    """Find the header, and bring the rows below it, with line numbers, into columns.

    Rows of a sheet leave out the empty cells at their end; a file that is not whole has no line
    end behind its last row, as if it were cut off.

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
    names = [""] * lead + [clean_name(cell) for cell in head[place][1]]
    above, both = place, None if lead else header.join_two_rows(head, place)
    if both:
        above, place, names = both
        preamble = [line for line in preamble if line < head[above][0]]
    chunks: list[list[pa.Array]] = [[] for _ in names]
    lines: list[int] = []
    odd: dict[str, dict[int, int]] = {what: {} for what in (BLANK, AGAIN, TRAILING, LONG, SHORT)}
    fitted = _fit(chain(head[place + 1 :], rows), names, lines, odd)
    while some := list(islice(fitted, CHUNK_ROWS)):
        for chunk, cells in zip(chunks, zip(*some, strict=True), strict=True):
            chunk.append(pa.array(cells, pa.string()))
    columns = [pa.chunked_array(chunk, pa.string()) for chunk in chunks]
    word = "row" if sheet else "line"
    raw = Raw(file, names, columns, np.array(lines, dtype=np.int64), word)
    raw.places = list(range(len(names)))
    raw.note("lines before the header", preamble, "skipped")
    raw.note("names over two rows", [head[above][0]] if both else 0, "joined")
    raw.note(BLANK, odd[BLANK], "skipped")
    raw.note(AGAIN, odd[AGAIN], "skipped")
    raw.note(TRAILING, odd[TRAILING], "ignored")
    _settle_width(raw, odd[LONG], odd[SHORT], whole)
    if not len(raw.lines):
        raise UserError("the file has a header and no rows", file, "export the table again")
    _settle_header(raw, head[place][0])
    return raw


def _fit(
    rows: Iterable[tuple[int, list[str]]],
    names: list[str],
    lines: list[int],
    odd: dict[str, dict[int, int]],
) -> Iterator[list[str]]:
    """Yield the rows that hold something, each with as many cells as the header.

    Their lines go into `lines`; those of odd rows, with their number of cells, into `odd`.
    """
    width = len(names)
    for line, row in rows:
        count = len(row)
        if not any(row):
            odd[BLANK][line] = count
            continue
        if count > width:
            odd[LONG if any(cell.strip() for cell in row[width:]) else TRAILING][line] = count
            row = row[:width]
        elif count < width:
            odd[SHORT][line] = count
            row = row + [""] * (width - count)
        if row[0].strip() == names[0] and [clean_name(cell) for cell in row] == names:
            odd[AGAIN][line] = count
            continue
        lines.append(line)
        yield row


def _settle_width(raw: Raw, long: dict[int, int], short: dict[int, int], whole: bool) -> None:
    """Accept rows that lack cells at their end; refuse those that do not fit the header."""
    if long:
        raise raw.refusal(
            f"{len(long):,} row(s) have more cells than the header's {len(raw.names)}, "
            f"the first one {next(iter(long.values()))}",
            long,
            "put cells that contain the delimiter in quotation marks, or give another --delimiter",
        )
    texts = (pc.utf8_trim_whitespace(column) for column in raw.columns)
    has_text = [pc.any(pc.not_equal(column, "")).as_py() for column in texts]
    named = [i for i, name in enumerate(raw.names) if name or has_text[i]]
    raw.note("empty columns without a name", len(raw.names) - len(named), "left out")
    raw.keep_columns(named)
    drop_closing_rows(raw)
    width, last = len(raw.names), int(raw.lines[-1]) if len(raw.lines) else 0
    short = {line: cells for line, cells in short.items() if cells < width and line <= last}
    if short and raw.word != "row":
        _check_short(raw, short, whole)
        raw.note(SHORT, short, "the cells that lack were taken as missing")


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


def drop_closing_rows(raw: Raw) -> None:
    """Drop totals and remarks at the end of the table, which are no customers."""
    totals: list[int] = []
    remarks: list[int] = []
    end = len(raw.lines)
    while end > 1:
        cells = [str(column[end - 1].as_py() or "").strip() for column in raw.columns]
        label = next((cell for cell in cells if cell), "")
        lone = len(cells) > 2 and filled(cells) == 1 and cells[0] and REMARK.search(label)
        if not lone and not (SUM_OR_MEAN.fullmatch(label) and filled(cells) > 1):
            break
        end -= 1
        (remarks if lone else totals).insert(0, int(raw.lines[end]))
    raw.keep_rows(0, end)
    raw.note("totals at the end", totals, "left out")
    raw.note("remarks at the end", remarks, "left out")


def _settle_header(raw: Raw, line: int) -> None:
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
    if second == "labels":
        raw.note("a second line of headings", raw.lines[:1], "skipped")
    elif second:
        raw.names = [clean_name(cells[0]) for cells in columns]
        raw.note("a line of numbers above the names", 1, "skipped")
    raw.keep_rows(1 if second else 0, len(raw.lines))


def name_columns(raw: Raw) -> None:
    """Drop a saved row index; give every other column a name of its own."""
    kept: list[int] = []
    names: list[str] = []

    def note(what: str, column: str, action: str) -> None:
        raw.changes.append(Change(what, column, len(raw.lines), action))

    for place, name in enumerate(raw.names):
        shown = name or f"column {place + 1}"
        if SAVED_INDEX.fullmatch(name) and _is_row_number(raw.columns[place]):
            note("a saved row index", name or f"{shown} (no name)", "column left out")
            continue
        if not name:
            note("a column without a name", shown, f"called {shown!r}")
        free, count = shown, 2
        while free in names or (count > 2 and free in raw.names):
            free, count = f"{shown} ({count})", count + 1
        if free != shown:
            note("a name that two columns share", shown, f"renamed '{free}'")
        kept.append(place)
        names.append(free)
    if not kept:
        what = "the file holds a row index and no other column"
        raise UserError(what, raw.file, "export again")
    raw.keep_columns(kept)
    raw.names = names


def _is_row_number(column: pa.ChunkedArray) -> bool:
    """Whether a column counts its rows from 0 or 1."""
    try:
        values = pc.cast(column, pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return False
    return bool(values[0] in (0, 1) and (values == values[0] + np.arange(len(values))).all())
