"""Columns of words: missing values, yes and no, categories, identifiers and codes."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.column import Column, as_mask

# No category is called so: these are missing in any column that is no identifier.
NEVER_A_VALUE = frozenset(
    r"n/a n.a. #n/a #n/d #na nan -nan null <na> (null) nat \n ? ?? - -- --- – — (blank) #null! "
    "#div/0! #value! #ref! #name? #num! 1.#qnan 1.#ind -1.#ind".split()
) | {"", "not available"}
# Missing among numbers and dates, where they cannot be anything else; categories keep them.
NOT_A_NUMBER = NEVER_A_VALUE.union(
    "na none nil missing unknown undefined n/k k.a. nd n/d tbd tba . .. ... * _ x xx xxx "
    "0000-00-00 00/00/0000".split(),
    ("not applicable", "not known", "0000-00-00 00:00:00"),
)
# What people choose in place of a number; categories keep it.
NO_ANSWER = (
    r"^(i |i['’]d )?(would )?(prefer|rather|choose|wish)s? not( to)?( (say|answer|tell|state))?$"
    r"|^(i )?(do not|don['’]?t|doesn['’]?t) (know|remember|want to (say|answer))$"
    r"|^no (answer|opinion|response)$|^not (sure|stated|answered|given|asked)$|^(unsure|skipped)$"
    r"|^(undisclosed|refused( to answer)?|declined( to (answer|say))?|no sabe)$"
    r"|^(keine angabe|k\. ?a\.|wei(ß|ss) nicht|ne sait pas|sans réponse|ns ?/ ?nc|no contesta)$"
)
YES = frozenset("yes y true t ja oui si sí".split())
NO = frozenset("no n false f nein non".split())
NONE = re.compile(r"no (\w+ )*(service|line|plan|account|contract|card|product)s?")
CLEAR = frozenset("yes no true false ja nein oui".split())

DESTROYED = r"^[1-9]([.,]\d{1,14})?e\+\d{2,}$"
DESTROYED_LONG = r"^[1-9]([.,]\d{1,5})?E\+1[1-9]$"  # as a spreadsheet shows 12 digits and more
ROUNDED = r"^[1-9]([.,]\d{1,5})?E\+(0[89]|1\d)$"
LONG_DIGITS = 15
ZERO = r"\.0$"
WRAPPINGS = (  # what spreadsheets put around identifiers: its name, how to find it, what goes
    ('="..." around identifiers', r'^="[^"]*"$', r'^="|"$'),
    ("an apostrophe before digits", r"^'\d", r"^'"),
    ("identifiers with .0 behind them", r"^\d+\.0$", ZERO),  # only where all have it
)
EXACT_FLOATS = 2**53  # beyond it a float64 cannot tell neighbouring whole numbers apart


def read_empty(column: Column) -> Column:
    """Return a column in which nothing stands."""
    rows = len(column.lines)
    column.changes.append(
        Change("a column without any value", column.name, rows, "kept, as missing")
    )
    return column.done(np.full(rows, np.nan), "empty")


def read_yes_no(column: Column, missing: np.ndarray) -> Column | None:
    """Return yes and no as truth values, or as 1, 0 and missing; None for anything else.

    A column of nothing but 1 and 0 is one of numbers; beside a word they mean yes and no.
    """
    if len(column.texts) > 40:
        return None
    spelt = np.array([text.lower() for text in column.texts.to_pylist()], dtype=object)
    if set(spelt) == {"", "x"}:
        column.note("crosses", spelt == "x", "read as yes, and empty cells as no")
        return column.done((spelt == "x")[column.codes], "yes_no")
    words, yes, no = set(spelt[~missing]), YES | {"1"}, NO | {"0"}
    lacking = {word for word in words if NONE.fullmatch(word) and {"yes", "no"} <= words}
    words -= lacking
    if not words or not words <= yes | no or words <= {"1", "0"}:
        return None
    if not (words & yes and words & no) and not words & CLEAR:
        return None  # "F" alone may be a gender, "N" alone anything
    if lacking:
        column.note("nothing to say yes to", np.isin(spelt, list(lacking)), "read as no")
    answers = np.array([word in yes for word in spelt])
    column.note("yes and no in words", ~missing, "read as true and false")
    column.note_missing(missing)
    values = np.where(missing, np.nan, answers) if missing.any() else answers
    return column.done(values[column.codes], "yes_no")


def read_text(column: Column, cells: pa.ChunkedArray) -> Column:
    """Return a column of words, with the words that mean "missing" taken out."""
    missing = _missing(column)
    if missing.all():
        column.note_missing(missing)
        return read_empty(column)
    spaced = as_mask(pc.not_equal(pc.utf8_trim_whitespace(cells), cells))
    column.note("space around text", spaced, "taken off", lambda row: "")
    column.note_missing(missing)
    return column.done(_to_series(column, missing), "text")


def _missing(column: Column) -> np.ndarray:
    """Mark the texts that mean "missing" among categories and other text."""
    missing, absent = column.among(NEVER_A_VALUE), column.among(frozenset({"na"}))
    others = column.texts.filter(pa.array(~missing & ~absent))
    # Among few capitals each, NA is Namibia or North America: DE, FR; EMEA, APAC.
    if len(others) and pc.all(pc.match_substring_regex(others, r"^\p{Lu}{2,5}$")).as_py():
        return missing
    return missing | absent


def _to_series(column: Column, missing: np.ndarray) -> pd.Series:
    texts = pc.if_else(pa.array(missing), None, column.texts)
    return texts.take(pa.array(column.codes)).to_pandas()


def looks_coded(cells: pa.ChunkedArray) -> str:
    """Say why a column of digits is one of codes, or return nothing where it is none.

    Reading such a column as numbers would turn 00123 into 123, and round what has more than
    15 digits.
    """
    filled = cells.filter(pc.not_equal(cells, ""))
    if not len(filled):
        return ""
    zeros = _share(filled, r"^0\d+$")
    if zeros and _share(filled, r"^\d+$") == 1:
        if zeros >= 0.01 or pc.count_distinct(filled).as_py() == len(filled):
            return "zeros in front"
    # As a number, a program writes one digit before the e: 1e+05.
    if _share(filled, r"^\d{2,}[eE]\d+$") and _share(filled, r"^\d+([eE]\d+)?$") > 0.5:
        return "codes with an e between digits"
    if pc.max(pc.utf8_length(filled)).as_py() > LONG_DIGITS:
        if _share(filled, rf"^\d{{{LONG_DIGITS + 1},}}$") >= 0.5 and _share(filled, r"^\d+$") == 1:
            return "long numbers"
    return "telephone numbers" if _share(filled, r"^\+\d{7,15}$") >= 0.5 else ""


def _share(cells: pa.ChunkedArray, pattern: str) -> float:
    return pc.mean(pc.match_substring_regex(cells, pattern)).as_py() or 0.0


def read_codes(column: Column, why: str) -> Column:
    """Return digits that are no quantity as text, and say so."""
    missing = _missing(column)
    kind = "id" if (column.counts[~missing] == 1).all() else "text"
    column.note_missing(missing)
    column.note(why, ~missing, "kept as text, so that no digit is lost")
    return column.done(_to_series(column, missing), kind)


def read_identifiers(column: Column, kind: str) -> Column:
    """Return identifiers letter for letter, without what spreadsheets wrap around them.

    Raises
    ------
    UserError
        If a spreadsheet turned them into 1.23457E+15, so that different ones look the same.
    """
    _check_destroyed(column)
    for what, found, wrapping in WRAPPINGS:
        mask = column.matches(found)
        if mask.any() and (wrapping != ZERO or (mask | column.empty).all()):
            column.note(what, mask, "taken off")
            bare = pc.replace_substring_regex(column.texts, wrapping, "")
            column.texts = pc.if_else(pa.array(mask), bare, column.texts)
    return column.done(_to_series(column, column.empty), kind)


def _check_destroyed(column: Column) -> None:
    """Refuse identifiers that a spreadsheet turned into 1.23457E+15."""
    destroyed = column.matches(DESTROYED)
    if destroyed.any():
        raise column.refusal(
            f"identifiers like {column.quote(destroyed)} have lost digits in a spreadsheet",
            destroyed,
            "export the file again without opening it in a spreadsheet, or as text cells",
        )


def check_first(cells: pa.ChunkedArray, column: Column) -> None:
    """Refuse a first column, whatever its name, in which most cells read 1.23457E+15."""
    if _share(cells, DESTROYED_LONG) >= 0.9:
        _check_destroyed(column.hold(cells))


def read_rounded(cells: pa.ChunkedArray, column: Column) -> Column | None:
    """Return codes that a spreadsheet has rounded to few different ones as text, with the reason.

    Many different ones may be amounts: of them it returns nothing.
    """
    if _share(cells.slice(0, 100), ROUNDED) < 0.9 or _share(cells, ROUNDED) < 0.9:
        return None
    if pc.count_distinct(cells).as_py() > len(cells) // 10:
        return None
    column.hold(cells)
    column.why = f"codes that a spreadsheet has rounded: {column.quote(column.matches(ROUNDED))}"
    return column.done(_to_series(column, column.empty), "text")


def spell_typed(cells: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Write typed identifiers as text: whole numbers without .0.

    Raises
    ------
    UserError
        If they were stored as floats beyond what a float can tell apart.
    """
    if pa.types.is_floating(cells.type):
        values = cells.to_numpy()
        huge = np.abs(values) >= EXACT_FLOATS
        if huge.any():
            what = "identifiers beyond 15 digits were stored rounded"
            remedy = "write them as text, and export the file again"
            raise column.refusal(what, huge & (huge.cumsum() == 1), remedy)
        with np.errstate(invalid="ignore"):
            if (np.isnan(values) | (values == np.floor(values))).all():
                cells = pc.cast(cells, pa.int64(), safe=False)
    return pc.fill_null(pc.cast(cells, pa.string()), "")
