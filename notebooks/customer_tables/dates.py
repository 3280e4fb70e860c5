"""Dates as people write them, and which comes first, the day or the month.

`parse_dates` takes texts apart; which order holds is settled for a column or the whole file, and
`read_dates` applies it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.column import Column, Ways, as_mask

ORDERS = Ways(
    "date_order",
    ("dmy", "mdy"),
    "dmy",
    "{} has the day first, {} the month",
    "write the dates in one way, best as 2024-12-31",
    "has the day or the month first: both are possible",
    "say which with --date-order dmy or --date-order mdy",
)
MONTHS = {
    name: i // 2 + 1
    for i, name in enumerate(
        "jan january feb february mar march apr april may may jun june jul july aug august "
        "sep september oct october nov november dec december".split()
    )
} | {"sept": 9}
_YEAR = r"(?:(?P<year>\d{4})|(?P<short>\d{2}))"
ZONE = r"(?:Z|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?|[A-Z]{3,4})(?: \(.*\))?"
BY_THE_CLOCK = "read by the clock as written"  # what is done about zones: a shop's day is local
_TIME = (
    r"(?:[T ,]+(?:(?:um|kl|at|om|o|à|às|alle|a las)\.? )?(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})"
    r"(?:[:.](?P<second>\d{2})(?P<fraction>\.\d+)?)?"
    rf"\s*(?P<half>[aApP]\.?[mM]\.?)?\s*(?P<zone>{ZONE}|Uhr)?)?$"
)
LANGUAGES = "de fr es it pt nl pl tr ru".split()  # of whose months the names are read, too
_MONTH = r"(?P<word>\p{L}{3,})\.?"
_WEEKDAY, _OF = r"(?:\p{L}{2,}\.?,? )?", r"[-/ .,]*(?:de )?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º)?"
PATTERNS = {
    "iso": r"^(?P<year>\d{4})(?:[-/年]|\. ?)(?P<month>\d{1,2})(?:[-/月]|\. ?)(?P<day>\d{1,2})[日.]?"
    + _TIME,
    "numbers": r"^(?P<a>\d{1,2})(?:[-/]|\. ?)(?P<b>\d{1,2})(?:[-/]|\. ?)" + _YEAR + _TIME,
    "day word": rf"^{_WEEKDAY}{_DAY}{_OF}{_MONTH}{_OF}{_YEAR}{_TIME}",
    "word day": rf"^{_WEEKDAY}{_MONTH}[-/ .]*{_DAY}[-/ ,]+{_YEAR}{_TIME}",
    "month": r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})$",
    "month last": r"^(?P<month>\d{2})[-/](?P<year>\d{4})$",
    "word year": rf"^{_MONTH}[-/ ,]*(?P<year>\d{{4}})$",
    "word short": rf"^{_MONTH}[-/' ]*[-/'](?P<short>\d{{2}})$",
    "quarter": r"^(?P<year>\d{4})[-/ ]?[QqTt](?P<quarter>[1-4])$",
    "year quarter": r"^[QqTt](?P<quarter>[1-4])[-/ ]*(?P<year>\d{4})$",
}
PARTS = "year short month day a b hour minute second fraction half zone".split()
CLOCK = {"hour": (3600e6, 24), "minute": (60e6, 60), "second": (1e6, 60), "fraction": (1e6, 1)}
PARTS_OF_TIMES = {
    "year": ("month", 12),
    "week": ("day", 7),
    "day": ("hour", 24),
    "hour": ("minute", 60),
    "minute": ("second", 60),
}
SERIALS = (20_000, 60_000)  # 1954 to 2064 in Excel's days since 1899-12-30
# Days and months written as numbers, by the digits of the shortest and how they are read.
DIGITS = {"20231231": (8, "%Y%m%d"), "202312311345": (12, "%Y%m%d%H%M")}
DIGITS |= {"20231231134500": (14, "%Y%m%d%H%M%S"), "202312": (6, "%Y%m")}
DIGITS |= {"231231": (5, "%y%m%d"), "2312": (4, "%y%m")}
SINCE_1970 = {"seconds": 1, "milliseconds": 1_000}  # parts of a second
MOMENTS = (315_532_800, 2_208_988_800)  # 1980 to 2040 in seconds since 1970
FEWEST_TIMES = 10  # since 1970 under a name that says no date
EPOCH = r"([3-9]\d{8}|(1\d|2[01])\d{8}(\d{3}|\d{6})?)(\.\d+)?"  # of these years
MOSTLY = 0.9
SPAN = (1900, 2100)
SURE_SWAP = 10  # different dates and texts from which none is by chance on the other side of 12
SWAPPED = "a spreadsheet swapped day and month in those that it took for dates"
UNOPENED = (
    "export the table again as CSV and give that file unopened; or bring this column into the "
    "spreadsheet as text; or leave the column out of the file"
)


@dataclass(frozen=True)
class Dates:
    """Texts taken apart as dates; one entry for each text.

    Years of two digits are in "short"; "half" is 0 for am and 12 for pm; "zone" is 1 for any.
    """

    form: np.ndarray  # "iso", "numbers" ... after `PATTERNS`; "" for what is no date
    parts: dict[str, np.ndarray]  # after `PARTS`, NaN where there is none
    dotted: np.ndarray  # whether points divide its parts, which only day-month-year has

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

    @property
    def oldest(self) -> int:
        """The first of the years of two digits that are of the last century.

        Years from 41 to 68 beside later ones are those in which people were born.
        """
        short = self.parts["short"]
        return 30 if (short >= 69).any() and ((short > 40) & (short < 69)).any() else 69

    def swapped(self) -> tuple[np.ndarray, np.ndarray]:
        """Mark the dates that a spreadsheet made with day and month swapped, and what it left.

        Of texts in the other country's order it takes 05/01/2024 for a date and leaves 01/14/2024:
        no date has a day above 12 then, and every text has such a part.
        """
        left = (self.form == "numbers") & ~self.dotted
        made = np.isin(self.form, ("iso", "day word", "word day")) | (self.dotted & self.valid)
        above = np.fmax(self.parts["a"], self.parts["b"]) > 12
        days = np.where(np.isnan(self.parts["day"]), self.parts["a"], self.parts["day"])
        sure = min(made.sum(), left.sum()) >= SURE_SWAP
        sure &= above[left].all() and (days[made] <= 12).all()
        return made & sure, left & sure


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
        if label not in ("iso", "numbers", "day word", "word day"):
            parts["day"][rows] = 1
        taken = found.take(pa.array(rows))
        if "word" in label:
            named = ~np.isnan(_as_numbers("word", pc.struct_field(taken, "word")))
            form[rows[~named]] = ""
            rows, taken = rows[named], taken.filter(pa.array(named))
        for group in taken.type:
            part = "month" if group.name in ("word", "quarter") else group.name
            numbers = _as_numbers(group.name, pc.struct_field(taken, group.name))
            parts[part][rows] = numbers * 3 - 2 if group.name == "quarter" else numbers
    return Dates(form, parts, as_mask(pc.match_substring_regex(texts, r"^\d{1,2}\.\d{1,2}\.")))


def month_of(word: str) -> int:
    """Return the number of a month by its name or how that begins, 0 where it has none."""
    return MONTHS.get(word.lower()) or _foreign_months().get(word.lower(), 0)


@cache
def _foreign_months() -> dict[str, int]:
    """Return the beginnings of months' names, with and without accents, that mean one month only.

    "jui" may be juin or juillet; no other of three letters or more means two, in all languages.
    """
    from babel import Locale

    meant: dict[str, set[int]] = {"mrz": {3}}  # so spreadsheets shorten März
    for language in LANGUAGES:
        for widths in Locale(language).months.values():
            for number, name in (*widths["wide"].items(), *widths["abbreviated"].items()):
                bare = unicodedata.normalize("NFKD", word := name.lower().rstrip("."))
                for spelt in (word, "".join(c for c in bare if not unicodedata.combining(c))):
                    for end in range(3, len(spelt) + 1):
                        meant.setdefault(spelt[:end], set()).add(number)
    return {word: numbers.pop() for word, numbers in meant.items() if len(numbers) == 1}


@cache
def words_of_times() -> dict[str, frozenset[str]]:
    """Return the words and letters for each unit of time: "year" is called Jahre, ans or y."""
    from babel.units import format_unit

    lengths: tuple[Literal["long", "short", "narrow"], ...] = ("long", "short", "narrow")
    words: dict[str, frozenset[str]] = {}
    for unit in (*PARTS_OF_TIMES, "month", "second"):
        counted = (
            format_unit(number, f"duration-{unit}", length, locale=language)
            for language, number, length in product(("en", *LANGUAGES), (1, 2, 5), lengths)
        )
        spelt = {"".join(filter(str.isalpha, text)).lower() for text in counted}
        words[unit] = frozenset(spelt | {f"{word}s" for word in spelt})
    return words


def _as_numbers(group: str, texts: pa.Array) -> np.ndarray:
    """Return what a group of a pattern found as numbers, NaN where it found nothing."""
    words = {
        "word": lambda text: month_of(text) or np.nan,
        "half": lambda text: 12.0 if text[0] in "pP" else 0.0,
        "zone": lambda text: 1.0,
    }
    if read := words.get(group):
        return np.array([read(text) if text else np.nan for text in texts.to_pylist()])
    numbers = pc.cast(pc.if_else(pc.equal(texts, ""), None, texts), pa.float64())
    return numbers.to_numpy(zero_copy_only=False).astype(float)


def convert(dates: Dates, order: str) -> np.ndarray:
    """Return the texts' dates as datetime64[us], NaT where there is no such day."""
    parts = dates.parts
    a_is_day = dates.dotted | (order == "dmy")  # with points the day always comes first
    short = parts["short"]
    year = np.where(
        np.isnan(short), parts["year"], short + np.where(short >= dates.oldest, 1900, 2000)
    )
    day, month = (np.where(which, parts["a"], parts["b"]) for which in (a_is_day, ~a_is_day))
    numbers = dates.form == "numbers"
    frame = pd.DataFrame(
        {
            "year": np.where((year >= SPAN[0]) & (year <= SPAN[1]), year, np.nan),
            "month": np.where(numbers, month, parts["month"]),
            "day": np.where(numbers, day, parts["day"]),
        }
    )
    stamps = pd.to_datetime(frame, errors="coerce").to_numpy().astype("datetime64[us]")
    half = parts["half"]
    twelve = ~np.isnan(half) & (parts["hour"] == 12)
    clock = parts | {"hour": np.where(twelve, 0, parts["hour"]) + np.nan_to_num(half)}
    micros = np.zeros(len(stamps))
    for name, (scale, limit) in CLOCK.items():
        value = np.nan_to_num(clock[name])
        stamps[value >= limit] = np.datetime64("NaT", "us")
        micros += np.round(value * scale)
    return stamps + micros.astype("timedelta64[us]")


