"""A small dataset whose every text is hostile and whose customers can be recognised anywhere.

``python tests/planted.py FOLDER`` writes it, to be run with ``scripts/run.py --dataset FOLDER``.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

CUSTOMERS = 260
# A page on which any of this acted would have another title, or would have asked for an address.
ACT = "document.title='taken'"
TEXTS = (
    f"<script>{ACT}</script>",
    f'"><img src=https://example.org/x onerror="{ACT}">',
    f"</title></style></textarea><svg onload={ACT}>",
    f"[click](javascript:{ACT}) ![i](https://example.org/i.png)",
    "`code` **bold** _it_ # head | cell",
    "{{7*7}} {% raw %} ${ACT} {0} {known}",
    r"$\frac{1}{2}$ \href{https://example.org}{x} \[x^2\] $x_",
    "\x1b[31mred\x1b]0;taken\x07 bell\x00null",
    "line\r\nbreak\ttab\u2028separator",
    "abc\u202edcba\u2066x\u2069\u200b\ufeff",
    "../../../planted/escaped",
    "..\\..\\planted",
    "=HYPERLINK(\"https://example.org/?\"&A1,\"x\")",
    "x" * 10_000,
    "<meta http-equiv=refresh content=\"0;url=https://example.org/\">",
    "me@example.org https://example.org/",
)  # fmt: skip
# The customers to look for: their identifiers, and amounts that nobody else has.
SENTINEL_IDS = ("SENTINEL-7Q4-ALPHA", "=SENTINEL+7Q4+BETA", "<i>SENTINEL-7Q4-GAMMA</i>")
SENTINEL_AMOUNTS = ((731846.27, 918273.64, 5123.0), (417.93, 268.71, 13.0), (0.0, 98765.43, 1.0))
TABLE_NAME = f"custömers <img src=x onerror={ACT}>;\u202e&$(touch taken).csv"
RARE = ("Zanzibar <b>one</b>", 3)  # an answer that so few gave


def text(place: int, word: str = "") -> str:
    """Return a hostile text, a different one for every place."""
    return f"{word} {TEXTS[place % len(TEXTS)]}".strip()


def write(folder: Path) -> Path:
    """Write dataset.toml and the table; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(_toml(description()), encoding="utf-8")
    header, *rows = table()
    with (folder / TABLE_NAME).open("w", encoding="utf-8", newline="") as file:
        # A file with null characters is refused as damaged, which has a test of its own.
        cells = ([str(cell).replace("\0", "") for cell in row] for row in (header, *rows))
        csv.writer(file).writerows(cells)
    return folder


