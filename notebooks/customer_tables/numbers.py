"""Numbers as people write them: marks, signs, currencies, percentages, brackets, other digits.

`parse_numbers` takes texts apart under both decimal marks; which one holds is settled for a column
or the whole file, and `convert` and `read_numbers` apply it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.column import Column, as_mask
from customer_tables.words import INFINITE, missing_words

# Spellings of one currency come out as one sign.
CURRENCIES = {
    "$": "$", "us$": "$", "usd": "$", "€": "€", "eur": "€", "euro": "€", "£": "£", "gbp": "£",
    "¥": "¥", "jpy": "¥", "₹": "₹", "inr": "₹", "rs": "₹", "rs.": "₹", "₽": "₽", "rub": "₽",
    "₩": "₩", "krw": "₩", "₺": "₺", "try": "₺", "₪": "₪", "ils": "₪", "₫": "₫", "vnd": "₫",
    "฿": "฿", "thb": "฿", "₴": "₴", "uah": "₴", "₦": "₦", "ngn": "₦", "r$": "R$", "brl": "R$",
    "zł": "zł", "pln": "zł", "kč": "Kč", "czk": "Kč", "ft": "Ft", "huf": "Ft", "c$": "C$",
    "ca$": "C$", "cad": "C$", "a$": "A$", "au$": "A$", "aud": "A$", "hk$": "HK$", "hkd": "HK$",
    "nz$": "NZ$", "nzd": "NZ$", "s$": "S$", "sgd": "S$", "mx$": "MX$", "mxn": "MX$", "chf": "CHF",
    "fr.": "CHF", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "kr": "kr", "kr.": "kr", "cny": "CNY",
    "rmb": "CNY", "zar": "ZAR", "aed": "AED", "sar": "SAR", "ron": "RON", "lei": "RON",
    "bgn": "BGN", "idr": "IDR", "rp": "IDR", "myr": "MYR", "rm": "MYR", "php": "PHP", "₱": "PHP",
}  # fmt: skip
# Words behind a number that say what it counts; 84029E is a code and no number of E.
WORDS = frozenset(
    "% year years yr yrs month months mo mos mth mths week weeks wk wks day days hour hours hr "
    "hrs min mins minute minutes sec secs km mi miles cm mm ft kg lb lbs oz ml points pts pcs "
    "piece pieces items times orders visits mb gb kwh sqft person persons people".split()
)
SCALES = {"k": 1e3, "mn": 1e6, "mio": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
MONEY_SCALES = SCALES | {"m": 1e6, "b": 1e9}  # without a currency, m and b could be anything
_SIGNS = "|".join(re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True))
PATTERN = (
    r"^(?P<open>\(?)\s*(?P<sign>[-+]?)\s*"
    rf"(?P<before>(?i:{_SIGNS})?)\s*(?P<inner>[-+]?)\s*"
    r"(?P<body>\d(?:[\d.,' ]*\d)?[.,]?|[.,]\d+)(?P<power>(?:[eE][-+]?\d{1,3})?)\s*"
    r"(?P<after>(?:%|[$€£¥₹₽₩₺₪₫฿₴₦₱]|[^\W\d_]{1,12}\.?)?)\s*(?P<close>\)?)\s*(?P<behind>-?)$"
).replace(r"[^\W\d_]", r"\p{L}")
PLAIN = {"٫": ".", "٬": "'", "’": "'", "‘": "'", "´": "'", "−": "-", "–": "-", "—": "-"}
_THOUSANDS = {".": ",' ", ",": ".' "}


def _shape(decimal: str) -> str:
    """Return the pattern of a number whose decimal mark is this one."""
    groups = [rf"[1-9]\d{{0,2}}(?:{re.escape(t)}\d{{3}})+" for t in _THOUSANDS[decimal]]
    if decimal == ".":
        groups.append(r"[1-9]\d?(?:,\d{2})+,\d{3}")  # lakh and crore: 12,34,567
    mark = re.escape(decimal)
    return rf"^(?:(?:\d+|{'|'.join(groups)})(?:{mark}\d*)?|{mark}\d+)$"


SHAPES = {mark: _shape(mark) for mark in ".,"}


SENTINELS = (-99, -999, -9999, -99999, -999999)
HIGH_SENTINELS = (999, 9999, 99999, 999999, 9999999, 99999999)


@dataclass(frozen=True)
class Numbers:
    """Texts taken apart as numbers; all arrays have one entry for each text.

    Attributes
    ----------
    parts : dict of pyarrow.StringArray
        What the groups of `PATTERN` found: digits and marks as "body", the exponent as "power" ...
    foreign : ndarray of bool
        Whether it is written in other than Latin digits.
    unit : ndarray of str
        A currency sign, "%", one of `WORDS`, or nothing.
    scale : ndarray of float
        1000 where k for thousand stands behind, and so on; else 1.
    under : dict of ndarrays of bool
        For each decimal mark, whether the text is a number if that is the mark.
    """

    parts: dict[str, pa.Array]
    foreign: np.ndarray
    unit: np.ndarray
    scale: np.ndarray
    under: dict[str, np.ndarray]

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


def parse_numbers(texts: pa.StringArray) -> Numbers:
    """Take texts apart as numbers, whatever their marks."""
    texts, foreign = _latin(texts)
    found = pc.extract_regex(texts, PATTERN)
    parts = {f.name: pc.fill_null(pc.struct_field(found, f.name), "") for f in found.type}
    unit, scale, agree = _units(parts["before"], parts["after"])
    numbers = Numbers(parts, foreign, unit, scale, {})
    signs = [numbers.holds(part, "[-+(]") for part in ("sign", "inner", "open", "behind")]
    bracketed = numbers.holds("open") == numbers.holds("close")
    sound = as_mask(pc.is_valid(found)) & (np.sum(signs, axis=0) <= 1) & bracketed & agree
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
        text = spelt[place]
        foreign[place] = any(c.isdecimal() and not c.isascii() for c in text)
        spelt[place] = "".join(map(_latin_character, unicodedata.normalize("NFKC", text))).strip()
    return pa.array(spelt, pa.string()), foreign


def _latin_character(c: str) -> str:
    if c.isdecimal() and not c.isascii():
        return str(unicodedata.decimal(c))
    return "" if c in "\u200b\u200e\u200f\u202a\u202c\ufeff" else PLAIN.get(c, c)


def _units(before: pa.Array, after: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return units, scales, and whether what stands before and behind can go together."""
    pairs = pc.binary_join_element_wise(before, after, "\n").dictionary_encode()
    settled = [_unit(*pair.split("\n")) for pair in pairs.dictionary.to_pylist()]
    codes = pairs.indices.to_numpy(zero_copy_only=False)
    units, scales, agree = zip(*settled, strict=True) if settled else ((), (), ())
    return np.array(units, object)[codes], np.array(scales)[codes], np.array(agree, bool)[codes]