def read_dates(column: Column, dates: Dates, missing: np.ndarray, order: str) -> Column:
    """Turn a column's texts into dates, but for those that mean "missing".

    Raises
    ------
    UserError
        If too many texts are no dates. An order that was given, and that they contradict, leaves
        such texts.
    """
    column.note_missing(missing)
    year = dates.parts["year"]
    never = ~missing & ((year < SPAN[0]) | (year > SPAN[1]))
    if np.count_nonzero(never) == 1:
        column.note("a day that stands for none", never, "taken as missing")
        missing = missing | never
    there = ~missing
    stamps = convert(dates, order)
    odd = there & (~dates.valid | np.isnat(stamps))
    stamps[odd | missing] = np.datetime64("NaT", "us")
    column.check_odd(odd, there, "dates", "correct or empty them, or give another --date-order")
    read = there & ~odd
    forms = sorted(set(dates.form[read]))
    main = max(forms, key=lambda form: column.rows(read & (dates.form == form)), default="")
    first = "day" if order == "dmy" else "month"
    for what, mask, action in (
        ("dates like 3/4/2024", dates.form == "numbers", f"read with the {first} first"),
        (
            "years of two digits",
            ~np.isnan(dates.parts["short"]),
            f"{dates.oldest} to 99 taken for 19..",
        ),
        ("times with a zone", ~np.isnan(dates.parts["zone"]), BY_THE_CLOCK),
        ("dates in another form", dates.form != main, "read as dates too"),
    ):
        column.note(what, mask & read, action)
    return column.done(stamps[column.codes], "date")


