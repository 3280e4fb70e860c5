"""One column of a table: its cells as distinct texts, where they stand, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.errors import UserError

TOLERATED = 0.01  # the share of cells that may be unreadable in a column of numbers or dates
FEW_ROWS = 20  # from here on one cell may be, whatever the share


@dataclass(frozen=True)
class Column:
    """A column on its way from the cells of a file to values.

    Rules look at distinct texts, so that slow ones stay fast. A mask marks texts or rows.

    Attributes
    ----------
    name, file : str
    word : str
        What `lines` counts: "line" of a text, "row" of a sheet or a Parquet file.
    lines : ndarray of int, shape (rows,)
        Where in the file each row stands.
    texts : pyarrow.StringArray
        The distinct texts, without surrounding space.
    codes : ndarray of int, shape (rows,)
        For each row the place of its text in `texts`.
    values : ndarray or pandas.Series, shape (rows,)
        What the rows hold, once that is understood.
    kind, unit : str
        As in `Reading`.
    changes : list of Change
    """

    name: str
    file: str
    word: str
    lines: np.ndarray
    texts: Any = None
    codes: Any = None
    values: Any = None
    kind: str = ""
    unit: str = ""
    changes: list[Change] | tuple[()] = ()

    def holding(self, cells: pa.ChunkedArray) -> Column:
        """Return the column with its cells of text, told by the distinct ones."""
        coded = cells.dictionary_encode().unify_dictionaries().combine_chunks()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return replace(self, texts=coded.dictionary, codes=codes)

    def done(
        self, values: np.ndarray | pd.Series, kind: str, changes: list[Change], unit: str = ""
    ) -> Column:
        """Return the column with its values in place of its texts."""
        return Column(
            self.name, self.file, self.word, self.lines,
            values=values, kind=kind, unit=unit, changes=changes,
        )  # fmt: skip

    @cached_property
    def counts(self) -> np.ndarray:
        """How many rows hold each text."""
        return np.bincount(self.codes, minlength=len(self.texts))

    @cached_property
    def spelt(self) -> list[str]:
        """The distinct texts as Python strings."""
        return self.texts.to_pylist()

    @property
    def empty(self) -> np.ndarray:
        """Mark the text in which nothing stands."""
        return as_mask(pc.equal(self.texts, ""))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Spread one value for each distinct text over the rows."""
        return np.asarray(values)[self.codes]

    def rows(self, mask: np.ndarray) -> int:
        """Count the rows whose text is marked."""
        return int(self.counts[mask].sum())

    def matches(self, pattern: str) -> np.ndarray:
        """Mark the texts in which a regular expression is found, in any case."""
        return as_mask(pc.match_substring_regex(self.texts, pattern, ignore_case=True))

    def among(self, words: frozenset[str]) -> np.ndarray:
        """Mark the texts that are one of these lower-case words."""
        return as_mask(pc.is_in(pc.utf8_lower(self.texts), value_set=pa.array(sorted(words))))

    def first(self, mask: np.ndarray, most: int) -> np.ndarray:
        """Return the first rows that are marked."""
        return np.flatnonzero(mask if len(mask) == len(self.lines) else self.spread(mask))[:most]

    def quote(self, mask: np.ndarray) -> str:
        """Return the first marked text in quotes, for a message."""
        return "".join(repr(self.spelt[self.codes[row]][:40]) for row in self.first(mask, 1))

    def change(
        self, what: str, mask: np.ndarray, action: str, show: Callable[[int], str] | None = None
    ) -> list[Change]:
        """Describe what was done to the marked texts or rows; nothing where there are none.

        Parameters
        ----------
        what, action : str
        mask : ndarray of bool
        show : callable, optional
            What to say of a row in the examples; its text if not given.
        """
        if not mask.any():
            return []
        rows = int(mask.sum()) if len(mask) == len(self.lines) else self.rows(mask)
        show = show or (lambda row: repr(self.spelt[self.codes[row]][:60]))
        places = ((self.lines[row], show(row)) for row in self.first(mask, 3))
        examples = (f"{self.word} {line}: {shown}".removesuffix(": ") for line, shown in places)
        return [Change(what, self.name, rows, action, tuple(examples))]

    def refusal(self, what: str, mask: np.ndarray, remedy: str) -> UserError:
        """Make the error that names the column and the first marked lines."""
        rows = self.first(mask, 6)
        lines = ", ".join(str(self.lines[row]) for row in rows[:5])
        more = " ..." if len(rows) > 5 else ""
        where = f"{self.file}, {self.word} {lines}{more}"
        return UserError(f"column {self.name!r}: {what}", where, remedy)

    def check_odd(self, odd: np.ndarray, present: int, what: str, remedy: str) -> None:
        """Refuse a column of numbers or dates in which too many cells are none.

        Parameters
        ----------
        odd : ndarray of bool
            The texts that are none.
        present : int
            How many rows hold something.
        what : str
            "numbers" or "dates".
        remedy : str

        Raises
        ------
        UserError
        """
        count = self.rows(odd)
        if count > tolerated(present):
            found = f"{count:,} of {present:,} cells are no {what} ({self.quote(odd)})"
            raise self.refusal(found, odd, remedy)


def tolerated(rows: int) -> int:
    """Return how many of so many cells may be unreadable before their column is refused."""
    return max(int(TOLERATED * rows), 1 if rows >= FEW_ROWS else 0)


def as_mask(flags: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return truth values of Arrow as an array, unknown ones as false."""
    return pc.fill_null(flags, False).to_numpy(zero_copy_only=False).astype(bool)
