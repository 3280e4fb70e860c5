"""`read_table`: from a path to a table with the list of what was changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from customer_tables.changes import Change, Reading
from customer_tables.columns import read_columns
from customer_tables.errors import UserError
from customer_tables.memory import require_memory
from customer_tables.names import full_name, normalise
from customer_tables.parquet import read_json, read_parquet
from customer_tables.rows import Raw, assemble, name_columns, read_rows
from customer_tables.sniff import load_content, sniff
from customer_tables.source import FOUND_OUT, Options, summands
from customer_tables.storage import file_digest
from customer_tables.vocabulary import MEAN, TOTAL
from customer_tables.workbook import read_workbook

LEVELS = 20  # rows a different cell, from which a column's cells are levels
SUM_OR_MEAN = rf"(?i)^(?:.*[\s:-])?(?:{TOTAL}|{MEAN})(?:[^a-zà-ÿа-я\d_]|$)"
SURE_DIGITS = 5  # in which numbers agree that are a sum by no chance
SHORT_GROUP = 64  # rows among which the next sum is looked for first
TWINS = "rows that repeat an earlier row"


def read_table(
    path: str | Path,
    options: Options = FOUND_OUT,
    *,
    text_columns: Collection[str] = (),
    lenient: bool = False,
) -> Reading:
    """Read a table from CSV, TSV, JSON, Parquet or a workbook, or gzip or ZIP of one.

    The format is found by content, not name. What is unambiguous is repaired, counted
    and listed in ``changes``; what could mean two things is refused, with the option that settles
    it. Identifiers stay text, letter for letter.

    Parameters
    ----------
    path : path
    options : Options, optional
        How it is written.
    text_columns : collection of str, optional
        Columns to leave as text, whatever they look like; case and punctuation do not matter.
        Names of two columns with a plus between them are a column of first and last names.
    lenient : bool, optional
        Leave out, and list, dates that cannot be read for certain: where dates only describe.

    Raises
    ------
    UserError
        If the file is no table, is damaged, or can be read in more than one way.
    """
    given = {"decimal": options.decimal, "date_order": options.date_order}
    path = Path(path)
    require_memory(path)
    name, (data, form, packed) = path.name, load_content(path)
    if options.sheet and form != "excel":
        raise UserError("the file is no workbook and has no sheets", name, "leave --sheet out")
    about = {"name": name, "format": form, "compression": packed}
    if form in ("parquet", "json"):
        raw = (read_parquet if form == "parquet" else read_json)(data, name)
    elif form == "excel":
        raw, about["sheet"] = read_workbook(data, name, options.sheet or None)
    else:
        dialect = sniff(data, name, options.encoding, options.delimiter)
        whole = data.rstrip(b"\0").endswith((b"\n", b"\r"))
        raw = assemble(read_rows(data, name, dialect), name, whole=whole)
        raw.changes = dialect.changes + raw.changes
        about |= {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    keep = frozenset(normalise(name) for name in text_columns)
    reading = _understand(raw, given, about, file_digest(path), keep, lenient)
    both = full_name(reading.table)
    return with_full_names(reading, both) if both in text_columns else reading


def with_full_names(reading: Reading, name: str) -> Reading:
    """Add the first and last names together, of which `names.full_name` gives the column's name."""
    first, last = (reading.table[part].astype("str").fillna("") for part in summands(name))
    both = (first.str.strip() + " " + last.str.strip()).str.strip().replace("", None).astype("str")
    table, kinds = reading.table.assign(**{name: both}), reading.kinds | {name: "id"}
    return replace(reading, table=table, kinds=kinds)


def read_texts(texts: pd.DataFrame, name: str) -> Reading:
    """Read a table of texts that is in memory, as `read_table` reads a file of that name.

    Raises
    ------
    UserError
        If a column can be read in more than one way.
    """
    columns = [pa.chunked_array([pa.array(texts[c].fillna(""), pa.string())]) for c in texts]
    raw = Raw(name, list(texts), columns, np.arange(1, len(texts) + 1), "row")
    given = {"decimal": "", "date_order": ""}
    return _understand(raw, given, {"name": name}, "", frozenset(), lenient=True)


def _understand(
    raw: Raw,
    given: dict[str, str],
    about: dict[str, str],
    sha256: str,
    keep: frozenset[str],
    lenient: bool,
) -> Reading:
    """Turn columns of text into a table of values."""
    name_columns(raw)
    columns, decimal = read_columns(raw, given, about.get("delimiter", ""), keep, lenient)
    table = pd.DataFrame({column.name: column.values for column in columns})
    kinds = {column.name: column.kind for column in columns}
    units = {column.name: column.unit for column in columns if column.unit}
    changes = [*raw.changes, *(change for column in columns for change in column.changes)]
    if (sums := _find_sums(table, kinds)).any():
        raw.note(
            "rows of sums or means of others, or headings", raw.lines[sums].tolist(), "left out"
        )
        changes.append(raw.changes[-1])
        _refuse_headings(table, sums, raw)
        table, raw.lines = table[~sums].reset_index(drop=True), raw.lines[~sums]
    if twins := _count_twins(table):
        changes.append(Change(TWINS, rows=twins, action="kept"))
    source: dict[str, str | int] = {
        **about,
        "decimal": decimal,
        "sha256": sha256,
        "rows": len(table),
    }
    unread = {column.name: column.why for column in columns if column.why}
    return Reading(table, changes, kinds, units, source, raw.lines, raw.word, unread=unread)


