"""Who the customers are: what a second file, or the transaction lines themselves, say of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from customer_tables.buyers import plain_buyers
from customer_tables.changes import Change, Reading, Use
from customer_tables.duckdb_cells import text_of
from customer_tables.duckdb_files import Lines, quoted
from customer_tables.errors import UserError
from customer_tables.guessing import Guess, free_name, guess_column
from customer_tables.names import normalise, simplify_name, split_name
from customer_tables.source import Options, Source, summands
from customer_tables.table import TWINS, read_table, read_texts
from customer_tables.transaction_columns import FEW, NO_CODE

BANDS = 4  # equally large groups that numbers about people are shown in


def join_demographics(
    customers: Reading, path: Path, sheet: str, customer: str
) -> tuple[Reading, list[Guess]]:
    """Join what a second file says about customers; nothing is filled in.

    Numbers become words for equally large bands of people: half of a table often lacks them, and
    a guess would otherwise enter a distance.

    Parameters
    ----------
    customers : Reading
        From `aggregate`.
    path : Path
        Any table with one row a customer.
    sheet : str
        Of a workbook; empty where it has one.
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
    try:
        people = read_table(path, Options(sheet=sheet), text_columns=[customer], lenient=True)
    except UserError as error:
        remedy = error.remedy.replace("--sheet", "--demographics-sheet")
        raise UserError(error.what, error.where, remedy) from None
    key = _find_key(people.table, customer, customers.table["customer_id"])
    if not key:
        raise UserError(
            f"the second file has no column {customer!r}, and no other holds these identifiers",
            where=f"{path.name}: {', '.join(map(str, people.table))[:300]}",
            remedy="name the column of identifiers as in the file of purchases; write them alike",
        )
    distinct = people.table.drop_duplicates()
    ids = distinct[key].astype("str").str.strip().str.replace(r"\.0$", "", regex=True)
    if len(twice := ids[ids.duplicated()]):
        raise UserError(
            f"{twice.nunique():,} identifiers stand on two rows, such as {twice.iloc[0]!r}",
            where=path.name,
            remedy="keep one row per customer",
        )
    table = distinct.set_axis(pd.Index(ids)).drop(columns=key)
    people = replace(people, table=table)
    joined, guesses = _join(customers, people, f"{path.name}, column {key!r}")
    kept = {guess.label for guess in guesses}
    uses = [Use(path.name, key, f"joined to {customer} of the lines")]
    uses += [Use(path.name, g.source, _use(g, kept)) for g in guess_people(people)]
    return replace(joined, uses=[*joined.uses, *uses]), guesses


def _find_key(people: pd.DataFrame, customer: str, ids: pd.Series) -> str:
    """Return the column of identifiers: of their name, or the only one that holds most of them."""
    wanted = {normalise(customer), "customerid"}
    if named := next((str(column) for column in people if normalise(column) in wanted), ""):
        return named
    texts = {str(c): people[c].dropna().astype("str").str.strip() for c in people}
    fewest = min(len(ids), len(people)) / 2
    held = [c for c, cells in texts.items() if cells.is_unique and cells.isin(ids).sum() >= fewest]
    return held[0] if len(held) == 1 else ""


def guess_people(people: Reading) -> list[Guess]:
    """Guess each column of a table about people by itself; their numbers elsewhere are left out."""
    guesses = [guess_column(column, people, False) for column in people.table]
    return [
        replace(guess, role="dropped", why="another number of each customer")
        if guess.is_numeric and _are_own(people.table[guess.source])
        else guess
        for guess in guesses
    ]


def _are_own(values: pd.Series) -> bool:
    """Whether each customer has a whole number alone, of as many digits, called no amount."""
    known = values.dropna()
    if len(known) < FEW or not known.is_unique or not (known % 1 == 0).all():
        return False
    digits = known.astype("int64").astype("str").str.len().unique()
    return len(digits) == 1 and not NO_CODE & {*split_name(str(values.name)).split()}


def _use(guess: Guess, kept: set[str]) -> str:
    return "describes the customers" if guess.label in kept else f"left out: {guess.why}"