def _unit(before: str, after: str) -> tuple[str, float, bool]:
    front = CURRENCIES.get(before.lower(), "")
    back = after.lower() if after.lower() in CURRENCIES else after.lower().rstrip(".")
    scale = (MONEY_SCALES if front else SCALES).get(back, 1.0)
    unit = "" if scale > 1 else CURRENCIES.get(back, back)
    known = not unit or back in CURRENCIES or back in WORDS
    return front or unit, scale, known and (not front or not unit or front == unit)


def convert(numbers: Numbers, decimal: str) -> np.ndarray:
    """Return the texts' values as float64, NaN where they are no number under this mark."""
    body = pc.if_else(pa.array(numbers.under[decimal]), numbers.parts["body"], None)
    body = pc.replace_substring_regex(body, "[' ]" if decimal == "." else "[' .]", "")
    body = pc.replace_substring(body, ",", "" if decimal == "." else ".")
    body = pc.binary_join_element_wise(body, numbers.parts["power"], "")
    values = pc.cast(body, pa.float64()).to_numpy(zero_copy_only=False).astype(float)
    signs = [numbers.holds(part, "[-(]") for part in ("sign", "inner", "open", "behind")]
    return np.where(np.any(signs, axis=0), -values, values) * numbers.scale


def read_numbers(
    column: Column, numbers: Numbers, missing: np.ndarray, proof: frozenset[str], decimal: str
) -> Column:
    """Turn a column's texts into numbers.

    Parameters
    ----------
    column : Column
    numbers : Numbers
        The texts taken apart.
    missing : ndarray of bool
        The texts that mean "missing".
    proof : frozenset of str
        The decimal marks that some text of the column proves.
    decimal : str
        The file's decimal mark; empty where it is not known.

    Raises
    ------
    UserError
        If a text can be read in two ways, the units differ, or too many texts are no numbers.
    """
    there = ~missing
    decimal = _settle_decimal(column, numbers, there, proof, decimal)
    unit, number = _settle_unit(column, numbers, numbers.under[decimal] & there)
    infinite = column.among(INFINITE) & there
    odd = there & ~number & ~infinite
    remedy = 'correct or empty them, or say kind = "category" for the column in a dataset.toml'
    column.check_odd(odd, column.rows(there), "numbers", remedy)
    values = np.where(number, convert(numbers, decimal), np.nan)
    values = np.where(numbers.unit == "%", values / 100, values)
    values[infinite] = np.where(column.matches("^-"), -np.inf, np.inf)[infinite]
    rows = column.spread(values)
    broken = numbers.holds("body", re.escape(decimal)) | numbers.holds("power")
    if number.all() and not broken.any() and unit != "%" and np.abs(rows).max() < 2**53:
        rows = rows.astype(np.int64)
    done = read_values(column, rows)
    changes = [
        *missing_words(column, missing),
        *column.change("cells that are no numbers", odd, "taken as missing"),
        *_spellings(column, numbers, number, decimal),
        *done.changes,
    ]
    kind = {"": done.kind, "%": "share"}.get(unit, "number" if unit in WORDS else "money")
    return column.done(done.values, kind, changes, unit)


