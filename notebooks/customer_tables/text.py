"""Words and formats that everything shown to people has in common.

Needs the standard library only.
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from threading import Lock
from typing import Any

# Control characters but tab and line feed, marks that turn the direction of what follows, and
# invisible ones.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
CURRENCY_SIGNS = frozenset({"$", "£", "€", "¥", "₹", "US$", "CHF"})  # written before the amount
_PARSING = Lock()
YEAR = "year"  # the unit of columns that hold calendar years


def python_tree(source: str, mode: str = "exec") -> Any:
    """Parse Python, one text at a time: Python 3.11 loses count of the depth in threads."""
    with _PARSING:
        return ast.parse(source, mode=mode)


def printable(text: object, longest: int = 120) -> str:
    """Make a text from a file safe to show: no control or direction marks, and not endless."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in str(text))
    visible = " ".join(visible.split())
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def legible(text: str) -> str:
    """Take out of a text what is no letter and could act on what shows it; spaces stay."""
    return _INVISIBLE.sub(" ", text)


def slug(
    text: str,
    *,
    separator: str = "-",
    keep: str = "",
    longest: int | None = 60,
    default: str = "part",
) -> str:
    """Turn a text into a name that is safe as a file's or an anchor's everywhere.

    Lower-case letters and digits without accents, and the characters of ``keep``, stay; the
    separator stands for everything between them: "Élite & Co." becomes "elite-co".
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    safe = re.sub(f"[^a-z0-9{re.escape(keep)}]+", separator, ascii_text).strip(separator)
    return safe[:longest].strip(separator) or default


def lower_first(text: str) -> str:
    """Lower the first letter unless the word is an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def sentence_case(text: str) -> str:
    """Make the first letter a capital and leave the others alone (``ONE-OFF`` stays)."""
    return text[:1].upper() + text[1:]


def number(value: float | None) -> str:
    """Round a number sensibly for reading: 1,243 rather than 1243.4872, 0.37, 12.4."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 100 or float(value).is_integer():
        spec = "z,.0f"
    else:
        spec = ".1f" if size >= 10 else ".2f" if size >= 0.095 else ".2g"
    return format(value, spec).replace("-", "−")


def count(value: float) -> str:
    """Write a number of things: ``1243.4872`` becomes ``1,243``."""
    return f"{value:,.0f}"


def share(value: float | None) -> str:
    """Write a share of one in percent; near 0 and 1 never a false 0% or 100%."""
    if value is None or not math.isfinite(value):
        return "–"
    percent = 100 * value
    near_a_bound = 0 < abs(percent) < 1 or 99 < abs(percent) < 100
    text = f"{percent:z.{1 if near_a_bound else 0}f}"
    if near_a_bound and text in ("0.0", "100.0"):
        return "under 0.1%" if text == "0.0" else "over 99.9%"
    return f"{text}%".replace("-", "−")


def points(value: float | None, *, signed: bool = False) -> str:
    """Write a difference of two shares of one in percentage points: ``0.02`` becomes ``2.0``."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:{'+' if signed else ''}.1f}".replace("-", "−")


def decimal(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write an index or an effect with fixed decimals, a zero without a sign: ``−0.05``."""
    text = f"{value:{'+' if signed else ''}z.{digits}f}"
    return (text if float(text) else text.lstrip("+")).replace("-", "−")


def quantity(value: float | None, unit: str = "", kind: str = "") -> str:
    """Write a number with its unit: ``$2,740``, ``37%``, ``11.4 months``, ``1968`` or ``0.37``.

    A share of one becomes a percentage; a number whose unit is "%" is one already.

    A currency sign stands before the amount; a "year" is a calendar year; a unit that begins with
    "share", and the kinds "share" and "yes_no" without a unit, make a percentage.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if unit == YEAR:
        return f"{value:.0f}"
    if unit.lower().startswith("share") or (kind in ("share", "yes_no") and not unit):
        return share(value)
    if unit in CURRENCY_SIGNS:
        amount = f"{abs(value):,.{0 if abs(value) >= 10 or value == 0 else 2}f}"
        return f"{'−' if value < 0 else ''}{unit}{' ' if len(unit) > 1 else ''}{amount}"
    if number(value) == "1" and unit.isalpha() and len(unit) > 3:
        unit = unit.removesuffix("s")
    return f"{number(value)}{'' if unit == '%' else ' '}{unit}".strip()


def beside(label: str, value: float | None, unit: str = "", kind: str = "") -> str:
    """Write a number beside its label: without a unit in words that the label says already.

    Examples
    --------
    >>> beside("Payments per month", 31.25, "per month")
    '31.2'
    """
    in_words = unit not in CURRENCY_SIGNS and unit != YEAR and not unit.lower().startswith("share")
    said = in_words and unit.lower() in label.lower()
    return quantity(value, "" if said else unit, kind)


def answer_or_quantity(value: float, unit: str = "", kind: str = "") -> str:
    """Write what one customer has: yes or no as words, everything else as `quantity` does."""
    if kind == "yes_no" and value in (0, 1):
        return "yes" if value else "no"
    return quantity(value, unit, kind)


def joined(words: Sequence[str], last: str = "and") -> str:
    """Join words as a sentence does: a, b and c; with semicolons where a word holds a comma."""
    mark, last = ("; ", f"; {last}") if any(", " in word for word in words) else (", ", f" {last}")
    return f"{mark.join(words[:-1])}{last} {words[-1]}" if len(words) > 1 else "".join(words)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun in the right number: 1 segment, 6 segments."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def did_you_mean(text: str, names: Iterable[str], otherwise: str) -> str:
    """Suggest the name that resembles a mistaken one, where there is one."""
    close = get_close_matches(text, list(names), 1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else otherwise
