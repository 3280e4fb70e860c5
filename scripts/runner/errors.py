"""Exit codes, errors that are not the user's, and suggestions for mistyped names.

Needs the standard library only.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DONE, STAGE_FAILED, USER_ERROR = 0, 1, 2
DISK_FULL = (
    "The disk is full; earlier results are as they were.\n"
    "Make space and start again: finished notebooks are kept."
)


class RunFailed(Exception):
    """A stage, or the machine under it, failed; earlier results are as they were."""


def did_you_mean(text: str, names: Iterable[str], otherwise: str) -> str:
    """Suggest the name that resembles a mistaken one, where there is one."""
    close = difflib.get_close_matches(text, list(names), 1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else otherwise
