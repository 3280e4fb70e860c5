"""From a file of customers to a file of their segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_tables.changes import Change
from customer_tables.errors import UserError
from scoring.duplicates import Register, is_ascending
from scoring.output import FOUND, ScoredFile
from scoring.plain_files import Customers, NotPlain, NotTyped, Piece, pieces
from segmentation import cleaning
from segmentation.column_shifts import changed_units, unit_problem
from segmentation.dataset import Dataset
from segmentation.model import dataset_of, load_model
from segmentation.parallel import parallel_map, read_ahead
from segmentation.period import Period
from segmentation.scoring import Applier, Scored, score_customers

LARGEST_WHOLE = 2 << 30  # bytes of a file that may be read as a whole where it is not plain


@dataclass(frozen=True)
class _Task:
    """What is to be scored, by what, and where it goes."""

    model: dict[str, Any]
    dataset: Dataset
    source: Path
    output: Path
    accept_units: bool
    advance: Callable[[int, float], None]
    inspect: Callable[[Result, Path], None]

    @property
    def names(self) -> dict[int, str]:
        return {entry["segment"]: entry["name"] for entry in self.model["segments"]}

    def finish(self, result: Result, file: ScoredFile) -> None:
        """Make the last checks, and then give the list its name."""
        if not self.accept_units:
            _check_units(result, self.source)
        self.inspect(result, file.complete())
        file.keep()


@dataclass
class Result:
    """What scoring a file gave.

    Attributes
    ----------
    model : dict
    period : Period
        The customers in counts.
    changes : list of Change
        What was repaired, summed up over the file.
    why_whole : str
        Why the file was read as a whole; empty where it was read in pieces.
    """

    model: dict[str, Any]
    period: Period
    changes: list[Change] = field(default_factory=list)
    why_whole: str = ""


def score_file(
    model_path: Path,
    source: Path,
    output: Path,
    *,
    accept_units: bool = False,
    advance: Callable[[int, float], None] = lambda customers, share: None,
    inspect: Callable[[Result, Path], None] = lambda result, path: None,
) -> Result:
    """Score every customer of a file, in the file's order.

    A plain file goes through in pieces, with the same memory for any size; one that needs repair
    is read as a whole by the reader of the notebooks.

    Parameters
    ----------
    model_path, source, output : pathlib.Path
        model.json, the customers, and where the list goes.
    accept_units : bool
        Go on where columns seem to be in another unit.
    advance : callable, optional
        Called with the customers scored so far and the share of the file that is read.
    inspect : callable, optional
        Called with the result and the complete list, before that takes its name; what it raises
        leaves no list behind.

    Raises
    ------
    UserError
        If the model or the file is refused, or the list cannot be written.
    """
    _check_paths(model_path, source, output)
    model = load_model(model_path)
    settings = (accept_units, advance, inspect)
    task = _Task(model, dataset_of(model), source, output, *settings)
    try:
        return _score_pieces(task)
    except NotPlain as reason:
        return _score_whole(task, str(reason))


def _check_paths(model: Path, source: Path, output: Path) -> None:
    for path, option in ((model, "--model"), (source, "--input")):
        if output.exists() and path.exists() and output.samefile(path):
            raise UserError(
                f"--output and {option} are the same file",
                where=str(output),
                remedy="give another name to the output",
            )
    if output.is_dir() or not output.parent.is_dir():
        what = "is a folder" if output.is_dir() else "lies in a folder that does not exist"
        raise UserError(
            f"the output {what}", where=str(output), remedy="give a file in a folder that exists"
        )


# --- in pieces -----------------------------------------------------------------------------------


def _score_pieces(task: _Task) -> Result:
    """Score the file; where identifiers repeat, once more without the exact copies."""
    copies, careful = np.empty(0, np.int64), False
    while True:
        try:
            result, repeated = _score_once(task, copies, careful)
        except NotTyped:
            careful = True
            continue
        if result:
            return result
        copies = _copies(task, repeated, careful)


def _score_once(task: _Task, copies: np.ndarray, careful: bool) -> tuple[Result | None, list[str]]:
    """Score the file without the customers in some places; or say which identifiers repeat."""
    result, file = Result(task.model, Period(task.model)), ScoredFile(task.output, task.names)
    counts: dict[tuple[str, str, str], Change] = {}
    applier = Applier(task.model, task.dataset)

    def score(piece: Piece) -> _Part:
        return _score_piece(task, applier, file, piece, copies)

    try:
        with Register() as register:
            drawn = read_ahead(pieces(task.source, task.dataset, careful=careful))
            for part in parallel_map(score, drawn):
                register.add(part.identifiers, part.ascending)
                file.write(part.rows)
                result.period.merge(part.period)
                _add_up(part.changes, counts)
                task.advance(result.period.customers, part.done)
            repeated = [] if copies.size else register.repeated()
        if repeated:
            return None, repeated
        if copies.size:
            _add_up([Change("exact copy of another row", "", copies.size, "dropped")], counts)
        result.changes = list(counts.values())
        task.finish(result, file)
        return result, repeated
    finally:
        file.drop()


@dataclass(frozen=True)
class _Part:
    """What is known of a piece of the file."""

    rows: pa.RecordBatch
    period: Period
    identifiers: pa.StringArray
    ascending: bool
    changes: list[Change]
    done: float


def _score_piece(
    task: _Task, applier: Applier, file: ScoredFile, piece: Piece, copies: np.ndarray
) -> _Part:
    customers, changes = _finite(_without(piece, copies))
    ids, numbers = customers.identifiers, customers.numbers
    period = Period(task.model)
    found = applier.apply(numbers, len(ids), look=period.add_features)
    period.add_others(found.assigned["segment"], found.assigned["stranger"], numbers)
    columns = {name: found.assigned[name] for name in FOUND}
    rows = file.rows(ids, columns)
    return _Part(rows, period, ids, is_ascending(ids), changes + found.changes, piece.done)


def _finite(customers: Customers) -> tuple[Customers, list[Change]]:
    """Take infinite numbers for missing, as the cleaning of types does."""
    numbers, changes = dict(customers.numbers), []
    for name, values in customers.numbers.items():
        infinite = np.isinf(values)
        if rows := int(np.count_nonzero(infinite)):
            numbers[name] = np.where(infinite, np.nan, values)
            changes.append(Change("infinite value", name, rows, "treated as missing"))
    return Customers(customers.identifiers, numbers), changes


def _add_up(changes: list[Change], counts: dict[tuple[str, str, str], Change]) -> None:
    """Add the rows of changes of one kind."""
    for change in changes:
        key = (change.what, change.column, change.action)
        known = counts.get(key)
        counts[key] = replace(change, rows=known.rows + change.rows) if known else change


def _without(piece: Piece, places: np.ndarray) -> Customers:
    """Leave out the customers in certain places of the file."""
    here = places[(places >= piece.first) & (places < piece.first + piece.rows)]
    if not here.size:
        return piece.read()
    kept = np.ones(piece.rows, bool)
    kept[here - piece.first] = False
    return piece.read().take(kept)


def _copies(task: _Task, repeated: list[str], careful: bool) -> np.ndarray:
    """Return the places of exact copies of an earlier row.

    Raises
    ------
    UserError
        If two rows of one identifier differ.
    """
    rows, wanted = [], pa.array(repeated, pa.string())
    for piece in pieces(task.source, task.dataset, careful=careful):
        customers = piece.read()
        here = np.flatnonzero(pc.is_in(customers.identifiers, value_set=wanted))
        if here.size:
            lines = pd.Index(here + piece.first + 2, name="line")
            rows.append(customers.take(here).table().reset_index().set_axis(lines))
    table = pd.concat(rows).rename(columns={"customer": task.dataset.id.name})
    cleaning.index_customers(table, task.dataset, least=1)  # refuses rows that differ
    return table.index.difference(table.drop_duplicates().index).to_numpy() - 2


# --- as a whole ----------------------------------------------------------------------------------


def _score_whole(task: _Task, reason: str) -> Result:
    from customer_tables.table import read_table
    from segmentation.intake import text_columns
    from segmentation.later_period import check_columns

    model, dataset, source = task.model, task.dataset, task.source
    if source.is_file() and source.stat().st_size > LARGEST_WHOLE:
        raise UserError(
            f"the file is too large to be repaired, and it is not plain: {reason}",
            where=str(source),
            remedy="divide the file, or write it as CSV or Parquet with plain numbers",
        )
    reading = read_table(source, text_columns=text_columns(dataset))
    table = reading.numbered
    check_columns(model, table, dataset, source)
    scored = _in_order(score_customers(model, table), table, dataset)
    result = Result(model, Period(model), [*reading.changes, *scored.changes], reason)
    result.period.add(scored)
    file = ScoredFile(task.output, task.names)
    try:
        assigned = scored.assigned
        customers = pa.array(assigned.index, pa.string())
        columns = {name: assigned[name].to_numpy() for name in FOUND}
        file.write(file.rows(customers, columns))
        task.finish(result, file)
    finally:
        file.drop()
    return result


def _in_order(scored: Scored, table: pd.DataFrame, dataset: Dataset) -> Scored:
    """Bring customers from the order of their identifiers into that of the file."""
    from segmentation.dataset import match_columns

    places = {place: name for name, place in match_columns(table.columns, dataset).items()}
    column = places.get(dataset.id.name) if dataset.id else None
    if column is None:
        return scored  # numbered by row
    ids = table[column].dropna().astype("str").str.strip().drop_duplicates()
    order = ids[ids.isin(scored.assigned.index)]
    return replace(
        scored,
        assigned=scored.assigned.loc[order],
        features=scored.features.loc[order],
        as_read=scored.as_read.loc[order],
    )


# --- both ----------------------------------------------------------------------------------------


def _check_units(result: Result, source: Path) -> None:
    """Refuse columns that seem to be in another unit."""
    found = changed_units(result.model, result.period)
    if not found:
        return
    raise UserError(
        unit_problem(found),
        where=str(source),
        remedy="bring the columns to the unit of the training table; or, if the numbers are right, "
        "give --accept-units",
    )