def _find_sums(table: pd.DataFrame, kinds: dict[str, str]) -> np.ndarray:
    """Mark rows that hold the sums or means of a group of others, and are called so.

    The group stands above or below, up to the next such row; the last row may also have no label
    at all. A name alone proves nothing: half of a row's numbers or more have to be sums, or all of
    them means, and one of them no zero. A row with an identifier in another column is none, and
    "average" among a few levels is one of them. Beside sums, rows with only a label are headings.
    """
    marked = np.zeros(len(table), bool)
    numbers = table[[c for c in table if kinds[c] in ("number", "money")]].astype(float)
    labels = table[[c for c in table if kinds[c] in ("id", "text", "date")]]
    if not numbers.shape[1] or not labels.shape[1]:
        return marked
    for column in (c for c in labels if kinds[c] != "date"):
        texts = labels[column].astype("str")
        called = texts.str.contains(SUM_OR_MEAN, na=False)
        others = [c for c in labels if kinds[c] == "id" and c != column]
        called &= labels[others].isna().all(axis=1)
        if LEVELS * labels[column].nunique() <= len(table):
            called &= ~texts.str.fullmatch(MEAN, case=False)
        called = called.to_numpy()
        if 0 < called.sum() <= len(table) // 3:
            marked |= _are_sums(numbers.to_numpy(), called)
    if len(table) > 3 and numbers.iloc[-1].count() > 1 and labels.iloc[-1].isna().all():
        marked |= _are_sums(numbers.to_numpy(), np.arange(len(table)) == len(table) - 1)
    marked[~marked] = _are_sums_unnamed(numbers[~marked].to_numpy(), labels[~marked])
    if marked.any() and table.shape[1] > 2:
        marked |= (table.notna().sum(axis=1) == 1).to_numpy() & labels.notna().any(axis=1)
    return marked


def _refuse_headings(table: pd.DataFrame, left: np.ndarray, raw: Raw) -> None:
    """Refuse rows below headings that name them, as account sheets and pivot tables have them."""
    headings = left & (table.notna().sum(axis=1) == 1).to_numpy()
    if headings.sum() < 3:
        return
    column = table[headings].notna().any().idxmax()
    if table.loc[~left, column].isna().mean() > 0.5:
        raise UserError(
            f"{int(headings.sum()):,} rows hold nothing but a name in {column!r}, and the rows "
            "below them have none there",
            where=f"{raw.file}, {raw.word} {raw.lines[headings][0]}",
            remedy="fill each name down into the rows below it in a spreadsheet, and take the rows "
            "of names out",
        )


def _are_sums(numbers: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Mark the rows called totals whose numbers are sums or means of a part, or of all others."""
    sums, rows = np.zeros(len(called), bool), np.flatnonzero(called).tolist()
    for before, row, after in zip([-1, *rows], rows, [*rows[1:], len(called)], strict=False):
        there = ~np.isnan(numbers[row])
        for part in (numbers[before + 1 : row], numbers[row + 1 : after], numbers[~called]):
            if not len(part) or not there.any():
                continue
            total, known = np.nansum(part, axis=0), (~np.isnan(part)).sum(axis=0)
            for made, error in ((total, 1e-6), (total / np.maximum(known, 1), 1e-3)):
                same = np.isclose(numbers[row], made, rtol=error, atol=5 * error) & there
                by_chance = error > 1e-6 or len(part) == 1  # small counts often agree
                enough = same.sum() >= there.sum() / (1 if by_chance else 2)
                sums[row] |= enough and numbers[row][same].any()
    return sums


def _are_sums_unnamed(numbers: np.ndarray, labels: pd.DataFrame) -> np.ndarray:
    """Mark totals in any language: all their numbers are the sums of the rows above, or below.

    These are the rows since the last total, or all ordinary ones. As no word proves it, the numbers
    have `SURE_DIGITS` digits or more together, and no label of the row has one.
    """
    whole = (np.isnan(numbers) | (numbers == np.round(numbers))).all(axis=0)
    size = np.nan_to_num(np.abs(numbers)) * np.where(whole, 1, 100)
    possible = np.log10(np.maximum(size, 1)).sum(axis=1) >= SURE_DIGITS
    for column in labels:
        texts = labels.loc[possible, column].astype("str")
        possible[possible] = ~texts.str.contains(r"\d", na=False)
    sums = np.zeros(len(numbers), bool)
    for way in (slice(None), slice(None, None, -1)):
        if sums.any() or not possible.any():
            break
        rows, able, found = numbers[way], possible[way], sums[way]
        start, width, most = 0, SHORT_GROUP, len(rows)
        while start < most:
            part = rows[start : start + width]
            hits = _sum_above(part) & able[start : start + width]
            hits &= np.arange(len(part)) > (not found.any())  # a group of one, beside others
            if hits.any():
                start, width = start + int(hits.argmax()) + 1, SHORT_GROUP
                found[start - 1] = True
            elif start + width >= most:
                break
            else:
                width *= 4
        found |= _sum_above(np.where(found[:, None], 0, rows)) & able & (np.arange(most) > 1)
    return sums


def _sum_above(rows: np.ndarray) -> np.ndarray:
    """Mark the rows whose numbers are the sums of all rows above them."""
    above = np.nancumsum(rows, axis=0) - np.nan_to_num(rows)
    return (np.isnan(rows) | np.isclose(rows, above, rtol=1e-6, atol=5e-6)).all(axis=1)


def _count_twins(table: pd.DataFrame) -> int:
    """Count the rows that repeat an earlier one in every cell."""
    rows = table
    for column in table:  # a row that is alone in one column is alone
        rows = rows[rows[column].duplicated(keep=False)]
    return int(rows.duplicated().sum())
