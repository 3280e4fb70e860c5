"""What lines of purchases say about customers themselves: columns that never change with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd

from customer_tables.changes import Change, Reading
from customer_tables.errors import UserError
from customer_tables.source import Source
from segmentation.guessing.columns import Guess, simplify_name
from segmentation.transactions.demographics import join_demographics
from segmentation.transactions.engine import open_duckdb, quoted
from segmentation.transactions.files import Relation, open_file
from segmentation.transactions.lines import text_of

SAMPLE_ROWS = 200_000
ENOUGH = 30  # customers with more than one order, by whom a column is judged
CONSTANT = 0.95  # share of them in whose lines it says the same
MARK = "+"  # between names, as everywhere in [source]


def find_descriptors(path: Path, source: Source, **options: str) -> Source:
    """Add the columns that say the same in all lines of a customer, judged by the first of them.

    What changes from order to order, such as a way of delivery, is told from it by customers with
    several orders.

    Parameters
    ----------
    path : Path
    source : Source
        From `find_transactions`.
    **options : str
        How to read the file, of which the delimiter, encoding and sheet matter here.
    """
    used = {getattr(source, field.name) for field in fields(source)}
    with open_duckdb(path.name) as engine:
        file = _open(engine.connection, path, options)
        free = [c for c in file.types if c not in used and MARK not in c and c.strip()]
        if not free:
            return source
        who, when = quoted(source.customer), quoted(source.order or source.time)
        same = ", ".join(
            f"avg(CAST(low{i} IS NOT DISTINCT FROM high{i} AS INTEGER)), "
            f"approx_count_distinct(low{i})"
            for i in range(len(free))
        )
        ends = ", ".join(
            f"min({quoted(c)}) AS low{i}, max({quoted(c)}) AS high{i}" for i, c in enumerate(free)
        )
        first = f"(SELECT * FROM {file.sql} LIMIT {SAMPLE_ROWS})"
        for part in (first, file.sql):  # the whole only where the first lines tell too little
            several = (
                f"SELECT {ends} FROM {part} WHERE {who} IS NOT NULL "
                f"GROUP BY {who} HAVING min({when}) <> max({when})"
            )
            customers, *judged = engine.ask(f"SELECT count(*), {same} FROM ({several})")[0]
            if customers >= ENOUGH:
                break
        else:
            return source
    pairs = zip(free, judged[::2], judged[1::2], strict=True)
    found = [name for name, constant, values in pairs if constant >= CONSTANT and values > 1]
    return replace(source, describe=f" {MARK} ".join(found))


def join_descriptors(
    customers: Reading, path: Path, source: Source, **options: str
) -> tuple[Reading, list[Guess]]:
    """Join what the lines say about customers, as `join_demographics` does with a second file.

    Where a column changes within a customer, it is unknown for them.

    Returns
    -------
    Reading
    list of Guess
        What the columns were taken for; those that tell who somebody is are left out.
    """
    table = customers.table
    names = [name.strip() for name in source.describe.split(MARK)]
    names = [name for name in names if name and simplify_name(name) not in table]
    if not names:
        return customers, []
    people = _collect(path, source, names, options)
    people = people[people["customer_id"].isin(table["customer_id"])]
    with TemporaryDirectory() as folder:
        written = Path(folder) / path.name
        people.to_csv(written, index=False)
        try:
            joined, guesses = join_demographics(customers, written, "customer_id")
        except UserError as error:
            reason = str(error).splitlines()[0]
            change = Change(f"columns about customers: {reason}", ", ".join(names), 0, "left out")
            return replace(customers, changes=[*customers.changes, change]), []
    kept = [name for name in names if simplify_name(name) in joined.table]
    what = "the same in all lines of a customer"
    changes = [Change(what, name, len(people), "describes the customers") for name in kept]
    return replace(joined, changes=[*joined.changes, *changes]), guesses


def _collect(
    path: Path, source: Source, names: Sequence[str], options: dict[str, str]
) -> pd.DataFrame:
    """Return one row a customer, with what each column says of them."""
    with open_duckdb(path.name) as engine:
        file = _open(engine.connection, path, options)
        missing = [name for name in names if name not in file.types]
        if missing:
            raise UserError(
                f"the transactions have no column {missing[0]!r} (describe)",
                where=f"{path.name}: {', '.join(file.types)[:300]}",
                remedy="correct describe under [source] in dataset.toml",
            )
        who = text_of(quoted(source.customer), file.types[source.customer])
        said = ", ".join(
            f"CASE WHEN min({quoted(c)}) = max({quoted(c)}) THEN min({quoted(c)}) END "
            f"AS {quoted(c)}"
            for c in names
        )
        query = f"SELECT {who} AS customer_id, {said} FROM {file.sql} GROUP BY ALL"
        return engine.run(f"SELECT * FROM ({query}) WHERE customer_id IS NOT NULL").df()


def _open(connection: duckdb.DuckDBPyConnection, path: Path, options: dict[str, str]) -> Relation:
    how = {key: options.get(key) or None for key in ("delimiter", "encoding", "sheet")}
    return open_file(connection, path, **how)
