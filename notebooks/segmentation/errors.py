"""The one error that means: the input has to change, not the program."""


class InputError(ValueError):
    """A mistake in a file, a setting or an argument, told in at most three lines.

    Parameters
    ----------
    what : str
        What was found, as a sentence without a full stop.
    where : str, optional
        File, and the line or column in it.
    remedy : str, optional
        What to do about it: the option to give, the cell to mend.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        # Only `what` reaches the base class; the other two come back through __reduce__.
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        # A cell of the user's file may hold line breaks: each part stays on its own line.
        parts = (" ".join(part.split()) for part in (self.what, self.where, self.remedy))
        return "\n".join(part for part in parts if part)

    def __reduce__(self):
        """Keep the keyword arguments when the error crosses a process boundary."""
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(kind: type[InputError], what: str, where: str, remedy: str) -> InputError:
    return kind(what, where=where, remedy=remedy)
