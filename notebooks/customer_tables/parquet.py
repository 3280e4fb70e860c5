"""Columns from Parquet or JSON: typed ones as they are, text ones as text."""

from __future__ import annotations

import codecs
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.rows import Raw, drop_closing_rows


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
        remedy = "write or download it again"
        raise UserError("the Parquet file is damaged", file, remedy) from None
    return _columns(table, file, "row")


def read_json(data: bytes, file: str) -> Raw:
    """Read JSON objects, one a line or in an array, into columns as those of a Parquet file.

    The parts of an object within become columns "name.part".

    Raises
    ------
    UserError
        If a line or entry is no object, or a key holds values of several types.
    """
    word = "line"
    try:
        if data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            data, word = "\n".join(map(json.dumps, json.loads(data))).encode(), "row"
        how = pyarrow.json.ReadOptions(block_size=max(len(data), 1))
        table = pyarrow.json.read_json(io.BytesIO(data), how)
        if times := [_as_text(field) for field in table.schema if "timestamp" in str(field.type)]:
            as_text = pyarrow.json.ParseOptions(explicit_schema=pa.schema(times))
            table = pyarrow.json.read_json(io.BytesIO(data), how, as_text)
    except ValueError as error:  # of Arrow, too
        said = " ".join(str(error).split())[:150]
        remedy = "write one object a line with values of one type for each key, or CSV"
        raise UserError(f"the {word}s of JSON cannot be read: {said}", file, remedy) from None
    return _columns(table.flatten(), file, word)


def _as_text(field: pa.Field) -> pa.Field:
    """Return a field whose times are texts: as times, Arrow turns them into UTC."""
    if pa.types.is_struct(field.type):
        return pa.field(field.name, pa.struct([_as_text(part) for part in field.type]))
    return pa.field(field.name, pa.string()) if pa.types.is_timestamp(field.type) else field


def _columns(table: pa.Table, file: str, word: str) -> Raw:
    """Turn columns of Arrow into those that are understood."""
    if not table.num_rows or not table.num_columns:
        what = f"the table has {table.num_rows} rows and {table.num_columns} columns"
        raise UserError(what, file, "export the table again")
    raw = Raw(file, [], [], np.arange(1, table.num_rows + 1), word)
    for name, column in zip(table.column_names, table.columns, strict=True):
        simple = _simplify(column)
        what, action = "", ""
        if simple is None:
            what, action = f"cells that hold {column.type} values"[:80], "column left out"
        else:
            raw.names.append(" ".join(name.split()))
            raw.columns.append(simple)
            if pa.types.is_timestamp(column.type) and column.type.tz:
                what, action = f"times in {column.type.tz}", "read by the clock there"
        if what:
            raw.changes.append(Change(what, name, table.num_rows, action))
    if all(pa.types.is_string(column.type) for column in raw.columns[:1]):
        drop_closing_rows(raw)
    return raw


def _simplify(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column as string, int64, float64, bool or timestamp; None where it is neither."""
    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_boolean(kind):
        return column
    if types.is_timestamp(kind) and kind.tz:
        column = pc.local_timestamp(column)
    if types.is_timestamp(kind) or types.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False)
    huge = types.is_uint64(kind) and (pc.max(column).as_py() or 0) >= 2**63
    if types.is_integer(kind) and not huge:
        return column.cast(pa.int64())
    if types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(pa.float64())
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    if huge or any(is_kind(kind) for is_kind in (*texts, types.is_null, types.is_time)):
        return pc.fill_null(column.cast(pa.string()), "")
    return None
