"""`read_table`: from a path to a table with the list of what was changed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from customer_tables.changes import Change, Reading
from customer_tables.columns import read_columns
from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.parquet import read_parquet
from customer_tables.rows import Raw, assemble, name_columns, read_rows
from customer_tables.sniff import load_content, sniff
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

    Raises
    ------
    UserError
        If the file is no table, is damaged, or can be read in more than one way.
    """
    given = {
        "decimal": _choose(decimal, DECIMALS, "--decimal"),
        "date_order": _choose(date_order, DATE_ORDERS, "--date-order"),
    }
    content = load_content(path)
    name, data = content.name, content.data
    if sheet is not None and content.format != "excel":
        what = "the file is no Excel workbook and has no sheets"
        raise UserError(what, name, "leave --sheet out")
    about = {"name": name, "format": content.format, "compression": content.compression}
    if content.format == "parquet":
        raw = read_parquet(data, name)
    elif content.format == "excel":
        raw, about["sheet"] = read_workbook(data, name, sheet)
    else:
        dialect = sniff(data, name, encoding, delimiter)
        whole = data.rstrip(b"\0").endswith((b"\n", b"\r"))
        raw = assemble(read_rows(data, name, dialect), name, whole=whole)
        raw.changes = dialect.changes + raw.changes
        about |= {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    keep = frozenset(normalise(name) for name in text_columns)
    return _understand(raw, given, about, content.sha256, keep)


def read_texts(texts: pd.DataFrame, name: str) -> Reading:
    """Read a table of texts that is in memory, as `read_table` reads a file of that name.

    Raises
    ------
    UserError
        If a column can be read in more than one way.
    """
    columns = [pa.chunked_array([pa.array(texts[c].fillna(""), pa.string())]) for c in texts]
    raw = Raw(name, list(texts), columns, np.arange(1, len(texts) + 1), "row")
    return _understand(raw, {"decimal": "", "date_order": ""}, {"name": name}, "", frozenset())


def _choose(given: str | None, known: dict[str, str], option: str) -> str:
    if given is None:
        return ""
    if str(given).lower() not in known:
        remedy = "give one of " + ", ".join(sorted(set(known.values())))
        raise UserError(f"{given!r} is not possible here", option, remedy)
    return known[str(given).lower()]


def _understand(
    raw: Raw, given: dict[str, str], about: dict[str, str], sha256: str, keep: frozenset[str]
) -> Reading:
    """Turn columns of text into a table of values."""
    name_columns(raw)
    columns, decimal = read_columns(raw, given, about.get("delimiter", ""), keep)
    table = pd.DataFrame({column.name: column.values for column in columns})
    kinds = {column.name: column.kind for column in columns}
    units = {column.name: column.unit for column in columns if column.unit}
    changes = [*raw.changes, *(change for column in columns for change in column.changes)]
    if _ends_with_sums(table, kinds):
        where = f"{raw.word} {raw.lines[-1]}"
        changes.append(Change("a last row of sums", "", 1, "left out", (where,)))
        table = table.iloc[:-1].reset_index(drop=True)
    if twins := _count_twins(table):
        action = "kept; cleaning decides"
        changes.append(Change("rows that repeat an earlier row", rows=twins, action=action))
    source: dict[str, str | int] = {
        **about,
        "decimal": decimal,
        "sha256": sha256,
        "rows": len(table),
    }
    return Reading(table, changes, kinds, units, source, raw.lines[: len(table)], raw.word)


def _ends_with_sums(table: pd.DataFrame, kinds: dict[str, str]) -> bool:
    """Whether the last row has no label, and its every number is the sum of those above it."""
    if len(table) < 4:
        return False
    known = table.columns[table.iloc[-1].notna()]
    numbers = table[known].select_dtypes("number")
    labels = {column for column in table if kinds[column] in ("id", "text", "date")}
    if numbers.shape[1] < 2 or not labels or labels & set(known):
        return False
    sums, last = numbers.iloc[:-1].sum().astype(float), numbers.iloc[-1].astype(float)
    return bool(np.allclose(last, sums, rtol=1e-6) and last.any())


def _count_twins(table: pd.DataFrame) -> int:
    """Count the rows that repeat an earlier one in every cell."""
    rows = table
    for column in table:  # a row that is alone in one column is alone
        rows = rows[rows[column].duplicated(keep=False)]
    return int(rows.duplicated().sum())
