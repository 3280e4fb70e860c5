"""What a dataset is: the contents of dataset.toml as typed, checked objects."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from segmentation import expressions
from segmentation.errors import InputError

DATA_FOLDER = Path(__file__).resolve().parents[2] / "data"

KINDS = ("id", "money", "count", "share", "months", "number", "date", "yes_no", "category", "text")
NUMERIC_KINDS = ("money", "count", "share", "months", "number")
ROLES = ("segment", "describe", "left out")
TRANSFORMS = ("none", "log1p", "yeo-johnson")


@dataclass(frozen=True)
class Column:
    """A column of the source table: what it is called, what it holds and what is valid."""

    name: str
    kind: str
    label: str = ""
    unit: str = ""
    found_as: tuple[str, ...] = ()
    required: bool = True
    missing: str = "median"  # what fills a gap: "median", "zero" or "keep"
    valid: tuple[float, float] = (-math.inf, math.inf)
    outside: str = "flag"  # what happens outside the valid range: "flag", "clip" or "missing"

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers that can be averaged."""
        return self.kind in NUMERIC_KINDS


@dataclass(frozen=True)
class Rule:
    """A domain rule: either fills gaps ``when`` something holds, or ``check``s what should."""

    name: str
    why: str = ""
    when: str = ""
    column: str = ""
    fill: float | None = None
    check: str = ""


@dataclass(frozen=True)
class Feature:
    """A feature: its formula over columns, how it is transformed, and the part it plays."""

    name: str
    formula: str
    label: str = ""
    kind: str = "number"
    unit: str = ""
    role: str = "segment"
    transform: str = "none"
    why: str = ""


@dataclass(frozen=True)
class Archetype:
    """A kind of customer that is known beforehand: the pattern that earns it, and advice.

    ``pattern`` maps feature names to the direction that the segment should differ from the
    average customer, in standard deviations (2 very high, 1 high, 0 average, -1 low).
    """

    name: str
    pattern: dict[str, float]
    summary: str = ""
    advice: str = ""
    measure: str = ""


@dataclass(frozen=True)
class Question:
    """A plain yes/no question about a customer; together they are the rule baseline."""

    name: str
    when: str


@dataclass(frozen=True)
class Dataset:
    """Everything the notebooks need to know about a table of customers."""

    name: str
    folder: Path
    title: str
    source: str = ""
    noun: str = "customer"
    nouns: str = "customers"
    about: str = ""
    period: str = ""
    currency: str = ""
    generated: bool = False
    value: str = ""
    value_label: str = ""
    columns: tuple[Column, ...] = ()
    rules: tuple[Rule, ...] = ()
    features: tuple[Feature, ...] = ()
    archetypes: tuple[Archetype, ...] = ()
    questions: tuple[Question, ...] = ()
    limits: tuple[str, ...] = field(default=())

    @property
    def id(self) -> Column | None:
        """The identifier column, if the table has one."""
        return next((column for column in self.columns if column.kind == "id"), None)

    @property
    def source_path(self) -> Path:
        """Where the dataset's own table lies."""
        return self.folder / self.source

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)

    def features_with(self, *roles: str) -> list[Feature]:
        """Return the features that play one of the given roles, in order."""
        return [feature for feature in self.features if feature.role in roles]

    def feature(self, name: str) -> Feature:
        """Return the feature of that name."""
        return next(feature for feature in self.features if feature.name == name)


def normalise(name: str) -> str:
    """Fold a column name so that case, spaces and punctuation do not matter."""
    return re.sub(r"[\W_]+", "", str(name)).casefold()


def locate_dataset(name_or_path: str | Path) -> Path:
    """Find the dataset.toml that a name under data/, a folder or a path stands for.

    Raises
    ------
    InputError
        If there is none; names the datasets that exist.
    """
    given = Path(name_or_path)
    named = DATA_FOLDER / given
    candidates = [given / "dataset.toml", named / "dataset.toml"]
    if given.suffix == ".toml":
        candidates = [given, named]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    known = sorted(path.parent.name for path in DATA_FOLDER.glob("*/dataset.toml"))
    close = difflib.get_close_matches(str(name_or_path), known, 1)
    raise InputError(
        f"there is no dataset {str(name_or_path)[:80]!r}",
        where=f"datasets here: {', '.join(known)}; or give a folder or .toml file of your own",
        remedy=f"did you mean {close[0]!r}?" if close else "check the name or path",
    )


def load_dataset(name_or_path: str | Path) -> Dataset:
    """Read and check a dataset.toml.

    Parameters
    ----------
    name_or_path : str or Path
        A folder name under data/, a folder that holds a dataset.toml, or a .toml file.

    Raises
    ------
    InputError
        If the file is missing, is no TOML, or says something that cannot be.
    """
    path = locate_dataset(name_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} is not valid TOML: {error}", where=str(path), remedy="correct that line"
        ) from None
    return build_dataset(content, path)


