"""Which dataset a table belongs to, judged by the names of its columns."""

from __future__ import annotations

import sys
from difflib import SequenceMatcher
from pathlib import Path

from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.sniff import first_rows
from customer_tables.source import parse_roles, with_roles

# From which share of a dataset's columns on, and of how many, a table without the others is taken
# for that dataset with columns missing rather than for another table.
_RESEMBLES, _TELLING = 0.8, 8
_ALIKE = 0.85  # from which two names are one with a letter or two off


def match_table(table: Path, roles: str = "") -> tuple[str, str]:
    """Return the dataset under data/ whose columns a table has, and what its columns are.

    The dataset is "auto" where none resembles the table. Roles are those given, or added with a
    yes in the terminal where names are a letter or two off.

    Raises UserError if the table lacks columns of the dataset that it resembles.
    """
    from segmentation import dataset as definitions  # needs packages

    given = parse_roles(roles).items()
    meant = {normalise(column): role for role, columns in given for column in columns}
    rows = [[meant.get(normalise(cell), cell) for cell in row] for row in first_rows(table)]
    if exact := next(filter(None, map(definitions.match_dataset, rows)), None):
        return exact, roles
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
        return "auto", roles
    near = {lost: _nearest(lost, strange) for lost in missing}
    if all(near.values()) and _agreed(near):
        return name, with_roles({lost: (column,) for lost, column in near.items()}, roles)
    fit = "fit" if len(strange) > 1 else "fits"
    unknown = f", in which {_listed(strange)} {fit} nothing" if strange else ""
    offers = [
        f"{column}: is {lost} meant? --role {lost}={_quoted(column)}"
        for lost, column in near.items()
        if column
    ]
    lead = f"{'; '.join(offers[:4])}; else " if offers else ""
    raise UserError(
        f"{table.name} lacks {_listed(missing)} of the dataset {name!r}",
        where=f"header of {table.name}{unknown}",
        remedy=f"{lead}add or rename what is missing, or say with --dataset what the table is "
        "(--dataset auto guesses everything)",
    )


def _nearest(lost: str, strange: list[str]) -> str:
    """Return the column whose name is a letter or two off; nothing where none is."""
    likeness = {c: SequenceMatcher(None, normalise(lost), normalise(c)).ratio() for c in strange}
    found = max(likeness, key=lambda column: likeness[column], default="")
    return found if likeness.get(found, 0) >= _ALIKE else ""


def _agreed(near: dict[str, str]) -> bool:
    """Ask in the terminal, where there is one, whether these columns are meant."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    listed = ", ".join(f"{column} for {lost}" for lost, column in near.items())
    print(f"Is this meant: {listed}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _quoted(column: str) -> str:
    return f'"{column}"' if " " in column else column


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"
