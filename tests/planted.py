"""A small dataset whose every text is hostile and whose customers can be recognised anywhere."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit

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
    '=HYPERLINK("https://example.org/?"&A1,"x")',
    "x" * 10_000,
    '<meta http-equiv=refresh content="0;url=https://example.org/">',
    "me@example.org https://example.org/",
)
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
    (folder / "dataset.toml").write_text(tomlkit.dumps(description()), encoding="utf-8")
    with (folder / TABLE_NAME).open("w", encoding="utf-8", newline="") as file:
        # A file with null characters is refused as damaged, which has a test of its own.
        cells = ([str(cell).replace("\0", "") for cell in row] for row in table())
        csv.writer(file).writerows(cells)
    return folder


# Columns: what the dataset calls each, the place of its hostile name in the file, its kind, and
# the place and the word of its label.
COLUMNS = {
    "client": (0, "id", 0, "Client"),
    "spent": (1, "money", 0, "Spent"),
    "borrowed": (6, "money", 6, "Borrowed"),
    "visits": (13, "count", 13, "Visits"),
    "online": (3, "share", 7, "Online"),
    "../../../planted_column": (10, "category", 10, "Town"),
    "<b>club</b>": (5, "category", 5, "Club"),
    "age": (9, "number", 11, "Age"),
    "spent_on_food": (14, "money", 2, "Spent on food"),
    "spent_on_rest": (8, "money", 5, "Spent on rest"),
}
HEADER = [text(place, name.strip("./<>")) for name, (place, *_) in COLUMNS.items()]
HEADER += [text(12), text(2, "other"), text(7, "more")]


def description() -> dict[str, Any]:
    """Return the content of dataset.toml."""
    columns: dict[str, dict[str, Any]] = {
        name: {"kind": kind, "label": text(label, word), "found_as": [header]}
        for header, (name, (_, kind, label, word)) in zip(HEADER, COLUMNS.items(), strict=False)
    }
    for column in columns.values():
        if column["kind"] == "money":
            column["valid"] = [0, float("inf")]
    columns["spent"]["unit"] = "<s>€"
    columns["online"] |= {"valid": [0, 1], "outside": "clip", "missing": "zero"}
    features = {
        "spent": {"unit": "<s>€", "why": text(0, "why"), "label": text(1, "spent")},
        "borrowed": {"label": text(6, "borrowed")},
        "../../planted_feature": {"formula": "ratio(spent, visits)", "label": text(10, "ticket")},
        "online": {"kind": "share", "label": text(13, "online")},
        "age": {"kind": "number", "role": "describe", "label": text(9, "age")},
        "visits": {"kind": "count", "role": "left out"},
    }
    money = {"kind": "money", "transform": "log1p"}
    archetypes = [
        (text(0, "Big"), {"spent": 1, "../../planted_feature": 1}),
        (text(10), {"borrowed": 1, "online": -1}),
        (text(12), {"online": 1}),
    ]
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
        "columns": columns,
        "rfm": {"recency": "age", "frequency": "visits", "monetary": "spent"},
        "left_out": {text(12): text(14, "because")},
        "rules": [
            {"name": text(9, "no visit"), "when": "visits == 0", "column": "spent", "fill": 0.0},
            {"name": text(8, "visits"), "check": "visits > 0 or spent == 0", "why": text(1)},
        ],
        "features": [
            {"name": name, "formula": name} | (money if "kind" not in entry else {}) | entry
            for name, entry in features.items()
        ],
        "archetypes": [
            {
                "name": name,
                "pattern": pattern,
                "when": "share(spent > 0) > 0.5",
                "summary": [{"text": text(2 * i + 2), "when": "share(spent > 0) > 0.5"}],
                "advice": [{"text": text(3 * i, "Do"), "when": "share(spent > 0) > 0.5"}],
                "measure": text(2 * i + 1, "Measure"),
            }
            for i, (name, pattern) in enumerate(archetypes)
        ],
        "questions": [
            {"name": text(1, "online"), "when": "online > 0.5"},
            {"name": text(8, "spends"), "when": "spent > 100"},
        ],
    }


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
        known = [identifier, *amounts, f"{online[i]:.4f}", town, club, age[i], food, rest]
        rows.append([*known, identifier, text(i), text(i + 5)])
    rows[20][2] = rows[21][4] = ""  # gaps
    rows.append(rows[30])  # an exact copy
    return [HEADER, *rows]
