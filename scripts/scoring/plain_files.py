"""Customers from a file in pieces, as long as nothing in it needs repair.

Reading as the notebooks do it looks at a file as a whole: which mark divides decimals, whether
-999 stands for "unknown". A file in which every cell is plain says the same in pieces. The first
cell that is not raises `NotPlain`, and the file is read again as a whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from segmentation import expressions
from segmentation.dataset import Dataset, match_columns
from segmentation.errors import InputError
from segmentation.reading.date_columns import is_date_name
from segmentation.reading.delimited import settle_delimiter
from segmentation.reading.identifiers import DESTROYED
from segmentation.reading.plain_columns import SENTINELS
from segmentation.reading.structure import TOTAL

SAMPLE = 262_144  # bytes of a text in which delimiter and header are looked for
BLOCK = 8 << 20  # bytes of a text that are read at a time
ROWS = 65_536  # of a Parquet file that are read at a time
ODD_IDENTIFIER = rf"^=|^'\d|^\d+\.0$|{DESTROYED}|[\"\n\r]|^$"
SURE_POINT = r"\.(\d{0,2}|\d{4,})([eE].*)?$|^-?(0\d*)?\.|\d{4,}\."  # a decimal mark for certain


class NotPlain(Exception):
    """Something in a file has to be repaired, refused or looked at as a whole."""


@dataclass(frozen=True)
class Piece:
    """Some customers of a file, in its order.

    Attributes
    ----------
    table : DataFrame, indexed by customer
        The model's columns of numbers, as float64.
    first : int
        How many customers of the file came before.
    done : float
        Share of the file that has been read.
    """

    table: pd.DataFrame
    first: int
    done: float


def pieces(path: Path, dataset: Dataset) -> Iterator[Piece]:
    """Yield the customers of a plain CSV, TSV (gzip or not) or Parquet file.

    Parameters
    ----------
    path : pathlib.Path
    dataset : Dataset
        The model's, as `segmentation.model.dataset_of` gives it.

    Raises
    ------
    NotPlain
        At the first thing that is not plain.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        batches = _parquet(path) if start == b"PAR1" else _delimited(path, start[:2] == b"\x1f\x8b")
        names, header = next(batches)
        reader = _Columns(names, dataset)
        first = 0
        for batch, done in batches:
            if batch.num_rows:
                yield Piece(reader.read(batch), first, done)
                first += batch.num_rows
        reader.settle()
    except (OSError, EOFError, pa.ArrowException, UnicodeError, csv.Error) as error:
        raise NotPlain(f"{type(error).__name__}: {str(error)[:200]}") from None
    if not first:
        raise NotPlain("no rows")


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


def _delimited(path: Path, packed: bool) -> Iterator[Any]:
    import gzip

    size = path.stat().st_size or 1
    with path.open("rb") as raw, gzip.open(raw) if packed else raw as file:
        sample = file.read(SAMPLE)
        file.seek(0)
        if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise NotPlain("UTF-16")
        try:
            delimiter, announced, _ = settle_delimiter(sample, path.name, "utf-8", None)
        except InputError as error:
            raise NotPlain(str(error)) from None
        text = sample.decode("utf-8-sig", errors="replace")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = next(rows, [])
        if not header or announced or len(set(header)) < len(header) or "\n" in "".join(header):
            raise NotPlain("the header line")
        yield [" ".join(name.split()) for name in header], header
        watched = _Watched(file, raw)
        reader = arrow_csv.open_csv(
            pa.PythonFile(watched, mode="r"),
            read_options=arrow_csv.ReadOptions(
                column_names=header, skip_rows=1, block_size=BLOCK, use_threads=True
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
        for batch in reader:
            for column in batch.columns if watched.quoted else ():
                if pc.any(pc.match_substring_regex(column, r"[\n\r]")).as_py():
                    raise NotPlain("a cell of several lines")
            yield batch, min(1.0, watched.position() / size)


def _parquet(path: Path) -> Iterator[Any]:
    with pq.ParquetFile(path, pre_buffer=False) as file:  # else what was read stays in memory
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise NotPlain("two columns of one name")
        yield [" ".join(name.split()) for name in names], names
        total, done = file.metadata.num_rows or 1, 0
        for batch in file.iter_batches(batch_size=ROWS):
            done += batch.num_rows
            yield batch, done / total


# --- plain cells ---------------------------------------------------------------------------------


class _Columns:
    """The model's columns among those of a file, and what is known of them so far."""

    def __init__(self, names: list[str], dataset: Dataset) -> None:
        try:
            matched = match_columns(names, dataset)
        except InputError as error:
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
        self._pointed: set[str] = set()
        self._proved: set[str] = set()

    def read(self, batch: pa.RecordBatch) -> pd.DataFrame:
        """Return a batch as a table of numbers, indexed by customer."""
        ids = self._identifiers(batch.column(self._identifier))
        first = batch.column(0)
        if pa.types.is_string(first.type) and batch.num_rows:
            label = TOTAL.fullmatch(first[-1].as_py() or "")
            if label:
                raise NotPlain("a row of totals")
        numbers = {name: self._number(name, batch.column(i)) for name, i in self._numbers.items()}
        return pd.DataFrame(numbers, index=pd.Index(ids.to_pandas(), name="customer", dtype="str"))

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
        if pc.any(pc.match_substring_regex(column, ODD_IDENTIFIER, ignore_case=True)).as_py():
            raise NotPlain("identifiers that a spreadsheet has changed, or empty ones")
        return column

    def _number(self, name: str, column: pa.Array) -> np.ndarray:
        kind = column.type
        if _is_text(kind):
            column = self._cells(name, column.cast(pa.string()))
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_empty(kind)):
            raise NotPlain(f"the column {name!r} holds {kind} values")
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        # Whether such a number means "unknown" depends on all others.
        if np.nanmin(values, initial=0) < 0 and np.isin(values, SENTINELS).any():
            raise NotPlain(f"-99, -999 or the like in the column {name!r}")
        return values

    def _cells(self, name: str, column: pa.StringArray) -> pa.Array:
        trimmed = pc.utf8_trim_whitespace(column)
        cells = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
        if cells.null_count == len(cells):
            return pa.nulls(len(cells), pa.float64())
        if name not in self._proved and pc.any(pc.match_substring(cells, ".")).as_py():
            self._pointed.add(name)
            if pc.any(pc.match_substring_regex(cells, SURE_POINT)).as_py():
                self._proved.add(name)
        numbers = pc.cast(cells, pa.float64())
        if not pc.all(pc.is_finite(numbers)).as_py():  # a cast takes the words nan and inf
            raise NotPlain(f"words among the numbers of {name!r}")
        return numbers


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_empty(kind: pa.DataType) -> bool:
    return pa.types.is_null(kind)