def description() -> dict[str, Any]:
    """Return the content of dataset.toml."""
    money = {"kind": "money", "valid": [0, float("inf")]}
    return {
        "dataset": {
            "title": text(0, "Planted"),
            "source": TABLE_NAME,
            "noun": text(3, "buyer"),
            "nouns": text(1, "buyers"),
            "about": text(2, "About"),
            "period": text(6, "a year"),
            "currency": "<u>",
            "limits": [text(i, "Limit") for i in range(len(TEXTS))],
        },
        "value": {"column": "spent", "label": text(4, "money")},
        "columns": {
            "client": {"kind": "id", "found_as": [HEADER[0]]},
            "spent": money | {"label": text(0, "Spent"), "unit": "<s>€", "found_as": [HEADER[1]]},
            "borrowed": money | {"label": text(6, "Borrowed"), "found_as": [HEADER[2]]},
            "visits": {"kind": "count", "label": text(13, "Visits"), "found_as": [HEADER[3]]},
            "online": {"kind": "share", "valid": [0, 1], "label": text(7, "Online"),
                       "outside": "clip", "missing": "zero", "found_as": [HEADER[4]]},
            "../../../planted_column": {"kind": "category", "label": text(10, "Town"),
                                        "found_as": [HEADER[5]]},
            "<b>club</b>": {"kind": "category", "label": text(5, "Club"), "found_as": [HEADER[6]]},
            "age": {"kind": "number", "label": text(11, "Age"), "found_as": [HEADER[7]]},
            "spent_on_food": money | {"label": text(2, "Spent on food"), "found_as": [HEADER[11]]},
            "spent_on_rest": money | {"label": text(5, "Spent on rest"), "found_as": [HEADER[12]]},
        },
        "rfm": {"recency": "age", "frequency": "visits", "monetary": "spent"},
        "left_out": {text(12): text(14, "because")},
        "rules": [
            {"name": text(9, "no visit"), "when": "visits == 0", "column": "spent", "fill": 0.0},
            {"name": text(8, "visits"), "check": "visits > 0 or spent == 0", "why": text(1)},
        ],
        "features": [
            {"name": "spent", "formula": "spent", "kind": "money", "transform": "log1p",
             "label": text(1, "spent"), "unit": "<s>€", "why": text(0, "why")},
            {"name": "borrowed", "formula": "borrowed", "kind": "money", "transform": "log1p",
             "label": text(6, "borrowed")},
            {"name": "../../planted_feature", "formula": "ratio(spent, visits)", "kind": "money",
             "transform": "log1p", "label": text(10, "ticket")},
            {"name": "online", "formula": "online", "kind": "share", "label": text(13, "online")},
            {"name": "age", "formula": "age", "role": "describe", "label": text(9, "age")},
            {"name": "visits", "formula": "visits", "kind": "count", "role": "left out"},
        ],
        "archetypes": [
            {"name": text(0, "Big"), "pattern": {"spent": 1, "../../planted_feature": 1},
             "summary": text(2), "advice": text(3, "Advice"), "measure": text(1, "Measure")},
            {"name": text(10), "pattern": {"borrowed": 1, "online": -1},
             "summary": text(4), "advice": text(6, "Advice"), "measure": text(7, "Measure")},
            {"name": text(12), "pattern": {"online": 1}, "summary": text(14),
             "advice": text(13, "Advice"), "measure": text(9, "Measure")},
        ],
        "questions": [
            {"name": text(1, "online"), "when": "online > 0.5"},
            {"name": text(8, "spends"), "when": "spent > 100"},
        ],
    }  # fmt: skip


HEADER = [text(0, "id"), text(1, "spent"), text(6, "borrowed"), text(13, "visits"),
          text(3, "online"), text(10, "town"), text(5, "club"), text(9, "age"),
          text(12), text(2, "other"), text(7, "more"), text(9, "food"),
          text(8, "rest")]  # fmt: skip


def table() -> list[list[Any]]:
    """Return the rows of the table, header first: three groups of customers, shuffled."""
    generator = np.random.default_rng(5)
    group = generator.integers(0, 3, CUSTOMERS)
    spent = np.exp(np.array([7.0, 3.0, 5.0])[group] + generator.normal(0, 0.5, CUSTOMERS))
    borrowed = np.exp(np.array([2.0, 7.0, 4.0])[group] + generator.normal(0, 0.5, CUSTOMERS))
    visits = 1 + generator.poisson(np.array([20, 3, 8])[group])
    online = np.clip(np.array([0.2, 0.1, 0.9])[group] + generator.normal(0, 0.05, CUSTOMERS), 0, 1)
    age = generator.integers(18, 80, CUSTOMERS)
    rows = []
    for i in range(CUSTOMERS):
        identifier = f"SENTINEL-ROW-{i:04d}-{generator.integers(10**9):09d}"
        amounts = [f"{spent[i]:.2f}", f"{borrowed[i]:.2f}", str(visits[i])]
        if i < len(SENTINEL_IDS):
            identifier = SENTINEL_IDS[i]
            amounts = [str(amount) for amount in SENTINEL_AMOUNTS[i]]
        town = RARE[0] if i < RARE[1] else text(i % 4 * 3)
        club = text(int(generator.integers(0, 3)))
        food = round(float(amounts[0]) * (0.2 + 0.1 * group[i]), 2)
        rest = round(float(amounts[0]) - food, 2)
        rows.append([identifier, *amounts, f"{online[i]:.4f}", town, club, str(age[i]),
                     identifier, text(i), text(i + 5), food, rest])  # fmt: skip
    rows[20][2] = rows[21][4] = ""  # gaps
    rows.append(rows[30])  # an exact copy
    return [HEADER, *rows]


def _toml(content: dict[str, Any]) -> str:
    """Write nested dictionaries as TOML."""
    return "".join(f"{_value(key)} = {_value(entry)}\n" for key, entry in content.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value).lower() if isinstance(value, bool) else repr(value)


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