def _written_in_digits(numbers: np.ndarray) -> tuple[str, np.ndarray] | None:
    """Return how days or months are written as whole numbers, and them, where all can be such."""
    texts = pd.Series(numbers.astype(np.int64).astype(str))
    for example, (fewest, form) in DIGITS.items():
        if not texts.str.len().between(fewest, len(example)).all():
            continue
        filled = texts.str.zfill(len(example))
        dates = pd.to_datetime(filled, format=form, errors="coerce")
        years = len(example) == 4 and ((numbers >= SPAN[0]) & (numbers <= SPAN[1])).all()
        valid = dates.dt.year.between(*SPAN).mean()
        if not years and valid >= (1 if fewest < 8 else MOSTLY):  # some days are typing errors
            return f"dates written as {example}", dates.to_numpy()
    return None


def as_dates(column: Column, dated: bool) -> Column:
    """Read seconds and milliseconds since 1970 as dates, where all can be such; 0 is never.

    In a column that is called a date, also a spreadsheet's day numbers (45000), 20241231, 202412,
    241231 and 2412, but for years.
    """
    values = np.asarray(column.values)
    never = np.isin(values, (0, -1))
    known = ~np.isnan(values) & ~never
    some = values[known].astype(float)
    if len(some) < np.count_nonzero(never) or len(some) < (1 if dated else FEWEST_TIMES):
        return column
    since = (
        (unit, parts)
        for unit, parts in SINCE_1970.items()
        if MOMENTS[0] * parts <= some.min() and some.max() <= MOMENTS[1] * parts
    )
    if found := next(since, None):
        what = f"times in {found[0]} since 1970"
        dates = (some / found[1] * 1e6).astype("datetime64[us]")
        column.changes = [c for c in column.changes if c.action != "kept as a number"]
        column.note("0 or -1 among such times", never, "taken as missing", lambda row: "")
    elif not dated or never.any():
        return column
    elif SERIALS[0] <= some.min() and some.max() <= SERIALS[1]:
        what = "a spreadsheet's day numbers (45000 for 2023-03-15)"
        dates = np.datetime64("1899-12-30", "us") + (some * 86_400e6).astype("timedelta64[us]")
    elif (some == some.round()).all() and (read := _written_in_digits(some)):
        what, dates = read
    else:
        return column
    if np.isnat(dates).any():
        return column
    stamps = np.full(len(values), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    stamps[known] = dates
    column.note(what, known, "read as dates", lambda row: f"{values[row]:.15g}")
    return column.done(stamps, "date")
