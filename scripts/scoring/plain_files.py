"""Customers from a file in pieces, as long as nothing in it needs repair.

Reading as the notebooks do it looks at a file as a whole: which mark divides decimals, whether
-999 stands for "unknown". A file in which every cell is plain says the same in pieces. The first
cell that is not raises `NotPlain`, and the file is read again as a whole.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from customer_tables.errors import UserError
from customer_tables.names import is_date_name
from customer_tables.numbers import SENTINELS
from customer_tables.rows import TOTAL
from customer_tables.sniff import settle_delimiter
from customer_tables.words import DESTROYED
from segmentation import expressions
from segmentation.dataset import Dataset, match_columns

SAMPLE = 262_144  # bytes of a text in which delimiter and header are looked for
BLOCK = 2 << 20  # bytes of a text that are read at a time
ROWS = 131_072  # of a Parquet file that are read at a time
ODD_IDENTIFIER = rf"^=|^'\d|^\d+\.0$|{DESTROYED}|[\"\n\r]|^$"
ODD_LETTERS = "='.+\"\n\r"  # one of them stands in every odd identifier that is not empty
SURE_POINT = r"\.(\d{0,2}|\d{4,})([eE].*)?$|^-?(0\d*)?\.|\d{4,}\."  # a decimal mark for certain


class NotPlain(Exception):
    """Something in a file has to be repaired, refused or looked at as a whole."""


class NotTyped(NotPlain):
    """A column is not what the beginning of the file promised: its cells have to be looked at."""


@dataclass(frozen=True)
class Piece:
    """Some customers of a file, in its order.

    Attributes
    ----------
    rows : int
    first : int
        How many customers of the file came before.
    done : float
        Share of the file that has been read.
    """

    rows: int
    first: int
    done: float
    _batch: pa.RecordBatch
    _columns: _Columns

    def read(self) -> Customers:
        """Return the customers; can run beside others.

        Raises
        ------
        NotPlain
            At the first thing that is not plain.
        """
        with _translated():
            return self._columns.read(self._batch)


@dataclass(frozen=True)
class Customers:
    """Customers as columns.

    Attributes
    ----------
    identifiers : pyarrow.StringArray, shape (n,)
    numbers : dict of str to ndarray of float64, shape (n,)
        The model's columns.
    """

    identifiers: pa.StringArray
    numbers: dict[str, np.ndarray]

    def take(self, kept: np.ndarray) -> Customers:
        """Return the customers that are marked, or those in the given places."""
        mark = kept.dtype == bool
        ids = self.identifiers.filter(pa.array(kept)) if mark else self.identifiers.take(kept)
        return Customers(ids, {name: values[kept] for name, values in self.numbers.items()})

    def table(self) -> pd.DataFrame:
        """Return the customers as a table, indexed by their identifiers."""
        index = pd.Index(self.identifiers.to_pandas(), name="customer", dtype="str")
        return pd.DataFrame(self.numbers, index=index)


def pieces(path: Path, dataset: Dataset, *, careful: bool = False) -> Iterator[Piece]:
    """Yield the customers of a plain CSV, TSV (gzip or not) or Parquet file.

    Parameters
    ----------
    path : pathlib.Path
    dataset : Dataset
        The model's, as `segmentation.model.dataset_of` gives it.
    careful : bool
        Look at the text of every number whose mark is not settled by the beginning of the file,
        instead of taking whole numbers there for whole numbers everywhere.

    Raises
    ------
    NotTyped
        If the file has to be read again with care.
    NotPlain
        At the first thing that is not plain.
    """
    with _translated():
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PAR1":
            with pq.ParquetFile(path, pre_buffer=False) as file:  # else what was read stays
                names = file.schema_arrow.names
                reader = _Columns([" ".join(name.split()) for name in names], dataset, names)
                yield from _numbered(_parquet(file), reader)
        else:
            head = _look(path, packed=start[:2] == b"\x1f\x8b")
            names = [" ".join(name.split()) for name in head.header]
            reader = _Columns(names, dataset, head.header)
            types = reader.types(head.rows, careful)
            try:
                yield from _numbered(_delimited(path, head, types), reader)
            except pa.ArrowInvalid as error:
                if careful or pa.int64() not in types.values():
                    raise
                raise NotTyped(str(error)[:200]) from None
        reader.settle()


def _numbered(batches: Iterator[tuple[pa.RecordBatch, float]], reader: _Columns) -> Iterator[Piece]:
    first = 0
    for batch, done in batches:
        if batch.num_rows:
            reader.note(batch)
            yield Piece(batch.num_rows, first, done, batch, reader)
            first += batch.num_rows
    if not first:
        raise NotPlain("no rows")


@contextmanager
def _translated() -> Iterator[None]:
    """Say of every way in which a file cannot be read that it is not plain."""
    try:
        yield
    except (OSError, EOFError, pa.ArrowException, UnicodeError, csv.Error) as error:
        raise NotPlain(f"{type(error).__name__}: {str(error)[:200]}") from None


# --- files in pieces -----------------------------------------------------------------------------


class _Watched(io.RawIOBase):
    """The bytes of a text on their way to the parser: counted, and without zeros among them."""

    def __init__(self, file: io.BufferedIOBase, packed: io.BufferedIOBase | None = None) -> None:
        self._file, self._position = file, (packed or file).tell
        self.quoted = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = self._file.readinto(buffer)
        part = bytes(buffer[:count])
        if b"\0" in part:
            raise NotPlain("NUL bytes")
        self.quoted = self.quoted or b'"' in part
        return count

    def position(self) -> int:
        return self._position()


@dataclass(frozen=True)
class _Head:
    """The beginning of a text: how it is written, its header and first rows."""

    packed: bool
    delimiter: str
    header: list[str]
    rows: list[list[str]]


def _look(path: Path, packed: bool) -> _Head:
    with gzip.open(path) if packed else path.open("rb") as file:
        sample = file.read(SAMPLE)
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotPlain("UTF-16")
    try:
        delimiter, announced, _ = settle_delimiter(sample, path.name, "utf-8", None)
    except UserError as error:
        raise NotPlain(str(error)) from None
    text = sample.decode("utf-8-sig", errors="replace")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = next(lines, [])
    if not header or announced or len(set(header)) < len(header) or "\n" in "".join(header):
        raise NotPlain("the header line")
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a quoted cell may have been cut
        rows.extend(lines)
    return _Head(packed, delimiter, header, rows[:-1] if len(sample) == SAMPLE else rows)


def _delimited(
    path: Path, head: _Head, types: dict[str, pa.DataType]
) -> Iterator[tuple[pa.RecordBatch, float]]:
    size = path.stat().st_size or 1
    with path.open("rb") as raw, gzip.open(raw) if head.packed else raw as file:
        watched = _Watched(file, raw)
        reader = arrow_csv.open_csv(
            pa.PythonFile(watched, mode="r"),
            read_options=arrow_csv.ReadOptions(
                column_names=head.header, skip_rows=1, block_size=BLOCK, use_threads=True
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=head.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, strings_can_be_null=False, null_values=["", " "]
            ),
        )
        for batch in reader:
            for column in batch.columns if watched.quoted else ():
                if pa.types.is_string(column.type) and any(
                    pc.any(pc.match_substring(column, mark)).as_py() for mark in "\n\r"
                ):
                    raise NotPlain("a cell of several lines")
            yield batch, min(1.0, watched.position() / size)


def _parquet(file: pq.ParquetFile) -> Iterator[tuple[pa.RecordBatch, float]]:
    total, done = file.metadata.num_rows or 1, 0
    for batch in file.iter_batches(batch_size=ROWS):
        done += batch.num_rows
        yield batch, done / total


# --- plain cells ---------------------------------------------------------------------------------


class _Columns:
    """The model's columns among those of a file, and what is known of them so far."""

    def __init__(self, names: list[str], dataset: Dataset, given: list[str]) -> None:
        if len(set(given)) < len(given):
            raise NotPlain("two columns of one name")
        try:
            matched = match_columns(names, dataset)
        except UserError as error:
            raise NotPlain(str(error)) from None
        kinds = {column.name: column for column in dataset.columns}
        places = {matched[name]: names.index(name) for name in names if name in matched}
        formulas = [f.formula for f in dataset.features]
        formulas += [rule.check or rule.when for rule in dataset.rules]
        read = {name for formula in formulas for name in expressions.columns_of(formula)}
        identifier = dataset.id.name if dataset.id else ""
        missing = [c.name for c in dataset.columns if c.required and c.name not in places]
        if missing or identifier not in places:
            raise NotPlain(f"no column {(missing or [identifier])[0]!r}")
        if odd := [name for name in read if not kinds[name].is_numeric]:
            raise NotPlain(f"the column {odd[0]!r} is one of yes and no")
        self._identifier = places[identifier]
        self._numbers = {n: i for n, i in places.items() if kinds[n].is_numeric}
        if dated := [names[i] for i in self._numbers.values() if is_date_name(names[i])]:
            raise NotPlain(f"the column {dated[0]!r} may hold dates")
        self._given, self._text = given, False
        self._pointed: set[str] = set()
        self._proved: set[str] = set()

    def types(self, rows: list[list[str]], careful: bool) -> dict[str, pa.DataType]:
        """Return how the columns of a text are to be read, by its first rows.

        Columns of numbers in which some point is a decimal mark for certain are numbers; the
        others have only whole numbers, or are read as text.
        """
        self._text = True
        types = dict.fromkeys(self._given, pa.string())
        for name, place in self._numbers.items():
            cells = [row[place].strip() for row in rows if place < len(row)]
            if any("." in cell and re.search(SURE_POINT, cell) for cell in cells):
                self._proved.add(name)
                types[self._given[place]] = pa.float64()
            elif not careful:
                types[self._given[place]] = pa.int64()
        return types

    def note(self, batch: pa.RecordBatch) -> None:
        """Look at once, in the file's order, for what only the whole file settles."""
        for name, place in self._numbers.items():
            column = batch.column(place)
            if _is_text(column.type) and name not in self._proved:
                cells = column.cast(pa.string())
                if pc.any(pc.match_substring(cells, ".")).as_py():
                    self._pointed.add(name)
                    if pc.any(pc.match_substring_regex(_trimmed(cells), SURE_POINT)).as_py():
                        self._proved.add(name)

    def read(self, batch: pa.RecordBatch) -> Customers:
        """Return a batch as columns of numbers with the customers' identifiers."""
        ids = self._identifiers(batch.column(self._identifier))
        first = batch.column(0)
        if pa.types.is_string(first.type) and batch.num_rows:
            label = TOTAL.fullmatch(first[-1].as_py() or "")
            if label:
                raise NotPlain("a row of totals")
        numbers = {name: self._number(name, batch.column(i)) for name, i in self._numbers.items()}
        return Customers(ids, numbers)

    def settle(self) -> None:
        """Refuse columns whose points may be marks of thousands: no cell proves the contrary."""
        unclear = sorted(self._pointed - self._proved)
        if unclear:
            raise NotPlain(f"the points in the column {unclear[0]!r} can mean two things")

    def _identifiers(self, column: pa.Array) -> pa.Array:
        if pa.types.is_integer(column.type) and not column.null_count:
            return column.cast(pa.string())
        if not _is_text(column.type) or column.null_count:
            raise NotPlain("identifiers that are no text")
        column = pc.utf8_trim_whitespace(column.cast(pa.string()))
        short = pc.min(pc.binary_length(column)).as_py() == 0
        if (short or has_any(column, ODD_LETTERS)) and pc.any(
            pc.match_substring_regex(column, ODD_IDENTIFIER, ignore_case=True)
        ).as_py():
            raise NotPlain("identifiers that a spreadsheet has changed, or empty ones")
        return column

    def _number(self, name: str, column: pa.Array) -> np.ndarray:
        kind = column.type
        if _is_text(kind):
            column = _cells(column.cast(pa.string()))
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_empty(kind)):
            raise NotPlain(f"the column {name!r} holds {kind} values")
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        lowest, highest = np.fmin.reduce(values, initial=0.0), np.fmax.reduce(values, initial=0.0)
        if self._text or _is_text(kind):
            unknown = np.count_nonzero(np.isnan(values)) - column.null_count
            if unknown or max(-lowest, highest) == np.inf:  # a cast takes the words nan and inf
                raise NotPlain(f"words among the numbers of {name!r}")
        # Whether such a number means "unknown" depends on all others.
        if lowest < 0 and np.isin(values, SENTINELS).any():
            raise NotPlain(f"-99, -999 or the like in the column {name!r}")
        return values


def has_any(texts: pa.StringArray, letters: Iterable[str]) -> bool:
    """Whether one of some letters stands anywhere in texts: quick, and sure where it says no.

    A yes may be wrong where the array is a part of a larger one.
    """
    data = bytes(texts.buffers()[2] or b"")
    return any(letter.encode() in data for letter in letters)


def _cells(column: pa.StringArray) -> pa.Array:
    """Return texts as numbers, an empty one as a gap."""
    trimmed = _trimmed(column)
    cells = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    if cells.null_count == len(cells):
        return pa.nulls(len(cells), pa.float64())
    return pc.cast(cells, pa.float64())


def _trimmed(column: pa.StringArray) -> pa.StringArray:
    return pc.utf8_trim_whitespace(column)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_empty(kind: pa.DataType) -> bool:
    return pa.types.is_null(kind)
