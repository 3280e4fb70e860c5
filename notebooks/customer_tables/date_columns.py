"""Columns of dates: which comes first, the day or the month, and the few cells that are none."""

from __future__ import annotations

import numpy as np

from customer_tables import dates
from customer_tables.cells import Cells, quote
from customer_tables.changes import Change
from customer_tables.dates import Dates
from customer_tables.number_columns import tolerated
from customer_tables.plain_columns import Finished, Place, missing_words

ORDER_NAMES = {"dmy": "day first", "mdy": "month first"}


def read_dates(
    cells: Cells, days: Dates, missing: np.ndarray, proof: set[str], order: str | None
) -> Finished:
    """Turn a column's texts into dates.

    Parameters
    ----------
    cells : Cells
    days : Dates
        The texts taken apart.
    missing : numpy array of bool
        The texts that mean "missing".
    proof : set of str
        The orders ("dmy", "mdy") that some text of the column proves.
    order : str or None
        The file's order, where it is known.

    Raises
    ------
    UserError
        If a date can be read in two ways, or too many texts are no dates.
    """
    there = ~missing
    order = _settle_order(cells, days, there, proof, order)
    stamps = dates.convert(days, order)
    odd = there & (~days.valid | np.isnat(stamps))
    stamps[odd | missing] = np.datetime64("NaT", "us")
    count, present = cells.rows(odd), cells.rows(there)
    if count > tolerated(present):
        raise cells.refuse(
            f"{count:,} of {present:,} cells are no dates ({quote(cells, odd)})",
            odd,
            "correct or empty them, or give another --date-order",
        )
    read = there & ~odd
    spelt = read & (days.form == "numbers")
    zoned = read & ~np.isnan(days.parts["offset"])
    changes = [
        *missing_words(cells, missing),
        *cells.change("cells that are no dates", odd, "taken as missing"),
        *cells.change("dates like 3/4/2024", spelt, f"read with the {ORDER_NAMES[order]}"),
        *cells.change("years of two digits", read & days.short, "69 to 99 taken for 19.."),
        *cells.change("times with a zone", zoned, "turned into UTC"),
        *_describe_forms(cells, days, read),
    ]
    return Finished(cells.to_rows(stamps), "date", changes=changes)


def _settle_order(
    cells: Cells, days: Dates, there: np.ndarray, proof: set[str], order: str | None
) -> str:
    """Return whether day or month comes first, as the column's own dates or the file tell."""
    marks = {key: mask & there for key, mask in days.proof().items()}
    if len(proof) == 2:
        raise cells.refuse(
            f"{quote(cells, marks['dmy'])} has the day first, "
            f"{quote(cells, marks['mdy'])} the month",
            min(marks["dmy"], marks["mdy"], key=cells.rows),
            "write the dates in one way, best as 2024-12-31",
        )
    if order is None and not proof and marks["either"].any():
        raise cells.refuse(
            f"{quote(cells, marks['either'])} has the day or the month first: both are possible",
            marks["either"],
            "say which with --date-order dmy or --date-order mdy",
        )
    # An order that was given, and that the dates contradict, leaves cells that are no dates.
    return order or next(iter(proof), "dmy")


def _describe_forms(cells: Cells, days: Dates, read: np.ndarray) -> list[Change]:
    """Tell of the rarer forms where dates are written in more than one."""
    rows = {form: cells.rows(read & (days.form == form)) for form in set(days.form[read])}
    if len(rows) < 2:
        return []
    main = max(sorted(rows), key=rows.get)
    return cells.change("dates in another form", read & (days.form != main), "read as dates too")


def numbers_as_dates(values: np.ndarray, place: Place) -> Finished | None:
    """Read a spreadsheet's day numbers (45000) and 20241231 as dates, where all can be such."""
    known = ~np.isnan(values)
    if not known.any():
        return None
    some = values[known].astype(float)
    low, high = dates.SERIAL_RANGE
    stamps = np.full(len(values), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    if low <= some.min() and some.max() <= high:
        what = "a spreadsheet's day numbers (45000 for 2023-03-15)"
        stamps[known] = dates.from_serials(some)
    elif 19_000_101 <= some.min() and some.max() <= 21_001_231 and (some == some.round()).all():
        what = "dates written as 20231231"
        stamps[known] = dates.from_digits(some.astype(np.int64))
        if np.isnat(stamps[known]).any():
            return None
    else:
        return None
    return Finished(stamps, "date", changes=place.change(what, known, "read as dates", values))