def _join(customers: Reading, people: Reading, where: str) -> tuple[Reading, list[Guess]]:
    """Join a table about people, indexed by customer, after guessing what its columns are."""
    guesses = guess_people(people)
    changes, joined, described = [*customers.changes, *people.changes], customers.table, []
    changes += [
        Change(g.why, g.source, len(people.table), "left out")
        for g in guesses
        if g.role == "dropped"
    ]
    ids = customers.table["customer_id"]
    for guess in (g for g in guesses if g.role != "dropped" and g.kind != "id"):
        values, kind = people.table[guess.source], guess.kind
        if guess.is_numeric:
            values, kind = in_bands(values), "category"
            changes.append(
                Change("numbers about people", guess.source, len(values), "shown in bands")
            )
        name, why = free_name(guess.name, set(joined)), "who a customer is: describes"
        joined = joined.assign(**{name: ids.map(values)})
        described.append(
            replace(guess, source=name, name=name, kind=kind, role="describe", why=why)
        )
    unknown = int((~ids.isin(people.table.index)).sum())
    others = int((~people.table.index.isin(ids)).sum())
    if unknown == len(ids):
        raise UserError(
            "no customer of the purchases is in the second file",
            where=f"{where}: {', '.join(map(str, people.table.index[:3]))}",
            remedy="check that both files use the same identifiers",
        )
    counted = (
        ("customers missing from the second file", unknown, "kept, shown as unknown"),
        ("people in the second file who are not among the customers", others, "left out"),
    )
    changes += [Change(what, rows=rows, action=action) for what, rows, action in counted if rows]
    kinds = customers.kinds | {guess.name: guess.kind for guess in described}
    return replace(customers, table=joined, changes=changes, kinds=kinds), described


def in_bands(values: pd.Series) -> pd.Series:
    """Write numbers as the band they lie in, or as they are where there are few."""
    if values.nunique() <= BANDS * 3:
        return values.map(lambda value: f"{value:g}", na_action="ignore")
    edges = values.quantile([i / BANDS for i in range(BANDS + 1)]).drop_duplicates().to_numpy()
    names = [f"{low:g} to {high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return pd.cut(values, edges, labels=names, include_lowest=True).astype("object")


def join_descriptors(
    customers: Reading, lines: Lines, source: Source
) -> tuple[Reading, list[Guess]]:
    """Join what the lines say about customers, as `join_demographics` does with a second file.

    Where a column changes within a customer, it is unknown for them.
    """
    table = customers.table
    names = [name for name in summands(source.describe) if simplify_name(name) not in table]
    if not names:
        return customers, []
    lines.require(dict.fromkeys(names, "describe"))
    lines, _ = plain_buyers(lines, source)
    who = text_of(quoted(source.customer), lines.types[source.customer])
    said = ", ".join(
        f"CASE WHEN min({c}) = max({c}) THEN min({c}) END AS {c}" for c in map(quoted, names)
    )
    query = f"SELECT {who} AS customer_id, {said} FROM {lines.sql} GROUP BY ALL"
    people = lines.table(query).set_index("customer_id")
    people = people[people.index.isin(table["customer_id"])].astype("str").sort_index()
    try:
        reading = read_texts(people, lines.name)
        # Where it is found in a table that is in no file is of no use.
        found = (change for change in reading.changes if change.what != TWINS)
        noticed = [replace(change, examples=()) for change in found]
        table = reading.table.set_axis(people.index)
        reading = replace(reading, table=table, changes=noticed)
        joined, guesses = _join(customers, reading, lines.name)
    except UserError as error:
        change = Change(f"columns about customers: {error.what}", ", ".join(names), 0, "left out")
        return replace(customers, changes=[*customers.changes, change]), []
    what = "the same in all lines of a customer"
    kept = [name for name in names if simplify_name(name) in joined.table]
    changes = [Change(what, name, len(people), "describes the customers") for name in kept]
    told = "describes the customers"
    uses = [replace(u, use=told) if u.column in kept else u for u in joined.uses]
    return replace(joined, changes=[*joined.changes, *changes], uses=uses), guesses
