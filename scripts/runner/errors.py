"""The two ways in which a run ends without a result."""

from __future__ import annotations

import unicodedata

DONE, STAGE_FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130
DISK_FULL = (
    "The disk is full; earlier results are as they were.\n"
    "Make space and start again: finished notebooks are kept."
)


class UserError(Exception):
    """A mistake in an argument or a file: what was found, where, and what to do about it.

    Parameters
    ----------
    what : str
        What was found.
    where : str, optional
        The option, file, row or column.
    remedy : str, optional
        What to do.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        lines = (plain(line) for line in (what, where, remedy))
        super().__init__("\n".join(line for line in lines if line))


def plain(text: str) -> str:
    """Make a text from a file safe for a terminal: no commands to it, and not endless."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in str(text))
    shown = " ".join(shown.split())
    return shown if len(shown) <= 600 else f"{shown[:599]}…"


class RunFailed(Exception):
    """A stage, or the machine under it, failed; earlier results are as they were.

    Parameters
    ----------
    what : str
        The message for the terminal, a few lines at most.
    """
