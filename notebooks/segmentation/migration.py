"""Who moved between two periods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from customer_tables.errors import UserError
from segmentation.disclosure import MIN_GROUP_SIZE, suppressed
from segmentation.presentation import spreadsheet_safe


@dataclass(frozen=True)
class Migration:
    """Customers in two periods.

    Attributes
    ----------
    moves : DataFrame
        Rows: segment before; columns: segment now; customers.
    left, joined : Series of int, indexed by segment
        Customers of the earlier period alone, and of the later one alone.
    """

    moves: pd.DataFrame
    left: pd.Series
    joined: pd.Series

    @property
    def both(self) -> int:
        """Customers of both periods."""
        return int(self.moves.to_numpy().sum())

    @property
    def moved(self) -> float:
        """Share, of those in both periods, that are in another segment now."""
        return 1 - int(self.moves.to_numpy().trace()) / self.both

    @property
    def gone(self) -> int:
        """Customers of the earlier period alone."""
        return int(self.left.sum())

    @property
    def new(self) -> int:
        """Customers of the later period alone."""
        return int(self.joined.sum())

    @property
    def with_others(self) -> pd.DataFrame:
        """The moves with a last row of new customers and a last column of those who are gone."""
        table = self.moves.assign(gone=self.left)
        table.loc["new"] = [*self.joined, 0]
        return table


def published_moves(counts: pd.DataFrame, min_group_size: int = MIN_GROUP_SIZE) -> pd.DataFrame:
    """Leave moves of too few customers empty, and what they could be worked out from.

    The sizes of the segments are known, and so is how many stayed: a row, a column or the diagonal
    with one empty cell alone would give it away.

    Parameters
    ----------
    counts : DataFrame
        `Migration.moves` or `Migration.with_others`.
    min_group_size : int
    """
    hidden = suppressed(counts.to_numpy(), min_group_size, diagonal=True)
    return counts.astype(float).mask(hidden)


def follow_customers(before: pd.Series, now: pd.Series, names: list[str]) -> Migration:
    """Count who was in which segment before and is in which now.

    Parameters
    ----------
    before, now : Series of str, indexed by customer
        The segments' names.
    names : list of str
        The segments, in order.

    Raises
    ------
    UserError
        If a segment is unknown, or no customer is in both periods.
    """
    joined = pd.concat({"before": before, "now": now}, axis=1)
    counts = joined.value_counts(dropna=False)
    return migration_of(
        ((then, after, n) for (then, after), n in counts.items()),
        names,
    )


def migration_of(
    counts: Iterable[tuple[object, object, int]], names: list[str], where: str = ""
) -> Migration:
    """Sum up counts of customers by segment before and segment now.

    Parameters
    ----------
    counts : iterable of (before, now, customers)
        What is missing (None or NaN) stands for a period in which the customer is not.
    names : list of str
        The segments, in order.
    where : str
        The lists that the counts come from, for the message.

    Raises
    ------
    UserError
        As `follow_customers`.
    """
    moves = pd.DataFrame(0, index=pd.Index(names, name="before"), columns=names)
    left, joined = (pd.Series(0, index=pd.Index(names, name="segment")) for _ in range(2))
    # In lists, a name that a spreadsheet would run as a formula stands behind an apostrophe.
    known = dict(zip(spreadsheet_safe(pd.Series(names, dtype="str")), names, strict=True))
    for then, after, count in counts:
        then, after = known.get(then, then), known.get(after, after)
        unknown = [str(name) for name in (then, after) if pd.notna(name) and name not in names]
        if unknown:
            raise UserError(
                f"a list has the segment {unknown[0][:60]!r}, and the model has not",
                where=where,
                remedy="give a list that was scored by the same model",
            )
        if pd.isna(then):
            joined[after] += count
        elif pd.isna(after):
            left[then] += count
        else:
            moves.loc[then, after] += count
    if not moves.to_numpy().sum():
        raise UserError(
            "no customer is in both lists",
            where=where,
            remedy="give two lists with the same kind of identifiers",
        )
    return Migration(moves, left, joined)
