"""Who the customers are: what a second file, or the transaction lines themselves, say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from customer_tables.changes import Change, Reading
from customer_tables.duckdb_cells import text_of
from customer_tables.duckdb_files import (
    FOUND_OUT,
    Options,
    open_duckdb,
    open_file,
    quoted,
)
from customer_tables.errors import UserError
from customer_tables.guessing import Guess, guess_column
from customer_tables.names import normalise, simplify_name
from customer_tables.source import Source
from customer_tables.table import read_table
from customer_tables.transaction_lines import check_columns

BANDS = 4  # equally large groups that numbers about people are shown in
MARK = "+"  # between the names of columns that describe customers


def join_demographics(customers: Reading, path: Path, customer: str) -> tuple[Reading, list[Guess]]:
    """Join what a second file says about customers; nothing is filled in.

    Numbers become words for equally large bands of people: half of a table often lacks them, and
    a guess would otherwise enter a distance.

    Parameters
    ----------
    customers : Reading
        From `aggregate`.
    path : Path
        Any table with one row a customer.
    customer : str
        The identifier's name in the file of transactions.

    Returns
    -------
    Reading
        With the columns of people, missing for those of whom nothing is known.
    list of Guess
        What these columns were taken for; those that tell who somebody is are left out.

    Raises
    ------
    UserError
        If the file has no such identifier, or two rows for one customer.
    """
    people = read_table(path, text_columns=[customer])
    return _join(customers, people, _find_key(people.table, customer, path.name), path.name)


def _join(customers: Reading, people: Reading, key: str, name: str) -> tuple[Reading, list[Guess]]:
    """Join what a table says about customers, whom a column identifies."""
    guesses = [guess_column(c, people, False) for c in people.table if c != key]
    known = _indexed(people.table, key, name)[[g.source for g in guesses]]
    described = [_as_descriptor(g) for g in guesses if g.role != "dropped" and g.kind != "id"]
    joined = known.rename(columns={g.source: g.name for g in described})
    joined = joined[[g.name for g in described]]
    changes = [
        Change(g.why, g.source, len(known), "left out") for g in guesses if g.role == "dropped"
    ]
    for guess in (g for g in guesses if g.is_numeric and g.role != "dropped"):
        joined[guess.name] = in_bands(joined[guess.name])
        changes.append(Change("numbers about people", guess.source, len(known), "shown in bands"))
    merged = replace(
        customers,
        table=customers.table.merge(joined, left_on="customer_id", right_index=True, how="left"),
        changes=[
            *customers.changes,
            *people.changes,
            *changes,
            *_unmatched(customers.table["customer_id"], joined.index, f"{name}, column {key!r}"),
        ],
        kinds=customers.kinds | {g.name: g.kind for g in described},
    )
    return merged, [replace(g, source=g.name) for g in described]


def _find_key(table: pd.DataFrame, customer: str, name: str) -> str:
    """Return the column of a second file that identifies customers."""
    wanted = {normalise(customer), "customerid"}
    key = next((column for column in table if normalise(column) in wanted), None)
    if key is None:
        raise UserError(
            f"the second file has no column {customer!r}",
            where=f"{name}: {', '.join(map(str, table))[:300]}",
            remedy="name the column of identifiers as in the file of purchases",
        )
    return key


def _indexed(table: pd.DataFrame, key: str, name: str) -> pd.DataFrame:
    """Index people by their identifier, each once."""
    distinct = table.drop_duplicates()
    ids = distinct[key].astype("str").str.strip().str.replace(r"\.0$", "", regex=True)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise UserError(
            f"{twice.nunique():,} identifiers stand on two rows, such as {twice.iloc[0]!r}",
            where=name,
            remedy="keep one row per customer",
        )
    return distinct.set_axis(pd.Index(ids, name="customer_id"))


def _as_descriptor(guess: Guess) -> Guess:
    kind = "category" if guess.is_numeric else guess.kind
    return replace(guess, kind=kind, role="describe", why="who a customer is: describes")


def _unmatched(ids: pd.Series, people: pd.Index, where: str) -> list[Change]:
    """Count the customers of whom nothing is known, and the people who are no customers."""
    unknown, others = int((~ids.isin(people)).sum()), int((~people.isin(ids)).sum())
    if unknown == len(ids):
        raise UserError(
            "no customer of the purchases is in the second file",
            where=f"{where}: {', '.join(map(str, people[:3]))}",
            remedy="check that both files use the same identifiers",
        )
    counted = (
        ("customers of whom the second file says nothing", unknown, "kept, shown as unknown"),
        ("people in the second file who are not among the customers", others, "left out"),
    )
    return [Change(what, rows=rows, action=action) for what, rows, action in counted if rows]


def in_bands(values: pd.Series) -> pd.Series:
    """Write numbers as the band they lie in, or as they are where there are few."""
    if values.nunique() <= BANDS * 3:
        return values.map(lambda value: f"{value:g}", na_action="ignore")
    edges = values.quantile([i / BANDS for i in range(BANDS + 1)]).drop_duplicates().to_numpy()
    names = [f"{low:g} to {high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return pd.cut(values, edges, labels=names, include_lowest=True).astype("object")


def join_descriptors(
    customers: Reading, path: Path, source: Source, options: Options = FOUND_OUT
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
            change = Change(
                f"columns about customers: {error.what}", ", ".join(names), 0, "left out"
            )
            return replace(customers, changes=[*customers.changes, change]), []
    kept = [name for name in names if simplify_name(name) in joined.table]
    what = "the same in all lines of a customer"
    changes = [Change(what, name, len(people), "describes the customers") for name in kept]
    return replace(joined, changes=[*joined.changes, *changes]), guesses


def _collect(path: Path, source: Source, names: Sequence[str], options: Options) -> pd.DataFrame:
    """Return one row a customer, with what each column says of them."""
    with open_duckdb(path.name) as connection:
        file = open_file(connection, path, options)
        check_columns(dict.fromkeys(names, "describe"), file.types, path.name)
        who = text_of(quoted(source.customer), file.types[source.customer])
        said = ", ".join(
            f"CASE WHEN min({c}) = max({c}) THEN min({c}) END AS {c}" for c in map(quoted, names)
        )
        query = f"SELECT {who} AS customer_id, {said} FROM {file.sql} GROUP BY ALL"
        return connection.execute(f"SELECT * FROM ({query}) WHERE customer_id IS NOT NULL").df()
