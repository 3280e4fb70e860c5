"""The list of scored customers, written piece by piece; whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from runner.errors import UserError
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


class ScoredFile:
    """A file of scored customers that takes its name when it is complete.

    CSV is safe to open in a spreadsheet and rounded like segments.csv; Parquet (by the ending
    .parquet) holds identifiers and numbers as they are. Readable by its owner only.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    UserError
        If nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._partial = path, path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._parquet = path.suffix.lower() == ".parquet"
        try:
            self._partial.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._file = os.fdopen(os.open(self._partial, flags, 0o600), "wb")
        except OSError as error:
            raise _unwritable(path, error) from None
        self._writer = (
            pq.ParquetWriter(self._file, SCHEMA)
            if self._parquet
            else arrow_csv.CSVWriter(
                self._file, SCHEMA, write_options=arrow_csv.WriteOptions(quoting_style="needed")
            )
        )

    def write(self, assigned: pd.DataFrame, names: dict[int, str]) -> None:
        """Write customers, indexed by their identifier."""
        segment, second = assigned["segment"], assigned["second_choice"]
        confidence, distance = assigned["confidence"], assigned["distance"]
        if self._parquet:
            customer, shown = pa.array(assigned.index, pa.string()), names
        else:
            customer = _safe(pa.array(assigned.index, pa.string()))
            safe = spreadsheet_safe(pd.Series(names))
            shown = safe.to_dict()
            confidence, distance = confidence.round(DECIMALS), distance.round(DECIMALS)
        words = pa.array([shown[s] for s in sorted(shown)])
        columns = [
            customer,
            pa.array(segment.to_numpy()),
            words.take(pa.array(segment.to_numpy() - 1)),
            pa.array(second.to_numpy()),
            words.take(pa.array(second.to_numpy() - 1)),
            pa.array(confidence.to_numpy()),
            pa.array(distance.to_numpy()),
            pa.array(assigned["stranger"].to_numpy()),
        ]
        try:
            self._writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def keep(self) -> None:
        """Give the file its name."""
        try:
            self._writer.close()
            self._file.close()
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
