"""Texts that are printed only while a condition holds, with the numbers that it was judged by."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.text import joined
from segmentation import expressions, presentation

# Words for the adjusted Rand index (Steinley 2004, Psychological Methods 9, p. 388).
AGREEMENT_CUTS = ((0.90, "excellent"), (0.80, "good"), (0.65, "moderate"))


class Claim(str):
    """A text with its condition, and the numbers that the condition and the text use.

    To everything that prints it, it is an ordinary text. The condition is one of the language of
    `expressions`, over the names of the numbers; these may be aggregates such as
    ``share(balance > 0)``.
    """

    condition: str
    values: dict[str, float]
    holds: bool
    because: tuple[str, ...]  # the condition in words, with its numbers

    def __new__(
        cls,
        text: str,
        condition: str,
        values: Mapping[str, float],
        holds: bool = True,
        because: tuple[str, ...] = (),
    ) -> Claim:
        """Tie a text to a condition that has been evaluated."""
        made = super().__new__(cls, text)
        made.condition, made.values, made.holds = condition, dict(values), holds
        made.because = because
        return made


def claim(values: Mapping[str, Any], *options: tuple[str, str]) -> Claim:
    """Return the first text whose condition holds; an empty one where none does.

    Parameters
    ----------
    values : mapping of str to number
        By the names that conditions use; what is unknown (None, NaN) compares with nothing.
    *options : tuple of str
        A condition and a text.
    """
    numbers = {n: math.nan if value is None else float(value) for n, value in values.items()}
    arrays = {name: np.array([value]) for name, value in numbers.items()}
    for condition, text in options:
        if expressions.evaluate(condition, arrays)[0]:
            return Claim(text, condition, numbers)
    return Claim("", "", {}, holds=False)


def stated(template: str, when: str = "", **values: object) -> Claim:
    """Fill a template, and tie the text to its numbers and to the claims among its values.

    Parameters
    ----------
    when : str, optional
        A condition over `values`: where it does not hold, the text is empty.

    Examples
    --------
    >>> stated("{share:.0%} of {whom}", "share > 0.5", share=0.512, whom="all").condition
    '(share > 0.5)'
    """
    asked = {name: values[name] for name in expressions.columns_of(when)} if when else {}
    own = claim(asked, (when, " ")) if when else claim({})
    if when and not own:
        return own
    found = presentation.fields(template, **values)
    numbers = {field: number for field, number in found.items() if presentation.is_number(number)}
    parts = [own, Claim("", "", numbers), *(v for v in found.values() if isinstance(v, Claim))]
    plain = re.sub(r"\*+|^- ", "", template)
    return together(presentation.plain(plain, **values), parts)


def scaled(value: float, cuts: Iterable[tuple[float, str]], below: str) -> Claim:
    """Return the word of a published scale for a number: that of the first cut it reaches."""
    words = [(f"number >= {cut}", word) for cut, word in cuts]
    return claim({"number": value}, *words, ("number == number", below))


def agreement_word(value: float) -> Claim:
    """Return Steinley's (2004) word for an adjusted Rand index."""
    return scaled(value, AGREEMENT_CUTS, "poor")


def most(values: pd.Series, *, least: bool = False) -> Claim:
    """Return the label of the largest value, or of the least; where it is not the only one, say so.

    Values are the same up to nine decimals.
    """
    ordered = values.dropna().sort_values(ascending=least, kind="stable").round(9)
    if ordered.empty:
        return claim({})
    label, sign = ordered.index[0], "<" if least else ">"
    first, *rest = ordered.iloc[:3]
    numbers = {"first": first, "others": len(rest)}
    numbers |= dict(zip(("next", "third"), rest, strict=False))
    if presentation.is_number(label):  # such as a k
        numbers["at"] = label
    two = f"{label} and {ordered.index[1]}" if rest else ""
    return claim(
        {"next": math.nan, "third": math.nan} | numbers,
        (f"first {sign} next or others == 0", str(label)),
        ("first == third", f"{label} among others"),
        ("first == next", two),
    )


def extremes(values: pd.Series) -> dict[str, Any]:
    """Return the least and the largest of values with their labels, as templates name them."""
    lowest, highest = most(values, least=True), most(values)
    return {"lowest": lowest, "low": values.min(), "highest": highest, "high": values.max()}


def listed(parts: Iterable[str], last: str = "and", none: str = "") -> Claim:
    """Write parts as a list, tied to the claims among them; `none` where there is no part."""
    parts = list(parts)
    if not parts:
        return claim({"parts": 0}, ("parts == 0", none))
    return together(joined(parts, last), [part for part in parts if isinstance(part, Claim)])


def together(text: str, claims: Iterable[Claim]) -> Claim:
    """Tie a text to all the claims that it is put together from."""
    values: dict[str, float] = {}
    conditions, holds = [], True
    for part in claims:
        condition, holds = part.condition, holds and (part.holds or not part.condition)
        called: dict[str, str] = {}  # by the part's own names
        for name, value in part.values.items():
            free, again = name, 2
            while free in values and values[free] != value:
                free, again = f"{name}_{again}", again + 1
            values[free], called[name] = value, free
        conditions += [f"({_renamed(condition, called)})"] if condition else []
    return Claim(text, " and ".join(dict.fromkeys(conditions)), values, holds)


def _renamed(condition: str, called: Mapping[str, str]) -> str:
    names = "|".join(map(re.escape, sorted(called, key=len, reverse=True)))
    found = re.compile(rf"(?<!\w)(?:{names})(?!\w)" if names else "$.")
    return found.sub(lambda match: called[match.group()], condition)


def claims_of(content: Any) -> list[dict[str, Any]]:
    """List the claims anywhere in a report's data as text, condition and values, each once."""
    if isinstance(content, Claim):
        entry = {"text": str(content), "condition": content.condition, "values": content.values}
        return [entry] if content else []
    if isinstance(content, Mapping):
        content = content.values()
    elif not isinstance(content, (list, tuple)):
        return []
    found = [entry for part in content for entry in claims_of(part)]
    return list({(entry["text"], entry["condition"]): entry for entry in found}.values())


def restored(text: str, content: Mapping[str, Any]) -> Claim:
    """Return the claim of a text that was saved with its content and, as ``claims``, their list."""
    found = (entry for entry in content.get("claims", ()) if entry["text"] == text)
    return next((Claim(**entry) for entry in found), Claim(text, "", {}))
