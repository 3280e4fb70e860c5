"""From a file of customers to a file of their segments."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from customer_tables.changes import Change
from customer_tables.errors import UserError
from runner.entry import writing
from scoring.lists import ScoredList
from scoring.plain_files import NotPlain, PlainFile
from segmentation.cleaning import Cleaned, check_types
from segmentation.dataset import match_columns
from segmentation.drift import Period, refuse_units
from segmentation.model import load_model
from segmentation.parallel import parallel_map
from segmentation.scoring import Scorer

LARGEST_WHOLE = 2 << 30  # bytes of a file that may be read as a whole where it is not plain
Advance = Callable[[int, float], None]


@dataclass
class Result:
    """What scoring a file gave."""

    model: dict[str, Any]
    period: Period
    partial: Path  # where the list is until it takes its name
    changes: list[Change] = field(default_factory=list)  # totals over the file
    why_whole: str = ""  # why the file was not read in pieces
    identifier: str = ""  # what the file calls that column


@contextmanager
def score_file(
    model_path: Path,
    source: Path,
    output: Path,
    *,
    accept_units: bool = False,
    advance: Advance = lambda customers, share: None,
) -> Iterator[Result]:
    """Score every customer of a file, in the file's order.

    A plain file goes through in pieces, with the same memory for any size; one that needs repair
    is read as a whole by the reader of the notebooks. The list takes its name at the end of the
    block: what is raised there leaves none behind.

    Parameters
    ----------
    model_path, source, output : pathlib.Path
        model.json, the customers, and where the list goes: CSV, or Parquet by its ending.
    accept_units : bool
        Go on where columns seem to be in another unit.
    advance : callable, optional
        Called with the customers scored so far and the share of the file that is read.

    Raises
    ------
    UserError
        If the model or the file is refused, or the list cannot be written.
    """
    _check_paths(model_path, source, output)
    scorer = Scorer(load_model(model_path))
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    elsewhere = "choose another place with --output, or make space there"

    def new_list() -> ScoredList:
        partial.unlink(missing_ok=True)
        return ScoredList(partial, scorer.names, parquet=output.suffix.lower() == ".parquet")

    try:
        with writing("the list", output, elsewhere):
            try:
                result = _score_plain(scorer, source, new_list, advance)
            except NotPlain as reason:
                result = _score_whole(scorer, source, new_list, str(reason))
        if not accept_units:
            remedy = "; or, if the numbers are right, give --accept-units"
            refuse_units(result.model, result.period, str(source), remedy)
        yield result
        with writing("the list", output, elsewhere):
            os.replace(partial, output)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


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


def _score_plain(
    scorer: Scorer, source: Path, new_list: Callable[[], ScoredList], advance: Advance
) -> Result:
    """Score the file piece by piece; `NotPlain` if something in it has to be seen as a whole."""
    file, scored_list = PlainFile(source, scorer.dataset), new_list()
    result = Result(scorer.model, Period(scorer.model), scored_list.path)
    result.identifier = file.found
    counts: Counter[Change] = Counter()

    def score(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Period, list[Change]]:
        typed = Cleaned(file.customers(batch))
        if file.infinite:
            typed = check_types(typed.customers, scorer.dataset)
        scored = scorer.score(typed.customers)
        period = Period(scorer.model).add(scored)
        return scored_list.rows(scored.assigned), period, typed.changes + scored.changes

    with scored_list:
        for rows, period, changes in parallel_map(score, file.batches()):
            scored_list.write(rows)
            result.period.merge(period)
            for change in changes:
                counts[replace(change, rows=0)] += change.rows
            advance(result.period.customers, file.done)
    file.settle()
    if twice := scored_list.repeated():
        raise NotPlain(f"the identifier {twice[:80]!r} occurs on several rows")
    result.changes = [replace(change, rows=rows) for change, rows in counts.items()]
    return result


# --- as a whole ----------------------------------------------------------------------------------


def _score_whole(
    scorer: Scorer, source: Path, new_list: Callable[[], ScoredList], reason: str
) -> Result:
    from segmentation.later_period import read_scored

    if source.is_file() and source.stat().st_size > LARGEST_WHOLE:
        raise UserError(
            f"the file is too large to be repaired, and it is not plain: {reason}",
            where=str(source),
            remedy="write it as CSV or Parquet with plain numbers and one row a customer",
        )
    scored, reading = read_scored(scorer.model, source)
    assigned, identifier = scored.assigned, scorer.dataset.id
    matched = match_columns(reading.table.columns, scorer.dataset).items()
    named = next((c for c, place in matched if identifier and place == identifier.name), "")
    if named:  # from the order of the identifiers into that of the file
        ids = reading.table[named].dropna().astype("str").str.strip().drop_duplicates()
        assigned = assigned.loc[ids[ids.isin(assigned.index)]]
    with new_list() as scored_list:
        scored_list.write(scored_list.rows(assigned))
    period = Period(scorer.model).add(scored)
    changes = [*reading.changes, *scored.changes]
    return Result(scorer.model, period, scored_list.path, changes, reason, named)
