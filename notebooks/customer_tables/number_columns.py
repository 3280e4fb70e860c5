"""Columns of numbers: which decimal mark, which unit, and the few cells that are none."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from customer_tables.cells import Cells, quote
from customer_tables.changes import Change
from customer_tables.numbers import WORDS, Numerals, are_whole, convert
from customer_tables.plain_columns import Finished, Place, missing_words, read_values
from customer_tables.words import INFINITE

TOLERATED = 0.01  # the share of cells that may be no number in a column of numbers
FEW_ROWS = 20  # from here on one cell may be none, whatever the share
CODE = r"\p{L}\d|\d\p{L}|\d[+<>]|[<>]\s*\d|\d\s*(-|to|–)\s*[^\d]{0,2}\d"


def tolerated(rows: int) -> int:
    """Return how many of so many cells may be unreadable before the column is refused."""
    return max(int(TOLERATED * rows), 1 if rows >= FEW_ROWS else 0)


def are_codes(cells: Cells, odd: np.ndarray, present: int) -> bool:
    """Whether a column of digits holds codes or a few categories: 85123A, 3+, "ground".

    Parameters
    ----------
    cells : Cells
    odd : numpy array of bool
        The texts that are no numbers.
    present : int
        The number of rows that hold something.
    """
    count = cells.rows(odd)
    if count <= tolerated(present):
        return False
    few = len(cells.values) <= min(20, present / 5)
    return few or cells.rows(odd & cells.matches(CODE)) >= 0.5 * count


def read_numbers(
    cells: Cells, numerals: Numerals, missing: np.ndarray, proof: set[str], decimal: str | None
) -> Finished:
    """Turn a column's texts into numbers.

    Parameters
    ----------
    cells : Cells
    numerals : Numerals
        The texts taken apart.
    missing : numpy array of bool
        The texts that mean "missing".
    proof : set of str
        The decimal marks that some text of the column proves.
    decimal : str or None
        The file's decimal mark, where it is known.

    Raises
    ------
    UserError
        If a text can be read in two ways, the currencies differ, or too many texts are no numbers.
    """
    there = ~missing
    decimal = _settle_decimal(cells, numerals, there, proof, decimal)
    number = numerals.reading(decimal) & there
    unit, number = _settle_unit(cells, numerals, number)
    infinite = cells.among(INFINITE) & there
    _check_odd(cells, there & ~number & ~infinite, cells.rows(there))
    values = np.where(number, convert(numerals, decimal), np.nan)
    below = cells.matches("^-")
    values[infinite] = np.where(below, -np.inf, np.inf)[infinite]  # counted, then taken out
    values = np.where(numerals.unit == "%", values / 100, values)
    rows = cells.to_rows(values)
    if number.all() and are_whole(numerals, decimal) and unit != "%" and np.abs(rows).max() < 2**53:
        rows = rows.astype(np.int64)
    place = Place(cells.file, cells.word, cells.name, cells.lines)
    done = read_values(rows, place)
    changes = [
        *missing_words(cells, missing),
        *cells.change("cells that are no numbers", there & ~number & ~infinite, "taken as missing"),
        *_describe(cells, numerals, number, decimal),
        *done.changes,
    ]
    kind = {"": done.kind, "%": "share"}.get(unit, "number" if unit in WORDS else "money")
    return Finished(done.values, kind, unit, changes)


def _settle_decimal(
    cells: Cells, numerals: Numerals, there: np.ndarray, proof: set[str], decimal: str | None
) -> str:
    """Return the column's decimal mark: the given one, its own, or the file's."""
    both = numerals.point & numerals.comma & numerals.marked & there
    if len(proof) == 2:
        commas = numerals.comma & ~numerals.point & there
        points = numerals.point & ~numerals.comma & there
        raise cells.refuse(
            f"numbers with a decimal comma ({quote(cells, commas)}) stand beside numbers with a "
            f"decimal point ({quote(cells, points)})",
            min(commas, points, key=cells.rows),
            "write them all in one way",
        )
    if proof:
        return next(iter(proof))
    if decimal is None and both.any():
        raise cells.refuse(
            f"{quote(cells, both)} may be a decimal number or one above a thousand",
            both,
            "say which mark is the decimal one: --decimal . or --decimal ,",
        )
    return decimal or "."


def _settle_unit(cells: Cells, numerals: Numerals, number: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the column's unit, and which texts are numbers of that unit."""
    units = numerals.unit
    rows = {u: cells.rows(number & (units == u)) for u in sorted(set(units[number]))}
    words = {u: n for u, n in rows.items() if u in WORDS and u != "%"}
    total, bare = sum(rows.values()), rows.get("", 0)
    if words:
        word = max(words, key=words.get)
        main = word if words[word] > bare else ""
        number = number & (units == main)
        return main, number  # the others are no numbers of this unit, and are counted as such
    signs = sorted(u for u in rows if u)
    if len(signs) > 1:
        rare = min(signs, key=rows.get)
        what = "percentages and amounts" if "%" in signs else "several currencies"
        raise cells.refuse(
            f"{what} stand in one column: {', '.join(signs)}",
            number & (units == rare),
            "turn them into one unit, or put them into columns of their own",
        )
    if signs == ["%"] and bare:
        plain = number & (units == "") & ~cells.matches(r"^[-+]?0*[.,]?0*$")
        if plain.any():
            raise cells.refuse(
                f"some cells have a percent sign and others, like {quote(cells, plain)}, have none",
                plain if cells.rows(plain) * 2 <= total else number & (units == "%"),
                "write them all with a percent sign, or all without",
            )
    return (signs[0] if signs else ""), number


def _check_odd(cells: Cells, odd: np.ndarray, rows: int) -> None:
    """Refuse a column of numbers in which too many cells are none."""
    count = cells.rows(odd)
    if count > tolerated(rows):
        raise cells.refuse(
            f"{count:,} of {rows:,} cells are no numbers ({quote(cells, odd)})",
            odd,
            'correct or empty them, or say kind = "category" for the column in a dataset.toml',
        )


def _describe(cells: Cells, numerals: Numerals, number: np.ndarray, decimal: str) -> list[Change]:
    """List the spellings that were read as numbers, each with its count."""
    units = numerals.unit

    def has(pattern: str) -> np.ndarray:
        found = pc.match_substring_regex(numerals.body, pattern)
        return found.to_numpy(zero_copy_only=False).astype(bool) & number

    thousands = r"\d[,' ]\d" if decimal == "." else r"\d[.' ]\d"
    signs = sorted(set(units[number]) - {"", "%"})
    unit = signs[0] if signs else ""
    spellings = [
        ("thousands marks", has(thousands), "taken out"),
        ("decimal commas", has(",") & (decimal == ","), "read as decimal marks"),
        (f"{unit} beside numbers", number & (units == unit) & (units != ""), "noted as the unit"),
        ("percent signs", number & (units == "%"), "divided by 100: 12 % is 0.12"),
        ("k for thousand and the like", number & (numerals.scale > 1), "multiplied"),
        ("negative numbers in brackets", number & numerals.bracketed, "read with a minus sign"),
        ("minus signs behind numbers", number & numerals.trailing, "read with a minus sign"),
        ("digits of another script", number & numerals.foreign, "read as 0 to 9"),
    ]
    return [c for what, mask, action in spellings for c in cells.change(what, mask, action)]
