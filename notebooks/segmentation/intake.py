"""The input of a run: the table and its description, given or guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from customer_tables.changes import Change, Reading, Use
from customer_tables.description import describe_transactions
from customer_tables.duckdb_files import Lines
from customer_tables.errors import UserError, in_turn
from customer_tables.guessing import Guess
from customer_tables.inference import identified, infer_dataset
from customer_tables.line_kinds import require_words
from customer_tables.lines import open_lines
from customer_tables.memory import require_space
from customer_tables.people import join_demographics, join_descriptors
from customer_tables.source import Options, Roles, Source, parse_roles, unknown_role
from customer_tables.storage import write_atomically
from customer_tables.table import TWINS, read_table
from customer_tables.transaction_columns import (
    ROLES,
    complete,
    find_column,
    find_descriptors,
    find_transactions,
    require_customers,
)
from customer_tables.transactions import aggregate
from customer_tables.unit import refuse_panels
from segmentation import session
from segmentation.cleaning import APART
from segmentation.dataset import AGGREGATED, Column, Dataset, match_columns
from segmentation.expressions import columns_of
from segmentation.workspace import GUESSED, Workspace, results_folder


def open_table(
    dataset: str,
    input_file: str = "",
    demographics_file: str = "",
    *,
    demographics_sheet: str = "",
    results_dir: str = "",
    quick: bool = False,
    prediction_cut: str = "",
    roles: str = "",
    **options: str,
) -> tuple[Workspace, Reading]:
    """Open the workspace of notebook 01 and read its table, one row a customer.

    Transaction lines are aggregated to customers, unless the input holds customers that were
    aggregated from such lines before. Where the dataset is "auto", what the table is gets guessed
    from the table itself and written as dataset.toml into the results, where the later notebooks
    read it.

    Parameters
    ----------
    dataset, results_dir, quick
        As in `Workspace.open`.
    input_file : str
        A table in place of the dataset's own.
    demographics_file : str
        A second table, of who the customers are; only for transaction lines.
    demographics_sheet : str
        Of it, where it is a workbook.
    prediction_cut : str
        Where a history of purchases is cut in two, as in `split_history`.
    roles : str
        What columns are, as `parse_roles` reads it.
    **options : str
        How the input is written: the fields of `Options`.

    Raises
    ------
    UserError
        If there is no table, or it cannot be read or understood.
    """
    dataset, results_dir = session.settle(dataset, results_dir)
    people = (Path(demographics_file), demographics_sheet) if demographics_file else None
    if dataset == GUESSED:
        if not input_file:
            raise UserError(
                "there is no table to guess a dataset from",
                where="parameter input_file",
                remedy="give a table, or the name of a dataset",
            )
        guess = partial(_guess, Path(input_file), people, prediction_cut)
        reading, text = _asked_at_once(guess, options | {"roles": roles})
        write_atomically(results_folder(dataset, results_dir) / "dataset.toml", text.encode())
    ws = Workspace.open("01", dataset=dataset, results_dir=results_dir, quick=quick)
    if dataset != GUESSED:
        read = partial(_read, ws.dataset, input_file, people, prediction_cut)
        reading = _asked_at_once(read, options | {"roles": roles})
    return ws, _settled(reading, ws.dataset)


MOST_ASKED = 4  # questions in one error
PARTS = ("segment", "describe", "left out")  # of features; a column has the first of its own
People = tuple[Path, str] | None  # a second file, and its sheet
Found = TypeVar("Found")


def _asked_at_once(read: Callable[[Options, Roles], Found], settings: Mapping[str, str]) -> Found:
    """Read a table, or raise one error for all that would be asked in turn.

    Each question is taken for answered as its remedy first offers. What a line is, no offer tells:
    after that, only questions count.
    """
    asked: list[UserError] = []
    for _ in range(MOST_ASKED):
        options = {name: value for name, value in settings.items() if name != "roles"}
        try:
            found = read(Options(**options), parse_roles(settings["roles"]))
        except UserError as error:
            if error.answer or not any("purchase=" in e.answer.get("roles", "") for e in asked):
                asked.append(error)
            if not error.answer:
                break
            roles = f"{settings['roles']}\n{error.answer.get('roles', '')}"
            settings = {**settings, **error.answer, "roles": roles}
        else:
            if not asked:
                return found
            break
    raise in_turn(asked)


def _guess(
    path: Path, people: People, cut: str, options: Options, roles: Roles
) -> tuple[Reading, str]:
    """Read a table of which nothing is known, and describe it."""
    name = name_of(path)
    require_space(path)
    with ExitStack() as opened:
        lines = None
        with suppress(UserError):  # what is wrong is said where it is read as a table of customers
            lines = opened.enter_context(open_lines(path, options))
        source = find_transactions(lines, roles) if lines else None
        if lines and source:
            if unknown := roles.keys() - ROLES:
                raise unknown_role(min(unknown), ROLES)
            require_words(lines, source, roles)
            source = find_descriptors(lines, source)
            reading, guesses = _aggregate(lines, source, people, cut)
            return reading, describe_transactions(
                reading.table, source, reading.source, name, guesses
            )
        _refuse_people(people)
        reading = read_table(path, options, text_columns=roles.get("customer", ()), lenient=True)
        reading = identified(reading, roles)
        if lines:
            require_customers(lines, roles)
    text = infer_dataset(reading, name, roles)
    refuse_panels(reading, roles)
    return reading, text


def _aggregate(
    lines: Lines, source: Source, people: People, cut: str
) -> tuple[Reading, list[Guess]]:
    """Aggregate lines to customers, and join who they are."""
    reading, guesses = aggregate(lines, source, cut=cut), list[Guess]()
    if people:  # what they say goes before what the lines say under the same name
        reading, guesses = join_demographics(reading, *people, source.customer)
    reading, more = join_descriptors(reading, lines, source)
    return reading, [*guesses, *more]


def _read(
    known: Dataset,
    input_file: str,
    people: People,
    cut: str,
    options: Options,
    roles: Roles,
) -> Reading:
    """Read the table of a known dataset, or another in its place."""
    path, source = Path(input_file) if input_file else known.source_path, known.origin
    if not input_file and not path.is_file():
        raise UserError(
            f"the table {known.source!r} is not beside its dataset.toml",
            where=str(known.folder),
            remedy="say with --input which file it is",
        )
    if source.grain != "transaction":
        _refuse_people(people)
        given_columns = [column for columns in roles.values() for column in columns]
        texts = any(c.name in roles and c.kind in ("id", "category", "text") for c in known.columns)
        kept = text_columns(known) + (given_columns if texts else [])
        lenient = not any(c.kind == "date" and c.required for c in known.columns)
        return _renamed(read_table(path, options, text_columns=kept, lenient=lenient), known, roles)
    people = people or ((known.locate(source.demographics), "") if source.demographics else None)
    if input_file and _is_summed_up(path):
        reading = read_table(path, text_columns=["customer_id"])
        return join_demographics(reading, *people, source.customer)[0] if people else reading
    products = known.locate(source.products) if source.products else None
    with open_lines(path, options, products) as lines:
        if roles or not source.package:
            source = complete(lines, source, roles)
            require_words(lines, source, roles)
        return _aggregate(lines, source, people, cut)[0]


def _renamed(reading: Reading, known: Dataset, roles: Roles) -> Reading:
    """Call columns as the dataset does, as --role says of them."""
    names = {"customer": known.id.name} if known.id else {}
    names |= {column.name: column.name for column in known.columns}
    changes, new = [*reading.changes], {}
    for role, columns in roles.items():
        if role not in names:
            raise unknown_role(role, names)
        column = find_column(list(map(str, reading.table)), columns[-1], role)
        new[column] = names[role]
        rows = len(reading.table)
        changes.append(Change(f"taken for {names[role]}, as --role says", column, rows, "renamed"))
    kinds, units = (
        {new.get(name, name): entry for name, entry in entries.items()}
        for entries in (reading.kinds, reading.units)
    )
    table = reading.table.rename(columns=new)
    return replace(reading, table=table, kinds=kinds, units=units, changes=changes)


def _settled(reading: Reading, known: Dataset) -> Reading:
    """Settle what only the dataset tells: that answers are numbers, and what becomes of copies."""
    places, table = match_columns(reading.table.columns, known), reading.table
    numeric = {column.name for column in known.columns if column.is_numeric}
    answers = table[[name for name, place in places.items() if place in numeric]]
    answers = answers.select_dtypes(bool).astype(float)
    action = "kept: without an identifier, each row is a customer"
    if known.id and known.id.name in places.values():
        action = "dropped, see below: an identifier shows that they are copies"
    changes = [replace(c, action=action) if c.what == TWINS else c for c in reading.changes]
    return replace(reading, table=table.assign(**answers), changes=changes)


def list_columns(reading: Reading, known: Dataset, changes: Sequence[Change]) -> pd.DataFrame:
    """List every column of every file: what it was taken for, or why it was left out.

    Parameters
    ----------
    reading, known
        As `open_table` gives them, the latter in its workspace.
    changes : sequence of Change
        What selecting the dataset's columns left out, and why.

    Returns
    -------
    DataFrame
        Columns file, column and use, in the order of the files; a use that begins with "left out"
        gives the reason.
    """
    every = [c for c in (*reading.changes, *changes) if c.column]
    left = {c.column: f"left out: {c.what}" for c in every if c.action.endswith("left out")}
    left |= {c.column: f"{c.what}, {c.action}" for c in every if c.action == APART}
    uses = [replace(u, use=left.get(u.column, u.use)) for u in reading.uses]
    name = str(reading.source["name"])
    uses += [Use(name, c.column, left[c.column]) for c in every if c.action == "column left out"]
    if known.origin.grain != "transaction":
        places = match_columns(reading.table.columns, known)
        roles: dict[str, str] = {}
        for feature in sorted(known.features, key=lambda f: PARTS.index(f.role), reverse=True):
            roles |= dict.fromkeys(columns_of(feature.formula), feature.role)
        for column in reading.table:
            place = places.get(column)
            use = left.get(column) or _use(known.column(place), roles) if place else left[column]
            uses.append(Use(name, str(column), use))
    return pd.DataFrame([vars(use) for use in uses], columns=["file", "column", "use"])


def _use(column: Column, roles: Mapping[str, str]) -> str:
    """Say in short what a column of customers is, and its part in the segments."""
    part = {"segment": "segments", "left out": "shown only"}.get(roles.get(column.name, ""))
    if column.kind == "id":
        return "tells customers apart"
    return f"{column.label} ({column.kind}): {part or 'describes'}"


def _is_summed_up(path: Path) -> bool:
    """Tell whether a file in place of purchases holds customers aggregated from them already."""
    try:
        return set(AGGREGATED) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return False


def _refuse_people(people: People) -> None:
    if people:
        raise UserError(
            "a second file of people goes with a file of purchases only",
            where=f"--demographics {people[0].name}",
            remedy="put its columns into the table of customers",
        )


def name_of(path: str | Path) -> str:
    """Return the name of a dataset for a file: its own, without endings and odd letters."""
    stem = Path(path).name.split(".")[0]
    return re.sub(r"[\W_]+", "_", stem).strip("_").lower()[:80] or "table"


def text_columns(known: Dataset) -> list[str]:
    """Return what the columns of words and identifiers may be called, to keep them as written."""
    columns = (*known.columns, *known.outcomes)
    kept = [column for column in columns if column.kind in ("id", "category", "text")]
    return [name for column in kept for name in (column.name, *column.found_as)]
