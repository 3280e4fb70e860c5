"""Where a run begins: the table, and what is known about it or can be guessed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from segmentation.dataset import Dataset
from segmentation.errors import InputError
from segmentation.inference import infer_dataset
from segmentation.reading import Reading, read_table
from segmentation.workspace import GUESSED, Workspace, results_folder, write_atomically


def open_table(
    dataset: str,
    input_file: str = "",
    *,
    results_dir: str = "",
    quick: bool = False,
    **options: str,
) -> tuple[Workspace, Reading]:
    """Open the workspace of notebook 01 and read its table.

    Where the dataset is "auto", what the table is gets guessed from the table itself and written
    as dataset.toml into the results, where the later notebooks read it.

    Parameters
    ----------
    dataset, results_dir, quick
        As in `Workspace.open`.
    input_file : str
        A table in place of the dataset's own.
    **options : str
        How to read it, as in `read_table`; empty where it is to be found out.

    Raises
    ------
    InputError
        If there is no table, or it cannot be read or understood.
    """
    given = {name: value for name, value in options.items() if value}
    if dataset == GUESSED:
        reading = read_table(_required(input_file), **given)
        text = infer_dataset(reading, name_of(input_file)).encode()
        write_atomically(results_folder(dataset, results_dir) / "dataset.toml", text)
        ws = Workspace.open("01", dataset=dataset, results_dir=results_dir, quick=quick)
        ws.save("guess", {"sha256": hashlib.sha256(text).hexdigest()})
        return ws, reading
    ws = Workspace.open("01", dataset=dataset, results_dir=results_dir, quick=quick)
    known = ws.dataset
    if not input_file and not known.source_path.is_file():
        raise InputError(
            f"the table {known.source!r} is not beside its dataset.toml",
            where=str(known.folder),
            remedy="say with --input which file it is",
        )
    source = input_file or known.source_path
    return ws, read_table(source, text_columns=text_columns(known), **given)


def _required(input_file: str) -> str:
    if not input_file:
        raise InputError(
            "there is no table to guess a dataset from",
            where="parameter input_file",
            remedy="give a table, or the name of a dataset",
        )
    return input_file


def name_of(path: str | Path) -> str:
    """Return the name of a dataset for a file: its own, without endings and odd letters."""
    stem = Path(path).name.split(".")[0]
    return re.sub(r"[\W_]+", "_", stem).strip("_").lower()[:80] or "table"


def text_columns(known: Dataset) -> list[str]:
    """Return what the columns of words and identifiers may be called, to keep them as written."""
    kept = [column for column in known.columns if column.kind in ("id", "category", "text")]
    return [name for column in kept for name in (column.name, *column.found_as)]
