"""Which columns hold identifiers and codes, which have to stay letter for letter what they are."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.cells import Cells, quote
from customer_tables.changes import Change

DESTROYED = r"^[1-9]([.,]\d{1,14})?e\+\d{2,}$"
DESTROYED_LONG = r"^[1-9]([.,]\d{1,5})?E\+1[1-9]$"  # as a spreadsheet shows 12 digits and more
LONG_DIGITS = 15


def looks_coded(column: pa.ChunkedArray) -> str:
    """Say why a column of digits is one of codes, or return nothing where it is none.

    Reading such a column as numbers would turn 00123 into 123, and round what has more than
    15 digits.
    """
    filled = column.filter(pc.not_equal(column, ""))
    if not len(filled):
        return ""
    zeros = _share(filled, r"^0\d+$")
    if zeros and _share(filled, r"^\d+$") == 1:
        if zeros >= 0.01 or pc.count_distinct(filled).as_py() == len(filled):
            return "zeros in front"
    if (pc.max(pc.utf8_length(filled)).as_py() or 0) > LONG_DIGITS:
        if _share(filled, rf"^\d{{{LONG_DIGITS + 1},}}$") >= 0.5 and _share(filled, r"^\d+$") == 1:
            return "long numbers"
    if _share(filled, r"^\+\d{7,15}$") >= 0.5:
        return "telephone numbers"
    return ""


def _share(column: pa.ChunkedArray, pattern: str) -> float:
    return pc.mean(pc.match_substring_regex(column, pattern)).as_py()


def unwrap(cells: Cells) -> tuple[Cells, list[Change]]:
    """Return identifiers as they are, without what spreadsheets wrap around them.

    Raises
    ------
    UserError
        If a spreadsheet turned them into 1.23457E+15, so that different ones look the same.
    """
    _check_destroyed(cells)
    changes = []
    wrapped = cells.matches(r'^="[^"]*"$')
    changes += cells.change('="..." around identifiers', wrapped, "taken off")
    cells = cells.with_texts(lambda text: text[2:-1], wrapped) if wrapped.any() else cells
    marked = cells.matches(r"^'\d")
    changes += cells.change("an apostrophe before digits", marked, "taken off")
    cells = cells.with_texts(lambda text: text[1:], marked) if marked.any() else cells
    decimal = cells.matches(r"^\d+\.0$")
    whole = decimal | cells.matches(r"^$")
    if decimal.any() and whole.all():
        changes += cells.change("identifiers with .0 behind them", decimal, "taken off")
        cells = cells.with_texts(lambda text: text[:-2], decimal)
    return cells, changes


def _check_destroyed(cells: Cells) -> None:
    destroyed = cells.matches(DESTROYED)
    if destroyed.any():
        raise cells.refuse(
            f"identifiers like {quote(cells, destroyed)} have lost digits in a spreadsheet",
            destroyed,
            "export the file again without opening it in a spreadsheet, or as text cells",
        )


def check_first(column: pa.ChunkedArray, summed_up: Callable[[pa.ChunkedArray], Cells]) -> None:
    """Refuse a first column, whatever its name, in which most cells read 1.23457E+15."""
    if _share(column, DESTROYED_LONG) >= 0.9:
        _check_destroyed(summed_up(column))
