"""The one error that means: the input has to change, not the program.

Needs the standard library only, as the commands raise it before there is an environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from customer_tables.text import printable

NOTHING: Mapping[str, str] = MappingProxyType({})


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
    answer : mapping of str to str, optional
        Of a question, the first answer that the remedy offers: settings and their values.
    """

    def __init__(
        self,
        what: str,
        where: str = "",
        remedy: str = "",
        *,
        answer: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(what, where, remedy)
        self.answer = dict(answer)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        # A cell of the user's file may hold line breaks: each part stays on its own line.
        parts = (printable(part, 900) for part in (self.what, self.where, self.remedy))
        return "\n".join(part for part in parts if part)

    def _render_traceback_(self) -> list[str]:
        """Show in a notebook what a user has to know, without frames of the program."""
        return [f"{type(self).__name__}: {self}"]


def in_turn(errors: Sequence[UserError]) -> UserError:
    """Return the error that says at once what would be said in turn, each remedy followed."""
    places = list(dict.fromkeys(error.where for error in errors))
    what, remedy = (
        "; that settled, ".join(parts)
        for parts in ([error.what for error in errors], [error.remedy for error in errors])
    )
    return UserError(what, "; ".join(places), remedy)
