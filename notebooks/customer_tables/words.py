"""Words that stand for something else: missing values, yes and no."""

from __future__ import annotations

import numpy as np

from customer_tables.cells import Cells

# No category is called so: these are missing in any column that is no identifier.
NEVER_A_VALUE = frozenset(
    {
        "", "n/a", "n.a.", "#n/a", "#n/d", "#na", "nan", "-nan", "null", "<na>", "(null)", "nat",
        "\\n", "?", "??", "-", "--", "---", "–", "—", "(blank)", "#null!", "#div/0!", "#value!",
        "#ref!", "#name?", "#num!", "1.#qnan", "1.#ind", "-1.#ind", "not available",
    }
)  # fmt: skip
# Missing among numbers and dates, where they cannot be anything else; categories keep them.
NOT_A_NUMBER = NEVER_A_VALUE | {
    "na", "none", "nil", "missing", "unknown", "undefined", "not applicable", "not known", "n/k",
    "k.a.", "nd", "n/d", "tbd", "tba", ".", "..", "...", "*", "x", "xx", "xxx", "0000-00-00",
    "00/00/0000", "0000-00-00 00:00:00",
}  # fmt: skip
INFINITE = frozenset(
    {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "∞", "+∞", "-∞", "1.#inf",
     "-1.#inf"}
)  # fmt: skip

YES = frozenset({"yes", "y", "true", "t", "ja", "oui", "si", "sí"})
NO = frozenset({"no", "n", "false", "f", "nein", "non"})
CLEAR = frozenset({"yes", "no", "true", "false", "ja", "nein", "oui"})


def mark_missing(cells: Cells) -> np.ndarray:
    """Mark the texts that mean "missing" in a column of categories or other text."""
    missing = cells.among(NEVER_A_VALUE)
    absent = cells.among(frozenset({"na"}))
    others = ~missing & ~absent
    if absent.any() and not _are_country_codes([cells.texts[i] for i in np.flatnonzero(others)]):
        missing |= absent
    return missing


def _are_country_codes(texts: list[str]) -> bool:
    """Whether all texts are two capitals, among which NA is Namibia or North America."""
    return bool(texts) and all(len(t) == 2 and t.isalpha() and t.isupper() for t in texts)


def read_yes_no(cells: Cells, present: np.ndarray) -> np.ndarray | None:
    """Return True or False for each text, or None where the column holds anything else.

    A column of nothing but 1 and 0 is one of numbers; beside a word they mean yes and no.
    """
    if len(cells.values) > 40:
        return None
    words = {t.lower() for t, there in zip(cells.texts, present.tolist(), strict=True) if there}
    yes, no = YES | {"1"}, NO | {"0"}
    if not words or not words <= yes | no or words <= {"1", "0"}:
        return None
    if not (words & yes and words & no) and not words & CLEAR:
        return None  # "F" alone may be a gender, "N" alone anything
    return np.array([t.lower() in yes for t in cells.texts])
