"""Dates as people write them, and which comes first, the day or the month.

`parse_dates` takes texts apart; which order holds is settled for a column or the whole file, and
`convert` and `read_dates` apply it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.column import Column, as_mask
from customer_tables.words import missing_words

MONTHS = {
    name: i // 2 + 1
    for i, name in enumerate(
        "jan january feb february mar march apr april may may jun june jul july aug august "
        "sep september oct october nov november dec december".split()
    )
} | {"sept": 9}
_YEAR = r"(?:(?P<year>\d{4})|(?P<short>\d{2}))"
_TIME = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d+)?)?"
    r"\s*(?P<half>[aApP]\.?[mM]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?$"
)
_MONTH = r"(?P<word>(?i:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r"))\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
PATTERNS = {
    "iso": r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME,
    "numbers": r"^(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.]" + _YEAR + _TIME,
    "day word": rf"^{_DAY}[-/ .]*{_MONTH}[-/ .,]*{_YEAR}{_TIME}",
    "word day": rf"^{_MONTH}[-/ .]*{_DAY}[-/ ,]+{_YEAR}{_TIME}",
    "month": r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})$",
    "word year": rf"^{_MONTH}[-/ ,]*(?P<year>\d{{4}})$",
}
PARTS = ("year", "short", "month", "day", "a", "b", "hour", "minute", "second", "fraction", "half",
         "zone")  # fmt: skip
CLOCK = {"hour": (3600e6, 24), "minute": (60e6, 60), "second": (1e6, 60), "fraction": (1e6, 1)}
ORDERS = {"dmy": "day first", "mdy": "month first"}
SERIALS = (20_000, 60_000)  # 1954 to 2064 in Excel's days since 1899-12-30
DIGITS = (19_000_101, 21_001_231)  # days written as 20231231
SPAN = (1900, 2100)


@dataclass(frozen=True)
class Dates:
    """Texts taken apart as dates; one entry for each text.

    Attributes
    ----------
    form : ndarray of str
        "iso", "numbers" ... after `PATTERNS`; "" for what is no date.
    parts : dict of ndarrays of float
        After `PARTS`, NaN where there is none. A year of two digits is in "short"; "half" is 0 for
        am and 12 for pm; "zone" is in minutes.
    dotted : ndarray of bool
        Whether points divide day, month and year, which only day-month-year has.
    """

    form: np.ndarray
    parts: dict[str, np.ndarray]
    dotted: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        """Whether the text has the form of a date."""
        return self.form != ""

    def proof(self) -> dict[str, np.ndarray]:
        """Mark the texts that can be read day first only, month first only, or both ways."""
        a, b, numbers = self.parts["a"], self.parts["b"], self.form == "numbers"
        day_first = numbers & (((a > 12) & (b <= 12)) | self.dotted)
        month_first = numbers & (b > 12) & (a <= 12)
        either = numbers & ~day_first & ~month_first & (a != b)
        return {"dmy": day_first, "mdy": month_first, "either": either}


def parse_dates(texts: pa.StringArray) -> Dates:
    """Take texts apart as dates; `valid` tells which have the form of one."""
    form = np.full(len(texts), "", dtype=object)
    parts = {name: np.full(len(texts), np.nan) for name in PARTS}
    for label, pattern in PATTERNS.items():
        found = pc.extract_regex(texts, pattern)
        rows = np.flatnonzero(as_mask(found.is_valid()) & (form == ""))
        if not len(rows):
            continue
        form[rows] = label
        taken = found.take(pa.array(rows))
        for group in taken.type:
            part = "month" if group.name == "word" else group.name
            parts[part][rows] = _as_numbers(group.name, pc.struct_field(taken, group.name))
        if label in ("month", "word year"):
            parts["day"][rows] = 1
    return Dates(form, parts, as_mask(pc.match_substring_regex(texts, r"^\d{1,2}\.\d{1,2}\.")))


def _as_numbers(group: str, texts: pa.Array) -> np.ndarray:
    """Return what a group of a pattern found as numbers, NaN where it found nothing."""
    read = {"word": lambda text: MONTHS[text.lower()],
            "half": lambda text: 12.0 if text[0] in "pP" else 0.0, "zone": _minutes}  # fmt: skip
    if group in read:
        return np.array([read[group](text) if text else np.nan for text in texts.to_pylist()])
    numbers = pc.cast(pc.if_else(pc.equal(texts, ""), None, texts), pa.float64())
    return numbers.to_numpy(zero_copy_only=False).astype(float)


def _minutes(zone: str) -> float:
    digits = zone[1:].replace(":", "")
    if not digits.isdigit():
        return 0.0
    return (1 if zone[0] == "+" else -1) * (60 * int(digits[:2]) + int(digits[2:]))


def convert(dates: Dates, order: str) -> np.ndarray:
    """Return the texts' dates as datetime64[us], NaT where there is no such day.

    Parameters
    ----------
    dates : Dates
    order : str
        "dmy" or "mdy": how 03/04/2024 is read.
    """
    parts, numbers = dates.parts, dates.form == "numbers"
    a_is_day = dates.dotted | (order == "dmy")  # with points the day always comes first
    short = parts["short"]
    century = np.where(short >= 69, 1900, 2000)
    year = np.where(np.isnan(short), parts["year"], short + century)
    frame = pd.DataFrame({
        "year": np.where((year >= SPAN[0]) & (year <= SPAN[1]), year, np.nan),
        "month": np.where(numbers, np.where(a_is_day, parts["b"], parts["a"]), parts["month"]),
        "day": np.where(numbers, np.where(a_is_day, parts["a"], parts["b"]), parts["day"]),
    })  # fmt: skip
    stamps = pd.to_datetime(frame, errors="coerce").to_numpy().astype("datetime64[us]")
    half = parts["half"]
    twelve = ~np.isnan(half) & (parts["hour"] == 12)
    clock = parts | {"hour": np.where(twelve, 0, parts["hour"]) + np.nan_to_num(half)}
    micros = -np.nan_to_num(parts["zone"]) * 60e6
    for name, (scale, limit) in CLOCK.items():
        value = np.nan_to_num(clock[name])
        stamps[value >= limit] = np.datetime64("NaT", "us")
        micros += np.round(value * scale)
    return stamps + micros.astype("timedelta64[us]")


def read_dates(
    column: Column, dates: Dates, missing: np.ndarray, proof: frozenset[str], order: str
) -> Column:
    """Turn a column's texts into dates.

    Parameters
    ----------
    column : Column
    dates : Dates
        The texts taken apart.
    missing : ndarray of bool
        The texts that mean "missing".
    proof : frozenset of str
        The orders ("dmy", "mdy") that some text of the column proves.
    order : str
        The file's order; empty where it is not known.

    Raises
    ------
    UserError
        If a date can be read in two ways, or too many texts are no dates.
    """
    there = ~missing
    order = _settle_order(column, dates, there, proof, order)
    stamps = convert(dates, order)
    odd = there & (~dates.valid | np.isnat(stamps))
    stamps[odd | missing] = np.datetime64("NaT", "us")
    remedy = "correct or empty them, or give another --date-order"
    column.check_odd(odd, column.rows(there), "dates", remedy)
    read = there & ~odd
    numbers, short = read & (dates.form == "numbers"), read & ~np.isnan(dates.parts["short"])
    zoned = read & ~np.isnan(dates.parts["zone"])
    changes = [
        *missing_words(column, missing),
        *column.change("cells that are no dates", odd, "taken as missing"),
        *column.change("dates like 3/4/2024", numbers, f"read with the {ORDERS[order]}"),
        *column.change("years of two digits", short, "69 to 99 taken for 19.."),
        *column.change("times with a zone", zoned, "turned into UTC"),
        *_other_forms(column, dates, read),
    ]
    return column.done(column.spread(stamps), "date", changes)


def _settle_order(
    column: Column, dates: Dates, there: np.ndarray, proof: frozenset[str], order: str
) -> str:
    """Return whether day or month comes first, as the column's own dates or the file tell."""
    shown = {key: texts & there for key, texts in dates.proof().items()}
    if len(proof) == 2:
        raise column.refusal(
            f"{column.quote(shown['dmy'])} has the day first, "
            f"{column.quote(shown['mdy'])} the month",
            min(shown["dmy"], shown["mdy"], key=column.rows),
            "write the dates in one way, best as 2024-12-31",
        )
    if not order and not proof and shown["either"].any():
        raise column.refusal(
            f"{column.quote(shown['either'])} has the day or the month first: both are possible",
            shown["either"],
            "say which with --date-order dmy or --date-order mdy",
        )
    # An order that was given, and that the dates contradict, leaves cells that are no dates.
    return order or next(iter(proof), "dmy")


