"""Where the table is among the rows of a file: header, body, and what does not belong to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.errors import InputError
from segmentation.reading.changes import Change

SAMPLE_ROWS = 200
CHUNK_ROWS = 20_000
NUMBER = re.compile(r"\(?[-+]?\s*[$€£¥]?\s*\d[\d.,' \u00a0]*([eE][-+]?\d+)?\s*[%$€£¥]?\)?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
TOTAL = re.compile(
    r"((grand|sub|over)?[ -]?(total|totals|totale|totaal)( g[eé]n[eé]ral)?|total general|sums?|"
    r"average|mean|gesamt(summe)?|summe|somme|suma|итого|всего|合計)\s*:?",
    re.IGNORECASE,
)
SAVED_INDEX = re.compile(r"(unnamed[:_ ]*\d+|__index_level_\d+__)?", re.IGNORECASE)


@dataclass(frozen=True)
class Raw:
    """The columns of a file before their cells are understood.

    Text files and workbooks give text columns; Parquet gives typed ones too.
    """

    file: str
    names: list[str]
    columns: list[pa.ChunkedArray]
    lines: np.ndarray  # the line (or row) of the file that each row of the table stands in
    word: str = "line"
    changes: list[Change] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)  # where in the file's rows the columns stand


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
    rows: Iterable[tuple[int, list[str]]], file: str, *, word: str = "line", whole: bool = True
) -> Raw:
    """Find the header, and bring the rows below it into equally long columns.

    Parameters
    ----------
    rows : iterable of (line number, cells)
    file : str
        The file's name, for messages.
    word : str
        What a row's number counts: "line" of a text, "row" of a sheet.
    whole : bool
        Whether the file ends with a line end, as a file that is not cut off usually does.

    Raises
    ------
    InputError
        If there is no table, no header, no row, or rows have too many or too few cells.
    """
    rows = iter(rows)
    head = list(islice(rows, SAMPLE_ROWS))
    start, lead, preamble = _find_header(head, file)
    header = [""] * lead + [_clean_name(cell) for cell in head[start][1]]
    body = _Body(len(header), header)
    columns = _read_body(chain(head[start + 1 :], rows), body)
    raw = Raw(file, header, columns, np.array(body.lines, dtype=np.int64), word)
    raw = replace(raw, places=list(range(len(header))))
    raw = _settle_width(raw, body, whole)
    raw = drop_closing_rows(raw)
    if not len(raw.lines):
        raise InputError(
            "the file has a header and no rows", where=file, remedy="export the table again"
        )
    _check_header(raw, head[start][0])
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


def _clean_name(cell: str) -> str:
    return " ".join(cell.replace("\ufeff", "").replace("\u200b", "").split())


def _filled(cells: list[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _find_header(head: list[tuple[int, list[str]]], file: str) -> tuple[int, int, list[int]]:
    """Return the header's place in `head`, how many names it lacks in front, the lines before."""
    widths = Counter(len(cells) for _, cells in head if _filled(cells))
    if not widths:
        raise InputError("the file is empty", where=file, remedy="export the table again")
    width = max(widths, key=lambda w: (widths[w] if w > 1 else 0, w))
    first = next(
        (i for i, (_, cells) in enumerate(head) if len(cells) >= width and _is_wide(cells, width)),
        None,
    )
    if first is None:
        first = next(i for i, (_, cells) in enumerate(head) if _filled(cells))
    lead = 0
    before = [i for i in range(first) if _filled(head[i][1])]
    if before and width > 2 and any(NUMBER.fullmatch(c.strip()) for c in head[first][1]):
        # R writes no name for the row names, so the header is one cell short.
        if len(head[before[-1]][1]) == width - 1 == _filled(head[before[-1]][1]):
            first, lead = before.pop(), 1
    return first, lead, [head[i][0] for i in before]


def _is_wide(cells: list[str], width: int) -> bool:
    """Whether more than half of the cells are filled, as in a header and unlike in a title."""
    return 2 * _filled(cells) > width or width == 1


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
        if row[0].strip() == header[0] and [_clean_name(cell) for cell in row] == header:
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
    short = [(line, cells) for line, cells in body.short if cells < len(raw.names)]
    footer = {line for line, cells in short if cells == 1 and width > 2} & _closing(raw, short)
    short = [pair for pair in short if pair[0] not in footer]
    if not short:
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


