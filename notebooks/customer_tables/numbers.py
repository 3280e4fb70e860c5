"""Numbers as people write them: marks, signs, currencies, percentages, brackets, other digits."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


@dataclass(frozen=True)
class Numerals:
    """Texts taken apart as numbers: one entry for each text, all arrays of the same length.

    Attributes
    ----------
    body : pyarrow.StringArray
        Digits and marks only.
    power : pyarrow.StringArray
        The exponent, as "e5", or nothing.
    negative, bracketed, trailing, foreign : numpy arrays of bool
        Whether it is below zero, in accountants' brackets, has its minus behind, or is written in
        other than Latin digits.
    unit : numpy array of str
        A currency sign, "%", one of `WORDS`, or nothing.
    scale : numpy array of float
        1000 where k for thousand stands behind, and so on; else 1.
    point, comma : numpy arrays of bool
        Whether it is a number if the decimal mark is a point, or a comma.
    """

    body: pa.StringArray
    power: pa.StringArray
    negative: np.ndarray
    bracketed: np.ndarray
    trailing: np.ndarray
    foreign: np.ndarray
    unit: np.ndarray
    scale: np.ndarray
    point: np.ndarray
    comma: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        """Whether the text is a number under one of the decimal marks."""
        return self.point | self.comma

    def reading(self, decimal: str) -> np.ndarray:
        """Whether the text is a number under this decimal mark."""
        return self.comma if decimal == "," else self.point

    @property
    def marked(self) -> np.ndarray:
        """Whether the body holds a point or a comma."""
        return _flags(pc.match_substring_regex(self.body, "[.,]"))


def _flags(array) -> np.ndarray:
    return pc.fill_null(array, False).to_numpy(zero_copy_only=False).astype(bool)


def parse_numerals(values: pa.StringArray) -> Numerals:
    """Take texts apart as numbers, whatever their marks; `valid` tells which are none."""
    values, foreign = _latin(values)
    parts = pc.extract_regex(values, PATTERN)
    part = {f.name: pc.fill_null(pc.struct_field(parts, f.name), "") for f in parts.type}
    found = _flags(pc.is_valid(parts))

    def filled(name: str) -> np.ndarray:
        return _flags(pc.not_equal(part[name], ""))

    def minus(name: str) -> np.ndarray:
        return _flags(pc.equal(part[name], "-"))

    bracketed, trailing = filled("open") & filled("close"), filled("behind")
    signs = sum(x.astype(int) for x in (filled("sign"), filled("inner"), bracketed, trailing))
    unit, scale, units_agree = _settle_units(part["before"], part["after"])
    sound = found & (signs <= 1) & (filled("open") == filled("close")) & units_agree
    fits = {m: sound & _flags(pc.match_substring_regex(part["body"], SHAPES[m])) for m in ".,"}
    return Numerals(
        body=part["body"],
        power=part["power"],
        negative=minus("sign") | minus("inner") | bracketed | trailing,
        bracketed=bracketed,
        trailing=trailing,
        foreign=foreign,
        unit=unit,
        scale=scale,
        point=fits["."],
        comma=fits[","],
    )


def _latin(values: pa.StringArray) -> tuple[pa.StringArray, np.ndarray]:
    """Write other digits, spaces, dashes and apostrophes as the plain ones."""
    plain = _flags(pc.string_is_ascii(values))
    if plain.all():
        return values, ~plain
    texts, foreign = values.to_pylist(), np.zeros(len(values), dtype=bool)
    for place in np.flatnonzero(~plain):
        text = unicodedata.normalize("NFKC", texts[place])
        foreign[place] = any(c.isdecimal() and not c.isascii() for c in texts[place])
        texts[place] = "".join(_plain_character(c) for c in text).strip()
    return pa.array(texts, pa.string()), foreign


def _plain_character(c: str) -> str:
    if c.isascii():
        return c
    if c.isdecimal():
        return str(unicodedata.decimal(c))
    if c in "\u200b\u200e\u200f\u202a\u202c\ufeff":
        return ""
    return PLAIN.get(c, c)


def _settle_units(before: pa.Array, after: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return units, scales, and whether what stands before and behind can go together."""
    pairs = pc.binary_join_element_wise(before, after, "\n").dictionary_encode()
    settled = [_settle_unit(*pair.split("\n")) for pair in pairs.dictionary.to_pylist()]
    codes = pairs.indices.to_numpy(zero_copy_only=False)
    units, scales, agree = zip(*settled, strict=True) if settled else ((), (), ())
    return np.array(units, object)[codes], np.array(scales)[codes], np.array(agree, bool)[codes]


def _settle_unit(before: str, after: str) -> tuple[str, float, bool]:
    front = CURRENCIES.get(before.lower(), "")
    back = after.lower() if after.lower() in CURRENCIES else after.lower().rstrip(".")
    scale = (MONEY_SCALES if front else SCALES).get(back, 1.0)
    unit = "" if scale > 1 else CURRENCIES.get(back, back)
    known = not unit or back in CURRENCIES or back in WORDS
    return front or unit, scale, known and (not front or not unit or front == unit)


def convert(numerals: Numerals, decimal: str) -> np.ndarray:
    """Return the texts' values as float64, NaN where they are no number under this mark."""
    body = pc.if_else(pa.array(numerals.reading(decimal)), numerals.body, None)
    body = pc.replace_substring_regex(body, "[' ]" if decimal == "." else "[' .]", "")
    body = pc.replace_substring(body, ",", "" if decimal == "." else ".")
    body = pc.binary_join_element_wise(body, numerals.power, "")
    values = pc.cast(body, pa.float64()).to_numpy(zero_copy_only=False).astype(float)
    return np.where(numerals.negative, -values, values) * numerals.scale


def are_whole(numerals: Numerals, decimal: str) -> bool:
    """Whether all numbers are written without decimals and exponents."""
    odd = pc.or_(pc.match_substring(numerals.body, decimal), pc.not_equal(numerals.power, ""))
    return not (_flags(odd) & numerals.reading(decimal)).any()
