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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from customer_tables.columns import SURE_POINT
from customer_tables.errors import UserError
from customer_tables.names import is_date_name
from customer_tables.numbers import SENTINELS
from customer_tables.rows import SUM_OR_MEAN
from customer_tables.sniff import GZIP, PARQUET, settle_delimiter
from customer_tables.words import DESTROYED
from segmentation import expressions
from segmentation.dataset import Dataset, match_columns

SAMPLE = 262_144  # bytes of a text in which delimiter and header are looked for
BLOCK = 2 << 20  # bytes of a text that are read at a time
ROWS = 131_072  # of a Parquet file that are read at a time
ODD_IDENTIFIER = rf"^=|^'\d|^\d+\.0$|{DESTROYED}|[\"\n\r]|^$"
ODD_LETTERS = b"='.+\"\n\r"  # every odd identifier has one of these, or none at all


class NotPlain(Exception):
    """Something in a file has to be repaired, refused or looked at as a whole."""


@contextmanager
def _translated() -> Iterator[None]:
    """Say of every way in which a file cannot be read that it is not plain."""
    try:
        yield
    except (OSError, EOFError, pa.ArrowException, UnicodeError, csv.Error, UserError) as error:
        raise NotPlain(f"{type(error).__name__}: {str(error)[:200]}") from None


