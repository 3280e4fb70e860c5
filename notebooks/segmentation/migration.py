"""Moves of customers between segments from one period to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from customer_tables.errors import UserError
from segmentation.disclosure import MIN_GROUP_SIZE, suppressed
from segmentation.presentation import spreadsheet_safe


@dataclass(frozen=True)
class Migration:
    """Customers in two periods: rows by their segment before, columns by that now.

    The last row is of customers of the later period alone, the last column of those of the earlier
    one alone.
    """

    with_others: pd.DataFrame

    @property
    def moves(self) -> pd.DataFrame:
        """Customers of both periods."""
        return self.with_others.iloc[:-1, :-1]

    @property
    def both(self) -> int:
        """How many customers are in both periods."""
        return int(self.moves.to_numpy().sum())

    @property
    def moved(self) -> float:
        """Share of the customers in both periods that are in another segment now."""
        return 1 - int(self.moves.to_numpy().trace()) / self.both

    @property
    def gone(self) -> int:
        """Customers of the earlier period alone."""
        return int(self.with_others.iloc[:, -1].sum())

    @property
    def new(self) -> int:
        """Customers of the later period alone."""
        return int(self.with_others.iloc[-1].sum())


def published_moves(counts: pd.DataFrame, min_group_size: int = MIN_GROUP_SIZE) -> pd.DataFrame:
    """Suppress moves of too few customers, and cells from which those could be worked out.

    The sizes of the segments are published, and so is how many stayed: a single suppressed cell in
    a row, a column or the diagonal could be computed from the others.
    """
    hidden = suppressed(counts.to_numpy(), min_group_size, diagonal=True)
    return counts.astype(float).mask(hidden)


def follow_customers(before: pd.Series, now: pd.Series, names: list[str]) -> Migration:
    """Count the customers of two Series by the names of their segments before and now."""
    counts = pd.concat({"before": before, "now": now}, axis=1).value_counts(dropna=False)
    return migration_of(((*pair, n) for pair, n in counts.items()), names)


def migration_of(
    counts: Iterable[tuple[object, object, int]], names: list[str], where: str = ""
) -> Migration:
    """Tabulate counts (before, now, customers) by the names of segments, in their order.

    A missing segment (None or NaN) means that the customer is not in that period. A `UserError`
    refuses an unknown segment, and periods without a customer in both; `where` names the lists.
    """
    table = pd.DataFrame(
        0, index=pd.Index([*names, "new"], name="before"), columns=[*names, "gone"]
    )
    # In lists, a name that a spreadsheet would run as a formula stands behind an apostrophe.
    safe = spreadsheet_safe(pd.Series(names, dtype="str"))
    places = {name: place for listed in (safe, names) for place, name in enumerate(listed)}
    for *pair, count in counts:
        for name in pair:
            if pd.notna(name) and name not in places:
                raise UserError(
                    f"a list has the segment {str(name)[:60]!r}, which the model does not have",
                    where=where,
                    remedy="give a list that was scored by the same model",
                )
        row, column = (len(names) if pd.isna(name) else places[name] for name in pair)
        table.iloc[row, column] += count
    if not Migration(table).both:
        raise UserError(
            "no customer is in both lists",
            where=where,
            remedy="give two lists with the same kind of identifiers",
        )
    return Migration(table)
