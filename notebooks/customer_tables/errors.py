"""The one error that means: the input has to change, not the program.

Needs the standard library only, as the commands raise it before there is an environment.
"""

from __future__ import annotations

from customer_tables.text import printable


class UserError(ValueError):
    """A mistake in a file, a setting or an argument, told in at most three lines.

    Parameters
    ----------
    what : str
        What was found, as a sentence without a full stop.
    where : str, optional
        The option, or the file and the row or column in it.
    remedy : str, optional
        What to do about it: the option to give, the cell to mend.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        # A cell of the user's file may hold line breaks: each part stays on its own line.
        parts = (printable(part, 600) for part in (self.what, self.where, self.remedy))
        return "\n".join(part for part in parts if part)

    def _render_traceback_(self) -> list[str]:
        """Show in a notebook what a user has to know, without frames of the program."""
        return [f"{type(self).__name__}: {self}"]
