"""What one column is taken for, by its name, its kind and its values."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from customer_tables import vocabulary
from customer_tables.changes import Reading
from customer_tables.names import MINOR, is_called_a_date, simplify_name, split_name
from customer_tables.text import YEAR, printable

SKEWED = 1.0  # skewness from which a logarithm is taken
MOSTLY_MISSING = 0.5
MANY_GAPS = 1 / 3  # of the rows: what is put into them would make segments
MOST_CATEGORIES = 50
YEARS = (1850, 2100)
# What a name means in formulas already.
RESERVED = frozenset({"abs", "log1p", "max", "min", "ratio", "inf", "nan", *keyword.kwlist})
NUMERIC = ("money", "count", "share", "months", "number")  # kinds
MANY = 1000  # whole numbers from 0 or 1 that stay below are taken for counts
FEW = 20  # gifts or purchases of the median customer who made some; amounts are larger
SENSITIVE = "sensitive: describes, and stays out of the distance"
OUTCOME = "an outcome: makes and describes no segment; segments are held against it"
SMALL = 30  # up to which whole numbers are how many, though their name begins with "amount"
QUESTION = 7  # words from which a name is one
NO_PHONE = 1e6  # below which a number is none of a telephone
UNNAMED = re.compile(r"(unnamed|column|index|x)?( \d+)?")  # a column that somebody else named
EMAIL = r"^[^@\s]+@[^@\s]+\.\w+$"
PHONES = re.compile("phone|mobile|fax|telefon|msisdn|handy|celular|téléphone|teléfono")
PHONE = r"^\+?[\d\s()/.-]{7,20}$"


# Words of what is counted or known of somebody, however long the question.
FACTS = vocabulary.COUNT | vocabulary.SENSITIVE | vocabulary.HOUSEHOLD | vocabulary.SPENDING


@dataclass(frozen=True)
class Guess:
    """What one column is taken for; label, kind, unit and transform as in dataset.toml."""

    source: str  # the column's name in the file
    name: str  # in the formulas: lower case, letters, digits and underscores
    label: str
    kind: str
    # "id", "segment", "describe", "left out" (a feature that is shown but plays no part),
    # "outcome" or "dropped" (not part of the dataset)
    role: str
    why: str  # the reason for the role
    unit: str = ""
    transform: str = "none"
    valid: tuple[float, float] | None = None  # the range that the values should keep to
    outside: str = ""  # what happens to values that do not
    formula: str = ""  # what a feature is computed from, where that is not the column itself
    personal: bool = False
    before: date | None = None  # of dates: the day before which their days are counted
    plays: str = ""  # its role among those of archetypes.toml
    plays_why: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers that can be averaged."""
        return self.kind in NUMERIC