def _other_forms(column: Column, dates: Dates, read: np.ndarray) -> list[Change]:
    """Tell of the rarer forms where dates are written in more than one."""
    rows = {form: column.rows(read & (dates.form == form)) for form in set(dates.form[read])}
    if len(rows) < 2:
        return []
    main = max(sorted(rows), key=lambda form: rows[form])
    return column.change("dates in another form", read & (dates.form != main), "read as dates too")


def numbers_as_dates(column: Column) -> Column | None:
    """Read a spreadsheet's day numbers (45000) and 20241231 as dates, where all can be such."""
    values = np.asarray(column.values)
    known = ~np.isnan(values)
    some = values[known].astype(float)
    if not len(some):
        return None
    stamps = np.full(len(values), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    if SERIALS[0] <= some.min() and some.max() <= SERIALS[1]:
        what = "a spreadsheet's day numbers (45000 for 2023-03-15)"
        days = (some * 86_400e6).astype("timedelta64[us]")
        stamps[known] = np.datetime64("1899-12-30", "us") + days
    elif DIGITS[0] <= some.min() and some.max() <= DIGITS[1] and (some == some.round()).all():
        what = "dates written as 20231231"
        written = pd.Series(some.astype(np.int64)).astype(str)
        stamps[known] = pd.to_datetime(written, format="%Y%m%d", errors="coerce").to_numpy()
        if np.isnat(stamps[known]).any():
            return None
    else:
        return None
    changes = column.change(what, known, "read as dates", lambda row: f"{values[row]:.15g}")
    return column.done(stamps, "date", changes)
