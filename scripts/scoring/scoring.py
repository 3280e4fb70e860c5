"""From a file of customers to a file of their segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from runner.errors import UserError
from scoring.duplicates import Register
from scoring.output import ScoredFile
from scoring.period import Period
from scoring.plain_files import NotPlain, Piece, pieces
from scoring.units import changed_units, unit_words
from segmentation import cleaning
from segmentation.dataset import Dataset
from segmentation.errors import InputError
from segmentation.model import Scored, dataset_of, load_model, score_customers, score_typed
from segmentation.reading.changes import Change

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

    @property
    def names(self) -> dict[int, str]:
        return {entry["segment"]: entry["name"] for entry in self.model["segments"]}

    def finish(self, result: Result) -> None:
        """Make the last check before the list takes its name."""
        if not self.accept_units:
            _check_units(result, self.source)


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

    Raises
    ------
    InputError, UserError
        If the model or the file is refused, or the list cannot be written.
    """
    _check_paths(model_path, source, output)
    model = load_model(model_path)
    settings = (accept_units, advance)
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
    model, dataset, source = task.model, task.dataset, task.source
    copies = np.empty(0, np.int64)
    while True:
        result, file = Result(model, Period(model)), ScoredFile(task.output)
        counts: dict[tuple[str, str, str], Change] = {}
        try:
            with Register() as register:
                for piece in pieces(source, dataset):
                    table = _without(piece, copies)
                    if not copies.size:
                        register.add(table.index, piece.first)
                    scored = score_typed(model, dataset, _finite(table, counts))
                    _sum_up(scored.changes, counts)
                    file.write(scored.assigned, task.names)
                    result.period.add(scored)
                    task.advance(result.period.customers, piece.done)
                repeated = register.repeated() if not copies.size else np.empty(0, np.int64)
            if repeated.size:
                copies = _copies(source, dataset, repeated)
            if repeated.size and copies.size:
                continue  # once more, without the copies
            if copies.size:
                change = Change("exact copy of another row", "", len(copies), "dropped")
                _sum_up([change], counts)
            result.changes = list(counts.values())
            task.finish(result)
            file.keep()
            return result
        finally:
            file.drop()


def _finite(table: pd.DataFrame, counts: dict) -> pd.DataFrame:
    """Take infinite numbers for missing, as the cleaning of types does."""
    infinite = np.isinf(table)
    for name in table.columns[infinite.any()]:
        rows = int(infinite[name].sum())
        _sum_up([Change("infinite value", name, rows, "treated as missing")], counts)
    return table.mask(infinite) if infinite.to_numpy().any() else table


def _sum_up(changes: list[Change], counts: dict[tuple[str, str, str], Change]) -> None:
    """Add the rows of changes of one kind."""
    for change in changes:
        key = (change.what, change.column, change.action)
        known = counts.get(key)
        counts[key] = replace(change, rows=known.rows + change.rows) if known else change


def _without(piece: Piece, places: np.ndarray) -> pd.DataFrame:
    """Leave out the customers in certain places of the file."""
    here = places[(places >= piece.first) & (places < piece.first + len(piece.table))]
    if not here.size:
        return piece.table
    kept = np.ones(len(piece.table), bool)
    kept[here - piece.first] = False
    return piece.table[kept]


def _copies(source: Path, dataset: Dataset, repeated: np.ndarray) -> np.ndarray:
    """Return the places of exact copies of an earlier row.

    Raises
    ------
    InputError
        If two rows of one identifier differ.
    """
    rows = []
    for piece in pieces(source, dataset):
        end = piece.first + len(piece.table)
        here = repeated[(repeated >= piece.first) & (repeated < end)]
        if here.size:
            part = piece.table.iloc[here - piece.first].reset_index()
            rows.append(part.set_axis(pd.Index(here + 2, name="line")))
    table = pd.concat(rows).rename(columns={"customer": dataset.id.name})
    indexed = table.drop_duplicates()
    cleaning.index_customers(table, dataset, fewest=1)  # refuses rows that differ
    return table.index.difference(indexed.index).to_numpy() - 2


# --- as a whole ----------------------------------------------------------------------------------


def _score_whole(task: _Task, reason: str) -> Result:
    from segmentation.intake import text_columns
    from segmentation.reading import read_table

    model, dataset, source = task.model, task.dataset, task.source
    if source.is_file() and source.stat().st_size > LARGEST_WHOLE:
        raise UserError(
            f"the file is too large to be repaired, and it is not plain: {reason}",
            where=str(source),
            remedy="divide the file, or write it as CSV or Parquet with plain numbers",
        )
    reading = read_table(source, text_columns=text_columns(dataset))
    table = reading.numbered
    _check_dataset(model, table, dataset, source)
    scored = _in_order(score_customers(model, table), table, dataset)
    result = Result(model, Period(model), [*reading.changes, *scored.changes], reason)
    result.period.add(scored)
    file = ScoredFile(task.output)
    try:
        file.write(scored.assigned, task.names)
        task.finish(result)
        file.keep()
    finally:
        file.drop()
    return result


def _check_dataset(
    model: dict[str, Any], table: pd.DataFrame, dataset: Dataset, source: Path
) -> None:
    """Say that a table is another one where half of what the model needs is missing."""
    from segmentation.dataset import match_columns

    found = set(match_columns(table.columns, dataset).values())
    needed = [c.name for c in dataset.columns if c.required and c.kind != "id"]
    missing = [name for name in needed if name not in found]
    if len(missing) * 2 >= len(needed):
        raise InputError(
            f"the model is of {model['title']!r}, and the table has {len(needed) - len(missing)} "
            f"of the {len(needed)} columns that it needs",
            where=f"{source}; missing: {', '.join(missing)[:200]}",
            remedy="give the model that was fitted on such a table, or a table of that kind",
        )


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
    columns = ", ".join(unit.column for unit in found)
    raise UserError(
        f"another unit than in training: the values of {columns[:200]} are {unit_words(found[0])}",
        where=str(source),
        remedy="bring the columns to the unit of the training table; or, if the numbers are right, "
        "give --accept-units",
    )