class PlainFile:
    """A CSV, TSV (gzip or not) or Parquet file.

    Parameters
    ----------
    path : pathlib.Path
    dataset : Dataset
        The model's, as `segmentation.model.dataset_of` gives it.

    Attributes
    ----------
    done : float
        Share of the file that has been read.
    identifier, found : str
        What the model calls that column, and what the file does.
    infinite : bool
        Whether some number was infinite so far.

    Raises
    ------
    NotPlain
        As all methods do, at the first thing that is not plain.
    """

    def __init__(self, path: Path, dataset: Dataset) -> None:
        self._path, self._dataset = path, dataset
        self.done, self.infinite = 0.0, False
        self._proved: set[str] = set()  # columns in which some point is a decimal mark for certain
        self._pointed: set[str] = set()
        with _translated():
            with path.open("rb") as file:
                start = file.read(len(PARQUET))
            self._text, self._packed = start != PARQUET, start.startswith(GZIP)
            if self._text:
                self._look()
            else:
                with pq.ParquetFile(path, pre_buffer=False) as file:
                    self._match(file.schema_arrow.names)

    def _look(self) -> None:
        """See how a text is written, and which of its columns are numbers beyond doubt."""
        with gzip.open(self._path) if self._packed else self._path.open("rb") as file:
            sample = file.read(SAMPLE)
        if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise NotPlain("UTF-16")
        self._delimiter, announced, _ = settle_delimiter(sample, self._path.name, "utf-8", "")
        text = sample.decode("utf-8-sig", errors="replace")
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True)
        self._header = next(lines, [])
        if not self._header or announced or re.search("[\n\0]", "".join(self._header)):
            raise NotPlain("the header line")
        rows: list[list[str]] = []
        with suppress(csv.Error):  # a quoted cell may have been cut
            rows.extend(lines)
        self._match(self._header)
        # The others may be whole numbers now, and have points later: they are read as text.
        self._types = dict.fromkeys(self._header, pa.string())
        for name, place in self._numbers.items():
            cells = [row[place].strip() for row in rows[:-1] if place < len(row)]
            if any("." in cell and re.search(SURE_POINT, cell) for cell in cells):
                self._proved.add(name)
                self._types[self._header[place]] = pa.float64()

    def _match(self, given: list[str]) -> None:
        """Find the model's columns among those of the file."""
        if len(set(given)) < len(given):
            raise NotPlain("two columns of one name")
        names = [" ".join(name.split()) for name in given]
        matched = match_columns(names, self._dataset)
        places = {matched[name]: names.index(name) for name in names if name in matched}
        columns = {column.name: column for column in self._dataset.columns}
        formulas = [feature.formula for feature in self._dataset.features]
        formulas += [rule.check or rule.when for rule in self._dataset.rules]
        read = {name for formula in formulas for name in expressions.columns_of(formula)}
        self.identifier = self._dataset.id.name if self._dataset.id else ""
        missing = {name for name, column in columns.items() if column.required}
        missing.add(self.identifier)
        if missing := missing - set(places):
            raise NotPlain(f"no column {min(missing)!r}")
        if odd := [name for name in read if not columns[name].is_numeric]:
            raise NotPlain(f"the column {odd[0]!r} is one of yes and no")
        self._numbers = {name: i for name, i in places.items() if columns[name].is_numeric}
        if dated := [
            names[i]
            for c, i in self._numbers.items()
            if columns[c].before or is_date_name(names[i])
        ]:
            raise NotPlain(f"the column {dated[0]!r} may hold dates")
        self._identifier = places[self.identifier]
        self.found = given[self._identifier]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the file; sets the share `done`."""
        rows = 0
        with _translated():
            for batch in self._delimited() if self._text else self._parquet():
                rows += batch.num_rows
                yield batch
        if not rows:
            raise NotPlain("no rows")

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self._path, pre_buffer=False) as file:  # else what was read stays
            total, rows = file.metadata.num_rows or 1, 0
            for batch in file.iter_batches(batch_size=ROWS):
                rows += batch.num_rows
                self.done = rows / total
                yield batch

    def _delimited(self) -> Iterator[pa.RecordBatch]:
        size = self._path.stat().st_size or 1
        with self._path.open("rb") as raw, gzip.open(raw) if self._packed else raw as file:
            reader = arrow_csv.open_csv(
                pa.PythonFile(file, mode="r"),
                read_options=arrow_csv.ReadOptions(
                    column_names=self._header, skip_rows=1, block_size=BLOCK, use_threads=True
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=True
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=self._types, strings_can_be_null=False, null_values=["", " "]
                ),
            )
            for batch in reader:
                for column in batch.columns:
                    if pa.types.is_string(column.type):
                        cells = bytes(column.buffers()[2] or b"")
                        if any(letter in cells for letter in b"\n\r\0"):
                            raise NotPlain("a cell of several lines, or NUL bytes")
                self.done = min(1.0, raw.tell() / size)
                yield batch

    def customers(self, batch: pa.RecordBatch) -> pd.DataFrame:
        """Return rows as columns of numbers by identifier; can run beside others."""
        with _translated():
            first = batch.column(0)
            if pa.types.is_string(first.type) and SUM_OR_MEAN.fullmatch(first[-1].as_py() or ""):
                raise NotPlain("a row of totals")
            numbers = {
                name: self._number(name, batch.column(i)) for name, i in self._numbers.items()
            }
            ids = self._identifiers(batch.column(self._identifier))
            index = pd.Index(ids.to_pandas(), name="customer", dtype="str")
            return pd.DataFrame(numbers, index, copy=False)

    def settle(self) -> None:
        """Refuse columns whose points may be marks of thousands: no cell proves the contrary."""
        if unclear := sorted(self._pointed - self._proved):
            raise NotPlain(f"the points in the column {unclear[0]!r} can mean two things")

    def _identifiers(self, column: pa.Array) -> pa.Array:
        if pa.types.is_integer(column.type) and not column.null_count:
            return column.cast(pa.string())
        if not _is_text(column.type) or column.null_count:
            raise NotPlain("identifiers that are no text")
        column = pc.utf8_trim_whitespace(column.cast(pa.string()))
        letters = bytes(column.buffers()[2] or b"")
        shortest = pc.min(pc.binary_length(column)).as_py()
        if not (shortest == 0 or any(letter in letters for letter in ODD_LETTERS)):
            return column
        odd = pc.match_substring_regex(column, ODD_IDENTIFIER, ignore_case=True)
        if pc.any(odd).as_py():
            raise NotPlain("identifiers that a spreadsheet has changed, or empty ones")
        return column

    def _number(self, name: str, column: pa.Array) -> np.ndarray:
        kind = column.type
        if _is_text(kind):
            column = pc.utf8_trim_whitespace(column.cast(pa.string()))
            if name not in self._proved and pc.any(pc.match_substring(column, ".")).as_py():
                self._pointed.add(name)
                if pc.any(pc.match_substring_regex(column, SURE_POINT)).as_py():
                    self._proved.add(name)
            column = pc.if_else(pc.equal(column, ""), None, column)
        elif not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
        ):
            raise NotPlain(f"the column {name!r} holds {kind} values")
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        lowest, highest = np.fmin.reduce(values, initial=0.0), np.fmax.reduce(values, initial=0.0)
        infinite = max(-lowest, highest) == np.inf
        self.infinite = self.infinite or infinite
        if self._text or _is_text(kind):
            unknown = np.count_nonzero(np.isnan(values)) - column.null_count
            if unknown or infinite:  # a cast takes the words nan and inf
                raise NotPlain(f"words among the numbers of {name!r}")
        # Whether such a number means "unknown" depends on all others.
        if lowest < 0 and np.isin(values, SENTINELS).any():
            raise NotPlain(f"-99, -999 or the like in the column {name!r}")
        return values


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
