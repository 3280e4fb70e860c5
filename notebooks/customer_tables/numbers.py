"""Numbers as people write them: marks, signs, currencies, percentages, brackets, other digits.

`parse_numbers` takes texts apart under both decimal marks; which one holds is settled for a column
or the whole file, and `read_numbers` applies it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.column import Column, Ways, as_mask
from customer_tables.names import split_name
from customer_tables.vocabulary import COUNT, PERCENT

MARKS = Ways(
    "decimal",
    (",", "."),
    ".",
    "numbers with a decimal comma ({}) stand beside numbers with a decimal point ({})",
    "write them all in one way",
    "may be a decimal number or one above a thousand",
    "say which mark is the decimal one: --decimal . or --decimal ,",
)
# The spellings of each currency, in any case; the first one is its sign.
CURRENCIES = {
    spelling.lower(): spellings.split()[0]
    for spellings in (
        "$ US$ USD,€ EUR euro,£ GBP,¥ JPY 円 \\,₹ INR Rs Rs.,₽ RUB руб руб.,₩ KRW 원,₺ TRY TL,"
        "₪ ILS,₫ VND,฿ THB,₴ UAH,₦ NGN,R$ BRL,zł PLN,Kč CZK,Ft HUF,C$ CA$ CAD,A$ AU$ AUD,"
        "HK$ HKD,NZ$ NZD,S$ SGD,MX$ MXN,CHF Fr.,SEK,NOK,DKK,kr kr.,CNY RMB 元,ZAR,AED,SAR,"
        "RON lei,BGN,IDR Rp,MYR RM,PHP ₱"
    ).split(",")
    for spelling in spellings.split()
}
# Words behind a number that say what it counts; 84029E is a code and no number of E.
WORDS = frozenset(
    "% year years yr yrs month months mo mos mth mths week weeks wk wks day days hour hours hr "
    "hrs min mins minute minutes sec secs km mi miles cm mm ft kg lb lbs oz ml points pts pcs "
    "piece pieces items times orders visits mb gb kwh sqft person persons people".split()
)
SCALES = {"k": 1e3, "mn": 1e6, "mio": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
SCALES |= {"万": 1e4, "萬": 1e4, "億": 1e8, "亿": 1e8}
MONEY_SCALES = SCALES | {"m": 1e6, "b": 1e9}  # without a currency, m and b could be anything
SIGNS = "|".join(re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True))
PATTERN = (
    r"^(?P<open>\(?)\s*(?P<sign>[-+]?)\s*"
    rf"(?P<before>(?i:{SIGNS})?)\s*(?P<inner>[-+]?)\s*"
    r"(?P<body>\d(?:[\d.,' ]*\d)?[.,]?|[.,]\d+)(?P<power>(?:[eE][-+]?\d{1,3})?)\s*"
    r"(?P<after>(?:%|[$€£¥₹₽₩₺₪₫฿₴₦₱]|\p{L}{1,12}\.?)?)\s*(?P<close>\)?)\s*(?P<behind>-?)$"
)
PLAIN = str.maketrans("٫٬’‘´−–—", ".''''---", "\u200b\u200e\u200f\u202a\u202c\ufeff")
_THOUSANDS = {".": ",' ", ",": ".' "}


def _shape(decimal: str) -> str:
    """Return the pattern of a number whose decimal mark is this one."""
    groups = [rf"[1-9]\d{{0,2}}(?:{re.escape(t)}\d{{3}})+" for t in _THOUSANDS[decimal]]
    if decimal == ".":
        groups.append(r"[1-9]\d?(?:,\d{2})+,\d{3}")  # lakh and crore: 12,34,567
    mark = re.escape(decimal)
    return rf"^(?:(?:\d+|{'|'.join(groups)})(?:{mark}\d*)?|{mark}\d+)$"


SHAPES = {mark: _shape(mark) for mark in ".,"}
IN_PERCENT = re.compile(rf"({PERCENT})\b")
SELDOM = 0.05  # of the rows, from which 999 and the like far from all others is no number
OFTEN = 0.2  # of the rows, from which -1 without any 0 is no number
INFINITE = frozenset("inf +inf -inf infinity +infinity -infinity ∞ +∞ -∞ 1.#inf -1.#inf".split())
SENTINELS = (-99, -999, -9999, -99999, -999999)
# "Not answered", beside scales that end at 10 or before.
NO_POINT = (77, 88, 97, 98, 99, 999, -1, -7, -8, -9, -77, -88, -97, -98, -99)
TIMED = frozenset("age tenure days weeks months years recency".split())
HIGH_SENTINELS = (999, 9999, 99999, 999999, 9999999, 99999999)


@dataclass(frozen=True)
class Numbers:
    """Texts taken apart as numbers; all arrays have one entry for each text."""

    parts: dict[str, pa.Array]  # what the groups of `PATTERN` found
    foreign: np.ndarray  # whether it is written in other than Latin digits
    unit: np.ndarray  # a currency sign, "%", one of `WORDS`, or nothing
    scale: np.ndarray  # 1000 where k for thousand stands behind, and so on; else 1
    under: dict[str, np.ndarray]  # for each decimal mark, whether it is a number if that holds

    @property
    def valid(self) -> np.ndarray:
        """Whether the text is a number under one of the decimal marks."""
        return self.under["."] | self.under[","]

    def proof(self) -> dict[str, np.ndarray]:
        """Mark the texts that are numbers under one mark only, and those that differ by it."""
        point, comma = self.under["."], self.under[","]
        either = point & comma & self.holds("body", "[.,]")
        return {".": point & ~comma, ",": comma & ~point, "either": either}

    def holds(self, part: str, pattern: str = ".") -> np.ndarray:
        """Mark the texts in a part of which a pattern is found."""
        return as_mask(pc.match_substring_regex(self.parts[part], pattern))

    def signs(self, pattern: str) -> list[np.ndarray]:
        """Mark the texts with such a sign, for each place where one may stand."""
        return [self.holds(part, pattern) for part in ("sign", "inner", "open", "behind")]


def is_in_percent(name: str) -> bool:
    """Whether a column's name says that its numbers are percentages."""
    return bool(re.search(r"^%|%\W*$", name) or IN_PERCENT.search(split_name(name)))


