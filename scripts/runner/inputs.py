"""What a run works on: options of the user, which dataset, which table, which results folder."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.sniff import first_rows
from customer_tables.source import parse_roles, summands, with_roles
from customer_tables.storage import text_digest
from customer_tables.text import did_you_mean, slug
from runner import ROOT
from segmentation.stages import Stage

DATA = ROOT / "data"
DEFAULT_DATASET = "credit_card"
TIME_LIMIT_MINUTES = 120.0
# How to read a table where that is in doubt: parameters of the first notebook.
READING = {
    "delimiter": ("MARK", "what separates cells: comma, semicolon, tab, pipe, spaces or a mark"),
    "encoding": ("NAME", "how letters are stored, such as utf-8 or cp1252"),
    "decimal": ("MARK", "the decimal mark: point or comma"),
    "sheet": ("NAME", "name or place of a workbook's sheet"),
    "demographics_sheet": ("NAME", "the same of the second table"),
    "date_order": ("ORDER", "dmy or mdy, for dates like 03/04/2024"),
}
# From which share of a dataset's columns on, and of how many, a table without the others is taken
# for that dataset with columns missing rather than for another table.
_RESEMBLES, _TELLING = 0.8, 8
_ALIKE = 0.85  # from which two names are one with a letter or two off


@dataclass(frozen=True)
class Options:
    """What the user asked for, as text that is still to be checked against files."""

    dataset: str | None = None
    input: Path | None = None
    demographics: Path | None = None
    results: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)
    start: Stage | None = None
    only: Stage | None = None
    force: bool = False
    quick: bool = False
    wait: bool = False
    time_limit: float = TIME_LIMIT_MINUTES * 60  # seconds
    manifest: Path | None = None
    engine: str = "duckdb"
    place: str = ""  # what --input says: a path, Spark's URL or the address of a database
    table: str = ""  # of the database
    query: str = ""
    master: str | None = None
    conf: list[str] = field(default_factory=list)
    sample_size: int | None = None


@dataclass(frozen=True)
class Source:
    """The data of a run."""

    name: str  # of the dataset, and of its folder under results/
    dataset: str  # what the notebooks get: a name under data/, a path, or "auto"
    toml: Path | None  # the dataset.toml; None when it is to be inferred
    table: Path | None  # the user's, in place of the dataset's own
    demographics: Path | None = None  # the user's second table, of who the customers are
    roles: str = ""  # of columns, as `parse_roles` reads them

    def files(self) -> dict[str, list[Path]]:
        """Return the files that the run depends on, by their part in it."""
        tables = [self.table] if self.table else _named_files(self.toml) if self.toml else []
        tables += [self.demographics] if self.demographics else []
        return {"dataset": [self.toml] if self.toml else [], "table": tables}


def check_table(path: Path, option: str = "--input") -> Path:
    """Check that a user's table is a file that can be read, and return its full path.

    Raises UserError if it is missing, empty, a folder or closed to this user.
    """
    where = f"{option} {path}"
    if path.is_dir():
        inside = [f.name for f in sorted(path.iterdir()) if f.is_file()][:5]
        remedy = f"name one file in it: {', '.join(inside)}" if inside else "name a file"
        raise UserError(f"{path.name or path} is a folder, not a table", where, remedy)
    if not path.exists():
        raise UserError(f"there is no file {path.name!r}", where, _near(path))
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        remedy = "give yourself read access to it, or copy it elsewhere"
        raise UserError(f"{path.name} cannot be read: {error.strerror}", where, remedy) from None
    if empty:
        raise UserError(
            f"{path.name} is empty (0 bytes)", where, "export or download the table again"
        )
    return path.resolve()


def _near(path: Path) -> str:
    """Suggest a file whose name resembles a missing one."""
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {str(folder)!r} does not exist either; check the path"
    names = {entry.name.casefold(): entry for entry in folder.iterdir() if entry.is_file()}
    close = get_close_matches(path.name.casefold(), names, 1, cutoff=0.5)
    if close:
        return f"did you mean {str(names[close[0]])!r}?"
    return "check the path; quotes are needed around a name with spaces"


def resolve_dataset(dataset: str | None, table: Path | None, roles: str = "") -> Source:
    """Decide which dataset a run is about, as given by the user or by the user's checked table.

    Without a dataset the table's columns decide: a table with all columns of a dataset under data/
    belongs to it; for any other everything is inferred. So it is with a dataset.toml that names
    no features: the roles that it names are kept, the rest is inferred.

    Raises UserError if there is no such dataset, or the table's columns allow no decision.
    """
    if dataset is None and table is not None:
        dataset, roles = match_table(table, roles)
    if dataset == "auto":
        if table is None:
            what = "there is no table to infer a dataset from"
            raise UserError(what, "--dataset auto", "add --input FILE")
        name = folder_name(table.name.split(".")[0])
        return Source(name, "auto", None, table, roles=roles)
    toml = _locate(dataset or DEFAULT_DATASET)
    named = _roles_only(toml) if table is not None else {}
    if table is not None and named:
        name = folder_name(table.name.split(".")[0])
        return Source(name, "auto", None, table, roles=with_roles(named, roles))
    name = toml.parent.name if toml.name == "dataset.toml" else toml.stem
    ours = toml == DATA / name / "dataset.toml"
    return Source(folder_name(name), name if ours else str(toml), toml, table, roles=roles)


def _roles_only(toml: Path) -> dict[str, tuple[str, ...]]:
    """Return the roles in a dataset.toml that names no features; none where it is whole."""
    try:
        content = tomllib.loads(toml.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}  # the notebook says what is wrong
    if set(content) - {"dataset", "source", "value"}:
        return {}
    value = content.get("value", {}).get("column")
    named = content.get("source", {}) | ({"value": value} if value else {})
    return {
        role: tuple(columns) if isinstance(columns, list) else tuple(summands(str(columns)))
        for role, columns in named.items()
        if role not in ("grain", "package")
    }


def with_own_guess(source: Source, results: Path) -> Source:
    """Take a guessed dataset.toml in the results for the user's own once it has been edited."""
    toml = results / "dataset.toml"
    if source.toml is not None or not toml.is_file():
        return source
    from customer_tables.description import is_untouched

    try:
        untouched = is_untouched(toml.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        untouched = False
    return source if untouched else replace(source, dataset=str(toml), toml=toml)


def _locate(dataset: str) -> Path:
    """Find the dataset.toml that a name under data/, a folder or a .toml file stands for."""
    given = Path(dataset)
    candidates = [given, DATA / given]
    if given.suffix != ".toml":
        candidates = [path / "dataset.toml" for path in candidates]
    if found := next((path for path in candidates if path.is_file()), None):
        return found.resolve()
    known = sorted(path.parent.name for path in DATA.glob("*/dataset.toml"))
    raise UserError(
        f"there is no dataset {dataset[:80]!r}",
        where=f"datasets here: {', '.join(known)}; or a folder or .toml file of your own",
        remedy=did_you_mean(dataset, known, "check the name or path"),
    )


def _named_files(toml: Path) -> list[Path]:
    """Return the files beside a dataset.toml that it names, wherever in it."""
    texts = _texts(tomllib.loads(toml.read_text(encoding="utf-8")))
    paths = {toml.parent / text for text in texts if text}
    return sorted(path for path in paths if os.path.isfile(path))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _texts(entry)


def check_results(folder: Path) -> Path:
    """Check that a folder may be replaced by results, and return its full path.

    Raises UserError if it is a file, or holds something that no run has written.
    """
    full, where = folder.resolve(), f"--results {folder}"
    if full.exists() and not full.is_dir():
        raise UserError(f"{full.name} is a file, not a folder", where, "choose another folder")
    if full == Path(full.anchor) or full in (ROOT, *ROOT.parents):
        raise UserError(
            "the results would take the place of the project itself",
            where,
            "choose a folder of its own, such as results/mine",
        )
    names = {entry.name for entry in full.iterdir()} if full.is_dir() else set()
    if names and not names & {"manifest.json", "stages"}:
        raise UserError(
            f"the folder holds other files ({', '.join(sorted(names)[:3])})",
            where,
            "choose a new or empty folder; results replace a folder as a whole",
        )
    return full


def folder_name(name: str) -> str:
    """Turn a table's name into one that its results folder can have everywhere."""
    safe = slug(name, separator="_", keep="_-", longest=80, default="")
    return safe or f"table_{text_digest(name)[:8]}"


# --- which dataset a table belongs to ---------------------------------------------------------


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
        f"{column}: is {lost} meant? --role {lost}=" + (f'"{column}"' if " " in column else column)
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


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"