def _closing(raw: Raw, short: list[tuple[int, int]]) -> set[int]:
    """Return the lines of the short rows that the file ends with."""
    lines, closing = {line for line, _ in short}, set()
    for line in raw.lines[::-1].tolist():
        if line not in lines:
            break
        closing.add(line)
    return closing


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


def _misfit(raw: Raw, what: str, rows: list[tuple[int, int]], remedy: str) -> InputError:
    more = " ..." if len(rows) > 5 else ""
    places = ", ".join(str(line) for line, _ in rows[:5])
    return InputError(what, where=f"{raw.file}, {raw.word} {places}{more}", remedy=remedy)


def keep_columns(raw: Raw, keep: list[int]) -> Raw:
    """Return the table with only the columns at these places."""
    return replace(
        raw,
        names=[raw.names[i] for i in keep],
        columns=[raw.columns[i] for i in keep],
        places=[raw.places[i] for i in keep] if raw.places else [],
    )


def keep_rows(raw: Raw, count: int) -> Raw:
    """Return the table's first `count` rows."""
    columns = [column.slice(0, count) for column in raw.columns]
    return replace(raw, columns=columns, lines=raw.lines[:count])


def drop_closing_rows(raw: Raw) -> Raw:
    """Drop totals and remarks at the end of the table, which are no customers."""
    totals, remarks = [], []
    while len(raw.lines) > 1:
        cells = [str(column[-1].as_py() or "").strip() for column in raw.columns]
        label = next((cell for cell in cells if cell), "")
        if TOTAL.fullmatch(label) and _filled(cells) > 1:
            totals.append(int(raw.lines[-1]))
        elif len(cells) > 2 and _filled(cells) == 1 and cells[0] and re.search(r"[\s:(]", label):
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


def _check_header(raw: Raw, line: int) -> None:
    """Refuse a first row that looks like the rows below: the header is missing."""
    like, unlike, years = 0, 0, []
    for name, column in zip(raw.names, raw.columns, strict=True):
        values = [v.strip() for v in column.slice(0, 1000).to_pylist() if v and v.strip()]
        if not name or not values:
            continue
        shapes = [kind for kind in (NUMBER, DATE) if _share(kind, values) >= 0.9]
        if shapes:
            alike = any(shape.fullmatch(name) for shape in (NUMBER, DATE))
            years += [int(name)] if re.fullmatch(r"(19|20)\d\d", name) else []
        else:
            outline = _outline(name)
            alike = name in values or (
                "9" in outline and sum(_outline(v) == outline for v in values) >= 0.9 * len(values)
            )
            if not alike:
                continue  # a word above words may or may not be a name
        like, unlike = like + alike, unlike + (not alike)
    if len(years) > 1 and like == len(years) and set(np.diff(years)) <= {1, -1}:
        return  # one column a year
    if like and like >= unlike:
        shown = ", ".join(raw.names)[:60]
        raise InputError(
            f"the header is missing: the first row reads {shown!r}, like the rows below it",
            where=f"{raw.file}, {raw.word} {line}",
            remedy="add a first row with the names of the columns",
        )


def _share(pattern: re.Pattern, values: list[str]) -> float:
    return sum(1 for value in values if pattern.fullmatch(value)) / len(values)


def _outline(text: str) -> str:
    """Return a text's outline: C10001 becomes A9."""
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", text))


def name_columns(raw: Raw) -> Raw:
    """Drop a saved row index; give every other column a name of its own."""
    changes, keep, names = [], [], []
    for i, name in enumerate(raw.names):
        if SAVED_INDEX.fullmatch(name) and _is_row_number(raw.columns[i]):
            shown = name or f"column {i + 1} (no name)"
            changes.append(Change("a saved row index", shown, len(raw.lines), "column left out"))
            continue
        keep.append(i)
        if not name:
            name = f"column {i + 1}"
            changes.append(Change("a column without a name", name, action=f"called {name!r}"))
        if name in names:
            taken, count = {*names, *raw.names}, 2
            while f"{name} ({count})" in taken:
                count += 1
            changes.append(
                Change("a name that two columns share", name, action=f"renamed '{name} ({count})'")
            )
            name = f"{name} ({count})"
        names.append(name)
    if not keep:
        raise InputError(
            "the file holds a row index and no other column", where=raw.file, remedy="export again"
        )
    return replace(keep_columns(raw, keep), names=names, changes=raw.changes + changes)


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
