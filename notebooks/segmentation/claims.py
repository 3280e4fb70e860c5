"""Texts that are printed only while a condition holds, with the numbers that it was judged by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from segmentation import expressions


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


def together(text: str, claims: Iterable[Claim]) -> Claim:
    """Tie a text to all the claims that it is put together from."""
    parts = [part for part in claims if part.condition]
    values = {name: value for part in parts for name, value in part.values.items()}
    condition = " and ".join(dict.fromkeys(f"({part.condition})" for part in parts))
    return Claim(text, condition, values, holds=all(part.holds for part in parts))


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
