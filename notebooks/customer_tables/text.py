"""Words and formats that everything shown to people has in common.

Needs the standard library only.
"""

from __future__ import annotations

import unicodedata


def printable(text: object, longest: int = 120) -> str:
    """Make a text from a file safe to show: no control or direction marks, and not endless."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in str(text))
    visible = " ".join(visible.split())
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"
