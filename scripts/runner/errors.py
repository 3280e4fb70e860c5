"""The exit codes of the commands, and the end that is no user's mistake."""

from __future__ import annotations

DONE, STAGE_FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130
DISK_FULL = (
    "The disk is full; earlier results are as they were.\n"
    "Make space and start again: finished notebooks are kept."
)


class RunFailed(Exception):
    """A stage, or the machine under it, failed; earlier results are as they were.

    Parameters
    ----------
    what : str
        The message for the terminal, a few lines at most.
    """
