"""The header among the first rows of a table: where it is, and whether it is there at all."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from customer_tables.errors import UserError
from customer_tables.names import simplify_name

NUMBER = re.compile(r"\(?[-+]?\s*(?:[$€£¥]\s*)?\d[\d.,' \u00a0]*([eE][-+]?\d+)?\s*[%$€£¥]?\)?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
# Three letters or more with a vowel, which begin as words do: "miles", and not "fmde".
WORD = re.compile(r"\b(?!(?!s|[cpst]h)[b-df-hj-np-tv-xz]{3})(?=[a-z]{3})[a-z]*[aeiouy]")
CODED = re.compile(r"\b[a-z]{2,}\d")  # "cc3", which only its author can read
NUMBERED = re.compile(r"((x|y|v|var|col|column|field|feature|unnamed)[:_ ]*)?\d*", re.IGNORECASE)
SECOND = re.compile(r"(19|20)\d\d|(?=.*[^\W\d_])[^@]{1,40}")  # a year, or a label
PIVOTED = ("row labels", "zeilenbeschriftungen", "étiquettes de lignes", "etiquetas de fila")
YEAR = re.compile(r"(19|20)\d\d")
LABEL = re.compile(r"[^\d?#]*[^\W\d_][^\d?#]*")  # with a letter, and without digits


def find_header(head: list[tuple[int, list[str]]], file: str) -> tuple[int, int, list[int]]:
    """Find the header among the first rows of a file, each with its line number.

    Returns
    -------
    place : int
        Of the header in `head`.
    lead : int
        How many names it lacks in front, as R writes none for the row names.
    before : list of int
        The line numbers of what stands above it.

    Raises
    ------
    UserError
        If no row has a cell.
    """
    rows = [i for i, (_, cells) in enumerate(head) if filled(cells)]
    if not rows:
        raise UserError("the file is empty", file, "export the table again")
    widths = Counter(
        max(place for place, cell in enumerate(head[i][1], 1) if cell.strip()) for i in rows
    )
    width = max(widths, key=lambda w: (widths[w] if w > 1 else 0, w))
    # In a header more than half of the cells are filled, unlike in a title.
    wide = (i for i in rows if len(head[i][1]) >= width)
    place = next((i for i in wide if 2 * filled(head[i][1]) > width or width == 1), rows[0])
    place += place + 1 < len(head) and _is_pivoted(head[place + 1][1])
    before = [i for i in rows if i < place]
    if before and width > 2 and any(NUMBER.fullmatch(c.strip()) for c in head[place][1]):
        if len(head[before[-1]][1]) == width - 1 == filled(head[before[-1]][1]):
            return before[-1], 1, [head[i][0] for i in before[:-1]]
    return place, 0, [head[i][0] for i in before]


def join_two_rows(
    head: list[tuple[int, list[str]]], place: int
) -> tuple[int, int, list[str]] | None:
    """Join names over two rows: "Orders" above 2023 and 2024 makes "Orders 2023", "Orders 2024".

    Returns
    -------
    tuple of int, int and list of str, or None
        The places of both rows, and the names; None where the header is a single row.
    """
    if repeated := _join_repeated(head, place):
        return repeated
    for upper in (place, place - 1):
        if upper < 0 or upper + 1 >= len(head) or "".join(head[upper][1]).startswith("#"):
            continue  # no row, or a comment
        if _is_pivoted(head[upper + 1][1]):
            continue
        below = [clean_name(cell) for cell in head[upper + 1][1]]
        width = len(below)
        groups = [clean_name(cell) for cell in head[upper][1]][:width]
        groups += [""] * (width - len(groups))
        gaps = [i for i, name in enumerate(groups) if not name]
        starts = {i - 1 for i in gaps if i and groups[i - 1]}
        members = {*(i for i in gaps if any(groups[:i])), *starts}
        # Labels that stand below several groups, as "Sales" below 2023 and 2024, prove them.
        again = Counter(below[i] for i in members)
        proven = len(again) > 1 and min(again.values()) > 1 and "" not in again
        filled_up = [name or groups[i] for i, name in enumerate(below)]
        proven |= gaps != [] and _are_labels(filled_up, [cells for _, cells in head[upper + 2 :]])
        usual = gaps and groups[0] and not len(gaps) == width - 1 > 1 != len(starts)
        if not starts or not (usual or proven):
            continue
        others = [i for i in range(width) if i not in members]
        free = proven or all(below[i] in ("", groups[i]) for i in others)
        labels = all(SECOND.fullmatch(below[i]) for i in members)
        if labels and free and others and len(again) > 1:
            names, group = [], ""
            for i, name in enumerate(groups):
                group = name or group
                both = f"{group} {below[i]}".strip()
                alone = name if below[i] in ("", name) else f"{name} {below[i]}".strip()
                names.append(both if i in members else alone)
            return upper, upper + 1, names
    return None


def _is_pivoted(cells: list[str]) -> bool:
    """Whether a row names the columns of a pivot table: above it stands what is counted."""
    return "".join(cells[:1]).lower() in PIVOTED


def _join_repeated(
    head: list[tuple[int, list[str]]], place: int
) -> tuple[int, int, list[str]] | None:
    """Join names of which the upper ones repeat, as pandas writes them; the index comes below."""
    first, *groups = [clean_name(cell) for cell in head[place][1]] or [""]
    rest = [[clean_name(cell) for cell in cells] for _, cells in head[place + 1 :]]
    if len(rest) < 4 or not all(groups) or len(set(groups)) == len(groups):
        return None
    index = rest[1][0] if filled(rest[1]) == 1 else ""  # the name of what stands first
    lead, *labels = rest[0] or [""]  # an empty line has no cell
    names = [index or first or lead, *(f"{g} {b}" for g, b in zip(groups, labels, strict=False))]
    under = rest[2 if index else 1 :]
    apart = len(set(names)) == len(names) == 1 + len(groups) and lead in ("", first)
    if not apart or not _are_labels(["x", *labels], under):
        return None
    return place, place + (2 if index else 1), names


def _are_labels(row: list[str], below: list[list[str]]) -> bool:
    """Whether a row is full of words and years, some of the words above numbers or dates."""
    words = [i for i, cell in enumerate(row) if LABEL.fullmatch(cell)]
    if len(below) < 2 or not all(LABEL.fullmatch(cell) or YEAR.fullmatch(cell) for cell in row):
        return False
    columns = ([cells[i] for cells in below if len(cells) > i and cells[i]] for i in words)
    kinds = (NUMBER, DATE)
    return any(_share(kind, cells) > 0.9 for cells in columns if cells for kind in kinds)


def filled(cells: list[str]) -> int:
    """Count the cells in which something stands."""
    return sum(1 for cell in cells if cell.strip())


def clean_name(cell: str) -> str:
    """Return a name without surrounding space, line breaks and invisible marks."""
    return " ".join(cell.replace("\ufeff", "").replace("\u200b", "").split())


def is_missing(names: list[str], columns: list[list[str]]) -> bool:
    """Whether what should be the names looks like the first cells of each column below it."""
    alike, years = [], []
    for name, cells in zip(names, columns, strict=True):
        values = [cell for cell in cells if cell]
        if not name or not values:
            continue
        if any(_share(kind, values) >= 0.9 for kind in (NUMBER, DATE)):
            alike.append(bool(NUMBER.fullmatch(name) or DATE.fullmatch(name)))
            years += [int(name)] if re.fullmatch(r"(19|20)\d\d", name) else []
        elif name in values or _has_outline_of(name, values):
            alike.append(True)  # a word above words may or may not be a name
    like = sum(alike)
    if len(years) > 1 and like == len(years) and {b - a for a, b in pairwise(years)} <= {1, -1}:
        return False  # one column a year
    return 0 < len(alike) <= 2 * like


def _share(pattern: re.Pattern, values: list[str]) -> float:
    return sum(1 for value in values if pattern.fullmatch(value)) / len(values)


def _has_outline_of(name: str, values: list[str]) -> bool:
    """Whether nearly all values have the name's outline, with a number in it: C10001 is A9."""
    outline = _outline(name)
    return "9" in outline and sum(_outline(v) == outline for v in values) >= 0.9 * len(values)