def build_dataset(content: dict[str, Any], path: Path) -> Dataset:
    """Turn the content of a dataset.toml into a checked `Dataset`."""
    head = dict(content.get("dataset", {}))
    head.setdefault("name", path.parent.name if path.name == "dataset.toml" else path.stem)
    head.setdefault("title", head["name"].replace("_", " ").capitalize())
    value = content.get("value", {})
    columns = [
        _build(Column, {"label": name.replace("_", " "), **entry, "name": name}, path)
        for name, entry in content.get("columns", {}).items()
    ]
    dataset = _build(
        Dataset,
        {
            **head,
            "folder": path.parent,
            "value": value.get("column", ""),
            "value_label": value.get("label", value.get("column", "").replace("_", " ")),
            "columns": tuple(columns),
            "rules": tuple(_build(Rule, entry, path) for entry in content.get("rules", [])),
            "features": tuple(_build(Feature, e, path) for e in content.get("features", [])),
            "archetypes": tuple(_build(Archetype, e, path) for e in content.get("archetypes", [])),
            "questions": tuple(_build(Question, e, path) for e in content.get("questions", [])),
        },
        path,
    )
    _check(dataset, path)
    return dataset


def _build(cls: type, entry: dict[str, Any], path: Path):
    """Make a dataclass from a TOML table, naming unknown and missing keys."""
    known = [f.name for f in fields(cls)]
    for key in entry:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            raise InputError(
                f"{cls.__name__.lower()} {entry.get('name', '')!r} has an unknown key {key!r}",
                where=str(path),
                remedy=f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}",
            )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise InputError(
            f"{cls.__name__.lower()} {entry.get('name', '')!r}: {str(error).split(') ', 1)[-1]}",
            where=str(path),
            remedy="add the missing key",
        ) from None


def _check(dataset: Dataset, path: Path) -> None:
    """Raise an `InputError` at the first contradiction in a dataset."""

    def require(condition: bool, what: str, remedy: str) -> None:
        if not condition:
            raise InputError(what, where=str(path), remedy=remedy)

    columns = {column.name for column in dataset.columns}
    features = [feature.name for feature in dataset.features]
    for column in dataset.columns:
        choices = f"one of {', '.join(KINDS)}"
        require(column.kind in KINDS, f"column {column.name!r} has kind {column.kind!r}", choices)
        require(
            len(column.valid) == 2, f"column {column.name!r}: valid needs two numbers", "[0, 1]"
        )
    for feature in dataset.features:
        name = feature.name
        require(feature.role in ROLES, f"feature {name!r} has role {feature.role!r}", str(ROLES))
        require(feature.transform in TRANSFORMS, f"feature {name!r}: transform", str(TRANSFORMS))
        unknown = expressions.columns_of(feature.formula) - columns
        require(not unknown, f"feature {name!r} uses unknown columns {sorted(unknown)}", "add them")
    require(len(set(features)) == len(features), "two features share a name", "rename one")
    require(
        not dataset.features or len(dataset.features_with("segment")) >= 2,
        "fewer than two features segment",
        'give at least two features role = "segment"',
    )
    require(
        dataset.value in {"", *columns, *features},
        f"the value column {dataset.value!r} does not exist",
        "name a column or feature in [value]",
    )
    for archetype in dataset.archetypes:
        unknown = set(archetype.pattern) - set(features)
        require(
            not unknown and bool(archetype.pattern),
            f"archetype {archetype.name!r} needs a pattern over known features {sorted(unknown)}",
            f"features: {', '.join(features)}",
        )


def match_columns(header: Iterable[str], dataset: Dataset) -> dict[str, str]:
    """Match the names in a file to the dataset's columns, whatever their case and punctuation.

    Returns
    -------
    dict
        From the name in the file to the name in the dataset.

    Raises
    ------
    InputError
        If two columns of the file claim the same place.
    """
    places = {
        normalise(spelling): column.name
        for column in dataset.columns
        for spelling in (*column.found_as, column.name)
    }
    matched: dict[str, str] = {}
    for name in header:
        place = places.get(normalise(name))
        if place in matched.values():
            twin = next(other for other, taken in matched.items() if taken == place)
            raise InputError(
                f"the columns {twin!r} and {name!r} both look like {place!r}",
                where="header line",
                remedy="rename or remove one of them",
            )
        if place:
            matched[name] = place
    return matched


def match_dataset(header: Iterable[str]) -> str | None:
    """Return the name of the dataset under data/ whose required columns a header covers."""
    header = list(header)
    for path in sorted(DATA_FOLDER.glob("*/dataset.toml")):
        dataset = load_dataset(path)
        needed = {c.name for c in dataset.columns if c.required and c.kind != "id"}
        if needed and needed <= set(match_columns(header, dataset).values()):
            return path.parent.name
    return None
