"""What reading a file hands back: the table, and every change that was made to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Change:
    """One line of the table "What was changed in your file"."""

    what: str  # what was found
    column: str = ""  # where; empty for the whole file
    rows: int = 0  # how many rows, or columns where `what` speaks of them; 0 for the file as such
    action: str = ""  # what was done about it; starts with "kept" where nothing was
    examples: tuple[str, ...] = ()  # a few places, as "line 12: 'forty'"


@dataclass(frozen=True)
class Use:
    """What a column of a file was taken for, or "left out: " and why."""

    file: str
    column: str
    use: str


@dataclass(frozen=True)
class History:
    """The customers of parts of one history, each aggregated from the lines of its part alone.

    Attributes
    ----------
    first, cut, last : date or None
        First day, first day after the cut, and last day; None where the history is not cut.
    why_not : str
        Why it is not.
    periods : dict of str to DataFrame
        "earlier", all before the cut; "after", the rest; "before", as many days as "after", up to
        the cut. One row a customer who bought in the period, with the columns of all of them.
    """

    first: date | None = None
    cut: date | None = None
    last: date | None = None
    why_not: str = ""
    periods: dict[str, pd.DataFrame] = field(default_factory=dict)

    def about(self) -> dict[str, str | int]:
        """Return what is known of the cut but the customers, as plain texts and numbers."""
        days = {"first": self.first, "cut": self.cut, "last": self.last}
        told: dict[str, str | int] = {name: str(day or "") for name, day in days.items()}
        return told | {"days_after": self.days_after, "why_not": self.why_not}

    @property
    def days_after(self) -> int:
        """How many days come after the cut."""
        return (self.last - self.cut).days + 1 if self.cut and self.last else 0


@dataclass(frozen=True)
class Reading:
    """A table as read, with what was done to it.

    Attributes
    ----------
    table : pandas.DataFrame
        One column for each of the file's, with its name; float64, int64, bool, datetime64 or str.
    changes : list of Change
        Everything that was repaired, or seen and deliberately kept.
    kinds : dict
        Column name to "number", "money", "share", "date", "yes_no", "text", "id" or "empty".
    units : dict
        Column name to the currency sign, "%" or word that stood by its numbers.
    source : dict
        name, format, compression, encoding, delimiter, decimal, sheet, sha256, rows.
    lines : ndarray, optional
        Where in the file each row of the table stands, counted from 1.
    word : str
        What `lines` counts: "line" of a text, "row" of a sheet or a Parquet file.
    history : History, optional
        The same customers before and after a day; of transaction lines only.
    uses : list of Use
        What each column of transaction lines, and of a second file, was taken for. Those of a
        table of customers come from its dataset.
    unread : dict
        Column name to why it was not read, where that does not stop the reading.
    """

    table: pd.DataFrame
    changes: list[Change] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    source: dict[str, str | int] = field(default_factory=dict)
    lines: np.ndarray | None = None
    word: str = "line"
    history: History | None = None
    uses: list[Use] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def numbered(self) -> pd.DataFrame:
        """The table, indexed by each row's place in the file, for messages that name it."""
        if self.lines is None:
            return self.table
        return self.table.set_axis(self.lines).rename_axis(self.word)