def _outline(text: str) -> str:
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", text))


def second_header(names: list[str], columns: list[list[str]]) -> str:
    """Tell what the first row below the names is, where it stands over columns of numbers.

    Returns
    -------
    str
        "names" where those above are numbered only (X1, X2 ...), "labels" for units and the like,
        or nothing.
    """
    labels = texts = numeric = 0
    for first, *others in columns:
        rest = [cell for cell in others if cell]
        if first and len(rest) > 1 and _share(NUMBER, rest) >= 0.9:
            numeric += 1
            labels += bool(LABEL.fullmatch(first))
            texts += bool(re.search(r"[^\W\d_]", first) and not NUMBER.fullmatch(first))
    below = {clean_name(first) for first, *_ in columns}
    numbered = sum(bool(NUMBERED.fullmatch(name)) for name in names) > 0.9 * len(names)
    if numbered and texts > 2 and texts == numeric and len(below) == len(names):
        return "names"
    return "labels" if labels >= 2 and labels >= numeric else ""


def has_word(label: str) -> bool:
    """Whether a label can be a part of a name: "x12", "fmde" and "cc3 miles" say nothing."""
    latin = simplify_name(label).replace("_", " ")
    coded = NUMBERED.fullmatch(latin) or CODED.search(latin)
    return not latin or not coded and bool(WORD.search(latin))
