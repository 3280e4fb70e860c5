"""Which dataset a table belongs to, judged by the names of its columns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.sniff import first_rows

# From which share of a dataset's columns on, and of how many, a table without the others is taken
# for that dataset with columns missing rather than for another table.
_RESEMBLES, _TELLING = 0.8, 8


def match_table(table: Path, folder: Path) -> str:
    """Return the dataset under data/ whose columns a table has, or "auto" where none resembles it.

    Parameters
    ----------
    table : pathlib.Path
    folder : pathlib.Path
        The folder of the notebooks, in which the analysis package lies.

    Raises
    ------
    UserError
        If the table lacks columns of the dataset that it resembles.
    """
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    from segmentation import dataset as definitions

    rows = first_rows(table)
    found = (definitions.match_dataset(row) for row in rows)
    if exact := next((name for name in found if name), None):
        return exact
    share, name, missing, strange = _closest(rows, definitions)
    if missing and share >= _RESEMBLES:
        fit = "fit" if len(strange) > 1 else "fits"
        unknown = f", in which {_listed(strange)} {fit} nothing" if strange else ""
        raise UserError(
            f"{table.name} lacks {_listed(missing)} of the dataset {name!r}",
            where=f"header of {table.name}{unknown}",
            remedy="add or rename what is missing, or say with --dataset what the table is "
            "(--dataset auto guesses everything)",
        )
    return "auto"


def _closest(rows: list[list[str]], definitions: Any) -> tuple[float, str, list[str], list[str]]:
    """Return the dataset that comes closest: the share of its columns that is there, and the rest.

    Returns
    -------
    tuple
        Share, name of the dataset, names of the missing columns, and of the file's that fit none.
    """
    best: tuple[float, str, list[str], list[str]] = (0.0, "", [], [])
    for path in sorted(definitions.DATA_FOLDER.glob("*/dataset.toml")):
        dataset = definitions.load_dataset(path)
        needed = [c.name for c in dataset.columns if c.required and c.kind != "id"]
        for row in rows:
            try:
                matched = definitions.match_columns(row, dataset)
            except UserError:
                continue
            found, strange = set(matched.values()), [cell for cell in row if cell not in matched]
            missing = [name for name in needed if name not in found]
            if len(needed) < _TELLING:
                continue
            share = 1 - len(missing) / max(len(needed), 1)
            best = max(best, (share, path.parent.name, missing, strange))
    return best


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"
