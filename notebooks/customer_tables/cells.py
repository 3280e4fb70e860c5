"""One column's cells as distinct texts with their counts, so that slow rules stay fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.errors import UserError


@dataclass(frozen=True)
class Cells:
    """The distinct texts of a column, which row holds which, and where the rows stand."""

    file: str
    word: str
    name: str
    values: pa.StringArray  # distinct, without surrounding space
    codes: np.ndarray  # for each row the place of its text in `values`
    lines: np.ndarray  # for each row its line in the file

    @classmethod
    def from_column(
        cls, column: pa.ChunkedArray, name: str, file: str, word: str, lines: np.ndarray
    ) -> Cells:
        """Sum up a column of text."""
        coded = column.combine_chunks().dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.unify_dictionaries().combine_chunks()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return cls(file, word, name, coded.dictionary, codes, lines)

    @cached_property
    def counts(self) -> np.ndarray:
        """How many rows hold each text."""
        return np.bincount(self.codes, minlength=len(self.values))

    @cached_property
    def texts(self) -> list[str]:
        """The distinct texts as Python strings."""
        return self.values.to_pylist()

    def rows(self, mask: np.ndarray) -> int:
        """Count the rows whose text is marked in `mask`."""
        return int(self.counts[mask].sum())

    def places(self, mask: np.ndarray, most: int = 3) -> list[tuple[int, str]]:
        """Return line and text of the first rows that are marked."""
        rows = np.flatnonzero(mask[self.codes])[:most]
        return [(int(self.lines[r]), self.texts[self.codes[r]]) for r in rows]

    def examples(self, mask: np.ndarray) -> tuple[str, ...]:
        """Return the first marked rows as "line 12: 'forty'"."""
        return tuple(f"{self.word} {line}: {text[:60]!r}" for line, text in self.places(mask))

    def matches(self, pattern: str) -> np.ndarray:
        """Mark the texts in which a regular expression is found."""
        found = pc.match_substring_regex(self.values, pattern, ignore_case=True)
        return found.to_numpy(zero_copy_only=False).astype(bool)

    def among(self, words: frozenset[str]) -> np.ndarray:
        """Mark the texts that are one of these lower-case words."""
        found = pc.is_in(pc.utf8_lower(self.values), value_set=pa.array(sorted(words)))
        return found.to_numpy(zero_copy_only=False).astype(bool)

    def with_texts(self, change: Callable[[str], str], mask: np.ndarray) -> Cells:
        """Return the cells with the marked texts changed."""
        texts = [
            change(t) if marked else t for t, marked in zip(self.texts, mask.tolist(), strict=True)
        ]
        fresh = pa.array(texts, pa.string()).dictionary_encode()
        codes = fresh.indices.to_numpy(zero_copy_only=False)[self.codes]
        return Cells(self.file, self.word, self.name, fresh.dictionary, codes, self.lines)

    def to_rows(self, values: np.ndarray) -> np.ndarray:
        """Spread one value for each distinct text over the rows."""
        return np.asarray(values)[self.codes]

    def change(self, what: str, mask: np.ndarray, action: str) -> list[Change]:
        """Describe a repair of the marked texts; an empty list where no row has one."""
        rows = self.rows(mask)
        return [Change(what, self.name, rows, action, self.examples(mask))] if rows else []

    def refuse(self, what: str, mask: np.ndarray, remedy: str) -> UserError:
        """Make the error that names the column and the first marked lines."""
        found = self.places(mask, 5)
        lines = ", ".join(str(line) for line, _ in found)
        more = " ..." if self.rows(mask) > len(found) else ""
        return UserError(
            f"column {self.name!r}: {what}",
            where=f"{self.file}, {self.word} {lines}{more}",
            remedy=remedy,
        )


def quote(cells: Cells, mask: np.ndarray) -> str:
    """Return the first marked text in quotes, for a message."""
    places = cells.places(mask, 1)
    return repr(places[0][1][:40]) if places else ""