def parse_numbers(texts: pa.StringArray) -> Numbers:
    """Take texts apart as numbers, whatever their marks."""
    texts, foreign = _latin(texts)
    found = pc.extract_regex(texts, PATTERN)
    parts = {f.name: pc.fill_null(pc.struct_field(found, f.name), "") for f in found.type}
    pairs = pc.binary_join_element_wise(parts["before"], parts["after"], "\n").dictionary_encode()
    settled = [_unit(*pair.split("\n")) for pair in pairs.dictionary.to_pylist()]
    unit, scale, agree = (
        np.array(entries, kind)[pairs.indices.to_numpy(zero_copy_only=False)]
        for entries, kind in zip(zip(*settled, strict=True), (object, float, bool), strict=True)
    )
    numbers = Numbers(parts, foreign, unit, scale, {})
    bracketed = numbers.holds("open") == numbers.holds("close")
    signs = np.sum(numbers.signs("[-+(]"), axis=0)
    sound = as_mask(pc.is_valid(found)) & (signs <= 1) & bracketed & agree
    for mark, shape in SHAPES.items():
        numbers.under[mark] = sound & numbers.holds("body", shape)
    return numbers


def _latin(texts: pa.StringArray) -> tuple[pa.StringArray, np.ndarray]:
    """Write other digits, spaces, dashes and apostrophes as the plain ones."""
    odd = ~as_mask(pc.string_is_ascii(texts))
    foreign = np.zeros(len(texts), dtype=bool)
    if not odd.any():
        return texts, foreign
    spelt = texts.to_pylist()
    for place in np.flatnonzero(odd):
        digits: dict = {c: str(unicodedata.decimal(c)) for c in spelt[place] if c.isdecimal()}
        foreign[place] = not "".join(digits).isascii()
        plain = unicodedata.normalize("NFKC", spelt[place]).translate(str.maketrans(digits))
        spelt[place] = plain.translate(PLAIN).strip()
    return pa.array(spelt, pa.string()), foreign


