"""Columns from a Parquet file: typed ones as they are, text ones as text."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.raw import Raw
from customer_tables.structure import drop_closing_rows


def read_parquet(data: bytes, file: str) -> Raw:
    """Read a Parquet file into columns of text, numbers, truth values and timestamps.

    Raises
    ------
    UserError
        If the file is damaged or holds no rows or columns.
    """
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()
    except (pa.ArrowException, OSError):
        raise UserError(
            "the Parquet file is damaged", where=file, remedy="write or download it again"
        ) from None
    if not table.num_rows or not table.num_columns:
        raise UserError(
            f"the table has {table.num_rows} rows and {table.num_columns} columns",
            where=file,
            remedy="export the table again",
        )
    names, columns, changes = [], [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain, change = _simplify(name, column)
        changes += [change] if change else []
        if plain is not None:
            names.append(" ".join(name.split()))
            columns.append(plain)
    raw = Raw(file, names, columns, np.arange(1, table.num_rows + 1), "row", changes)
    return drop_closing_rows(raw) if all(pa.types.is_string(c.type) for c in columns[:1]) else raw


def _simplify(name: str, column: pa.ChunkedArray):
    """Return a column as string, int64, float64, bool or timestamp, and what that changed."""
    kind, rows = column.type, len(column)
    types = pa.types
    if types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pc.fill_null(column.cast(pa.string()), ""), None
    if types.is_boolean(kind) or types.is_int64(kind) or types.is_float64(kind):
        return column, None
    if types.is_timestamp(kind):
        change = None
        if kind.tz:
            change = Change(f"times in {kind.tz}", name, rows, "turned into UTC")
        return column.cast(pa.timestamp("us"), safe=False), change
    if types.is_date(kind):
        return column.cast(pa.timestamp("us")), None
    if types.is_uint64(kind) and (pc.max(column).as_py() or 0) >= 2**63:
        return pc.fill_null(column.cast(pa.string()), ""), None
    if types.is_integer(kind):
        return column.cast(pa.int64()), None
    if types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(pa.float64()), None
    if types.is_null(kind):
        return pa.chunked_array([pa.array([""] * rows, pa.string())]), None
    if types.is_time(kind):
        return pc.fill_null(column.cast(pa.string()), ""), None
    change = Change(f"cells that hold {kind} values", name, rows, "column left out")
    return None, replace(change, what=change.what[:80])
