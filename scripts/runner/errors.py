"""The two ways in which a run ends without a result."""

from __future__ import annotations

DONE, STAGE_FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130


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
        lines = (" ".join(line.split()) for line in (what, where, remedy))
        super().__init__("\n".join(line for line in lines if line))


class RunFailed(Exception):
    """A stage, or the machine under it, failed; earlier results are as they were.

    Parameters
    ----------
    what : str
        The message for the terminal, a few lines at most.
    """
