"""The input of a run: the table and its description, given or guessed."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from customer_tables.changes import Reading
from customer_tables.description import describe_transactions
from customer_tables.duckdb_files import Options
from customer_tables.errors import UserError
from customer_tables.guessing import Guess
from customer_tables.inference import infer_dataset
from customer_tables.people import join_demographics, join_descriptors
from customer_tables.storage import write_atomically
from customer_tables.table import read_table
from customer_tables.transaction_columns import find_descriptors, find_transactions
from customer_tables.transactions import aggregate
from segmentation.dataset import AGGREGATED, Dataset
from segmentation.workspace import GUESSED, Workspace, results_folder


def open_table(
    dataset: str,
    input_file: str = "",
    demographics_file: str = "",
    *,
    results_dir: str = "",
    quick: bool = False,
    prediction_cut: str = "",
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
    prediction_cut : str
        Where a history of purchases is cut in two, as in `split_history`.
    **options : str
        How to read them, as in `read_table`; empty where it is to be found out.

    Raises
    ------
    UserError
        If there is no table, or it cannot be read or understood.
    """
    given = {name: value for name, value in options.items() if value}
    people = Path(demographics_file) if demographics_file else None
    if dataset == GUESSED:
        if not input_file:
            raise UserError(
                "there is no table to guess a dataset from",
                where="parameter input_file",
                remedy="give a table, or the name of a dataset",
            )
        reading, text = _guess(Path(input_file), people, given, prediction_cut)
        write_atomically(results_folder(dataset, results_dir) / "dataset.toml", text.encode())
    ws = Workspace.open("01", dataset=dataset, results_dir=results_dir, quick=quick)
    if dataset != GUESSED:
        reading = _read(ws.dataset, input_file, people, given, prediction_cut)
    return ws, reading


def _guess(path: Path, people: Path | None, given: dict[str, str], cut: str) -> tuple[Reading, str]:
    """Read a table of which nothing is known, and describe it."""
    name, options = name_of(path), Options(**given)
    source = find_transactions(path, options)
    if source is None:
        _refuse_people(people)
        reading = read_table(path, **given)
        return reading, infer_dataset(reading, name)
    source = find_descriptors(path, source, options)
    reading = aggregate(path, source, options, cut=cut)
    guesses: list[Guess] = []
    if people:  # what they say goes before what the lines say under the same name
        reading, guesses = join_demographics(reading, people, source.customer)
    reading, more = join_descriptors(reading, path, source, options)
    guesses = [*guesses, *more]
    return reading, describe_transactions(reading.table, source, reading.source, name, guesses)


def _read(
    known: Dataset, input_file: str, people: Path | None, given: dict[str, str], cut: str
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
        return read_table(path, text_columns=text_columns(known), **given)
    options, aggregated = Options(**given), bool(input_file) and _is_summed_up(path)
    if aggregated:
        reading = read_table(path, text_columns=["customer_id"])
    else:
        products = known.locate(source.products) if source.products else None
        reading = aggregate(path, source, options, products=products, cut=cut)
    people = people or (known.locate(source.demographics) if source.demographics else None)
    if people:
        reading, _ = join_demographics(reading, people, source.customer)
    return reading if aggregated else join_descriptors(reading, path, source, options)[0]


def _is_summed_up(path: Path) -> bool:
    """Tell whether a file in place of purchases holds customers aggregated from them already."""
    try:
        return set(AGGREGATED) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return False


def _refuse_people(people: Path | None) -> None:
    if people:
        raise UserError(
            "a second file of people goes with a file of purchases only",
            where=f"--demographics {people.name}",
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