def guess_column(source: str, reading: Reading, is_identifier: bool) -> Guess:
    """Guess one column: identity first, then what is not there, then what the values are."""
    values, kind = reading.table[source], reading.kinds[source]
    words = split_name(re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", source) or source)
    words = MINOR.sub("", words).strip() or words  # the unit says so
    words = words.removesuffix(" in") if "%" in source else words
    label = printable(words.capitalize() or source)
    base = Guess(source, simplify_name(source), label, "text", "dropped", "")
    if is_identifier:
        return replace(base, kind="id", role="id", why="tells customers apart")
    if why := _find_identity(words, values, kind):
        return replace(base, why=why, personal=True)
    if kind == "id" and not names_groups(values):
        return replace(base, kind="id", why="another identifier or code, no behaviour")
    if source in reading.unread:
        return replace(base, why=reading.unread[source])
    if values.notna().sum() == 0:
        return replace(base, why="no value in any row")
    numeric, known = pd.api.types.is_numeric_dtype(values), values.dropna()
    if (numeric or len(known) == len(values)) and (known == known.iloc[0]).all():
        where = "in every row" if len(known) == len(values) else "wherever there is one"
        return replace(base, why=f"the same value {where} ({known.iloc[0]})")
    if (missing := values.isna().mean()) > MOSTLY_MISSING:
        return replace(base, why=f"missing in {missing:.0%} of the rows")
    tokens = set(words.split())
    if vocabulary.KNOWN_LATER.fullmatch(words) and (kind == "yes_no" or values.nunique() == 2):
        kind = "yes_no" if kind == "yes_no" else "category"
        return replace(base, kind=kind, role="outcome", why=OUTCOME)
    coded, private = tokens & vocabulary.CODED, tokens & vocabulary.SENSITIVE
    named = values.dtype == bool and tokens > coded  # "plan basic" is answered, "plan" is not
    if kind == "yes_no" and coded and (private or not named):
        why = SENSITIVE if private else "codes of two groups: describe"
        return replace(base, kind="category", role="describe", why=why)
    if kind in ("yes_no", "date"):
        why = "an outcome or a date: describes" if kind == "date" else "yes or no: describes"
        return replace(base, kind=kind, role="describe", why=SENSITIVE if private else why)
    if not numeric:
        return _guess_words(base, known)
    guess = _guess_numbers(base, words, known, kind, reading.units.get(source, ""))
    if guess.role == "segment" and missing > MANY_GAPS:
        why = f'missing in {missing:.0%} of the rows (to fill them: --role segment="{source}")'
        return replace(guess, role="dropped", why=why)
    return guess


def spell_out(label: str) -> str:
    """Write the usual abbreviations of a column's name out: "Avg amt" is "Average amount"."""
    short = vocabulary.ABBREVIATIONS
    label = vocabulary.JOINED_ON.sub(r"\1 ", label)
    long = "|".join(word for word in short if len(word) > 1)  # "N1" stays
    words = re.sub(rf"\b({long})(\d+)\b", r"\1 \2", label, flags=re.IGNORECASE).split()
    none = bool(vocabulary.NONE_OF.match(label))
    if (
        not none
        and words
        and words[0].lower() in ("num", "no", "nr", "n", "number")
        and words[1:2] not in ([], ["of"])
    ):
        words.insert(1, "of")
    if sorted(word.lower() for word in words) == ["birth", "year"]:
        return "Year of birth"
    # "no promo"
    kept = [(place > 0 or none) and word.lower() == "no" for place, word in enumerate(words)]
    pairs = zip(words, kept, strict=True)
    spelled = " ".join(word if keep else short.get(word.lower(), word) for word, keep in pairs)
    return spelled[:1].upper() + spelled[1:]


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that formulas can use and no other column has."""
    name = f"{name}_" if name in RESERVED else name
    free = (name if count < 2 else f"{name}_{count}" for count in itertools.count(1))
    return next(name for name in free if name not in taken)


def names_groups(values: pd.Series) -> bool:
    """Whether few codes stand for many rows: they name groups of customers."""
    return 1 < values.nunique() <= min(MOST_CATEGORIES, len(values) // 10)


def _find_identity(words: str, values: pd.Series, kind: str) -> str:
    """Say why a column could tell who somebody is; nothing where it could not."""
    numeric = kind in ("number", "money", "share", "empty")
    phone = PHONES.search(words)
    if kind == "yes_no" or (numeric and not (phone and values.max() >= NO_PHONE)):
        return ""
    if phone and names_groups(values) and not values.astype("str").str.contains(r"\d").any():
        return ""  # how somebody was reached, not by which number
    if vocabulary.PERSONAL.fullmatch(words):
        return "names a person or how to reach them"
    if kind in ("text", "id"):
        some = values.dropna().head(1000).astype("str")
        if some.str.match(EMAIL).mean() > 0.5:
            return "holds e-mail addresses"
        if kind == "text" and some.str.match(PHONE).mean() > 0.5 and some.nunique() > len(some) / 2:
            return "holds telephone numbers"
    return ""


def _guess_words(base: Guess, values: pd.Series) -> Guess:
    """Tell categories, which describe, from free text, which does not."""
    distinct = values.nunique()
    if distinct > 0.9 * len(values) and len(values) > 20:
        why = "another text in nearly every row: names or remarks"
        return replace(base, why=why, personal=True)
    if distinct > MOST_CATEGORIES:
        return replace(base, why=f"{distinct:,} different texts: too many to describe segments")
    sensitive = vocabulary.SENSITIVE & set(split_name(base.source).split())
    why = SENSITIVE if sensitive else "words: describe"
    return replace(base, kind="category", role="describe", why=why)


def _guess_numbers(base: Guess, words: str, values: pd.Series, kind: str, unit: str) -> Guess:
    """Guess the kind, transform and role of a column of numbers."""
    tokens = {token.rstrip("0123456789") or token for token in words.split()}
    whole = bool((values == values.round()).all())
    low, high, distinct = values.min(), values.max(), values.nunique()
    if len(words.split()) >= QUESTION and whole and low >= 0 and high <= 10 and not tokens & FACTS:
        words, tokens = "score", {"score"}
    places = tokens & vocabulary.PLACES
    coded = bool(vocabulary.HEADS & {*words.split()[-1:]})
    measured = tokens & (vocabulary.COUNT if coded else vocabulary.COUNT | vocabulary.MONEY)
    measured |= tokens & {"score", "rating", "satisfaction", "points"}
    nominal = coded or tokens & vocabulary.NOMINAL
    if whole and nominal and not measured:
        if distinct <= (MOST_CATEGORIES if places else 20):
            why = "numbers that stand for names"
            return replace(base, kind="category", role="describe", why=why)
        if places or coded:
            why = f"{distinct:,} numbers that stand for names: too many to describe segments"
            return replace(base, kind="number", why=why)
    if whole and distinct == 2 and high > 1 and not tokens & (vocabulary.MONEY | FACTS):
        why = "two numbers that stand for groups"
        return replace(base, kind="category", role="describe", why=why)
    hour = "hour" in tokens - {"per"} and whole and high >= 12 or words == "hour"
    calendar = whole and vocabulary.CALENDAR.fullmatch(words) and low >= 0 and high <= 366
    if calendar or (hour and low >= 0 and high < 24):
        return replace(base, kind="number", role="left out", why="a part of a date, no amount")
    if vocabulary.ON_THE_MAP.fullmatch(words):
        return replace(base, kind="number", role="left out", why="a place on the map, no amount")
    if vocabulary.MODEL_OUTPUT.fullmatch(words):
        return replace(base, kind="number", role="left out", why="the output of a model")
    if whole and not measured and _are_codes(values):
        return replace(base, kind="number", why="whole numbers of one length, from 8 digits: codes")
    counted = whole and distinct == len(values) > 20 and high - low == distinct - 1
    unnamed = whole and distinct == len(values) and bool(UNNAMED.fullmatch(words))
    counted |= unnamed and values.is_monotonic_increasing  # some of its rows may be gone
    ordered = values.is_monotonic_increasing or values.is_monotonic_decreasing
    if vocabulary.RECORD_WORDS.search(words):
        measured = set()
    if counted and not measured and (low <= 1 or ordered):
        why = (
            "counts the rows: a record number"
            if ordered and low <= 1
            else "each whole number once: a code"
        )
        return replace(base, why=why)
    years = whole and YEARS[0] <= low and high <= YEARS[1]
    if years and (tokens & vocabulary.YEARS or low >= 1900):
        return replace(base, kind="number", unit=YEAR, role="describe", why="a calendar year")
    # Days from or to a date are fewer than 100, and those of a month end at 31.
    dated = is_called_a_date(words) and (low >= 100 or (whole and low == 1 and high in (30, 31)))
    if dated and not tokens & vocabulary.MONEY and not measures_time(words):
        return replace(base, kind="number", role="left out", why="called a date, and reads as none")
    in_percent = unit == "%" and kind != "share"
    unit = "" if unit == "%" and kind == "share" else unit
    kind = "number" if in_percent else _guess_kind(words, tokens, values, kind, whole)
    base = replace(base, kind=kind, unit=unit)
    if kind in ("share", "money", "count", "months") and low >= 0:
        base = replace(base, valid=(0.0, 1.0 if kind == "share" and high <= 1.5 else np.inf))
    if tokens & vocabulary.SENSITIVE:
        return replace(base, role="describe", why=SENSITIVE)
    transform, why = guess_transform(kind, values)
    if tokens & (vocabulary.DESCRIPTIVE | vocabulary.OUTCOMES | vocabulary.INCOME):
        why = "who a customer is, rather than what they do"
        return replace(base, role="describe", transform=transform, why=why)
    return replace(base, role="segment", transform=transform, why=why)


def _guess_kind(words: str, tokens: set[str], values: pd.Series, kind: str, whole: bool) -> str:
    """Tell money, counts, shares and months apart, by unit, name and values."""
    low, high = values.min(), values.max()
    counts = whole and low >= 0
    money = not measures_time(words)
    numbered = bool(tokens & vocabulary.NUMBER_OF)
    share = tokens & vocabulary.SHARES and low >= 0 and values.quantile(0.99) <= 1
    if kind in ("money", "share"):
        return kind
    if tokens & vocabulary.SCORES:
        return "number"
    amounts = vocabulary.MONEY & set(words.split()[1:])
    if re.match(r"(amt|amount|payment) .", words) and counts and high <= SMALL and not amounts:
        return "count"
    if re.fullmatch(vocabulary.VALUES[0], words):
        return "money"
    if re.fullmatch(vocabulary.GIFTS, words):
        return "count" if counts and (not money or _are_few(values)) else "money"
    if share or (low >= 0 and high <= 1 and not whole):
        return "share"
    if money and tokens & vocabulary.SPENDING and not numbered:
        return "money"
    in_months = "months" in tokens or ("month" in tokens and not (counts and numbered))
    if in_months and "per" not in tokens:
        return "months"
    few = whole and 0 <= low <= 1 and high < MANY
    unnamed = money and not tokens & (vocabulary.MONEY | vocabulary.SENSITIVE)
    if (counts and tokens & vocabulary.COUNT) or (few and unnamed):
        return "count"
    return "money" if money and tokens & vocabulary.MONEY else "number"


def _are_codes(values: pd.Series) -> bool:
    """Whether whole numbers have as many digits as telephone numbers, all equally many."""
    same = len(str(int(values.min()))) == len(str(int(values.max())))
    return bool(values.min() >= 1e7 and same and (values % 10 == 0).mean() < 0.5)


def _are_few(values: pd.Series) -> bool:
    """Whether whole numbers are how many gifts or purchases: amounts are larger, or round."""
    some = values[values > 0]
    return some.median() <= FEW and (some % 5 == 0).mean() < 0.5


def measures_time(words: str) -> bool:
    """Whether a name tells of a time or a change, whatever amount it mentions beside."""
    return bool(set(words.split()) & vocabulary.NO_MONEY or vocabulary.TIMES.fullmatch(words))


def guess_transform(kind: str, values: pd.Series) -> tuple[str, str]:
    """Return the transform for the distance, and the reason."""
    skew = round(float(values.skew()), 1) + 0.0  # never "-0.0"
    if kind not in ("share", "months") and np.isfinite(skew) and abs(skew) > SKEWED:
        if values.min() >= 0 and skew > SKEWED:
            return "log1p", f"skewness {skew:.1f}: few large values, so on a log scale"
        if values.min() < 0 and kind == "money":
            return "yeo-johnson", f"skewness {skew:.1f} with amounts below zero"
    return "none", f"skewness {skew:.1f}: kept on its own scale"
