"""Columns that need no more than their own cells: typed ones, text, codes, yes and no."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables import identifiers
from customer_tables.cells import Cells
from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.words import mark_missing

SENTINELS = (-99, -999, -9999, -99999, -999999)
HIGH_SENTINELS = (999, 9999, 99999, 999999, 9999999, 99999999)
EXACT_FLOATS = 2**53  # beyond it a float64 cannot tell neighbouring whole numbers apart


@dataclass(frozen=True)
class Place:
    """Where a column stands: file, what its lines are called, name, line of each row."""

    file: str
    word: str
    name: str
    lines: np.ndarray

    def cells(self, column: pa.ChunkedArray) -> Cells:
        """Sum up a column of text by its distinct texts."""
        return Cells.from_column(column, self.name, self.file, self.word, self.lines)

    def change(
        self, what: str, rows: np.ndarray, action: str, values: np.ndarray | None = None
    ) -> list[Change]:
        """Describe what was done to the marked rows; an empty list where there are none."""
        count = int(rows.sum())
        if not count:
            return []
        first = np.flatnonzero(rows)[:3]
        shown = [f": {values[r]:.15g}" if values is not None else "" for r in first]
        examples = (f"{self.word} {self.lines[r]}{v}" for r, v in zip(first, shown, strict=True))
        return [Change(what, self.name, count, action, tuple(examples))]


@dataclass(frozen=True)
class Finished:
    """A column in its final form."""

    values: pd.Series | np.ndarray
    kind: str
    unit: str = ""
    changes: list[Change] = field(default_factory=list)

    def with_unit(self, unit: str) -> Finished:
        """Return the column with a unit from outside its cells, where it is one of numbers."""
        if not unit or self.unit or self.kind not in ("number", "money"):
            return self
        return replace(self, unit=unit, kind="share" if unit == "%" else "money")


def read_empty(name: str, rows: int, missing: list[Change] = ()) -> Finished:
    """Return a column in which nothing stands."""
    change = Change("a column without any value", name, rows, "kept, as missing")
    return Finished(np.full(rows, np.nan), "empty", changes=[*missing, change])


def read_typed(column: pa.ChunkedArray, place: Place) -> Finished:
    """Return a column that holds numbers, truth values or timestamps already."""
    kind = column.type
    if column.null_count == len(column):
        return read_empty(place.name, len(column))
    if pa.types.is_timestamp(kind):
        return Finished(column.to_pandas().astype("datetime64[us]"), "date")
    if pa.types.is_boolean(kind):
        whole = column.null_count == 0
        values = column.to_numpy() if whole else pc.cast(column, pa.float64()).to_numpy()
        return Finished(values, "yes_no")
    return read_values(column.to_numpy(), place)


def read_values(values: np.ndarray, place: Place) -> Finished:
    """Return numbers without the infinite ones and without stand-ins for missing ones."""
    changes = []
    if values.dtype.kind == "f":
        infinite = np.isinf(values)
        changes += place.change("infinite numbers", infinite, "taken as missing", values)
        values = np.where(infinite, np.nan, values) if infinite.any() else values
    values, noticed = _without_sentinels(values, place)
    kind = "number"
    if np.isin(values[~np.isnan(values)], (0, 1)).all() and (values == 0).any():
        kind = "yes_no" if (values == 1).any() else "number"
    return Finished(values, kind, changes=changes + noticed)


def _without_sentinels(values: np.ndarray, place: Place) -> tuple[np.ndarray, list[Change]]:
    """Take -999 and its kin for missing where nothing else is negative; tell of doubtful ones."""
    low, high = np.nanmin(values), np.nanmax(values)
    if low < 0 <= high:
        negative = values < 0
        found = np.unique(values[negative])
        if np.isin(found, SENTINELS).all() and (found.min() < -99 or negative.sum() > 1):
            changes = place.change("-999 and the like", negative, "taken as missing", values)
            return np.where(negative, np.nan, values), changes
        if found.tolist() == [-1]:
            return values, place.change("-1 as the only negative", negative, "kept as a number")
    if high in HIGH_SENTINELS and high > 5 * abs(np.max(values[values < high], initial=low)):
        top = values == high
        if top.sum() > 1:
            return values, place.change(f"{high:.0f} far above the rest", top, "kept as a number")
    return values, []


def to_series(cells: Cells, missing: np.ndarray) -> pd.Series:
    """Return the rows' texts, with the marked ones missing."""
    texts = pc.if_else(pa.array(missing), None, cells.values)
    return texts.take(pa.array(cells.codes)).to_pandas()


def read_text(cells: Cells, column: pa.ChunkedArray) -> Finished:
    """Return a column of words, with the words that mean "missing" taken out."""
    missing = mark_missing(cells)
    if missing.all():
        return read_empty(cells.name, len(cells.codes), missing_words(cells, missing))
    spaced = pc.not_equal(pc.utf8_trim_whitespace(column), column)
    spaced = spaced.to_numpy(zero_copy_only=False).astype(bool)
    place = Place(cells.file, cells.word, cells.name, cells.lines)
    changes = place.change("space around text", spaced, "taken off")
    return Finished(
        to_series(cells, missing), "text", changes=changes + missing_words(cells, missing)
    )


def missing_words(cells: Cells, missing: np.ndarray) -> list[Change]:
    """Describe the words that were taken for missing values; empty cells are no change."""
    empty = np.array([not text for text in cells.texts], dtype=bool)
    return cells.change("words for missing values", missing & ~empty, "taken as missing")


def read_identifiers(cells: Cells, kind: str = "id") -> Finished:
    """Return identifiers letter for letter; only an empty cell is missing."""
    cells, changes = identifiers.unwrap(cells)
    empty = np.array([not text for text in cells.texts], dtype=bool)
    return Finished(to_series(cells, empty), kind, changes=changes)


def read_codes(cells: Cells, why: str) -> Finished:
    """Return digits that are no quantity as text, and say so."""
    missing = mark_missing(cells)
    unique = bool((cells.counts[~missing] == 1).all())
    note = cells.change(why, ~missing, "kept as text, so that no digit is lost")
    changes = missing_words(cells, missing) + note
    return Finished(to_series(cells, missing), "id" if unique else "text", changes=changes)


def read_answers(cells: Cells, answers: np.ndarray, missing: np.ndarray) -> Finished:
    """Return yes and no as truth values; as 1, 0 and missing where some are missing."""
    changes = cells.change("yes and no in words", ~missing, "read as true and false")
    values = np.where(missing, np.nan, answers.astype(float)) if missing.any() else answers
    return Finished(
        cells.to_rows(values), "yes_no", changes=changes + missing_words(cells, missing)
    )


def spell_typed(column: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """Write typed identifiers as text: whole numbers without .0.

    Raises
    ------
    UserError
        If they were stored as floats beyond what a float can tell apart.
    """
    if pa.types.is_floating(column.type):
        values = column.to_numpy()
        huge = np.abs(values) >= EXACT_FLOATS
        if huge.any():
            raise UserError(
                f"column {place.name!r}: identifiers beyond 15 digits were stored rounded",
                where=f"{place.file}, {place.word} {place.lines[int(np.argmax(huge))]}",
                remedy="write them as text, and export the file again",
            )
        with np.errstate(invalid="ignore"):
            if (np.isnan(values) | (values == np.floor(values))).all():
                column = pc.cast(column, pa.int64(), safe=False)
    return pc.fill_null(pc.cast(column, pa.string()), "")
