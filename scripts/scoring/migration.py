"""Who moved between two scored lists, counted without loading them whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from runner.errors import UserError


@dataclass(frozen=True)
class Migration:
    """Customers in two periods.

    Attributes
    ----------
    moves : DataFrame
        Rows: segment before; columns: segment now; customers.
    moved : float
        Share, of those in both lists, that are in another segment now.
    gone, new : int
        Customers of the earlier list alone, and of the later one alone.
    """

    moves: pd.DataFrame
    moved: float
    gone: int
    new: int


def compare_lists(before: Path, now: Path, names: list[str]) -> Migration:
    """Count who was in which segment, in two lists that score.py wrote (or segments.csv).

    Parameters
    ----------
    before, now : pathlib.Path
    names : list of str
        The segments, in order.

    Raises
    ------
    UserError
        If a list cannot be read, is of another model, or shares no customer with the other.
    """
    import duckdb

    with duckdb.connect() as connection:
        try:
            for alias, path in (("before", before), ("now", now)):
                connection.execute(
                    f"CREATE VIEW {alias} AS SELECT customer, segment_name FROM {_reader(path)}"
                )
            rows = connection.execute(
                "SELECT b.segment_name, n.segment_name, count(*), b.customer IS NULL,"
                " n.customer IS NULL FROM before b FULL JOIN now n USING (customer)"
                " GROUP BY ALL"
            ).fetchall()
        except duckdb.Error as error:
            raise UserError(
                f"a list of scored customers cannot be read: {str(error).splitlines()[0][:160]}",
                where=f"{before} or {now}",
                remedy="give a list that score.py has written",
            ) from None
    moves = pd.DataFrame(0, index=pd.Index(names, name="before"), columns=names)
    gone = new = 0
    for then, after, count, absent_then, absent_now in rows:
        gone, new = gone + count * absent_now, new + count * absent_then
        if absent_then or absent_now:
            continue
        if then not in moves.index or after not in moves.columns:
            raise UserError(
                f"the earlier list has the segment {str(then)[:60]!r}, and the model has not",
                where=str(before),
                remedy="give a list that was scored by the same model",
            )
        moves.loc[then, after] += count
    stayed = sum(int(moves.loc[name, name]) for name in names)
    both = int(moves.to_numpy().sum())
    if not both:
        raise UserError(
            "no customer is in both lists",
            where=f"{before} and {now}",
            remedy="give two lists with the same kind of identifiers",
        )
    return Migration(moves, 1 - stayed / both, int(gone), int(new))


def _reader(path: Path) -> str:
    name = "'" + str(path).replace("'", "''") + "'"
    if path.suffix.lower() == ".parquet":
        return f"read_parquet({name})"
    return f"read_csv({name}, header = true, delim = ',', all_varchar = true)"
