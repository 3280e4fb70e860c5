"""What each column holds: the order of the rules, and the choices that need the whole file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.column import Column, tolerated
from customer_tables.dates import Dates, numbers_as_dates, parse_dates, read_dates
from customer_tables.names import is_date_name, is_identifier_name, normalise, split_name
from customer_tables.numbers import CURRENCIES, Numbers, parse_numbers, read_numbers, read_values
from customer_tables.rows import Raw
from customer_tables.words import (
    INFINITE,
    NOT_A_NUMBER,
    check_first,
    looks_coded,
    missing_words,
    read_codes,
    read_empty,
    read_identifiers,
    read_text,
    read_yes_no,
    spell_typed,
)

UNIT_IN_BRACKETS = re.compile(
    r"[(\[]\s*(?:in\s+)?(k|m|mio\.?|tsd\.?|'?000s?)?\s*([^()\[\]]{1,5}?)\s*[)\]]\s*$"
)
CODE = r"\p{L}\d|\d\p{L}|\d[+<>]|[<>]\s*\d|\d\s*(-|to|–)\s*[^\d]{0,2}\d"
SURE_POINT = r"\.(\d{0,2}|\d{4,})([eE].*)?$|^[-+]?(0\d*)?\.|\d{4,}\."  # a decimal mark for certain


@dataclass(frozen=True)
class Convention:
    """How numbers and dates are written; empty where it has to be found out.

    Attributes
    ----------
    decimal : str
        The decimal mark, "." or ",".
    date_order : str
        "dmy" or "mdy".
    """

    decimal: str = ""
    date_order: str = ""


@dataclass(frozen=True)
class _Open:
    """A column of numbers or dates whose values wait for the convention of the whole file."""

    column: Column
    found: Numbers | Dates
    missing: np.ndarray

    @property
    def proof(self) -> frozenset[str]:
        """The decimal marks, or the orders, that some text proves."""
        shown = self.found.proof()
        return frozenset(
            key for key, texts in shown.items() if key != "either" and (texts & ~self.missing).any()
        )

    def close(self, given: Convention, settled: Convention) -> Column:
        """Read the column; what the user said outweighs what its cells prove."""
        if isinstance(self.found, Dates):
            proof = frozenset() if given.date_order else self.proof
            return read_dates(self.column, self.found, self.missing, proof, settled.date_order)
        proof = frozenset() if given.decimal else self.proof
        return read_numbers(self.column, self.found, self.missing, proof, settled.decimal)


def read_columns(
    raw: Raw, given: Convention, delimiter: str, text_columns: frozenset[str]
) -> tuple[list[Column], Convention]:
    """Turn columns of text into numbers, dates, truth values and text.

    Parameters
    ----------
    raw : Raw
        Loses the cells of each column once that is understood.
    given : Convention
        What the user said.
    delimiter : str
        What divides the cells of a text; empty for other files.
    text_columns : frozenset of str
        Normalised names of the columns to leave as text.

    Returns
    -------
    columns : list of Column
    convention : Convention
        What holds in this file.

    Raises
    ------
    UserError
        If a column can be read in two ways, or looks like one of numbers or dates and holds
        other things.
    """
    drafts: list[Column | _Open] = []
    proof: set[str] = set()
    for place, name in enumerate(raw.names):
        cells, raw.columns[place] = raw.columns[place], None  # the text may go once it is read
        column = Column(name, raw.file, raw.word, raw.lines)
        keep = normalise(name) in text_columns
        drafts.append(_draft(cells, column, given, keep, place == 0, proof))
    settled = _settle(proof, given, delimiter)
    columns = [d.close(given, settled) if isinstance(d, _Open) else d for d in drafts]
    return [_with_unit(column, raw.units.get(column.name, "")) for column in columns], settled


def _draft(
    cells: pa.ChunkedArray,
    column: Column,
    given: Convention,
    keep: bool,
    first: bool,
    proof: set[str],
) -> Column | _Open:
    """Read a column as far as that goes without the others; add to `proof` what it proves."""
    named = is_identifier_name(column.name) and not _is_flag(cells)
    if not pa.types.is_string(cells.type):
        if not (keep or named):
            return _read_typed(cells, column)
        cells = spell_typed(cells, column)
    trimmed = pc.utf8_trim_whitespace(cells)
    if keep or named:
        return read_identifiers(column.holding(trimmed), "id" if named else "text")
    if first:
        check_first(trimmed, column)
    if why := looks_coded(trimmed):
        return read_codes(column.holding(trimmed), why)
    plain = _read_plain(trimmed, column, given, proof)
    if plain is not None:
        return plain
    found = _read_texts(cells, column.holding(trimmed))
    proof |= found.proof if isinstance(found, _Open) else set()
    return found


def _is_flag(cells: pa.ChunkedArray) -> bool:
    """Whether a column has two short values in many rows, as no identifier has."""
    if len(cells) <= 10 or pc.count_distinct(cells).as_py() > 2:
        return False
    return (pc.max(pc.utf8_length(pc.cast(cells, pa.string()))).as_py() or 0) <= 5


def _read_typed(cells: pa.ChunkedArray, column: Column) -> Column:
    """Read cells that are numbers, truth values or timestamps already."""
    if cells.null_count == len(cells):
        return read_empty(column)
    if pa.types.is_timestamp(cells.type):
        return column.done(cells.to_pandas().astype("datetime64[us]"), "date", [])
    if pa.types.is_boolean(cells.type):
        whole = cells.null_count == 0
        values = cells.to_numpy() if whole else pc.cast(cells, pa.float64()).to_numpy()
        return column.done(values, "yes_no", [])
    done = read_values(column, cells.to_numpy())
    dated = done.kind == "number" and is_date_name(column.name)
    return (numbers_as_dates(done) if dated else None) or done


def _read_plain(
    trimmed: pa.ChunkedArray, column: Column, given: Convention, proof: set[str]
) -> Column | None:
    """Read a column of plain numbers or ISO dates and nothing else, at full speed."""
    filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    if filled.null_count == len(filled):
        return read_empty(column)
    if re.match(r"\d{4}-", pc.drop_null(filled)[0].as_py()):
        stamps = _cast(filled, pa.timestamp("us"))
        return None if stamps is None else _read_typed(stamps, column)
    values, proven = _cast(filled, pa.int64()), set()
    if values is None and given.decimal != ",":
        values = _cast(filled, pa.float64())
        if values is not None and _any(pc.match_substring(filled, ".")):
            if not any(_is_sure(part) for part in (filled.slice(0, 5000), filled)):
                return None
            proven = {"."}
    # A cast takes nan, inf and 0x1F for numbers, too.
    if values is None or _any(pc.match_substring_regex(filled, "[nxNX]")):
        return None
    proof |= proven
    return _read_typed(values, column)


def _cast(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None


def _any(flags: pa.ChunkedArray) -> bool:
    return bool(pc.any(flags).as_py())


def _is_sure(cells: pa.ChunkedArray) -> bool:
    """Whether the point in some number must be a decimal mark."""
    return _any(pc.match_substring_regex(cells, SURE_POINT))


def _read_texts(cells: pa.ChunkedArray, column: Column) -> Column | _Open:
    """Read a column by its distinct texts: yes and no, dates, numbers, or words."""
    missing = column.among(NOT_A_NUMBER)
    present = column.rows(~missing)
    if (answers := read_yes_no(column, missing)) is not None:
        return answers
    if not present:
        return read_empty(column, missing_words(column, missing))
    dates = parse_dates(column.texts)
    if column.rows(dates.valid & ~missing) >= 0.5 * present:
        return _Open(column, dates, missing)
    numbers = parse_numbers(column.texts)
    numeric = column.rows(numbers.valid & ~missing)
    odd = ~(missing | numbers.valid | column.among(INFINITE))
    if numeric >= 0.5 * present and not _are_codes(column, odd, present):
        return _Open(column, numbers, missing)
    text = read_text(column, cells)
    if numeric < 0.1 * present:
        return text
    note = column.change("numbers among words", numbers.valid, "kept as text")
    return replace(text, changes=[*text.changes, *note])


def _are_codes(column: Column, odd: np.ndarray, present: int) -> bool:
    """Whether a column of digits holds codes or a few categories: 85123A, 3+, "ground".

    Parameters
    ----------
    column : Column
    odd : ndarray of bool
        The texts that are no numbers.
    present : int
        How many rows hold something.
    """
    count = column.rows(odd)
    if count <= tolerated(present):
        return False
    few = len(column.texts) <= min(20, present / 5)
    return few or column.rows(odd & column.matches(CODE)) >= 0.5 * count


def _settle(proof: set[str], given: Convention, delimiter: str) -> Convention:
    """Return the file's convention: given, proven by a column, or implied by the delimiter."""
    marks, orders = proof & {".", ","}, proof & {"dmy", "mdy"}
    # Between commas a decimal comma needs quotes, so who writes such files writes points.
    implied = "." if not marks and delimiter == "," else ""
    decimal = given.decimal or (marks.pop() if len(marks) == 1 else implied)
    return Convention(decimal, given.date_order or (orders.pop() if len(orders) == 1 else ""))


def _with_unit(column: Column, unit: str) -> Column:
    """Give a column of numbers the unit of a cell format, or of its name."""
    unit = unit or unit_in_name(column.name)
    if not unit or column.unit or column.kind != "number":
        return column
    return replace(column, unit=unit, kind="share" if unit == "%" else "money")


def unit_in_name(name: str) -> str:
    """Return the currency that a name ends with: "k$" from "Annual Income (k$)"."""
    bracket = UNIT_IN_BRACKETS.search(name)
    if bracket and bracket.group(2).lower() in CURRENCIES:
        return (bracket.group(1) or "") + CURRENCIES[bracket.group(2).lower()]
    last = split_name(name).rpartition(" ")[2]
    return CURRENCIES[last] if last in ("usd", "eur", "gbp", "inr", "chf", "jpy") else ""
