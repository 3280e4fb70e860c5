"""Dates as people write them, and which comes first, the day or the month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MONTHS = {
    name: i // 2 + 1
    for i, name in enumerate(
        "jan january feb february mar march apr april may may jun june jul july aug august "
        "sep september oct october nov november dec december".split()
    )
} | {"sept": 9}
_TIME = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d+)?)?"
    r"\s*(?P<half>[aApP]\.?[mM]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?$"
)
_MONTH = r"(?P<word>(?i:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r"))\.?"
PATTERNS = {
    "iso": r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME,
    "numbers": r"^(?P<a>\d{1,2})(?:[-/.])(?P<b>\d{1,2})(?:[-/.])(?P<year>\d{4}|\d{2})" + _TIME,
    "day word": r"^(?P<day>\d{1,2})(?:st|nd|rd|th)?[-/ .]*" + _MONTH
    + r"[-/ .,]*(?P<year>\d{4}|\d{2})" + _TIME,
    "word day": r"^" + _MONTH + r"[-/ .]*(?P<day>\d{1,2})(?:st|nd|rd|th)?[-/ ,]+(?P<year>\d{4})"
    + _TIME,
    "month": r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})$",
    "word year": r"^" + _MONTH + r"[-/ ,]*(?P<year>\d{4})$",
}  # fmt: skip
SERIAL_RANGE = (20_000, 60_000)  # 1954 to 2064 in Excel's days since 1899-12-30
SPAN = (1900, 2100)


@dataclass(frozen=True)
class Dates:
    """Texts taken apart as dates; one entry for each text.

    Attributes
    ----------
    form : numpy array of str
        "iso", "numbers" ... after `PATTERNS`; "" for what is no date.
    parts : dict of numpy arrays
        year, month, day, a, b, and the time of day; NaN where there is none.
    dotted : numpy array of bool
        Whether points divide day, month and year, which only day-month-year has.
    short : numpy array of bool
        Whether the year has two digits.
    """

    form: np.ndarray
    parts: dict[str, np.ndarray]
    dotted: np.ndarray
    short: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        """Whether the text has the form of a date."""
        return self.form != ""

    def proof(self) -> dict[str, np.ndarray]:
        """Mark the texts that can be read day first only, month first only, or both ways."""
        a, b, open_form = self.parts["a"], self.parts["b"], self.form == "numbers"
        day_first = open_form & (((a > 12) & (b <= 12)) | self.dotted)
        month_first = open_form & (b > 12) & (a <= 12)
        either = open_form & ~day_first & ~month_first & (a != b)
        return {"dmy": day_first, "mdy": month_first, "either": either}


def parse_dates(values: pa.StringArray) -> Dates:
    """Take texts apart as dates; `valid` tells which have the form of one."""
    size = len(values)
    form = np.full(size, "", dtype=object)
    names = ("year", "month", "day", "a", "b", "hour", "minute", "second", "fraction", "offset")
    parts = {name: np.full(size, np.nan) for name in names}
    short = np.zeros(size, dtype=bool)
    for label, pattern in PATTERNS.items():
        found = pc.extract_regex(values, pattern)
        rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False) & (form == ""))
        if not len(rows):
            continue
        form[rows] = label
        taken = found.take(pa.array(rows))
        for field in taken.type:
            _store(parts, short, rows, field.name, pc.struct_field(taken, field.name))
        if label in ("month", "word year"):
            parts["day"][rows] = 1
    dotted = pc.match_substring_regex(values, r"^\d{1,2}\.\d{1,2}\.").to_numpy(zero_copy_only=False)
    return Dates(form, parts, dotted.astype(bool), short)


def _store(parts: dict, short: np.ndarray, rows: np.ndarray, name: str, texts: pa.Array) -> None:
    """Put one named group of a pattern among the parts, as numbers."""
    if name == "word":
        parts["month"][rows] = [MONTHS[t.lower()] for t in texts.to_pylist()]
    elif name == "half":
        half = np.array([(t or " ")[0].lower() for t in texts.to_pylist()])
        hours = parts["hour"][rows]
        hours = np.where((half != " ") & (hours == 12), 0, hours)
        parts["hour"][rows] = hours + 12 * (half == "p")
    elif name == "zone":
        parts["offset"][rows] = [_minutes(t) for t in texts.to_pylist()]
    else:
        numbers = pc.cast(pc.if_else(pc.equal(texts, ""), None, texts), pa.float64())
        numbers = numbers.to_numpy(zero_copy_only=False).astype(float)
        if name == "year":
            two = pc.equal(pc.utf8_length(texts), 2).to_numpy(zero_copy_only=False).astype(bool)
            numbers = np.where(two, numbers + np.where(numbers >= 69, 1900, 2000), numbers)
            short[rows] = two
        parts[name][rows] = numbers


def _minutes(zone: str | None) -> float:
    if not zone:
        return np.nan
    if not zone[1:].strip(":").replace(":", "").isdigit():
        return 0.0
    digits = zone[1:].replace(":", "")
    return (1 if zone[0] == "+" else -1) * (60 * int(digits[:2]) + int(digits[2:]))


def convert(dates: Dates, order: str) -> np.ndarray:
    """Return the texts' dates as datetime64[us], NaT where there is no such day.

    Parameters
    ----------
    dates : Dates
    order : str
        "dmy" or "mdy": how 03/04/2024 is read.
    """
    p, numbers = dates.parts, dates.form == "numbers"
    first, second = ("a", "b") if order == "dmy" else ("b", "a")
    swap = numbers & dates.dotted  # with points the day always comes first
    day = np.where(numbers, np.where(swap, p["a"], p[first]), p["day"])
    month = np.where(numbers, np.where(swap, p["b"], p[second]), p["month"])
    frame = pd.DataFrame({"year": p["year"], "month": month, "day": day})
    frame["year"] = frame["year"].where(frame["year"].between(*SPAN))
    stamps = pd.to_datetime(frame, errors="coerce").to_numpy().astype("datetime64[us]")
    clock = {"hour": (3600e6, 24), "minute": (60e6, 60), "second": (1e6, 60), "fraction": (1e6, 1)}
    micros = np.zeros(len(stamps))
    for name, (scale, limit) in clock.items():
        value = np.nan_to_num(p[name])
        stamps[value >= limit] = np.datetime64("NaT", "us")
        micros += np.round(value * scale)
    micros -= np.nan_to_num(p["offset"]) * 60e6
    return stamps + micros.astype("timedelta64[us]")


def from_serials(numbers: np.ndarray) -> np.ndarray:
    """Turn Excel's day numbers (45000 is 2023-03-15) into datetime64[us]."""
    return np.datetime64("1899-12-30", "us") + (numbers * 86_400e6).astype("timedelta64[us]")


def from_digits(numbers: np.ndarray) -> np.ndarray:
    """Turn 20231231 into datetime64[us], NaT where there is no such day."""
    texts = pd.Series(numbers).astype(str)
    stamps = pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    return stamps.to_numpy().astype("datetime64[us]")
