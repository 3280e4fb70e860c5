"""The text of a guessed dataset.toml: every guess with its reason beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
import tomlkit
from tomlkit.items import KeyType, SingleKey

from customer_tables.errors import UserError
from customer_tables.guessing import Guess
from customer_tables.names import MINOR
from customer_tables.roles import archetypes
from customer_tables.source import Source
from customer_tables.storage import text_digest
from customer_tables.text import YEAR

SEAL = "# While this file is unedited, a new run guesses it again: "
HEAD = """\
# Guessed from {source}. Every line is a guess with its reason beside it: correct what is wrong,
# then run again with --dataset and the path of this file, and the same --input.
# kind: id, money, count, share, months, number, date, yes_no, category or text
# role of a feature: "segment" (makes the segments), "describe" (only describes them), "left out"
# role of a column: "outcome" (known afterwards: makes and describes no segment), or what it says of
# customers (value, recency, tenure ...), by which the archetypes at the end were chosen
# transform: "none", "log1p" (for many small and few large values) or "yeo-johnson"
"""
KIND_REASONS = {
    "money": "an amount, by its name, its sign or its unit",
    "count": "whole numbers that count something",
    "share": "a part of a whole, by its name or its values (0 and 1: none and all of it)",
    "months": "called months",
    "number": "numbers that are no amount, count or share, by their name and values",
}
# Name in the table: label, kind, unit, role, transform, reason.
MEANINGS = {
    name: tuple(part.strip() for part in meaning.split("|"))
    for name, meaning in {
        "customer_id": "Customer | id | | id | none | tells customers apart",
        "recency_days": "Days since the last purchase | number | days | segment | log1p | "
        "how recently, counted back from the last purchase in the file",
        "orders": "Orders | count | | segment | log1p | how often",
        "spent": "Spent | money | | segment | log1p | how much, before returns",
        "net_value": "Value net of returns | money | | describe | log1p | "
        "what a customer is worth; nearly the same as what was spent",
        "tenure_days": "Days since the first purchase | number | days | describe | none | "
        "how long a customer is known in this file",
        "active_months": "Months with purchases | months | | describe | none | how steadily",
        "basket_value": "Value of an order | money | | describe | log1p | "
        "what was spent, divided by orders",
        "basket_lines": "Lines in an order | number | | describe | log1p | size of a basket",
        "products": "Different products | count | | describe | log1p | variety",
        "categories": "Different categories | count | | describe | none | variety",
        "discount_share": "Discount | share | | describe | none | share of the full price",
        "coupon_share": "Orders with a coupon | share | | describe | none | share of orders",
        "own_brand_share": "Own brands | share | | describe | none | share of what was spent",
        "returns_share": "Returned | share | | describe | none | share of what was spent",
        "weekend_share": "Orders at weekends | share | | describe | none | share of orders",
        "evening_share": "Orders after 17:00 | share | | describe | none | share of orders",
        "trend": "Trend between the halves | number | | describe | none | "
        "spent in the second half of the period less the first, over both: -1 to 1",
    }.items()
}
SAME = "the same for every customer"
RFM = {"recency": "recency_days", "frequency": "orders", "monetary": "spent"}
PLAYS = {  # the roles of archetypes.toml
    "recency_days": "recency",
    "orders": "frequency",
    "net_value": "value",
    "tenure_days": "tenure",
    "basket_value": "ticket",
    "products": "breadth",
    "discount_share": "discount",
    "returns_share": "returns",
}


def is_untouched(text: str) -> bool:
    """Whether a guessed dataset.toml is unedited since it was written."""
    text = text.replace("\r\n", "\n")
    return text.startswith(SEAL) and _sealed(text.partition("\n")[2]) == text


def _sealed(text: str) -> str:
    """Put a line before a text that tells whether the text was edited afterwards."""
    return f"{SEAL}{text_digest(text)[:16]}\n{text}"


def dataset_toml(
    name: str,
    source: dict[str, str | int],
    guesses: Sequence[Guess],
    value: str,
    questions: Sequence[tuple[str, str]],
    more: Sequence[str] = (),
) -> str:
    """Lay out guesses as the text of a dataset.toml.

    The value is the column or feature that measures what a customer is worth, or empty; questions
    are pairs of a name and a condition; more are further tables in TOML, put at the end.
    """
    dropped = {SingleKey(g.source, KeyType.Basic): g.why for g in guesses if g.role == "dropped"}
    blocks = [
        HEAD.format(source=_comment(str(source["name"]))),
        _table("dataset", _about(name, str(source["name"]), guesses)),
    ]
    if value:
        label = next(guess.label for guess in guesses if guess.name == value).lower()
        blocks += [_table("value", {"column": value, "label": label}, "what a customer is worth")]
    else:
        blocks += ["# [value]: no column looks like what a customer is worth; name one here\n"]
    if dropped:
        blocks += [_heading("Columns of the file that are left out, and why")]
        blocks += [_table("left_out", dropped)]
    blocks += [_heading("Columns: the name here, the name in the file, what it holds")]
    blocks += [_column(guess) for guess in guesses if guess.role != "dropped" and not guess.formula]
    blocks += [_heading("Features: which segment, which describe, which are left out, and why")]
    shown = (guess for guess in guesses if guess.role in ("segment", "describe", "left out"))
    blocks += [_feature(guess) for guess in shown if guess.is_numeric]
    if questions:
        plain = "Yes/no rules: their answers are the baseline that clusters have to beat"
        entries = [{"name": name, "when": when} for name, when in questions]
        blocks += [_heading(plain), *(_written({"questions": [entry]}) for entry in entries)]
    return _sealed("\n".join([*blocks, *more]))


def _about(name: str, file: str, guesses: Sequence[Guess]) -> dict[str, Any]:
    money = [guess for guess in guesses if guess.kind == "money" and guess.unit]
    signs = {guess.unit for guess in money if not MINOR.fullmatch(guess.unit)}
    limits = ["What the columns mean was guessed from their names and values; see dataset.toml."]
    if names := ", ".join(guess.source for guess in guesses if guess.personal):
        limits.append(f"Left out because they could tell who somebody is: {names}.")
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "source": file,
        "currency": signs.pop() if len(signs) == 1 else "",
        "limits": limits,
    }


def _column(guess: Guess) -> str:
    entries: dict[str, Any] = {"kind": guess.kind, "label": guess.label, "found_as": [guess.source]}
    if guess.unit:
        entries["unit"] = guess.unit
    if guess.valid:
        entries["valid"] = [limit if limit % 1 else int(limit) for limit in guess.valid]
    if guess.before:
        entries["before"] = guess.before
    if guess.outside:
        entries["outside"] = guess.outside
    if role := guess.plays or (guess.role if guess.role == "outcome" else ""):
        entries["role"] = role
    if not guess.is_numeric:
        entries["required"] = False  # a later table without it can still be segmented
    why = KIND_REASONS[guess.kind] if guess.is_numeric else guess.why
    why = "a calendar year" if guess.unit == YEAR else guess.why if guess.before else why
    why = f"{why}; role {guess.plays}: {guess.plays_why}" if guess.plays else why
    return _written({"columns": {guess.name: _commented(entries, why)}})


def _feature(guess: Guess) -> str:
    names = "name label formula kind unit role transform why".split()
    entries = {name: getattr(guess, name) for name in names if name != "unit" or guess.unit}
    entries["formula"] = guess.formula or guess.name
    return _written({"features": [entries]})


def _heading(text: str) -> str:
    return f"# --- {text} {'-' * max(3, 92 - len(text))}\n"


def _table(name: str, entries: dict, comment: str = "") -> str:
    return _written({name: _commented(entries, comment)})


def _commented(entries: dict, comment: str) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.update(entries)
    if comment:
        table.comment(_comment(comment))
    return table


def _written(content: dict) -> str:
    """Write TOML; what is invisible, or turns what follows, is written by its number."""
    text = tomlkit.dumps(content)
    hidden = {c for c in text if not c.isprintable() and c != "\n"}
    code: dict = {c: f"\\U{ord(c):08X}" if ord(c) > 0xFFFF else f"\\u{ord(c):04X}" for c in hidden}
    return text.translate(str.maketrans(code))


def _comment(text: str) -> str:
    """Return a text as it may stand behind a #: without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def describe_transactions(
    table: pd.DataFrame,
    source: Source,
    about: dict[str, str | int],
    name: str,
    people: Sequence[Guess] = (),
) -> str:
    """Write the dataset.toml of customers that were aggregated from transaction lines.

    The table is that of `aggregate`, with the columns of people joined; `people` says what these
    were taken for, and `about` where the lines came from, as in `Reading.source`.

    Raises
    ------
    UserError
        If customers differ in one of recency, orders and spending at most.
    """
    constant = {column for column in MEANINGS if column in table and table[column].nunique() < 2}
    guesses = [_meaning(c, table[c]) for c in table if c in MEANINGS and c not in constant]
    guesses += [_bought(c) for c in table if c.startswith("spent_on_") and table[c].any()]
    guesses += [replace(_meaning(c, table[c]), role="dropped", why=SAME) for c in sorted(constant)]
    guesses = [
        replace(guess, unit=str(about["currency"])) if guess.kind == "money" else guess
        for guess in guesses
    ]
    if sum(guess.role == "segment" for guess in guesses) < 2:
        raise UserError(
            "nearly all customers bought on the same day, equally often or equally much",
            where=f"{about['name']}: at most one of recency, orders and spending differs",
            remedy="bring purchases of a longer time, or one row a customer with more columns",
        )
    questions = [("more than one order", "orders > 1")] if "orders" not in constant else []
    given = {key: entry for key, entry in asdict(source).items() if entry}
    more = [_table("source", given, "the columns of the file of purchases")]
    if not constant & set(RFM.values()):
        more += [_table("rfm", RFM, "the features behind the RFM segments")]
    more += archetypes([guess for guess in guesses if guess.source not in constant], table)
    return dataset_toml(name, about, [*guesses, *people], "net_value", questions, more)


def _meaning(column: str, values: pd.Series) -> Guess:
    label, kind, unit, role, transform, why = MEANINGS[column]
    if transform == "log1p" and values.min() < 0:
        transform = "yeo-johnson"
    found = Guess(column, column, label, kind, role, why, unit, transform)
    return replace(found, plays=PLAYS.get(column, ""), plays_why="made from the lines")


def _bought(column: str) -> Guess:
    what = column.removeprefix("spent_on_").replace("__", " ").replace("_", " ")
    why = "what was bought: describes"
    return Guess(column, column, f"Spent on {what}", "money", "describe", why, "", "log1p")
