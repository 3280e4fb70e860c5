"""`read_table`: from a path to a table with the list of what was changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from customer_tables.changes import Change, Reading
from customer_tables.columns import Settings, Typed, type_columns
from customer_tables.delimited import read_rows
from customer_tables.errors import UserError
from customer_tables.header import name_columns
from customer_tables.names import normalise
from customer_tables.parquet import read_parquet
from customer_tables.raw import Raw
from customer_tables.sniff import Content, load_content, settle_delimiter, settle_encoding
from customer_tables.structure import assemble
from customer_tables.workbook import read_workbook

DATE_ORDERS = {"dmy": "dmy", "mdy": "mdy", "d/m/y": "dmy", "m/d/y": "mdy"}
DECIMALS = {".": ".", ",": ",", "point": ".", "comma": ","}


def read_table(
    path: str | Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    sheet: str | int | None = None,
    date_order: str | None = None,
    text_columns: Collection[str] = (),
) -> Reading:
    """Read a table from CSV, TSV, Parquet or Excel, or gzip of these.

    The format is told by content, not by the file's name. What is unambiguous is repaired, counted
    and listed in ``changes``; what could mean two things is refused, with the option that settles
    it. Identifiers stay text, letter for letter.

    Parameters
    ----------
    path : str or Path
    delimiter : str, optional
        One character, or "comma", "semicolon", "tab", "pipe"; found out if not given.
    encoding : str, optional
        Found out if not given: byte-order mark, UTF-8, then Windows-1252.
    decimal : str, optional
        The decimal mark, "." or ","; found out for each column if not given.
    sheet : str or int, optional
        Name or place (from 1) of a workbook's sheet; needed if several have content.
    date_order : str, optional
        "dmy" or "mdy", for dates like 03/04/2024; found out if not given.
    text_columns : collection of str, optional
        Columns to leave as text, whatever they look like; case and punctuation do not matter.

    Returns
    -------
    Reading

    Raises
    ------
    UserError
        If the file is no table, is damaged, or can be read in more than one way.

    Examples
    --------
    >>> reading = read_table("customers.csv")  # doctest: +SKIP
    >>> reading.table.dtypes  # doctest: +SKIP
    """
    date_order = _choose(date_order, DATE_ORDERS, "--date-order")
    decimal = _choose(decimal, DECIMALS, "--decimal")
    content = load_content(path)
    if sheet is not None and content.format != "excel":
        raise UserError(
            "the file is no Excel workbook and has no sheets",
            where=content.name,
            remedy="leave --sheet out",
        )
    raw, source = _load_raw(content, delimiter, encoding, sheet)
    raw = name_columns(raw)
    keep = frozenset(normalise(name) for name in text_columns)
    settings = Settings(decimal, date_order, source.get("delimiter"), keep)
    typed = type_columns(raw, settings)
    typed = _without_sum_row(typed, raw)
    changes = raw.changes + typed.changes + _note_twins(typed.table)
    source = {
        "name": content.name,
        "format": content.format,
        "compression": content.compression,
        **source,
        "decimal": typed.decimal,
        "sha256": content.sha256,
        "rows": len(typed.table),
    }
    lines = raw.lines[: len(typed.table)]
    return Reading(typed.table, changes, typed.kinds, typed.units, source, lines, raw.word)


def _choose(given: str | None, known: dict[str, str], option: str) -> str | None:
    if given is None:
        return None
    if str(given).lower() not in known:
        raise UserError(
            f"{given!r} is not possible here",
            where=option,
            remedy="give one of " + ", ".join(sorted(set(known.values()))),
        )
    return known[str(given).lower()]


def _load_raw(
    content: Content, delimiter: str | None, encoding: str | None, sheet: str | int | None
) -> tuple[Raw, dict[str, str]]:
    """Return the file's columns, and how it is written."""
    if content.format == "parquet":
        return read_parquet(content.data, content.name), {}
    if content.format == "excel":
        raw, title = read_workbook(content.data, content.name, sheet)
        return raw, {"sheet": title}
    name, data = content.name, content.data
    encoding, noticed = settle_encoding(data, name, encoding)
    delimiter, announced, seen = settle_delimiter(data, name, encoding, delimiter)
    rows = read_rows(data, name, encoding, delimiter, announced)
    raw = assemble(rows, name, whole=data.rstrip(b"\0").endswith((b"\n", b"\r")))
    raw = replace(raw, changes=noticed + seen + raw.changes)
    return raw, {"encoding": encoding, "delimiter": delimiter}


def _without_sum_row(typed: Typed, raw: Raw) -> Typed:
    """Drop a last row without a label whose every number is the sum of those above it."""
    table = typed.table
    if len(table) < 4:
        return typed
    last, above = table.iloc[-1], table.iloc[:-1]
    numbers = [c for c in table if pd.api.types.is_numeric_dtype(table[c]) and pd.notna(last[c])]
    numbers = [c for c in numbers if table[c].dtype != bool]
    labels = [c for c in table if typed.kinds[c] in ("id", "text", "date")]
    if len(numbers) < 2 or not labels or any(pd.notna(last[c]) for c in labels):
        return typed
    sums = above[numbers].sum().to_numpy(dtype=float)
    values = last[numbers].to_numpy(dtype=float)
    if not np.allclose(values, sums, rtol=1e-6) or not np.any(values):
        return typed
    change = Change(
        "a last row of sums", rows=1, action="left out", examples=(f"{raw.word} {raw.lines[-1]}",)
    )
    return replace(typed, table=above.reset_index(drop=True), changes=[*typed.changes, change])


def _note_twins(table: pd.DataFrame) -> list[Change]:
    """Tell how many rows repeat an earlier one in every cell; cleaning decides about them."""
    rows = table
    for column in table:  # a row that is alone in one column is alone
        rows = rows[rows[column].duplicated(keep=False)]
    twins = int(rows.duplicated().sum())
    what = "rows that repeat an earlier row"
    return [Change(what, rows=twins, action="kept; cleaning decides")] if twins else []