def _unit(before: str, after: str) -> tuple[str, float, bool]:
    """Return unit, scale, and whether what stands before and behind can go together."""
    front = CURRENCIES.get(before.lower(), "")
    back = after.lower() if after.lower() in CURRENCIES else after.lower().rstrip(".")
    scale = (MONEY_SCALES if front else SCALES).get(back, 1.0)
    unit = "" if scale > 1 else CURRENCIES.get(back, back)
    known = not unit or back in CURRENCIES or back in WORDS
    return front or unit, scale, known and (not front or not unit or front == unit)


def _convert(numbers: Numbers, decimal: str) -> np.ndarray:
    """Return the texts' values as float64, NaN where they are no number under this mark."""
    body = pc.if_else(pa.array(numbers.under[decimal]), numbers.parts["body"], None)
    body = pc.replace_substring_regex(body, "[' ]" if decimal == "." else "[' .]", "")
    body = pc.replace_substring(body, ",", "" if decimal == "." else ".")
    body = pc.binary_join_element_wise(body, numbers.parts["power"], "")
    values = pc.cast(body, pa.float64()).to_numpy(zero_copy_only=False).astype(float)
    return np.where(np.any(numbers.signs("[-(]"), axis=0), -values, values) * numbers.scale


def read_numbers(column: Column, numbers: Numbers, missing: np.ndarray, decimal: str) -> Column:
    """Turn a column's texts into numbers, but for those that mean "missing".

    Raises
    ------
    UserError
        If the units differ, or too many texts are no numbers.
    """
    there = ~missing
    unit, number = _settle_unit(column, numbers, numbers.under[decimal] & there)
    infinite = column.among(INFINITE) & there
    column.note_missing(missing)
    remedy = 'correct or empty them, or say kind = "category" for the column in a dataset.toml'
    column.check_odd(there & ~number & ~infinite, there, "numbers", remedy)
    _note_spellings(column, numbers, number, decimal)
    values = np.where(number, _convert(numbers, decimal), np.nan)
    values = np.where(numbers.unit == "%", values / 100, values)
    values[infinite] = np.where(column.matches("^-"), -np.inf, np.inf)[infinite]
    rows = values[column.codes]
    broken = numbers.holds("body", re.escape(decimal)) | numbers.holds("power")
    if number.all() and not broken.any() and unit != "%" and np.abs(rows).max() < 2**53:
        rows = rows.astype(np.int64)
    read_values(column, rows)
    column.unit = unit
    if unit:
        column.kind = {"%": "share"}.get(unit, "number" if unit in WORDS else "money")
    return column


