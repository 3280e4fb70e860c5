"""A file's columns before their cells are understood: what every format is brought to first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from customer_tables.changes import Change


@dataclass(frozen=True)
class Raw:
    """The columns of a file before their cells are understood.

    Text files and workbooks give text columns; Parquet gives typed ones too.
    """

    file: str
    names: list[str]
    columns: list[pa.ChunkedArray]
    lines: np.ndarray  # the line (or row) of the file that each row of the table stands in
    word: str = "line"
    changes: list[Change] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)  # where in the file's rows the columns stand


def keep_columns(raw: Raw, keep: list[int]) -> Raw:
    """Return the table with only the columns at these places."""
    return replace(
        raw,
        names=[raw.names[i] for i in keep],
        columns=[raw.columns[i] for i in keep],
        places=[raw.places[i] for i in keep] if raw.places else [],
    )


def keep_rows(raw: Raw, count: int) -> Raw:
    """Return the table's first `count` rows."""
    columns = [column.slice(0, count) for column in raw.columns]
    return replace(raw, columns=columns, lines=raw.lines[:count])
