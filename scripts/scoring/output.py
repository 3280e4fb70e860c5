"""The list of scored customers, written piece by piece; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from customer_tables.errors import UserError
from scoring.plain_files import has_any
from segmentation.presentation import FORMULA_STARTS, spreadsheet_safe

DECIMALS = 4  # of confidence and distance in a CSV file, as in segments.csv
COLUMNS = {
    "customer": pa.string(),
    "segment": pa.int64(),
    "segment_name": pa.string(),
    "second_choice": pa.int64(),
    "second_choice_name": pa.string(),
    "confidence": pa.float64(),
    "distance": pa.float64(),
    "stranger": pa.bool_(),
}
SCHEMA = pa.schema(list(COLUMNS.items()))
FOUND = ("segment", "second_choice", "confidence", "distance", "stranger")
REPEATED = ["segment", "segment_name", "second_choice", "second_choice_name"]
# Confidence and distance have no pattern to pack, and bounds of theirs would find no block of rows.
PACKING = dict.fromkeys(COLUMNS, "snappy") | {"confidence": "none", "distance": "none"}
BOUNDED = ["customer", "segment", "second_choice"]


class ScoredFile:
    """A file of scored customers that takes its name when it is complete.

    CSV is safe to open in a spreadsheet and rounded like segments.csv; Parquet (by the ending
    .parquet) holds identifiers and numbers as they are. Readable by its owner only.

    Parameters
    ----------
    path : pathlib.Path
    names : dict of int to str
        Of the segments.

    Raises
    ------
    UserError
        If nothing can be written there.
    """

    def __init__(self, path: Path, names: dict[int, str]) -> None:
        self.path, self._partial = path, path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._parquet, self._complete = path.suffix.lower() == ".parquet", False
        words = pd.Series([names[segment] for segment in sorted(names)])
        self._words = pa.array(words if self._parquet else spreadsheet_safe(words), pa.string())
        try:
            self._partial.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._file = os.fdopen(os.open(self._partial, flags, 0o600), "wb")
        except OSError as error:
            raise _unwritable(path, error) from None
        self._writer = (
            pq.ParquetWriter(
                self._file,
                SCHEMA,
                use_dictionary=REPEATED,
                compression=PACKING,
                write_statistics=BOUNDED,
            )
            if self._parquet
            else arrow_csv.CSVWriter(
                self._file, SCHEMA, write_options=arrow_csv.WriteOptions(quoting_style="needed")
            )
        )

    def rows(self, customers: pa.StringArray, found: Mapping[str, Any]) -> pa.RecordBatch:
        """Bring customers into the form of the file; can run beside others.

        Parameters
        ----------
        customers : pyarrow.StringArray, shape (n,)
        found : mapping of str to ndarray, shape (n,)
            segment, second_choice, confidence, distance and stranger.
        """
        segment, second = found["segment"], found["second_choice"]
        confidence, distance = found["confidence"], found["distance"]
        if not self._parquet:
            customers = _safe(customers)
            confidence, distance = np.round(confidence, DECIMALS), np.round(distance, DECIMALS)
        columns = [
            customers,
            pa.array(segment),
            self._words.take(pa.array(segment - 1)),
            pa.array(second),
            self._words.take(pa.array(second - 1)),
            pa.array(confidence),
            pa.array(distance),
            pa.array(found["stranger"]),
        ]
        return pa.record_batch(columns, schema=SCHEMA)

    def write(self, rows: pa.RecordBatch) -> None:
        """Write customers, as `rows` gives them."""
        try:
            self._writer.write_batch(rows)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def complete(self) -> Path:
        """Write out what is left, and return where the list is until it is kept."""
        try:
            self._writer.close()
            self._file.close()
        except OSError as error:
            raise _unwritable(self.path, error) from None
        self._complete = True
        return self._partial

    def keep(self) -> None:
        """Give the file its name."""
        if not self._complete:
            self.complete()
        try:
            os.replace(self._partial, self.path)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def drop(self) -> None:
        """Leave nothing behind; without effect on a file that was kept."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)


def _safe(texts: pa.StringArray) -> pa.Array:
    """Prefix what a spreadsheet would run; the slow look is for the few that begin like that."""
    if not has_any(texts, FORMULA_STARTS):
        return texts
    pattern = "^[" + "".join(f"\\{c}" if c in "=+-@" else c for c in FORMULA_STARTS) + "]"
    if not pc.any(pc.match_substring_regex(texts, pattern)).as_py():
        return texts
    return pa.array(spreadsheet_safe(texts.to_pandas()), pa.string())


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"the list cannot be written: {error.strerror or error}",
        where=str(path),
        remedy="choose another place with --output, or make space there",
    )
