"""What each column holds: the order of the rules, and the choices that need the whole file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables import dates, identifiers, numbers, words
from customer_tables import plain_columns as plain
from customer_tables.cells import Cells
from customer_tables.changes import Change
from customer_tables.date_columns import numbers_as_dates, read_dates
from customer_tables.names import is_date_name, is_identifier_name, normalise, split_name
from customer_tables.number_columns import are_codes, read_numbers
from customer_tables.plain_columns import Finished, Place
from customer_tables.raw import Raw

UNIT_IN_BRACKETS = re.compile(
    r"[(\[]\s*(?:in\s+)?(k|m|mio\.?|tsd\.?|'?000s?)?\s*([^()\[\]]{1,5}?)\s*[)\]]\s*$"
)


@dataclass(frozen=True)
class Settings:
    """What the user said about the file; None where it has to be found out."""

    decimal: str | None = None
    date_order: str | None = None
    delimiter: str | None = None
    text_columns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Draft:
    """A column understood as far as it can be without the other ones."""

    name: str
    done: Finished | None = None
    cells: Cells | None = None
    missing: np.ndarray | None = None
    numerals: numbers.Numerals | None = None
    dates: dates.Dates | None = None
    proof: frozenset[str] = field(default_factory=frozenset)  # ".", "," or "dmy", "mdy"


@dataclass(frozen=True)
class Typed:
    """The columns with their values, and what was noticed on the way."""

    table: pd.DataFrame
    changes: list[Change]
    kinds: dict[str, str]
    units: dict[str, str]
    decimal: str


def type_columns(raw: Raw, settings: Settings) -> Typed:
    """Turn columns of text into numbers, dates, truth values and text.

    Raises
    ------
    UserError
        If a column can be read in two ways, or looks like one of numbers or dates and holds
        other things.
    """
    columns = list(raw.columns)
    drafts = []
    for i, name in enumerate(raw.names):
        place = Place(raw.file, raw.word, name, raw.lines)
        drafts.append(_draft(columns[i], place, settings, first=i == 0))
        columns[i] = None  # the text may go once it is understood
    decimal, order = _settle_decimal(drafts, settings), _settle_order(drafts, settings)
    values, changes, kinds, units = {}, [], {}, {}
    for draft in drafts:
        done = _finish(draft, decimal, order, settings)
        done = done.with_unit(raw.units.get(draft.name) or unit_in_name(draft.name))
        values[draft.name], kinds[draft.name] = done.values, done.kind
        changes += done.changes
        if done.unit:
            units[draft.name] = done.unit
    return Typed(pd.DataFrame(values), changes, kinds, units, decimal or ".")


def _draft(column: pa.ChunkedArray, place: Place, settings: Settings, first: bool) -> Draft:
    """Understand one column as far as that goes without the others."""
    keep = normalise(place.name) in settings.text_columns
    named = is_identifier_name(place.name) and not _is_flag(column)
    if not pa.types.is_string(column.type):
        if not (keep or named):
            return Draft(place.name, _with_dates(plain.read_typed(column, place), place))
        column = plain.spell_typed(column, place)
    trimmed = pc.utf8_trim_whitespace(column)
    if keep or named:
        kind = "id" if named else "text"
        return Draft(place.name, plain.read_identifiers(place.cells(trimmed), kind))
    if first:
        identifiers.check_first(trimmed, place.cells)
    if why := identifiers.looks_coded(trimmed):
        return Draft(place.name, plain.read_codes(place.cells(trimmed), why))
    return _draft_plain(trimmed, place, settings) or _draft_cells(column, trimmed, place)


def _is_flag(column: pa.ChunkedArray) -> bool:
    """Whether a column has two short values in many rows, as no identifier has."""
    if len(column) <= 10 or pc.count_distinct(column).as_py() > 2:
        return False
    return (pc.max(pc.utf8_length(pc.cast(column, pa.string()))).as_py() or 0) <= 5


def _draft_plain(trimmed: pa.ChunkedArray, place: Place, settings: Settings) -> Draft | None:
    """Read a column that holds plain numbers or ISO dates, and nothing else, at full speed."""
    filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    if filled.null_count == len(filled):
        return Draft(place.name, plain.read_empty(place.name, len(filled)))
    first = pc.drop_null(filled)[0].as_py()
    if re.match(r"\d{4}-", first):
        stamps = _cast(filled, pa.timestamp("us"))
        return stamps and Draft(place.name, plain.read_typed(stamps, place))
    values = _cast(filled, pa.int64())
    proof = frozenset()
    if values is None and settings.decimal != ",":
        values = _cast(filled, pa.float64())
        proof = _prove_point(filled) if values is not None else None
    if values is None or proof is None or _has_letters(filled):
        return None
    return Draft(place.name, _with_dates(plain.read_typed(values, place), place), proof=proof)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return pc.cast(column, kind)
    except pa.ArrowInvalid:
        return None


def _has_letters(column: pa.ChunkedArray) -> bool:
    """Whether some text is nan, inf or 0x1F, which a cast takes for numbers."""
    return pc.any(pc.match_substring_regex(column, "[nxNX]")).as_py()


def _prove_point(column: pa.ChunkedArray) -> frozenset[str] | None:
    """Return {"."} if a point must be the decimal mark, {} if there is none, None if unclear."""
    surely = r"\.(\d{0,2}|\d{4,})([eE].*)?$|^[-+]?(0\d*)?\.|\d{4,}\."
    for part in (column.slice(0, 5000), column):
        if pc.any(pc.match_substring_regex(part, surely)).as_py():
            return frozenset(".")
    return None if pc.any(pc.match_substring(column, ".")).as_py() else frozenset()


def _with_dates(done: Finished, place: Place) -> Finished:
    """Read numbers as dates where the column's name and all of its values say so."""
    if done.kind != "number" or not is_date_name(place.name):
        return done
    return numbers_as_dates(np.asarray(done.values), place) or done


