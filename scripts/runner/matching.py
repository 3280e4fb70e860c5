"""Which dataset a table belongs to, judged by the names of its columns."""

from __future__ import annotations

from pathlib import Path

from customer_tables.errors import UserError
from customer_tables.sniff import first_rows

# From which share of a dataset's columns on, and of how many, a table without the others is taken
# for that dataset with columns missing rather than for another table.
_RESEMBLES, _TELLING = 0.8, 8


def match_table(table: Path) -> str:
    """Return the dataset under data/ whose columns a table has, or "auto" where none resembles it.

    Raises UserError if the table lacks columns of the dataset that it resembles.
    """
    from segmentation import dataset as definitions  # needs packages

    rows = first_rows(table)
    if exact := next(filter(None, map(definitions.match_dataset, rows)), None):
        return exact
    best: tuple[float, str, list[str], list[str]] = (_RESEMBLES, "", [], [])
    for path in sorted(definitions.DATA_FOLDER.glob("*/dataset.toml")):
        dataset = definitions.load_dataset(path)
        needed = [c.name for c in dataset.columns if c.required and c.kind != "id"]
        for row in rows if len(needed) >= _TELLING else ():
            try:
                matched = definitions.match_columns(row, dataset)
            except UserError:
                continue
            missing = [name for name in needed if name not in matched.values()]
            strange = [cell for cell in row if cell not in matched]
            best = max(best, (1 - len(missing) / len(needed), path.parent.name, missing, strange))
    _, name, missing, strange = best
    if not missing:
        return "auto"
    fit = "fit" if len(strange) > 1 else "fits"
    unknown = f", in which {_listed(strange)} {fit} nothing" if strange else ""
    raise UserError(
        f"{table.name} lacks {_listed(missing)} of the dataset {name!r}",
        where=f"header of {table.name}{unknown}",
        remedy="add or rename what is missing, or say with --dataset what the table is "
        "(--dataset auto guesses everything)",
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"
