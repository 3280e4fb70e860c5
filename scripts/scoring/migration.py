"""Two scored lists, joined without loading them whole."""

from __future__ import annotations

from pathlib import Path

from customer_tables.errors import UserError
from customer_tables.sniff import PARQUET
from segmentation.migration import Migration, migration_of


def compare_lists(before: Path, now: Path, names: list[str]) -> Migration:
    """Count who was in which segment, in two lists that score.py wrote (or segments.csv).

    Parameters
    ----------
    before : pathlib.Path
        The earlier list, which messages are about.
    now : pathlib.Path
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
                "SELECT b.segment_name, n.segment_name, count(*)"
                " FROM before b FULL JOIN now n USING (customer) GROUP BY ALL"
            ).fetchall()
        except (duckdb.Error, OSError) as error:
            raise UserError(
                f"a list of scored customers cannot be read: {str(error).splitlines()[0][:160]}",
                where=str(before),
                remedy="give a list that score.py has written",
            ) from None
    return migration_of(rows, names, where=str(before))


def _reader(path: Path) -> str:
    name = "'" + str(path).replace("'", "''") + "'"
    with path.open("rb") as file:
        parquet = file.read(len(PARQUET)) == PARQUET
    if parquet:
        return f"read_parquet({name})"
    return f"read_csv({name}, header = true, delim = ',', all_varchar = true)"
