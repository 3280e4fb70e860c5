"""The text of an inferred dataset.toml: every guess with its reason beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence

from customer_tables.text import YEAR
from segmentation.guessing.columns import Guess

SEAL = "# As long as nobody edits this file, a new run guesses anew: "
HEAD = """\
# Guessed from {source}. Every line is a guess with its reason beside it: correct what is wrong,
# then run again with --dataset and the path of this file, and the same --input.
# kind: id, money, count, share, months, number, date, yes_no, category or text
# role of a feature: "segment" (makes the segments), "describe" (only describes them), "left out"
# transform: "none", "log1p" (for many small and few large values) or "yeo-johnson"
"""
KIND_REASONS = {
    "money": "an amount, by its name, its sign or its unit",
    "count": "whole numbers that count something",
    "share": "a part of a whole, by its name or its values",
    "months": "called months",
    "number": "numbers that are no amount, count or share, by their name and values",
}


def write_dataset(
    name: str,
    source: dict[str, str | int],
    guesses: Sequence[Guess],
    value: str,
    questions: Sequence[tuple[str, str]],
    more: str = "",
) -> str:
    """Lay out guesses as the text of a dataset.toml.

    Parameters
    ----------
    name : str
        The dataset's name.
    source : dict
        Where the table came from, as in `Reading.source`.
    guesses : sequence of Guess
    value : str
        The column or feature that measures a customer's value; empty if there is none.
    questions : sequence of (name, condition)
        Plain yes/no questions about customers.
    more : str
        Further tables in TOML, put at the end.

    Returns
    -------
    str
        Valid TOML.
    """
    columns = [g for g in guesses if g.role != "dropped" and not g.formula]
    features = [g for g in guesses if g.role in ("segment", "describe", "left out")]
    dropped = [g for g in guesses if g.role == "dropped"]
    asked = "Plain questions: their answers are the baseline that clusters have to beat"
    parts = [
        HEAD.format(source=_comment(str(source["name"]))),
        _write_head(name, source, guesses),
        _write_value(value, guesses),
        *([_heading("Columns of the file that are left out, and why")] if dropped else []),
        *([_table("left_out", [(spell(g.source), g.why) for g in dropped])] if dropped else []),
        _heading("Columns: the name here, the name in the file, what it holds"),
        *[_write_column(guess) for guess in columns],
        _heading("Features: which segment, which describe, which are left out, and why"),
        *[_write_feature(guess) for guess in features if guess.is_numeric],
        *([_heading(asked)] if questions else []),
        *[_table("[questions]", [("name", n), ("when", w)]) for n, w in questions],
    ]
    return sealed("".join([*parts, more]))


def sealed(text: str) -> str:
    """Put a line before a text that tells whether the text was edited afterwards."""
    return f"{SEAL}{hashlib.sha256(text.encode()).hexdigest()[:16]}\n{text}"


def is_untouched(text: str) -> bool:
    """Whether nobody has edited a guessed dataset.toml since it was written."""
    text = text.replace("\r\n", "\n")
    return text.startswith(SEAL) and sealed(text.partition("\n")[2]) == text


def _write_head(name: str, source: dict[str, str | int], guesses: Sequence[Guess]) -> str:
    signs = {guess.unit for guess in guesses if guess.kind == "money" and guess.unit}
    personal = [guess.source for guess in guesses if guess.personal]
    limits = ["What the columns mean was guessed from their names and values; see dataset.toml."]
    if personal:
        names = ", ".join(personal)
        limits.append(f"Left out because they could tell who somebody is: {names}.")
    if any(guess.role == "describe" and "sensitive" in guess.why for guess in guesses):
        limits.append("Sensitive columns describe the segments and play no part in making them.")
    entries = [
        ("name", name),
        ("title", name.replace("_", " ").capitalize()),
        ("source", str(source["name"])),
        ("currency", signs.pop() if len(signs) == 1 else ""),
        ("limits", limits),
    ]
    return _table("dataset", entries)


def _write_value(value: str, guesses: Sequence[Guess]) -> str:
    if not value:
        return "\n# [value]: no column looks like what a customer is worth; name one here\n"
    label = next(guess.label for guess in guesses if guess.name == value)
    return _table(
        "value", [("column", value), ("label", label.lower())], "what a customer is worth"
    )


def _write_column(guess: Guess) -> str:
    entries = [("kind", guess.kind), ("label", guess.label), ("found_as", [guess.source])]
    if guess.unit:
        entries.append(("unit", guess.unit))
    if guess.valid:
        entries.append(("valid", list(guess.valid)))
    if not guess.is_numeric:
        entries.append(("required", False))  # a later table without it can still be divided
    # A name of other letters than ASCII's has to stand in quotes.
    key = guess.name if guess.name.isascii() else json.dumps(guess.name)
    why = KIND_REASONS[guess.kind] if guess.is_numeric else guess.why
    return _table(f"columns.{key}", entries, "a calendar year" if guess.unit == YEAR else why)


def _write_feature(guess: Guess) -> str:
    entries = [
        ("name", guess.name),
        ("label", guess.label),
        ("formula", guess.formula or guess.name),
        ("kind", guess.kind),
        ("unit", guess.unit),
        ("role", guess.role),
        ("transform", guess.transform),
        ("why", guess.why),
    ]
    return _table("[features]", [(key, v) for key, v in entries if key != "unit" or v])


def _table(name: str, entries: Sequence[tuple[str, object]], comment: str = "") -> str:
    head = f"\n[{name}]" + (f" # {_comment(comment)}" if comment else "") + "\n"
    return head + "".join(f"{key} = {spell(value)}\n" for key, value in entries)


def _heading(text: str) -> str:
    return f"\n# --- {text} {'-' * max(3, 92 - len(text))}\n"


def _comment(text: str) -> str:
    """Return a text as it may stand behind a #: without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def spell(value: object) -> str:
    """Write a value as TOML."""
    if isinstance(value, list):
        return "[" + ", ".join(spell(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return ("-inf" if value < 0 else "inf") if math.isinf(value) else f"{value:g}"
    text = json.dumps(str(value), ensure_ascii=False)
    return "".join(c if c.isprintable() else _code(c) for c in text)


def _code(character: str) -> str:
    """Write a character that nobody can see, or that turns what follows, by its number."""
    return f"\\U{ord(character):08X}" if ord(character) > 0xFFFF else f"\\u{ord(character):04X}"
