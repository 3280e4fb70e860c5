"""The header of a table: where it is, whether it is there at all, and the columns' names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.raw import Raw, keep_columns

NUMBER = re.compile(r"\(?[-+]?\s*(?:[$€£¥]\s*)?\d[\d.,' \u00a0]*([eE][-+]?\d+)?\s*[%$€£¥]?\)?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
NUMBERED = re.compile(r"((x|y|v|var|col|column|field|feature|unnamed)[:_ ]*)?\d*", re.IGNORECASE)
SAVED_INDEX = re.compile(r"(unnamed[:_ ]*\d+|__index_level_\d+__)?", re.IGNORECASE)


def find_header(head: list[tuple[int, list[str]]], file: str) -> tuple[int, int, list[int]]:
    """Return the header's place in `head`, how many names it lacks in front, the lines before."""
    widths = Counter(_reach(cells) for _, cells in head if filled(cells))
    if not widths:
        raise UserError("the file is empty", where=file, remedy="export the table again")
    width = max(widths, key=lambda w: (widths[w] if w > 1 else 0, w))
    first = next(
        (i for i, (_, cells) in enumerate(head) if len(cells) >= width and _is_wide(cells, width)),
        None,
    )
    if first is None:
        first = next(i for i, (_, cells) in enumerate(head) if filled(cells))
    lead = 0
    before = [i for i in range(first) if filled(head[i][1])]
    if before and width > 2 and any(NUMBER.fullmatch(c.strip()) for c in head[first][1]):
        # R writes no name for the row names, so the header is one cell short.
        if len(head[before[-1]][1]) == width - 1 == filled(head[before[-1]][1]):
            first, lead = before.pop(), 1
    return first, lead, [head[i][0] for i in before]


def _is_wide(cells: list[str], width: int) -> bool:
    """Whether more than half of the cells are filled, as in a header and unlike in a title."""
    return 2 * filled(cells) > width or width == 1


def clean_name(cell: str) -> str:
    """Return a name without surrounding space, line breaks and invisible marks."""
    return " ".join(cell.replace("\ufeff", "").replace("\u200b", "").split())


def filled(cells: list[str]) -> int:
    """Count the cells in which something stands."""
    return sum(1 for cell in cells if cell.strip())


def _reach(cells: list[str]) -> int:
    """Return the place of the last cell in which something stands."""
    return max(i for i, cell in enumerate(cells, 1) if cell.strip())


def check_header(raw: Raw, line: int) -> None:
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
        raise UserError(
            f"the header is missing: the first row reads {shown!r}, like the rows below it",
            where=f"{raw.file}, {raw.word} {line}",
            remedy="add a first row with the names of the columns",
        )


def drop_second_header(raw: Raw) -> Raw:
    """Drop a first row of units or labels, which stands over columns of numbers.

    Where the names above it are numbered only (X1, X2 ...), the row holds the names.
    """
    words = texts = numeric = 0
    for column in raw.columns:
        first, *rest = (cell.strip() for cell in column.slice(0, 1000).to_pylist())
        rest = [cell for cell in rest if cell]
        if first and len(rest) > 1 and _share(NUMBER, rest) >= 0.9:
            numeric += 1
            words += bool(re.fullmatch(r"[^\d?#]*[^\W\d_][^\d?#]*", first))
            texts += bool(re.search(r"[^\W\d_]", first) and not NUMBER.fullmatch(first))
    names = [clean_name(column[0].as_py() or "") for column in raw.columns]
    numbered = sum(bool(NUMBERED.fullmatch(name)) for name in raw.names) > 0.9 * len(raw.names)
    if numbered and texts > 2 and texts == numeric and len(set(names)) == len(names):
        change = Change("a line of numbers above the names", rows=1, action="skipped")
        columns = [column.slice(1) for column in raw.columns]
        kept = replace(raw, names=names, columns=columns, lines=raw.lines[1:])
        return replace(kept, changes=[*raw.changes, change])
    if words < 2 or words < numeric:
        return raw
    change = Change("a second line of headings", "", 1, "skipped", (f"{raw.word} {raw.lines[0]}",))
    columns = [column.slice(1) for column in raw.columns]
    return replace(raw, columns=columns, lines=raw.lines[1:], changes=[*raw.changes, change])


def _share(pattern: re.Pattern, values: list[str]) -> float:
    return sum(1 for value in values if pattern.fullmatch(value)) / len(values)


def _outline(text: str) -> str:
    """Return a text's outline: C10001 becomes A9."""
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", text))


def name_columns(raw: Raw) -> Raw:
    """Drop a saved row index; give every other column a name of its own."""
    changes, keep, names, rows = [], [], [], len(raw.lines)
    for i, name in enumerate(raw.names):
        if SAVED_INDEX.fullmatch(name) and _is_row_number(raw.columns[i]):
            shown = name or f"column {i + 1} (no name)"
            changes.append(Change("a saved row index", shown, rows, "column left out"))
            continue
        keep.append(i)
        if not name:
            name = f"column {i + 1}"
            changes.append(Change("a column without a name", name, rows, action=f"called {name!r}"))
        if name in names:
            taken, count = {*names, *raw.names}, 2
            while f"{name} ({count})" in taken:
                count += 1
            changes.append(
                Change(
                    "a name that two columns share",
                    name,
                    rows,
                    action=f"renamed '{name} ({count})'",
                )
            )
            name = f"{name} ({count})"
        names.append(name)
    if not keep:
        raise UserError(
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
