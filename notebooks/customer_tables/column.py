"""One column of a table: its cells as distinct texts, where they stand, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.errors import NOTHING, UserError

TOLERATED = 0.01  # the share of cells that may be unreadable in a column of numbers or dates
FEW_ROWS = 20  # from here on one cell may be, whatever the share


@dataclass
class Column:
    """A column on its way from the cells of a file to values.

    Rules look at distinct texts, so that slow ones stay fast. A mask marks texts or rows.
    """

    name: str
    file: str
    word: str  # what `lines` counts: "line" of a text, "row" of a sheet or a Parquet file
    lines: np.ndarray  # where in the file each row stands
    texts: Any = None  # the distinct texts as an Arrow array, without surrounding space
    codes: Any = None  # for each row the place of its text
    counts: Any = None  # how many rows hold each text
    values: Any = None  # what the rows hold, once that is understood
    kind: str = ""  # as in `Reading`
    unit: str = ""
    why: str = ""  # the reason for which it was not read
    changes: list[Change] = field(default_factory=list)

    def hold(self, cells: pa.ChunkedArray) -> Column:
        """Take in cells of text by their distinct ones."""
        coded = cells.dictionary_encode().unify_dictionaries().combine_chunks()
        self.texts = coded.dictionary
        self.codes = coded.indices.to_numpy(zero_copy_only=False)
        self.counts = np.bincount(self.codes, minlength=len(self.texts))
        return self

    def done(self, values: np.ndarray | pd.Series, kind: str, unit: str = "") -> Column:
        """Put values in the place of the texts."""
        self.values, self.kind, self.unit = values, kind, unit
        self.texts = self.codes = self.counts = None
        return self

    def rows(self, mask: np.ndarray) -> int:
        """Count the rows whose text is marked."""
        return int(self.counts[mask].sum())

    def matches(self, pattern: str) -> np.ndarray:
        """Mark the texts in which a regular expression is found, in any case."""
        return as_mask(pc.match_substring_regex(self.texts, pattern, ignore_case=True))

    def among(self, words: frozenset[str]) -> np.ndarray:
        """Mark the texts that are one of these lower-case words."""
        return as_mask(pc.is_in(pc.utf8_lower(self.texts), value_set=pa.array(sorted(words))))

    def quote(self, mask: np.ndarray, row: int | None = None, longest: int = 40) -> str:
        """Return the text of a row, or the first marked one, in quotes for a message."""
        row = self._first(mask, 1)[0] if row is None else row
        return repr(self.texts[int(self.codes[row])].as_py()[:longest])

    def _first(self, mask: np.ndarray, most: int) -> np.ndarray:
        return np.flatnonzero(mask if len(mask) == len(self.lines) else mask[self.codes])[:most]

    def note(
        self, what: str, mask: np.ndarray, action: str, show: Callable[[int], str] | None = None
    ) -> None:
        """Note what was done to the marked texts or rows, with examples that show their texts."""
        if not mask.any():
            return
        rows = int(mask.sum()) if len(mask) == len(self.lines) else self.rows(mask)
        show = show or (lambda row: self.quote(mask, row, 60))
        places = [(self.lines[row], show(row)) for row in self._first(mask, 3)]
        examples = (f"{self.word} {line}: {shown}".removesuffix(": ") for line, shown in places)
        self.changes.append(Change(what, self.name, rows, action, tuple(examples)))

    @property
    def empty(self) -> np.ndarray:
        """Mark the empty text."""
        return as_mask(pc.equal(self.texts, ""))

    def note_missing(self, missing: np.ndarray) -> None:
        """Note the words that were taken for missing values; empty cells are no change."""
        self.note("words for missing values", missing & ~self.empty, "taken as missing")

    def refusal(
        self, what: str, mask: np.ndarray, remedy: str, answer: Mapping[str, str] = NOTHING
    ) -> UserError:
        """Make the error that names the column and the first marked lines."""
        rows = self._first(mask, 6)
        lines = ", ".join(str(self.lines[row]) for row in rows[:5])
        where = f"{self.file}, {self.word} {lines}{' ...' if len(rows) > 5 else ''}"
        return UserError(f"column {self.name!r}: {what}", where, remedy, answer=answer)

    def check_odd(self, odd: np.ndarray, there: np.ndarray, what: str, remedy: str) -> None:
        """Refuse a column of numbers or dates in which too many of the texts there are none."""
        count, present = self.rows(odd), self.rows(there)
        if count > tolerated(present):
            found = f"{count:,} of {present:,} cells are no {what} ({self.quote(odd)})"
            raise self.refusal(found, odd, remedy)
        self.note(f"cells that are no {what}", odd, "taken as missing")


@dataclass(frozen=True)
class Ways:
    """Two ways to write numbers or dates, of which one holds in a file; messages about them."""

    option: str  # of `read_table`
    ways: tuple[str, str]
    default: str
    both: str
    write: str
    either: str
    say: str

    def settle(self, column: Column, shown: dict[str, np.ndarray], given: str, file: str) -> str:
        """Return the way of a column: given by the user, shown by its own texts, or the file's.

        Raises
        ------
        UserError
            If both ways are proven, or nothing tells how a text is read.
        """
        proven = [] if given else [way for way in self.ways if shown[way].any()]
        if len(proven) == 2:
            quoted = [column.quote(shown[way]) for way in self.ways]
            fewer = min((shown[way] for way in self.ways), key=column.rows)
            found = self.both.format(*quoted)
            raise column.refusal(found, fewer, self.write)
        if not proven and not (given or file) and shown["either"].any():
            found = f"{column.quote(shown['either'])} {self.either}"
            raise column.refusal(found, shown["either"], self.say, {self.option: self.default})
        return given or next(iter(proven), file or self.default)


def tolerated(rows: int) -> int:
    """Return how many of a number of cells may be unreadable before their column is refused."""
    return max(int(TOLERATED * rows), 1 if rows >= FEW_ROWS else 0)


def as_mask(flags: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return truth values of Arrow as an array, unknown ones as false."""
    return pc.fill_null(flags, False).to_numpy(zero_copy_only=False).astype(bool)
