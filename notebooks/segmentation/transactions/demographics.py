"""Who the customers are: a second file, joined by the customer's identifier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from customer_tables.changes import Change, Reading
from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.table import read_table
from segmentation.guessing.columns import Guess, guess_column

BANDS = 4  # equally large groups that numbers about people are shown in


def join_demographics(customers: Reading, path: Path, customer: str) -> tuple[Reading, list[Guess]]:
    """Join what a second file says about customers; nothing is filled in.

    Numbers become words for equally large bands of people: half of a table often lacks them, and
    a guess would otherwise enter a distance.

    Parameters
    ----------
    customers : Reading
        From `sum_up`.
    path : Path
        Any table with one row a customer.
    customer : str
        The identifier's name in the file of purchases.

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
    wanted = {normalise(customer), "customerid"}
    key = next((name for name in people.table if normalise(name) in wanted), None)
    if key is None:
        raise UserError(
            f"the second file has no column {customer!r}",
            where=f"{path.name}: {', '.join(map(str, people.table))[:300]}",
            remedy="name the column of identifiers as in the file of purchases",
        )
    guesses = [guess_column(c, people, False) for c in people.table if c != key]
    known = _indexed(people.table, key, path.name)[[g.source for g in guesses]]
    changes = [
        Change(g.why, g.source, len(known), "left out") for g in guesses if g.role == "dropped"
    ]
    described = [_as_descriptor(g) for g in guesses if g.role != "dropped" and g.kind != "id"]
    joined = known.rename(columns={g.source: g.name for g in described})
    joined = joined[[g.name for g in described]]
    for guess in (g for g in guesses if g.is_numeric and g.role != "dropped"):
        joined[guess.name] = in_bands(joined[guess.name])
        changes.append(Change("numbers about people", guess.source, len(known), "shown in bands"))
    ids = customers.table["customer_id"]
    unknown, strangers = int((~ids.isin(joined.index)).sum()), int((~joined.index.isin(ids)).sum())
    if unknown == len(ids):
        raise UserError(
            "no customer of the purchases is in the second file",
            where=f"{path.name}, column {key!r}: {', '.join(map(str, joined.index[:3]))}",
            remedy="check that both files use the same identifiers",
        )
    if unknown:
        what = "customers of whom the second file says nothing"
        changes.append(Change(what, rows=unknown, action="kept, shown as unknown"))
    if strangers:
        what = "people in the second file who are not among the customers"
        changes.append(Change(what, rows=strangers, action="left out"))
    table = customers.table.merge(joined, left_on="customer_id", right_index=True, how="left")
    kinds = customers.kinds | {g.name: g.kind for g in described}
    merged = replace(
        customers,
        table=table,
        changes=[*customers.changes, *people.changes, *changes],
        kinds=kinds,
    )
    return merged, [replace(g, source=g.name) for g in described]


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


def in_bands(values: pd.Series) -> pd.Series:
    """Write numbers as the band they lie in, or as they are where there are few."""
    if values.nunique() <= BANDS * 3:
        return values.map(lambda value: f"{value:g}", na_action="ignore")
    edges = values.quantile([i / BANDS for i in range(BANDS + 1)]).drop_duplicates().to_numpy()
    names = [f"{low:g} to {high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return pd.cut(values, edges, labels=names, include_lowest=True).astype("object")