def _draft_cells(column: pa.ChunkedArray, trimmed: pa.ChunkedArray, place: Place) -> Draft:
    """Read a column by its distinct texts: yes and no, dates, numbers, or text."""
    cells = place.cells(trimmed)
    missing = cells.among(words.NOT_A_NUMBER)
    present = cells.rows(~missing)
    answers = words.read_yes_no(cells, ~missing)
    if answers is not None:
        return Draft(place.name, plain.read_answers(cells, answers, missing))
    if not present:
        gone = plain.missing_words(cells, missing)
        return Draft(place.name, plain.read_empty(place.name, len(cells.codes), gone))
    days = dates.parse_dates(cells.values)
    if cells.rows(days.valid & ~missing) >= 0.5 * present:
        proof = {key for key, mask in days.proof().items() if (mask & ~missing).any()}
        return Draft(
            place.name, None, cells, missing, dates=days, proof=frozenset(proof - {"either"})
        )
    numerals = numbers.parse_numerals(cells.values)
    odd = ~(missing | numerals.valid | cells.among(words.INFINITE))
    numeric = cells.rows(numerals.valid & ~missing)
    if numeric >= 0.5 * present and not are_codes(cells, odd, present):
        sure = {
            ".": numerals.point & ~numerals.comma & ~missing,
            ",": numerals.comma & ~numerals.point & ~missing,
        }
        proof = frozenset(mark for mark, texts in sure.items() if texts.any())
        return Draft(place.name, None, cells, missing, numerals, proof=proof)
    done = plain.read_text(cells, column)
    if numeric >= 0.1 * present:
        done.changes.extend(cells.change("numbers among words", numerals.valid, "kept as text"))
    return Draft(place.name, done)


def _settle_decimal(drafts: list[Draft], settings: Settings) -> str | None:
    """Return the file's decimal mark: given, proven by a column, or implied by the delimiter."""
    if settings.decimal:
        return settings.decimal
    proof = frozenset().union(*(d.proof for d in drafts)) & {".", ","}
    if len(proof) == 1:
        return next(iter(proof))
    # Between commas a decimal comma needs quotes, so who writes such files writes points.
    return "." if not proof and settings.delimiter == "," else None


def _settle_order(drafts: list[Draft], settings: Settings) -> str | None:
    """Return whether the file's dates have the day or the month first."""
    proof = frozenset().union(*(d.proof for d in drafts)) & {"dmy", "mdy"}
    return settings.date_order or (next(iter(proof)) if len(proof) == 1 else None)


def _finish(draft: Draft, decimal: str | None, order: str | None, settings: Settings) -> Finished:
    """Give a drafted column its values, now that the file's marks are known."""
    given = settings.date_order if draft.dates else settings.decimal
    proof = frozenset() if given else draft.proof  # what the user says outweighs the cells
    if draft.dates:
        return read_dates(draft.cells, draft.dates, draft.missing, proof, order)
    if draft.numerals:
        return read_numbers(draft.cells, draft.numerals, draft.missing, proof, decimal)
    return draft.done


def unit_in_name(name: str) -> str:
    """Return the currency that a name ends with: "k$" from "Annual Income (k$)"."""
    bracket = UNIT_IN_BRACKETS.search(name)
    if bracket and bracket.group(2).lower() in numbers.CURRENCIES:
        return (bracket.group(1) or "") + numbers.CURRENCIES[bracket.group(2).lower()]
    last = split_name(name).rpartition(" ")[2]
    return numbers.CURRENCIES[last] if last in ("usd", "eur", "gbp", "inr", "chf", "jpy") else ""