def _settle_unit(column: Column, numbers: Numbers, number: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the column's unit, and which texts are numbers of that unit."""
    units = numbers.unit
    rows = {unit: column.rows(number & (units == unit)) for unit in sorted(set(units[number]))}
    bare = rows.pop("", 0)
    if words := [unit for unit in rows if unit in WORDS and unit != "%"]:
        word = max(words, key=lambda unit: rows[unit])
        main = word if rows[word] > bare else ""
        return main, number & (units == main)  # the others are no numbers of this unit
    if len(rows) > 1:
        what = "percentages and amounts" if "%" in rows else "several currencies"
        raise column.refusal(
            f"{what} stand in one column: {', '.join(rows)}",
            number & (units == min(rows, key=lambda unit: rows[unit])),
            "turn them into one unit, or bring the rows of one alone",
        )
    plain = number & (units == "") & ~column.matches(r"^[-+]?0*[.,]?0*$")
    if "%" in rows and plain.any():
        few = column.rows(plain) * 2 <= bare + rows["%"]
        raise column.refusal(
            f"some cells have a percent sign and others, like {column.quote(plain)}, have none",
            plain if few else number & (units == "%"),
            "write them all with a percent sign, or all without",
        )
    return next(iter(rows), ""), number


def _note_spellings(column: Column, numbers: Numbers, number: np.ndarray, decimal: str) -> None:
    """Note the spellings that were read as numbers, each with its count."""
    units = numbers.unit
    unit = next(iter(sorted(set(units[number]) - {"", "%"})), "")
    thousands = numbers.holds("body", rf"\d[{_THOUSANDS[decimal]}]\d")
    commas = numbers.holds("body", ",") & (decimal == ",")
    for what, mask, action in (
        ("thousands marks", thousands, "taken out"),
        ("decimal commas", commas, "read as decimal marks"),
        (f"{unit} beside numbers", (units == unit) & (units != ""), "noted as the unit"),
        ("percent signs", units == "%", "divided by 100: 12 % is 0.12"),
        ("k for thousand and the like", numbers.scale > 1, "multiplied"),
        ("negative numbers in brackets", numbers.holds("open"), "read with a minus sign"),
        ("minus signs behind numbers", numbers.holds("behind"), "read with a minus sign"),
        ("digits of another script", numbers.foreign, "read as 0 to 9"),
    ):
        column.note(what, mask & number, action)


def read_values(column: Column, values: np.ndarray) -> Column:
    """Give a column numbers, without the infinite ones and stand-ins for missing ones."""
    if values.dtype.kind == "f":
        values = _without(column, values, "infinite numbers", np.isinf(values))
    values = _without_sentinels(column, values)
    known = values[~np.isnan(values)]
    answers = np.isin(known, (0, 1)).all() and len(np.unique(known)) == 2
    return column.done(values, "yes_no" if answers else "number")


def _without(column: Column, values: np.ndarray, what: str, gone: np.ndarray) -> np.ndarray:
    column.note(what, gone, "taken as missing", lambda row: f"{values[row]:.15g}")
    return np.where(gone, np.nan, values) if gone.any() else values


def _without_sentinels(column: Column, values: np.ndarray) -> np.ndarray:
    """Take -999 and its kin for missing where nothing else is negative; tell of doubtful ones."""
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    doubtful, what = np.zeros(len(values), bool), ""
    if high in NO_POINT or low in NO_POINT:
        beyond = (values > 10) | (values < 0)
        scale, codes = (np.unique(values[r & ~np.isnan(values)]) for r in (~beyond, beyond))
        points = len(scale) > 2 and (scale == scale.round()).all()
        points &= not {0, -1} <= {*scale, *codes}
        if points and np.isin(codes, NO_POINT).all() and beyond.sum() > (low >= 0):
            return _without(column, values, "99 and the like beside a scale", beyond)
    if low < 0 <= high:
        negative = values < 0
        found = np.unique(values[negative])
        if np.isin(found, SENTINELS).all() and (found.min() < -99 or negative.sum() > 1):
            return _without(column, values, "-999 and the like", negative)
        counted = set(split_name(column.name).split()) & (COUNT | TIMED)
        if found.tolist() == [-1] and negative.sum() > 1 and counted:
            return _without(column, values, "-1 where something is counted", negative)
        if found.tolist() == [-1] and negative.mean() >= OFTEN and not (values == 0).any():
            return _without(column, values, "-1 in many rows, and no other value below 1", negative)
        if found.tolist() == [-1]:
            doubtful, what = negative, "-1 as the only negative"
    for end in (low, high):
        alone, rest = values == end, np.unique(values[~np.isnan(values) & (values != end)])
        known = re.fullmatch(r"-?(365243|(\d)\2{2,})", f"{end:.15g}")
        if known and np.mean(alone) >= SELDOM and len(rest) > 1:
            if (rest * end <= 0).all() or abs(end) > 10 * np.abs(rest).max():
                what = f"{end:.0f} in many rows, and no other value near it"
                return _without(column, values, what, alone)
    if not what and high in HIGH_SENTINELS:
        if (
            high > 5 * abs(np.max(values[values < high], initial=low))
            and (values == high).sum() > 1
        ):
            doubtful, what = values == high, f"{high:.0f} far above the rest"
    column.note(what, doubtful, "kept as a number", lambda row: "")
    return values
