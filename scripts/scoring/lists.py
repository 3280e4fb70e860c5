"""Lists of scored customers: written piece by piece, and looked through by DuckDB on the disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from customer_tables.duckdb_files import literal
from customer_tables.errors import UserError
from customer_tables.sniff import PARQUET
from segmentation.migration import Migration, migration_of
from segmentation.presentation import FORMULA_STARTS, spreadsheet_safe

DECIMALS = 4  # of confidence and distance in a CSV file, as in segments.csv
SCHEMA = pa.schema(
    {
        "customer": pa.string(),
        "segment": pa.int64(),
        "segment_name": pa.string(),
        "second_choice": pa.int64(),
        "second_choice_name": pa.string(),
        "confidence": pa.float64(),
        "distance": pa.float64(),
        "outlier": pa.bool_(),
    }
)
FOUND = ["segment", "second_choice", "confidence", "distance", "outlier"]
REPEATED = ["segment", "segment_name", "second_choice", "second_choice_name"]
RISKY = "^[" + "".join(f"\\{c}" if c in "=+-@" else c for c in FORMULA_STARTS) + "]"
MEMORY = "256MB"  # what DuckDB may use before it goes on from disk


class ScoredList:
    """A file of scored customers, readable by its owner only.

    CSV is safe to open in a spreadsheet and rounded like segments.csv; Parquet holds identifiers
    and numbers as they are.

    Parameters
    ----------
    path : pathlib.Path
        Must not exist.
    names : dict of int to str
        Of the segments.
    parquet : bool
    """

    def __init__(self, path: Path, names: dict[int, str], *, parquet: bool) -> None:
        self.path, self._parquet = path, parquet
        self._ascending, self._last = True, ""
        words = pd.Series([names[segment] for segment in sorted(names)])
        self._words = pa.array(words if parquet else spreadsheet_safe(words), pa.string())
        self._file = open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))
        how = csv.WriteOptions(quoting_style="needed")
        self._writer = (
            pq.ParquetWriter(self._file, SCHEMA, use_dictionary=REPEATED)
            if parquet
            else csv.CSVWriter(self._file, SCHEMA, write_options=how)
        )

    def __enter__(self) -> ScoredList:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._writer.close()

    def rows(self, assigned: pd.DataFrame) -> pa.RecordBatch:
        """Bring customers, as `Scored.assigned`, into the form of the list, beside other pieces."""
        columns = {name: pa.array(assigned[name].to_numpy()) for name in FOUND}
        columns["customer"] = pa.array(assigned.index, pa.string())
        for name in ("segment", "second_choice"):
            columns[f"{name}_name"] = self._words.take(pc.subtract(columns[name], 1))
        if not self._parquet:
            columns["customer"] = listed(columns["customer"])
            for name in ("confidence", "distance"):
                columns[name] = pa.array(np.round(columns[name].to_numpy(), DECIMALS))
        return pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)

    def write(self, rows: pa.RecordBatch) -> None:
        """Write customers, as `rows` gives them."""
        self._writer.write_batch(rows)
        customers = rows.column(0)
        if len(customers) and self._ascending:
            rises = pc.all(pc.less(customers[:-1], customers[1:])).as_py() is not False
            self._ascending = rises and self._last < customers[0].as_py()
            self._last = customers[-1].as_py()

    def repeated(self) -> str:
        """Return a customer who is in the complete list twice or more; empty where none is.

        Where each is greater than the one before, none is; otherwise DuckDB counts them.
        """
        if self._ascending:
            return ""
        with tempfile.TemporaryDirectory(prefix="scoring-") as folder:
            settings: dict[str, Any] = {"memory_limit": MEMORY, "temp_directory": folder}
            with duckdb.connect(config=settings) as connection:
                counted = f"{_relation(self.path)} GROUP BY customer HAVING count(*) > 1 LIMIT 1"
                twice = connection.execute(f"SELECT customer FROM {counted}").fetchone()
        return str(twice[0]) if twice else ""


def listed(customers: pa.StringArray) -> pa.StringArray:
    """Return identifiers as a CSV list calls them, safe to open in a spreadsheet."""
    if not pc.any(pc.match_substring_regex(customers, RISKY)).as_py():
        return customers
    return pa.array(spreadsheet_safe(customers.to_pandas()), pa.string())


def compare_lists(before: Path, now: Path, names: list[str]) -> Migration:
    """Count who was in which segment, in two lists that score.py wrote (or segments.csv).

    Parameters
    ----------
    before : pathlib.Path
        The earlier list, which messages are about.
    now : pathlib.Path
    names : list of str
        The segments, in order.

    Raises
    ------
    UserError
        If a list cannot be read, is of another model, or shares no customer with the other.
    """
    query = (
        "SELECT b.segment_name, n.segment_name, count(*) FROM"
        " (SELECT customer, segment_name FROM {}) b FULL JOIN"
        " (SELECT customer, segment_name FROM {}) n USING (customer) GROUP BY ALL"
    )
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(query.format(_relation(before), _relation(now))).fetchall()
    except (duckdb.Error, OSError) as error:
        raise UserError(
            f"a list of scored customers cannot be read: {str(error).splitlines()[0][:160]}",
            where=str(before),
            remedy="give a list that score.py has written",
        ) from None
    return migration_of(rows, names, where=str(before))


def _relation(path: Path) -> str:
    """Return a list as SQL; what it holds says how it is read."""
    with path.open("rb") as file:
        if file.read(len(PARQUET)) == PARQUET:
            return f"read_parquet({literal(str(path))})"
    return f"read_csv({literal(str(path))}, header = true, delim = ',', all_varchar = true)"