def _settle_decimal(
    column: Column, numbers: Numbers, there: np.ndarray, proof: frozenset[str], decimal: str
) -> str:
    """Return the column's decimal mark: its own, or the file's."""
    shown = {mark: texts & there for mark, texts in numbers.proof().items()}
    if len(proof) == 2:
        raise column.refusal(
            f"numbers with a decimal comma ({column.quote(shown[','])}) stand beside numbers with "
            f"a decimal point ({column.quote(shown['.'])})",
            min(shown[","], shown["."], key=column.rows),
            "write them all in one way",
        )
    if not proof and not decimal and shown["either"].any():
        raise column.refusal(
            f"{column.quote(shown['either'])} may be a decimal number or one above a thousand",
            shown["either"],
            "say which mark is the decimal one: --decimal . or --decimal ,",
        )
    return next(iter(proof), decimal or ".")


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
            "turn them into one unit, or put them into columns of their own",
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


def _spellings(column: Column, numbers: Numbers, number: np.ndarray, decimal: str) -> list[Change]:
    """List the spellings that were read as numbers, each with its count."""
    units = numbers.unit
    unit = next(iter(sorted(set(units[number]) - {"", "%"})), "")
    thousands = r"\d[,' ]\d" if decimal == "." else r"\d[.' ]\d"
    commas = numbers.holds("body", ",") & (decimal == ",")
    spellings = [
        ("thousands marks", numbers.holds("body", thousands), "taken out"),
        ("decimal commas", commas, "read as decimal marks"),
        (f"{unit} beside numbers", (units == unit) & (units != ""), "noted as the unit"),
        ("percent signs", units == "%", "divided by 100: 12 % is 0.12"),
        ("k for thousand and the like", numbers.scale > 1, "multiplied"),
        ("negative numbers in brackets", numbers.holds("open"), "read with a minus sign"),
        ("minus signs behind numbers", numbers.holds("behind"), "read with a minus sign"),
        ("digits of another script", numbers.foreign, "read as 0 to 9"),
    ]
    changes = (column.change(what, mask & number, action) for what, mask, action in spellings)
    return [change for some in changes for change in some]


def read_values(column: Column, values: np.ndarray) -> Column:
    """Give a column numbers, without the infinite ones and stand-ins for missing ones."""
    changes = []
    if values.dtype.kind == "f" and (infinite := np.isinf(values)).any():
        changes += column.change(
            "infinite numbers", infinite, "taken as missing", lambda row: f"{values[row]:.15g}"
        )
        values = np.where(infinite, np.nan, values)
    values, noticed = _without_sentinels(column, values)
    known = values[~np.isnan(values)]
    answers = np.isin(known, (0, 1)).all() and len(np.unique(known)) == 2
    return column.done(values, "yes_no" if answers else "number", changes + noticed)


def _without_sentinels(column: Column, values: np.ndarray) -> tuple[np.ndarray, list[Change]]:
    """Take -999 and its kin for missing where nothing else is negative; tell of doubtful ones."""
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if low < 0 <= high:
        negative = values < 0
        found = np.unique(values[negative])
        if np.isin(found, SENTINELS).all() and (found.min() < -99 or negative.sum() > 1):
            changes = column.change(
                "-999 and the like", negative, "taken as missing", lambda row: f"{values[row]:.15g}"
            )
            return np.where(negative, np.nan, values), changes
        if found.tolist() == [-1]:
            what = "-1 as the only negative"
            return values, column.change(what, negative, "kept as a number", lambda row: "")
    if high in HIGH_SENTINELS and high > 5 * abs(np.max(values[values < high], initial=low)):
        top, what = values == high, f"{high:.0f} far above the rest"
        if top.sum() > 1:
            return values, column.change(what, top, "kept as a number", lambda row: "")
    return values, []
